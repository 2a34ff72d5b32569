package runner

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/internal/waiting"
	"headway/projections"
	"headway/projections/history"
)

// The bounds of a projector.
const (
	MaxNudges     = 10_000                      // orders that wait to be looked at; the feed finds what does not fit
	feedPage      = projections.BatchOrders / 2 // orders a page of the feed names; pages are gathered until another could be too many for a write
	maxReads      = 4                           // requests for streams at once
	readMany      = 50                          // streams one request reads, where the event store can
	backoffAtMost = 5 * time.Second             // a read store that comes back is not kept waiting
	backoffFirst  = 200 * time.Millisecond
	rateOver      = 10 * time.Second
)

// Options of a projector. The zero Options are ready to use. The callbacks are called by whoever makes the news, must not block and may be
// nil.
type Options struct {
	Codec domain.Codec
	Clock func() time.Time // nil means time.Now
	Part  eventstore.Part  // of the feed that this process follows; zero means all of it
	Poll  time.Duration    // how often the feed is asked, and twice as often while others move orders; 0 means 1 s
	Beat  time.Duration    // how often a state is stored with its heartbeat; 0 means 2 s
	Log   *slog.Logger
	// Alone says that no other process can run the projections: a lease that is found at the start is left over, and taken at once.
	Alone bool
	// History is where it is kept, while the lease of the first part is held, what was stored and how the projections were; nil means nowhere.
	History history.Store

	// OnMoved tells that the heads of orders have moved: at least once for each move, by the feed or a nudge, whatever the read store does.
	OnMoved func([]eventstore.Head)
	// OnRows tells that rows were stored, also by another process, whose rows are told when they are seen. The contribution of another process
	// is told again, because the sum of its customer is written a moment after it.
	OnRows func(projection string, rows []projections.Row)
	// OnState tells a state, whether or not it could be stored; not while another process runs the projections.
	OnState func(projections.State)
	// OnLease tells that this process runs the projections from now on, by which lease, and who had it before as far as that is known.
	OnLease func(lease projections.Lease, before string)
	// OnPutBack tells that the log was found to be another one than the rows were made of, or to have been put back, and that they are made
	// again.
	OnPutBack func(lease projections.Lease)
	// OnHold tells that an order has been set aside.
	OnHold func(projections.Hold)
}

// Projector keeps the rows of all projections up with the log, while it holds the lease of the read store; else it stands by, and tells of
// the rows that the holder writes. Each projection has its own worker, checkpoint, holds and backoff: one that fails does not stop another.
// At most one Run or Step may be active at a time; Nudge, WaitFor, Positions and StandsBy may be called at any time.
type Projector struct {
	opts      Options
	read      projections.Store
	tail      *tail
	workers   []*worker
	elector   *elector
	standby   *standby
	positions *positions
	recorder  *recorder // nil if no history is kept
}

// New makes a projector. It does nothing until Run or Step is called.
func New(events eventstore.Store, read projections.Store, opts Options) *Projector {
	opts = opts.filled()
	p := &Projector{opts: opts, read: read, positions: newPositions(opts.OnRows), elector: newElector(read, opts)}
	p.standby = newStandby(read, p.positions, opts)
	p.tail = newTail(events, read, opts)
	p.tail.listen, p.tail.onMove = opts.OnMoved != nil || opts.OnRows != nil, p.moved
	if opts.History != nil && opts.Part.Index == 0 { // two would each keep what it saw, and the last of them would stay
		p.recorder = &recorder{events: events, store: opts.History, look: p.Monitor().Look, clock: opts.Clock, log: opts.Log}
	}
	for _, declared := range projections.All() {
		w := newWorker(declared, p.tail, read, p.elector, p.positions, p.recorder, opts)
		p.workers, p.tail.onPage = append(p.workers, w), append(p.tail.onPage, w.nudges.poke)
	}
	return p
}

func (p *Projector) moved(heads []eventstore.Head) {
	p.standby.expect(heads)
	if p.opts.OnMoved != nil {
		p.opts.OnMoved(heads)
	}
}

// Monitor tells how the projections are, from what this process reads of the feed anyway.
func (p *Projector) Monitor() *Monitor { return newMonitor(p.tail, p.read) }

// filled has what was left open.
func (o Options) filled() Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Part == (eventstore.Part{}) {
		o.Part = eventstore.Whole
	}
	if o.Poll == 0 {
		o.Poll = time.Second
	}
	if o.Beat == 0 {
		o.Beat = 2 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// key names what this process has of a projection.
func (o Options) key(p projections.Projection) projections.Key {
	key := p.Key()
	key.Part = o.Part.Index
	return key
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
	heads = slices.DeleteFunc(slices.Clone(heads), func(h eventstore.Head) bool { return !p.opts.Part.Has(eventstore.SliceOf(h.Stream)) })
	p.tail.nudges.add(heads)
	for _, w := range p.workers {
		w.nudges.add(heads)
	}
}

// StandsBy tells whether another process runs the projections, and its name as far as that is known.
func (p *Projector) StandsBy() (holder string, standsBy bool) {
	r, _ := p.elector.now()
	return r.holder, r.epoch == 0
}

// Begin notes where the projections are and what they hold, so that whatever arrives or is released from now on is told. It is for those
// who open pages before Run has come so far, and is called before it.
func (p *Projector) Begin(ctx context.Context) {
	p.tail.begin(ctx)
	_ = p.standby.holds(ctx) // it is tried again
}

// Run keeps all projections up, or stands by, until the context ends; then it gives the lease back and returns nil once nothing is under
// way. Failures of the stores are retried for ever, and said in the states.
func (p *Projector) Run(ctx context.Context) error {
	var all sync.WaitGroup
	all.Go(func() { p.elector.run(ctx) })
	all.Go(func() { p.tail.run(ctx) })
	all.Go(func() { p.standby.run(ctx, p.elector) })
	for _, w := range p.workers {
		all.Go(func() { w.run(ctx) })
	}
	if p.recorder != nil {
		all.Go(func() { p.recorder.run(ctx, p.elector) })
	}
	all.Wait()
	p.Release(context.WithoutCancel(ctx))
	return nil
}

// Release gives the lease back after steps, so that another process need not wait for it to stand still.
func (p *Projector) Release(ctx context.Context) { p.elector.release(ctx) }

// Step checks the lease once. While it is held, each projection catches up with the log once, without waiting for anything, and stores
// its state; while another process holds it, the rows that have arrived are told. It returns how many rows were written, and what failed.
func (p *Projector) Step(ctx context.Context) (moved int, err error) {
	errs := []error{p.elector.check(ctx), p.tail.pass(ctx)}
	for _, w := range p.workers {
		r, _ := p.elector.now() // which another worker may have renewed
		if r.epoch == 0 {
			continue
		}
		w.begin(r)
		n, err := w.pass(ctx, true)
		moved += n
		errs = append(errs, err)
		w.say(cmp.Or(err, w.tail.failure()), 0)
		errs = append(errs, w.beat(ctx))
	}
	r, _ := p.elector.now()
	errs = append(errs, p.standby.pass(ctx, r.epoch == 0))
	if p.recorder != nil {
		errs = append(errs, p.recorder.step(ctx, r.epoch != 0))
	}
	return moved, errors.Join(errs...)
}

// backoff is how long to wait after so many failures in a row.
func backoff(failures int) time.Duration {
	return waiting.Backoff{First: backoffFirst, Most: backoffAtMost}.EqualJitter(failures,
		rand.Float64()) //nolint:gosec // jitter is no secret
}
