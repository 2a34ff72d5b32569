package sqlite

import (
	"maps"
	"math"
	"math/bits"
	"slices"

	"headway/domain"
	"headway/projections"
)

// contributions writes what orders add to their customers, and brings the customers' rows up with them: from each row goes what its orders added
// as they are stored, and what they add now comes to it. So a customer costs the same however many orders they have, and the row is the sum of
// the stored contributions at every commit.
func (w *write) contributions(rows []projections.Contribution) error {
	known, err := w.storedContributions(rows)
	if err != nil {
		return err
	}
	changes := map[string]*change{}
	of := func(customer string) *change {
		if changes[customer] == nil {
			changes[customer] = &change{last: math.MinInt64, spent: map[domain.Currency]*sum{}}
		}
		return changes[customer]
	}
	for _, c := range rows {
		old, found := known[c.ID]
		if found && old.Version >= c.Version {
			continue
		}
		if found {
			from := of(old.CustomerID)
			from.add(old, -1)
			from.again = from.again || old.CustomerID != c.CustomerID || old.CreatedAt.After(c.CreatedAt)
		}
		to := of(c.CustomerID)
		to.add(c, 1)
		to.last = max(to.last, micros(c.CreatedAt))
		err := w.exec(`INSERT INTO contributions (id, customer, status, total, currency, createdAt, version, storedAt) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET customer = excluded.customer, status = excluded.status, total = excluded.total, currency = excluded.currency,
				createdAt = excluded.createdAt, version = excluded.version, storedAt = excluded.storedAt`,
			string(c.ID), c.CustomerID, string(c.Status), c.Total.Minor, string(c.Total.Currency), micros(c.CreatedAt), c.Version, micros(c.StoredAt))
		if err != nil {
			return err
		}
		known[c.ID] = c
	}
	for _, id := range slices.Sorted(maps.Keys(changes)) {
		if err := w.customer(id, changes[id]); err != nil {
			return err
		}
	}
	return nil
}

// storedContributions reads those that are there of these orders.
func (w *write) storedContributions(of []projections.Contribution) (map[domain.OrderID]projections.Contribution, error) {
	known := make(map[domain.OrderID]projections.Contribution, len(of))
	for chunk := range slices.Chunk(of, idsPerQuery) {
		stmt, err := w.prepared(`SELECT ` + contributionColumns + ` FROM contributions AS c WHERE c.id IN (SELECT value FROM json_each(?))`)
		if err != nil {
			return nil, err
		}
		rows, err := stmt.QueryContext(w.ctx, list(idsOf(chunk)))
		found, err := collect(rows, err, scanContribution)
		if err != nil {
			return nil, err
		}
		for _, c := range found {
			known[c.ID] = c
		}
	}
	return known, nil
}

// change is how the row of a customer changes.
type change struct {
	orders, created, confirmed, cancelled int
	last                                  int64 // the newest creation of what came
	again                                 bool  // an order went, or is older now: the newest creation has to be looked for
	spent                                 map[domain.Currency]*sum
}

// sum is how many amounts there are, and the sums of their upper and lower 32 bits: 2³¹ of them fit, and one can be taken away again.
type sum struct{ n, high, low int64 }

func (c *change) add(what projections.Contribution, times int64) {
	n := int(times)
	c.orders += n
	switch what.Status {
	case domain.Created:
		c.created += n
	case domain.Confirmed:
		c.confirmed += n
	case domain.Cancelled:
		c.cancelled += n
		return
	}
	s := c.spent[what.Total.Currency]
	if s == nil {
		s = &sum{}
		c.spent[what.Total.Currency] = s
	}
	s.n, s.high, s.low = s.n+times, s.high+times*(what.Total.Minor>>32), s.low+times*(what.Total.Minor&math.MaxUint32)
}

// customer changes the row of a customer, makes it, or deletes it with its last order.
func (w *write) customer(id string, c *change) error {
	var no, last int64
	var orders, created, confirmed, cancelled int
	var words string
	found, err := w.one(`SELECT no, orders, created, confirmed, cancelled, last, words FROM customers WHERE id = ?`, []any{id},
		&no, &orders, &created, &confirmed, &cancelled, &last, &words)
	if err != nil {
		return err
	}
	if err := w.spent(id, c.spent); err != nil {
		return err
	}
	if orders+c.orders == 0 {
		if !found {
			return nil
		}
		return w.dropCustomer(no, words)
	}
	switch {
	case c.again:
		if _, err := w.one(`SELECT max(createdAt) FROM contributions WHERE customer = ?`, []any{id}, &last); err != nil {
			return err
		}
	case found:
		last = max(last, c.last)
	default:
		last = c.last
	}
	values := []any{orders + c.orders, created + c.created, confirmed + c.confirmed, cancelled + c.cancelled, last}
	if found {
		return w.exec(`UPDATE customers SET orders = ?, created = ?, confirmed = ?, cancelled = ?, last = ? WHERE no = ?`, append(values, no)...)
	}
	words = projections.Key(id)
	no, err = w.insert(`INSERT INTO customers (orders, created, confirmed, cancelled, last, id, words) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		append(values, id, words)...)
	if err != nil {
		return err
	}
	return w.exec(`INSERT INTO customers_fts (rowid, words) VALUES (?, ?)`, no, words)
}

// spent changes the sums of a customer. A currency without orders is none of theirs.
func (w *write) spent(customer string, sums map[domain.Currency]*sum) error {
	for currency, s := range sums {
		if *s == (sum{}) {
			continue
		}
		err := w.exec(`INSERT INTO spent (customer, currency, n, high, low) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (customer, currency) DO UPDATE SET n = n + excluded.n, high = high + excluded.high, low = low + excluded.low`,
			customer, string(currency), s.n, s.high, s.low)
		if err == nil && s.n < 0 {
			err = w.exec(`DELETE FROM spent WHERE customer = ? AND currency = ? AND n = 0`, customer, string(currency))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *write) dropCustomer(no int64, words string) error {
	if err := w.exec(`INSERT INTO customers_fts (customers_fts, rowid, words) VALUES ('delete', ?, ?)`, no, words); err != nil {
		return err
	}
	return w.exec(`DELETE FROM customers WHERE no = ?`, no)
}

// halves is high << 32 + low, or the largest int64 if that does not fit. Neither is negative.
func halves(high, low int64) int64 {
	if high>>31 != 0 {
		return math.MaxInt64
	}
	sum, carry := bits.Add64(uint64(high)<<32, uint64(low), 0)
	if carry != 0 || sum > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(sum)
}

// idsOf are the orders of rows.
func idsOf[R projections.Row](rows []R) []domain.OrderID {
	ids := make([]domain.OrderID, len(rows))
	for i, r := range rows {
		ids[i] = r.Order()
	}
	return ids
}
