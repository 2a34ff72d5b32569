package elastic

import (
	"context"
	"maps"
	"slices"

	"headway/projections"
)

// Write is projections.Store's. Rows come first, the checkpoint last; what adds up is summed between. Searches find what it wrote when it
// returns, whatever the refresh interval: a list that is said to be current is.
func (s *Store) Write(ctx context.Context, b projections.Batch) error {
	k, err := keeperOf(b.Projection)
	if err != nil {
		return err
	}
	return s.with(ctx, func(t targets) error {
		identity := t.of(k)
		key := "checkpoint:" + b.Name()
		look := s.looking(ctx, t, key)
		// A batch that was folded before the rows were discarded must not come to the new indices, which follow an epoch of their own.
		if now, err := look(); err != nil {
			return err
		} else if now[leaseKey].doc.Epoch > b.Epoch {
			return projections.Stale()
		}
		if err := k.write(ctx, s, t, b.Rows); err != nil {
			return err
		}
		return s.guarded(ctx, t, b.Epoch, key, look, func(now map[string]stateAt) (*stateDoc, error) {
			if !b.Continues(now[key].doc.checkpoint(identity)) {
				return nil, projections.Moved()
			}
			if err := s.writeHolds(ctx, t, b); err != nil || b.Checkpoint == "" {
				return nil, err
			}
			return &stateDoc{Kind: "checkpoint", Checkpoint: string(b.Checkpoint), Target: identity}, nil
		})
	})
}

// Beat is projections.Store's. A projection that goes on from a checkpoint whose rows were lost meanwhile is told so: nothing need move for
// it to find out.
func (s *Store) Beat(ctx context.Context, state projections.State) error {
	k, err := keeperOf(state.Projection)
	if err != nil {
		return err
	}
	return s.with(ctx, func(t targets) error {
		identity := t.of(k)
		key, checkpoint := "beat:"+state.Name(), "checkpoint:"+state.Name()
		return s.guarded(ctx, t, state.Epoch, key, s.looking(ctx, t, key, checkpoint), func(now map[string]stateAt) (*stateDoc, error) {
			stored := now[checkpoint].doc
			if state.Checkpoint != "" && stored.Checkpoint != "" && stored.checkpoint(identity) == "" {
				return nil, projections.Moved()
			}
			return &stateDoc{
				Kind: "beat", Phase: state.Phase, Reason: state.Reason, HeartbeatAt: micros(state.HeartbeatAt), Rate: state.Rate, Holder: state.Holder,
			}, nil
		})
	})
}

// writeHolds has searches find the holds at once: they are few, and a held order must not be folded again.
func (s *Store) writeHolds(ctx context.Context, t targets, b projections.Batch) error {
	held := map[string]item{}
	for _, h := range b.Holds {
		key := holdKey(b.Key, h.OrderID)
		held[key] = item{index: t[holds].index, id: key, doc: holdDoc{
			Projection: b.Projection, Generation: b.Generation, Part: b.Part, Order: h.OrderID, Version: h.Version, Reason: h.Reason,
			Since: micros(h.Since),
		}}
	}
	for _, id := range b.Released { // after the holds, so that of an order in both none stays
		key := holdKey(b.Key, id)
		held[key] = item{index: t[holds].index, id: key}
	}
	return s.client.bulk(ctx, slices.Collect(maps.Values(held)), true)
}
