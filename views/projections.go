package views

import (
	"time"

	"headway/projections"
)

// ProjectionState is the word for what a projection does.
type ProjectionState string

const (
	Running     ProjectionState = "running"
	Paused      ProjectionState = "paused"
	Rebuilding  ProjectionState = "rebuilding"
	Stalled     ProjectionState = "stalled"     // no heartbeat
	Unreachable ProjectionState = "unreachable" // its read store cannot be asked
)

// ProjectionCard is one projection, and the whole live element of a frame.
type ProjectionCard struct {
	Name        string
	State       ProjectionState
	Reason      string // a sentence; empty if there is nothing to say
	Stamp       projections.Stamp
	Share       float64 // of the log that it has applied, 0 to 1
	Lag         projections.Lag
	Rate        float64 // events a second
	HeartbeatAt time.Time
	Holds       int
	Progress    *Progress // of a rebuild
	Zone        *time.Location
}

// Progress is how far a rebuild has come.
type Progress struct{ Done, Total int }

// ProjectionsPage is GET /projections.
type ProjectionsPage struct {
	Cards   []ProjectionCard
	Problem string
}

// ProjectionPage is GET /projections/{name}.
type ProjectionPage struct {
	Card      ProjectionCard
	Holder    string             // the process that runs it, or ran it last; empty if that is not known
	Cursor    string             // where it looks next; opaque; empty if it has none
	Holds     []projections.Hold // oldest first
	MoreHolds bool
}
