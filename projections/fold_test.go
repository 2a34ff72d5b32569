package projections_test

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"headway/domain"
	"headway/eventstore"
	"headway/orders"
	"headway/projections"
)

var start = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// stream stores events as a store would.
func stream(id domain.OrderID, events ...domain.Event) []eventstore.Record {
	var records []eventstore.Record
	for i, event := range events {
		eventType, schema, data, err := domain.Codec{}.Encode(event)
		if err != nil {
			panic(err)
		}
		at := start.Add(time.Duration(i) * time.Minute)
		records = append(records, eventstore.Record{
			Stream: orders.StreamOf(id), Version: i + 1, EventType: eventType, SchemaVersion: schema, Data: data, StoredAt: at,
			Metadata: eventstore.Metadata{Timestamp: at.Add(-time.Hour)},
		})
	}
	return records
}

func line(minor int64) domain.Item {
	return domain.Item{SKU: "TEA-1", Name: "Green tea", Quantity: 1, Price: domain.Money{Minor: minor, Currency: "EUR"}}
}

func created(customer string, items ...domain.Item) domain.OrderCreated {
	return domain.OrderCreated{CustomerID: customer, Currency: "EUR", Reference: "A-1", Items: items}
}

func TestFoldsHoldAtWhatCannotBeApplied(t *testing.T) {
	unknown := func(r eventstore.Record) eventstore.Record { r.EventType = "OrderEaten"; return r }
	whole := stream("o", created("ada", line(5)), domain.OrderItemAdded{Item: line(7)}, domain.OrderConfirmed{})
	dollars := line(5)
	dollars.Price.Currency = "USD"
	for _, c := range []struct {
		rule    string
		records []eventstore.Record
		at      int // the row's version
		hold    int // 0: none
	}{
		{"a whole stream is applied", whole, 3, 0},
		{"an unknown type holds, what came before it stays", []eventstore.Record{whole[0], unknown(whole[1]), whole[2]}, 1, 2},
		{"an order does not begin without its creation", stream("o", domain.OrderConfirmed{}), 0, 1},
		{"an order is not created twice", stream("o", created("ada", line(5)), created("bob", line(5))), 1, 2},
		{"another currency holds", stream("o", created("ada", line(5)), domain.OrderItemAdded{Item: dollars}), 1, 2},
		{"a total that does not fit holds",
			stream("o", created("ada", line(math.MaxInt64)), domain.OrderItemAdded{Item: line(1)}), 1, 2},
		{"facts are facts: a confirmation after a cancellation is applied",
			stream("o", created("ada", line(5)), domain.OrderCancelled{Reason: "no"}, domain.OrderConfirmed{}), 3, 0},
	} {
		for _, p := range projections.All() {
			row, hold, err := p.Fold(domain.Codec{}, nil, c.records)
			if err != nil {
				t.Errorf("%s: %v", c.rule, err)
			}
			if (hold != nil) != (c.hold > 0) || hold != nil && (hold.Version != c.hold || hold.Reason == "") {
				t.Errorf("%s: the hold of %s is %+v, want version %d", c.rule, p.Name, hold, c.hold)
			}
			if row.At() != c.at {
				t.Errorf("%s: the row of %s is at version %d, want %d", c.rule, p.Name, row.At(), c.at)
			}
		}
	}
}

func TestAGapIsAskedAgainAndNotHeld(t *testing.T) {
	records := stream("o", created("ada", line(5)), domain.OrderItemAdded{Item: line(7)}, domain.OrderConfirmed{})
	row, hold, err := projections.FoldOrderList(domain.Codec{}, projections.OrderRow{}, []eventstore.Record{records[0], records[2]})
	gap, ok := errors.AsType[*projections.Gap](err)
	if !ok || gap.Version != 3 || gap.After != 1 || hold != nil || row.Version != 1 {
		t.Errorf("row at %d, hold %v, error %v", row.Version, hold, err)
	}
}

