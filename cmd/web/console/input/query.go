package input

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"headway/domain"
	"headway/fault"
	"headway/projections"
)

// maxText is how long a search, or another value of an address, may be, in characters.
const maxText = 500

// Query is the query of a URL, checked: only names that the page knows, each once (but for those that repeat), in valid UTF-8.
type Query struct {
	values url.Values
	wrong  []fault.FieldError
}

// Param is a name that a query may have.
type Param struct {
	Name string
	Does string // what it asks for
	Many bool   // it may repeat
}

// ParseQuery reads the names a page knows. An empty value is as good as none.
func ParseQuery(r *http.Request, known ...Param) *Query {
	q := &Query{values: url.Values{}}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		q.Complain("", "The query of the address could not be read.")
		return q
	}
	for name, texts := range values {
		at := slices.IndexFunc(known, func(p Param) bool { return p.Name == name })
		switch {
		case at < 0:
			q.Complain(Clip(name), "This page has no filter “%s”.", Clip(name))
			continue
		case len(texts) > 1 && !known[at].Many:
			q.Complain(name, "“%s” can be given only once.", name)
		}
		for _, text := range texts {
			switch text = strings.TrimSpace(text); {
			case !utf8.ValidString(text):
				q.Complain(name, "“%s” is not valid UTF-8.", name)
			case utf8.RuneCountInString(text) > maxText && name != "cursor" && name != "before":
				q.Complain(name, "%s can have at most %d characters.", nameOf(name), maxText)
			case text != "":
				q.values.Add(name, text)
			}
		}
	}
	return q
}

// nameOf is what a sentence calls a name.
func nameOf(name string) string {
	if name == "q" {
		return "A search"
	}
	return "“" + name + "”"
}

// Complain says what is wrong with a name.
func (q *Query) Complain(field, format string, args ...any) {
	q.wrong = append(q.wrong, fault.MalformedField(field, format, args...).Fields...)
}

// Get is a value without the spaces around it; empty if it is not there.
func (q *Query) Get(name string) string { return q.values.Get(name) }

// Err is Malformed with every complaint.
func (q *Query) Err() error {
	if len(q.wrong) == 0 {
		return nil
	}
	slices.SortFunc(q.wrong, func(a, b fault.FieldError) int { return strings.Compare(a.Field, b.Field) })
	return &fault.Error{Kind: fault.Malformed, Message: q.wrong[0].Message, Fields: q.wrong}
}

// Time reads a day in the zone, or an RFC 3339 time.
func (q *Query) Time(name string, zone *time.Location) time.Time {
	text := q.Get(name)
	if text == "" {
		return time.Time{}
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t.UTC()
		}
	}
	q.Complain(name, "“%s” is not a date; write one such as 2026-01-31, or a time such as 2026-01-31T12:00:00Z.", Clip(text))
	return time.Time{}
}

// Statuses are the values of “status”, each once.
func (q *Query) Statuses() []domain.Status {
	var statuses []domain.Status
	for _, text := range q.values["status"] {
		status := domain.Status(text)
		switch {
		case !slices.Contains(domain.Statuses(), status):
			q.Complain("status", "“%s” is not a status; those are created, confirmed and cancelled.", Clip(text))
		case !slices.Contains(statuses, status):
			statuses = append(statuses, status)
		}
	}
	return statuses
}

// Sort is the value of “sort”, one of those known, also with a minus in front.
func (q *Query) Sort(known ...string) projections.Sort {
	text := q.Get("sort")
	if text != "" && !slices.Contains(known, strings.TrimPrefix(text, "-")) {
		q.Complain("sort", "“%s” is not a way to sort; those are %s, each also with a minus.", Clip(text), strings.Join(known, ", "))
		return ""
	}
	return projections.Sort(text)
}

// Number reads a whole number that may be absent.
func (q *Query) Number(name string) (n int, given bool) {
	text := q.Get(name)
	if text == "" {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		q.Complain(name, "“%s” must be a whole number, not “%s”.", name, Clip(text))
	}
	return n, true
}

// After reads the receipt's wait, ORDER@VERSION, of this order; 0 if there is none.
func (q *Query) After(id domain.OrderID) int {
	text := q.Get("after")
	if text == "" {
		return 0
	}
	order, digits, _ := strings.Cut(text, "@")
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 || order != string(id) {
		q.Complain("after", "“%s” is not a receipt of this order.", Clip(text))
		return 0
	}
	return n
}

// OrderID reads the {id} of a path.
func OrderID(r *http.Request) (domain.OrderID, error) { return ParseOrderID(r.PathValue("id")) }

// ParseOrderID reads an order's id: anything but a UUID is an order that does not exist.
func ParseOrderID(text string) (domain.OrderID, error) {
	id, err := uuid.Parse(text)
	if err != nil || len(text) != len(id.String()) {
		return "", fault.Errorf(fault.NotFound, "There is no order “%s”.", Clip(text))
	}
	return domain.OrderID(id.String()), nil
}

// Clip makes a stranger's text short enough for a sentence.
func Clip(s string) string {
	const most = 80
	s = strings.ToValidUTF8(s, "\uFFFD")
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}
