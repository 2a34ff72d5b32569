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
