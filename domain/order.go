package domain

import (
	"headway/fault"
	"slices"
	"time"
)

// OrderID names an order and its stream: a UUID in canonical lower case.
type OrderID string

// CommandID names one attempt of a person to change one order: a UUID in canonical lower case.
type CommandID string

// Status is where an order is in its life.
type Status string

const (
	Created   Status = "created"
	Confirmed Status = "confirmed"
	Cancelled Status = "cancelled"
)

// Statuses lists every status in the order of an order's life.
func Statuses() []Status { return []Status{Created, Confirmed, Cancelled} }

// Item is one line of an order.
type Item struct {
	SKU      string `json:"sku"`
	Name     string `json:"name"`
	Quantity int64  `json:"quantity"`
	Price    Money  `json:"price"` // of one piece
}

// Total is quantity times price; it fails with Invalid if that does not fit an int64.
func (i Item) Total() (Money, error) { return i.Price.Times(i.Quantity) }

// Note is a remark that somebody added.
type Note struct {
	Text    string
	Who     string    // the user; may be empty
	At      time.Time // business time, UTC
	Version int       // of the event
}

// Order is the state of one order: the fold of its events. The zero Order is one that does not exist yet.
type Order struct {
	ID           OrderID
	Version      int // of the last event applied; 0 before the first
	Reference    string
	CustomerID   string
	Currency     Currency
	Status       Status
	Items        []Item
	Total        Money
	CreatedAt    time.Time // business times, UTC; zero if it has not happened
	ConfirmedAt  time.Time
	CancelledAt  time.Time
	CancelReason string
	Notes        []Note // oldest first
}

// Exists tells whether the order has been created.
func (o Order) Exists() bool { return o.Version > 0 }

// Apply adds the facts of one more stored version: all of them or none. Often it is one; the version moves even if there are none, because
// the type of the stored event is retired. Facts are facts: it never asks whether a rule would allow them today. It refuses, with Invalid
// and o unchanged, only what would leave no meaningful order: a gap, anything before the creation, a second creation, another currency, a
// total that does not fit. A copy of o made earlier keeps its own state; to go on from both copies, Clone one first.
func (o *Order) Apply(id OrderID, version int, from Origin, facts ...Event) error {
	if version != o.Version+1 {
		return fault.Errorf(fault.Invalid, "Version %d does not follow version %d.", version, o.Version)
	}
	if len(facts) == 0 && !o.Exists() {
		return fault.Errorf(fault.Invalid, "Version %d comes before the order is created.", version)
	}
	before, exists := *o, o.Exists()
	o.ID, o.Version, from.At = id, version, from.At.UTC()
	for _, fact := range facts {
		_, creates := fact.(OrderCreated)
		err := inPlace(fact, creates, exists, version)
		if err == nil {
			err = fact.apply(o, from)
		}
		if err != nil {
			*o = before
			return err
		}
		exists = true
	}
	return nil
}

// inPlace wants the creation of an order to be its first fact, and no other.
func inPlace(fact Event, creates, exists bool, version int) error {
	switch {
	case creates && exists:
		return fault.Errorf(fault.Invalid, "The order is created a second time at version %d.", version)
	case !creates && !exists:
		return fault.Errorf(fault.Invalid, "%s comes before the order is created.", fact.Type())
	}
	return nil
}

// Clone returns a copy that shares no memory with o.
func (o Order) Clone() Order {
	o.Items, o.Notes = slices.Clone(o.Items), slices.Clone(o.Notes)
	return o
}
