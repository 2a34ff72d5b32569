package projections

import "time"

// StampState is the word of a stamp, on the wire and on pages.
type StampState string

const (
	StampCurrent    StampState = "current"
	StampBehind     StampState = "behind"
	StampPaused     StampState = "paused"
	StampHeld       StampState = "held"
	StampRebuilding StampState = "rebuilding"
	StampStalled    StampState = "stalled"
	StampAhead      StampState = "ahead" // of the log, which was put back
	StampUnknown    StampState = "unknown"
)

// Lag is how far a projection is behind the log.
type Lag struct {
	Events int           // not applied yet
	Age    time.Duration // of the oldest of them
}

// Stamp says how fresh a row is, and why. On lists and customers Version and Head are 0 and mean nothing.
type Stamp struct {
	Version int
	Head    int
	State   StampState
	Behind  Lag
	Reason  string // a sentence; empty when current
}

// StampRow says how fresh a row at version is, given its order's head and when that was stored, what its projection does, and its hold if
// it has one. A head of 0 could not be learned: then the stamp is unknown, never current.
func StampRow(version, head int, headAt, now time.Time, status Status, hold *Hold) Stamp {
	s := Stamp{Version: version, Head: head}
	if head == 0 {
		s.State, s.Reason = StampUnknown, "The event store did not say how far this order is."
		return s
	}
	switch {
	case version > head:
		return stampAhead(s)
	case version == head && status.State == Rebuilding: // it may be of the log before
		s.State, s.Reason = StampRebuilding, status.Reason
		return s
	case version == head:
		s.State = StampCurrent
		return s
	}
	s.Behind = Lag{Events: head - version, Age: max(0, now.Sub(headAt))}
	if hold != nil && hold.Version > version {
		s.State, s.Reason = StampHeld, HeldReason(hold.Version, hold.Reason)
		return s
	}
	s.State, s.Reason = stateOf(status), status.Reason
	return s
}

// StampLost is the stamp of a row whose order the log does not have.
func StampLost(version int) Stamp { return stampAhead(Stamp{Version: version}) }

func stampAhead(s Stamp) Stamp {
	s.State, s.Reason = StampAhead, "Ahead of the log, which was put back: this row is made again."
	return s
}

// StampList says how fresh a list, or a customer's row, is: as fresh as its projection.
func StampList(status Status) Stamp {
	s := Stamp{State: stateOf(status), Reason: status.Reason, Behind: status.Lag}
	if s.State == StampBehind && status.Lag.Events == 0 && status.LagIsExact {
		s.State, s.Reason = StampCurrent, ""
	}
	return s
}

// stateOf is why something that is not current is not.
func stateOf(status Status) StampState {
	switch status.State {
	case Running:
		return StampBehind
	case Paused:
		return StampPaused
	case Rebuilding:
		return StampRebuilding
	case Stalled:
		return StampStalled
	case Unreachable:
	}
	return StampUnknown
}
