package projections_test

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
	named, own := 0, after
	if place, ok := strings.CutPrefix(string(after), "again:"); ok {
		number, rest, _ := strings.Cut(place, ":")
		named, _ = strconv.Atoi(number)
		own = eventstore.Cursor(rest)
	}
	if rest := c.again[named:]; len(rest) > 0 {
		heads := rest[:min(limit, len(rest))]
		return heads, eventstore.Cursor(fmt.Sprintf("again:%d:%s", named+len(heads), own)), nil
	}
	heads, next, err := c.Store.Feed(ctx, orders.Category, eventstore.Whole, own, limit)
	return heads, eventstore.Cursor(fmt.Sprintf("again:%d:%s", named, next)), err
}

func lagOf(t *testing.T, o *projections.Lookout, now time.Time) [2]projections.Lag {
	t.Helper()
	all, err := o.Look(t.Context(), now)
	if err != nil || len(all) != 2 || !all[0].LagIsExact || !all[1].LagIsExact {
		t.Fatalf("%+v, %v", all, err)
	}
	return [2]projections.Lag{all[0].Lag, all[1].Lag}
}

func TestALookCostsWhatIsNew(t *testing.T) {
	w := newWorld(t)
	events := &counted{Store: w.events}
	o := projections.NewLookout(events, w.read)
	p := w.projector()
	first := w.create("ada", "A-1", 500)
	w.step(p)
	lagOf(t, o, w.now)
	events.asked.Store(0)
	for range 10 {
		if lag := lagOf(t, o, w.now); lag != [2]projections.Lag{} {
			t.Errorf("nothing is missing: %v", lag)
		}
	}
	if n := events.asked.Load(); n != 10 {
		t.Errorf("while nothing moves, a look asks the feed once for all projections: 10 looks asked %d times", n)
	}
	w.do(first, 1, domain.AddItem{Item: line(1)})
	second := w.create("bob", "", 1)
	want := projections.Lag{Events: 2, Age: 3 * time.Second}
	if lag := lagOf(t, o, w.now.Add(2*time.Second)); lag != [2]projections.Lag{want, want} {
		t.Errorf("what is missing is counted: %v", lag)
	}
	w.do(second, 1, domain.ConfirmOrder{})
	want.Events = 3
	if lag := lagOf(t, o, w.now.Add(time.Second)); lag != [2]projections.Lag{want, want} {
		t.Errorf("and what was missing before stays so: %v", lag)
	}
	w.step(p)
	if lag := lagOf(t, o, w.now); lag != [2]projections.Lag{} {
		t.Errorf("until it is there: %v", lag)
	}
}

func TestWhatTheFeedNamesAgainIsNoLag(t *testing.T) {
	w := newWorld(t)
	for range 1100 {
		w.create("ada", "", 1)
	}
	w.step(w.projector())
	heads, _, err := w.events.Feed(t.Context(), orders.Category, eventstore.Whole, "", 2*projections.MaxLagOrders)
	if err != nil || len(heads) != 1000 {
		t.Fatalf("%d heads, %v", len(heads), err)
	}
	events := &counted{Store: w.events, again: append(heads, heads...)}
	o := projections.NewLookout(events, w.read)
	if lag := lagOf(t, o, w.now); lag != [2]projections.Lag{} {
		t.Errorf("a feed that names thousands again lacks nothing: %v", lag)
	}
}

func TestThoseWhoLookAtOnceShareALook(t *testing.T) {
	several(t, 1, func(t *testing.T, w *world, all []*process) {
		events, read := &counted{Store: w.events}, &gate{Store: w.read}
		o := projections.NewLookout(events, read)
		lagOf(t, o, time.Now())
		events.asked.Store(0)
		read.shut()
		all[0].shut() // so that no row comes
		leaving, leave := context.WithCancel(t.Context())
		var looking sync.WaitGroup
		look := func(ctx context.Context) {
			looking.Go(func() {
				all, err := o.Look(ctx, time.Now())
				if len(all) != 2 || err != nil && ctx.Err() == nil || err == nil && all[0].Lag.Events != 2 {
					t.Errorf("%+v, %v", all, err)
				}
			})
			synctest.Wait()
		}
		w.create("ada", "", 1)
		look(leaving) // looks, and leaves
		look(leaving) // is to look for all that follow, and leaves
		for range 20 {
			look(t.Context())
		}
		w.create("bob", "", 1)
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
