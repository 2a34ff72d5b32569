package console

import (
	"context"
	"log/slog"
	"time"

	"headway/eventstore"
	"headway/operations"
	"headway/projections"
)

// maxLeases is how many leases wait to be put on record; the program's log has those beyond it.
const maxLeases = 8

// leases puts leases that changed hands on record. The elector, which tells of them, never waits.
type leases struct {
	recorder operations.Recorder
	log      *slog.Logger
	waiting  chan leaseChange
}

type leaseChange struct {
	what   operations.What
	lease  projections.Lease
	before string // who had it
}

func newLeases(events eventstore.Store, clock func() time.Time, log *slog.Logger) *leases {
	return &leases{recorder: operations.Recorder{Log: events, Clock: clock}, log: log, waiting: make(chan leaseChange, maxLeases)}
}

func (l *leases) changed(lease projections.Lease, before string) {
	l.keep(leaseChange{operations.Lease, lease, before})
}

// putBack is for a lease in which every row is made again, because the log was put back.
func (l *leases) putBack(lease projections.Lease) {
	l.keep(leaseChange{operations.PutBack, lease, lease.Holder})
}

func (l *leases) keep(c leaseChange) {
	select {
	case l.waiting <- c:
	default:
		l.log.Warn("a change of lease is not on record", "what", c.what, "holder", c.lease.Holder)
	}
}

// operation is what the record says of a change.
func (c leaseChange) operation() (start operations.Start, after map[string]any) {
	start = operations.Start{Who: "system", What: c.what, On: "read store", Before: map[string]any{"holder": c.before}}
	after = map[string]any{"holder": c.lease.Holder, "epoch": c.lease.Epoch}
	if c.what == operations.PutBack {
		start.On, start.Reason, start.Before = "log", "The rows were made of another log, or of this one before it was put back.", nil
		after["logEpoch"] = c.lease.LogEpoch
	}
	return start, after
}

// run puts changes on record until ctx ends. They stand whatever becomes of that.
func (l *leases) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-l.waiting:
			start, after := c.operation()
			err := l.recorder.Note(ctx, start, after)
			if err != nil && ctx.Err() == nil {
				l.log.Warn("a change of lease is not on record", "error", err)
			}
		}
	}
}
