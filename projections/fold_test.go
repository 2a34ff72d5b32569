package projections_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand"
	"reflect"
	"slices"
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
		order, orderHold, err := projections.FoldOrderList(domain.Codec{}, projections.OrderRow{}, c.records)
		contribution, contributionHold, err2 := projections.FoldContribution(domain.Codec{}, projections.Contribution{}, c.records)
		if err != nil || err2 != nil {
			t.Errorf("%s: %v, %v", c.rule, err, err2)
		}
		for _, hold := range []*orders.Hold{orderHold, contributionHold} {
			if (hold != nil) != (c.hold > 0) || hold != nil && (hold.Version != c.hold || hold.Reason == "") {
				t.Errorf("%s: the hold is %+v, want version %d", c.rule, hold, c.hold)
			}
		}
		if order.Version != c.at || contribution.Version != c.at {
			t.Errorf("%s: rows at versions %d and %d, want %d", c.rule, order.Version, contribution.Version, c.at)
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
	}).Draw(t, "event")
}

// asRow is the row of an order as the domain folds it.
func asRow(s orders.Stream) (row projections.OrderRow) {
	o := s.Order
	if !o.Exists() {
		return row
	}
	for _, item := range o.Items {
		row.Words = append(row.Words, append(projections.Words(item.SKU), projections.Words(item.Name)...)...)
	}
	slices.Sort(row.Words)
	row.Words = slices.Compact(row.Words)
	row.ID, row.Reference, row.CustomerID, row.Status, row.ItemCount, row.Total = o.ID, o.Reference, o.CustomerID, o.Status, len(o.Items), o.Total
	row.CreatedAt, row.ConfirmedAt, row.CancelledAt = o.CreatedAt, o.ConfirmedAt, o.CancelledAt
	row.Version, row.StoredAt = o.Version, s.Records[o.Version-1].StoredAt
	return row
}

// However often and in whatever pieces events are delivered, from rows however old, with writes that get lost, the rows end as the
// domain folds the streams, and the customers as the sums of them.
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
		rows, contributions := map[domain.OrderID]projections.OrderRow{}, map[domain.OrderID]projections.Contribution{}
		old := map[domain.OrderID][]projections.OrderRow{}
		deliver := func(id domain.OrderID, from projections.OrderRow, records []eventstore.Record, lost bool) {
			row, _, err := projections.FoldOrderList(domain.Codec{}, from, records)
			if err != nil || lost {
				return
			}
			if row.Version > rows[id].Version { // the guard of every read store
				rows[id] = row
				old[id] = append(old[id], row)
			}
			contribution, _, err := projections.FoldContribution(domain.Codec{}, contributions[id], records)
			if err == nil && contribution.Version > contributions[id].Version {
				contributions[id] = contribution
			}
		}
		for range rapid.IntRange(0, 20).Draw(t, "deliveries") {
			id := rapid.SampledFrom(ids).Draw(t, "order")
			records := streams[id]
			a := rapid.IntRange(0, len(records)).Draw(t, "from")
			b := rapid.IntRange(a, len(records)).Draw(t, "to")
			from := rows[id]
			if len(old[id]) > 0 && rapid.Bool().Draw(t, "an old row") {
				from = rapid.SampledFrom(old[id]).Draw(t, "row")
			}
			deliver(id, from, records[a:b], rapid.Bool().Draw(t, "lost"))
		}
		sums := map[string][]projections.Contribution{}
		want := map[string]projections.CustomerRow{}
		for _, id := range ids {
			deliver(id, rows[id], streams[id], false)
			folded := orders.Fold(domain.Codec{}, streams[id])
			if row := asRow(folded); !reflect.DeepEqual(rows[id], row) {
				t.Fatalf("the row is\n%+v, want\n%+v", rows[id], row)
			}
			c, o := contributions[id], folded.Order
			sums[c.CustomerID] = append(sums[c.CustomerID], c)
			w := want[o.CustomerID]
			w.ID = o.CustomerID
			want[o.CustomerID] = w.Plus(projections.Contribution{CustomerID: o.CustomerID, Status: o.Status, Total: o.Total, CreatedAt: o.CreatedAt})
		}
		for customer, all := range sums {
			rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			if got := projections.SumCustomer(customer, all...); !reflect.DeepEqual(got, want[customer]) {
				t.Fatalf("the customer is\n%+v, want\n%+v", got, want[customer])
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
	huge := projections.Contribution{CustomerID: "ada", Status: domain.Created, Total: domain.Money{Minor: math.MaxInt64, Currency: "EUR"}}
	row := projections.SumCustomer("ada", huge, huge, projections.Contribution{CustomerID: "bob"})
	if row.TotalOrders != 2 || len(row.TotalSpent) != 1 || row.TotalSpent[0].Minor != math.MaxInt64 {
		t.Errorf("the row is %+v", row)
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
