package projections

import (
	"time"

	"headway/domain"
)

// Names lists the projections in the order in which pages show them.
func Names() []string {
	var names []string
	for _, p := range All() {
		names = append(names, p.Name)
	}
	return names
}

// Hold is an order that a projection has set aside because an event of it cannot be applied.
type Hold struct {
	Projection string
	OrderID    domain.OrderID
	Version    int    // of the event
	Reason     string // a sentence
	Since      time.Time
}
