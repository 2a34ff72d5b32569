package projections

import (
	"time"

	"headway/domain"
)

// Hold is an order that a projection has set aside because an event of it cannot be applied.
type Hold struct {
	Key
	OrderID domain.OrderID
	Version int    // of the event
	Reason  string // a sentence
	Since   time.Time
}
