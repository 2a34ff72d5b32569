package projections_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"headway/domain"
	"headway/eventstore"
	eventsqlite "headway/eventstore/sqlite"
	"headway/fault"
	"headway/orders"
	"headway/projections"
	readsqlite "headway/projections/sqlite"
)

// world is a real event store and a real read store in one folder, and a clock that a test turns.
type world struct {
	t      *testing.T
	dir    string
	events *eventsqlite.Store
	read   *readsqlite.Store
	now    time.Time
	next   int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), now: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)}
	w.open()
	t.Cleanup(w.close)
	return w
}

func (w *world) open() {
	w.t.Helper()
	var err error
	if w.events, err = eventsqlite.Open(filepath.Join(w.dir, "events.db"), eventsqlite.Options{Clock: w.clock}); err != nil {
		w.t.Fatal(err)
	}
	if w.read, err = readsqlite.Open(filepath.Join(w.dir, "read.db"), readsqlite.Options{}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) close() {
	w.read.Close()
	w.events.Close()
}

func (w *world) clock() time.Time { return w.now }

func (w *world) projector() *projections.Projector {
	return projections.New(w.events, w.read, projections.Options{Clock: w.clock, Alone: true})
}

// epoch is that of the lease.
func (w *world) epoch() int64 {
	w.t.Helper()
	lease, err := w.read.Lease(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return lease.Epoch
}

// do runs one command and returns what it caused.
func (w *world) do(id domain.OrderID, expect int, c domain.Command) orders.Result {
	w.t.Helper()
	w.next++
	w.now = w.now.Add(time.Second)
	result, err := (orders.Handler{Events: w.events, Codec: domain.Codec{}}).Execute(w.t.Context(), orders.Request{
		CommandID: domain.CommandID(uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, w.next)).String()),
		OrderID:   id, Command: c, Expect: expect, UserID: "ada", Timestamp: w.now,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return result
}

// create makes an order of one line over so many minor units.
func (w *world) create(customer, reference string, minor int64) domain.OrderID {
	w.t.Helper()
	return w.do("", 0, domain.CreateOrder{CustomerID: customer, Currency: "EUR", Reference: reference, Items: []domain.Item{line(minor)}}).OrderID
}

func line(minor int64) domain.Item {
	return domain.Item{SKU: "TEA-1", Name: "Green tea", Quantity: 1, Price: domain.Money{Minor: minor, Currency: "EUR"}}
}

// raw writes an event as a broken program would.
func (w *world) raw(id domain.OrderID, version int, eventType, data string) {
	w.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(w.dir, "events.db"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	if _, err = db.Exec(`INSERT INTO events (aggregateId, version, eventType, schemaVersion, data) VALUES (?, ?, ?, 2, ?)`,
		string(id), version, eventType, data); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) step(p *projections.Projector) int {
	w.t.Helper()
	moved, err := p.Step(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return moved
}

// versions of an order's rows: order list, customer summary.
func (w *world) versions(id domain.OrderID) [2]int {
	w.t.Helper()
	var at [2]int
	for i, name := range projections.Names() {
		versions, err := w.read.Versions(w.t.Context(), name, id)
		if err != nil {
			w.t.Fatal(err)
		}
		at[i] = versions[id]
	}
	return at
}

func (w *world) row(id domain.OrderID) projections.OrderRow {
	w.t.Helper()
	rows, err := w.read.OrderRows(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return rows[id]
}

func (w *world) verified(wait time.Duration) []projections.Difference {
	w.t.Helper()
	report, err := projections.Verify(w.t.Context(), w.events, w.read, domain.Codec{}, projections.VerifyOptions{Wait: wait, Poll: time.Millisecond})
	if err != nil {
		w.t.Fatal(err)
	}
	return report.Differences
}

func TestAStepBringsEveryRowToItsHead(t *testing.T) {
	w := newWorld(t)
	p := w.projector()
	tea := w.create("ada", "A-1001/7", 500)
	w.do(tea, 1, domain.AddItem{Item: line(250)})
	w.do(tea, 2, domain.ConfirmOrder{})
	other := w.create("ada", "", 100)
	w.do(other, 1, domain.CancelOrder{Reason: "twice"})
	if moved := w.step(p); moved != 4 {
		t.Errorf("%d rows were written, want 4", moved)
	}
	if moved := w.step(p); moved != 0 {
		t.Errorf("a second step wrote %d rows", moved)
	}
	row := w.row(tea)
	if row.Version != 3 || row.Status != domain.Confirmed || row.ItemCount != 2 || row.Total.Minor != 750 || row.ConfirmedAt.IsZero() ||
		!slices.Equal(row.Words, []string{"1", "green", "tea"}) {
		t.Errorf("the row is %+v", row)
	}
	customer, err := w.read.Customer(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	if customer.TotalOrders != 2 || customer.Confirmed != 1 || customer.Cancelled != 1 || len(customer.TotalSpent) != 1 ||
		customer.TotalSpent[0].Minor != 750 {
		t.Errorf("the customer is %+v", customer)
	}
	if diffs := w.verified(0); len(diffs) > 0 {
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
			p := w.projector()
			sick, well := w.create("ada", "A-1", 500), w.create("ada", "A-2", 700)
			w.raw(sick, 2, c.eventType, c.data)
			w.raw(sick, 3, domain.TypeOrderConfirmed, `{}`)
			w.do(well, 1, domain.ConfirmOrder{})
			w.step(p)
			if at := w.versions(sick); at != [2]int{1, 1} {
				t.Errorf("the order stays before the poison: %v", at)
			}
			if at := w.versions(well); at != [2]int{2, 2} {
				t.Errorf("the others go on: %v", at)
			}
			holds, err := w.read.Holds(t.Context(), "")
			if err != nil || len(holds) != 2 || holds[0].OrderID != sick || holds[0].Version != 2 || holds[0].Reason == "" {
				t.Errorf("both projections hold it: %+v, %v", holds, err)
			}
			w.raw(sick, 4, domain.TypeOrderCancelled, `{"reason":"no"}`)
			w.do(well, 2, domain.CancelOrder{Reason: "no"})
			w.step(p)
			if at := w.versions(sick); at != [2]int{1, 1} {
				t.Errorf("later events of it wait: %v", at)
			}
			if at := w.versions(well); at != [2]int{3, 3} {
				t.Errorf("later events of others do not: %v", at)
			}
			statuses, err := projections.Look(t.Context(), w.events, w.read, w.now)
			if err != nil || statuses[0].Lag.Events != 0 || !statuses[0].LagIsExact || len(statuses[0].Holds) != 1 {
				t.Errorf("what waits behind a hold is a hold, no lag: %+v, %v", statuses[0], err)
			}
			report, err := projections.Verify(t.Context(), w.events, w.read, domain.Codec{}, projections.VerifyOptions{})
			if err != nil || !report.Clean() || len(report.Holds) != 2 {
				t.Errorf("the domain says the same: %+v, %v", report, err)
			}
		})
	}
}

func TestAnOrderThatBeginsWithPoisonHasNoRow(t *testing.T) {
	w := newWorld(t)
	id := domain.OrderID("11111111-1111-5111-8111-111111111111")
	w.raw(id, 1, "OrderEaten", `{}`)
	well := w.create("ada", "A-2", 700)
	w.step(w.projector())
	if at := w.versions(id); at != [2]int{} {
		t.Errorf("rows at %v", at)
	}
	if at := w.versions(well); at != [2]int{1, 1} {
		t.Errorf("the other is at %v", at)
	}
	if diffs := w.verified(0); len(diffs) > 0 {
		t.Error(diffs)
	}
}

func TestHeldOrdersAreTriedAgainWhenTheProgramStarts(t *testing.T) {
	w := newWorld(t)
	sick, mended := w.create("ada", "A-1", 500), w.create("ada", "A-2", 700)
	w.raw(sick, 2, "OrderEaten", `{}`)
	w.step(w.projector())
	w.do(mended, 1, domain.ConfirmOrder{})
	before, err := w.read.Holds(t.Context(), projections.OrderList)
	if err != nil {
		t.Fatal(err)
	}
	// Older code could not read version 2 of the second order.
	old := projections.Hold{Projection: projections.OrderList, OrderID: mended, Version: 2, Reason: "Too new.", Since: w.now}
	if err := w.read.Write(t.Context(), projections.Batch{Projection: projections.OrderList, Epoch: w.epoch(), Holds: []projections.Hold{old}}); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Hour)
	w.step(w.projector())
	if at := w.versions(mended); at != [2]int{2, 2} {
		t.Errorf("what can be read now is applied: %v", at)
	}
	after, err := w.read.Holds(t.Context(), projections.OrderList)
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
		id := w.create("ada", "A-1", 500)
		store := &failing{Store: w.read}
		var told []projections.State
		p := projections.New(w.events, store, projections.Options{Clock: w.clock, OnState: func(s projections.State) { told = append(told, s) }})
		store.set(func(m string) error {
			if m == method || m == "Beat" {
				return gone()
			}
			return nil
		})
		if _, err := p.Step(t.Context()); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: the failure comes back: %v", method, err)
		}
		if len(told) != 2 || told[0].Reason != "The read store cannot be reached; it is tried again." {
			t.Errorf("%s: the states say so: %+v", method, told)
		}
		store.set(nil)
		w.step(p)
		holds, err := w.read.Holds(t.Context(), "")
		if err != nil || len(holds) > 0 || w.versions(id) != [2]int{1, 1} {
			t.Errorf("%s: afterwards all is there, and nothing is held: %v, %v, %v", method, w.versions(id), holds, err)
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
			id := w.create([]string{"ada", "bob"}[i%2], fmt.Sprint("A-", i), int64(100*i))
			ids = append(ids, id)
			if i == 1 {
				w.raw(id, 2, "OrderEaten", `{}`)
			}
		}
		store := &failing{Store: w.read}
		calls := 0
		store.set(func(string) error {
			if calls++; calls > crash {
				return gone() // from here on the process is dead
			}
			return nil
		})
		p := projections.New(w.events, store, projections.Options{Clock: w.clock})
		_, _ = p.Step(t.Context())
		w.do(ids[0], 1, domain.ConfirmOrder{})
		_, _ = p.Step(t.Context())
		w.close()
		w.open()
		w.step(w.projector())
		if diffs := w.verified(0); len(diffs) > 0 {
			t.Errorf("after a crash at call %d: %v", crash, diffs)
		}
		if holds, err := w.read.Holds(t.Context(), ""); err != nil || len(holds) != 2 {
			t.Errorf("after a crash at call %d: holds %v, %v", crash, holds, err)
		}
	}
}

func TestALostOrForeignCheckpointCostsTimeOnly(t *testing.T) {
	for _, checkpoint := range []eventstore.Cursor{"nonsense", "of another log"} {
		w := newWorld(t)
		id := w.create("ada", "A-1", 500)
		w.step(w.projector())
		states, err := w.read.States(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.read.Write(t.Context(), projections.Batch{
			Projection: projections.OrderList, Epoch: w.epoch(), After: states[projections.OrderList].Checkpoint, Checkpoint: checkpoint,
		}); err != nil {
			t.Fatal(err)
		}
		w.do(id, 1, domain.ConfirmOrder{})
		if moved := w.step(w.projector()); moved != 2 {
			t.Errorf("%s: %d rows were written, want 2", checkpoint, moved)
		}
		states, err = w.read.States(t.Context())
		if err != nil || states[projections.OrderList].Checkpoint != states[projections.CustomerOrderSummary].Checkpoint {
			t.Errorf("%s: the checkpoint is ours again: %+v, %v", checkpoint, states, err)
		}
	}
}

func TestNudgesAreAppliedAtOnceAndMayRepeat(t *testing.T) {
	w := newWorld(t)
	var rows, moved atomic.Int32
	p := projections.New(w.events, w.read, projections.Options{
		Clock:  w.clock,
		OnRows: func(_ string, r []projections.Row) { rows.Add(int32(len(r))) },
		OnMoved: func(h []eventstore.Head) {
			moved.Add(int32(len(h)))
		},
	})
	id := w.create("ada", "A-1", 500)
	head := eventstore.Head{Stream: orders.StreamOf(id), Version: 1, At: w.now}
	for range 3 {
		p.Nudge(head, head)
		w.step(p)
	}
	if rows.Load() != 2 || moved.Load() != 1 {
		t.Errorf("%d rows told (want one for each projection), %d moves told (want 1)", rows.Load(), moved.Load())
	}
	p.Nudge(eventstore.Head{Stream: orders.StreamOf("no such order"), Version: 3})
	w.step(p)
	for i := range 2 * projections.MaxNudges {
		p.Nudge(eventstore.Head{Stream: orders.StreamOf(domain.OrderID(fmt.Sprint(i))), Version: 1}) // never blocks, and forgets what is too much
	}
}

func TestWaitForArrivals(t *testing.T) {
	w := newWorld(t)
	p := w.projector()
	w.step(p) // it keeps up from here; what it makes again from the beginning has no time of arrival
	id := w.create("ada", "A-1", 500)
	appended := w.now
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got := p.WaitFor(ended, id, 1); len(got) != 0 {
		t.Errorf("nothing has arrived: %v", got)
	}
	w.now = w.now.Add(38 * time.Millisecond)
	stepped := make(chan struct{})
	go func() {
		defer close(stepped)
		_, _ = p.Step(context.WithoutCancel(t.Context()))
	}()
	got := p.WaitFor(t.Context(), id, 1)
	<-stepped
	for _, name := range projections.Names() {
		if a := got[name]; a.Version != 1 || a.At.Sub(appended) != 38*time.Millisecond {
			t.Errorf("%s arrived as %+v", name, a)
		}
	}
	again := w.projector().WaitFor(t.Context(), id, 1)
	if len(again) != 2 || again[projections.OrderList].Version != 1 || !again[projections.OrderList].At.IsZero() {
		t.Errorf("another projector finds it in the read store, without a time: %+v", again)
	}
	w.do(id, 1, domain.ConfirmOrder{})
	w.step(p)
	if first := p.Arrivals(id, 1)[projections.OrderList]; first.Version != 1 || first.At.Sub(appended) != 38*time.Millisecond {
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

// Where a projection is in an order is what arrived there. The read store is asked once for an order of which nothing is known, and again when what is
// there may be another store's.
func TestWhereAProjectionIsInAnOrder(t *testing.T) {
	w := newWorld(t)
	old := w.create("ada", "A-1", 500)
	w.step(w.projector())
	read := &asking{Store: w.read}
	p := projections.New(w.events, read, projections.Options{Clock: w.clock, Alone: true})
	wants := func(id domain.OrderID, justMade bool, version, asked int) {
		t.Helper()
		if got := p.Newest(t.Context(), projections.OrderList, id, justMade); got != version || read.asked != asked {
			t.Errorf("it is at version %d, want %d; the store was asked %d times, want %d", got, version, read.asked, asked)
		}
	}
	wants(old, false, 1, 1)
	wants(old, false, 1, 1)
	fresh := w.create("bob", "B-1", 500)
	wants(fresh, true, 0, 1)
	wants(fresh, false, 0, 1)
	w.do(old, 1, domain.ConfirmOrder{})
	w.step(p)
	wants(old, false, 2, 1)
	wants(fresh, false, 1, 1)
	states, err := w.read.States(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.read.Write(t.Context(), projections.Batch{
		Projection: projections.OrderList, Epoch: w.epoch(), After: states[projections.OrderList].Checkpoint, Checkpoint: "of another log",
	}); err != nil {
		t.Fatal(err)
	}
	w.do(fresh, 1, domain.ConfirmOrder{})
	_, _ = p.Step(t.Context()) // it finds that somebody else was there
	w.step(p)
	asked := read.asked
	wants(fresh, false, 2, asked)
	wants(old, false, 2, asked+1)
	wants(old, false, 2, asked+1)
}

func TestRowsMadeAgainDoNotSayWhenTheyFirstArrived(t *testing.T) {
	w := newWorld(t)
	id := w.create("ada", "A-1", 500)
	w.now = w.now.Add(time.Hour)
	p := w.projector()
	w.step(p)
	if a := p.Arrivals(id, 1)[projections.OrderList]; a.Version != 1 || !a.At.IsZero() {
		t.Errorf("a row of an old log arrived as %+v", a)
	}
	w.do(id, 1, domain.ConfirmOrder{})
	w.step(p)
	if a := p.Arrivals(id, 2)[projections.OrderList]; !a.At.Equal(w.now) {
		t.Errorf("once it keeps up, an arrival has its time: %+v, not %s", a, w.now)
	}
}

func TestALongLogIsCaughtUpInBatches(t *testing.T) {
	w := newWorld(t)
	for i := range projections.BatchOrders + 7 {
		w.create(fmt.Sprint("customer-", i%5), fmt.Sprint("A-", i), 100)
	}
	var batches atomic.Int32
	p := projections.New(w.events, w.read, projections.Options{
		Clock: w.clock, OnRows: func(string, []projections.Row) { batches.Add(1) },
	})
	if moved := w.step(p); moved != 2*(projections.BatchOrders+7) || batches.Load() != 4 {
		t.Errorf("%d rows in %d batches", moved, batches.Load())
	}
	if diffs := w.verified(0); len(diffs) > 0 {
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
		ids = append(ids, w.create("ada", fmt.Sprint("A-", i), 100))
	}
	moved := make(chan struct{})
	read := &overlapping{Store: w.read, writing: map[domain.OrderID]bool{}, wrote: func() {
		for _, id := range ids[:5] {
			w.do(id, 1, domain.ConfirmOrder{})
		}
		close(moved)
	}}
	pages := 0
	events := &gated{w.events, func() {
		if pages++; pages == 5 { // the watch has read a page and the end, and the first batch is of two pages
			select {
			case <-moved:
			case <-time.After(10 * time.Second):
				t.Error("no batch is written while the next one is read")
			}
		}
	}}
	p := projections.New(events, read, projections.Options{Alone: true, OnRows: func(string, []projections.Row) {}})
	w.step(p)
	if read.both > 0 {
		t.Errorf("%d orders were read while they were written", read.both)
	}
	for _, id := range ids[:5] {
		if at := w.versions(id); at != [2]int{2, 2} {
			t.Errorf("order %s is at %v", id, at)
		}
	}
	if diffs := w.verified(0); len(diffs) > 0 {
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
		w.create("ada", fmt.Sprint("A-", i), 100)
	}
	events := &together{Store: w.events}
	w.step(projections.New(events, w.read, projections.Options{Clock: w.clock, Alone: true}))
	slices.Sort(events.asked)
	if !slices.Equal(events.asked, []int{20, 20, 50, 50, 50, 50}) {
		t.Errorf("120 orders of two projections were asked for in requests of %v", events.asked)
	}
}
