package console

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/orders"
	"headway/orders/orderstest"
)

// wholeReads counts how often the newest events were read as far as they are counted.
type wholeReads struct {
	eventstore.Store
	n int
}

func (w *wholeReads) ByType(
	ctx context.Context, category, eventType string, before eventstore.Cursor, limit int,
) ([]eventstore.Record, eventstore.Cursor, error) {
	if limit == countedEvents {
		w.n++
	}
	return w.Store.ByType(ctx, category, eventType, before, limit)
}

// TestNewestEventsAreCountedAsTheyAre: whatever was stored since the last page, what is counted is what the log would say; and it is read as a
// whole only where the first few do not reach up to what is known, or that is old.
func TestNewestEventsAreCountedAsTheyAre(t *testing.T) {
	c := openConsole(t)
	made := 0
	store := func(events int) {
		t.Helper()
		for ; events > 0; events -= min(events, eventstore.MaxAppend) {
			made++
			item := domain.Item{SKU: "A", Name: "A", Quantity: 1, Price: domain.Money{Minor: 1, Currency: "EUR"}}
			all := []domain.Event{domain.OrderCreated{CustomerID: "Ada", Currency: "EUR", Items: []domain.Item{item}}}
			for range min(events, eventstore.MaxAppend) - 1 {
				all = append(all, domain.OrderItemAdded{Item: item})
			}
			id := domain.OrderID(fmt.Sprintf("00000000-0000-4000-8000-%012d", made))
			orderstest.Append(t, c.options.Events, id, 0, eventstore.Metadata{CausationID: string(id)}, all...)
		}
	}
	now := time.Now()
	log := &wholeReads{Store: c.options.Events}
	read := func(limit int) []eventstore.Record {
		t.Helper()
		records, _, err := c.options.Events.ByType(t.Context(), orders.Category, "", "", limit)
		if err != nil {
			t.Fatal(err)
		}
		return records
	}
	var newest newestEvents
	count := func(first []eventstore.Record) []countedEvent {
		t.Helper()
		list, err := newest.count(t.Context(), log, first, now)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	for _, step := range []struct {
		stored int
		passes time.Duration
		whole  int // reads
	}{
		{0, 0, 0}, {1, 0, 0}, {48, 0, 0}, {1, 0, 1}, {0, 0, 0}, {1, 0, 0}, {49, 0, 0}, {50, 0, 1}, {700, 0, 1}, {3, countedAnew - 1, 0}, {1, 1, 1},
		{140, 0, 1}, {49, 0, 0}, {7, 0, 0}, {0, 0, 0},
	} {
		store(step.stored)
		now = now.Add(step.passes)
		before := log.n
		got := count(read(eventsPerPage))
		if want := countedOf(read(countedEvents)); !slices.Equal(got, want) {
			t.Fatalf("after %d more, %d events are counted, not the newest %d", step.stored, len(got), len(want))
		}
		if log.n-before != step.whole {
			t.Errorf("after %d more and %v, all were read %d times, not %d", step.stored, step.passes, log.n-before, step.whole)
		}
	}
	earlier := read(eventsPerPage)
	store(20)
	count(read(eventsPerPage))
	if got, want := count(earlier), countedOf(read(countedEvents)); !slices.Equal(got, want) {
		t.Fatalf("a page that read earlier than another counts %d events, not the newest %d", len(got), len(want))
	}
}
