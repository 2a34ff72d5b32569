package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/orders"
)

// The bounds of a projector.
const (
	BatchOrders   = 500             // orders one write holds
	MaxNudges     = 10_000          // orders that wait to be looked at; the feed finds what does not fit
	feedPage      = BatchOrders / 2 // orders a page of the feed names; pages are gathered until another could be too many for a write
	readers       = 4               // requests for streams at once
	readTogether  = 50              // streams one request reads, where the event store can
	backoffAtMost = 5 * time.Second // a read store that comes back is not kept waiting
	backoffFirst  = 200 * time.Millisecond
	rateOver      = 10 * time.Second
)

// Options of a projector. The zero Options are ready to use. The callbacks are called by the projector's own goroutines, must not block
// and may be nil.
type Options struct {
	Codec domain.Codec
	Clock func() time.Time // nil means time.Now
	Poll  time.Duration    // how often the feed is asked, and twice as often while others move orders; 0 means 1 s
	Beat  time.Duration    // how often a state is stored with its heartbeat; 0 means 2 s
	Log   *slog.Logger
	// Alone says that no other process can run the projections: a lease that is found at the start is left over, and taken at once.
	Alone bool

	// OnMoved tells that the heads of orders have moved: at least once for each move, by the feed or a nudge, whatever the read store does.
	OnMoved func([]eventstore.Head)
	// OnRows tells that rows were stored, also by another process, whose rows are told when they are seen. The contribution of another process is told again,
	// because the sum of its customer is written a moment after it.
	OnRows func(projection string, rows []Row)
	// OnState tells a state, whether or not it could be stored; not while another process runs the projections.
	OnState func(State)
	// OnHold tells that an order has been set aside.
	OnHold func(Hold)
}

// Projector keeps the rows of all projections up with the log, while it holds the lease of the read store; else it stands by, and tells of
// the rows that the holder writes. Each projection has its own loop, checkpoint, holds and backoff: one that fails does not stop another.
// At most one Run or Step may be active at a time; Nudge, WaitFor, Arrivals and StandsBy may be called at any time.
type Projector struct {
	opts     Options
	read     Store
	watch    *watch
	loops    []*loop
	lease    *tenure
	follow   *follower
	arrivals *arrivals
}

