package projections

import (
	"cmp"
	"math"
	"slices"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/orders"
)

// CustomerOrderSummary is the projection of one row a customer.
const CustomerOrderSummary = "customer_order_summary"

func customerOrderSummary() Projection {
	return adding[CustomerOrder, CustomerRow]{noun: "customer", apply: applyCustomer, want: wantCustomer,
		plus: CustomerRow.Plus}.declare(Projection{
		Name: CustomerOrderSummary, Short: "customers", Generation: 1,
	})
}

// CustomerOrder is what an order adds to its customer.
type CustomerOrder struct {
	CustomerID string        `json:"customer"`
	Status     domain.Status `json:"status"` // empty: the order is another customer's now
	Total      domain.Money  `json:"total"`
	CreatedAt  time.Time     `json:"createdAt"` // business time
}

// Key is the customer.
func (c CustomerOrder) Key() string { return c.CustomerID }

// Counts is Contribution's.
func (c CustomerOrder) Counts() bool { return c.Status != "" }

// Fields is Contribution's.
func (c CustomerOrder) Fields() []Field {
	of := " of " + c.CustomerID
	return []Field{{"status" + of, c.Status}, {"total" + of, c.Total}, {"createdAt" + of, c.CreatedAt}}
}

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

// Key is Sum's.
func (r CustomerRow) Key() string { return r.ID }

// Fields is Sum's.
func (r CustomerRow) Fields() []Field {
	return []Field{
		{"totalOrders", r.TotalOrders}, {"created", r.Created}, {"confirmed", r.Confirmed}, {"cancelled", r.Cancelled},
		{"totalSpent", r.TotalSpent}, {"lastOrderAt", r.LastOrderAt},
	}
}

func applyCustomer(row Contributed[CustomerOrder], record eventstore.Record, facts []domain.Event) []CustomerOrder {
	all := row.Contributions
	for _, fact := range facts {
		if e, ok := fact.(domain.OrderCreated); ok {
			all = []CustomerOrder{{CustomerID: e.CustomerID, Status: domain.Created, CreatedAt: record.Metadata.Timestamp.UTC()}}
		}
	}
	for i, c := range all {
		if c.Counts() {
			all[i].Status, all[i].Total = row.Status, row.Total
		}
	}
	return all
}

func wantCustomer(_ domain.Codec, stream orders.Stream) []CustomerOrder {
	o := stream.Order
	return []CustomerOrder{{CustomerID: o.CustomerID, Status: o.Status, Total: o.Total, CreatedAt: o.CreatedAt}}
}

// Plus adds one contribution to the row, and shares no memory with it. Adding in any order gives the same. An amount that does not fit 64
// bits is shown as the largest that does: the customer's other orders are not to suffer for it.
func (r CustomerRow) Plus(c CustomerOrder) CustomerRow {
	r.ID = c.CustomerID
	r.TotalOrders++
	switch c.Status {
	case domain.Created:
		r.Created++
	case domain.Confirmed:
		r.Confirmed++
	case domain.Cancelled:
		r.Cancelled++
	}
	if c.CreatedAt.After(r.LastOrderAt) {
		r.LastOrderAt = c.CreatedAt
	}
	if c.Status != domain.Cancelled {
		r.TotalSpent = AddMoney(r.TotalSpent, c.Total)
	}
	return r
}

// AddMoney adds an amount that is not negative to sums by currency, in the order of their codes; a sum that does not fit is the largest
// that does. It never changes the memory of sums.
func AddMoney(sums []domain.Money, m domain.Money) []domain.Money {
	sums = slices.Clone(sums)
	at, found := slices.BinarySearchFunc(sums, m, func(a, b domain.Money) int { return cmp.Compare(a.Currency, b.Currency) })
	if !found {
		return slices.Insert(sums, at, m)
	}
	sum, err := sums[at].Plus(m)
	if err != nil {
		sum.Minor, sum.Currency = math.MaxInt64, m.Currency
	}
	sums[at] = sum
	return sums
}
