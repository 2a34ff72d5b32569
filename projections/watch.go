package projections

import (
	"context"
	"slices"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/orders"
)

// maxTold is how many orders the watch remembers what it told of; what it forgets it may tell twice.
const maxTold = 10_000

// watch follows the feed for OnMoved, so that news of heads reach people while the read store is away, and for the follower.
type watch struct {
	events   eventstore.Store
	read     Reader
	opts     Options
	nudges   *nudges
	follow   *follower
	cursor   eventstore.Cursor
	also     []eventstore.Cursor // from where the feed is followed before that, to begin with
	started  bool
	moving   bool // the feed named something new when it was asked last
	told     map[domain.OrderID]int
	failures int
}

// run asks the feed as often as it is to be asked, however many nudges come meanwhile.
func (w *watch) run(ctx context.Context) {
	asked := time.Time{}
	for ctx.Err() == nil {
		if left := w.opts.pollAfter(w.moving) - time.Since(asked); left > 0 {
			w.tell(w.nudges.take())
			pause(ctx, left, w.nudges.wake)
			continue
		}
		err := w.pass(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			w.failures++
			if w.failures == 1 {
				w.opts.Log.Warn("the feed of moved orders failed", "error", err)
			}
			pause(ctx, backoff(w.failures), nil)
			continue
		}
		w.failures, asked = 0, time.Now()
	}
}

// begin is where the projections are: who opens a page from now on knows the rest. What one of them has and another has not is still to come.
// If that cannot be asked, the feed is followed from its beginning, which costs only time.
func (w *watch) begin(ctx context.Context) {
	if w.started {
		return
	}
	w.started = true
	states, err := w.read.States(ctx)
	if err != nil {
		return
	}
	for _, name := range Names() {
		w.also = append(w.also, states[name].Checkpoint)
	}
	w.also = slices.Compact(w.also)
	w.cursor, w.also = w.also[0], w.also[1:]
}

// pass tells of all heads that moved since the last one.
func (w *watch) pass(ctx context.Context) error {
	if w.opts.OnMoved == nil && w.opts.OnRows == nil {
		return nil // nobody listens
	}
	w.tell(w.nudges.take())
	w.moving = false
	w.begin(ctx)
	for {
		heads, next, err := w.events.Feed(ctx, orders.Category, eventstore.Whole, w.cursor, eventstore.MaxPage)
		if fault.KindOf(err) == fault.Malformed && w.cursor != "" {
			w.cursor = "" // of another log: begin again
			continue
		}
		if err != nil {
			return eventsFailed(err)
		}
		w.cursor = next
		if len(heads) == 0 && len(w.also) > 0 {
			w.cursor, w.also = w.also[0], w.also[1:]
			continue
		}
		if len(heads) == 0 {
			return nil
		}
		w.moving = w.tell(heads) || w.moving
	}
}

// tell answers whether there was anything new.
func (w *watch) tell(heads []eventstore.Head) bool {
	if w.told == nil || len(w.told) > maxTold {
		w.told = map[domain.OrderID]int{}
	}
	var news []eventstore.Head
	for _, h := range heads {
		if w.told[orders.IDOf(h.Stream)] < h.Version {
			w.told[orders.IDOf(h.Stream)] = h.Version
			news = append(news, h)
		}
	}
	if len(news) == 0 {
		return false
	}
	w.follow.expect(news)
	if w.opts.OnMoved != nil {
		w.opts.OnMoved(news)
	}
	return true
}

// meter counts events over the last ten seconds.
type meter struct {
	began   time.Time
	batches []measured
}

type measured struct {
	at     time.Time
	events int
}

func (m *meter) add(at time.Time, events int) {
	if m.began.IsZero() {
		m.began = at
	}
	if events > 0 {
		m.batches = append(m.batches, measured{at, events})
	}
}

// rate is in events a second.
func (m *meter) rate(now time.Time) float64 {
	sum, old := 0, 0
	for i, b := range m.batches {
		if now.Sub(b.at) > rateOver {
			old = i + 1
			continue
		}
		sum += b.events
	}
	m.batches = append(m.batches[:0], m.batches[old:]...)
	over := max(min(now.Sub(m.began), rateOver), time.Second)
	return float64(sum) / over.Seconds()
}
