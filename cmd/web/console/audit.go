package console

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"headway/cmd/web/console/input"
	"headway/cmd/web/console/wire"
	"headway/eventstore"
	"headway/fault"
	"headway/operations"
	"headway/views"
)

// auditFile is how long the record takes at most to be written out as a file.
const auditFile = 10 * time.Minute

// kindLabel is what people call a kind of operation.
func kindLabel(what operations.What) string {
	switch what {
	case operations.Import:
		return "Import"
	case operations.Verify:
		return "Verification"
	case operations.Lease:
		return "Change of lease"
	case operations.PutBack:
		return "Log put back"
	case operations.Staff:
		return "Choice of person"
	}
	return string(what)
}

// auditParams are what the record is filtered by.
func auditParams() []input.Param {
	return []input.Param{
		{Name: "who", Does: "By whom."}, {Name: "what", Does: "Of this kind."}, {Name: "outcome", Does: "Which came to this."},
		{Name: "from", Does: "Then or later: a date or a time."}, {Name: "to", Does: "Before: a date or a time."},
	}
}

// auditFilter reads what is asked of the record.
func (s *Server) auditFilter(q *input.Query) operations.Filter {
	f := operations.Filter{
		Who: q.Get("who"), What: operations.What(q.Get("what")), Outcome: operations.Outcome(q.Get("outcome")),
		From: q.Time("from", s.zone), To: q.Time("to", s.zone),
	}
	if f.What != "" && !slices.Contains(operations.Whats(), f.What) {
		q.Complain("what", "“%s” is not a kind of operation; those are %s.", input.Clip(string(f.What)), joined(operations.Whats()))
	}
	if f.Outcome != "" && !slices.Contains(operations.Outcomes(), f.Outcome) {
		q.Complain("outcome", "“%s” is not an outcome; those are %s.", input.Clip(string(f.Outcome)), joined(operations.Outcomes()))
	}
	return f
}

func joined[T ~string](values []T) string {
	return strings.Join(wire.ListOf(values, func(v T) string { return string(v) }), ", ")
}

// audit is GET /audit: what is no order's event, newest first.
func (s *Server) audit(r *http.Request, q *input.Query) (answer, error) {
	f := s.auditFilter(q)
	if err := q.Err(); err != nil {
		return answer{}, err
	}
	found, next, err := operations.List(r.Context(), s.events, f, eventstore.Cursor(q.Get("cursor")), 0)
	if err != nil {
		return answer{}, cursorField(err, "cursor")
	}
	m := views.AuditPage{
		Filter: views.AuditFilter{
			Who: q.Get("who"), What: q.Get("what"), Outcome: q.Get("outcome"), From: q.Get("from"), To: q.Get("to"), Cursor: q.Get("cursor"),
		},
		Kinds: wire.ListOf(operations.Whats(), func(w operations.What) views.AuditKind {
			return views.AuditKind{What: string(w), Label: kindLabel(w)}
		}),
		Rows: wire.ListOf(found, operationView), Next: string(next), Zone: s.zone,
	}
	return answer{
		title: "Record", nav: views.NavNone,
		page: func(f views.Frame) templ.Component { return views.Audit(f, m) },
		json: func() any {
			return wire.Operations{Operations: wire.ListOf(found, wire.OperationOf), Next: wire.OrNull(string(next))}
		},
	}, nil
}

// auditEntry is GET /audit/{id}.
func (s *Server) auditEntry(r *http.Request, q *input.Query) (answer, error) {
	if err := q.Err(); err != nil {
		return answer{}, err
	}
	o, found, err := operations.Get(r.Context(), s.events, r.PathValue("id"))
	if err != nil {
		return answer{}, err
	}
	if !found {
		return answer{}, fault.Errorf(fault.NotFound, "There is no operation “%s” on record.", input.Clip(r.PathValue("id")))
	}
	return answer{
		title: kindLabel(o.What), nav: views.NavNone,
		page: func(f views.Frame) templ.Component { return views.AuditEntry(f, operationView(o)) },
		json: func() any { return wire.OperationOf(o) },
	}, nil
}

func operationView(o operations.Operation) views.Operation {
	return views.Operation{
		ID: o.ID, At: o.At, EndedAt: o.EndedAt, Who: o.Who, What: kindLabel(o.What), On: o.On, Reason: o.Reason, Outcome: string(o.Outcome),
		Before: laidOut(o.Before), After: laidOut(o.After), Correlation: o.CorrelationID,
	}
}

// laidOut is JSON for people.
func laidOut(text json.RawMessage) string {
	var b bytes.Buffer
	if len(text) == 0 || json.Indent(&b, text, "", "  ") != nil {
		return string(text)
	}
	return b.String()
}

// auditCSV is GET /audit.csv, and auditNDJSON GET /audit.ndjson: the whole record under a filter, as it is read, in memory for one page.
func (s *Server) auditCSV(w http.ResponseWriter, r *http.Request, q *input.Query) {
	out := csv.NewWriter(w)
	s.auditFile(w, r, q, "text/csv; charset=utf-8", "csv", func() error {
		return out.Write([]string{"id", "at", "who", "what", "on", "reason", "outcome", "before", "after", "correlationId"})
	}, func(o operations.Operation) error {
		cells := []string{
			o.ID, o.At.Format(time.RFC3339Nano), o.Who, string(o.What), o.On, o.Reason, string(o.Outcome), string(o.Before), string(o.After),
			o.CorrelationID,
		}
		for i := range cells {
			cells[i] = harmless(cells[i])
		}
		return out.Write(cells)
	}, func() error { out.Flush(); return out.Error() })
}

func (s *Server) auditNDJSON(w http.ResponseWriter, r *http.Request, q *input.Query) {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	s.auditFile(w, r, q, "application/x-ndjson", "ndjson", func() error { return nil },
		func(o operations.Operation) error { return out.Encode(wire.OperationOf(o)) }, func() error { return nil })
}

// harmless keeps a cell from being taken for a formula by a spreadsheet: one that begins like one gets an apostrophe, as OWASP's rules for
// CSV say.
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// auditFile writes the record out, page after page. A failure after the first bytes ends the answer in the middle, so that nobody takes it
// for whole.
func (s *Server) auditFile(
	w http.ResponseWriter, r *http.Request, q *input.Query, media, form string, begin func() error, write func(operations.Operation) error,
	flush func() error,
) {
	f := s.auditFilter(q)
	if err := q.Err(); err != nil {
		s.fail(w, r, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), auditFile)
	defer cancel()
	page, next, err := operations.List(ctx, s.events, f, "", eventstore.MaxPage)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(auditFile)) // where it cannot be set, the server's own holds
	w.Header().Set("Content-Type", media)
	w.Header().Set("Content-Disposition", `attachment; filename="record.`+form+`"`)
	err = begin()
	for err == nil {
		for _, o := range page {
			if err = write(o); err != nil {
				break
			}
		}
		if err == nil {
			err = flush()
		}
		if err != nil || next == "" {
			break
		}
		page, next, err = operations.List(ctx, s.events, f, next, eventstore.MaxPage)
	}
	if err != nil && ctx.Err() == nil {
		s.log.Error("the record was not written out whole", "request", requestID(r.Context()), "error", err)
		panic(http.ErrAbortHandler) // a half file must not look whole
	}
}
