package sqlite_test

import (
	"database/sql"
	"net/url"
	"testing"

	"headway/eventstore/sqlite"
)

func open(tb testing.TB, path string, options sqlite.Options) *sqlite.Store {
	tb.Helper()
	s, err := sqlite.Open(path, options)
	must(tb, err)
	tb.Cleanup(func() { must(tb, s.Close()) })
	return s
}

// raw is the file as another program sees it: without anything of the store.
func raw(tb testing.TB, path string) *sql.DB {
	tb.Helper()
	address := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: "_pragma=busy_timeout(5000)"}
	db, err := sql.Open("sqlite", address.String())
	must(tb, err)
	tb.Cleanup(func() { db.Close() })
	return db
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
