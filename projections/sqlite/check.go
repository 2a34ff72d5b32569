package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	codes "modernc.org/sqlite/lib"

	"headway/internal/sqlitefile"
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
	searched, err := readAll(ctx, s, scanText, `SELECT name FROM sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL TABLE%' ORDER BY name`)
	if err != nil {
		return err
	}
	for _, table := range searched {
		// An INSERT to SQLite, but one that only reads.
		_, err := s.writer.ExecContext(ctx, fmt.Sprintf(`INSERT INTO %[1]s (%[1]s, rank) VALUES ('integrity-check', 1)`, table))
		switch {
		case sqlitefile.HasCode(err, codes.SQLITE_CORRUPT):
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
	differ := func(id, field, want, got string) {
		if want != got {
			report(projections.Difference{
				Projection: searchIndex, ID: id, Field: field, Want: fmt.Sprintf("%q", want), Got: fmt.Sprintf("%q", got),
			})
		}
	}
	for _, k := range keepers() {
		if k.check == nil {
			continue
		}
		if err := k.check(ctx, s, differ); err != nil {
			return err
		}
	}
	return nil
}

// compare reports the rows of a query: what differs, and what it should be and is.
func (s *Store) compare(ctx context.Context, differ differ, field, query string) error {
	_, err := readAll(ctx, s, func(rows *sql.Rows) (id string, err error) {
		var want, got string
		err = rows.Scan(&id, &want, &got)
		differ(id, field, want, got)
		return id, err
	}, query)
	return err
}

// compareWords compares the words that a table is searched by with those of a text in it.
func (s *Store) compareWords(ctx context.Context, differ differ, table, text string) error {
	type row struct{ id, text, words string }
	return each(func(r row) error { differ(r.id, "words", projections.JoinedWords(r.text), r.words); return nil },
		func(r row) string { return r.id },
		func(after *string) ([]row, error) {
			return readAll(ctx, s, func(rows *sql.Rows) (r row, err error) {
				err = rows.Scan(&r.id, &r.text, &r.words)
				return r, err
			}, `SELECT id, `+text+`, words FROM `+table+allAfter, after, rowsPerStep)
		})
}
