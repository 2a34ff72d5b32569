package runner_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/orders"
	"headway/projections"
	"headway/projections/runner"
	"headway/projections/runnertest"
	readsqlite "headway/projections/sqlite"
)

// gate is a read store whose callers can be stopped, wherever they are, as the signal stops a process.
type gate struct {
	projections.Store
	mu     sync.Mutex
	closed chan struct{} // nil while it is open
	fails  error         // instead of any answer
	rows   [][]domain.OrderID
	kept   chan struct{} // the next rows are kept back until it is closed
}

// keep keeps the next rows that are read back until they are let go.
func (g *gate) keep() (letGo func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	kept := make(chan struct{})
	g.kept = kept
	return func() { close(kept) }
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = make(chan struct{})
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.closed)
	g.closed = nil
}

// away has every call fail, or no longer.
func (g *gate) away(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fails = err
}

// asked are the reads of rows so far.
func (g *gate) asked() [][]domain.OrderID {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.rows)
}

func (g *gate) pass(ctx context.Context) error {
	g.mu.Lock()
	closed, err := g.closed, g.fails
	g.mu.Unlock()
	if closed == nil {
		return err
	}
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *gate) Rows(ctx context.Context, projection string, ids ...domain.OrderID) (map[domain.OrderID]projections.Row, error) {
	if err := g.pass(ctx); err != nil {
		return nil, err
	}
	g.mu.Lock()
	g.rows = append(g.rows, slices.Clone(ids))
	kept := g.kept
	g.kept = nil
	g.mu.Unlock()
	rows, err := g.Store.Rows(ctx, projection, ids...)
	if kept != nil {
		<-kept
	}
	return rows, err
}

func (g *gate) Write(ctx context.Context, b projections.Batch) error {
	if err := g.pass(ctx); err != nil {
		return err
	}
	return g.Store.Write(ctx, b)
}

func (g *gate) Beat(ctx context.Context, s projections.State) error {
	if err := g.pass(ctx); err != nil {
		return err
	}
	return g.Store.Beat(ctx, s)
}

func (g *gate) States(ctx context.Context) (map[projections.Key]projections.State, error) {
	if err := g.pass(ctx); err != nil {
		return nil, err
	}
	return g.Store.States(ctx)
}

func (g *gate) Lease(ctx context.Context) (projections.Lease, error) {
	if err := g.pass(ctx); err != nil {
		return projections.Lease{}, err
	}
	return g.Store.Lease(ctx)
}

func (g *gate) SwapLease(ctx context.Context, old, lease projections.Lease) error {
	if err := g.pass(ctx); err != nil {
		return err
	}
	return g.Store.SwapLease(ctx, old, lease)
}

// process is one of several that run a projector over the same stores.
type process struct {
	*runner.Projector
	*gate
	end func()

	mu     sync.Mutex
	rows   []toldRow
	held   []projections.Hold
	newest map[string]int // by projection and order
	back   []string
}

type toldRow struct {
	projection string
	projections.Row
}

func (p *process) told(projection string, rows []projections.Row) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range rows {
		key := projection + " " + string(r.Order())
		if r.At() < p.newest[key] {
			p.back = append(p.back, fmt.Sprintf("%s: %d after %d", key, r.At(), p.newest[key]))
		}
		p.newest[key] = r.At()
		p.rows = append(p.rows, toldRow{projection, r})
	}
}

func (p *process) toldHold(h projections.Hold) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = append(p.held, h)
}

// versionsOf are those of the rows of an order that were told, in the order in which they were.
func (p *process) versionsOf(projection string, id domain.OrderID) []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []int
	for _, r := range p.rows {
		if r.projection == projection && r.Order() == id {
			all = append(all, r.At())
		}
	}
	return all
}

func (p *process) runs() bool {
	_, standsBy := p.StandsBy()
	return !standsBy
}

// process makes one that is not running yet.
func (w *world) process(options runner.Options) *process {
	p := &process{gate: &gate{Store: w.Read}, newest: map[string]int{}}
	options.OnRows, options.OnHold = p.told, p.toldHold
	p.Projector = runner.New(w.Events, p.gate, options)
	return p
}

