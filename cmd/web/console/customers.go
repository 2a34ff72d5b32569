package console

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/a-h/templ"

	"headway/cmd/web/console/input"
	"headway/cmd/web/console/wire"
	"headway/eventstore"
	"headway/fault"
	"headway/orders"
	"headway/projections"
	"headway/views"
)

const (
	mergedOrders = 10 // newest orders of a customer whose timelines are merged
	mergedEvents = 50
)

// customers is GET /customers.
func (s *Server) customers(r *http.Request, q *input.Query) (answer, error) {
	query := projections.CustomerQuery{Text: q.Get("q"), Sort: q.Sort("customer", "orders", "last"), Cursor: q.Get("cursor")}
	if err := q.Err(); err != nil {
		return answer{}, err
	}
	m := views.CustomersPage{Text: query.Text, Sort: query.Sort, Cursor: query.Cursor}
	a := answer{title: "Customers", nav: views.NavCustomers, watch: []string{"customers", "projections"},
		page: func(f views.Frame) templ.Component { return views.Customers(f, m) }}
	stamp, stampOf := s.freshness.customerStamps(r.Context())
	m.Stamp = stamp
	version := s.sequence.next()
	page, err := s.read.Customers(r.Context(), query)
	if fault.KindOf(err) == fault.Malformed && err != nil {
		return answer{}, err
	}
	if err != nil {
		return answer{}, s.listError(a, err, nil, &m.Problem)
	}
	m.Rows = wire.ListOf(page.Rows, func(c projections.CustomerRow) views.CustomerRow {
		return views.CustomerRow{Row: c, Version: version, Zone: s.zone}
	})
	m.Next, m.Total, m.TotalIsExact = page.Next, page.Total, page.TotalIsExact
	a.json = func() any {
		return wire.Customers{
			Customers: wire.ListOf(page.Rows, func(c projections.CustomerRow) wire.Customer { return wire.CustomerOf(c, stampOf(c.ID)) }),
			Next:      wire.OrNull(page.Next), Total: page.Total, TotalIsExact: page.TotalIsExact,
		}
	}
	return a, nil
}

// customer is GET /customers/{id}: totals, orders, and what happened to the newest of them.
func (s *Server) customer(r *http.Request, q *input.Query) (answer, error) {
	if err := q.Err(); err != nil {
		return answer{}, err
	}
	id := r.PathValue("id")
	// Before the rows: they must not lack what the stamps say they have.
	_, stampOf := s.freshness.customerStamps(r.Context())
	summaryStamp := views.Stamp{Projection: projections.CustomerOrderSummary, Stamp: stampOf(id)}
	listStamp := s.freshness.listStamp(r.Context(), projections.OrderList)
	row, err := s.read.Customer(r.Context(), id)
	if err != nil {
		return answer{}, err
	}
	page, err := s.read.Orders(r.Context(), projections.OrderQuery{Customer: id, Cursor: q.Get("cursor")})
	if err != nil {
		return answer{}, err
	}
	stamps := s.freshness.rowStamps(r.Context(), page.Rows)
	m := views.CustomerPage{
		Row: views.CustomerRow{Row: row, Zone: s.zone}, Next: page.Next,
		Orders: s.orderRows(page.Rows, stamps), Stamp: summaryStamp, ListStamp: listStamp,
	}
	if !input.WantsJSON(r) {
		for _, o := range page.Rows[:min(len(page.Rows), mergedOrders)] {
			records, err := s.events.Read(r.Context(), orders.StreamOf(o.ID), max(o.Version-mergedEvents, 0))
			if err != nil {
				break // the order list says more than half a timeline
			}
			m.Timeline = append(m.Timeline, wire.ListOf(records, func(e eventstore.Record) views.TimelineEntry {
				return s.timeline.entry(e,
					o.Reference)
			})...)
		}
		slices.SortStableFunc(m.Timeline, func(a, b views.TimelineEntry) int {
			return cmp.Or(b.StoredAt.Compare(a.StoredAt), b.Version-a.Version)
		})
		m.Timeline = m.Timeline[:min(len(m.Timeline), mergedEvents)]
	}
	return answer{
		title: id, nav: views.NavCustomers, watch: []string{"customers", "orders", "projections"},
		page: func(f views.Frame) templ.Component { return views.Customer(f, m) },
		json: func() any {
			out := wire.CustomerPage{Customer: wire.CustomerOf(row, m.Stamp.Stamp), Orders: []wire.OrderRow{}, Next: wire.OrNull(page.Next)}
			for i, o := range page.Rows {
				out.Orders = append(out.Orders, wire.OrderRowOf(o, stamps[i]))
			}
			return out
		},
	}, nil
}
