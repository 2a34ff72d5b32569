package runner

import (
	"context"
	"slices"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/internal/waiting"
	"headway/orders"
	"headway/projections"
)

// maxTold is how many orders the tail remembers what it told of; what it forgets it may tell twice.
const maxTold = 10_000

// tail follows the feed for OnMoved, so that news of heads reach people while the read store is away, and for the standby.
type tail struct {
	events   eventstore.Store
	read     projections.Reader
	opts     Options
	nudges   *nudges
	standby  *standby
	cursor   eventstore.Cursor
	also     []eventstore.Cursor // from where the feed is followed before that, to begin with
	started  bool
	moving   bool // the feed named something new when it was asked last
	told     map[domain.OrderID]int
	failures int
}

// run asks the feed as often as it is to be asked, however many nudges come meanwhile.
func (t *tail) run(ctx context.Context) {
	asked := time.Time{}
	for ctx.Err() == nil {
		if left := t.opts.pollAfter(t.moving) - time.Since(asked); left > 0 {
			t.tell(t.nudges.drain())
			waiting.ForNews(ctx, left, t.nudges.wake, nil)
			continue
		}
		err := t.pass(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			t.failures++
			if t.failures == 1 {
				t.opts.Log.Warn("the feed of moved orders failed", "error", err)
			}
			_ = waiting.Pause(ctx, backoff(t.failures))
			continue
		}
		t.failures, asked = 0, time.Now()
	}
}

// begin is where the projections are: who opens a page from now on knows the rest. What one of them has and another has not is still to come.
// If that cannot be asked, the feed is followed from its beginning, which costs only time.
func (t *tail) begin(ctx context.Context) {
	if t.started {
		return
	}
	t.started = true
	states, err := t.read.States(ctx)
	if err != nil {
		return
	}
	for _, name := range projections.Names() {
		t.also = append(t.also, states[name].Checkpoint)
	}
	t.also = slices.Compact(t.also)
	t.cursor, t.also = t.also[0], t.also[1:]
}

// pass tells of all heads that moved since the last one.
func (t *tail) pass(ctx context.Context) error {
	if t.opts.OnMoved == nil && t.opts.OnRows == nil {
		return nil // nobody listens
	}
	t.tell(t.nudges.drain())
	t.moving = false
	t.begin(ctx)
	for {
		heads, next, err := t.events.Feed(ctx, orders.Category, eventstore.Whole, t.cursor, eventstore.MaxPage)
		if fault.KindOf(err) == fault.Malformed && t.cursor != "" {
			t.cursor = "" // of another log: begin again
			continue
		}
		if err != nil {
			return eventsFailed(err)
		}
		t.cursor = next
		if len(heads) == 0 && len(t.also) > 0 {
			t.cursor, t.also = t.also[0], t.also[1:]
			continue
		}
		if len(heads) == 0 {
			return nil
		}
		t.moving = t.tell(heads) || t.moving
	}
}

// tell answers whether there was anything new.
func (t *tail) tell(heads []eventstore.Head) bool {
	if t.told == nil || len(t.told) > maxTold {
		t.told = map[domain.OrderID]int{}
	}
	var news []eventstore.Head
	for _, h := range heads {
		if t.told[orders.IDOf(h.Stream)] < h.Version {
			t.told[orders.IDOf(h.Stream)] = h.Version
			news = append(news, h)
		}
	}
	if len(news) == 0 {
		return false
	}
	t.standby.expect(news)
	if t.opts.OnMoved != nil {
		t.opts.OnMoved(news)
	}
	return true
}
