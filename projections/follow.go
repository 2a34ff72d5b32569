package projections

import (
	"context"
	"slices"
	"sync"
	"time"

	"headway/domain"
	"headway/eventstore"
)

// The bounds of following.
const (
	MaxExpected   = MaxNudges              // orders of one projection whose rows are waited for; the pages of others say themselves that they are behind
	expectedFor   = 5 * time.Minute        // how long a row is waited for
	followSoon    = 200 * time.Millisecond // how often rows are read that were expected lately
	followLater   = time.Second            // and those that are late; the holder reads what it did not write itself
	followLate    = 3 * time.Second        // what is late: then it may be held
	sumsArriveFor = time.Second            // how long after a contribution the sum of its customer may be written
)

// follower tells this process's browsers of the rows that another process wrote: it knows from the feed which orders moved, and reads their
// rows until they are there.
//
// It works in both roles, because rows may come from elsewhere in both: the holder before wrote some whose moves are not known here yet.
type follower struct {
	read     Store
	opts     Options
	arrivals *arrivals
	wake     chan struct{}

	mu       sync.Mutex
	expected map[string]map[domain.OrderID]expected // by projection
}

// expected is a row that is waited for.
type expected struct {
	version int
	since   time.Time
	told    time.Time // when a contribution was told for the first time; it is told once more
}

func newFollower(read Store, a *arrivals, opts Options) *follower {
	f := &follower{read: read, opts: opts, arrivals: a, wake: make(chan struct{}, 1), expected: map[string]map[domain.OrderID]expected{}}
	for _, name := range Names() {
		f.expected[name] = map[domain.OrderID]expected{}
	}
	return f
}

// expect waits for the rows of orders that have moved.
func (f *follower) expect(heads []eventstore.Head) {
	now := f.opts.Clock()
	f.mu.Lock()
	for _, all := range f.expected {
		for _, h := range heads {
			if _, known := all[h.OrderID]; known || len(all) < MaxExpected {
				all[h.OrderID] = expected{version: max(h.Version, all[h.OrderID].version), since: now}
			}
		}
	}
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *follower) run(ctx context.Context, lease *tenure) {
	failures, last := 0, time.Time{}
	for ctx.Err() == nil {
		r, changed := lease.now()
		wait, wake := f.wait(r.epoch == 0), f.wake
		if r.epoch != 0 {
			wake = nil // its own loops are at it
		}
		if failures > 0 {
			wait, wake = max(wait, backoff(failures)), nil
		}
		rest(ctx, wait, wake, changed)
		pause(ctx, followSoon-time.Since(last), nil) // however much moves
		last = time.Now()
		if err := f.pass(ctx, r.epoch == 0); err != nil {
			failures++
			continue
		}
		failures = 0
	}
}

// rest waits for a while, for news, a change, or the end.
func rest(ctx context.Context, d time.Duration, wake, changed <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-wake:
	case <-changed:
	}
}

// wait is how long until the next pass.
func (f *follower) wait(standsBy bool) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.opts.Clock()
	for _, all := range f.expected {
		for _, e := range all {
			if standsBy && e.told.IsZero() && now.Sub(e.since) < followLate {
				return followSoon
			}
		}
	}
	return followLater
}

// pass tells of the rows that have arrived. The holder reads only what is late, and at most a batch of it: its loops tell the rest.
func (f *follower) pass(ctx context.Context, standsBy bool) error {
	for _, name := range Names() {
		ids := f.due(name, standsBy)
		for chunk := range slices.Chunk(ids, BatchOrders) {
			rows, err := f.read.Rows(ctx, name, chunk...)
			if err != nil {
				return readFailed(err)
			}
			late := f.arrived(name, chunk, rows)
			if len(late) == 0 {
				continue
			}
			holds, err := f.read.Holds(ctx, name, late...)
			if err != nil {
				return readFailed(err)
			}
			f.held(name, holds)
		}
	}
	return nil
}

// due are the orders whose rows are to be read now. What this process's own loops have told, and what was waited for long enough, is
// waited for no more.
func (f *follower) due(name string, standsBy bool) []domain.OrderID {
	now := f.opts.Clock()
	f.mu.Lock()
	defer f.mu.Unlock()
	var ids []domain.OrderID
	for id, e := range f.expected[name] {
		switch {
		case e.told.IsZero() && f.arrivals.has(name, id, e.version) || now.Sub(e.since) > expectedFor:
			delete(f.expected[name], id)
		case !e.told.IsZero() && now.Sub(e.told) < sumsArriveFor:
		case standsBy || now.Sub(e.since) >= followLater && len(ids) < BatchOrders:
			ids = append(ids, id)
		}
	}
	return ids
}

// arrived tells of the rows that are there, and answers the orders whose rows are late.
func (f *follower) arrived(name string, ids []domain.OrderID, rows map[domain.OrderID]Row) (late []domain.OrderID) {
	now := f.opts.Clock().UTC()
	var news []Row
	f.mu.Lock()
	for _, id := range ids {
		e, waiting := f.expected[name][id]
		row := rows[id]
		switch {
		case !waiting:
		case row != nil && row.At() >= e.version:
			news = append(news, row)
			delete(f.expected[name], id)
			if _, summed := row.(Contribution); summed && e.told.IsZero() {
				e.told = now
				f.expected[name][id] = e
			}
		case now.Sub(e.since) >= followLate:
			late = append(late, id)
		}
	}
	f.mu.Unlock()
	if len(news) == 0 {
		return late
	}
	f.arrivals.add(name, news, time.Time{}) // when the store acknowledged them is known elsewhere
	if f.opts.OnRows != nil {
		f.opts.OnRows(name, news, now)
	}
	return late
}

// held tells of orders that are late because they are held, and waits for them no more.
func (f *follower) held(name string, holds []Hold) {
	for _, h := range holds {
		f.mu.Lock()
		delete(f.expected[name], h.OrderID)
		f.mu.Unlock()
		if f.opts.OnHold != nil {
			f.opts.OnHold(h)
		}
	}
}
