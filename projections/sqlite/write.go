package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/projections"
)

// Write is projections.Store's: one transaction, so that after a crash the batch is there or it is not.
func (s *Store) Write(ctx context.Context, b projections.Batch) error {
	return s.fenced(ctx, b.Epoch, func(w *write) error { return w.batch(b) })
}

// Beat is projections.Store's.
func (s *Store) Beat(ctx context.Context, state projections.State) error {
	return s.fenced(ctx, state.Epoch, func(w *write) error {
		return w.exec(`INSERT INTO projections (name, phase, reason, heartbeatAt, rate, holder) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (name) DO UPDATE SET phase = excluded.phase, reason = excluded.reason, heartbeatAt = excluded.heartbeatAt,
				rate = excluded.rate, holder = excluded.holder`,
			state.Projection, string(state.Phase), state.Reason, micros(state.HeartbeatAt), state.Rate, state.Holder)
	})
}

// fenced is a transaction of whoever has the lease, or had it in no older epoch. When the context ends, it is undone between two statements:
// a statement that could itself be interrupted costs a goroutine each.
func (s *Store) fenced(ctx context.Context, epoch int64, do func(w *write) error) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.turn }()
	if err := s.statements.prepare(ctx, s.writer); err != nil {
		return failed(ctx, err)
	}
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return failed(ctx, err)
	}
	w := &write{ctx: context.WithoutCancel(ctx), tx: tx, kept: s.statements, own: map[string]*sql.Stmt{}, tally: map[domain.Status]int{}, next: map[int64]int64{}}
	var newer bool
	if newer, err = w.one(`SELECT 1 FROM lease WHERE epoch > ?`, []any{epoch}, new(int)); newer {
		err = projections.Stale()
	}
	if err == nil {
		err = do(w)
	}
	if err != nil {
		return failed(ctx, errors.Join(err, tx.Rollback()))
	}
	err = tx.Commit()
	s.mover.committed()
	return failed(ctx, err)
}

// Lease is projections.Store's.
func (s *Store) Lease(ctx context.Context) (l projections.Lease, err error) {
	err = s.snapshot(ctx, func(tx reader) error {
		return tx.QueryRowContext(ctx, `SELECT holder, epoch, renewals FROM lease`).Scan(&l.Holder, &l.Epoch, &l.Renewals)
	})
	return l, err
}

// SwapLease is projections.Store's.
func (s *Store) SwapLease(ctx context.Context, old, lease projections.Lease) error {
	result, err := s.writer.ExecContext(ctx, `UPDATE lease SET holder = ?, epoch = ?, renewals = ? WHERE holder = ? AND epoch = ? AND renewals = ?`,
		lease.Holder, lease.Epoch, lease.Renewals, old.Holder, old.Epoch, old.Renewals)
	if err != nil {
		return failed(ctx, err)
	}
	swapped, err := result.RowsAffected()
	if err == nil && swapped == 0 {
		return projections.Stale()
	}
	return failed(ctx, err)
}

// statements are prepared for every transaction from the one after that which used them first. Preparing takes the connection, so it is
// done between transactions. They close with their connection.
type statements map[string]*sql.Stmt

func (s statements) prepare(ctx context.Context, db *sql.DB) error {
	for query, stmt := range s {
		if stmt != nil {
			continue
		}
		stmt, err := db.PrepareContext(ctx, query)
		if err != nil {
			return err
		}
		s[query] = stmt
	}
	return nil
}

// write is one transaction of the writer. It holds the lock from its beginning, so that what it reads stays true until its end.
type write struct {
	ctx   context.Context
	tx    *sql.Tx
	kept  statements
	own   map[string]*sql.Stmt  // as this transaction uses them
	tally map[domain.Status]int // how the number of orders in each status changes
	next  map[int64]int64       // the next free place of a second in a region, by its first number, where that is known
}

func (w *write) prepared(query string) (*sql.Stmt, error) {
	if stmt, ok := w.own[query]; ok {
		return stmt, nil
	}
	if stmt := w.kept[query]; stmt != nil {
		w.own[query] = w.tx.StmtContext(w.ctx, stmt)
		return w.own[query], nil
	}
	stmt, err := w.tx.PrepareContext(w.ctx, query)
	if err == nil {
		w.own[query], w.kept[query] = stmt, nil
	}
	return stmt, err
}

func (w *write) exec(query string, args ...any) error {
	stmt, err := w.prepared(query)
	if err == nil {
		_, err = stmt.ExecContext(w.ctx, args...)
	}
	return err
}