// New makes a projector. It does nothing until Run or Step is called.
func New(events eventstore.Store, read Store, opts Options) *Projector {
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	if opts.Poll == 0 {
		opts.Poll = time.Second
	}
	if opts.Beat == 0 {
		opts.Beat = 2 * time.Second
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	p := &Projector{opts: opts, read: read, arrivals: newArrivals(opts.OnRows), lease: newTenure(read, opts)}
	p.follow = newFollower(read, p.arrivals, opts)
	p.watch = &watch{events: events, read: read, opts: opts, nudges: newNudges(), follow: p.follow}
	for _, declared := range All() {
		p.loops = append(p.loops, newLoop(declared, events, read, p.lease, p.arrivals, opts))
	}
	return p
}

// pollAfter is how long after an answer the feed is asked again. What others do comes in rows.
func (o Options) pollAfter(moving bool) time.Duration {
	if moving {
		return o.Poll / 2
	}
	return o.Poll
}

// Nudge tells the projector that orders have moved, so that it need not wait for the feed. It never blocks, and may be forgotten: the
// feed is the path that counts.
func (p *Projector) Nudge(heads ...eventstore.Head) {
	p.watch.nudges.add(heads)
	for _, l := range p.loops {
		l.nudges.add(heads)
	}
}

// StandsBy tells whether another process runs the projections, and its name as far as that is known.
func (p *Projector) StandsBy() (holder string, standsBy bool) {
	r, _ := p.lease.now()
	return r.holder, r.epoch == 0
}

// Begin notes where the projections are and what they hold, so that whatever arrives or is released from now on is told. It is for those who open pages
// before Run has come so far, and is called before it.
func (p *Projector) Begin(ctx context.Context) {
	p.watch.begin(ctx)
	_ = p.follow.holds(ctx) // it is tried again
}

// Run keeps all projections up, or stands by, until the context ends; then it gives the lease back and returns nil once nothing is under
// way. Failures of the stores are retried for ever, and said in the states.
func (p *Projector) Run(ctx context.Context) error {
	var all sync.WaitGroup
	all.Go(func() { p.lease.run(ctx) })
	all.Go(func() { p.watch.run(ctx) })
	all.Go(func() { p.follow.run(ctx, p.lease) })
	for _, l := range p.loops {
		all.Go(func() { l.run(ctx) })
	}
	all.Wait()
	p.Release(context.WithoutCancel(ctx))
	return nil
}

// Release gives the lease back after steps, so that another process need not wait for it to stand still.
func (p *Projector) Release(ctx context.Context) { p.lease.release(ctx) }

// Step looks at the lease once. While it is held, each projection catches up with the log once, without waiting for anything, and stores
// its state; while another process holds it, the rows that have arrived are told. It returns how many rows were written, and what failed.
func (p *Projector) Step(ctx context.Context) (moved int, err error) {
	errs := []error{p.lease.look(ctx), p.watch.pass(ctx)}
	r, _ := p.lease.now()
	if r.epoch != 0 {
		for _, l := range p.loops {
			l.take(r)
			n, err := l.pass(ctx, true)
			moved += n
			errs = append(errs, err)
			l.say(err, 0)
			errs = append(errs, l.beat(ctx))
		}
	}
	errs = append(errs, p.follow.pass(ctx, r.epoch == 0))
	return moved, errors.Join(errs...)
}

// backoff is how long to wait after so many failures in a row: 0.2 s doubling to 5 s, with jitter down to half of it.
func backoff(failures int) time.Duration {
	d := backoffAtMost
	if failures < 10 {
		d = min(d, backoffFirst<<max(failures-1, 0))
	}
	return d/2 + rand.N(d/2+1) //nolint:gosec // jitter is not a secret
}

// storeError says which store failed.
type storeError struct {
	store string
	err   error
}

func (e *storeError) Error() string { return e.store + ": " + e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }

func eventsFailed(err error) error { return wrapStore("event store", err) }
func readFailed(err error) error   { return wrapStore("read store", err) }

func wrapStore(store string, err error) error {
	if err == nil {
		return nil
	}
	return &storeError{store, err}
}

// reasonOf is the sentence of a state while it waits after an error.
func reasonOf(err error) string {
	e, ok := errors.AsType[*storeError](err)
	switch {
	case err == nil:
		return ""
	case !ok:
		return "Something went wrong; it is tried again."
	case fault.KindOf(err) == fault.Unavailable:
		return fmt.Sprintf("The %s cannot be reached; it is tried again.", e.store)
	}
	return fmt.Sprintf("The %s answered with an error; it is tried again.", e.store)
}

// nudges is a bounded set of orders to look at. Its channel has a token when the set may have something in it.
type nudges struct {
	wake    chan struct{}
	mu      sync.Mutex
	waiting map[domain.OrderID]eventstore.Head
}

func newNudges() *nudges {
	return &nudges{wake: make(chan struct{}, 1), waiting: map[domain.OrderID]eventstore.Head{}}
}

func (n *nudges) add(heads []eventstore.Head) {
	n.mu.Lock()
	for _, h := range heads {
		old, known := n.waiting[orders.IDOf(h.Stream)]
		if known && old.Version >= h.Version || !known && len(n.waiting) >= MaxNudges {
			continue
		}
		n.waiting[orders.IDOf(h.Stream)] = h
	}
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// take empties the set.
func (n *nudges) take() []eventstore.Head {
	n.mu.Lock()
	defer n.mu.Unlock()
	heads := make([]eventstore.Head, 0, len(n.waiting))
	for _, h := range n.waiting {
		heads = append(heads, h)
	}
	clear(n.waiting)
	return heads
}

// pause waits for a while, a nudge, or the end.
func pause(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-wake:
	}
}