func (p *process) start(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	p.end = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// several runs processes over the same stores, in a bubble of its own time. The first of them runs the projections.
func several(t *testing.T, n int, f func(t *testing.T, w *world, all []*process)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{runnertest.At(t, time.Now())}
		var all []*process
		for range n {
			p := w.process(runner.Options{})
			p.start(t)
			all = append(all, p)
			synctest.Wait()
		}
		f(t, w, all)
		for _, p := range all {
			p.end()
			if len(p.back) > 0 {
				t.Errorf("what is told never goes backwards: %v", p.back)
			}
		}
	})
}

// takesOver is how long it takes until a process runs the projections.
func takesOver(t *testing.T, p *process) time.Duration {
	t.Helper()
	began := time.Now()
	for !p.runs() {
		if time.Since(began) > time.Minute {
			t.Fatal("nobody takes over")
		}
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
	}
	return time.Since(began)
}

func TestAHolderThatIsDeadOrStoppedIsReplacedWithinTenSeconds(t *testing.T) {
	for after := range 8 { // quarters of a second since it renewed the lease
		several(t, 2, func(t *testing.T, w *world, all []*process) {
			ada, bob := all[0], all[1]
			time.Sleep(20*time.Second + time.Duration(after)*250*time.Millisecond)
			if !ada.runs() || bob.runs() {
				t.Error("who renews the lease keeps it")
			}
			ada.shut()
			took := takesOver(t, bob)
			if took > runner.LeaseStill || took < runner.LeaseStill/2 {
				t.Errorf("the other took over after %v", took)
			}
			id := w.Create("ada", "A-1", 500)
			if got := bob.WaitFor(t.Context(), id, 1); len(got) != len(projections.All()) {
				t.Errorf("and the rows go on: %v", got)
			}
			ada.open()
			synctest.Wait()
		})
	}
}

func TestALeaseThatIsGivenBackIsTakenAtTheNextLook(t *testing.T) {
	several(t, 3, func(t *testing.T, _ *world, all []*process) {
		time.Sleep(5500 * time.Millisecond)
		all[0].end()
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		if all[1].runs() == all[2].runs() {
			t.Errorf("one of the others runs the projections a second later: %v, %v", all[1].runs(), all[2].runs())
		}
	})
}

