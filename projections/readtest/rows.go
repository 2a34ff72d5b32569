package readtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/projections"
)

func rows(t *testing.T, s *subject) {
	full := anOrder(1)
	full.ConfirmedAt, full.CancelledAt = start.Add(time.Hour), start.Add(2*time.Hour+time.Microsecond)
	full.Status, full.Words, full.Version = domain.Cancelled, []string{"green", "tea", "чаи"}, 7
	full.Total = domain.Money{Minor: math.MaxInt64, Currency: "KWD"}
	long := anOrder(2)
	long.Reference, long.CustomerID = "“quoted” <b>\x00", "Ünü & sons\n"
	old := anOrder(3)
	old.CreatedAt = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	s.put(full, long, old)
	s.add(aContribution(1), aContribution(2))

	got, err := s.OrderRows(t.Context(), full.ID, long.ID, old.ID, orderID(9), full.ID)
	want := map[domain.OrderID]projections.OrderRow{full.ID: full, long.ID: long, old.ID: old}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("rows come back as they were put; an order without a row has no entry:\n%+v, want\n%+v; %v", got, want, err)
	}
	if none, err := s.OrderRows(t.Context()); err != nil || len(none) != 0 {
		t.Errorf("no ids have no rows: %v, %v", none, err)
	}
	all, err := s.Rows(t.Context(), projections.CustomerOrderSummary, orderID(1), orderID(3))
	if err != nil || !reflect.DeepEqual(all, map[domain.OrderID]projections.Row{orderID(1): aContribution(1).row()}) {
		t.Errorf("each projection has rows of its own: %+v, %v", all, err)
	}
	at, err := s.Versions(t.Context(), projections.OrderList, full.ID, orderID(9))
	if err != nil || !reflect.DeepEqual(at, map[domain.OrderID]int{full.ID: 7}) {
		t.Errorf("versions are those of the rows: %v, %v", at, err)
	}
	if _, err := s.Rows(t.Context(), "no_such_projection", full.ID); fault.KindOf(err) != fault.NotFound {
		t.Errorf("an unknown projection is not found: %v", err)
	}

	var batch projections.Batch
	batch.Projection = projections.OrderList
	var ids []domain.OrderID
	for n := range 1200 {
		batch.Rows, ids = append(batch.Rows, anOrder(100+n)), append(ids, orderID(100+n))
	}
	s.write(batch)
	many, err := s.Rows(t.Context(), projections.OrderList, ids...)
	if err != nil || len(many) != len(ids) {
		t.Errorf("a large batch is stored whole: %d rows of %d, %v", len(many), len(ids), err)
	}
	seen := map[domain.OrderID]int{}
	err = s.EachRow(t.Context(), projections.OrderList, func(r projections.Row) error { seen[r.Order()]++; return nil })
	if err != nil || len(seen) != len(ids)+3 {
		t.Errorf("each row is seen: %d, %v", len(seen), err)
	}
	for id, times := range seen {
		if times != 1 {
			t.Errorf("row %s is seen %d times", id, times)
		}
	}
	var contributions []projections.Row
	err = s.EachRow(t.Context(), projections.CustomerOrderSummary,
		func(c projections.Row) error { contributions = append(contributions, c); return nil })
	if err != nil || len(contributions) != 2 {
		t.Errorf("each contribution is seen: %+v, %v", contributions, err)
	}
	stop := errors.New("stop")
	if err := s.EachRow(t.Context(), projections.OrderList, func(projections.Row) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the caller's error ends the walk and comes back: %v", err)
	}
}

func versions(t *testing.T, s *subject) {
	older, newer, other := anOrder(1), anOrder(1), anOrder(1)
	older.Version, older.Reference, older.Words = 2, "old", []string{"old"}
	newer.Version, newer.Reference, newer.Words = 5, "new", []string{"new"}
	other.Version, other.Reference, other.Words = 5, "other", []string{"other"}
	for _, step := range []struct {
		rule string
		rows []projections.OrderRow
	}{
		{"a newer row replaces an older one", []projections.OrderRow{older, newer}},
		{"the same row twice is the row", []projections.OrderRow{newer, newer}},
		{"a stale row changes nothing", []projections.OrderRow{older}},
		{"a row of the same version changes nothing", []projections.OrderRow{other}},
	} {
		s.put(step.rows...)
		got, err := s.OrderRows(t.Context(), newer.ID)
		if err != nil || !reflect.DeepEqual(got[newer.ID], newer) {
			t.Errorf("%s: %+v, %v", step.rule, got[newer.ID], err)
		}
		for text, want := range map[string]int{"new": 1, "old": 0, "other": 0} {
			if page := s.orders(projections.OrderQuery{Text: text}); page.Total != want {
				t.Errorf("%s: search finds %d orders by %q, want %d", step.rule, page.Total, text, want)
			}
		}
	}
}

