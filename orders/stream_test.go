package orders_test

import (
	"fmt"
	"testing"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/orders"
)

// A long stream is decoded by all processors, and folds as it would event by event: up to the first event that cannot be applied, wherever
// it lies.
func TestLongFold(t *testing.T) {
	const events = 2700
	records := make([]eventstore.Record, events)
	for i := range records {
		var event domain.Event = domain.OrderItemAdded{Item: domain.Item{SKU: fmt.Sprint(i), Name: "tea", Quantity: 1, Price: domain.Money{Minor: 1, Currency: "EUR"}}}
		if i == 0 {
			event = domain.OrderCreated{CustomerID: "ada", Currency: "EUR", Items: []domain.Item{{SKU: "0", Name: "tea", Quantity: 1,
				Price: domain.Money{Minor: 1, Currency: "EUR"}}}}
		}
		eventType, schema, data, err := domain.Codec{}.Encode(event)
		if err != nil {
			t.Fatal(err)
		}
		records[i] = eventstore.Record{
			Stream: orders.StreamOf("o"), Version: i + 1, EventType: eventType, SchemaVersion: schema, Data: data,
			Metadata: eventstore.Metadata{Timestamp: time.Unix(int64(i), 0)},
		}
	}
	whole := orders.Fold(domain.Codec{}, records)
	if whole.Hold != nil || whole.Order.Version != events || whole.Order.Total.Minor != events {
		t.Fatalf("folded to version %d, total %d, hold %+v", whole.Order.Version, whole.Order.Total.Minor, whole.Hold)
	}
	for i, item := range whole.Order.Items {
		if item.SKU != fmt.Sprint(i) {
			t.Fatalf("line %d is of event %s", i, item.SKU)
		}
	}
	for _, bad := range []int{2, 500, 999, 1000, 1001, 1999, 2000, events} {
		good := records[bad-1]
		records[bad-1].Data = []byte(`{"item":7}`)
		if s := orders.Fold(domain.Codec{}, records); s.Hold == nil || s.Hold.Version != bad || s.Order.Version != bad-1 {
			t.Errorf("with a broken event %d: version %d, hold %+v", bad, s.Order.Version, s.Hold)
		}
		records[bad-1] = good
	}
}