// anEvent draws an event that could follow, sometimes one that cannot be applied.
func anEvent(t *rapid.T, first bool) domain.Event {
	item := domain.Item{
		SKU: rapid.SampledFrom([]string{"TEA-1", "MUG/2", "Ünü"}).Draw(t, "sku"), Name: rapid.SampledFrom([]string{"Green tea", "Big mug"}).Draw(t, "name"),
		Quantity: rapid.Int64Range(1, 5).Draw(t, "quantity"), Price: domain.Money{Minor: rapid.Int64Range(0, 1000).Draw(t, "price"), Currency: "EUR"},
	}
	if first {
		return domain.OrderCreated{
			CustomerID: rapid.SampledFrom([]string{"ada", "bob"}).Draw(t, "customer"), Currency: "EUR", Reference: "A-1", Items: []domain.Item{item},
		}
	}
	if rapid.IntRange(0, 9).Draw(t, "poison") == 0 {
		item.Price.Currency = "USD"
	}
	return rapid.SampledFrom([]domain.Event{
		domain.OrderItemAdded{Item: item}, domain.OrderItemAdded{Item: item}, domain.OrderConfirmed{}, domain.OrderCancelled{Reason: "no"},
		domain.OrderNoteAdded{Text: rapid.SampledFrom([]string{"Ring twice", "green"}).Draw(t, "note")},
	}).Draw(t, "event")
}

// store is what every read store does with rows of one projection: rows never move backwards, and sums are of the rows that are there.
type store struct {
	projections.Projection
	rows map[domain.OrderID]projections.Row
	old  map[domain.OrderID][]projections.Row
}

func (s *store) deliver(t *rapid.T, id domain.OrderID, from projections.Row, records []eventstore.Record, lost bool) {
	before := fmt.Sprint(from)
	row, _, err := s.Fold(domain.Codec{}, from, records)
	if from != nil && fmt.Sprint(from) != before {
		t.Fatalf("a fold changed the row %s that it began with: %v", before, from)
	}
	if err != nil || lost {
		return
	}
	if old := s.rows[id]; row.At() > 0 && (old == nil || row.At() > old.At()) {
		s.rows[id], s.old[id] = row, append(s.old[id], row)
	}
}

// sums is what rows add up to, in any order.
func (s *store) sums(rows map[domain.OrderID]projections.Row) map[string]projections.Sum {
	sums := map[string]projections.Sum{}
	if s.Contributions != nil {
		for _, row := range rows { // a map has no order
			s.Contributions.Add(sums, row, nil)
		}
	}
	return sums
}

// However often and in whatever pieces events are delivered, from rows however old, with writes that get lost, the rows of every projection
// end as the domain folds the streams, and the sums as those of them. A key that an order once added to stays with it.
func TestRowsConvergeUnderAnyDelivery(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		streams := map[domain.OrderID][]eventstore.Record{}
		var ids []domain.OrderID
		for i := range rapid.IntRange(1, 3).Draw(t, "orders") {
			id := domain.OrderID(fmt.Sprint("order-", i))
			var events []domain.Event
			for j := range rapid.IntRange(1, 6).Draw(t, "events") {
				events = append(events, anEvent(t, j == 0))
			}
			ids, streams[id] = append(ids, id), stream(id, events...)
		}
		for _, p := range projections.All() {
			s := &store{p, map[domain.OrderID]projections.Row{}, map[domain.OrderID][]projections.Row{}}
			for range rapid.IntRange(0, 20).Draw(t, "deliveries") {
				id := rapid.SampledFrom(ids).Draw(t, "order")
				records := streams[id]
				a := rapid.IntRange(0, len(records)).Draw(t, "from")
				b := rapid.IntRange(a, len(records)).Draw(t, "to")
				from := s.rows[id]
				if len(s.old[id]) > 0 && rapid.Bool().Draw(t, "an old row") {
					from = rapid.SampledFrom(s.old[id]).Draw(t, "row")
				}
				s.deliver(t, id, from, records[a:b], rapid.Bool().Draw(t, "lost"))
			}
			want := map[domain.OrderID]projections.Row{}
			for _, id := range ids {
				s.deliver(t, id, s.rows[id], streams[id], false)
				if folded := orders.Fold(domain.Codec{}, streams[id]); folded.Order.Exists() {
					want[id] = p.Want(domain.Codec{}, folded)
				}
			}
			if !reflect.DeepEqual(s.rows, want) {
				t.Fatalf("the rows of %s are\n%+v, want\n%+v", p.Name, s.rows, want)
			}
			if got, want := s.sums(s.rows), s.sums(want); !reflect.DeepEqual(got, want) {
				t.Fatalf("the sums of %s are\n%+v, want\n%+v", p.Name, got, want)
			}
			for id, all := range s.old {
				for _, old := range all {
					if row, ok := old.(projections.Contributor); ok {
						for _, key := range row.Keys() {
							if now, _ := s.rows[id].(projections.Contributor); !slices.Contains(now.Keys(), key) {
								t.Fatalf("%s of %s lost the key %q", id, p.Name, key)
							}
						}
					}
				}
			}
		}
	})
}

