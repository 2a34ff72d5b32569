package runner_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"headway/domain"
	"headway/eventstore"
	eventsqlite "headway/eventstore/sqlite"
	"headway/fault"
	"headway/orders"
	"headway/projections"
	"headway/projections/runner"
	"headway/projections/runnertest"
	"headway/projections/verify"
)

// world is a runnertest.World with several processes over it.
type world struct{ *runnertest.World }

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{runnertest.New(t)}
}

func TestAStepBringsEveryRowToItsHead(t *testing.T) {
	w := newWorld(t)
	p := w.Projector()
	tea := w.Create("ada", "A-1001/7", 500)
	w.Do(tea, 1, domain.AddItem{Item: runnertest.Line(250)})
	w.Do(tea, 2, domain.ConfirmOrder{})
	other := w.Create("ada", "", 100)
	w.Do(other, 1, domain.CancelOrder{Reason: "twice"})
	if moved := w.Step(p); moved != 2*len(projections.All()) {
		t.Errorf("%d rows were written, want 4", moved)
	}
	if moved := w.Step(p); moved != 0 {
		t.Errorf("a second step wrote %d rows", moved)
	}
	row := w.Row(tea)
	if row.Version != 3 || row.Status != domain.Confirmed || row.ItemCount != 2 || row.Total.Minor != 750 || row.ConfirmedAt.IsZero() ||
		!slices.Equal(row.Words, []string{"1", "green", "tea"}) {
		t.Errorf("the row is %+v", row)
	}
	customer, err := w.Read.Customer(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	if customer.TotalOrders != 2 || customer.Confirmed != 1 || customer.Cancelled != 1 || len(customer.TotalSpent) != 1 ||
		customer.TotalSpent[0].Minor != 750 {
		t.Errorf("the customer is %+v", customer)
	}
	if diffs := w.Verified(0); len(diffs) > 0 {
		t.Error(diffs)
	}
}

func TestPoisonHoldsItsOwnOrderAndNothingElse(t *testing.T) {
	for _, c := range []struct{ rule, eventType, data string }{
		{"an unknown type", "OrderEaten", `{}`},
		{"data that is not JSON", domain.TypeOrderItemAdded, `{"item":`},
		{"unknown fields", domain.TypeOrderConfirmed, `{"by":"nobody"}`},
		{"a second creation", domain.TypeOrderCreated, `{"customerId":"eve","currency":"EUR","reference":"","items":[]}`},
		{"another currency", domain.TypeOrderItemAdded,
			`{"item":{"sku":"A","name":"B","quantity":1,"price":{"minor":1,"currency":"USD"}}}`},
		{"a total that does not fit", domain.TypeOrderItemAdded,
			`{"item":{"sku":"A","name":"B","quantity":2,"price":{"minor":9223372036854775807,"currency":"EUR"}}}`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			w := newWorld(t)
			p := w.Projector()
			sick, well := w.Create("ada", "A-1", 500), w.Create("ada", "A-2", 700)
			w.Raw(sick, 2, c.eventType, c.data)
			w.Raw(sick, 3, domain.TypeOrderConfirmed, `{}`)
			w.Do(well, 1, domain.ConfirmOrder{})
			w.Step(p)
			if at := w.Versions(sick); at != 1 {
				t.Errorf("the order stays before the poison: %v", at)
			}
			if at := w.Versions(well); at != 2 {
				t.Errorf("the others go on: %v", at)
			}
			holds, err := w.Read.Holds(t.Context(), "")
			if err != nil || len(holds) != len(projections.All()) || holds[0].OrderID != sick || holds[0].Version != 2 || holds[0].Reason == "" {
				t.Errorf("both projections hold it: %+v, %v", holds, err)
			}
			w.Raw(sick, 4, domain.TypeOrderCancelled, `{"reason":"no"}`)
			w.Do(well, 2, domain.CancelOrder{Reason: "no"})
			w.Step(p)
			if at := w.Versions(sick); at != 1 {
				t.Errorf("later events of it wait: %v", at)
			}
			if at := w.Versions(well); at != 3 {
				t.Errorf("later events of others do not: %v", at)
			}
			statuses, err := runner.Look(t.Context(), w.Events, w.Read, w.Now)
			if err != nil || statuses[0].Lag.Events != 0 || !statuses[0].LagIsExact || len(statuses[0].Holds) != 1 {
				t.Errorf("what waits behind a hold is a hold, no lag: %+v, %v", statuses[0], err)
			}
			report, err := verify.Run(t.Context(), w.Events, w.Read, domain.Codec{}, verify.Options{})
			if err != nil || !report.Clean() || len(report.Holds) != len(projections.All()) {
				t.Errorf("the domain says the same: %+v, %v", report, err)
			}
		})
	}
}

