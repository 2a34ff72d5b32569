// Package readtest is the one suite that every read store must pass. It imports testing, so only tests import it.
package readtest

import (
	"fmt"
	"testing"
	"time"

	"headway/domain"
	"headway/fault"
	"headway/projections"
)

// Place is where one store keeps its data.
type Place struct {
	// Open opens the store, the first time empty, later with what it kept. The suite closes what it opens.
	Open func(t *testing.T) projections.Store
	// Settle returns when what was written can be found by queries; nil if that is at once.
	Settle func(t *testing.T)
}

// Run holds a read store to its contract. fresh makes an empty place.
func Run(t *testing.T, fresh func(t *testing.T) Place) {
	for _, part := range []struct {
		name string
		run  func(t *testing.T, s *subject)
	}{
		{"rows", rows},
		{"versions never move backwards", versions},
		{"what is kept survives a reopening", reopening},
		{"memory is not shared", memory},
		{"search", search},
		{"hostile text", hostile},
		{"pages of few orders", func(t *testing.T, s *subject) { pages(t, s, 60, 7) }},
		{"pages of many orders", func(t *testing.T, s *subject) { pages(t, s, 2400, 900) }},
		{"pages far from where a sort begins", farPages},
		{"pages of orders of one second", crowded},
		{"pages of orders that change", changing},
		{"totals are exact up to a bound", bound},
		{"cursors and sorts that are not ours", malformed},
		{"customers are sums", customers},
		{"pages of customers", customerPages},
		{"what orders add up to", sums},
		{"products", products},
		{"pages of products", productPages},
		{"activity", activity},
		{"overview", overview},
		{"holds", holds},
		{"states", states},
		{"one of many gets the lease", lease},
		{"a stale epoch is refused", epochs},
		{"a lease that stands still is taken over", takeover},
		{"what was made of another log is thrown away", discards},
		{"a store that is away", away},
		{"writers at once", writers},
	} {
		t.Run(part.name, func(t *testing.T) {
			s := &subject{t: t, place: fresh(t)}
			s.open()
			defer func() { _ = s.Close() }()
			part.run(t, s)
		})
	}
}

// subject is the store under test.
type subject struct {
	projections.Store
	t     *testing.T
	place Place
}

func (s *subject) open() { s.Store = s.place.Open(s.t) }

// write stores a batch and waits until it can be found.
func (s *subject) write(b projections.Batch) {
	s.t.Helper()
	if err := s.Write(s.t.Context(), b); err != nil {
		s.t.Fatal(err)
	}
	if s.place.Settle != nil {
		s.place.Settle(s.t)
	}
}

func (s *subject) put(rows ...projections.OrderRow) {
	s.t.Helper()
	b := projections.Batch{Key: projections.KeyOf(projections.OrderList)}
	for _, r := range rows {
		b.Rows = append(b.Rows, r)
	}
	s.write(b)
}

func (s *subject) add(contributions ...contribution) {
	s.t.Helper()
	b := projections.Batch{Key: projections.KeyOf(projections.CustomerOrderSummary)}
	for _, c := range contributions {
		b.Rows = append(b.Rows, c.row())
	}
	s.write(b)
}

func (s *subject) orders(q projections.OrderQuery) projections.OrderPage {
	s.t.Helper()
	page, err := s.Orders(s.t.Context(), q)
	if err != nil {
		s.t.Fatalf("%+v: %v", q, err)
	}
	return page
}

var start = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// orderID is the n-th order id; those of this file have no word in common with anything a test looks for.
func orderID(n int) domain.OrderID {
	return domain.OrderID(fmt.Sprintf("%08x-0000-5000-8000-%012x", n, n))
}

// anOrder is a row with every field set.
func anOrder(n int) projections.OrderRow {
	at := start.Add(time.Duration(n) * time.Second)
	return projections.OrderRow{
		ID: orderID(n), Reference: fmt.Sprintf("R-%d", n), CustomerID: "ada", Status: domain.Created, ItemCount: 1,
		Total: domain.Money{Minor: int64(n), Currency: "EUR"}, CreatedAt: at, Version: 1, StoredAt: at.Add(time.Microsecond),
	}
}

// contribution is what an order adds to a customer.
type contribution struct {
	projections.CustomerOrder
	ID       domain.OrderID
	Version  int
	StoredAt time.Time
	Before   []string // customers that it added to before
}

func aContribution(n int) contribution {
	r := anOrder(n)
	return contribution{
		CustomerOrder: projections.CustomerOrder{CustomerID: r.CustomerID, Status: r.Status, Total: r.Total, CreatedAt: r.CreatedAt},
		ID:            r.ID, Version: 1, StoredAt: r.StoredAt,
	}
}

func (c contribution) row() projections.Row {
	r := projections.Contributed[projections.CustomerOrder]{ID: c.ID, Version: c.Version, StoredAt: c.StoredAt, Total: c.Total}
	for _, customer := range c.Before {
		r.Contributions = append(r.Contributions, projections.CustomerOrder{CustomerID: customer})
	}
	r.Contributions = append(r.Contributions, c.CustomerOrder)
	return r
}

// customerOf is the sum of the contributions to a customer.
func customerOf(id string, its ...contribution) (row projections.CustomerRow) {
	for _, c := range its {
		if c.CustomerID == id {
			row = row.Plus(c.CustomerOrder)
		}
	}
	return row
}

func idsOf(rows []projections.OrderRow) []domain.OrderID {
	var ids []domain.OrderID
	for _, r := range rows {
		ids = append(ids, r.ID)
	}
	return ids
}

// complains tells whether an error is Malformed and names the field.
func complains(err error, field string) bool {
	e, ok := err.(*fault.Error)
	return ok && e.Kind == fault.Malformed && len(e.Fields) == 1 && e.Fields[0].Field == field
}
