package runner

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/internal/waiting"
	"headway/orders"
	"headway/projections"
)

// The bounds of standing by.
const (
	MaxExpected  = MaxNudges              // orders of one projection whose rows are waited for; the pages of others say themselves that they are behind
	expectedFor  = 5 * time.Minute        // how long a row is waited for
	standbySoon  = 200 * time.Millisecond // how often rows are read that were expected lately
	standbyLater = time.Second            // and those that are late; the holder reads what it did not write itself
	standbyLate  = 3 * time.Second        // what is late: then it may be held
	standbyHolds = 5 * time.Second        // how often holds are looked at: the release of one moves no order
	sumComes     = 400 * time.Millisecond // how long after a contribution the sum of its customer is usually written
	sumLags      = 2 * time.Second        // and at the latest, while the read store is well
)

// standby tells this process's browsers of the rows that another process wrote: it knows from the feed which orders moved, and reads their
// rows until they are there.
//
// It works in every term, because rows may come from elsewhere in both: the holder before wrote some whose moves are not known here yet.
type standby struct {
	read      projections.Store
	opts      Options
	positions *positions
	wake      chan struct{}
	passes    int
	known     map[string]map[domain.OrderID]projections.Hold // holds by projection, as they were seen last
	heldAt    time.Time                                      // when they were looked at last

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
	return sumComes
}

// isLate tells whether there must be a reason for which the row is not there.
func (e expected) isLate(now time.Time) bool { return now.Sub(e.since) >= standbyLate }

func newStandby(read projections.Store, a *positions, opts Options) *standby {
	s := &standby{read: read, opts: opts, positions: a, wake: make(chan struct{}, 1), expected: map[string]map[domain.OrderID]expected{}}
	s.known = map[string]map[domain.OrderID]projections.Hold{}
	for _, projection := range projections.All() {
		s.expected[projection.Name] = map[domain.OrderID]expected{}
	}
	return s
}

// expect waits for the rows of orders that have moved.
func (s *standby) expect(heads []eventstore.Head) {
	now := s.opts.Clock()
	s.mu.Lock()
	for _, all := range s.expected {
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
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *standby) run(ctx context.Context, lease *elector) {
	failures, last := 0, time.Time{}
	for ctx.Err() == nil {
		r, changed := lease.now()
		wait, wake := s.wait(r.epoch == 0), s.wake
		if r.epoch != 0 {
			wake = nil // its own workers are at it
		}
		if failures > 0 {
			wait, wake = max(wait, backoff(failures)), nil
		}
		waiting.ForNews(ctx, wait, wake, changed)
		_ = waiting.Pause(ctx, standbySoon-time.Since(last)) // however much moves
		last = time.Now()
		if err := s.pass(ctx, r.epoch == 0); err != nil {
			failures++
			continue
		}
		failures = 0
	}
}

// wait is how long until the next pass.
func (s *standby) wait(standsBy bool) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.opts.Clock()
	for _, all := range s.expected {
		for _, e := range all {
			if !e.told.IsZero() && !e.again || standsBy && e.told.IsZero() && !e.isLate(now) {
				return standbySoon
			}
		}
	}
	return standbyLater
}

// pass tells of the rows that have arrived. It reads a batch of those that were not read for the longest time, and another while most of a
// batch has arrived: a projection that is far behind costs no more than one that is a little behind. The holder reads only what is late,
// and one batch of it: its workers tell the rest.
func (s *standby) pass(ctx context.Context, standsBy bool) error {
	s.passes++
	if err := s.holds(ctx); err != nil {
		return err
	}
	for _, projection := range projections.All() {
		for {
			ids := s.due(projection.Name, standsBy)
			if len(ids) == 0 {
				break
			}
			rows, err := s.read.Rows(ctx, projection.Name, ids...)
			if err != nil {
				return readFailed(err)
			}
			came, late := s.arrived(projection.Name, ids, rows)
			if len(late) > 0 {
				holds, err := s.read.Holds(ctx, projection.Name, late...)
				if err != nil {
					return readFailed(err)
				}
				s.held(projection.Name, holds)
			}
			if !standsBy || came <= len(ids)/2 {
				break
			}
		}
	}
	return nil
}