func TestAnOrderThatBeginsWithPoisonHasNoRow(t *testing.T) {
	w := newWorld(t)
	id := domain.OrderID("11111111-1111-5111-8111-111111111111")
	w.Raw(id, 1, "OrderEaten", `{}`)
	well := w.Create("ada", "A-2", 700)
	w.Step(w.Projector())
	if at := w.Versions(id); at != 0 {
		t.Errorf("rows at %v", at)
	}
	if at := w.Versions(well); at != 1 {
		t.Errorf("the other is at %v", at)
	}
	if diffs := w.Verified(0); len(diffs) > 0 {
		t.Error(diffs)
	}
}

func TestHeldOrdersAreTriedAgainWhenTheProgramStarts(t *testing.T) {
	w := newWorld(t)
	sick, mended := w.Create("ada", "A-1", 500), w.Create("ada", "A-2", 700)
	w.Raw(sick, 2, "OrderEaten", `{}`)
	w.Step(w.Projector())
	w.Do(mended, 1, domain.ConfirmOrder{})
	before, err := w.Read.Holds(t.Context(), projections.OrderList)
	if err != nil {
		t.Fatal(err)
	}
	// Older code could not read version 2 of the second order.
	old := projections.Hold{Key: projections.KeyOf(projections.OrderList), OrderID: mended, Version: 2, Reason: "Too new.", Since: w.Now}
	if err := w.Read.Write(t.Context(), projections.Batch{Key: projections.KeyOf(projections.OrderList), Epoch: w.Epoch(), Holds: []projections.Hold{old}}); err != nil {
		t.Fatal(err)
	}
	w.Now = w.Now.Add(time.Hour)
	w.Step(w.Projector())
	if at := w.Versions(mended); at != 2 {
		t.Errorf("what can be read now is applied: %v", at)
	}
	after, err := w.Read.Holds(t.Context(), projections.OrderList)
	if err != nil || !slices.Equal(after, before) {
		t.Errorf("and what cannot stays held, since when it was:\n%+v, want\n%+v; %v", after, before, err)
	}
}

// failing is a read store whose calls can be made to fail.
type failing struct {
	projections.Store
	mu     sync.Mutex
	fails  func(method string) error
	writes func(projections.Batch) error
}

func (f *failing) check(method string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fails == nil {
		return nil
	}
	return f.fails(method)
}

func (f *failing) set(fails func(method string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails = fails
}

func (f *failing) setWrite(fails func(projections.Batch) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes = fails
}

func (f *failing) checkWrite(b projections.Batch) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.writes == nil {
		return nil
	}
	return f.writes(b)
}

func (f *failing) Rows(ctx context.Context, projection string, ids ...domain.OrderID) (map[domain.OrderID]projections.Row, error) {
	if err := f.check("Rows"); err != nil {
		return nil, err
	}
	return f.Store.Rows(ctx, projection, ids...)
}

func (f *failing) Write(ctx context.Context, b projections.Batch) error {
	if err := f.check("Write"); err != nil {
		return err
	}
	if err := f.checkWrite(b); err != nil {
		return err
	}
	if err := f.Store.Write(ctx, b); err != nil {
		return err
	}
	return f.check("written")
}

func (f *failing) Beat(ctx context.Context, s projections.State) error {
	if err := f.check("Beat"); err != nil {
		return err
	}
	return f.Store.Beat(ctx, s)
}

func gone() error {
	return fault.Unreachable(errors.New("connection refused"), "The read store cannot be reached.")
}

func TestAReadStoreThatIsAwayHoldsNothing(t *testing.T) {
	for _, method := range []string{"Rows", "Write", "written"} {
		w := newWorld(t)
		id := w.Create("ada", "A-1", 500)
		store := &failing{Store: w.Read}
		var told []projections.State
		p := runner.New(w.Events, store, runner.Options{Clock: w.Clock, OnState: func(s projections.State) { told = append(told, s) }})
		store.set(func(m string) error {
			if m == method || m == "Beat" {
				return gone()
			}
			return nil
		})
		if _, err := p.Step(t.Context()); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: the failure comes back: %v", method, err)
		}
		if len(told) != len(projections.All()) || told[0].Reason != "The read store cannot be reached; it is tried again." {
			t.Errorf("%s: the states say so: %+v", method, told)
		}
		store.set(nil)
		w.Step(p)
		holds, err := w.Read.Holds(t.Context(), "")
		if err != nil || len(holds) > 0 || w.Versions(id) != 1 {
			t.Errorf("%s: afterwards all is there, and nothing is held: %v, %v, %v", method, w.Versions(id), holds, err)
		}
		if last := told[len(told)-1]; last.Reason != "" {
			t.Errorf("%s: and the states have nothing to complain of: %+v", method, last)
		}
	}
}

