package simulation

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/projections"
)

// Weather is how often calls of the stores go wrong, each in [0, 1]. The zero Weather is fair.
type Weather struct {
	Fail float64       // nothing is done, and the caller learns that it failed
	Lose float64       // it is done, and the caller is told that it failed
	Part float64       // a batch of rows is written up to a step; the caller is told that it failed
	Hang float64       // the answer is a failure that comes late; what was asked is done even later, or never
	Late float64       // a write of rows fails within a second, and is done seconds later
	Slow time.Duration // a call takes up to this long
}

// Sky is the weather over both stores, for all processes. It is safe for concurrent use.
type Sky struct {
	mu           sync.Mutex
	events, read Weather
}

// SetEvents changes the weather over the event store.
func (s *Sky) SetEvents(w Weather) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = w
}

// SetRead changes the weather over the read store.
func (s *Sky) SetRead(w Weather) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read = w
}

// hangs is the longest that a call hangs, and that what it asked may come after it.
const hangs = 10 * time.Second

// Gate stands between one process and the world: through it the process can be stopped, as by SIGSTOP, and killed.
type Gate struct {
	sky *Sky

	mu     sync.Mutex
	random *rand.Rand
	open   chan struct{} // closed while the process runs
	dead   chan struct{} // closed when it was killed
	late   int           // so many things that were asked long ago may still be done
	done   *sync.Cond    // of mu: one of them was
}

// NewGate is the gate of a process that runs.
func NewGate(sky *Sky, random *rand.Rand) *Gate {
	open := make(chan struct{})
	close(open)
	g := &Gate{sky: sky, random: random, open: open, dead: make(chan struct{})}
	g.done = sync.NewCond(&g.mu)
	return g
}

// Stop makes every call wait until Resume or Kill.
func (g *Gate) Stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.open:
		g.open = make(chan struct{})
	default:
	}
}

// Resume lets the calls go on.
func (g *Gate) Resume() {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.open:
	default:
		close(g.open)
	}
}

// Kill makes every call fail from now on, those under way included.
func (g *Gate) Kill() { close(g.dead) }

// Killed tells whether the process was killed.
func (g *Gate) Killed() bool {
	select {
	case <-g.dead:
		return true
	default:
		return false
	}
}

// Wait returns when nothing that was asked long ago can be done any more.
func (g *Gate) Wait() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.late > 0 {
		g.done.Wait()
	}
}

// belatedly does something that whoever asked has given up. It may begin while somebody waits, which a WaitGroup does not allow.
func (g *Gate) belatedly(do func()) {
	g.mu.Lock()
	g.late++
	g.mu.Unlock()
	go func() {
		do()
		g.mu.Lock()
		defer g.mu.Unlock()
		g.late--
		g.done.Broadcast()
	}()
}

var errKilled = errors.New("the process was killed")

// pass waits while the process is stopped.
func (g *Gate) pass() error {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	select {
	case <-open:
	case <-g.dead:
	}
	if g.Killed() {
		return errKilled
	}
	return nil
}

// lot is what befalls one call.
type lot struct {
	slow, hang, later time.Duration
	fail, lose, hung  bool
	never             bool    // what hung is not done later
	part              float64 // which share of the steps is done; 0 means all
	late              time.Duration
}

func (g *Gate) draw(w Weather) lot {
	g.mu.Lock()
	defer g.mu.Unlock()
	var l lot
	if w == (Weather{}) {
		return l
	}
	l.fail, l.lose, l.hung = g.random.Float64() < w.Fail, g.random.Float64() < w.Lose, g.random.Float64() < w.Hang
	if g.random.Float64() < w.Part {
		l.part = 0.01 + 0.98*g.random.Float64()
	}
	if w.Slow > 0 {
		l.slow = time.Duration(g.random.Int64N(int64(w.Slow)))
	}
	if g.random.Float64() < w.Late {
		l.late = time.Duration(g.random.Int64N(int64(hangs)))
	}
	if l.hung {
		l.hang, l.later = time.Duration(g.random.Int64N(int64(hangs))), time.Duration(g.random.Int64N(int64(hangs)))
		l.never = g.random.IntN(2) == 0
	}
	return l
}

