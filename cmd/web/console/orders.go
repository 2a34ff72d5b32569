package console

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/a-h/templ"

	"headway/cmd/web/console/input"
	"headway/cmd/web/console/wire"
	"headway/fault"
	"headway/projections"
	"headway/views"
)

// alikeShown is how many customers are named when a filter names none.
const alikeShown = 5

// orders is GET /orders.
func (s *Server) orders(r *http.Request, q *input.Query) (answer, error) {
	query := projections.OrderQuery{
		Text: q.Get("q"), Statuses: q.Statuses(), Customer: q.Get("customer"), From: q.Time("from", s.zone), To: q.Time("to", s.zone),
		Sort: q.Sort("created", "total", "customer", "status", "items"), Cursor: q.Get("cursor"),
	}
	m := views.OrdersPage{
		Filter: views.OrderFilter{
			Text: query.Text, Statuses: query.Statuses, Customer: query.Customer, From: q.Get("from"), To: q.Get("to"), Sort: query.Sort,
			Cursor: query.Cursor,
		},
		Today: s.clock(),
	}
	a := answer{title: "Orders", nav: views.NavOrders, watch: []string{"orders", "projections"}, search: query.Text,
		page: func(f views.Frame) templ.Component { return views.Orders(f, m) }}
	m.Stamp = s.freshness.listStamp(r.Context(), projections.OrderList) // before the rows: they must not lack what it says they have
	err := q.Err()
	var page projections.OrderPage
	if err == nil {
		page, err = s.read.Orders(r.Context(), query)
	}
	if err != nil {
		return answer{}, s.listError(a, err, &m.Errors, &m.Problem)
	}
	if len(page.Rows) == 0 && query.Customer != "" {
		m.Alike = s.alike(r.Context(), query.Customer)
	}
	if !query.To.IsZero() && !query.From.Before(query.To) { // a program gets the empty list that it asked for
		m.Errors = []fault.FieldError{{Field: "to", Message: "“Until before” must be later than “From”: for one day, it is the day after."}}
	}
	stamps := s.freshness.rowStamps(r.Context(), page.Rows)
	m.Rows = s.orderRows(page.Rows, stamps)
	m.Next, m.Total, m.TotalIsExact, m.ByStatus = page.Next, page.Total, page.TotalIsExact, page.ByStatus
	a.json = func() any {
		out := wire.Orders{Orders: []wire.OrderRow{}, Next: wire.OrNull(m.Next), Total: m.Total, TotalIsExact: m.TotalIsExact,
			Stamp: wire.StampOf(m.Stamp.Stamp)}
		for i, row := range page.Rows {
			out.Orders = append(out.Orders, wire.OrderRowOf(row, stamps[i]))
		}
		return out
	}
	return a, nil
}

// orderRows are rows as pages show them.
func (s *Server) orderRows(rows []projections.OrderRow, stamps []projections.Stamp) []views.OrderRow {
	shown := make([]views.OrderRow, len(rows))
	for i, row := range rows {
		shown[i] = views.OrderRow{Row: row, Stamp: stamps[i], Zone: s.zone}
	}
	return shown
}

// alike are customers whose names have the words of a text. Without the read store there are none to name.
func (s *Server) alike(ctx context.Context, text string) []string {
	page, _ := s.read.Customers(ctx, projections.CustomerQuery{Text: text, Limit: alikeShown})
	return slices.DeleteFunc(wire.ListOf(page.Rows, func(c projections.CustomerRow) string { return c.ID }),
		func(name string) bool { return name == text })
}

// listError shows a list that cannot be read, with its filter: what is wrong beside the fields, else a sentence above.
func (s *Server) listError(a answer, err error, fields *[]fault.FieldError, sentence *string) error {
	if e, ok := errors.AsType[*fault.Error](err); ok && e.Kind == fault.Malformed && len(e.Fields) > 0 && fields != nil {
		*fields = e.Fields
	} else {
		*sentence = problemOf(err).message
	}
	return &pageError{err: err, answer: a}
}
