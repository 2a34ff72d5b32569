package projections

import (
	"context"
	"errors"
	"time"

	"headway/eventstore"
)

// The bounds of a look.
const (
	MaxLagOrders = 1000             // orders that a projection lacks events of; with more the lag is a lower bound
	StalledAfter = 10 * time.Second // a heartbeat older than this is none
	maxAgeReads  = 20               // orders whose oldest missing event is looked up; of the others the newest counts
	maxLookPages = 5                // of MaxLagOrders moves each; until the next look the lag is a lower bound
	lookAnew     = 30 * time.Second // what was learned by a look that is older is forgotten
)

// Status is a projection as the stores tell it, not as it says of itself: the lag is counted from the log and the rows.
type Status struct {
	Name        string
	State       Phase
	Reason      string // a sentence; empty if there is nothing to say
	Lag         Lag
	LagIsExact  bool // else it is at least that, or, when unreachable, not known
	Rate        float64
	HeartbeatAt time.Time         // zero if there was none
	Holder      string            // the process whose heartbeat it was
	Cursor      eventstore.Cursor // empty if there is none: then it is behind by the whole log
	Holds       []Hold            // oldest first, at most MaxHolds
}

// Look asks both stores about every projection, in the order of Names. A store that does not answer is a state, not an error; the only error
// is the context's. Whoever looks again keeps a Lookout.
func Look(ctx context.Context, events eventstore.Store, read Reader, now time.Time) ([]Status, error) {
	return NewLookout(events, read).Look(ctx, now)
}

// statusOf judges what a projection says of itself by its heartbeat.
func statusOf(name string, state State, now time.Time) Status {
	s := Status{
		Name: name, State: state.Phase, Reason: state.Reason, Rate: state.Rate, HeartbeatAt: state.HeartbeatAt, Holder: state.Holder,
		Cursor: state.Checkpoint,
	}
	switch silence := now.Sub(state.HeartbeatAt); {
	case state.HeartbeatAt.IsZero():
		s.State, s.Reason, s.Rate = Stalled, "It has not started yet.", 0
	case silence > StalledAfter:
		s.State, s.Reason, s.Rate = Stalled, "No heartbeat for "+Span(silence)+".", 0
	}
	return s
}

func reasonUnreachable(err error) string {
	if e, ok := errors.AsType[*storeError](err); ok {
		return "The " + e.store + " cannot be reached."
	}
	return "Something went wrong."
}