// insert stores one row and answers its number.
func (w *write) insert(query string, args ...any) (no int64, err error) {
	stmt, err := w.prepared(query)
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(w.ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}

// one reads the first row of an answer; found is false if there is none.
func (w *write) one(query string, args []any, into ...any) (found bool, err error) {
	stmt, err := w.prepared(query)
	if err != nil {
		return false, err
	}
	err = stmt.QueryRowContext(w.ctx, args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func (w *write) batch(b projections.Batch) error {
	var orders []projections.OrderRow
	var contributions []projections.Contribution
	for _, row := range b.Rows {
		switch r := row.(type) {
		case projections.OrderRow:
			orders = append(orders, r)
		case projections.Contribution:
			contributions = append(contributions, r)
		default:
			return fault.Errorf(fault.Internal, "The read store cannot keep a %T.", row)
		}
	}
	if err := w.orders(orders); err != nil {
		return err
	}
	if err := w.contributions(contributions); err != nil {
		return err
	}
	for status, change := range w.tally {
		if err := w.exec(`INSERT INTO tally (status, n) VALUES (?1, ?2) ON CONFLICT (status) DO UPDATE SET n = n + ?2`,
			string(status), change); err != nil {
			return err
		}
	}
	for _, h := range b.Holds {
		if err := w.exec(`INSERT OR REPLACE INTO holds (projection, id, version, reason, since) VALUES (?, ?, ?, ?, ?)`,
			b.Projection, string(h.OrderID), h.Version, h.Reason, micros(h.Since)); err != nil {
			return err
		}
	}
	for _, id := range b.Released {
		if err := w.exec(`DELETE FROM holds WHERE projection = ? AND id = ?`, b.Projection, string(id)); err != nil {
			return err
		}
	}
	if b.Checkpoint == "" {
		return nil
	}
	var stored string
	if _, err := w.one(`SELECT checkpoint FROM projections WHERE name = ?`, []any{b.Projection}, &stored); err != nil {
		return err
	}
	if !b.Continues(eventstore.Cursor(stored)) {
		return projections.Moved()
	}
	return w.exec(`INSERT INTO projections (name, checkpoint) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET checkpoint = excluded.checkpoint`, b.Projection, string(b.Checkpoint))
}

// headOf is the words of an order that are not those of its lines.
func headOf(r projections.OrderRow) string {
	return strings.Join(slices.Concat(projections.Words(r.Reference), projections.Words(string(r.ID)), projections.Words(r.CustomerID)), " ")
}

// beginsOf is the reference and the id of an order, each as one token.
func beginsOf(r projections.OrderRow) string {
	var tokens []string
	for _, text := range []string{r.Reference, string(r.ID)} {
		if words := projections.Words(text); len(words) > 0 {
			tokens = append(tokens, beginning(words))
		}
	}
	return strings.Join(tokens, " ")
}

// beginning is words as one token of the full-text index, which no word is.
func beginning(words []string) string { return "¤" + strings.Join(words, "·") }

// statusToken is a status in the full-text index, as the view orders_text has it.
func statusToken(s domain.Status) string { return "§" + string(s) }

// stored is what writing needs to know of a row that is there.
type stored struct {
	no                  int64
	version             int
	status              domain.Status
	begins, head, words string
	fresh               bool // since this transaction, so that the full-text index has not got it
}

// orders writes rows: first those that are there, in the order of their numbers, then the new ones, because the full-text index writes
// what it has gathered whenever a number is not above the last one.
func (w *write) orders(rows []projections.OrderRow) error {
	known, err := w.storedOrders(rows)
	if err != nil {
		return err
	}
	slices.SortStableFunc(rows, func(a, b projections.OrderRow) int { return cmp.Compare(known.place(a.ID), known.place(b.ID)) })
	for _, r := range rows {
		old, found := known[r.ID]
		if found && old.version >= r.Version {
			continue
		}
		row := stored{inPlace(old.no, r.Status), r.Version, r.Status, beginsOf(r), headOf(r), strings.Join(r.Words, " "), old.fresh}
		w.tally[r.Status]++
		if found {
			w.tally[old.status]--
		}
		values := []any{
			r.Reference, r.CustomerID, string(r.Status), r.ItemCount, r.Total.Minor, string(r.Total.Currency), micros(r.CreatedAt),
			micros(r.ConfirmedAt), micros(r.CancelledAt), r.Version, micros(r.StoredAt), row.begins, row.head, row.words, string(r.ID),
		}
		if found && secondOf(old.no) == secondAt(r.CreatedAt) {
			err = w.replace(old, row, values)
		} else {
			if found {
				err = w.remove(old)
			}
			if err == nil {
				row.no, err = w.put(r, values)
			}
			row.fresh = true
		}
		if err != nil {
			return err
		}
		known[r.ID] = row
	}
	var fresh []int64
	for _, row := range known {
		if row.fresh {
			fresh = append(fresh, row.no)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	numbers, err := json.Marshal(fresh)
	if err != nil {
		return err
	}
	return w.exec(`INSERT INTO orders_fts (rowid, marks, head, words) SELECT no, marks, head, words FROM orders_text
		WHERE no IN (SELECT value FROM json_each(?)) ORDER BY no`, string(numbers))
}

// put stores a new row in a free place of the second in which its order was created.
func (w *write) put(r projections.OrderRow, values []any) (no int64, err error) {
	second := secondAt(r.CreatedAt)
	for _, region := range regions() {
		first, end := region.first(second), region.first(second+1)
		place, known := w.next[first]
		if !known {
			last := first - 1
			if _, err := w.one(`SELECT coalesce(max(no), ?1 - 1) FROM orders WHERE no >= ?1 AND no < ?2`, []any{first, end}, &last); err != nil {
				return 0, err
			}
			place = last>>statusBits + 1
		}
		if no = inPlace(place<<statusBits, r.Status); no < end {
			w.next[first] = place + 1
			return no, w.exec(insertOrder, append(values, no)...)
		}
		w.next[first] = place
	}
	return 0, &projections.RejectedRow{
		OrderID: r.ID, Reason: "Too many orders were created in the same second.", Cause: fmt.Errorf("a second has %d places", MaxSameSecond),
	}
}

// replace writes a row over an older one, and changes what the full-text index has of it, if it has it.
func (w *write) replace(old, row stored, values []any) error {
	isIndexed := !old.fresh && (row.no != old.no || row.begins != old.begins || row.head != old.head || row.words != old.words)
	if isIndexed {
		if err := w.forget(old); err != nil {
			return err
		}
	}
	var err error
	if row.no == old.no {
		err = w.exec(updateOrder, values...)
	} else { // which touches every index
		err = w.exec(moveOrder, append(values, row.no)...)
	}
	if err != nil || !isIndexed {
		return err
	}
	return w.exec(`INSERT INTO orders_fts (rowid, marks, head, words) VALUES (?, ?, ?, ?)`, row.no, row.marks(), row.head, row.words)
}

// remove deletes a row that gets another number.
func (w *write) remove(old stored) error {
	if !old.fresh {
		if err := w.forget(old); err != nil {
			return err
		}
	}
	return w.exec(`DELETE FROM orders WHERE no = ?`, old.no)
}

// forget takes a row out of the full-text index.
func (w *write) forget(old stored) error {
	return w.exec(`INSERT INTO orders_fts (orders_fts, rowid, marks, head, words) VALUES ('delete', ?, ?, ?, ?)`,
		old.no, old.marks(), old.head, old.words)
}

// marks is what the view orders_text says.
func (s stored) marks() string { return statusToken(s.status) + " " + s.begins }

// storedRows are rows by their orders.
type storedRows map[domain.OrderID]stored

// place is the number of a row; new rows come last.
func (s storedRows) place(id domain.OrderID) int64 {
	if row, found := s[id]; found {
		return row.no
	}
	return math.MaxInt64
}

// storedOrders reads the rows that are there of these orders.
func (w *write) storedOrders(of []projections.OrderRow) (storedRows, error) {
	known := make(storedRows, len(of))
	for chunk := range slices.Chunk(of, idsPerQuery) {
		stmt, err := w.prepared(`SELECT id, no, version, status, begins, head, words FROM orders WHERE id IN (SELECT value FROM json_each(?))`)
		if err != nil {
			return nil, err
		}
		rows, err := stmt.QueryContext(w.ctx, list(idsOf(chunk)))
		if _, err = collect(rows, err, func(rows *sql.Rows) (s stored, err error) {
			var id domain.OrderID
			err = rows.Scan(&id, &s.no, &s.version, &s.status, &s.begins, &s.head, &s.words)
			known[id] = s
			return s, err
		}); err != nil {
			return nil, err
		}
	}
	return known, nil
}

const (
	insertOrder = `INSERT INTO orders (reference, customer, status, items, total, currency, createdAt, confirmedAt, cancelledAt, version,
		storedAt, begins, head, words, id, no) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	setOrder = `UPDATE orders SET reference = ?1, customer = ?2, status = ?3, items = ?4, total = ?5, currency = ?6, createdAt = ?7,
		confirmedAt = ?8, cancelledAt = ?9, version = ?10, storedAt = ?11, begins = ?12, head = ?13, words = ?14`
	updateOrder = setOrder + ` WHERE id = ?15`
	moveOrder   = setOrder + `, no = ?16 WHERE id = ?15`
)

// tableOf is where a projection keeps its rows.
func tableOf(projection string) (string, error) {
	switch projection {
	case projections.OrderList:
		return "orders", nil
	case projections.CustomerOrderSummary:
		return "contributions", nil
	}
	return "", fault.Errorf(fault.NotFound, "There is no projection %s.", fmt.Sprintf("%.80q", projection))
}
