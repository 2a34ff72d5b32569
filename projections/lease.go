package projections

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"

	"headway/fault"
)

// The bounds of a lease.
const (
	LeaseStill   = 10 * time.Second                      // after its holder's last sign of life somebody else has the lease
	leaseRenewed = 2 * time.Second                       // how often its holder renews it
	leaseLooked  = time.Second                           // how often the others look at it
	leaseTaken   = time.Second / 2                       // what taking it may take
	leaseRelease = 2 * time.Second                       // what giving it back may take
	leaseWaited  = LeaseStill - leaseLooked - leaseTaken // how long it is seen to stand still: a change is seen one look later
)

// Lease says which process runs all projections of a read store. No clock is in it: whether its holder lives is told by its changing.
type Lease struct {
	Holder   string // names one process for as long as it runs; empty: it was given back
	Epoch    int64  // grows whenever the lease changes hands; what is written carries it
	Renewals int64  // grows while it is held
}

// next is what a process makes of the lease it finds, which has been as it is for so long; ok is false if another holds it.
//
// An epoch is not only one more than the last but at least the time in milliseconds: if the record is lost, with whatever else was in its
// index, the next epoch is newer than those before.
func (l Lease) next(me string, still time.Duration, leftOver bool, now time.Time) (lease Lease, ok bool) {
	switch {
	case l.Holder == me:
		return Lease{me, l.Epoch, l.Renewals + 1}, true
	case l.Holder == "" || leftOver || still >= leaseWaited:
		return Lease{me, max(l.Epoch+1, now.UnixMilli()), 0}, true
	}
	return l, false
}

// released is the lease given back.
func (l Lease) released() Lease { return Lease{"", l.Epoch, l.Renewals + 1} }

// Stale is the error of a write whose epoch is older than the lease's.
func Stale() error {
	return fault.Errorf(fault.Conflict, "Another process runs the projections now.")
}

// Moved is the error of a checkpoint that does not continue the stored one.
func Moved() error {
	return fault.Errorf(fault.Conflict, "The checkpoint is not the one that was read.")
}

// holderName names this process for people, and no other ever.
func holderName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return fmt.Sprintf("%s, process %d, %.8s", host, os.Getpid(), uuid.NewString())
}

// tenure is one process's side of the lease.
type tenure struct {
	read Store
	opts Options
	me   string

	looking sync.Mutex // one look at a time
	seen    Lease
	seenAt  time.Time // when it was first seen as it is; zero before the first look
	alone   bool      // what is found at first is left over from a process that ended

	mu      sync.Mutex
	role    role
	changed chan struct{} // closed when the role changes
	again   chan struct{} // has a token when it is to be looked at now
}

// role is what a process has to do.
type role struct {
	epoch  int64  // of the lease that is held; 0: it stands by
	holder string // who holds it, as far as is known
}

func newTenure(read Store, opts Options) *tenure {
	return &tenure{read: read, opts: opts, me: holderName(), alone: opts.Alone, changed: make(chan struct{}), again: make(chan struct{}, 1)}
}

// now is the role, and what is closed when it changes.
func (t *tenure) now() (role, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.role, t.changed
}

// doubt has the lease read again at once: a write was refused.
func (t *tenure) doubt() {
	select {
	case t.again <- struct{}{}:
	default:
	}
}

// look renews the lease that is held, takes one that is free or stood still, and else learns who has it. A store that cannot be asked
// changes nothing: what a holder that has lost the lease may still write is refused.
func (t *tenure) look(ctx context.Context) error {
	t.looking.Lock()
	defer t.looking.Unlock()
	found, err := t.read.Lease(ctx)
	if err != nil {
		return readFailed(err)
	}
	now := t.opts.Clock()
	if t.seenAt.IsZero() || found != t.seen {
		t.seen, t.seenAt = found, now
	}
	next, ours := found.next(t.me, now.Sub(t.seenAt), t.alone, now)
	if ours {
		switch err := t.read.SwapLease(ctx, found, next); {
		case fault.KindOf(err) == fault.Conflict && err != nil:
			t.doubt() // what it is now, the next look tells
			return nil
		case err != nil:
			return readFailed(err) // whether it was written, too
		}
		t.seen, t.seenAt, found = next, now, next
	}
	t.alone = false
	r := role{holder: found.Holder}
	if ours {
		r.epoch = found.Epoch
	}
	t.become(r)
	return nil
}

func (t *tenure) become(r role) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r == t.role {
		return
	}
	switch {
	case r.epoch != 0:
		t.opts.Log.Info("this process runs the projections", "epoch", r.epoch, "before", t.role.holder)
	case t.role.epoch != 0 || r.holder != t.role.holder:
		t.opts.Log.Info("this process stands by", "holder", r.holder)
	}
	t.role = r
	close(t.changed)
	t.changed = make(chan struct{})
}

// wait is how long until the next look: short of the moment at which a lease that stands still may be taken over.
func (t *tenure) wait(err error) time.Duration {
	r, _ := t.now()
	if err != nil {
		return leaseLooked
	}
	if r.epoch != 0 {
		return leaseRenewed
	}
	t.looking.Lock()
	defer t.looking.Unlock()
	left := leaseWaited - t.opts.Clock().Sub(t.seenAt)
	return max(min(leaseLooked, left), time.Millisecond)
}

func (t *tenure) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := t.look(ctx)
		pause(ctx, t.wait(err), t.again)
	}
}

// release gives the lease back, so that another process need not wait for it to stand still. Failing costs that wait.
func (t *tenure) release(ctx context.Context) {
	t.looking.Lock()
	defer t.looking.Unlock()
	if r, _ := t.now(); r.epoch == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, leaseRelease)
	defer cancel()
	found, err := t.read.Lease(ctx) // a renewal may have been cut off after it was stored
	if err == nil && found.Holder == t.me {
		err = t.read.SwapLease(ctx, found, found.released())
	}
	if err != nil {
		t.opts.Log.Warn("the lease of the read store was not given back", "error", err)
	}
	t.become(role{})
}
