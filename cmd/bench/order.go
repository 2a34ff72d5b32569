package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/eventstore/sqlite"
	"headway/orders"
)

// item is a line whose event is about 300 bytes long.
func item(n int) domain.Item {
	return domain.Item{
		SKU: fmt.Sprint("SKU-", 1000+n%1000), Name: "Widget, checked by the operator" + strings.Repeat("; checked by the operator", 6), Quantity: 2,
		Price: domain.Money{Minor: 1999, Currency: "EUR"},
	}
}

func created() domain.OrderCreated {
	lines := []domain.Item{item(1), item(2), item(3)}
	for i, name := range []string{"Blue widget", "Red widget", "Green widget"} {
		lines[i].Name = name
	}
	return domain.OrderCreated{CustomerID: "Acme Widgets Ltd", Currency: "EUR", Items: lines}
}

// life is the work of every measurement: an order that is created with three lines, gets two more, and is confirmed.
func life() []domain.Event {
	return []domain.Event{created(), domain.OrderItemAdded{Item: item(4)}, domain.OrderItemAdded{Item: item(5)}, domain.OrderConfirmed{}}
}

func newOrder() domain.OrderID { return orders.OrderIDFor(orders.NewCommandID()) }

// newCommand is what Execute would tell of a command.
func newCommand() eventstore.Metadata {
	id := string(orders.NewCommandID())
	return eventstore.Metadata{
		CausationID: id, CorrelationID: id, UserID: "operator-7", Timestamp: time.Now(), CommandHash: strings.ReplaceAll(id, "-", ""),
	}
}

// lives is, for each worker, where the order it is telling stands.
type lives []struct {
	id      domain.OrderID
	version int
}

// next is the next event of the worker's order, which is a new one after its last event.
func (l lives) next(worker int, all []domain.Event) (id domain.OrderID, expect int, event domain.Event) {
	o := &l[worker]
	if o.version%len(all) == 0 {
		o.id, o.version = newOrder(), 0
	}
	o.version++
	return o.id, o.version - 1, all[o.version-1]
}

// appendTo appends facts to an order, as Execute does.
func appendTo(ctx context.Context, s eventstore.Store, id domain.OrderID, expect int, m eventstore.Metadata, facts ...domain.Event) error {
	events, err := orders.Encode(domain.Codec{}, facts...)
	if err == nil {
		_, err = s.Append(ctx, orders.StreamOf(id), expect, m, events...)
	}
	return err
}

// singly appends one event a call, wholly a whole order a call; each worker has orders of its own.
func singly(ctx context.Context, s eventstore.Store, workers int) func(worker int) (int, error) {
	all, open := life(), make(lives, workers)
	return func(worker int) (int, error) {
		id, expect, event := open.next(worker, all)
		err := appendTo(ctx, s, id, expect, newCommand(), event)
		return 1, err
	}
}

func wholly(ctx context.Context, s eventstore.Store) func(worker int) (int, error) {
	all := life()
	return func(int) (int, error) {
		err := appendTo(ctx, s, newOrder(), 0, newCommand(), all...)
		return len(all), err
	}
}

// openEvents opens the embedded event store in a folder.
func openEvents(dir string) (*sqlite.Store, error) {
	return sqlite.Open(filepath.Join(dir, "events.db"), sqlite.Options{})
}
