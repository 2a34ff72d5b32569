package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"time"

	"headway/domain"
	"headway/fault"
	"headway/projections"
)

// The columns of each kind of row, in the order in which its scan takes them.
const (
	orderColumns = `o.id, o.reference, o.customer, o.status, o.items, o.total, o.currency, o.createdAt, o.confirmedAt, o.cancelledAt,
		o.version, o.storedAt, o.words`
	contributionColumns = `c.id, c.customer, c.status, c.total, c.currency, c.createdAt, c.version, c.storedAt`
	customerColumns     = `c.id, c.orders, c.created, c.confirmed, c.cancelled, c.last`
)

func scanOrder(rows *sql.Rows) (r projections.OrderRow, err error) {
	var created, confirmed, cancelled, stored int64
	var words string
	err = rows.Scan(&r.ID, &r.Reference, &r.CustomerID, &r.Status, &r.ItemCount, &r.Total.Minor, &r.Total.Currency, &created,
		&confirmed, &cancelled, &r.Version, &stored, &words)
	r.CreatedAt, r.ConfirmedAt, r.CancelledAt, r.StoredAt = moment(created), moment(confirmed), moment(cancelled), moment(stored)
	r.Words = splitWords(words)
	return r, err
}

func scanContribution(rows *sql.Rows) (c projections.Contribution, err error) {
	var created, stored int64
	err = rows.Scan(&c.ID, &c.CustomerID, &c.Status, &c.Total.Minor, &c.Total.Currency, &created, &c.Version, &stored)
	c.CreatedAt, c.StoredAt = moment(created), moment(stored)
	return c, err
}

func scanCustomer(rows *sql.Rows) (r projections.CustomerRow, err error) {
	var last int64
	err = rows.Scan(&r.ID, &r.TotalOrders, &r.Created, &r.Confirmed, &r.Cancelled, &last)
	r.LastOrderAt = moment(last)
	return r, err
}

// OrderRows is projections.Reader's.
func (s *Store) OrderRows(ctx context.Context, ids ...domain.OrderID) (map[domain.OrderID]projections.OrderRow, error) {
	return byID(ctx, s, ids, `SELECT `+orderColumns+` FROM orders AS o WHERE o.id IN (SELECT value FROM json_each(?))`, scanOrder)
}

// Rows is projections.Store's.
func (s *Store) Rows(ctx context.Context, projection string, ids ...domain.OrderID) (map[domain.OrderID]projections.Row, error) {
	switch projection {
	case projections.OrderList:
		rows, err := s.OrderRows(ctx, ids...)
		return asRows(rows), err
	case projections.CustomerOrderSummary:
		rows, err := byID(ctx, s, ids, `SELECT `+contributionColumns+` FROM contributions AS c
			WHERE c.id IN (SELECT value FROM json_each(?))`, scanContribution)
		return asRows(rows), err
	}
	_, err := tableOf(projection)
	return nil, err
}

func asRows[R projections.Row](from map[domain.OrderID]R) map[domain.OrderID]projections.Row {
	rows := make(map[domain.OrderID]projections.Row, len(from))
	for id, r := range from {
		rows[id] = r
	}
	return rows
}

// position is a row as its place alone.
type position struct {
	id      domain.OrderID
	version int
}

// Versions is projections.Reader's.
func (s *Store) Versions(ctx context.Context, projection string, ids ...domain.OrderID) (map[domain.OrderID]int, error) {
	table, err := tableOf(projection)
	if err != nil {
		return nil, err
	}
	query := `SELECT id, version FROM ` + table + ` WHERE id IN (SELECT value FROM json_each(?))`
	versions := make(map[domain.OrderID]int, len(ids))
	for chunk := range slices.Chunk(ids, idsPerQuery) {
		page, err := readAll(ctx, s, func(rows *sql.Rows) (p position, err error) {
			err = rows.Scan(&p.id, &p.version)
			return p, err
		}, query, list(chunk))
		if err != nil {
			return nil, err
		}
		for _, p := range page {
			versions[p.id] = p.version
		}
	}
	return versions, nil
}

