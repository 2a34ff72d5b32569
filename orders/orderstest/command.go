package orderstest

import (
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"headway/domain"
	"headway/eventstore"
	"headway/eventstore/storetest"
	"headway/fault"
	"headway/orders"
)

func commandAtOnce(t *testing.T, p storetest.Place) {
	const times = 16
	stores := []storetest.Store{p.Open(t, nil), p.Open(t, nil)}
	id := mustExecute(t, stores[0], never, createCommand())
	req := orderCommand(id, 1, domain.AddItem{Item: item("jam")})
	results := make([]orders.Result, times)
	var all sync.WaitGroup
	for i := range times {
		all.Go(func() {
			var err error
			if results[i], err = handler(stores[i%2], never).Execute(t.Context(), req); err != nil {
				t.Errorf("repeat %d: %v", i, err)
			}
		})
	}
	all.Wait()
	stored := mustRead(t, stores[0], id)
	for _, got := range results {
		if !reflect.DeepEqual(got.Records, stored[1:]) {
			t.Errorf("a repeat got %s, and stored are %s", asJSON(got.Records), asJSON(stored[1:]))
		}
	}
	checkLength(t, stores[1], id, 2)
}

func commandLater(t *testing.T, p storetest.Place) {
	s := p.Open(t, nil)
	create := createCommand()
	id := mustExecute(t, s, never, create)
	add := orderCommand(id, 1, addMany{2})
	mustExecute(t, s, never, add)
	mustExecute(t, s, never, orderCommand(id, 3, domain.ConfirmOrder{})) // a repeat that was decided again would be refused now
	stored := mustRead(t, s, id)
	check := func(s storetest.Store) {
		t.Helper()
		for _, c := range []struct {
			req   orders.Request
			first []eventstore.Record
		}{{create, stored[:1]}, {add, stored[1:3]}} {
			for _, expect := range []int{0, 1, 2, 3, 4, 9} { // the head is 4
				c.req.Expect = expect
				got, err := handler(s, never).Execute(t.Context(), c.req)
				if err != nil || !got.Repeat || !reflect.DeepEqual(got.Records, c.first) {
					t.Errorf("the repeat expecting %d got %s, %v, want %s", expect, asJSON(got), err, asJSON(c.first))
				}
			}
		}
		checkLength(t, s, id, 4)
	}
	check(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check(p.Open(t, nil))
}

func otherContent(t *testing.T, p storetest.Place) {
	s := p.Open(t, nil)
	id := mustExecute(t, s, never, createCommand())
	req := orderCommand(id, 1, domain.AddItem{Item: item("jam")})
	mustExecute(t, s, never, req)
	req.Command = domain.AddItem{Item: item("tea")}
	for _, req.Expect = range []int{1, 2} {
		_, err := handler(s, never).Execute(t.Context(), req)
		checkOtherContent(t, err)
	}
	elsewhere := mustExecute(t, s, never, createCommand()) // a command id belongs to one order
	req.OrderID, req.Expect = elsewhere, 1
	_, err := handler(s, never).Execute(t.Context(), req)
	checkOtherContent(t, err)
	checkLength(t, s, id, 2)
	checkLength(t, s, elsewhere, 1)
}

func unknownEvents(t *testing.T, p storetest.Place) {
	s := p.Open(t, nil)
	id := mustExecute(t, s, never, createCommand())
	painted := mustRead(t, s, id)[0]
	painted.Version, painted.EventID, painted.EventType = 2, uuid.NewString(), "OrderPainted"
	painted.StoredAt, painted.Metadata.CausationID = painted.StoredAt.Add(time.Second), painted.EventID
	p.Plant(t, painted)
	_, err := handler(s, never).Execute(t.Context(), orderCommand(id, 2, domain.AddItem{Item: item("tea")}))
	if fault.KindOf(err) != fault.Refused {
		t.Errorf("a command on a held order got %v", err)
	}
	checkLength(t, s, id, 2)
}

func historicEvents(t *testing.T, p storetest.Place) {
	s := p.Open(t, nil)
	id := domain.OrderID(uuid.NewString())
	at := time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC)
	for i, event := range []struct{ eventType, data string }{
		{domain.TypeOrderCreated, `{"customerId":"ada","items":[{"sku":"tea","name":"Tea","quantity":2,"price":4.5}]}`},
		{domain.TypeOrderConfirmed, `{}`},
	} {
		at = at.Add(time.Second)
		p.Plant(t, eventstore.Record{
			Stream: orders.StreamOf(id), Version: i + 1, EventType: event.eventType, SchemaVersion: 1, Data: []byte(event.data), StoredAt: at,
			Metadata: eventstore.Metadata{Timestamp: at},
		})
	}
	mustExecute(t, s, never, orderCommand(id, 2, domain.CancelOrder{Reason: "old"}))
	checkLength(t, s, id, 3)
}