// due are the orders whose rows are to be read now, at most a batch. What this process's own workers have told, and what was waited for
// long enough, is waited for no more.
func (s *standby) due(name string, standsBy bool) []domain.OrderID {
	now := s.opts.Clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.expected[name]
	var ids []domain.OrderID
	for id, e := range all {
		switch {
		case e.told.IsZero() && s.positions.has(name, id, e.version) || now.Sub(e.since) > expectedFor:
			delete(all, id)
		case e.pass == s.passes:
		case !e.told.IsZero():
			if now.Sub(e.told) >= e.toldAgain() {
				ids = append(ids, id)
			}
		case e.isLate(now) && now.Sub(e.read) < standbyLater:
		case standsBy || now.Sub(e.since) >= standbyLater:
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b domain.OrderID) int { return cmp.Compare(all[a].pass, all[b].pass) })
	ids = ids[:min(len(ids), projections.BatchOrders)]
	for _, id := range ids {
		e := all[id]
		e.pass, e.read = s.passes, now
		all[id] = e
	}
	return ids
}

// arrived tells of the rows that have moved, and answers how many need not be waited for any more, and which orders are late.
func (s *standby) arrived(name string, ids []domain.OrderID, rows map[domain.OrderID]projections.Row) (came int, late []domain.OrderID) {
	now := s.opts.Clock().UTC()
	var news []projections.Row
	s.mu.Lock()
	all := s.expected[name]
	for _, id := range ids {
		e, known := all[id]
		row := rows[id]
		if !known {
			continue
		}
		at := 0
		if row != nil {
			at = row.At()
		}
		_, summed := row.(projections.Contributor)
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
	s.mu.Unlock()
	s.positions.tell(name, news, time.Time{}) // when the store acknowledged them is known elsewhere
	return came, late
}

// holds tells of the orders that another process holds since the last look, and of the rows of those that it holds no more.
func (s *standby) holds(ctx context.Context) error {
	now := s.opts.Clock()
	if now.Sub(s.heldAt) < standbyHolds {
		return nil
	}
	for _, projection := range projections.All() {
		holds, err := s.read.Holds(ctx, projection.Name)
		if err != nil {
			return readFailed(err)
		}
		released := maps.Clone(s.known[projection.Name])
		var news []projections.Hold
		for _, h := range holds {
			if old, known := released[h.OrderID]; !known || old.Version != h.Version {
				news = append(news, h)
			}
			delete(released, h.OrderID)
		}
		if len(released) > 0 {
			rows, err := s.read.Rows(ctx, projection.Name, slices.Collect(maps.Keys(released))...)
			if err != nil {
				return readFailed(err)
			}
			s.positions.tell(projection.Name, slices.Collect(maps.Values(rows)), time.Time{})
		}
		for id := range released {
			delete(s.known[projection.Name], id)
		}
		if s.known[projection.Name] != nil {
			s.held(projection.Name, news)
			continue
		}
		s.known[projection.Name] = map[domain.OrderID]projections.Hold{} // at first they are no news
		for _, h := range holds {
			s.known[projection.Name][h.OrderID] = h
		}
	}
	s.heldAt = now
	return nil
}

// held tells of orders that are held, and waits for them no more.
func (s *standby) held(name string, holds []projections.Hold) {
	for _, h := range holds {
		if s.known[name] != nil {
			s.known[name][h.OrderID] = h
		}
		s.mu.Lock()
		delete(s.expected[name], h.OrderID)
		s.mu.Unlock()
		if s.opts.OnHold != nil {
			s.opts.OnHold(h)
		}
	}
}