func TestACrashBetweenAnyTwoWritesChangesNothing(t *testing.T) {
	for crash := range 12 {
		w := newWorld(t)
		var ids []domain.OrderID
		for i := range 4 {
			id := w.Create([]string{"ada", "bob"}[i%2], fmt.Sprint("A-", i), int64(100*i))
			ids = append(ids, id)
			if i == 1 {
				w.Raw(id, 2, "OrderEaten", `{}`)
			}
		}
		store := &failing{Store: w.Read}
		calls := 0
		store.set(func(string) error {
			if calls++; calls > crash {
				return gone() // from here on the process is dead
			}
			return nil
		})
		p := runner.New(w.Events, store, runner.Options{Clock: w.Clock})
		_, _ = p.Step(t.Context())
		w.Do(ids[0], 1, domain.ConfirmOrder{})
		_, _ = p.Step(t.Context())
		w.Close()
		w.Open()
		w.Step(w.Projector())
		if diffs := w.Verified(0); len(diffs) > 0 {
			t.Errorf("after a crash at call %d: %v", crash, diffs)
		}
		if holds, err := w.Read.Holds(t.Context(), ""); err != nil || len(holds) != len(projections.All()) {
			t.Errorf("after a crash at call %d: holds %v, %v", crash, holds, err)
		}
	}
}

