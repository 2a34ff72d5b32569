package sqlite_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"headway/domain"
	"headway/eventstore"
	"headway/eventstore/sqlite"
	"headway/orders"
)

// BenchmarkLoadLong loads an order of 10,000 events of 270 bytes: every record with all that it says, folded into an order. Beside it
// stands the least that such a load costs: a plain table, a SELECT of the data alone, and encoding/json into structs.
func BenchmarkLoadLong(b *testing.B) {
	const events = eventstore.MaxStreamEvents
	s := open(b, filepath.Join(b.TempDir(), "events.db"), sqlite.Options{})
	id := stream(uuid.NewString())
	for head := 0; head < events; head += eventstore.MaxAppend {
		var facts []domain.Event
		for n := head; n < head+eventstore.MaxAppend; n++ {
			facts = append(facts, longLine(n))
		}
		batch, err := orders.Encode(domain.Codec{}, facts...)
		must(b, err)
		if head == 0 {
			batch[0] = orderCreated()
		}
		command := uuid.NewString()
		_, err = s.Append(b.Context(), id, head, eventstore.Metadata{
			CausationID: command, CorrelationID: command, UserID: "operator-7", Timestamp: time.Now(),
			CommandHash: strings.ReplaceAll(command, "-", ""),
		}, batch...)
		must(b, err)
	}
	db := bare(b, events)
	load, err := db.PrepareContext(b.Context(), `SELECT version, type, data FROM events WHERE stream = ? ORDER BY version`)
	must(b, err)
	b.Cleanup(func() { must(b, load.Close()) })
	b.Run("own", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			stream, err := (orders.Handler{Events: s, Codec: domain.Codec{}}).Load(b.Context(), orders.IDOf(id))
			if must(b, err); stream.Order.Version != events || len(stream.Records) != events {
				b.Fatal(stream.Hold)
			}
		}
	})
	b.Run("raw", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			rows, err := load.QueryContext(b.Context(), "one")
			must(b, err)
			n := 0
			for rows.Next() {
				var version int
				var eventType string
				var data []byte
				var e domain.OrderItemAdded
				must(b, rows.Scan(&version, &eventType, &data))
				must(b, json.Unmarshal(data, &e))
				n++
			}
			must(b, errors.Join(rows.Err(), rows.Close()))
			if n != events {
				b.Fatal(n)
			}
		}
	})
}

func longLine(n int) domain.OrderItemAdded {
	return domain.OrderItemAdded{Item: domain.Item{
		SKU: fmt.Sprint("SKU-", 1000+n%1000), Name: "Widget, checked by the operator" + strings.Repeat("; checked by the operator", 6), Quantity: 2,
		Price: domain.Money{Minor: 1999, Currency: "EUR"},
	}}
}

// bare is a file with a plain table that holds a stream.
func bare(b *testing.B, events int) *sql.DB {
	b.Helper()
	db := raw(b, filepath.Join(b.TempDir(), "bare.db"))
	execSQL(b, db, `PRAGMA journal_mode = WAL`)
	execSQL(b, db, `CREATE TABLE events (seq INTEGER PRIMARY KEY, stream TEXT NOT NULL, version INTEGER NOT NULL, type TEXT NOT NULL,
		ts INTEGER NOT NULL, data BLOB NOT NULL, UNIQUE (stream, version))`)
	execSQL(b, db, `BEGIN`)
	for n := range events {
		eventType, _, data, err := domain.Codec{}.Encode(longLine(n))
		must(b, err)
		execSQL(b, db, `INSERT INTO events (stream, version, type, ts, data) VALUES ('one', ?, ?, ?, ?)`, n+1, eventType, time.Now().UnixNano(), data)
	}
	execSQL(b, db, `COMMIT`)
	return db
}
