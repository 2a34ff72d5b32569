package projections_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"headway/domain"
	"headway/eventstore"
	eventsqlite "headway/eventstore/sqlite"
	"headway/projections"
	readsqlite "headway/projections/sqlite"
)

// world is a real event store and a real read store in one folder, and a clock that a test turns.
type world struct {
	t      *testing.T
	dir    string
	events *eventsqlite.Store
	read   *readsqlite.Store
	now    time.Time
	next   int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), now: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)}
	w.open()
	t.Cleanup(w.close)
	return w
}

func (w *world) open() {
	w.t.Helper()
	var err error
	if w.events, err = eventsqlite.Open(filepath.Join(w.dir, "events.db"), eventsqlite.Options{Clock: w.clock}); err != nil {
		w.t.Fatal(err)
	}
	if w.read, err = readsqlite.Open(filepath.Join(w.dir, "read.db"), readsqlite.Options{}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) close() {
	w.read.Close()
	w.events.Close()
}

func (w *world) clock() time.Time { return w.now }

func (w *world) projector() *projections.Projector {
	return projections.New(w.events, w.read, projections.Options{Clock: w.clock})
}

// do runs one command and returns what it caused.
func (w *world) do(id domain.OrderID, expect int, c domain.Command) eventstore.Result {
	w.t.Helper()
	w.next++
	w.now = w.now.Add(time.Second)
	result, err := eventstore.Execute(w.t.Context(), w.events, domain.Codec{}, eventstore.Request{
		CommandID: domain.CommandID(uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, w.next)).String()),
		OrderID:   id, Command: c, Expect: expect, UserID: "ada", Timestamp: w.now,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return result
}

// create makes an order of one line over so many minor units.
func (w *world) create(customer, reference string, minor int64) domain.OrderID {
	w.t.Helper()
	return w.do("", 0, domain.CreateOrder{CustomerID: customer, Currency: "EUR", Reference: reference, Items: []domain.Item{line(minor)}}).OrderID
}

func line(minor int64) domain.Item {
	return domain.Item{SKU: "TEA-1", Name: "Green tea", Quantity: 1, Price: domain.Money{Minor: minor, Currency: "EUR"}}
}

// raw writes an event as a broken program would.
func (w *world) raw(id domain.OrderID, version int, eventType, data string) {
	w.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(w.dir, "events.db"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	if _, err = db.Exec(`INSERT INTO events (aggregateId, version, eventType, schemaVersion, data) VALUES (?, ?, ?, 2, ?)`,
		string(id), version, eventType, data); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) step(p *projections.Projector) int {
	w.t.Helper()
	moved, err := p.Step(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return moved
}

// versions of an order's rows: order list, customer summary.
func (w *world) versions(id domain.OrderID) [2]int {
	w.t.Helper()
	var at [2]int
	for i, name := range projections.Names() {
		versions, err := w.read.Versions(w.t.Context(), name, id)
		if err != nil {
			w.t.Fatal(err)
		}
		at[i] = versions[id]
	}
	return at
}

func (w *world) row(id domain.OrderID) projections.OrderRow {
	w.t.Helper()
	rows, err := w.read.OrderRows(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return rows[id]
}

func (w *world) verified(wait time.Duration) []projections.Difference {
	w.t.Helper()
	report, err := projections.Verify(w.t.Context(), w.events, w.read, domain.Codec{}, projections.VerifyOptions{Wait: wait, Poll: time.Millisecond})
	if err != nil {
		w.t.Fatal(err)
	}
	return report.Differences
}

func TestAStepBringsEveryRowToItsHead(t *testing.T) {
	w := newWorld(t)
	p := w.projector()
	tea := w.create("ada", "A-1001/7", 500)
	w.do(tea, 1, domain.AddItem{Item: line(250)})
	w.do(tea, 2, domain.ConfirmOrder{})
	other := w.create("ada", "", 100)
	w.do(other, 1, domain.CancelOrder{Reason: "twice"})
	if moved := w.step(p); moved != 4 {
		t.Errorf("%d rows were written, want 4", moved)
	}
	if moved := w.step(p); moved != 0 {
		t.Errorf("a second step wrote %d rows", moved)
	}
	row := w.row(tea)
	if row.Version != 3 || row.Status != domain.Confirmed || row.ItemCount != 2 || row.Total.Minor != 750 || row.ConfirmedAt.IsZero() ||
		!slices.Equal(row.Words, []string{"1", "green", "tea"}) {
		t.Errorf("the row is %+v", row)
	}
	customer, err := w.read.Customer(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	if customer.TotalOrders != 2 || customer.Confirmed != 1 || customer.Cancelled != 1 || len(customer.TotalSpent) != 1 ||
		customer.TotalSpent[0].Minor != 750 {
		t.Errorf("the customer is %+v", customer)
	}
	if diffs := w.verified(0); len(diffs) > 0 {
		t.Error(diffs)
	}
}
