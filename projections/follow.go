package projections

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/orders"
)

// The bounds of following.
const (
	MaxExpected = MaxNudges              // orders of one projection whose rows are waited for; the pages of others say themselves that they are behind
	expectedFor = 5 * time.Minute        // how long a row is waited for
	followSoon  = 200 * time.Millisecond // how often rows are read that were expected lately
	followLater = time.Second            // and those that are late; the holder reads what it did not write itself
	followLate  = 3 * time.Second        // what is late: then it may be held
	followHolds = 5 * time.Second        // how often holds are looked at: the release of one moves no order
	sumFollows  = 400 * time.Millisecond // how long after a contribution the sum of its customer is usually written
	sumLags     = 2 * time.Second        // and at the latest, while the read store is well
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
	passes   int
	known    map[string]map[domain.OrderID]Hold // holds by projection, as they were seen last
	heldAt   time.Time                          // when they were looked at last

	mu       sync.Mutex
	expected map[string]map[domain.OrderID]expected // by projection
}

// expected is a row that is waited for.
type expected struct {
	version int
	seen    int       // the version the row had at last
	since   time.Time // of the move, or of the row's last change
	read    time.Time // when it was read last; zero if it was not
	pass    int       // in which it was read last
	told    time.Time // when a contribution was told for the first time; it is told again when its customer's sum must be there
	again   bool      // it was told again once
}

// toldAgain is how long after it was told first a contribution is to be told next.
func (e expected) toldAgain() time.Duration {
	if e.again {
		return sumLags
	}
	return sumFollows
}

// isLate tells whether there must be a reason for which the row is not there.
func (e expected) isLate(now time.Time) bool { return now.Sub(e.since) >= followLate }

func newFollower(read Store, a *arrivals, opts Options) *follower {
	f := &follower{read: read, opts: opts, arrivals: a, wake: make(chan struct{}, 1), expected: map[string]map[domain.OrderID]expected{}}
	f.known = map[string]map[domain.OrderID]Hold{}
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
			e, known := all[orders.IDOf(h.Stream)]
			if !known && len(all) >= MaxExpected {
				continue
			}
			if !known || !e.told.IsZero() {
				e = expected{since: now, pass: e.pass, seen: e.seen}
			}
			e.version = max(e.version, h.Version)
			all[orders.IDOf(h.Stream)] = e
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
			if !e.told.IsZero() && !e.again || standsBy && e.told.IsZero() && !e.isLate(now) {
				return followSoon
			}
		}
	}
	return followLater
}

// pass tells of the rows that have arrived. It reads a batch of those that were not read for the longest time, and another while most of a
// batch has arrived: a projection that is far behind costs no more than one that is a little behind. The holder reads only what is late,
// and one batch of it: its loops tell the rest.
func (f *follower) pass(ctx context.Context, standsBy bool) error {
	f.passes++
	if err := f.holds(ctx); err != nil {
		return err
	}
	for _, name := range Names() {
		for {
			ids := f.due(name, standsBy)
			if len(ids) == 0 {
				break
			}
			rows, err := f.read.Rows(ctx, name, ids...)
			if err != nil {
				return readFailed(err)
			}
			came, late := f.arrived(name, ids, rows)
			if len(late) > 0 {
				holds, err := f.read.Holds(ctx, name, late...)
				if err != nil {
					return readFailed(err)
				}
				f.held(name, holds)
			}
			if !standsBy || came <= len(ids)/2 {
				break
			}
		}
	}
	return nil
}

// due are the orders whose rows are to be read now, at most a batch. What this process's own loops have told, and what was waited for long
// enough, is waited for no more.
func (f *follower) due(name string, standsBy bool) []domain.OrderID {
	now := f.opts.Clock()
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.expected[name]
	var ids []domain.OrderID
	for id, e := range all {
		switch {
		case e.told.IsZero() && f.arrivals.has(name, id, e.version) || now.Sub(e.since) > expectedFor:
			delete(all, id)
		case e.pass == f.passes:
		case !e.told.IsZero():
			if now.Sub(e.told) >= e.toldAgain() {
				ids = append(ids, id)
			}
		case e.isLate(now) && now.Sub(e.read) < followLater:
		case standsBy || now.Sub(e.since) >= followLater:
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b domain.OrderID) int { return cmp.Compare(all[a].pass, all[b].pass) })
	ids = ids[:min(len(ids), BatchOrders)]
	for _, id := range ids {
		e := all[id]
		e.pass, e.read = f.passes, now
		all[id] = e
	}
	return ids
}

// arrived tells of the rows that have moved, and answers how many need not be waited for any more, and which orders are late.
func (f *follower) arrived(name string, ids []domain.OrderID, rows map[domain.OrderID]Row) (came int, late []domain.OrderID) {
	now := f.opts.Clock().UTC()
	var news []Row
	f.mu.Lock()
	all := f.expected[name]
	for _, id := range ids {
		e, waiting := all[id]
		row := rows[id]
		if !waiting {
			continue
		}
		at := 0
		if row != nil {
			at = row.At()
		}
		_, summed := row.(Contribution)
		switch {
		case at >= e.version && summed && e.told.IsZero():
			e.told, e.seen = now, at
			all[id] = e
		case at >= e.version && summed && !e.again:
			e.again = true
			all[id] = e
		case at >= e.version:
			delete(all, id)
		case at > e.seen: // the order moves faster than its row is read
			e.seen, e.since = at, now
			all[id] = e
		case e.isLate(now):
			late = append(late, id)
			continue
		default:
			continue
		}
		news = append(news, row)
		if at >= e.version {
			came++
		}
	}
	f.mu.Unlock()
	f.arrivals.tell(name, news, time.Time{}) // when the store acknowledged them is known elsewhere
	return came, late
}

// holds tells of the orders that another process holds since the last look, and of the rows of those that it holds no more.
func (f *follower) holds(ctx context.Context) error {
	now := f.opts.Clock()
	if now.Sub(f.heldAt) < followHolds {
		return nil
	}
	for _, name := range Names() {
		holds, err := f.read.Holds(ctx, name)
		if err != nil {
			return readFailed(err)
		}
		released := maps.Clone(f.known[name])
		var news []Hold
		for _, h := range holds {
			if old, known := released[h.OrderID]; !known || old.Version != h.Version {
				news = append(news, h)
			}
			delete(released, h.OrderID)
		}
		if len(released) > 0 {
			rows, err := f.read.Rows(ctx, name, slices.Collect(maps.Keys(released))...)
			if err != nil {
				return readFailed(err)
			}
			f.arrivals.tell(name, slices.Collect(maps.Values(rows)), time.Time{})
		}
		for id := range released {
			delete(f.known[name], id)
		}
		if f.known[name] != nil {
			f.held(name, news)
			continue
		}
		f.known[name] = map[domain.OrderID]Hold{} // at first they are no news
		for _, h := range holds {
			f.known[name][h.OrderID] = h
		}
	}
	f.heldAt = now
	return nil
}

// held tells of orders that are held, and waits for them no more.
func (f *follower) held(name string, holds []Hold) {
	for _, h := range holds {
		if f.known[name] != nil {
			f.known[name][h.OrderID] = h
		}
		f.mu.Lock()
		delete(f.expected[name], h.OrderID)
		f.mu.Unlock()
		if f.opts.OnHold != nil {
			f.opts.OnHold(h)
		}
	}
}
