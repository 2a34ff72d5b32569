package runner_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"headway/eventstore"
	"headway/fault"
	"headway/orders"
	"headway/projections"
	"headway/projections/runner"
	"headway/projections/runnertest"
)

// However many projections and pages a process has, the feed is asked once for all of them.
func TestOneTailReadsTheFeedOfAProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := runnertest.At(t, time.Now())
		events := &counted{Store: w.Events}
		p := runner.New(events, w.Read, runner.Options{OnRows: func(string, []projections.Row) {}})
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = p.Run(ctx) })
		time.Sleep(10500 * time.Millisecond) // of the bubble's clock, as all here: no time passes
		synctest.Wait()
		events.asked.Store(0)
		time.Sleep(10 * time.Second) // of the bubble's clock
		synctest.Wait()
		if n := events.asked.Load(); n != 10 {
			t.Errorf("the feed was asked %d times in 10 s", n)
		}
		m := p.Monitor()
		lagOf(t, m, time.Now())
		events.asked.Store(0)
		lagOf(t, m, time.Now())
		if n := events.asked.Load(); n != 1 {
			t.Errorf("and %d times by a look", n)
		}
		stop()
		running.Wait()
	})
}

// A projection that falls behind the ring reads the feed by its own cursor until it has come to the end, misses nothing, and then follows
// the tail.
func TestWhoIsBehindTheRingReadsTheStoreAndJoins(t *testing.T) {
	w := newWorld(t)
	first := w.Create("ada", "", 500)
	events, store := &counted{Store: w.Events}, &failing{Store: w.Read}
	p := runner.New(events, store, runner.Options{Clock: w.Clock, OnRows: func(string, []projections.Row) {}})
	w.Step(p)
	store.setWrite(func(b projections.Batch) error {
		if b.Projection == projections.OrderList {
			return gone()
		}
		return nil
	})
	second := w.Create("bob", "", 500)
	if _, err := p.Step(t.Context()); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("the list cannot be written: %v", err)
	}
	for range runner.MaxRingMoves {
		events.again = append(events.again, eventstore.Head{Stream: orders.StreamOf(first), Version: 1})
	}
	third := w.Create("eve", "", 500)
	_, _ = p.Step(t.Context())
	store.setWrite(nil)
	events.asked.Store(0)
	w.Step(p)
	if n := events.asked.Load(); n < runner.MaxRingMoves/projections.BatchOrders {
		t.Errorf("what the ring has no more is read again: the feed was asked %d times", n)
	}
	if diffs := w.Verified(0); len(diffs) > 0 || w.Versions(second) != 1 || w.Versions(third) != 1 {
		t.Errorf("nothing is missed: %v", diffs)
	}
	events.asked.Store(0)
	for range 5 {
		w.Step(p)
	}
	if n := events.asked.Load(); n != 5 {
		t.Errorf("then the tail reads for both again: 5 steps asked %d times", n)
	}
}

// silent is a log whose feed can be made to fail, while streams can be read.
type silent struct {
	eventstore.Store
	mu  sync.Mutex
	err error
}

func (s *silent) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *silent) Feed(
	ctx context.Context, category string, part eventstore.Part, after eventstore.Cursor, limit int,
) ([]eventstore.Head, eventstore.Cursor, error) {
	s.mu.Lock()
	err := s.err
	s.mu.Unlock()
	if err != nil {
		return nil, "", err
	}
	return s.Store.Feed(ctx, category, part, after, limit)
}

func TestAFeedThatFailsIsSaidAndNudgesGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := runnertest.At(t, time.Now())
		events := &silent{Store: w.Events}
		var mu sync.Mutex
		said := map[string]string{}
		p := runner.New(events, w.Read, runner.Options{OnRows: func(string, []projections.Row) {}, OnState: func(s projections.State) {
			mu.Lock()
			defer mu.Unlock()
			said[s.Projection] = s.Reason
		}})
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = p.Run(ctx) })
		says := func(want string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			for _, p := range projections.All() {
				if !strings.Contains(said[p.Name], want) || want == "" && said[p.Name] != "" {
					t.Errorf("%s says %q, not %q", p.Name, said[p.Name], want)
				}
			}
		}
		time.Sleep(3 * time.Second) // of the bubble's clock
		says("")
		events.set(gone())
		time.Sleep(3 * time.Second) // of the bubble's clock
		says("The event store cannot be reached; it is tried again.")
		id := w.Create("ada", "", 500)
		before := time.Now()
		p.Nudge(eventstore.Head{Stream: orders.StreamOf(id), Version: 1})
		if got := p.WaitFor(t.Context(), id, 1); len(got) != len(projections.All()) || time.Since(before) != 0 {
			t.Errorf("a nudge needs no feed: %v after %v", got, time.Since(before))
		}
		time.Sleep(time.Minute) // of the bubble's clock
		unseen := w.Create("bob", "", 500)
		events.set(nil)
		before = time.Now()
		if got := p.WaitFor(t.Context(), unseen, 1); len(got) != len(projections.All()) || time.Since(before) > 5*time.Second {
			t.Errorf("it comes back by itself: %v after %v", got, time.Since(before))
		}
		time.Sleep(3 * time.Second) // of the bubble's clock
		says("")
		stop()
		running.Wait()
	})
}

// A process that runs a part of the feed has the rows of the orders in it, whoever tells it of others, and lacks nothing of those.
func TestAPartIsTheOrdersOfItsSlices(t *testing.T) {
	w := newWorld(t)
	half := eventstore.Part{Index: 1, Of: 2}
	p := runner.New(w.Events, w.Read, runner.Options{Clock: w.Clock, Part: half})
	w.Step(p)
	var inside, outside int
	for range 40 {
		id := w.Create("ada", "", 500)
		p.Nudge(eventstore.Head{Stream: orders.StreamOf(id), Version: 1})
		if half.Has(eventstore.SliceOf(orders.StreamOf(id))) {
			inside++
		} else {
			outside++
			held := projections.Hold{Key: projections.KeyOf(projections.OrderList), OrderID: id, Version: 1, Reason: "Its own holder tries it again."}
			if err := w.Read.Write(t.Context(), projections.Batch{Key: held.Key, Epoch: w.Epoch(), Holds: []projections.Hold{held}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.Release(t.Context())
	if moved := w.Step(p); moved != len(projections.All())*inside || inside == 0 || outside == 0 {
		t.Errorf("%d rows of %d orders in the part and %d beside it", moved, inside, outside)
	}
	if holds, err := w.Read.Holds(t.Context(), projections.OrderList); err != nil || len(holds) != outside {
		t.Errorf("%d holds of the other part, not %d: %v", len(holds), outside, err)
	}
	states, err := w.Read.States(t.Context())
	for _, projection := range projections.All() {
		whole, part := projection.Key(), projection.Key()
		part.Part = half.Index
		if err != nil || states[whole].Checkpoint != "" || states[part].Checkpoint == "" || states[part].Phase != projections.Running {
			t.Errorf("the part has a checkpoint and a state of its own: %+v, %v", states, err)
		}
	}
	if lag := lagOf(t, p.Monitor(), w.Now); lag != [2]projections.Lag{} {
		t.Errorf("it lacks %v", lag)
	}
}
