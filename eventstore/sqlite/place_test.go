package sqlite_test

import (
	"context"
	"database/sql"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"headway/eventstore"
	"headway/eventstore/sqlite"
	"headway/eventstore/storetest"
	"headway/orders/orderstest"
)

func TestStore(t *testing.T) { storetest.Run(t, freshPlace) }

func TestOrders(t *testing.T) { orderstest.Run(t, freshPlace) }

func freshPlace(t *testing.T) storetest.Place {
	return &place{path: filepath.Join(t.TempDir(), "events.db")}
}

// place is one file.
type place struct{ path string }

func (p *place) Open(t *testing.T, clock func() time.Time) storetest.Store {
	t.Helper()
	return open(t, p.path, sqlite.Options{Clock: clock})
}

func (p *place) Plant(t *testing.T, records ...eventstore.Record) {
	t.Helper()
	db := raw(t, p.path)
	tx, err := db.Begin()
	must(t, err)
	stmt, err := tx.Prepare(`INSERT INTO events (aggregateId, version, eventId, eventType, schemaVersion, storedAt, timestamp, causationId,
		correlationId, userId, seenVersion, commandHash, data, category, keyId) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	must(t, err)
	for _, r := range records {
		m, category := r.Metadata, r.Stream.Category
		if category == order {
			category = ""
		}
		_, err := stmt.Exec(r.Stream.Key(), r.Version, r.EventID, r.EventType, r.SchemaVersion, r.StoredAt.UnixMicro(),
			m.Timestamp.UnixMicro(), m.CausationID, m.CorrelationID, m.UserID, m.SeenVersion, m.CommandHash, r.Data, category, m.KeyID)
		must(t, err)
	}
	must(t, tx.Commit())
	must(t, db.Close())
}

func (p *place) Copy(t *testing.T) storetest.Place {
	t.Helper()
	another := filepath.Join(t.TempDir(), "events.db")
	execSQL(t, raw(t, p.path), `VACUUM INTO ?`, another)
	return &place{another}
}

// order is the category of the tests' streams.
const order = eventstore.FirstCategory

func stream(id string) eventstore.StreamID {
	return eventstore.StreamID{Category: order, ID: id}
}

func open(tb testing.TB, path string, options sqlite.Options) *sqlite.Store {
	tb.Helper()
	s, err := sqlite.Open(path, options)
	must(tb, err)
	tb.Cleanup(func() { must(tb, s.Close()) })
	return s
}

// raw is the file as another program sees it: with nothing of the store's.
func raw(tb testing.TB, path string) *sql.DB {
	tb.Helper()
	address := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: "_pragma=busy_timeout(5000)&_txlock=immediate"}
	db, err := sql.Open("sqlite", address.String())
	must(tb, err)
	db.SetMaxOpenConns(1)
	tb.Cleanup(func() { must(tb, db.Close()) })
	return db
}

func execSQL(tb testing.TB, db *sql.DB, query string, args ...any) {
	tb.Helper()
	_, err := db.ExecContext(context.Background(), query, args...)
	must(tb, err)
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
