package runner

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"

	"headway/fault"
	"headway/internal/waiting"
	"headway/projections"
)

// The bounds of a lease.
const (
	LeaseStill   = 10 * time.Second                       // after its holder's last sign of life somebody else has the lease
	leaseRenewed = 2 * time.Second                        // how often its holder renews it
	leaseChecked = time.Second                            // how often the others check it
	leaseTaken   = time.Second / 2                        // what taking it may take
	leaseRelease = 2 * time.Second                        // what giving it back may take
	leaseWaited  = LeaseStill - leaseChecked - leaseTaken // how long it is seen to stand still: a change is seen one check later
)

// nextLease is what a process makes of the lease it finds, which has been as it is for so long; ok is false if another holds it.
//
// An epoch is not only one more than the last but at least the time in milliseconds: if the record is lost, with whatever else was in its
// index, the next epoch is newer than those before.
func nextLease(l projections.Lease, me string, still time.Duration, leftOver bool, now time.Time) (lease projections.Lease, ok bool) {
	switch {
	case l.Holder == me:
		return projections.Lease{Holder: me, Epoch: l.Epoch, Renewals: l.Renewals + 1, LogEpoch: l.LogEpoch}, true
	case l.Holder == "" || leftOver || still >= leaseWaited:
		return projections.Lease{Holder: me, Epoch: max(l.Epoch+1, now.UnixMilli()), LogEpoch: l.LogEpoch}, true
	}
	return l, false
}

// releasedLease is the lease given back.
func releasedLease(l projections.Lease) projections.Lease {
	return projections.Lease{Epoch: l.Epoch, Renewals: l.Renewals + 1, LogEpoch: l.LogEpoch}
}

// holderName names this process for people, and no other ever.
func holderName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return fmt.Sprintf("%s, process %d, %.8s", host, os.Getpid(), uuid.NewString())
}

// elector is one process's side of the lease.
type elector struct {
	read projections.Store
	opts Options
	me   string

	checking sync.Mutex // one check at a time
	seen     projections.Lease
	seenAt   time.Time // when it was first seen as it is; zero before the first check
	alone    bool      // what is found at first is left over from a process that ended

	mu      sync.Mutex
	term    term
	changed chan struct{} // closed when the term changes
	again   chan struct{} // has a token when it is to be checked now
}

// term is what a process has to do.
type term struct {
	epoch    int64  // of the lease that is held; 0: it stands by
	logEpoch int64  // of the same
	holder   string // who holds it, as far as is known
}

func newElector(read projections.Store, opts Options) *elector {
	return &elector{read: read, opts: opts, me: holderName(), alone: opts.Alone, changed: make(chan struct{}), again: make(chan struct{}, 1)}
}

// now is the term, and what is closed when it changes.
func (e *elector) now() (term, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.term, e.changed
}

// doubt has the lease read again at once: a write was refused.
func (e *elector) doubt() {
	select {
	case e.again <- struct{}{}:
	default:
	}
}

// check renews the lease that is held, takes one that is free or stood still, and else learns who has it. A store that cannot be asked
// changes nothing: what a holder that has lost the lease may still write is refused.
func (e *elector) check(ctx context.Context) error {
	e.checking.Lock()
	defer e.checking.Unlock()
	found, err := e.read.Lease(ctx)
	if err != nil {
		return readFailed(err)
	}
	now := e.opts.Clock()
	if e.seenAt.IsZero() || found != e.seen {
		e.seen, e.seenAt = found, now
	}
	before := found.Holder
	next, ours := nextLease(found, e.me, now.Sub(e.seenAt), e.alone, now)
	if ours {
		switch err := e.read.SwapLease(ctx, found, next); {
		case fault.KindOf(err) == fault.Conflict && err != nil:
			e.doubt() // what it is now, the next check tells
			return nil
		case err != nil:
			return readFailed(err) // whether it was written, too
		}
		e.seen, e.seenAt, found = next, now, next
	}
	e.alone = false
	r := term{holder: found.Holder}
	if ours {
		r.epoch, r.logEpoch = found.Epoch, found.LogEpoch
	}
	if e.become(r) && ours && e.opts.OnLease != nil {
		e.opts.OnLease(found, before)
	}
	return nil
}

// putBack begins a new log epoch, in a new lease, and throws away what was made of the log before. Nothing is done if the term has ended:
// another worker, or process, has found out before. A crash in between leaves the checkpoints of the other log, and whoever holds the lease
// next does it again.
func (e *elector) putBack(ctx context.Context, ended term) error {
	e.checking.Lock()
	defer e.checking.Unlock()
	if now, _ := e.now(); now.epoch != ended.epoch || now.epoch == 0 {
		return nil
	}
	found, err := e.read.Lease(ctx)
	if err != nil {
		return readFailed(err)
	}
	if found.Holder != e.me {
		return projections.Stale()
	}
	next := projections.Lease{Holder: e.me, Epoch: max(found.Epoch+1, e.opts.Clock().UnixMilli()), LogEpoch: found.LogEpoch + 1}
	if err := e.read.SwapLease(ctx, found, next); err != nil {
		return readFailed(err)
	}
	if err := e.read.Discard(ctx, next.Epoch); err != nil {
		return readFailed(err)
	}
	e.seen, e.seenAt = next, e.opts.Clock()
	e.become(term{epoch: next.Epoch, logEpoch: next.LogEpoch, holder: e.me})
	if e.opts.OnPutBack != nil {
		e.opts.OnPutBack(next)
	}
	return nil
}

// become tells whether the term is another one now.
func (e *elector) become(r term) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r == e.term {
		return false
	}
	switch {
	case r.epoch != 0:
		e.opts.Log.Info("this process runs the projections", "epoch", r.epoch, "before", e.term.holder)
	case e.term.epoch != 0 || r.holder != e.term.holder:
		e.opts.Log.Info("this process stands by", "holder", r.holder)
	}
	e.term = r
	close(e.changed)
	e.changed = make(chan struct{})
	return true
}

// wait is how long until the next check: short of the moment at which a lease that stands still may be taken over.
func (e *elector) wait(err error) time.Duration {
	r, _ := e.now()
	if err != nil {
		return leaseChecked
	}
	if r.epoch != 0 {
		return leaseRenewed
	}
	e.checking.Lock()
	defer e.checking.Unlock()
	left := leaseWaited - e.opts.Clock().Sub(e.seenAt)
	return max(min(leaseChecked, left), time.Millisecond)
}

func (e *elector) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := e.check(ctx)
		waiting.ForNews(ctx, e.wait(err), e.again, nil)
	}
}

// release gives the lease back, so that another process need not wait for it to stand still. Failing costs that wait.
func (e *elector) release(ctx context.Context) {
	e.checking.Lock()
	defer e.checking.Unlock()
	if r, _ := e.now(); r.epoch == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, leaseRelease)
	defer cancel()
	found, err := e.read.Lease(ctx) // a renewal may have been cut off after it was stored
	if err == nil && found.Holder == e.me {
		err = e.read.SwapLease(ctx, found, releasedLease(found))
	}
	if err != nil {
		e.opts.Log.Warn("the lease of the read store was not given back", "error", err)
	}
	e.become(term{})
}
