package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"headway/domain"
	"headway/projections"
)

// orderList keeps the order list; what its pages ask is in orders.go.
func orderList() keeper {
	return keeper{
		projection: projections.OrderList, schema: orderSchema, table: `orders AS o`, columns: orderColumns, scan: anyRow(scanOrder),
		write: (*write).orders, check: checkOrders,
	}
}

// no is the place of a row in the order of creation, but for the rows of one second, which lie in no order, and its status: so the
// full-text index, which knows nothing but no, finds the newest rows first, and those of a time at once, and the matches of a status are
// counted without a look at a row. Where very many rows share a second, the rest of them lie in a region of their own.
//
// head is the words of reference, id and customer, words those of the lines. They are made by projections.Words, and the full-text index
// takes them as they are: its tokenizer splits at spaces only, as far as words go. Prefixes of up to twelve characters have an index of
// their own, which can be followed from either end; without it a common word costs as much as there are rows that have it.
//
// The full-text index also knows, as tokens that no word can be, the status, so that it can count the matches of each status alone, and
// begins: the reference and the id, each as one, so that it can find what is or begins so.
//
// The indexes come in both directions where many rows share a value, because ties are by id, ascending, either way. A status is one of
// three, which are walked one after the other. tally has the number of rows of each status: the overview is not to scan an index for it.
const orderSchema = `
CREATE TABLE orders (
	no          INTEGER PRIMARY KEY,
	id          TEXT    NOT NULL UNIQUE,
	reference   TEXT    NOT NULL,
	customer    TEXT    NOT NULL,
	status      TEXT    NOT NULL,
	items       INTEGER NOT NULL,
	total       INTEGER NOT NULL,
	currency    TEXT    NOT NULL,
	createdAt   INTEGER NOT NULL,
	confirmedAt INTEGER NOT NULL,
	cancelledAt INTEGER NOT NULL,
	version     INTEGER NOT NULL,
	storedAt    INTEGER NOT NULL,
	begins      TEXT    NOT NULL,
	head        TEXT    NOT NULL,
	words       TEXT    NOT NULL
) STRICT;
CREATE INDEX orders_created      ON orders (createdAt DESC, id);
CREATE INDEX orders_status       ON orders (status, createdAt DESC, id);
CREATE INDEX orders_customer     ON orders (customer, createdAt DESC, id, status);
CREATE INDEX orders_by_customer  ON orders (customer, id);
CREATE INDEX orders_by_status    ON orders (status, id);
CREATE INDEX orders_by_total     ON orders (currency, total, id);
CREATE INDEX orders_by_totaldesc ON orders (currency, total DESC, id);
CREATE INDEX orders_by_items     ON orders (items, id);
CREATE INDEX orders_by_itemsdesc ON orders (items DESC, id);
CREATE VIEW orders_text AS SELECT no, '§' || status || ' ' || begins AS marks, head, words FROM orders;
CREATE VIRTUAL TABLE orders_fts USING fts5 (
	marks, head, words, content='orders_text', content_rowid='no', tokenize='ascii', detail='none', columnsize=0, prefix='1 2 3 4 5 6 7 8 9 10 11 12'
);
CREATE TABLE tally (status TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT, WITHOUT ROWID;
`

// orderColumns are those of a row, in the order in which its scan takes them.
const orderColumns = `o.id, o.reference, o.customer, o.status, o.items, o.total, o.currency, o.createdAt, o.confirmedAt, o.cancelledAt,
	o.version, o.storedAt, o.words`

func scanOrder(rows *sql.Rows) (r projections.OrderRow, err error) {
	var created, confirmed, cancelled, stored int64
	var words string
	err = rows.Scan(&r.ID, &r.Reference, &r.CustomerID, &r.Status, &r.ItemCount, &r.Total.Minor, &r.Total.Currency, &created,
		&confirmed, &cancelled, &r.Version, &stored, &words)
	r.CreatedAt, r.ConfirmedAt, r.CancelledAt, r.StoredAt = moment(created), moment(confirmed), moment(cancelled), moment(stored)
	r.Words = splitWords(words)
	return r, err
}

// OrderRows is projections.Reader's.
func (s *Store) OrderRows(ctx context.Context, ids ...domain.OrderID) (map[domain.OrderID]projections.OrderRow, error) {
	return byID(ctx, s, ids, orderList().byIDs(), scanOrder)
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
func (w *write) orders(all []projections.Row) error {
	rows, err := rowsOf[projections.OrderRow](all)
	if err != nil {
		return err
	}
	known, err := w.storedOrders(rows)
	if err != nil {
		return err
	}
	slices.SortStableFunc(rows, func(a, b projections.OrderRow) int { return cmp.Compare(known.place(a.ID), known.place(b.ID)) })
	for _, r := range rows {
		old, found := known[r.ID]
		if found && !isNewer(r, old.version) {
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
	for status, change := range w.tally {
		if err := w.exec(`INSERT INTO tally (status, n) VALUES (?1, ?2) ON CONFLICT (status) DO UPDATE SET n = n + ?2`,
			string(status), change); err != nil {
			return err
		}
	}
	clear(w.tally)
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

// checkOrders compares what a row has of its own columns, the full-text index and the counts of the tabs.
func checkOrders(ctx context.Context, s *Store, differ differ) error {
	type derived struct {
		projections.OrderRow
		no           int64
		begins, head string
	}
	after := ""
	for {
		page, err := readAll(ctx, s, func(rows *sql.Rows) (d derived, err error) {
			var created int64
			err = rows.Scan(&d.ID, &d.no, &d.Reference, &d.CustomerID, &d.Status, &created, &d.begins, &d.head)
			d.CreatedAt = moment(created)
			return d, err
		}, `SELECT id, no, reference, customer, status, createdAt, begins, head FROM orders WHERE id > ? ORDER BY id LIMIT ?`, after, rowsPerStep)
		if err != nil {
			return err
		}
		for _, d := range page {
			differ(string(d.ID), "number's status", string(d.Status), string(statusAt(d.no)))
			differ(string(d.ID), "number's second", fmt.Sprint(secondAt(d.CreatedAt)), fmt.Sprint(secondOf(d.no)))
			differ(string(d.ID), "begins", beginsOf(d.OrderRow), d.begins)
			differ(string(d.ID), "head", headOf(d.OrderRow), d.head)
			after = string(d.ID)
		}
		if len(page) < rowsPerStep {
			break
		}
	}
	return s.compare(ctx, differ, "tally", `SELECT status, coalesce(s.n, 0), coalesce(t.n, 0)
		FROM (SELECT status, count(*) AS n FROM orders GROUP BY status) AS s FULL JOIN tally AS t USING (status)
		WHERE coalesce(s.n, 0) <> coalesce(t.n, 0)`)
}