func TestAFoldSharesNoMemoryWithTheRowBefore(t *testing.T) {
	records := stream("o", created("ada", line(5)), domain.OrderItemAdded{Item: domain.Item{
		SKU: "A", Name: "B", Quantity: 1, Price: domain.Money{Minor: 1, Currency: "EUR"}}})
	first, _, _ := projections.FoldOrderList(domain.Codec{}, projections.OrderRow{}, records[:1])
	words := slices.Clone(first.Words)
	if second, _, _ := projections.FoldOrderList(domain.Codec{}, first, records); len(second.Words) <= len(words) {
		t.Errorf("the second row has the words %q", second.Words)
	}
	if !slices.Equal(first.Words, words) {
		t.Errorf("the words of the first row became %q", first.Words)
	}
}

func TestACustomersSumSaturates(t *testing.T) {
	huge := projections.CustomerOrder{CustomerID: "ada", Status: domain.Created, Total: domain.Money{Minor: math.MaxInt64, Currency: "EUR"}}
	row := projections.CustomerRow{}.Plus(huge).Plus(huge)
	if row.TotalOrders != 2 || len(row.TotalSpent) != 1 || row.TotalSpent[0].Minor != math.MaxInt64 {
		t.Errorf("the row is %+v", row)
	}
}

// A note is found by its words, and by no others; it leaves the words of lines as they are, whichever comes first, and has a bound of its
// own.
func TestTheWordsOfNotes(t *testing.T) {
	note := func(text string) domain.Event { return domain.OrderNoteAdded{Text: text} }
	item := func(name string) domain.Event {
		return domain.OrderItemAdded{Item: domain.Item{SKU: "s", Name: name, Price: domain.Money{Currency: "EUR"}}}
	}
	created := domain.OrderCreated{CustomerID: "ada", Currency: "EUR"}
	for _, c := range []struct {
		events []domain.Event
		want   string
	}{
		{[]domain.Event{created, item("Tea"), note("Ring twice")}, "s tea | ring twice"},
		{[]domain.Event{created, note("Ring twice"), item("Tea")}, "s tea | ring twice"},
		{[]domain.Event{created, note("tea"), note("Ring\nagain, tea"), item("Tea"), item("Ring")}, "ring s tea | again ring tea"},
		{[]domain.Event{created, note("…")}, ""},
		{[]domain.Event{created, note("|")}, ""},
	} {
		row, hold, err := projections.FoldOrderList(domain.Codec{}, projections.OrderRow{}, stream("o", c.events...))
		if got := strings.Join(row.Words, " "); err != nil || hold != nil || got != c.want || row.Version != len(c.events) {
			t.Errorf("the words at version %d are %q and not %q; %v, %v", row.Version, got, c.want, hold, err)
		}
	}
	events := []domain.Event{created, item("Tea")}
	for i := range projections.MaxRowWords + 10 {
		events = append(events, note(fmt.Sprintf("word%d", i)))
	}
	row, _, err := projections.FoldOrderList(domain.Codec{}, projections.OrderRow{}, stream("o", append(events, item("Jam"))...))
	if err != nil || len(row.Words) != projections.MaxRowWords+4 || row.Words[0] != "jam" {
		t.Errorf("%d words, %q …; %v", len(row.Words), row.Words[:5], err)
	}
}

func TestTheWordsOfARowAreBounded(t *testing.T) {
	var items []domain.Item
	for i := range projections.MaxRowWords + 10 {
		item := line(1)
		item.SKU = fmt.Sprintf("S%06d", i)
		items = append(items, item)
	}
	events := []domain.Event{created("ada", items[0])}
	for _, item := range items[1:] {
		events = append(events, domain.OrderItemAdded{Item: item})
	}
	row, _, err := projections.FoldOrderList(domain.Codec{}, projections.OrderRow{}, stream("o", events...))
	if err != nil || len(row.Words) != projections.MaxRowWords {
		t.Errorf("%d words, want %d; %v", len(row.Words), projections.MaxRowWords, err)
	}
}
