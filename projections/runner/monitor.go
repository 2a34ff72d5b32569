package runner

import (
	"context"
	"errors"
	"sync"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/orders"
	"headway/projections"
)

// The bounds of a look.
const (
	MaxLagOrders = 1000 // orders that a projection lacks events of; with more the lag is a lower bound
	maxAgeReads  = 20   // orders whose oldest missing event is looked up; of the others the newest counts
	maxLookMoves = 5000 // moves of one projection; until the next look the lag is a lower bound
	maxLookPages = maxLookMoves / feedPage
	lookAnew     = 30 * time.Second // what was learned by a look that is older is forgotten
)

// Monitor tells again and again how the projections are. Each look has the tail read on, follows it from where the last look ended and
// remembers only what is missing, so that it costs as much as what is new; those who look at once share one look. It is safe for concurrent
// use.
type Monitor struct {
	tail *tail
	read projections.Reader
	turn chan struct{} // has a token while nobody looks

	mu   sync.Mutex
	next *look // of those who wait for the turn; nil if nobody does

	// Of whoever has the turn.
	lags     map[string]*lagging
	lookedAt time.Time
}

// look is one that several share.
type look struct {
	done     chan struct{}
	statuses []projections.Status
	err      error
}

// lagging is what a projection lacks.
type lagging struct {
	cursor  eventstore.Cursor // how far the feed was followed
	ended   bool              // which was its end
	missing map[domain.OrderID]missing
}

type missing struct {
	head  eventstore.Head
	at    int       // the version of the row
	since time.Time // when the oldest missing event was stored; zero until it is looked up
}

// Look asks both stores about every projection, in the order of Names. A store that does not answer is a state, not an error; the only
// error is the context's. Whoever looks again keeps a Monitor.
func Look(ctx context.Context, events eventstore.Store, read projections.Reader, now time.Time) ([]projections.Status, error) {
	return NewMonitor(events, read).Look(ctx, now)
}

// NewMonitor is a monitor without a projector: it reads the feed itself, from the checkpoints on.
func NewMonitor(events eventstore.Store, read projections.Reader) *Monitor {
	return newMonitor(newTail(events, read, Options{}.filled()), read)
}

func newMonitor(t *tail, read projections.Reader) *Monitor {
	m := &Monitor{tail: t, read: read, turn: make(chan struct{}, 1), lags: map[string]*lagging{}}
	m.turn <- struct{}{}
	return m
}

// Look is as fresh as its beginning: it never answers with a look that began before. What it answers is shared, and not to be changed.
func (m *Monitor) Look(ctx context.Context, now time.Time) ([]projections.Status, error) {
	for ctx.Err() == nil {
		m.mu.Lock()
		l, leads := m.next, m.next == nil
		if leads {
			l = &look{done: make(chan struct{})}
			m.next = l
		}
		m.mu.Unlock()
		if leads {
			m.lead(ctx, l, now)
		}
		select {
		case <-ctx.Done():
		case <-l.done:
			if l.err == nil {
				return l.statuses, nil
			}
		}
	}
	return unreachable("Nobody waited for the answer."), ctx.Err()
}

// lead looks for all who wait.
func (m *Monitor) lead(ctx context.Context, l *look, now time.Time) {
	l.err = context.Canceled // unless it comes to its end
	defer close(l.done)
	select {
	case <-ctx.Done():
	case <-m.turn:
		defer func() { m.turn <- struct{}{} }()
	}
	m.mu.Lock()
	m.next = nil // who comes from now on wants another
	m.mu.Unlock()
	if ctx.Err() == nil {
		l.statuses = m.look(ctx, now)
		l.err = ctx.Err()
	}
}

func unreachable(reason string) []projections.Status {
	var all []projections.Status
	for _, projection := range projections.All() {
		all = append(all, projections.Status{Name: projection.Name, State: projections.Unreachable, Reason: reason})
	}
	return all
}

func (m *Monitor) look(ctx context.Context, now time.Time) []projections.Status {
	states, err := m.read.States(ctx)
	if err != nil || now.Sub(m.lookedAt) > lookAnew { // a read store that was away may come back as it was long ago
		clear(m.lags)
	}
	m.lookedAt = now
	if err != nil {
		return unreachable("The read store cannot be reached.")
	}
	pages := map[eventstore.Cursor]moves{}
	failed := m.readOn(ctx)
	var all []projections.Status
	for _, projection := range projections.All() {
		s := projections.StatusOf(projection.Name, states[m.tail.opts.key(projection)], now)
		if s.Holds, err = m.read.Holds(ctx, projection.Name); err != nil {
			s.State, s.Reason = projections.Unreachable, "The read store cannot be reached."
			delete(m.lags, projection.Name)
		} else {
			m.count(ctx, &s, pages, failed, now)
		}
		all = append(all, s)
	}
	return all
}

// readOn has the tail read what is new.
func (m *Monitor) readOn(ctx context.Context) error {
	for range maxLookPages {
		if more, err := m.tail.readOn(ctx); err != nil || !more {
			return err
		}
	}
	return nil
}

