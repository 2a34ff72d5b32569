// Package runnertest is the world that tests of projections run in: the embedded engines in one folder, an order's commands, and what a
// broken program or somebody with a shell would do.
package runnertest

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"headway/domain"
	eventsqlite "headway/eventstore/sqlite"
	"headway/orders"
	"headway/projections"
	"headway/projections/runner"
	readsqlite "headway/projections/sqlite"
	"headway/projections/verify"
)

// World is a real event store and a real read store in one folder, and a clock that a test turns.
type World struct {
	T      *testing.T
	Dir    string
	Events *eventsqlite.Store
	Read   *readsqlite.Store
	Now    time.Time
	next   int
}

// New is a world at nine in the morning, open until the test ends.
func New(t *testing.T) *World {
	t.Helper()
	return At(t, time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC))
}

// At is a world at some time.
func At(t *testing.T, now time.Time) *World {
	t.Helper()
	w := &World{T: t, Dir: t.TempDir(), Now: now}
	w.Open()
	t.Cleanup(w.Close)
	return w
}

// Open opens both stores, as a start does.
func (w *World) Open() {
	w.T.Helper()
	var err error
	if w.Events, err = eventsqlite.Open(filepath.Join(w.Dir, "events.db"), eventsqlite.Options{Clock: w.Clock}); err != nil {
		w.T.Fatal(err)
	}
	if w.Read, err = readsqlite.Open(filepath.Join(w.Dir, "read.db"), readsqlite.Options{}); err != nil {
		w.T.Fatal(err)
	}
}

// Close closes both.
func (w *World) Close() {
	w.Read.Close()
	w.Events.Close()
}

// Clock is the time the test has turned it to.
func (w *World) Clock() time.Time { return w.Now }

// Projector is one that is alone.
func (w *World) Projector() *runner.Projector {
	return runner.New(w.Events, w.Read, runner.Options{Clock: w.Clock, Alone: true})
}

// Epoch is that of the lease.
func (w *World) Epoch() int64 {
	w.T.Helper()
	lease, err := w.Read.Lease(w.T.Context())
	if err != nil {
		w.T.Fatal(err)
	}
	return lease.Epoch
}

// Do runs one command and returns what it caused.
func (w *World) Do(id domain.OrderID, expect int, c domain.Command) orders.Result {
	w.T.Helper()
	w.next++
	w.Now = w.Now.Add(time.Second)
	result, err := (orders.Handler{Events: w.Events, Codec: domain.Codec{}}).Execute(w.T.Context(), orders.Request{
		CommandID: domain.CommandID(uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, w.next)).String()),
		OrderID:   id, Command: c, Expect: expect, UserID: "ada", Timestamp: w.Now,
	})
	if err != nil {
		w.T.Fatal(err)
	}
	return result
}

// Create makes an order of one line over so many minor units.
func (w *World) Create(customer, reference string, minor int64) domain.OrderID {
	w.T.Helper()
	return w.Do("", 0, domain.CreateOrder{CustomerID: customer, Currency: "EUR", Reference: reference,
		Items: []domain.Item{Line(minor)}}).OrderID
}

// Line is one line of one piece.
func Line(minor int64) domain.Item {
	return domain.Item{SKU: "TEA-1", Name: "Green tea", Quantity: 1, Price: domain.Money{Minor: minor, Currency: "EUR"}}
}

// Raw writes an event as a broken program would.
func (w *World) Raw(id domain.OrderID, version int, eventType, data string) {
	w.T.Helper()
	db, err := sql.Open("sqlite", filepath.Join(w.Dir, "events.db"))
	if err != nil {
		w.T.Fatal(err)
	}
	defer db.Close()
	if _, err = db.Exec(`INSERT INTO events (aggregateId, version, eventType, schemaVersion, data) VALUES (?, ?, ?, 2, ?)`,
		string(id), version, eventType, data); err != nil {
		w.T.Fatal(err)
	}
}

// Step brings all projections up once.
func (w *World) Step(p *runner.Projector) int {
	w.T.Helper()
	moved, err := p.Step(w.T.Context())
	if err != nil {
		w.T.Fatal(err)
	}
	return moved
}

// Versions is the version of an order's row in every projection, 0 if none has one; -1 if they differ.
func (w *World) Versions(id domain.OrderID) (at int) {
	w.T.Helper()
	for i, projection := range projections.All() {
		versions, err := w.Read.Versions(w.T.Context(), projection.Name, id)
		if err != nil {
			w.T.Fatal(err)
		}
		if i > 0 && versions[id] != at {
			return -1
		}
		at = versions[id]
	}
	return at
}

// Row is an order's in the list.
func (w *World) Row(id domain.OrderID) projections.OrderRow {
	w.T.Helper()
	rows, err := w.Read.OrderRows(w.T.Context(), id)
	if err != nil {
		w.T.Fatal(err)
	}
	return rows[id]
}

// Verified are the differences that a verification finds.
func (w *World) Verified(wait time.Duration) []projections.Difference {
	w.T.Helper()
	report, err := verify.Run(w.T.Context(), w.Events, w.Read, domain.Codec{}, verify.Options{Wait: wait, Poll: time.Millisecond})
	if err != nil {
		w.T.Fatal(err)
	}
	return report.Differences
}

// Corrupt runs a statement on the read store's file as somebody with a shell would, and expects that it changed something.
func (w *World) Corrupt(statement string) {
	w.T.Helper()
	db, err := sql.Open("sqlite", filepath.Join(w.Dir, "read.db"))
	if err != nil {
		w.T.Fatal(err)
	}
	defer db.Close()
	result, err := db.Exec(statement)
	if err != nil {
		w.T.Fatalf("%s: %v", statement, err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		w.T.Fatalf("%s changed nothing; %v", statement, err)
	}
}

// Copy is the same world in another folder.
func (w *World) Copy(t *testing.T) *World {
	t.Helper()
	c := &World{T: t, Dir: t.TempDir(), Now: w.Now, next: w.next}
	for _, name := range []string{"events.db", "read.db"} {
		db, err := sql.Open("sqlite", filepath.Join(w.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(`VACUUM INTO ?`, filepath.Join(c.Dir, name)); err != nil {
			t.Fatal(err)
		}
		db.Close()
	}
	c.Open()
	t.Cleanup(c.Close)
	return c
}
