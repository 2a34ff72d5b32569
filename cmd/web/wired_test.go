package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/orders"
	"headway/projections"
)

// countedReads counts how streams are read.
type countedReads struct {
	eventstore.Store
	one, many atomic.Int64
}

func (c *countedReads) Read(ctx context.Context, id eventstore.StreamID, after int) ([]eventstore.Record, error) {
	c.one.Add(1)
	return c.Store.Read(ctx, id, after)
}

func (c *countedReads) ReadMany(ctx context.Context, after []eventstore.Head, limit int) ([]eventstore.Record, error) {
	c.many.Add(1)
	return c.Store.ReadMany(ctx, after, limit)
}

// The program as it is wired reads many streams at once when its projections catch up: nothing between the projector and the engine hides
// that it can.
func TestTheWiredProgramReadsManyStreamsAtOnce(t *testing.T) {
	const made = 300
	app := openApp(t)
	for i := range made {
		_, err := (orders.Handler{Events: app.Events, Codec: app.Codec}).Execute(t.Context(), orders.Request{
			CommandID: domain.CommandID(fmt.Sprintf("00000000-0000-4000-8000-%012d", i)), UserID: "ada", Timestamp: time.Now(),
			Command: domain.CreateOrder{CustomerID: "Ada", Currency: "EUR",
				Items: []domain.Item{{SKU: "A", Name: "A", Quantity: 1, Price: domain.Money{Minor: 1, Currency: "EUR"}}}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	counted := &countedReads{Store: app.Events}
	app.Events = counted
	s := app.server()
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	s.Begin(ctx)
	running.Go(func() { s.Run(ctx) })
	eventually(t, "all rows", func() bool {
		page, err := app.Read.Orders(t.Context(), projections.OrderQuery{})
		return err == nil && page.Total == made
	})
	stop()
	running.Wait()
	if one, many := counted.one.Load(), counted.many.Load(); one > made/10 || many == 0 {
		t.Errorf("%d streams were read alone and %d times many at once", one, many)
	} else {
		t.Logf("%d alone, %d times many at once", one, many)
	}
}
