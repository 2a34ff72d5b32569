package projections

import (
	"time"

	"headway/eventstore"
)

// StalledAfter is the age at which a heartbeat is none.
const StalledAfter = 10 * time.Second

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

// StatusOf is what a projection says of itself, judged by its heartbeat: without lag and holds.
func StatusOf(name string, state State, now time.Time) Status {
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
