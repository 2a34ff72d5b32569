package runner_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/orders"
	"headway/projections"
	"headway/projections/runner"
	"headway/projections/runnertest"
)

// counted is an event store whose feed is counted, and names some moves again to whoever begins at a cursor of another process.
type counted struct {
	eventstore.Store
	asked atomic.Int32
	again []eventstore.Head
}

func (c *counted) Feed(
	ctx context.Context, category string, part eventstore.Part, after eventstore.Cursor, limit int,
) ([]eventstore.Head, eventstore.Cursor, error) {
	c.asked.Add(1)
	named, own := c.split(after)
	if rest := c.again[named:]; len(rest) > 0 {
		heads := rest[:min(limit, len(rest))]
		return heads, c.join(named+len(heads), own), nil
	}
	heads, next, err := c.Store.Feed(ctx, category, part, own, limit)
	return heads, c.join(named, next), err
}

func (c *counted) Earlier(category string, a, b eventstore.Cursor) (eventstore.Cursor, error) {
	first, one := c.split(a)
	second, other := c.split(b)
	own, err := c.Store.Earlier(category, one, other)
	return c.join(min(first, second), own), err
}

// split says how many of the moves were named again before a cursor, and gives the store's own.
func (c *counted) split(at eventstore.Cursor) (named int, own eventstore.Cursor) {
	rest, ok := strings.CutPrefix(string(at), "again:")
	if !ok {
		return 0, at
	}
	number, rest, _ := strings.Cut(rest, ":")
	named, _ = strconv.Atoi(number)
	return named, eventstore.Cursor(rest)
}

func (c *counted) join(named int, own eventstore.Cursor) eventstore.Cursor {
	return eventstore.Cursor(fmt.Sprintf("again:%d:%s", named, own))
}

func lagOf(t *testing.T, o *runner.Monitor, now time.Time) [2]projections.Lag {
	t.Helper()
	all, err := o.Look(t.Context(), now)
	if err != nil || len(all) != len(projections.All()) || !all[0].LagIsExact || !all[1].LagIsExact {
		t.Fatalf("%+v, %v", all, err)
	}
	return [2]projections.Lag{all[0].Lag, all[1].Lag}
}

func TestALookCostsWhatIsNew(t *testing.T) {
	w := newWorld(t)
	events := &counted{Store: w.Events}
	o := runner.NewMonitor(events, w.Read)
	p := w.Projector()
	first := w.Create("ada", "A-1", 500)
	w.Step(p)
	lagOf(t, o, w.Now)
	events.asked.Store(0)
	for range 10 {
		if lag := lagOf(t, o, w.Now); lag != [2]projections.Lag{} {
			t.Errorf("nothing is missing: %v", lag)
		}
	}
	if n := events.asked.Load(); n != 10 {
		t.Errorf("while nothing moves, a look asks the feed once for all projections: 10 looks asked %d times", n)
	}
	w.Do(first, 1, domain.AddItem{Item: runnertest.Line(1)})
	second := w.Create("bob", "", 1)
	want := projections.Lag{Events: 2, Age: 3 * time.Second}
	if lag := lagOf(t, o, w.Now.Add(2*time.Second)); lag != [2]projections.Lag{want, want} {
		t.Errorf("what is missing is counted: %v", lag)
	}
	w.Do(second, 1, domain.ConfirmOrder{})
	want.Events = 3
	if lag := lagOf(t, o, w.Now.Add(time.Second)); lag != [2]projections.Lag{want, want} {
		t.Errorf("and what was missing before stays so: %v", lag)
	}
	w.Step(p)
	if lag := lagOf(t, o, w.Now); lag != [2]projections.Lag{} {
		t.Errorf("until it is there: %v", lag)
	}
}

func TestWhatTheFeedNamesAgainIsNoLag(t *testing.T) {
	w := newWorld(t)
	for range 1100 {
		w.Create("ada", "", 1)
	}
	w.Step(w.Projector())
	heads, _, err := w.Events.Feed(t.Context(), orders.Category, eventstore.Whole, "", 2*runner.MaxLagOrders)
	if err != nil || len(heads) != 1000 {
		t.Fatalf("%d heads, %v", len(heads), err)
	}
	events := &counted{Store: w.Events, again: append(heads, heads...)}
	o := runner.NewMonitor(events, w.Read)
	if lag := lagOf(t, o, w.Now); lag != [2]projections.Lag{} {
		t.Errorf("a feed that names thousands again lacks nothing: %v", lag)
	}
}

