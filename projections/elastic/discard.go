package elastic

import (
	"context"
	"net/http"

	"headway/projections"
)

// Discard is projections.Store's. Each projection gets new indices, so that no row of the log before ever meets one of the log as it is
// now; the old ones are deleted, so that whoever still reads or writes them, in this process or another, finds them gone and looks for the
// new ones. A checkpoint is true of its indices alone, so none is left.
func (s *Store) Discard(ctx context.Context, epoch int64) error {
	return s.with(ctx, func(t targets) error {
		now, err := s.statesNow(ctx, t, leaseKey)
		if err != nil {
			return err
		}
		if now[leaseKey].doc.Epoch > epoch {
			return projections.Stale()
		}
		if err := together(groups(), func(g group) error { return s.makeGroup(ctx, t, g) }); err != nil {
			return err
		}
		for _, g := range groups() {
			for _, kind := range g {
				err := s.client.call(ctx, deleteIndexRequest(t[kind].index), nil, nil)
				if err != nil && !hasStatus(err, http.StatusNotFound) {
					return err
				}
			}
		}
		if err := s.releaseAll(ctx, t); err != nil {
			return err
		}
		s.forget()
		return nil
	})
}

// releaseAll deletes every hold.
func (s *Store) releaseAll(ctx context.Context, t targets) error {
	for {
		if err := s.refresh(ctx, t[holds].index); err != nil {
			return err
		}
		answer, err := s.search(ctx, t[holds].index, object{"size": projections.MaxHolds, "query": object{"match_all": object{}}})
		if err != nil || len(answer.Hits.Hits) == 0 {
			return err
		}
		var items []item
		for _, hit := range answer.Hits.Hits {
			items = append(items, item{index: t[holds].index, id: hit.ID})
		}
		if err := s.client.bulk(ctx, items, false); err != nil {
			return err
		}
	}
}
