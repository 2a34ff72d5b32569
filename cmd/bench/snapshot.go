package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/eventstore/sqlite"
	"headway/orders"
)

// snapshots measures the loading of the longest orders by their snapshots, beside the decoding of the state in the snapshot alone, which is
// the least that it costs. Of one the snapshot has the last event; the other has the most events after it that there can be.
func (b *bench) snapshots(ctx context.Context) (err error) {
	dir, err := b.folder("snapshot")
	if err != nil {
		return err
	}
	s, err := openEvents(dir) //nolint:contextcheck // a store outlives what opens it
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	handler := orders.Handler{Events: s}.WithSnapshots(s, orders.SnapshotPolicy{})
	for _, c := range []struct{ at, last int }{{10_000, 10_000}, {9_900, 9_999}} {
		id := newOrder()
		snapshot, err := snapshotted(ctx, s, handler, id, c.at, c.last)
		if err != nil {
			return err
		}
		if err := b.laps(fmt.Sprint("snapshot_", c.last), c.last, side{own, func(int) (int, error) {
			o, err := handler.LoadOrder(ctx, id, c.last)
			if err == nil && o.Version != c.last {
				err = fmt.Errorf("loaded %d events of %d", o.Version, c.last)
			}
			return c.last, err
		}}, side{"raw/decode-state", func(int) (int, error) {
			_, err := handler.OrderIn(snapshot)
			return c.last, err
		}}); err != nil {
			return err
		}
	}
	return nil
}

// snapshotted makes an order with so many events, whose snapshot is at another version.
func snapshotted(ctx context.Context, s *sqlite.Store, handler orders.Handler, id domain.OrderID, at, last int) (eventstore.Snapshot,
	error) {
	if err := longOrder(ctx, s, nil, id, 0, at-1); err != nil {
		return eventstore.Snapshot{}, err
	}
	if _, err := handler.Execute(ctx, orders.Request{ // it is Execute that takes snapshots
		CommandID: orders.NewCommandID(), OrderID: id, Command: domain.AddItem{Item: item(at)}, Expect: at - 1, Timestamp: time.Now(),
	}); err != nil {
		return eventstore.Snapshot{}, err
	}
	if err := longOrder(ctx, s, nil, id, at, last); err != nil {
		return eventstore.Snapshot{}, err
	}
	snapshot, err := s.LoadSnapshot(ctx, orders.StreamOf(id))
	if err == nil && snapshot.Version != at {
		err = fmt.Errorf("the snapshot has version %d, not %d", snapshot.Version, at)
	}
	return snapshot, err
}