func reopening(t *testing.T, s *subject) {
	hold := projections.Hold{Key: projections.KeyOf(projections.OrderList), OrderID: orderID(2), Version: 3, Reason: "It broke.", Since: start}
	s.write(projections.Batch{
		Key: projections.KeyOf(projections.OrderList), Rows: []projections.Row{anOrder(1)}, Holds: []projections.Hold{hold}, Checkpoint: "c-1",
	})
	s.write(projections.Batch{Key: projections.KeyOf(projections.OrderList), Rows: []projections.Row{anOrder(2)}})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.open()
	if s.place.Settle != nil {
		s.place.Settle(t)
	}
	if page := s.orders(projections.OrderQuery{}); page.Total != 2 {
		t.Errorf("rows are kept: %d of 2", page.Total)
	}
	kept, err := s.Holds(t.Context(), "")
	if err != nil || !reflect.DeepEqual(kept, []projections.Hold{hold}) {
		t.Errorf("holds are kept: %+v, %v", kept, err)
	}
	states, err := s.States(t.Context())
	if err != nil || states[projections.KeyOf(projections.OrderList)].Checkpoint != "c-1" {
		t.Errorf("a checkpoint is kept, and a batch without one leaves it: %+v, %v", states, err)
	}
	if _, there := states[projections.KeyOf(projections.CustomerOrderSummary)]; there {
		t.Error("a projection that wrote nothing has no state")
	}
}

func memory(t *testing.T, s *subject) {
	r := anOrder(1)
	r.Words = []string{"tea"}
	s.put(r)
	r.Words[0] = "changed"
	got, err := s.OrderRows(t.Context(), r.ID)
	if err != nil || got[r.ID].Words[0] != "tea" {
		t.Fatalf("what was put is the store's: %v, %v", got[r.ID].Words, err)
	}
	got[r.ID].Words[0] = "changed"
	again, err := s.OrderRows(t.Context(), r.ID)
	if err != nil || again[r.ID].Words[0] != "tea" {
		t.Errorf("what was returned is the caller's: %v, %v", again[r.ID].Words, err)
	}
}

func holds(t *testing.T, s *subject) {
	hold := func(projection string, n, version int, since time.Time) projections.Hold {
		return projections.Hold{Key: projections.KeyOf(projection), OrderID: orderID(n), Version: version, Reason: "It broke.", Since: since}
	}
	first, second := hold(projections.OrderList, 1, 2, start.Add(time.Hour)), hold(projections.OrderList, 2, 1, start)
	other := hold(projections.CustomerOrderSummary, 1, 2, start.Add(time.Minute))
	s.write(projections.Batch{Key: projections.KeyOf(projections.OrderList), Holds: []projections.Hold{first, second}})
	s.write(projections.Batch{Key: projections.KeyOf(projections.CustomerOrderSummary), Holds: []projections.Hold{other}})
	expect := func(rule, projection string, ids []domain.OrderID, want ...projections.Hold) {
		t.Helper()
		got, err := s.Holds(t.Context(), projection, ids...)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s:\n%+v, want\n%+v; %v", rule, got, want, err)
		}
	}
	expect("holds of all projections, oldest first", "", nil, second, other, first)
	expect("holds of one projection", projections.OrderList, nil, second, first)
	expect("holds of some orders", "", []domain.OrderID{orderID(1), orderID(5)}, other, first)
	expect("holds of an order without any", projections.OrderList, []domain.OrderID{orderID(5)})

	again := hold(projections.OrderList, 1, 4, start.Add(2*time.Hour))
	s.write(projections.Batch{Key: projections.KeyOf(projections.OrderList), Holds: []projections.Hold{again},
		Released: []domain.OrderID{orderID(2), orderID(7)}})
	expect("a hold replaces the older one of its order, and a released order has none", projections.OrderList, nil, again)
	expect("a release is of one projection", projections.CustomerOrderSummary, nil, other)

	many := projections.Batch{Key: projections.KeyOf(projections.OrderList)}
	for n := range projections.MaxHolds + 5 {
		many.Holds = append(many.Holds, hold(projections.OrderList, 100+n, 1, start.Add(time.Duration(n)*time.Second)))
	}
	s.write(many)
	if got, err := s.Holds(t.Context(), ""); err != nil || len(got) != projections.MaxHolds {
		t.Errorf("an answer lists at most %d holds, not %d; %v", projections.MaxHolds, len(got), err)
	}
}

