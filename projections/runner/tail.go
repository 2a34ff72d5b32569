package runner

import (
	"context"
	"errors"
	"sync"
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

// tail is the one reader of the feed in this process: it keeps the newest pages in a ring for workers and the monitor, and tells of heads,
// so that news of them reach people while the read store is away. Who is behind the ring reads the feed by a cursor of its own, with feed,
// until it has come to the end, and joins then.
type tail struct {
	events eventstore.Store
	read   projections.Reader
	opts   Options
	nudges *nudges
	listen bool                    // somebody hears of moves, from where the projections are at the start
	onMove func([]eventstore.Head) // what is new
	onPage []func()                // wakes a worker

	turn chan struct{} // has a token while nobody reads a page

	mu      sync.Mutex
	ring    ring
	begun   bool      // the ring has an end
	ended   bool      // which is that of the feed, when it was read last
	failed  error     // of the last read; nil if it was answered
	moving  bool      // the feed named something new when it was read to its end last
	askedAt time.Time // when it was read to its end last, whoever did

	telling sync.Mutex
	told    map[domain.OrderID]int
}

func newTail(events eventstore.Store, read projections.Reader, opts Options) *tail {
	t := &tail{events: events, read: read, opts: opts, nudges: newNudges(), turn: make(chan struct{}, 1), told: map[domain.OrderID]int{}}
	t.turn <- struct{}{}
	return t
}

// run reads the feed as often as it is to be asked, however many nudges come meanwhile.
func (t *tail) run(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		if left := t.due(); left > 0 {
			t.tell(t.nudges.drain())
			waiting.ForNews(ctx, left, t.nudges.wake, nil)
			continue
		}
		err := t.pass(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			failures++
			if failures == 1 {
				t.opts.Log.Warn("the feed of moved orders failed", "error", err)
			}
			_ = waiting.Pause(ctx, backoff(failures))
			continue
		}
		failures = 0
	}
}

// begin is where the projections are: who opens a page from now on knows the rest. What one of them has and another has not is still to
// come. If that cannot be asked, the feed is followed from its beginning, which costs only time.
func (t *tail) begin(ctx context.Context) {
	t.mu.Lock()
	begun := t.begun
	t.mu.Unlock()
	if begun || !t.listen {
		return
	}
	var from eventstore.Cursor
	states, err := t.read.States(ctx)
	for i, projection := range projections.All() {
		if at := states[t.opts.key(projection)].Checkpoint; i == 0 {
			from = at
		} else if err == nil {
			from, err = t.events.Earlier(orders.Category, from, at)
		}
	}
	if err != nil {
		from = ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.begun {
		t.begun, t.ring.end = true, from
	}
}

// pass tells of all heads that moved since the last one.
func (t *tail) pass(ctx context.Context) error {
	t.tell(t.nudges.drain())
	t.begin(ctx)
	t.mu.Lock()
	t.moving = false
	t.mu.Unlock()
	for more := true; more; {
		var err error
		if more, err = t.readOn(ctx); err != nil {
			return err
		}
	}
	return nil
}

// readOn reads one page more. One reads at a time: who comes meanwhile gets what comes after it.
func (t *tail) readOn(ctx context.Context) (more bool, err error) {
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-t.turn:
		defer func() { t.turn <- struct{}{} }()
	}
	t.mu.Lock()
	begun, after := t.begun, t.ring.end
	if !begun { // nobody follows yet
		t.askedAt = time.Now()
	}
	t.mu.Unlock()
	if !begun {
		return false, nil
	}
	p, err := t.feed(ctx, after, feedPage)
	if err != nil {
		if ctx.Err() == nil {
			t.mu.Lock()
			t.failed = err
			t.mu.Unlock()
		}
		return false, err
	}
	t.mu.Lock()
	if t.ring.end != after { // somebody joined meanwhile, and what this page names is named again
		t.mu.Unlock()
		return true, nil
	}
	if p.next != after {
		t.ring.add(p)
	}
	if t.failed, t.ended = nil, len(p.heads) == 0; t.ended {
		t.askedAt = time.Now()
	}
	t.mu.Unlock()
	if len(p.heads) > 0 {
		for _, wake := range t.onPage {
			wake()
		}
		if t.tell(p.heads) {
			t.mu.Lock()
			t.moving = true
			t.mu.Unlock()
		}
	}
	return len(p.heads) > 0, nil
}

// feed reads a page of the feed after a cursor, whoever follows there. After one that is not of this log it begins anew.
func (t *tail) feed(ctx context.Context, after eventstore.Cursor, limit int) (page, error) {
	p := page{after: after}
	var err error
	p.heads, p.next, err = t.events.Feed(ctx, orders.Category, t.opts.Part, after, limit)
	if after != "" && fault.KindOf(err) == fault.Malformed {
		p.anew, p.otherLog = true, errors.Is(err, eventstore.ErrOtherLog)
		p.heads, p.next, err = t.events.Feed(ctx, orders.Category, t.opts.Part, "", limit)
	}
	return p, eventsFailed(err)
}

// after is the page after a cursor as far as it is in the ring.
func (t *tail) after(at eventstore.Cursor) (p page, more, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.begun {
		return page{}, false, false
	}
	return t.ring.after(at)
}

// join answers where somebody goes on who has come to the end of the feed by a cursor of its own. The tail goes back as far as it must for
// both to miss nothing; while it is not at the end itself, the cursor stays alone.
func (t *tail) join(at eventstore.Cursor) eventstore.Cursor {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.begun && !t.listen {
		t.begun, t.ended, t.ring.end = true, true, at
	}
	if !t.ended || at == t.ring.end {
		return at
	}
	both, err := t.events.Earlier(orders.Category, t.ring.end, at)
	if err != nil || both == "" {
		return at // the next page of the feed says why
	}
	if both != t.ring.end {
		t.ring.add(page{after: t.ring.end, next: both})
		t.ended = false
	}
	return both
}

// end is the cursor at the end of the ring; ok is false unless that was the end of the feed, too, when it was read last.
func (t *tail) end() (at eventstore.Cursor, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ring.end, t.begun && t.ended
}

// failure is why the feed was not answered when it was read last.
func (t *tail) failure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}

// due is how long until the feed is to be asked again.
func (t *tail) due() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.opts.pollAfter(t.moving) - time.Since(t.askedAt)
}

// tell answers whether there was anything new.
func (t *tail) tell(heads []eventstore.Head) bool {
	t.telling.Lock()
	defer t.telling.Unlock()
	if len(t.told) > maxTold {
		clear(t.told)
	}
	var news []eventstore.Head
	for _, h := range heads {
		if t.told[orders.IDOf(h.Stream)] < h.Version {
			t.told[orders.IDOf(h.Stream)] = h.Version
			news = append(news, h)
		}
	}
	if len(news) > 0 && t.onMove != nil {
		t.onMove(news)
	}
	return len(news) > 0
}