// byID reads the rows that exist of these orders.
func byID[R projections.Row](
	ctx context.Context, s *Store, ids []domain.OrderID, query string, scan func(*sql.Rows) (R, error),
) (map[domain.OrderID]R, error) {
	found := make(map[domain.OrderID]R, len(ids))
	for len(ids) > 0 {
		chunk := ids[:min(len(ids), idsPerQuery)]
		ids = ids[len(chunk):]
		page, err := readAll(ctx, s, scan, query, list(chunk))
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			found[r.Order()] = r
		}
	}
	return found, nil
}

// EachRow is projections.Reader's.
func (s *Store) EachRow(ctx context.Context, projection string, f func(projections.Row) error) error {
	switch projection {
	case projections.OrderList:
		return each(ctx, s, `SELECT `+orderColumns+` FROM orders AS o WHERE o.id > ? ORDER BY o.id LIMIT ?`, scanOrder,
			func(r projections.OrderRow) string { return string(r.ID) }, func(r projections.OrderRow) error { return f(r) })
	case projections.CustomerOrderSummary:
		return each(ctx, s, `SELECT `+contributionColumns+` FROM contributions AS c WHERE c.id > ? ORDER BY c.id LIMIT ?`, scanContribution,
			func(c projections.Contribution) string { return string(c.ID) }, func(c projections.Contribution) error { return f(c) })
	}
	_, err := tableOf(projection)
	return err
}

// EachSum is projections.Reader's.
func (s *Store) EachSum(ctx context.Context, projection string, f func(projections.Sum) error) error {
	if projection != projections.CustomerOrderSummary {
		return notSummed(projection)
	}
	return s.eachCustomer(ctx, func(r projections.CustomerRow) error { return f(r) })
}

func notSummed(projection string) error {
	return fault.Errorf(fault.NotFound, "There are no sums of %s.", fmt.Sprintf("%.80q", projection))
}

func (s *Store) eachCustomer(ctx context.Context, f func(projections.CustomerRow) error) error {
	var after *string // an id may be empty in a row that somebody wrote by hand
	for {
		var page []projections.CustomerRow
		err := s.snapshot(ctx, func(tx reader) error {
			rows, err := tx.QueryContext(ctx, `SELECT `+customerColumns+` FROM customers AS c WHERE ?1 IS NULL OR c.id > ?1
				ORDER BY c.id LIMIT ?2`, after, rowsPerStep)
			if page, err = collect(rows, err, scanCustomer); err != nil {
				return err
			}
			return addSpent(ctx, tx, page)
		})
		if err != nil {
			return err
		}
		for _, r := range page {
			if err := f(r); err != nil {
				return err
			}
		}
		if len(page) < rowsPerStep {
			return nil
		}
		after = &page[len(page)-1].ID
	}
}

// each pages through a table by id, so that no transaction is held while f works.
func each[R any](
	ctx context.Context, s *Store, query string, scan func(*sql.Rows) (R, error), id func(R) string, f func(R) error,
) error {
	after := ""
	for {
		page, err := readAll(ctx, s, scan, query, after, rowsPerStep)
		if err != nil {
			return err
		}
		for _, r := range page {
			if err := f(r); err != nil {
				return err
			}
		}
		if len(page) < rowsPerStep {
			return nil
		}
		after = id(page[len(page)-1])
	}
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
	found, err := s.customersOf(ctx, []string{id})
	if err != nil {
		return projections.CustomerRow{}, err
	}
	if len(found) == 0 {
		return projections.CustomerRow{}, fault.Errorf(fault.NotFound, "No order of this customer has arrived.")
	}
	return found[0], nil
}