func rest(ctx context.Context, d time.Duration) {
	if d == 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// call does one call of a store with what befalls it; later is what comes of it if it hangs, nil if nothing can.
func call[T any](ctx context.Context, g *Gate, l lot, store string, do func(ctx context.Context) (T, error), later func(ctx context.Context)) (T, error) {
	var none T
	away := fault.Errorf(fault.Unavailable, "The %s cannot be reached.", store)
	if err := g.pass(); err != nil {
		return none, away
	}
	rest(ctx, l.slow)
	if l.hung {
		if later != nil && !l.never {
			g.belatedly(func() {
				ctx := context.WithoutCancel(ctx)
				rest(ctx, l.later)
				later(ctx)
			})
		}
		rest(ctx, l.hang)
		if err := ctx.Err(); err != nil {
			return none, err
		}
		return none, away
	}
	if l.fail {
		return none, away
	}
	answer, err := do(ctx)
	if killed := g.pass(); killed != nil || l.lose && err == nil {
		return none, away
	}
	return answer, err
}

// Events is an event store as the process of a gate has it.
func (g *Gate) Events(store eventstore.Store) eventstore.Store { return gatedEvents{store, g} }

type gatedEvents struct {
	eventstore.Store
	*Gate
}

func (e gatedEvents) draw() lot {
	e.sky.mu.Lock()
	w := e.sky.events
	e.sky.mu.Unlock()
	return e.Gate.draw(w)
}

const eventStore, readStore = "event store", "read store"

func (e gatedEvents) Append(
	ctx context.Context, id eventstore.StreamID, expect int, m eventstore.Metadata, events ...eventstore.NewEvent,
) ([]eventstore.Record, error) {
	do := func(ctx context.Context) ([]eventstore.Record, error) {
		return e.Store.Append(ctx, id, expect, m, events...)
	}
	return call(ctx, e.Gate, e.draw(), eventStore, do, func(ctx context.Context) { _, _ = do(ctx) })
}

func (e gatedEvents) Read(ctx context.Context, id eventstore.StreamID, after int) ([]eventstore.Record, error) {
	return call(ctx, e.Gate, e.draw(), eventStore, func(ctx context.Context) ([]eventstore.Record, error) {
		return e.Store.Read(ctx, id, after)
	}, nil)
}

func (e gatedEvents) ReadMany(ctx context.Context, after []eventstore.Head, limit int) ([]eventstore.Record, error) {
	return call(ctx, e.Gate, e.draw(), eventStore, func(ctx context.Context) ([]eventstore.Record, error) {
		return e.Store.ReadMany(ctx, after, limit)
	}, nil)
}

func (e gatedEvents) Heads(ctx context.Context, ids ...eventstore.StreamID) ([]eventstore.Head, error) {
	return call(ctx, e.Gate, e.draw(), eventStore, func(ctx context.Context) ([]eventstore.Head, error) {
		return e.Store.Heads(ctx, ids...)
	}, nil)
}

// Feed also answers in any order.
func (e gatedEvents) Feed(
	ctx context.Context, category string, slices eventstore.Part, after eventstore.Cursor, limit int,
) ([]eventstore.Head, eventstore.Cursor, error) {
	type page struct {
		heads []eventstore.Head
		next  eventstore.Cursor
	}
	p, err := call(ctx, e.Gate, e.draw(), eventStore, func(ctx context.Context) (page, error) {
		heads, next, err := e.Store.Feed(ctx, category, slices, after, limit)
		return page{heads, next}, err
	}, nil)
	e.mu.Lock()
	e.random.Shuffle(len(p.heads), func(i, j int) { p.heads[i], p.heads[j] = p.heads[j], p.heads[i] })
	e.mu.Unlock()
	return p.heads, p.next, err
}

// Rows is a read store, a Table's, as the process of a gate has it.
func (g *Gate) Rows(store projections.Store) projections.Store {
	table, _ := store.(*rowsHandle)
	return gatedRows{store, table, g}
}

type gatedRows struct {
	projections.Store
	table *rowsHandle
	*Gate
}

func (r gatedRows) draw() lot {
	r.sky.mu.Lock()
	w := r.sky.read
	r.sky.mu.Unlock()
	return r.Gate.draw(w)
}

func answer[T any](ctx context.Context, r gatedRows, do func(ctx context.Context) (T, error)) (T, error) {
	return call(ctx, r.Gate, r.draw(), readStore, do, nil)
}

// nothing is the answer of a call that has none.
type nothing struct{}

// Write may stop at any step, and may be done long after its failure.
func (r gatedRows) Write(ctx context.Context, b projections.Batch) error {
	l := r.draw()
	if l.late > 0 {
		l.hung, l.never, l.hang, l.later = true, false, l.late%time.Second, l.late
	}
	do := func(ctx context.Context) (nothing, error) {
		if l.part == 0 {
			return nothing{}, r.table.Write(ctx, b)
		}
		all := len(r.table.steps(b))
		if err := r.table.writeUpTo(ctx, b, int(l.part*float64(all))); err != nil {
			return nothing{}, err
		}
		return nothing{}, fault.Errorf(fault.Unavailable, "The read store cannot be reached.")
	}
	_, err := call(ctx, r.Gate, l, readStore, do, func(ctx context.Context) { _, _ = do(ctx) })
	return err
}

func (r gatedRows) Beat(ctx context.Context, state projections.State) error {
	_, err := answer(ctx, r, func(ctx context.Context) (nothing, error) { return nothing{}, r.Store.Beat(ctx, state) })
	return err
}

func (r gatedRows) Lease(ctx context.Context) (projections.Lease, error) {
	return answer(ctx, r, r.Store.Lease)
}

func (r gatedRows) SwapLease(ctx context.Context, old, lease projections.Lease) error {
	do := func(ctx context.Context) (nothing, error) { return nothing{}, r.Store.SwapLease(ctx, old, lease) }
	_, err := call(ctx, r.Gate, r.draw(), readStore, do, func(ctx context.Context) { _, _ = do(ctx) })
	return err
}

func (r gatedRows) Rows(ctx context.Context, projection string, ids ...domain.OrderID) (map[domain.OrderID]projections.Row, error) {
	return answer(ctx, r, func(ctx context.Context) (map[domain.OrderID]projections.Row, error) {
		return r.Store.Rows(ctx, projection, ids...)
	})
}

func (r gatedRows) Orders(ctx context.Context, q projections.OrderQuery) (projections.OrderPage, error) {
	return answer(ctx, r, func(ctx context.Context) (projections.OrderPage, error) { return r.Store.Orders(ctx, q) })
}

func (r gatedRows) OrderRows(ctx context.Context, ids ...domain.OrderID) (map[domain.OrderID]projections.OrderRow, error) {
	return answer(ctx, r, func(ctx context.Context) (map[domain.OrderID]projections.OrderRow, error) {
		return r.Store.OrderRows(ctx, ids...)
	})
}

func (r gatedRows) Customers(ctx context.Context, q projections.CustomerQuery) (projections.CustomerPage, error) {
	return answer(ctx, r, func(ctx context.Context) (projections.CustomerPage, error) { return r.Store.Customers(ctx, q) })
}

func (r gatedRows) Customer(ctx context.Context, id string) (projections.CustomerRow, error) {
	return answer(ctx, r, func(ctx context.Context) (projections.CustomerRow, error) { return r.Store.Customer(ctx, id) })
}

func (r gatedRows) States(ctx context.Context) (map[projections.Key]projections.State, error) {
	return answer(ctx, r, r.Store.States)
}

func (r gatedRows) Holds(ctx context.Context, projection string, ids ...domain.OrderID) ([]projections.Hold, error) {
	return answer(ctx, r, func(ctx context.Context) ([]projections.Hold, error) { return r.Store.Holds(ctx, projection, ids...) })
}

func (r gatedRows) Versions(ctx context.Context, projection string, ids ...domain.OrderID) (map[domain.OrderID]int, error) {
	return answer(ctx, r, func(ctx context.Context) (map[domain.OrderID]int, error) {
		return r.Store.Versions(ctx, projection, ids...)
	})
}

// Conn is a connection of the process: it does not move while the process is stopped.
func (g *Gate) Conn(conn net.Conn) net.Conn { return gatedConn{conn, g} }

type gatedConn struct {
	net.Conn
	gate *Gate
}

func (c gatedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if killed := c.gate.pass(); killed != nil {
		return 0, killed
	}
	return n, err
}

func (c gatedConn) Write(b []byte) (int, error) {
	if err := c.gate.pass(); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}
