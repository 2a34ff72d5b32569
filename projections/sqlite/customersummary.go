package sqlite

import (
	"context"
	"database/sql"
	"math"

	"headway/domain"
	"headway/fault"
	"headway/projections"
)

// customerSummary keeps the customers.
func customerSummary() keeper {
	return contributing[projections.CustomerOrder]{table: "customer_orders", change: changeCustomer}.keep(keeper{
		projection: projections.CustomerOrderSummary, schema: customerSchema, sums: customers(), check: checkCustomers,
	})
}

// spent has a customer's orders that are not cancelled, by currency: how many, and the sums of the upper and the lower 32 bits of their
// totals, from which one total can be taken again whatever the sum is. minor is that sum, or the largest number if it does not fit.
// customer_times has how many orders of each customer were created when, to find the newest when one goes.
const customerSchema = `
CREATE TABLE customers (
	no        INTEGER PRIMARY KEY,
	id        TEXT    NOT NULL UNIQUE,
	orders    INTEGER NOT NULL,
	created   INTEGER NOT NULL,
	confirmed INTEGER NOT NULL,
	cancelled INTEGER NOT NULL,
	last      INTEGER NOT NULL,
	words     TEXT    NOT NULL
) STRICT;
CREATE INDEX customers_last   ON customers (last DESC, id);
CREATE INDEX customers_orders ON customers (orders DESC, id);
CREATE TABLE customer_times (
	customer  TEXT    NOT NULL,
	createdAt INTEGER NOT NULL,
	n         INTEGER NOT NULL,
	PRIMARY KEY (customer, createdAt)
) STRICT, WITHOUT ROWID;
CREATE TABLE spent (
	customer TEXT    NOT NULL,
	currency TEXT    NOT NULL,
	n        INTEGER NOT NULL,
	high     INTEGER NOT NULL,
	low      INTEGER NOT NULL,
	minor    INTEGER NOT NULL AS (iif(high + (low >> 32) > 0x7fffffff, 0x7fffffffffffffff, (high + (low >> 32) << 32) + (low & 0xffffffff))),
	PRIMARY KEY (customer, currency)
) STRICT, WITHOUT ROWID;
CREATE VIRTUAL TABLE customers_fts USING fts5 (
	words, content='customers', content_rowid='no', tokenize='ascii', detail='none', columnsize=0, prefix='1 2 3 4 5 6 7 8 9 10 11 12'
);
`

const customerColumns = `s.id, s.orders, s.created, s.confirmed, s.cancelled, s.last`

func scanCustomer(rows *sql.Rows) (r projections.CustomerRow, err error) {
	var last int64
	err = rows.Scan(&r.ID, &r.TotalOrders, &r.Created, &r.Confirmed, &r.Cancelled, &last)
	r.LastOrderAt = moment(last)
	return r, err
}

func customers() sumTable { return sumTable{"customers", readCustomers} }

func readCustomers(ctx context.Context, tx reader, from string, args ...any) ([]projections.Sum, error) {
	rows, err := tx.QueryContext(ctx, `SELECT `+customerColumns+from, args...)
	found, err := collect(rows, err, scanCustomer)
	if err == nil {
		err = addSpent(ctx, tx, found)
	}
	return anySums(found), err
}

// addSpent fills in TotalSpent.
func addSpent(ctx context.Context, tx reader, customers []projections.CustomerRow) error {
	at := make(map[string]int, len(customers))
	ids := make([]string, 0, len(customers))
	for i, c := range customers {
		at[c.ID] = i
		ids = append(ids, c.ID)
	}
	rows, err := tx.QueryContext(ctx, `SELECT customer, currency, minor FROM spent WHERE customer IN (SELECT value FROM json_each(?))
		ORDER BY customer, currency`, list(ids))
	_, err = collect(rows, err, func(rows *sql.Rows) (m domain.Money, err error) {
		var customer string
		err = rows.Scan(&customer, &m.Currency, &m.Minor)
		if i, ok := at[customer]; ok && err == nil {
			customers[i].TotalSpent = append(customers[i].TotalSpent, m)
		}
		return m, err
	})
	return err
}

// Customer is projections.Reader's.
func (s *Store) Customer(ctx context.Context, id string) (projections.CustomerRow, error) {
	row, found, err := sumOf[projections.CustomerRow](ctx, s, projections.CustomerOrderSummary, id)
	if err == nil && !found {
		err = fault.Errorf(fault.NotFound, "No order of this customer has arrived.")
	}
	return row, err
}