func TestAStoppedHolderDoesNoHarmWhenItWakes(t *testing.T) {
	several(t, 2, func(t *testing.T, w *world, all []*process) {
		ada, bob := all[0], all[1]
		id := w.Create("ada", "A-1", 500)
		ada.WaitFor(t.Context(), id, 1)
		w.Do(id, 1, domain.AddItem{Item: runnertest.Line(100)})
		ada.shut()
		ada.Nudge(eventstore.Head{Stream: orders.StreamOf(id), Version: 2}) // she stops with this in hand
		synctest.Wait()
		takesOver(t, bob)
		bob.WaitFor(t.Context(), id, 2)
		w.Do(id, 2, domain.ConfirmOrder{})
		sick := w.Create("bob", "B-1", 700)
		w.Raw(sick, 2, "OrderEaten", `{}`)
		bob.WaitFor(t.Context(), id, 3)
		time.Sleep(time.Minute)
		synctest.Wait()
		before, err := w.Read.States(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		holds, err := w.Read.Holds(t.Context(), "")
		if err != nil || len(holds) != len(projections.All()) {
			t.Fatalf("bob holds one order: %v, %v", holds, err)
		}

		ada.open()
		synctest.Wait()
		if ada.runs() || !bob.runs() {
			t.Errorf("she stands by: %v, %v", ada.runs(), bob.runs())
		}
		if holder, _ := ada.StandsBy(); holder != before[projections.KeyOf(projections.OrderList)].Holder {
			t.Errorf("and knows for whom: %q, not %q", holder, before[projections.KeyOf(projections.OrderList)].Holder)
		}
		after, err := w.Read.States(t.Context())
		for _, projection := range projections.All() {
			if err != nil || after[projection.Key()].Holder != before[projection.Key()].Holder || after[projection.Key()].Checkpoint != before[projection.Key()].Checkpoint {
				t.Errorf("what bob wrote of %s stays: %+v, not %+v, %v", projection.Name, after[projection.Key()], before[projection.Key()], err)
			}
		}
		if now, err := w.Read.Holds(t.Context(), ""); err != nil || !slices.Equal(now, holds) {
			t.Errorf("the holds, too: %v, %v", now, err)
		}
		if at := w.Versions(id); at != 3 {
			t.Errorf("the rows, too: %v", at)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		for _, projection := range projections.All() {
			if told := ada.versionsOf(projection.Name, id); len(told) < 2 || told[len(told)-1] != 3 {
				t.Errorf("her browsers learn what they missed of %s: %v", projection.Name, told)
			}
		}
		w.Do(id, 3, domain.CancelOrder{Reason: "no"})
		if got := ada.WaitFor(t.Context(), id, 4); len(got) != len(projections.All()) {
			t.Errorf("and what comes: %v", got)
		}
		if diffs := w.Verified(0); len(diffs) > 0 {
			t.Error(diffs)
		}
	})
}

func TestAHolderThatCannotAskKeepsWorkingUntilItIsRefused(t *testing.T) {
	several(t, 2, func(t *testing.T, w *world, all []*process) {
		ada, bob := all[0], all[1]
		ada.away(gone())
		bob.away(gone())
		time.Sleep(time.Minute)
		synctest.Wait()
		if !ada.runs() || bob.runs() {
			t.Error("a store that is away changes no term")
		}
		bob.away(nil)
		if took := takesOver(t, bob); took > runner.LeaseStill+time.Second {
			t.Errorf("who reaches the store first takes over from one who does not: after %v", took)
		}
		ada.away(nil)
		time.Sleep(40 * time.Second) // no backoff is longer
		synctest.Wait()
		if ada.runs() || !bob.runs() {
			t.Error("and keeps it")
		}
		id := w.Create("ada", "A-1", 500)
		if got := ada.WaitFor(t.Context(), id, 1); len(got) != len(projections.All()) {
			t.Errorf("both go on: %v", got)
		}
	})
}

func TestAHolderThatIsRefusedLooksAtTheLeaseAtOnce(t *testing.T) {
	several(t, 1, func(t *testing.T, w *world, all []*process) {
		ada := all[0]
		time.Sleep(5100 * time.Millisecond)
		lease, err := w.Read.Lease(t.Context())
		if err == nil {
			err = w.Read.SwapLease(t.Context(), lease, projections.Lease{Holder: "eve", Epoch: lease.Epoch + 1})
		}
		if err != nil {
			t.Fatal(err)
		}
		sick := w.Create("ada", "A-1", 500)
		w.Raw(sick, 2, "OrderEaten", `{}`)
		ada.Nudge(eventstore.Head{Stream: orders.StreamOf(sick), Version: 2})
		synctest.Wait()
		if holder, standsBy := ada.StandsBy(); !standsBy || holder != "eve" {
			t.Errorf("she stands by for %q: %v", holder, standsBy)
		}
		if holds, err := w.Read.Holds(t.Context(), ""); err != nil || len(holds) > 0 {
			t.Errorf("what she held is refused: %v, %v", holds, err)
		}
	})
}

func TestWhatWasReadBeforeSomethingNewerWasToldIsNotTold(t *testing.T) {
	several(t, 2, func(t *testing.T, w *world, all []*process) {
		ada, bob := all[0], all[1]
		id := w.Create("ada", "A-1", 500)
		ada.Nudge(eventstore.Head{Stream: orders.StreamOf(id), Version: 1})
		synctest.Wait()
		letGo := bob.keep()
		bob.Nudge(eventstore.Head{Stream: orders.StreamOf(id), Version: 1}) // he has read version 1, and not told of it yet
		time.Sleep(time.Second)
		ada.end()
		takesOver(t, bob)
		w.Do(id, 1, domain.ConfirmOrder{})
		bob.Nudge(eventstore.Head{Stream: orders.StreamOf(id), Version: 2})
		time.Sleep(time.Second)
		synctest.Wait()
		if told := bob.versionsOf(projections.OrderList, id); !slices.Equal(told, []int{2}) {
			t.Errorf("he told of what he wrote: %v", told)
		}
		letGo()
		time.Sleep(time.Second)
		synctest.Wait()
		if told := bob.versionsOf(projections.OrderList, id); !slices.Equal(told, []int{2}) {
			t.Errorf("and not of what was before: %v", told)
		}
	})
}

// step has a process look, project and tell as fast as it can until the context ends. That the lease was taken away meanwhile is no
// failure.
func (p *process) step(ctx context.Context, t *testing.T) {
	for ctx.Err() == nil {
		if _, err := p.Step(ctx); err != nil && fault.KindOf(err) != fault.Conflict && ctx.Err() == nil {
			t.Errorf("a step failed: %v", err)
			return
		}
	}
}

// cut is a read store whose answers about the lease are lost once it is cut off.
type cut struct {
	projections.Store
	off bool
}

func (c *cut) SwapLease(ctx context.Context, old, lease projections.Lease) error {
	err := c.Store.SwapLease(ctx, old, lease)
	if c.off && err == nil {
		c.off = false
		return context.Canceled
	}
	return err
}

func TestALeaseWhoseRenewalWasCutOffIsGivenBack(t *testing.T) {
	w := newWorld(t)
	store := &cut{Store: w.Read}
	p := runner.New(w.Events, store, runner.Options{Clock: w.Clock})
	if _, err := p.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	store.off = true
	if _, err := p.Step(t.Context()); err == nil {
		t.Error("the end of the process cuts the renewal off")
	}
	p.Release(t.Context())
	if lease, err := w.Read.Lease(t.Context()); err != nil || lease.Holder != "" {
		t.Errorf("the lease is %+v, %v", lease, err)
	}
}

func TestTwoProjectorsOverOneStoreUnderLoad(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t)
	var both []*process
	var names []string
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for range 2 {
		store, err := readsqlite.Open(filepath.Join(w.Dir, "read.db"), readsqlite.Options{}) // as another process would
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		p := w.process(runner.Options{})
		p.Store = store
		if _, err := p.Step(ctx); err != nil {
			t.Fatal(err)
		}
		lease, err := w.Read.Lease(ctx)
		if err != nil || !p.runs() {
			t.Fatalf("a process alone has the lease: %v", err)
		}
		p.Release(ctx)
		both, names = append(both, p), append(names, lease.Holder)
	}
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	for _, p := range both {
		all.Go(func() { p.step(ctx, t) })
	}
	heads := map[domain.OrderID]int{}
	var ids []domain.OrderID
	swaps := [2]int{}
	for i := range 160 {
		if n := random.IntN(30); n >= len(ids) {
			id := w.Create([]string{"ada", "bob", "eve"}[i%3], "", int64(i))
			ids, heads[id] = append(ids, id), 1
		} else {
			w.Do(ids[n], heads[ids[n]], domain.AddItem{Item: runnertest.Line(int64(i))})
			heads[ids[n]]++
		}
		if random.IntN(5) > 0 {
			continue
		}
		to := random.IntN(2)
		if both[to].runs() {
			continue
		}
		lease, err := w.Read.Lease(ctx)
		if err != nil {
			t.Fatal(err)
		}
		// Whatever the holder has in hand is refused from here on.
		err = w.Read.SwapLease(ctx, lease, projections.Lease{Holder: names[to], Epoch: lease.Epoch + 1})
		if err == nil {
			swaps[to]++
		} else if fault.KindOf(err) != fault.Conflict { // which is a renewal
			t.Fatal(err)
		}
	}
	for id, version := range heads {
		for _, p := range both {
			ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
			if got := p.WaitFor(ctx, id, version); len(got) != len(projections.All()) {
				t.Errorf("an order is not there: %v", got)
			}
			cancel()
		}
	}
	told := func(p *process) bool { // the last rows may be told a moment after they are there
		p.mu.Lock()
		defer p.mu.Unlock()
		for id, version := range heads {
			for _, projection := range projections.All() {
				if p.newest[projection.Name+" "+string(id)] != version {
					return false
				}
			}
		}
		return true
	}
	for _, p := range both {
		for until := time.Now().Add(30 * time.Second); !told(p); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(until) {
				t.Fatal("each process tells of every row")
			}
		}
	}
	stop()
	all.Wait()
	if diffs := w.Verified(0); len(diffs) > 0 {
		t.Error(diffs)
	}
	t.Logf("%d orders; the lease was given to one %d times, to the other %d times", len(ids), swaps[0], swaps[1])
	if swaps[0] == 0 || swaps[1] == 0 {
		t.Error("each has it for a while")
	}
	for _, p := range both {
		if len(p.back) > 0 {
			t.Errorf("what is told never goes backwards: %v", p.back)
		}
		if len(p.held) > 0 {
			t.Errorf("nothing is held: %v", p.held)
		}
	}
}
