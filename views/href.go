package views

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"headway/domain"
	"headway/projections"
)

// with is a path with a query; empty values are left out.
func with(path string, pairs ...string) templ.SafeURL {
	query := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			query.Add(pairs[i], pairs[i+1])
		}
	}
	if len(query) == 0 {
		return templ.SafeURL(path)
	}
	return templ.SafeURL(path + "?" + query.Encode())
}

func orderPath(id domain.OrderID) string { return "/orders/" + url.PathEscape(string(id)) }

func orderHref(id domain.OrderID) templ.SafeURL { return templ.SafeURL(orderPath(id)) }

func orderAtHref(id domain.OrderID, version int) templ.SafeURL {
	return with(orderPath(id), "at", strconv.Itoa(version))
}

func orderEventsHref(id domain.OrderID, before string) templ.SafeURL {
	return with(orderPath(id)+"/events", "before", before)
}

func eventHref(id domain.OrderID, version int) templ.SafeURL {
	return templ.SafeURL(orderPath(id) + "/events/" + strconv.Itoa(version))
}

func correlationHref(id, before string) templ.SafeURL {
	return with("/events/correlation/"+nameSegment(id), "before", before)
}

func customerHref(id string) templ.SafeURL { return templ.SafeURL("/customers/" + nameSegment(id)) }

// nameSegment is a name that people chose, as one segment of a path. Dots are escaped where they would mean something else: a dot segment
// would be cleaned away, and ".json" asks for JSON.
func nameSegment(name string) string {
	if name == "." || name == ".." {
		return strings.ReplaceAll(name, ".", "%2E")
	}
	if rest, asks := strings.CutSuffix(name, ".json"); asks {
		return url.PathEscape(rest) + "%2Ejson"
	}
	return url.PathEscape(name)
}

func projectionHref(name string) templ.SafeURL {
	return templ.SafeURL("/projections/" + url.PathEscape(name))
}

// Href is the page of the order list that a filter asks for.
func (f OrderFilter) Href() string {
	pairs := []string{"q", f.Text}
	for _, status := range f.Statuses {
		pairs = append(pairs, "status", string(status))
	}
	pairs = append(pairs, "customer", f.Customer, "from", f.From, "to", f.To, "sort", string(f.Sort), "cursor", f.Cursor)
	return string(with("/orders", pairs...))
}

// Narrows tells whether the filter leaves any order out.
func (f OrderFilter) Narrows() bool {
	return f.Text != "" || len(f.Statuses) > 0 || f.Customer != "" || f.From != "" || f.To != ""
}

func (f OrderFilter) first() OrderFilter { f.Cursor = ""; return f }

func (f OrderFilter) page(cursor string) OrderFilter { f.Cursor = cursor; return f }

func (f OrderFilter) status(statuses ...domain.Status) OrderFilter {
	f.Statuses, f.Cursor = statuses, ""
	return f
}

func (f OrderFilter) customer(id string) OrderFilter { f.Customer, f.Cursor = id, ""; return f }

func (f OrderFilter) dates(from, to string) OrderFilter {
	f.From, f.To, f.Cursor = from, to, ""
	return f
}

// sorted asks for a column: descending first for what is best seen from the top, and the other way when it is asked again.
func (f OrderFilter) sorted(column string) OrderFilter {
	f.Sort, f.Cursor = nextSort(f.Sort, "-created", column, "created", "total", "items"), ""
	return f
}

// nextSort is what a click on a column's head asks for.
func nextSort(now, usual projections.Sort, column string, descendingFirst ...string) projections.Sort {
	if now == "" {
		now = usual
	}
	up, down := projections.Sort(column), projections.Sort("-"+column)
	first := up
	for _, c := range descendingFirst {
		if c == column {
			first = down
		}
	}
	switch now {
	case up:
		return down
	case down:
		return up
	}
	return first
}

// ariaSort is the direction in which a column is sorted now, or "none".
func ariaSort(now, usual projections.Sort, column string) string {
	if now == "" {
		now = usual
	}
	switch now {
	case projections.Sort(column):
		return "ascending"
	case projections.Sort("-" + column):
		return "descending"
	}
	return "none"
}

// preset is a choice of dates.
type preset struct {
	label    string
	from, to string
}

// presets are the choices of dates as seen from today; to is exclusive, so it is tomorrow.
func presets(today time.Time, zone *time.Location) []preset {
	t := in(today, zone)
	day := func(year int, month time.Month, day int) string {
		return time.Date(year, month, day, 12, 0, 0, 0, time.UTC).Format(shapeDate)
	}
	y, m, d := t.Date()
	tomorrow := day(y, m, d+1)
	return []preset{
		{"Any time", "", ""},
		{"Today", day(y, m, d), tomorrow},
		{"7 days", day(y, m, d-6), tomorrow},
		{"30 days", day(y, m, d-29), tomorrow},
		{"This month", day(y, m, 1), day(y, m+1, 1)},
	}
}
