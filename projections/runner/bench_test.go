package runner_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"headway/domain"
	eventsqlite "headway/eventstore/sqlite"
	"headway/projections"
	"headway/projections/runner"
	"headway/projections/runnertest"
	readsqlite "headway/projections/sqlite"
)

// BenchmarkCatchUp projects a log of orders with four events each into empty rows, both projections.
func BenchmarkCatchUp(b *testing.B) {
	const orders = 5000
	dir := b.TempDir()
	events, err := eventsqlite.Open(filepath.Join(dir, "events.db"), eventsqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer events.Close()
	db, err := sql.Open("sqlite", filepath.Join(dir, "events.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		b.Fatal(err)
	}
	for i := range orders {
		id := fmt.Sprintf("%08x-0000-5000-8000-%012x", i*7919, i)
		for version, e := range []domain.Event{
			domain.OrderCreated{CustomerID: fmt.Sprint("customer-", i%300), Currency: "EUR", Reference: fmt.Sprint("A-", i), Items: []domain.Item{runnertest.Line(500)}},
			domain.OrderItemAdded{Item: runnertest.Line(250)}, domain.OrderItemAdded{Item: runnertest.Line(20)}, domain.OrderConfirmed{},
		} {
			eventType, schema, data, err := domain.Codec{}.Encode(e)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := tx.Exec(`INSERT INTO events (aggregateId, version, eventType, schemaVersion, data) VALUES (?, ?, ?, ?, ?)`,
				id, version+1, eventType, schema, data); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		n++
		read, err := readsqlite.Open(filepath.Join(dir, fmt.Sprintf("read-%d.db", n)), readsqlite.Options{})
		if err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		if moved, err := runner.New(events, read, runner.Options{}).Step(b.Context()); err != nil || moved != len(projections.All())*orders {
			b.Fatal(moved, err)
		}
		b.ReportMetric(4*orders/time.Since(began).Seconds(), "events/s")
		read.Close()
	}
}