// changeCustomer changes the row of a customer, makes it, or deletes it with its last order.
func changeCustomer(w *write, id string, changes []change[projections.CustomerOrder]) error {
	byStatus, spent, times := map[domain.Status]int{}, map[domain.Currency]*sum{}, map[int64]int64{}
	for _, c := range changes {
		byStatus[c.of.Status] += int(c.times)
		times[micros(c.of.CreatedAt)] += c.times
		if c.of.Status == domain.Cancelled {
			continue
		}
		if spent[c.of.Total.Currency] == nil {
			spent[c.of.Total.Currency] = &sum{}
		}
		spent[c.of.Total.Currency].add(c.of.Total.Minor, c.times)
	}
	if err := w.spent(id, spent); err != nil {
		return err
	}
	newest, isAgain, err := w.customerTimes(id, times)
	if err != nil {
		return err
	}
	created, confirmed, cancelled := byStatus[domain.Created], byStatus[domain.Confirmed], byStatus[domain.Cancelled]
	var no, last int64
	var orders, wasCreated, wasConfirmed, wasCancelled int
	var words string
	found, err := w.one(`SELECT no, orders, created, confirmed, cancelled, last, words FROM customers WHERE id = ?`, []any{id},
		&no, &orders, &wasCreated, &wasConfirmed, &wasCancelled, &last, &words)
	if err != nil {
		return err
	}
	orders += created + confirmed + cancelled
	if orders == 0 {
		if !found {
			return nil
		}
		return w.dropCustomer(no, words)
	}
	if isAgain {
		if _, err := w.one(`SELECT max(createdAt) FROM customer_times WHERE customer = ?`, []any{id}, &last); err != nil {
			return err
		}
	} else if !found {
		last = newest
	}
	values := []any{orders, wasCreated + created, wasConfirmed + confirmed, wasCancelled + cancelled, max(last, newest)}
	if found {
		return w.exec(`UPDATE customers SET orders = ?, created = ?, confirmed = ?, cancelled = ?, last = ? WHERE no = ?`, append(values, no)...)
	}
	words = projections.JoinedWords(id)
	no, err = w.insert(`INSERT INTO customers (orders, created, confirmed, cancelled, last, id, words) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		append(values, id, words)...)
	if err != nil {
		return err
	}
	return w.exec(`INSERT INTO customers_fts (rowid, words) VALUES (?, ?)`, no, words)
}

// customerTimes changes when the orders of a customer were created. It answers the newest that came, and whether one went, so that the
// newest of all has to be looked for again.
func (w *write) customerTimes(customer string, times map[int64]int64) (newest int64, isAgain bool, err error) {
	newest = math.MinInt64
	for at, n := range times {
		if n == 0 {
			continue
		}
		err = w.exec(`INSERT INTO customer_times (customer, createdAt, n) VALUES (?1, ?2, ?3) ON CONFLICT (customer, createdAt) DO UPDATE SET n = n + ?3`,
			customer, at, n)
		if n > 0 {
			newest = max(newest, at)
		} else if isAgain = true; err == nil {
			err = w.exec(`DELETE FROM customer_times WHERE customer = ? AND createdAt = ? AND n = 0`, customer, at)
		}
		if err != nil {
			return 0, false, err
		}
	}
	return newest, isAgain, nil
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

// checkCustomers compares the words of customers, and how many orders their sums are of.
func checkCustomers(ctx context.Context, s *Store, differ differ) error {
	if err := s.compareWords(ctx, differ, "customers", "id"); err != nil {
		return err
	}
	const counted = `(SELECT c.value ->> 'customer' AS customer, c.value ->> '$.total.currency' AS currency, count(*) AS n
		FROM customer_orders AS o, json_each(o.contributions) AS c WHERE c.value ->> 'status' IN ('created', 'confirmed') GROUP BY 1, 2)`
	return s.compare(ctx, differ, "n", `SELECT customer || ' ' || currency, coalesce(c.n, 'none'), coalesce(s.n, 'none')
		FROM `+counted+` AS c FULL JOIN spent AS s USING (customer, currency) WHERE c.n IS NOT s.n`)
}

// Customers is projections.Reader's.
func (s *Store) Customers(ctx context.Context, q projections.CustomerQuery) (projections.CustomerPage, error) {
	q, err := q.Checked()
	if err != nil {
		return projections.CustomerPage{}, err
	}
	by, desc := q.Sort.By()
	page := sumPage{
		of: customers(), text: q.Text, limit: q.Limit, cursor: q.Cursor, fingerprint: q.Fingerprint(),
	}
	customer := func(sum projections.Sum) projections.CustomerRow { r, _ := sum.(projections.CustomerRow); return r }
	switch by {
	case "customer":
		page.column = sortColumn{name: "id", desc: desc, text: true}
	case "orders":
		page.column, page.index = sortColumn{name: "orders", desc: desc}, "customers_orders"
		page.value = func(sum projections.Sum) any { return int64(customer(sum).TotalOrders) }
	default:
		page.column, page.index = sortColumn{name: "last", desc: desc}, "customers_last"
		page.value = func(sum projections.Sum) any { return micros(customer(sum).LastOrderAt) }
	}
	if err := page.find(ctx, s); err != nil {
		return projections.CustomerPage{}, err
	}
	return projections.CustomerPage{Rows: sumsAs[projections.CustomerRow](page.rows), Next: page.next, Total: page.total,
		TotalIsExact: page.isExact}, nil
}
