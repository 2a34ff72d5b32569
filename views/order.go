package views

import (
	"time"

	"headway/domain"
	"headway/projections"
)

// MaxLines is how many lines of an order its page shows; the rest is counted.
const MaxLines = 500

// MaxNotes is how many notes of an order its page shows, the newest; the rest is counted.
const MaxNotes = 20

// OrderPage is GET /orders/{id}, and what a command on it answers when it was refused or invalid.
type OrderPage struct {
	Body     OrderBody
	Forms    []Form       // in the order of domain.Commands; none with At: commands act on the head
	Products []Suggestion // for the lines that are added
	Receipt  *Receipt     // after a command, and of the head otherwise; nil if nothing is known
	At       *TimeTravel  // nil at the head
	Problem  string       // a sentence about a command that was not stored
}

// OrderBody is the part of an order page that every viewer shares: facts, lines, timeline. It is the live element of
// projection "order". At is the version it shows if that is not the head; then it is not live.
type OrderBody struct {
	ID       domain.OrderID  // needed where a hold leaves no Order; empty means Order.ID
	Order    domain.Order    // as of At, or the head, or the last version before a hold
	Head     int             // the newest stored version
	Hold     *Held           // not nil: an event cannot be applied
	Timeline []TimelineEntry // newest first
	Earlier  int             // events older than Timeline
	At       int
	Zone     *time.Location
}

// Held is the event an order waits at.
type Held struct {
	Version int
	Type    string
	Schema  int
	Reason  string
	Raw     string // the stored bytes
}

// Receipt says where version Version of an order has arrived.
type Receipt struct {
	OrderID domain.OrderID
	Version int
	Stored  bool      // a command stored this version just now (?after=); else it is only where the order stands
	At      time.Time // stored at
	Ticks   []Tick
}

// Tick is one projection of a receipt.
type Tick struct {
	Projection string
	Arrived    bool
	Took       time.Duration     // from the append to the row; negative if not known
	Stamp      projections.Stamp // of the row that has not arrived: how long it waits, and why
}

// TimeTravel is an order page as of an earlier version.
type TimeTravel struct {
	Version int
	Head    int
	Changes []Change // what this version changed
}

// Change is one field before and after.
type Change struct {
	Field string `json:"field"`
	From  string `json:"from"`
	To    string `json:"to"`
}

// OrderEventsPage is GET /orders/{id}/events: the timeline alone.
type OrderEventsPage struct {
	Name   OrderName
	Head   int
	Events []TimelineEntry // newest first
	Next   string          // before= of the next page; empty at the end
}
