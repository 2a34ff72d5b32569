package projections

import (
	"cmp"
	"math"
	"slices"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/orders"
)

// FoldContribution continues what an order adds to its customer's row. It promises what FoldOrderList promises.
func FoldContribution(codec domain.Codec, row Contribution, records []eventstore.Record) (Contribution, *orders.Hold, error) {
	hold, err := eachNew(codec, row.Version, records, func(r eventstore.Record, event domain.Event) error {
		next := row
		if err := next.apply(r, event); err != nil {
			return err
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
