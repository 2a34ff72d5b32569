package views

import (
	"time"

	"github.com/a-h/templ"
)

// AuditPage is GET /audit.
type AuditPage struct {
	Filter AuditFilter
	Kinds  []AuditKind // all there are, in the order of the tabs
	Rows   []Operation // newest first
	Next   string
	Zone   *time.Location
}

// AuditFilter is what is asked of the record, as typed.
type AuditFilter struct{ Who, What, Outcome, From, To, Cursor string }

// AuditKind is a kind of operation.
type AuditKind struct{ What, Label string }

// Operation is one thing that was done and is no order's event.
type Operation struct {
	ID          string
	At, EndedAt time.Time // EndedAt is zero while it has no end
	Who         string
	What        string // its label
	On          string
	Reason      string
	Outcome     string // asked, done or failed
	Before      string // JSON, laid out for people; empty if there is nothing to say
	After       string
	Correlation string
}

// outcomeWords says how far an operation has come. One that has no end may be under way, or its process died.
func (o Operation) outcomeWords() string {
	if o.Outcome == "asked" {
		return "asked, no end yet"
	}
	return o.Outcome
}

// with is the page with another value of one filter, from its beginning.
func (f AuditFilter) with(name, value string) templ.SafeURL {
	f.Cursor = ""
	switch name {
	case "what":
		f.What = value
	case "cursor":
		f.Cursor = value
	}
	return with("/audit", "who", f.Who, "what", f.What, "outcome", f.Outcome, "from", f.From, "to", f.To, "cursor", f.Cursor)
}

// export is the whole list under this filter, as a file.
func (f AuditFilter) export(form string) templ.SafeURL {
	return with("/audit."+form, "who", f.Who, "what", f.What, "outcome", f.Outcome, "from", f.From, "to", f.To)
}

func (f AuditFilter) isSet() bool { return f.Who+f.What+f.Outcome+f.From+f.To != "" }

func operationHref(id string) templ.SafeURL { return templ.SafeURL("/audit/" + nameSegment(id)) }
