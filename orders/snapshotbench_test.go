package orders_test

import (
	"fmt"
	"testing"

	"headway/domain"
	"headway/eventstore"
	"headway/orders"
)

// BenchmarkLoad loads an order of as many events as one can have: by all of them, by its snapshot, and the snapshot's state alone.
func BenchmarkLoad(b *testing.B) {
	s := openStore(b)
	id := grown(b, s, domain.MaxOrderEvents)
	whole, err := (orders.Handler{Events: s, Codec: domain.Codec{}}).Load(b.Context(), id)
	if err != nil {
		b.Fatal(err)
	}
	for i := range whole.Records { // as if each event had a command of its own, which is what takes most room
		whole.Records[i].Metadata.CausationID = string(commandID())
	}
	handler := orders.Handler{Events: s}.WithSnapshots(s, orders.SnapshotPolicy{})
	snapshot, ok := handler.Snapshot(whole)
	if !ok {
		b.Fatal("there is no snapshot of it")
	}
	if err := s.SaveSnapshot(b.Context(), snapshot, 0); err != nil {
		b.Fatal(err)
	}
	b.Run("events", func(b *testing.B) {
		for b.Loop() {
			if _, err := (orders.Handler{Events: s, Codec: domain.Codec{}}).Load(b.Context(), id); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("snapshot", func(b *testing.B) {
		for b.Loop() {
			if o, err := handler.LoadOrder(b.Context(), id, whole.Head()); err != nil || o.Version != whole.Head() {
				b.Fatal(err)
			}
		}
	})
	b.Run("state", func(b *testing.B) {
		for b.Loop() {
			if _, err := handler.OrderIn(snapshot); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(snapshot.Data)), "bytes")
	})
	b.Run("take", func(b *testing.B) {
		for b.Loop() {
			handler.Snapshot(whole)
		}
	})
}

// grown is an order of so many events, each an item of its own.
func grown(tb testing.TB, s eventstore.Store, events int) domain.OrderID {
	tb.Helper()
	id := orders.OrderIDFor(commandID())
	for head := 0; head < events; {
		var batch []domain.Event
		for n := head; n < min(head+eventstore.MaxAppend, events); n++ {
			line := tea(int64(n%7 + 1))
			line.SKU, line.Name = fmt.Sprintf("SKU-%05d", n*7919%10_000), fmt.Sprintf("Tea of garden %d", n*31%997)
			if n == 0 {
				batch = append(batch, domain.OrderCreated{CustomerID: "ada", Currency: "EUR", Items: []domain.Item{line}})
				continue
			}
			batch = append(batch, domain.OrderItemAdded{Item: line})
		}
		command := commandID()
		m := eventstore.Metadata{CausationID: string(command), CorrelationID: string(command), Timestamp: at, CommandHash: "x"}
		if _, err := s.Append(tb.Context(), orders.StreamOf(id), head, m, encoded(batch...)...); err != nil {
			tb.Fatal(err)
		}
		head += len(batch)
	}
	return id
}
