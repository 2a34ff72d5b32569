package readtest

import (
	"testing"

	"headway/domain"
	"headway/eventstore"
	"headway/projections"
)

// discards throws away what was made of another log: nothing of it is left, nothing of it comes back, and rows can go down.
func discards(t *testing.T, s *subject) {
	held := s.swap(projections.Lease{}, projections.Lease{Holder: "ada", Epoch: 5})
	order, its := anOrder(1), aContribution(1)
	order.Version = 9
	write := func(epoch int64, row projections.Row, projection string, after, checkpoint string) error {
		return s.Write(t.Context(), projections.Batch{
			Key: projections.KeyOf(projection), Epoch: epoch, Rows: []projections.Row{row}, After: eventstore.Cursor(after),
			Checkpoint: eventstore.Cursor(checkpoint),
		})
	}
	for _, err := range []error{
		write(5, order, projections.OrderList, "", "c-1"), write(5, its.row(), projections.CustomerOrderSummary, "", "c-1"),
		s.Write(t.Context(), projections.Batch{Key: projections.KeyOf(projections.OrderList), Epoch: 5, Holds: []projections.Hold{
			{Key: projections.KeyOf(projections.OrderList), OrderID: orderID(2), Version: 1, Reason: "It broke.", Since: start},
		}}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	now := s.swap(held, projections.Lease{Holder: "ada", Epoch: 6, LogEpoch: 1})
	if err := s.Discard(t.Context(), 5); !isConflict(err) {
		t.Errorf("an older epoch discards nothing: %v", err)
	}
	for range 2 {
		if err := s.Discard(t.Context(), 6); err != nil {
			t.Fatal(err)
		}
	}
	if s.place.Settle != nil {
		s.place.Settle(t)
	}
	if page := s.orders(projections.OrderQuery{}); len(page.Rows) > 0 || page.Total > 0 || page.ByStatus[order.Status].N > 0 {
		t.Errorf("orders are left: %+v", page)
	}
	if page := s.orders(projections.OrderQuery{Text: order.Reference}); len(page.Rows) > 0 {
		t.Errorf("search finds what is gone: %+v", page.Rows)
	}
	customers, err := s.Customers(t.Context(), projections.CustomerQuery{})
	if err != nil || len(customers.Rows) > 0 {
		t.Errorf("customers are left: %+v, %v", customers, err)
	}
	states, err := s.States(t.Context())
	if err != nil || states[projections.KeyOf(projections.OrderList)].Checkpoint != "" || states[projections.KeyOf(projections.CustomerOrderSummary)].Checkpoint != "" {
		t.Errorf("checkpoints are left: %+v, %v", states, err)
	}
	holds, err := s.Holds(t.Context(), "")
	if err != nil || len(holds) > 0 {
		t.Errorf("holds are left: %+v, %v", holds, err)
	}
	if l, err := s.Lease(t.Context()); err != nil || l != now {
		t.Errorf("the lease is %+v, %v; want %+v", l, err, now)
	}
	if err := write(5, order, projections.OrderList, "c-1", "c-2"); !isConflict(err) {
		t.Errorf("a batch of the log before is a conflict: %v", err)
	}
	if rows, err := s.Rows(t.Context(), projections.OrderList, order.ID); err != nil || len(rows) > 0 {
		t.Errorf("a row of the log before came back: %+v, %v", rows, err)
	}
	lower := order
	lower.Version = 2
	if err := write(6, lower, projections.OrderList, "", "d-1"); err != nil {
		t.Fatal(err)
	}
	if versions, err := s.Versions(t.Context(), projections.OrderList, order.ID); err != nil || versions[order.ID] != 2 {
		t.Errorf("a row can go down where the log did: %v, %v", versions, err)
	}
	if s.place.Settle != nil {
		s.place.Settle(t)
	}
	if page := s.orders(projections.OrderQuery{Text: order.Reference, Statuses: []domain.Status{order.Status}}); len(page.Rows) != 1 {
		t.Errorf("search finds the row that was made again: %+v", page.Rows)
	}
}
