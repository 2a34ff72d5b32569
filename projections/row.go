package projections

import (
	"time"

	"headway/domain"
)

// The names of the projections, which are also the names on the wire.
const (
	OrderList            = "order_list"
	CustomerOrderSummary = "customer_order_summary"
)

// Names lists the projections in the order in which pages show them.
func Names() []string { return []string{OrderList, CustomerOrderSummary} }

// Row is what a projection keeps for one order: an OrderRow in order_list, a Contribution in customer_order_summary. It is the
// projection's position in that order, too: the version is written in the same transaction or document.
type Row interface {
	Order() domain.OrderID
	At() int // the version it was built from
}

// OrderRow is an order as the list shows it.
type OrderRow struct {
	ID          domain.OrderID
	Reference   string
	CustomerID  string
	Status      domain.Status
	ItemCount   int // lines
	Total       domain.Money
	CreatedAt   time.Time // business times, UTC, whole microseconds; zero if it has not happened
	ConfirmedAt time.Time
	CancelledAt time.Time
	Version     int
	StoredAt    time.Time // storedAt of that version
	Words       []string  // for search: the tokens of SKUs and product names, folded, sorted, without repeats
}

// Order is the row's order.
func (r OrderRow) Order() domain.OrderID { return r.ID }

// At is the row's version.
func (r OrderRow) At() int { return r.Version }

// Contribution is what one order adds to its customer's row.
type Contribution struct {
	ID         domain.OrderID
	CustomerID string
	Status     domain.Status
	Total      domain.Money
	CreatedAt  time.Time // business time
	Version    int
	StoredAt   time.Time
}

// Order is the contribution's order.
func (c Contribution) Order() domain.OrderID { return c.ID }

// At is the contribution's version.
func (c Contribution) At() int { return c.Version }

// CustomerRow is the sum of a customer's contributions.
type CustomerRow struct {
	ID          string
	TotalOrders int // the cancelled included
	Created     int
	Confirmed   int
	Cancelled   int
	TotalSpent  []domain.Money // by currency, in the order of their codes, without the cancelled; empty if none
	LastOrderAt time.Time      // the newest CreatedAt
}

// Hold is an order that a projection has set aside because an event of it cannot be applied.
type Hold struct {
	Projection string
	OrderID    domain.OrderID
	Version    int    // of the event
	Reason     string // a sentence
	Since      time.Time
}