func TestThoseWhoLookAtOnceShareALook(t *testing.T) {
	several(t, 1, func(t *testing.T, w *world, all []*process) {
		events, read := &counted{Store: w.Events}, &gate{Store: w.Read}
		o := runner.NewMonitor(events, read)
		lagOf(t, o, time.Now())
		events.asked.Store(0)
		read.shut()
		all[0].shut() // so that no row comes
		leaving, leave := context.WithCancel(t.Context())
		var looking sync.WaitGroup
		look := func(ctx context.Context) {
			looking.Go(func() {
				all, err := o.Look(ctx, time.Now())
				if len(all) != len(projections.All()) || err != nil && ctx.Err() == nil || err == nil && all[0].Lag.Events != 2 {
					t.Errorf("%+v, %v", all, err)
				}
			})
			synctest.Wait()
		}
		w.Create("ada", "", 1)
		look(leaving) // looks, and leaves
		look(leaving) // is to look for all that follow, and leaves
		for range 20 {
			look(t.Context())
		}
		w.Create("bob", "", 1)
		leave()
		synctest.Wait()
		read.open()
		looking.Wait()
		if n := events.asked.Load(); n > 4 {
			t.Errorf("20 looks asked the feed %d times", n)
		}
		all[0].open()
	})
}

// look is the status of the order list.
func (w *world) look() projections.Status {
	w.T.Helper()
	statuses, err := runner.Look(w.T.Context(), w.Events, w.Read, w.Now)
	if err != nil || len(statuses) != len(projections.All()) {
		w.T.Fatalf("%+v, %v", statuses, err)
	}
	return statuses[0]
}

func TestAProjectionThatNeverRanIsBehindByTheWholeLog(t *testing.T) {
	w := newWorld(t)
	id := w.Create("ada", "A-1", 500)
	oldest := w.Now
	w.Do(id, 1, domain.ConfirmOrder{})
	w.Create("ada", "A-2", 500)
	w.Now = w.Now.Add(5 * time.Second)
	s := w.look()
	if s.State != projections.Stalled || s.Lag.Events != 3 || s.Lag.Age != w.Now.Sub(oldest) || !s.LagIsExact || s.Cursor != "" {
		t.Errorf("%+v", s)
	}
}

func TestLagIsCountedFromTheLogAndTheRows(t *testing.T) {
	w := newWorld(t)
	id := w.Create("ada", "A-1", 500)
	w.Step(w.Projector())
	if s := w.look(); s.State != projections.Running || s.Lag != (projections.Lag{}) || !s.LagIsExact || s.Cursor == "" {
		t.Errorf("caught up: %+v", s)
	}
	w.Do(id, 1, domain.AddItem{Item: runnertest.Line(1)})
	first := w.Now
	w.Do(id, 2, domain.AddItem{Item: runnertest.Line(1)})
	w.Create("bob", "A-2", 1)
	if s := w.look(); s.Lag.Events != 3 || s.Lag.Age != w.Now.Sub(first) || !s.LagIsExact {
		t.Errorf("three events, the oldest missing one counts: %+v", s)
	}
	// A row that is ahead of the checkpoint, as after a nudge, is not behind.
	p := w.Projector()
	rows, err := w.Read.Rows(t.Context(), projections.OrderList, id)
	if err != nil {
		t.Fatal(err)
	}
	records, err := w.Events.Read(t.Context(), orders.StreamOf(id), 1)
	if err != nil {
		t.Fatal(err)
	}
	row, _, err := projections.FoldOrderList(domain.Codec{}, rows[id].(projections.OrderRow), records)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Read.Write(t.Context(), projections.Batch{Key: projections.KeyOf(projections.OrderList), Epoch: w.Epoch(), Rows: []projections.Row{row}}); err != nil {
		t.Fatal(err)
	}
	if s := w.look(); s.Lag.Events != 1 {
		t.Errorf("one event: %+v", s)
	}
	w.Step(p)
	w.Now = w.Now.Add(projections.StalledAfter)
	if s := w.look(); s.State != projections.Running || s.Lag.Events != 0 {
		t.Errorf("a heartbeat is good for a while: %+v", s)
	}
	w.Now = w.Now.Add(time.Second)
	if s := w.look(); s.State != projections.Stalled || s.Reason != "No heartbeat for 11 s." || s.Rate != 0 {
		t.Errorf("and then the projection is stalled: %+v", s)
	}
}

func TestLagIsExactUpToABound(t *testing.T) {
	w := newWorld(t)
	for i := range runner.MaxLagOrders {
		w.Create("ada", fmt.Sprint("A-", i), 1)
	}
	if s := w.look(); s.Lag.Events != runner.MaxLagOrders || !s.LagIsExact {
		t.Errorf("up to the bound it is exact: %+v, %v", s.Lag, s.LagIsExact)
	}
	w.Create("ada", "one more", 1)
	if s := w.look(); s.Lag.Events != runner.MaxLagOrders || s.LagIsExact {
		t.Errorf("beyond it is a lower bound: %+v, %v", s.Lag, s.LagIsExact)
	}
}

func TestAStoreThatIsAwayIsAStateNotAnError(t *testing.T) {
	w := newWorld(t)
	w.Create("ada", "A-1", 500)
	w.Step(w.Projector())
	w.Events.Close()
	if s := w.look(); s.State != projections.Unreachable || s.LagIsExact || s.Reason != "The event store cannot be reached." {
		t.Errorf("%+v", s)
	}
	w.Read.Close()
	if s := w.look(); s.State != projections.Unreachable || s.LagIsExact || s.Reason != "The read store cannot be reached." ||
		projections.StampList(s).State != projections.StampUnknown {
		t.Errorf("%+v", s)
	}
}