// count learns what a projection lacks now. Without the event store that is not known.
func (m *Monitor) count(ctx context.Context, s *projections.Status, pages map[eventstore.Cursor]moves, failed error, now time.Time) {
	l := m.lags[s.Name]
	if l == nil || s.Cursor == "" {
		l = &lagging{cursor: s.Cursor, missing: map[domain.OrderID]missing{}}
		m.lags[s.Name] = l
	}
	c := counting{Monitor: m, lagging: l, name: s.Name, pages: pages, failed: failed}
	err := c.catchUp(ctx)
	if err == nil {
		err = c.date(ctx)
	}
	if err != nil {
		s.State, s.Reason = projections.Unreachable, reasonUnreachable(err)
	}
	s.LagIsExact = err == nil && l.ended
	for _, m := range l.missing {
		s.Lag.Events += m.head.Version - m.at
		since := m.since
		if since.IsZero() {
			since = m.head.At
		}
		s.Lag.Age = max(s.Lag.Age, now.Sub(since))
	}
	if e, failed := errors.AsType[*storeError](err); failed && e.store == "read store" || len(l.missing) >= MaxLagOrders {
		delete(m.lags, s.Name)
	}
}

// counting is one count of one projection.
type counting struct {
	*Monitor
	*lagging
	name   string
	pages  map[eventstore.Cursor]moves // what the feed answered in this look, beside the tail
	failed error                       // of the tail
}

// moves is an answer of the feed.
type moves struct {
	page
	err error
}

// page is what moved after the cursor: of the ring, if it is there. Who has come to the end without the tail goes on with it, from where it
// was before.
func (c *counting) page(ctx context.Context) (p page, ended bool, err error) {
	p, more, synced := c.tail.after(c.cursor)
	if synced {
		_, ended = c.tail.end()
		if !more && c.failed != nil {
			err = c.failed
		}
		return p, ended && !more, err
	}
	m, asked := c.pages[c.cursor]
	if !asked {
		at, follows := c.tail.end()
		m.page, m.err = c.tail.feed(ctx, c.cursor, MaxLagOrders)
		switch {
		case m.err != nil || len(m.heads) > 0:
		case follows:
			m.next = at
		default:
			m.next = c.tail.join(m.next)
		}
		c.pages[c.cursor] = m
	}
	return m.page, len(m.heads) == 0, m.err
}

// catchUp compares what was missing before, and what has moved since.
func (c *counting) catchUp(ctx context.Context) error {
	before := make([]eventstore.Head, 0, len(c.missing))
	for _, m := range c.missing {
		before = append(before, m.head)
	}
	c.ended = false
	if err := c.compare(ctx, before); err != nil {
		return err
	}
	for looked := 0; looked < maxLookMoves; {
		p, ended, err := c.page(ctx)
		switch {
		case err != nil:
			return err
		case ended:
			c.cursor, c.ended = p.next, true
			return nil
		case p.next == c.cursor || len(c.missing) >= MaxLagOrders:
			return nil
		}
		if err := c.compare(ctx, p.heads); err != nil {
			return err
		}
		c.cursor = p.next
		looked += max(len(p.heads), 1)
	}
	return nil
}

// compare learns which of these moves are missing. Those of orders that are held wait for a person: they are shown as holds and are no lag.
func (c *counting) compare(ctx context.Context, heads []eventstore.Head) error {
	if len(heads) == 0 {
		return nil
	}
	ids := make([]domain.OrderID, len(heads))
	for i, h := range heads {
		ids[i] = orders.IDOf(h.Stream)
	}
	versions, err := c.read.Versions(ctx, c.name, ids...)
	if err != nil {
		return readFailed(err)
	}
	var behind []domain.OrderID
	for _, h := range heads {
		m := c.missing[orders.IDOf(h.Stream)]
		if h.Version > m.head.Version {
			m.head = h
		}
		at := versions[orders.IDOf(h.Stream)]
		if at >= m.head.Version {
			delete(c.missing, orders.IDOf(h.Stream))
			continue
		}
		if at != m.at {
			m.at, m.since = at, time.Time{}
		}
		c.missing[orders.IDOf(h.Stream)] = m
		behind = append(behind, orders.IDOf(h.Stream))
	}
	if len(behind) == 0 {
		return nil
	}
	held, err := c.read.Holds(ctx, c.name, behind...)
	if err != nil {
		return readFailed(err)
	}
	for _, h := range held {
		delete(c.missing, h.OrderID)
	}
	return nil
}

// date looks up since when events are missing, of a few orders, with one request.
func (c *counting) date(ctx context.Context) error {
	var after []eventstore.Head
	for id, m := range c.missing {
		if m.since.IsZero() && len(after) < maxAgeReads {
			after = append(after, eventstore.Head{Stream: orders.StreamOf(id), Version: m.at})
		}
	}
	if len(after) == 0 {
		return nil
	}
	records, err := c.tail.events.ReadMany(ctx, after, eventstore.MaxPage)
	if err != nil {
		return eventsFailed(err)
	}
	oldest := map[domain.OrderID]time.Time{}
	for _, r := range records {
		if id := orders.IDOf(r.Stream); oldest[id].IsZero() {
			oldest[id] = r.StoredAt
		}
	}
	for _, h := range after {
		id := orders.IDOf(h.Stream)
		m := c.missing[id]
		if m.since = oldest[id]; m.since.IsZero() && len(records) < eventstore.MaxPage {
			m.since = m.head.At // there is none
		}
		c.missing[id] = m // what the answer had no room for is looked up by the next look
	}
	return nil
}

func reasonUnreachable(err error) string {
	if e, ok := errors.AsType[*storeError](err); ok {
		return "The " + e.store + " cannot be reached."
	}
	return "Something went wrong."
}
