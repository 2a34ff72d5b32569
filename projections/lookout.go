package projections

import (
	"context"
	"errors"
	"sync"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/orders"
)

// Lookout tells again and again how the projections are. Each look follows the feed from where the last one ended and remembers only what is
// missing, so that it costs as much as what is new; those who look at once share one look. It is safe for concurrent use.
type Lookout struct {
	events eventstore.Store
	read   Reader
	turn   chan struct{} // has a token while nobody looks

	mu   sync.Mutex
	next *look // of those who wait for the turn; nil if nobody does

	// Of whoever has the turn.
	lags     map[string]*lagging
	lookedAt time.Time
}

// look is one that several share.
type look struct {
	done     chan struct{}
	statuses []Status
	err      error
}

// lagging is what a projection lacks.
type lagging struct {
	cursor  eventstore.Cursor // where the feed goes on
	ended   bool              // the feed was read to its end
	missing map[domain.OrderID]missing
}

type missing struct {
	head  eventstore.Head
	at    int       // the version of the row
	since time.Time // when the oldest missing event was stored; zero until it is looked up
}

// NewLookout is a lookout that has not looked yet: its first look begins at the checkpoints.
func NewLookout(events eventstore.Store, read Reader) *Lookout {
	o := &Lookout{events: events, read: read, turn: make(chan struct{}, 1), lags: map[string]*lagging{}}
	o.turn <- struct{}{}
	return o
}

// Look is as fresh as its beginning: it never answers with a look that began before. What it answers is shared, and not to be changed.
func (o *Lookout) Look(ctx context.Context, now time.Time) ([]Status, error) {
	for ctx.Err() == nil {
		o.mu.Lock()
		l, leads := o.next, o.next == nil
		if leads {
			l = &look{done: make(chan struct{})}
			o.next = l
		}
		o.mu.Unlock()
		if leads {
			o.lead(ctx, l, now)
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
func (o *Lookout) lead(ctx context.Context, l *look, now time.Time) {
	l.err = context.Canceled // unless it comes to its end
	defer close(l.done)
	select {
	case <-ctx.Done():
	case <-o.turn:
		defer func() { o.turn <- struct{}{} }()
	}
	o.mu.Lock()
	o.next = nil // who comes from now on wants another
	o.mu.Unlock()
	if ctx.Err() == nil {
		l.statuses = o.look(ctx, now)
		l.err = ctx.Err()
	}
}

func unreachable(reason string) []Status {
	var all []Status
	for _, name := range Names() {
		all = append(all, Status{Name: name, State: Unreachable, Reason: reason})
	}
	return all
}

func (o *Lookout) look(ctx context.Context, now time.Time) []Status {
	states, err := o.read.States(ctx)
	if err != nil || now.Sub(o.lookedAt) > lookAnew { // a read store that was away may come back as it was long ago
		clear(o.lags)
	}
	o.lookedAt = now
	if err != nil {
		return unreachable("The read store cannot be reached.")
	}
	var all []Status
	pages := map[eventstore.Cursor]moves{}
	for _, name := range Names() {
		s := statusOf(name, states[name], now)
		if s.Holds, err = o.read.Holds(ctx, name); err != nil {
			s.State, s.Reason = Unreachable, "The read store cannot be reached."
			delete(o.lags, name)
		} else {
			o.count(ctx, &s, pages, now)
		}
		all = append(all, s)
	}
	o.join()
	return all
}

// join has all projections follow the feed from the same place, once all are at its end: then it is asked once for all of them.
func (o *Lookout) join() {
	first := o.lags[Names()[0]]
	for _, name := range Names() {
		if l := o.lags[name]; first == nil || l == nil || !l.ended {
			return
		}
	}
	for _, l := range o.lags {
		l.cursor = first.cursor // the oldest of them: what moved meanwhile is named again
	}
}

// count learns what a projection lacks now. Without the event store that is not known.
func (o *Lookout) count(ctx context.Context, s *Status, pages map[eventstore.Cursor]moves, now time.Time) {
	l := o.lags[s.Name]
	if l == nil || s.Cursor == "" {
		l = &lagging{cursor: s.Cursor, missing: map[domain.OrderID]missing{}}
		o.lags[s.Name] = l
	}
	c := counting{Lookout: o, lagging: l, name: s.Name, pages: pages}
	err := c.follow(ctx)
	if err == nil {
		err = c.date(ctx)
	}
	if err != nil {
		s.State, s.Reason = Unreachable, reasonUnreachable(err)
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
		delete(o.lags, s.Name)
	}
}

// counting is one count of one projection.
type counting struct {
	*Lookout
	*lagging
	name  string
	pages map[eventstore.Cursor]moves // what the feed answered in this look
}

// moves is one page of the feed.
type moves struct {
	heads []eventstore.Head
	next  eventstore.Cursor
	err   error
}

func (c *counting) moved(ctx context.Context) moves {
	m, asked := c.pages[c.cursor]
	if !asked {
		m.heads, m.next, m.err = c.events.Feed(ctx, orders.Category, eventstore.Whole, c.cursor, MaxLagOrders)
		c.pages[c.cursor] = m
	}
	return m
}

// follow places what was missing before, and what has moved since.
func (c *counting) follow(ctx context.Context) error {
	before := make([]eventstore.Head, 0, len(c.missing))
	for _, m := range c.missing {
		before = append(before, m.head)
	}
	c.ended = false
	if err := c.place(ctx, before); err != nil {
		return err
	}
	for range maxLookPages {
		m := c.moved(ctx)
		if fault.KindOf(m.err) == fault.Malformed && c.cursor != "" {
			c.cursor = "" // of another log: all of this one is missing
			continue
		}
		switch {
		case m.err != nil:
			return eventsFailed(m.err)
		case len(m.heads) == 0:
			c.cursor, c.ended = m.next, true
			return nil
		case len(c.missing) >= MaxLagOrders:
			return nil
		}
		if err := c.place(ctx, m.heads); err != nil {
			return err
		}
		c.cursor = m.next
	}
	return nil
}

// place learns which of these moves are missing. Those of orders that are held wait for a person: they are shown as holds and are no lag.
func (c *counting) place(ctx context.Context, heads []eventstore.Head) error {
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

// date looks up since when events are missing, of a few orders.
func (c *counting) date(ctx context.Context) error {
	reads := 0
	for id, m := range c.missing {
		if !m.since.IsZero() {
			continue
		}
		if reads == maxAgeReads {
			return nil
		}
		reads++
		records, err := c.events.Read(ctx, orders.StreamOf(id), m.at)
		if err != nil {
			return eventsFailed(err)
		}
		m.since = m.head.At
		if len(records) > 0 {
			m.since = records[0].StoredAt
		}
		c.missing[id] = m
	}
	return nil
}
