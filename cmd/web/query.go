package main

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"headway/domain"
	"headway/projections"
)

// maxQueryText is how long a search may be, in bytes.
const maxQueryText = 500

// query is the query of a URL, checked: only names that the page knows, each once (but for those that repeat), in valid UTF-8.
type query struct {
	values url.Values
	wrong  []domain.FieldError
}

// parseQuery reads the names a page knows; many may repeat. An empty value is as good as none.
func parseQuery(r *http.Request, once []string, many ...string) *query {
	q := &query{values: url.Values{}}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		q.complain("", "The query of the address could not be read.")
		return q
	}
	for name, texts := range values {
		switch {
		case !slices.Contains(once, name) && !slices.Contains(many, name):
			q.complain(clip(name), "This page has no filter “%s”.", clip(name))
			continue
		case len(texts) > 1 && !slices.Contains(many, name):
			q.complain(name, "“%s” can be given only once.", name)
		}
		for _, text := range texts {
			switch text = strings.TrimSpace(text); {
			case !utf8.ValidString(text):
				q.complain(name, "“%s” is not valid UTF-8.", name)
			case len(text) > maxQueryText && name != "cursor" && name != "before":
				q.complain(name, "“%s” can be at most %d bytes long.", name, maxQueryText)
			case text != "":
				q.values.Add(name, text)
			}
		}
	}
	return q
}

func (q *query) complain(field, format string, args ...any) {
	q.wrong = append(q.wrong, domain.MalformedField(field, format, args...).Fields...)
}

func (q *query) get(name string) string { return q.values.Get(name) }

// err is Malformed with every complaint.
func (q *query) err() error {
	if len(q.wrong) == 0 {
		return nil
	}
	slices.SortFunc(q.wrong, func(a, b domain.FieldError) int { return strings.Compare(a.Field, b.Field) })
	return &domain.Error{Kind: domain.Malformed, Message: q.wrong[0].Message, Fields: q.wrong}
}

// moment reads a day in the zone, or an RFC 3339 time.
func (q *query) moment(name string, zone *time.Location) time.Time {
	text := q.get(name)
	if text == "" {
		return time.Time{}
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t.UTC()
		}
	}
	q.complain(name, "“%s” is not a date; write one such as 2026-01-31, or a time such as 2026-01-31T12:00:00Z.", clip(text))
	return time.Time{}
}

func (q *query) statuses() []domain.Status {
	var statuses []domain.Status
	for _, text := range q.values["status"] {
		status := domain.Status(text)
		switch {
		case !slices.Contains(domain.Statuses(), status):
			q.complain("status", "“%s” is not a status; those are created, confirmed and cancelled.", clip(text))
		case !slices.Contains(statuses, status):
			statuses = append(statuses, status)
		}
	}
	return statuses
}

func (q *query) sort(known ...string) projections.Sort {
	text := q.get("sort")
	if text != "" && !slices.Contains(known, strings.TrimPrefix(text, "-")) {
		q.complain("sort", "“%s” is not a way to sort; those are %s, each also with a minus.", clip(text), strings.Join(known, ", "))
		return ""
	}
	return projections.Sort(text)
}

// orderID reads the {id} of a path: anything but a UUID is an order that does not exist.
func orderID(r *http.Request) (domain.OrderID, error) {
	text := r.PathValue("id")
	id, err := uuid.Parse(text)
	if err != nil || len(text) != len(id.String()) {
		return "", domain.Errorf(domain.NotFound, "There is no order “%s”.", clip(text))
	}
	return domain.OrderID(id.String()), nil
}

// clip makes a stranger's text short enough for a sentence.
func clip(s string) string {
	const most = 80
	s = strings.ToValidUTF8(s, "\uFFFD")
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}
