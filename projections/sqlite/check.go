package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	codes "modernc.org/sqlite/lib"

	"headway/projections"
)

var _ projections.SelfChecker = (*Store)(nil)

// searchIndex is the name of what this store derives from its rows.
const searchIndex = "search"

// Check is projections.SelfChecker's: the columns that are made from others, the search indexes against the columns they index, and the
// file itself.
func (s *Store) Check(ctx context.Context, report func(projections.Difference)) error {
	if err := s.checkDerived(ctx, report); err != nil {
		return err
	}
	for _, table := range []string{"orders_fts", "customers_fts"} {
		// An INSERT to SQLite, but one that only reads.
		_, err := s.writer.ExecContext(ctx, fmt.Sprintf(`INSERT INTO %[1]s (%[1]s, rank) VALUES ('integrity-check', 1)`, table))
		switch {
		case hasCode(err, codes.SQLITE_CORRUPT):
			report(projections.Difference{Projection: searchIndex, ID: table, Field: "index", Want: "the words of the rows", Got: "others"})
		case err != nil:
			return failed(ctx, err)
		}
	}
	complaints, err := readAll(ctx, s, scanText, `PRAGMA integrity_check(10)`)
	for _, text := range complaints {
		// A virtual table is checked above, and named there.
		if text != "ok" && !strings.Contains(text, "_fts") {
			report(projections.Difference{Projection: "file", ID: "read store", Field: "integrity", Want: "ok", Got: text})
		}
	}
	return err
}

func (s *Store) checkDerived(ctx context.Context, report func(projections.Difference)) error {
	type derived struct {
		projections.OrderRow
		no           int64
		begins, head string
	}
	differ := func(id, field, want, got string) {
		if want != got {
			report(projections.Difference{
				Projection: searchIndex, ID: id, Field: field, Want: fmt.Sprintf("%q", want), Got: fmt.Sprintf("%q", got),
			})
		}
	}
	err := each(ctx, s, `SELECT id, no, reference, customer, status, createdAt, begins, head FROM orders WHERE id > ? ORDER BY id LIMIT ?`,
		func(rows *sql.Rows) (d derived, err error) {
			var created int64
			err = rows.Scan(&d.ID, &d.no, &d.Reference, &d.CustomerID, &d.Status, &created, &d.begins, &d.head)
			d.CreatedAt = moment(created)
			return d, err
		},
		func(d derived) string { return string(d.ID) },
		func(d derived) error {
			differ(string(d.ID), "number's status", string(d.Status), string(statusAt(d.no)))
			differ(string(d.ID), "number's second", fmt.Sprint(secondAt(d.CreatedAt)), fmt.Sprint(secondOf(d.no)))
			differ(string(d.ID), "begins", beginsOf(d.OrderRow), d.begins)
			differ(string(d.ID), "head", headOf(d.OrderRow), d.head)
			return nil
		})
	if err != nil {
		return err
	}
	for field, query := range map[string]string{
		"tally": `SELECT status, coalesce(s.n, 0), coalesce(t.n, 0) FROM (SELECT status, count(*) AS n FROM orders GROUP BY status) AS s
			FULL JOIN tally AS t USING (status) WHERE coalesce(s.n, 0) <> coalesce(t.n, 0)`,
		"n": `SELECT customer || ' ' || currency, coalesce(c.n, 'none'), coalesce(s.n, 'none')
			FROM (SELECT customer, currency, count(*) AS n FROM contributions WHERE status <> 'cancelled' GROUP BY customer, currency) AS c
			FULL JOIN spent AS s USING (customer, currency) WHERE c.n IS NOT s.n`,
	} {
		_, err := readAll(ctx, s, func(rows *sql.Rows) (id string, err error) {
			var want, got string
			err = rows.Scan(&id, &want, &got)
			differ(id, field, want, got)
			return id, err
		}, query)
		if err != nil {
			return err
		}
	}
	type customer struct{ id, words string }
	return each(ctx, s, `SELECT id, words FROM customers WHERE id > ? ORDER BY id LIMIT ?`,
		func(rows *sql.Rows) (c customer, err error) {
			err = rows.Scan(&c.id, &c.words)
			return c, err
		},
		func(c customer) string { return c.id },
		func(c customer) error {
			differ(c.id, "words", projections.Key(c.id), c.words)
			return nil
		})
}