// Sums is projections.Reader's.
func (s *Store) Sums(ctx context.Context, projection string, keys ...string) (map[string]projections.Sum, error) {
	if projection != projections.CustomerOrderSummary {
		return nil, notSummed(projection)
	}
	all := make(map[string]projections.Sum, len(keys))
	for chunk := range slices.Chunk(keys, idsPerQuery) {
		found, err := s.customersOf(ctx, chunk)
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			all[r.ID] = r
		}
	}
	return all, nil
}

func (s *Store) customersOf(ctx context.Context, ids []string) (found []projections.CustomerRow, err error) {
	err = s.snapshot(ctx, func(tx reader) error {
		rows, err := tx.QueryContext(ctx, `SELECT `+customerColumns+` FROM customers AS c WHERE c.id IN (SELECT value FROM json_each(?))`, list(ids))
		if found, err = collect(rows, err, scanCustomer); err != nil {
			return err
		}
		return addSpent(ctx, tx, found)
	})
	return found, err
}

// Totals is projections.Reader's: the counts are kept, the value comes from the orders of that time only.
func (s *Store) Totals(ctx context.Context, from, to time.Time) (projections.Totals, error) {
	totals := projections.Totals{ByStatus: map[domain.Status]int{}}
	for _, status := range domain.Statuses() {
		totals.ByStatus[status] = 0
	}
	err := s.snapshot(ctx, func(tx reader) error {
		rows, err := tx.QueryContext(ctx, `SELECT status, n FROM tally WHERE n > 0`)
		_, err = collect(rows, err, func(rows *sql.Rows) (n int, err error) {
			var status domain.Status
			err = rows.Scan(&status, &n)
			totals.ByStatus[status] = n
			return n, err
		})
		if err != nil {
			return err
		}
		rows, err = tx.QueryContext(ctx, `SELECT currency, sum(total >> 32), sum(total & 0xffffffff) FROM orders INDEXED BY orders_created
			WHERE createdAt >= ? AND createdAt < ? AND status <> 'cancelled' GROUP BY currency ORDER BY currency`, micros(from), micros(to))
		totals.Value, err = collect(rows, err, func(rows *sql.Rows) (m domain.Money, err error) {
			var high, low int64
			err = rows.Scan(&m.Currency, &high, &low)
			m.Minor = halves(high, low)
			return m, err
		})
		return err
	})
	return totals, err
}

// States is projections.Reader's.
func (s *Store) States(ctx context.Context) (map[string]projections.State, error) {
	all, err := readAll(ctx, s, func(rows *sql.Rows) (state projections.State, err error) {
		var beat int64
		err = rows.Scan(&state.Projection, &state.Phase, &state.Reason, &beat, &state.Rate, (*string)(&state.Checkpoint), &state.Holder)
		state.HeartbeatAt = moment(beat)
		return state, err
	}, `SELECT name, phase, reason, heartbeatAt, rate, checkpoint, holder FROM projections`)
	if err != nil {
		return nil, err
	}
	states := make(map[string]projections.State, len(all))
	for _, state := range all {
		states[state.Projection] = state
	}
	return states, nil
}

// Holds is projections.Reader's.
func (s *Store) Holds(ctx context.Context, projection string, ids ...domain.OrderID) ([]projections.Hold, error) {
	query, args := `SELECT projection, id, version, reason, since FROM holds WHERE (?1 = '' OR projection = ?1)`, []any{projection}
	if len(ids) > 0 {
		query += ` AND id IN (SELECT value FROM json_each(?2))`
		args = append(args, list(ids))
	}
	return readAll(ctx, s, func(rows *sql.Rows) (h projections.Hold, err error) {
		var since int64
		err = rows.Scan(&h.Projection, &h.OrderID, &h.Version, &h.Reason, &since)
		h.Since = moment(since)
		return h, err
	}, query+` ORDER BY since, projection, id LIMIT `+strconv.Itoa(projections.MaxHolds), args...)
}