func TestALostOrForeignCheckpointCostsTimeOnly(t *testing.T) {
	for _, checkpoint := range []eventstore.Cursor{"nonsense", "of another log"} {
		w := newWorld(t)
		id := w.Create("ada", "A-1", 500)
		w.Step(w.Projector())
		states, err := w.Read.States(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Read.Write(t.Context(), projections.Batch{
			Key: projections.KeyOf(projections.OrderList), Epoch: w.Epoch(), After: states[projections.KeyOf(projections.OrderList)].Checkpoint, Checkpoint: checkpoint,
		}); err != nil {
			t.Fatal(err)
		}
		w.Do(id, 1, domain.ConfirmOrder{})
		if moved := w.Step(w.Projector()); moved != len(projections.All()) {
			t.Errorf("%s: %d rows were written, want 2", checkpoint, moved)
		}
		states, err = w.Read.States(t.Context())
		if err != nil || states[projections.KeyOf(projections.OrderList)].Checkpoint != states[projections.KeyOf(projections.CustomerOrderSummary)].Checkpoint {
			t.Errorf("%s: the checkpoint is ours again: %+v, %v", checkpoint, states, err)
		}
	}
}

func TestNudgesAreAppliedAtOnceAndMayRepeat(t *testing.T) {
	w := newWorld(t)
	var rows, moved atomic.Int32
	p := runner.New(w.Events, w.Read, runner.Options{
		Clock:  w.Clock,
		OnRows: func(_ string, r []projections.Row) { rows.Add(int32(len(r))) },
		OnMoved: func(h []eventstore.Head) {
			moved.Add(int32(len(h)))
		},
	})
	id := w.Create("ada", "A-1", 500)
	head := eventstore.Head{Stream: orders.StreamOf(id), Version: 1, At: w.Now}
	for range 3 {
		p.Nudge(head, head)
		w.Step(p)
	}
	if rows.Load() != int32(len(projections.All())) || moved.Load() != 1 {
		t.Errorf("%d rows told (want one for each projection), %d moves told (want 1)", rows.Load(), moved.Load())
	}
	p.Nudge(eventstore.Head{Stream: orders.StreamOf("no such order"), Version: 3})
	w.Step(p)
	for i := range 2 * runner.MaxNudges {
		p.Nudge(eventstore.Head{Stream: orders.StreamOf(domain.OrderID(fmt.Sprint(i))), Version: 1}) // never blocks, and forgets what is too much
	}
}

func TestWaitForArrivals(t *testing.T) {
	w := newWorld(t)
	p := w.Projector()
	w.Step(p) // it keeps up from here; what it makes again from the beginning has no time of arrival
	id := w.Create("ada", "A-1", 500)
	appended := w.Now
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got := p.WaitFor(ended, id, 1); len(got) != 0 {
		t.Errorf("nothing has arrived: %v", got)
	}
	w.Now = w.Now.Add(38 * time.Millisecond)
	stepped := make(chan struct{})
	go func() {
		defer close(stepped)
		_, _ = p.Step(context.WithoutCancel(t.Context()))
	}()
	got := p.WaitFor(t.Context(), id, 1)
	<-stepped
	for _, projection := range projections.All() {
		if a := got[projection.Name]; a.Version != 1 || a.At.Sub(appended) != 38*time.Millisecond {
			t.Errorf("%s arrived as %+v", projection.Name, a)
		}
	}
	again := w.Projector().WaitFor(t.Context(), id, 1)
	if len(again) != len(projections.All()) || again[projections.OrderList].Version != 1 || !again[projections.OrderList].At.IsZero() {
		t.Errorf("another projector finds it in the read store, without a time: %+v", again)
	}
	w.Do(id, 1, domain.ConfirmOrder{})
	w.Step(p)
	if first := p.Positions(id, 1)[projections.OrderList]; first.Version != 1 || first.At.Sub(appended) != 38*time.Millisecond {
		t.Errorf("a later arrival does not change an earlier one: %+v", first)
	}
}

// asking counts how often it is asked where a projection is.
type asking struct {
	projections.Store
	asked int
}

func (a *asking) Versions(ctx context.Context, projection string, ids ...domain.OrderID) (map[domain.OrderID]int, error) {
	a.asked++
	return a.Store.Versions(ctx, projection, ids...)
}

// Where a projection is in an order is what arrived there. The read store is asked once for an order of which nothing is known, and again
// when what is there may be another store's.
func TestWhereAProjectionIsInAnOrder(t *testing.T) {
	w := newWorld(t)
	old := w.Create("ada", "A-1", 500)
	w.Step(w.Projector())
	read := &asking{Store: w.Read}
	p := runner.New(w.Events, read, runner.Options{Clock: w.Clock, Alone: true})
	wants := func(id domain.OrderID, justMade bool, version, asked int) {
		t.Helper()
		if got := p.Newest(t.Context(), projections.OrderList, id, justMade); got != version || read.asked != asked {
			t.Errorf("it is at version %d, want %d; the store was asked %d times, want %d", got, version, read.asked, asked)
		}
	}
	wants(old, false, 1, 1)
	wants(old, false, 1, 1)
	fresh := w.Create("bob", "B-1", 500)
	wants(fresh, true, 0, 1)
	wants(fresh, false, 0, 1)
	w.Do(old, 1, domain.ConfirmOrder{})
	w.Step(p)
	wants(old, false, 2, 1)
	wants(fresh, false, 1, 1)
	states, err := w.Read.States(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Read.Write(t.Context(), projections.Batch{
		Key: projections.KeyOf(projections.OrderList), Epoch: w.Epoch(), After: states[projections.KeyOf(projections.OrderList)].Checkpoint, Checkpoint: "of another log",
	}); err != nil {
		t.Fatal(err)
	}
	w.Do(fresh, 1, domain.ConfirmOrder{})
	_, _ = p.Step(t.Context()) // it finds that somebody else was there
	w.Step(p)
	asked := read.asked
	wants(fresh, false, 2, asked)
	wants(old, false, 2, asked+1)
	wants(old, false, 2, asked+1)
}

func TestRowsMadeAgainDoNotSayWhenTheyFirstArrived(t *testing.T) {
	w := newWorld(t)
	id := w.Create("ada", "A-1", 500)
	w.Now = w.Now.Add(time.Hour)
	p := w.Projector()
	w.Step(p)
	if a := p.Positions(id, 1)[projections.OrderList]; a.Version != 1 || !a.At.IsZero() {
		t.Errorf("a row of an old log arrived as %+v", a)
	}
	w.Do(id, 1, domain.ConfirmOrder{})
	w.Step(p)
	if a := p.Positions(id, 2)[projections.OrderList]; !a.At.Equal(w.Now) {
		t.Errorf("once it keeps up, an arrival has its time: %+v, not %s", a, w.Now)
	}
}

func TestALongLogIsCaughtUpInBatches(t *testing.T) {
	w := newWorld(t)
	for i := range projections.BatchOrders + 7 {
		w.Create(fmt.Sprint("customer-", i%5), fmt.Sprint("A-", i), 100)
	}
	var batches atomic.Int32
	p := runner.New(w.Events, w.Read, runner.Options{
		Clock: w.Clock, OnRows: func(string, []projections.Row) { batches.Add(1) },
	})
	if moved := w.Step(p); moved != len(projections.All())*(projections.BatchOrders+7) || batches.Load() != 2*int32(len(projections.All())) {
		t.Errorf("%d rows in %d batches", moved, batches.Load())
	}
	if diffs := w.Verified(0); len(diffs) > 0 {
		t.Error(diffs[:min(3, len(diffs))])
	}
}

// overlapping is a read store that notes when an order is asked for while its row is being written.
type overlapping struct {
	projections.Store
	wrote   func() // at the first write
	first   sync.Once
	mu      sync.Mutex
	writing map[domain.OrderID]bool
	both    int
}

func (o *overlapping) mark(rows []projections.Row, writing bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range rows {
		o.writing[r.Order()] = writing
	}
}

func (o *overlapping) Write(ctx context.Context, b projections.Batch) error {
	o.mark(b.Rows, true)
	defer o.mark(b.Rows, false)
	o.first.Do(o.wrote)
	return o.Store.Write(ctx, b)
}

func (o *overlapping) Rows(ctx context.Context, projection string, ids ...domain.OrderID) (map[domain.OrderID]projections.Row, error) {
	o.mu.Lock()
	for _, id := range ids {
		if o.writing[id] {
			o.both++
		}
	}
	o.mu.Unlock()
	return o.Store.Rows(ctx, projection, ids...)
}

// gated is an event store whose feed waits before a page.
type gated struct {
	eventstore.Store
	wait func()
}

func (g *gated) Feed(
	ctx context.Context, category string, part eventstore.Part, after eventstore.Cursor, limit int,
) ([]eventstore.Head, eventstore.Cursor, error) {
	g.wait()
	return g.Store.Feed(ctx, category, part, after, limit)
}

func TestAnOrderThatMovesWhileItIsWrittenIsReadAfterwards(t *testing.T) {
	w := newWorld(t)
	const orders = 2*projections.BatchOrders/3 + 1 // more than a page of the feed, fewer than two
	var ids []domain.OrderID
	for i := range orders {
		ids = append(ids, w.Create("ada", fmt.Sprint("A-", i), 100))
	}
	moved := make(chan struct{})
	read := &overlapping{Store: w.Read, writing: map[domain.OrderID]bool{}, wrote: func() {
		for _, id := range ids[:5] {
			w.Do(id, 1, domain.ConfirmOrder{})
		}
		close(moved)
	}}
	pages := 0
	events := &gated{w.Events, func() {
		if pages++; pages == 3 { // the first batch is of two pages
			select {
			case <-moved:
			case <-time.After(10 * time.Second):
				t.Error("no batch is written while the next one is read")
			}
		}
	}}
	p := runner.New(events, read, runner.Options{Alone: true})
	w.Step(p)
	if read.both > 0 {
		t.Errorf("%d orders were read while they were written", read.both)
	}
	for _, id := range ids[:5] {
		if at := w.Versions(id); at != 2 {
			t.Errorf("order %s is at %v", id, at)
		}
	}
	if diffs := w.Verified(0); len(diffs) > 0 {
		t.Error(diffs[:min(3, len(diffs))])
	}
}

// together is an event store that notes how many orders a request for events names.
type together struct {
	*eventsqlite.Store
	mu    sync.Mutex
	asked []int
}

func (g *together) ReadMany(ctx context.Context, after []eventstore.Head, limit int) ([]eventstore.Record, error) {
	g.mu.Lock()
	g.asked = append(g.asked, len(after))
	g.mu.Unlock()
	return g.Store.ReadMany(ctx, after, limit)
}

func TestARequestForEventsNamesSoManyOrders(t *testing.T) {
	w := newWorld(t)
	for i := range 120 {
		w.Create("ada", fmt.Sprint("A-", i), 100)
	}
	events := &together{Store: w.Events}
	w.Step(runner.New(events, w.Read, runner.Options{Clock: w.Clock, Alone: true}))
	slices.Sort(events.asked)
	want := slices.Concat(slices.Repeat([]int{20}, len(projections.All())), slices.Repeat([]int{50}, 2*len(projections.All())))
	if !slices.Equal(events.asked, want) {
		t.Errorf("120 orders of every projection were asked for in requests of %v", events.asked)
	}
}