func states(t *testing.T, s *subject) {
	if got, err := s.States(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("a new store has no states: %v, %v", got, err)
	}
	beat := projections.State{
		Key: projections.KeyOf(projections.OrderList), Phase: projections.Running, Reason: "The event store cannot be reached.",
		Checkpoint: "of the loop", HeartbeatAt: start, Rate: 12.5,
	}
	expect := func(rule string, want projections.State) {
		t.Helper()
		got, err := s.States(t.Context())
		if err != nil || got[want.Key] != want {
			t.Errorf("%s:\n%+v, want\n%+v; %v", rule, got[want.Key], want, err)
		}
	}
	if err := s.Beat(t.Context(), beat); err != nil {
		t.Fatal(err)
	}
	stored := beat
	stored.Checkpoint = ""
	expect("a beat stores the state, but a checkpoint is stored by a write alone", stored)
	s.write(projections.Batch{Key: projections.KeyOf(projections.OrderList), Checkpoint: "c-1"})
	stored.Checkpoint = "c-1"
	expect("a write stores its checkpoint and leaves the state", stored)
	stored.Phase, stored.Reason, stored.HeartbeatAt = projections.Paused, "Paused by an administrator.", start.Add(time.Second)
	beat = stored
	beat.Checkpoint = eventstore.Cursor("another")
	if err := s.Beat(t.Context(), beat); err != nil {
		t.Fatal(err)
	}
	expect("the newest beat counts, and leaves the checkpoint", stored)
}

func away(t *testing.T, s *subject) {
	s.put(anOrder(1))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Orders(ended, projections.OrderQuery{}); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context is answered with its own error: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"Orders":    func() error { _, err := s.Orders(ctx, projections.OrderQuery{}); return err },
		"OrderRows": func() error { _, err := s.OrderRows(ctx, orderID(1)); return err },
		"Customers": func() error { _, err := s.Customers(ctx, projections.CustomerQuery{}); return err },
		"Customer":  func() error { _, err := s.Customer(ctx, "ada"); return err },
		"Products":  func() error { _, err := s.Products(ctx, projections.ProductQuery{}); return err },
		"Product":   func() error { _, err := s.Product(ctx, "TEA"); return err },
		"Activity": func() error {
			_, err := s.Activity(ctx, projections.ActivityQuery{Who: "ada", Day: "2026-11-02"})
			return err
		},
		"Totals":   func() error { _, err := s.Totals(ctx, start, start); return err },
		"States":   func() error { _, err := s.States(ctx); return err },
		"Holds":    func() error { _, err := s.Holds(ctx, ""); return err },
		"Versions": func() error { _, err := s.Versions(ctx, projections.OrderList, orderID(1)); return err },
		"Rows":     func() error { _, err := s.Rows(ctx, projections.OrderList, orderID(1)); return err },
		"EachRow":  func() error { return s.EachRow(ctx, projections.OrderList, func(projections.Row) error { return nil }) },
		"EachSum": func() error {
			return s.EachSum(ctx, projections.CustomerOrderSummary, func(projections.Sum) error { return nil })
		},
		"Sums": func() error { _, err := s.Sums(ctx, projections.CustomerOrderSummary, "ada"); return err },
		"Write": func() error {
			return s.Write(ctx, projections.Batch{Key: projections.KeyOf(projections.OrderList), Rows: []projections.Row{anOrder(1)}})
		},
		"Beat":      func() error { return s.Beat(ctx, projections.State{Key: projections.KeyOf(projections.OrderList)}) },
		"Lease":     func() error { _, err := s.Lease(ctx); return err },
		"SwapLease": func() error { return s.SwapLease(ctx, projections.Lease{}, projections.Lease{Holder: "ada"}) },
	} {
		if err := call(); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s on a store that is away is Unavailable: %v", name, err)
		}
	}
	s.open()
}

func writers(t *testing.T, s *subject) {
	const versions = 20
	var all sync.WaitGroup
	errs := make([]error, versions)
	for i := range versions {
		all.Go(func() {
			r, c := anOrder(1), aContribution(1)
			r.Version, c.Version = i+1, i+1
			r.Reference, c.Total.Minor = fmt.Sprint("at-", i+1), int64(i+1)
			errs[i] = errors.Join(
				s.Write(t.Context(), projections.Batch{Key: projections.KeyOf(projections.OrderList), Rows: []projections.Row{r}}),
				s.Write(t.Context(), projections.Batch{Key: projections.KeyOf(projections.CustomerOrderSummary), Rows: []projections.Row{c.row()}}))
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	got, err := s.OrderRows(t.Context(), orderID(1))
	if err != nil || got[orderID(1)].Version != versions || got[orderID(1)].Reference != fmt.Sprint("at-", versions) {
		t.Errorf("of many writers the newest version stays: %+v, %v", got, err)
	}
	customer, err := s.Customer(t.Context(), "ada")
	if err != nil || customer.TotalOrders != 1 || customer.TotalSpent[0].Minor != versions {
		t.Errorf("and the sum is of it: %+v, %v", customer, err)
	}
}
