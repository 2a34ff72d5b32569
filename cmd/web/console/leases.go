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
	lease  projections.Lease
	before string // who had it
}

func newLeases(events eventstore.Store, clock func() time.Time, log *slog.Logger) *leases {
	return &leases{recorder: operations.Recorder{Log: events, Clock: clock}, log: log, waiting: make(chan leaseChange, maxLeases)}
}

func (l *leases) changed(lease projections.Lease, before string) {
	select {
	case l.waiting <- leaseChange{lease, before}:
	default:
		l.log.Warn("a change of lease is not on record", "holder", lease.Holder)
	}
}

// run puts changes on record until ctx ends. They stand whatever becomes of that.
func (l *leases) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-l.waiting:
			err := l.recorder.Note(ctx, operations.Start{
				Who: "system", What: operations.Lease, On: "read store", Before: map[string]any{"holder": c.before},
			}, map[string]any{"holder": c.lease.Holder, "epoch": c.lease.Epoch})
			if err != nil && ctx.Err() == nil {
				l.log.Warn("a change of lease is not on record", "error", err)
			}
		}
	}
}
