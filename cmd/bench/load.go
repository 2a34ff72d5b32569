package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"headway/domain"
	"headway/eventstore"
	"headway/orders"
)

// loads measures the reading and folding of long orders, without a snapshot, beside a loop that decodes the same data by encoding/json and
// adds up no more than the total.
func (b *bench) loads(ctx context.Context) (err error) {
	dir, err := b.folder("load")
	if err != nil {
		return err
	}
	s, err := openEvents(dir) //nolint:contextcheck // a store outlives what opens it
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	bare, err := openTable(ctx, filepath.Join(dir, "bare.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bare.Close()) }()
	for _, n := range []int{1000, domain.MaxOrderEvents} {
		id := newOrder()
		if err := longOrder(ctx, s, bare, id, 0, n); err != nil {
			return err
		}
		if err := b.laps(fmt.Sprint("load_", n), n, side{own, func(int) (int, error) {
			records, err := s.Read(ctx, orders.StreamOf(id), 0)
			if stream := orders.Fold(domain.Codec{}, records); err == nil && stream.Order.Version != n {
				err = fmt.Errorf("loaded %d events of %d", stream.Order.Version, n)
			}
			return n, err
		}}, side{"raw/sqlite-json", func(int) (int, error) {
			o, err := bare.fold(ctx, id)
			if err == nil && o.version != n {
				err = fmt.Errorf("loaded %d events of %d", o.version, n)
			}
			return n, err
		}}); err != nil {
			return err
		}
	}
	return nil
}

// laps says the median time of a call, and the rate it means.
func (b *bench) laps(metric string, n int, sides ...side) error {
	laps, err := b.byTurns(1, sides...)
	if err != nil {
		return fmt.Errorf("%s: %w", metric, err)
	}
	for i, s := range sides {
		median := quantile(laps[i].calls, 0.5)
		b.out.say(s.who, metric, milliseconds(median), "ms")
		b.out.say(s.who, metric+"_rate", float64(n)/median.Seconds(), "ev/s")
	}
	return nil
}

// longOrder appends an order's events after the version from, up to the version to, to the store and, if there is one, to the table.
func longOrder(ctx context.Context, s eventstore.Store, t *table, id domain.OrderID, from, to int) error {
	var all []domain.Event
	for v := from; v < to; v++ {
		if v == 0 {
			all = append(all, created())
			continue
		}
		all = append(all, domain.OrderItemAdded{Item: item(v)})
	}
	for chunk := range slices.Chunk(all, eventstore.MaxAppend) {
		rows, err := rowsOf(id, from, chunk...)
		if err == nil && t != nil {
			err = t.insertAll(ctx, rows)
		}
		if err == nil {
			err = appendTo(ctx, s, id, from, newCommand(), chunk...)
		}
		if err != nil {
			return err
		}
		from += len(chunk)
	}
	return nil
}

// tally is the least that can be called an order.
type tally struct {
	customer, status string
	pieces           map[string]int64
	total            int64
	version          int
}

func (t *table) fold(ctx context.Context, id domain.OrderID) (tally, error) {
	o := tally{pieces: map[string]int64{}}
	rows, err := t.load.QueryContext(ctx, string(id))
	if err != nil {
		return o, err
	}
	defer rows.Close()
	var eventType string
	var data sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&o.version, &eventType, &data); err != nil {
			return o, err
		}
		event, err := decode(eventType, data)
		if err != nil {
			return o, err
		}
		o.add(event)
	}
	return o, rows.Err()
}

// decode reads an event without asking whether it is as it should be.
func decode(eventType string, data []byte) (domain.Event, error) {
	switch eventType {
	case domain.TypeOrderCreated:
		var e domain.OrderCreated
		return &e, json.Unmarshal(data, &e)
	case domain.TypeOrderItemAdded:
		var e domain.OrderItemAdded
		return &e, json.Unmarshal(data, &e)
	}
	var e domain.OrderConfirmed
	return &e, json.Unmarshal(data, &e)
}

func (o *tally) add(event domain.Event) {
	switch e := event.(type) {
	case *domain.OrderCreated:
		o.customer, o.status = e.CustomerID, "created"
		for _, i := range e.Items {
			o.line(i)
		}
	case *domain.OrderItemAdded:
		o.line(e.Item)
	case *domain.OrderConfirmed:
		o.status = "confirmed"
	}
}

func (o *tally) line(i domain.Item) {
	o.pieces[i.SKU] += i.Quantity
	o.total += i.Quantity * i.Price.Minor
}
