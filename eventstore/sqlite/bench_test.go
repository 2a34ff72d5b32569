package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"headway/eventstore"
	"headway/eventstore/sqlite"
)

// BenchmarkAppend compares the store with the least that SQLite could do for the same durability: one insert, one commit, in a loop. Each
// operation is one command of one event on an order of its own.
func BenchmarkAppend(b *testing.B) {
	b.Run("raw", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "events.db")
		open(b, path, sqlite.Options{})
		db := raw(b, path)
		conn, err := db.Conn(b.Context())
		must(b, err)
		_, err = conn.ExecContext(b.Context(), `PRAGMA synchronous = FULL`)
		must(b, err)
		begin, commit := prepare(b, conn, `BEGIN IMMEDIATE`), prepare(b, conn, `COMMIT`)
		insert := prepare(b, conn, `INSERT INTO events (aggregateId, version, eventId, eventType, schemaVersion, storedAt, correlationId, data)
			VALUES (?, 1, ?, ?, 2, ?, ?, ?)`)
		event := orderCreated()
		for b.Loop() {
			id := uuid.NewString()
			for _, step := range []func() (sql.Result, error){
				func() (sql.Result, error) { return begin.Exec() },
				func() (sql.Result, error) {
					return insert.Exec(id, id, event.Type, time.Now().UnixMicro(), id, event.Data)
				},
				func() (sql.Result, error) { return commit.Exec() },
			} {
				_, err := step()
				must(b, err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commands/s")
	})
	for _, writers := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := open(b, filepath.Join(b.TempDir(), "events.db"), sqlite.Options{})
			event := orderCreated()
			b.ResetTimer()
			var all sync.WaitGroup
			for w := range writers {
				all.Go(func() {
					for i := w; i < b.N; i += writers {
						id := uuid.NewString()
						m := eventstore.Metadata{CausationID: id, CorrelationID: id, Timestamp: time.Now()}
						if _, err := s.Append(context.Background(), stream(id), 0, m, event); err != nil {
							b.Error(err)
						}
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commands/s")
		})
	}
}

func orderCreated() eventstore.NewEvent {
	return eventstore.NewEvent{Type: "OrderCreated", Schema: 2, Data: []byte(`{"customerId":"ada","currency":"EUR","reference":"A-1",` +
		`"items":[{"sku":"tea","name":"Green tea","quantity":2,"price":{"minor":450,"currency":"EUR"}}]}`)}
}

func prepare(tb testing.TB, conn *sql.Conn, query string) *sql.Stmt {
	tb.Helper()
	stmt, err := conn.PrepareContext(context.Background(), query)
	must(tb, err)
	return stmt
}
