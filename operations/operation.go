package operations

import (
	"encoding/json"
	"time"
)

// What is the kind of an operation: its stable name on the wire.
type What string

// The kinds of operations.
const (
	Import  What = "import"
	Verify  What = "verify"
	Lease   What = "lease"      // of a read store, changed hands
	PutBack What = "log"        // the log was put back from a backup, begun anew or exchanged
	Staff   What = "demo-staff" // somebody in the demo chose whom to be
)

// Whats lists the kinds in the order in which pages show them.
func Whats() []What { return []What{Import, Verify, Lease, PutBack, Staff} }

// Outcome is how far an operation has come.
type Outcome string

const (
	Asked  Outcome = "asked" // and has no end: it is under way, or its process died
	Done   Outcome = "done"
	Failed Outcome = "failed"
)

// Outcomes lists them in the order of an operation's life.
func Outcomes() []Outcome { return []Outcome{Asked, Done, Failed} }

// Operation is one thing that was done, as the record has it. No secret is in it, typed ones included.
type Operation struct {
	ID            string // a UUID
	At            time.Time
	EndedAt       time.Time // zero while it has no end
	Who           string    // a person, a program, or the system
	What          What
	On            string // what it was done to
	Reason        string // in the words of who asked; empty if none was given
	Outcome       Outcome
	Before        json.RawMessage // JSON; nil if there is nothing to say
	After         json.RawMessage // JSON; of a failure {"error": the sentence}
	CorrelationID string
}
