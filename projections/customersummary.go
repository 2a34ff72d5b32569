package projections

import (
	"cmp"
	"math"
	"slices"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/orders"
)

// CustomerOrderSummary is the projection of one row a customer.
const CustomerOrderSummary = "customer_order_summary"

func customerOrderSummary() Projection {
	return Projection{
		Name: CustomerOrderSummary, Short: "customers", Generation: 1, Fold: foldOf(FoldContribution),
		Want: wantContribution, Contributions: &Contributions{Noun: "customer", Keys: customerOf, Plus: plusCustomer},
	}
}

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

// Fields is Row's.
func (c Contribution) Fields() []Field {
	return []Field{
		{"id", c.ID}, {"customerId", c.CustomerID}, {"status", c.Status}, {"total", c.Total}, {"createdAt", c.CreatedAt}, {"storedAt", c.StoredAt},
	}
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

// FoldContribution is the fold of this projection; the zero row begins one.
func FoldContribution(codec domain.Codec, row Contribution, records []eventstore.Record) (Contribution, *orders.Hold, error) {
	hold, err := eachNew(codec, row.Version, records, func(r eventstore.Record, facts []domain.Event) error {
		next := row
		for _, fact := range facts {
			if err := next.apply(r, fact); err != nil {
				return err
			}
		}
		next.ID, next.Version, next.StoredAt = orders.IDOf(r.Stream), r.Version, r.StoredAt.UTC()
		row = next
		return nil
	})
	return row, hold, err
}

func (c *Contribution) apply(record eventstore.Record, event domain.Event) (err error) {
	switch e := event.(type) {
	case domain.OrderCreated:
		c.CustomerID, c.Status, c.CreatedAt = e.CustomerID, domain.Created, record.Metadata.Timestamp.UTC()
		c.Total, err = addLines(domain.Money{Currency: e.Currency}, e.Items...)
	case domain.OrderItemAdded:
		c.Total, err = addLines(c.Total, e.Item)
	case domain.OrderConfirmed:
		c.Status = domain.Confirmed
	case domain.OrderCancelled:
		c.Status = domain.Cancelled
	default:
		err = fault.Errorf(fault.Invalid, "The customer summary does not know %s.", event.Type())
	}
	return err
}

// SumCustomer is the row of a customer: the sum of the contributions that name them, in any order. An amount that does not fit 64 bits
// is shown as the largest that does: the customer's other orders are not to suffer for it.
func SumCustomer(id string, contributions ...Contribution) CustomerRow {
	row := CustomerRow{ID: id}
	for _, c := range contributions {
		if c.CustomerID == id {
			row = row.Plus(c)
		}
	}
	return row
}

// Plus adds one contribution to the row, and shares no memory with it. Adding in any order gives the same.
func (r CustomerRow) Plus(c Contribution) CustomerRow {
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

// wantContribution is the row by the domain's fold.
func wantContribution(stream orders.Stream) Row {
	o := stream.Order
	return Contribution{
		ID: o.ID, CustomerID: o.CustomerID, Status: o.Status, Total: o.Total, CreatedAt: o.CreatedAt, Version: o.Version,
		StoredAt: stream.Records[o.Version-1].StoredAt,
	}
}

func customerOf(row Row) []string {
	c, _ := row.(Contribution)
	return []string{c.CustomerID}
}

func plusCustomer(sum Sum, id string, row Row) Sum {
	r, _ := sum.(CustomerRow)
	c, _ := row.(Contribution)
	r.ID = id
	return r.Plus(c)
}
