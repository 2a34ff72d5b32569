package elastic

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"headway/domain"
	"headway/fault"
	"headway/projections"
)

// The bounds of a sum.
const (
	customersPerSum = 250  // customers summed by one request; 1 + 3 + 1 + all currencies are fewer buckets than the node allows
	maxCurrencies   = 250  // more than ISO 4217 has
	maxNotes        = 1000 // notes of customers to be summed that one look finds
	notesKept       = time.Hour
	notesEvery      = time.Minute // how often notes of other processes are looked for
)

// Write is projections.Store's. Rows come first, the checkpoint last; customers are summed between. Searches find what it wrote when it
// returns, whatever the refresh interval: a list that is said to be current is.
func (s *Store) Write(ctx context.Context, b projections.Batch) error {
	return s.with(ctx, func(t targets) error {
		_, identity, err := t.of(b.Projection)
		if err != nil {
			return err
		}
		var rows []projections.OrderRow
		var its []projections.Contribution
		for _, row := range b.Rows {
			switch r := row.(type) {
			case projections.OrderRow:
				rows = append(rows, r)
			case projections.Contribution:
				its = append(its, r)
			default:
				return fault.Errorf(fault.Internal, "The read store cannot keep a %T.", row)
			}
		}
		key := "checkpoint:" + b.Projection
		look := s.looking(ctx, t, key)
		if err := s.writeOrders(ctx, t, rows); err != nil {
			return err
		}
		if len(its) > 0 || b.Projection == projections.CustomerOrderSummary {
			if err := s.writeContributions(ctx, t, its); err != nil {
				return err
			}
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

// Beat is projections.Store's. A projection that goes on from a checkpoint whose rows were lost meanwhile is told so: nothing need move for it
// to find out.
func (s *Store) Beat(ctx context.Context, state projections.State) error {
	return s.with(ctx, func(t targets) error {
		_, identity, err := t.of(state.Projection)
		if err != nil {
			return err
		}
		key, checkpoint := "beat:"+state.Projection, "checkpoint:"+state.Projection
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

func (s *Store) writeOrders(ctx context.Context, t targets, rows []projections.OrderRow) error {
	items := make([]item, len(rows))
	for i, r := range rows {
		items[i] = item{index: t[orders].index, id: string(r.ID), order: r.ID, version: int64(r.Version), doc: orderDocOf(r)}
	}
	return s.client.bulk(ctx, items, true)
}

// writeHolds has searches find the holds at once: they are few, and a held order must not be folded again.
func (s *Store) writeHolds(ctx context.Context, t targets, b projections.Batch) error {
	held := map[string]item{}
	for _, h := range b.Holds {
		key := holdKey(b.Projection, h.OrderID)
		held[key] = item{index: t[holds].index, id: key, doc: holdDoc{
			Projection: b.Projection, Order: h.OrderID, Version: h.Version, Reason: h.Reason, Since: micros(h.Since),
		}}
	}
	for _, id := range b.Released { // after the holds, so that of an order in both none stays
		key := holdKey(b.Projection, id)
		held[key] = item{index: t[holds].index, id: key}
	}
	return s.client.bulk(ctx, slices.Collect(maps.Values(held)), true)
}

// writeContributions stores contributions and the sums that they change.
//
// The customers whose sums change are noted first: a crash after the contributions would otherwise leave sums that nobody knows to be
// old, because the contributions are then as new as the log. Whoever writes next sums the customers of notes that were left.
func (s *Store) writeContributions(ctx context.Context, t targets, its []projections.Contribution) error {
	if err := s.summing.take(ctx); err != nil {
		return err
	}
	defer s.summing.give()
	if now := s.clock(); s.unsummed || now.Sub(s.lookedAt) >= notesEvery {
		if err := s.sumNoted(ctx, t); err != nil {
			return err
		}
		s.unsummed, s.lookedAt = false, now
	}
	if len(its) == 0 {
		return nil
	}
	items, dirty, err := s.merge(ctx, t, its)
	if err != nil {
		return err
	}
	s.unsummed = true
	note := item{index: t[states].index, id: "note:" + s.id, doc: stateDoc{Kind: "note", Customers: dirty, At: micros(s.clock())}}
	if err := s.client.bulk(ctx, []item{note}, false); err != nil {
		return err
	}
	if err := s.client.bulk(ctx, items, false); err != nil {
		return err
	}
	if err := s.sum(ctx, t, dirty); err != nil {
		return err
	}
	if err := s.client.bulk(ctx, []item{{index: note.index, id: note.id}}, false); err != nil {
		return err
	}
	s.unsummed = false
	return nil
}

// merge says which contributions are to be written, and the customers that they, or those they replace, belong to. A contribution that
// is there already still makes its customer dirty: whoever wrote it may not have come to the sum.
func (s *Store) merge(ctx context.Context, t targets, its []projections.Contribution) (items []item, dirty []string, err error) {
	newest := map[domain.OrderID]projections.Contribution{}
	counted := map[domain.OrderID][]string{}
	var ids []domain.OrderID
	for _, c := range its {
		old, known := newest[c.ID]
		if !known {
			ids = append(ids, c.ID)
		}
		if !known || old.Version < c.Version {
			newest[c.ID] = c
		}
		counted[c.ID] = append(counted[c.ID], c.CustomerID)
	}
	there, err := get[contributionDoc](ctx, s, t[contributions].index, ids)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range ids {
		c := newest[id]
		old, known := there[id]
		names := distinct(slices.Concat(counted[id], old.Counted))
		dirty = append(dirty, names...)
		if !known || old.Version < c.Version {
			items = append(items, item{
				index: t[contributions].index, id: string(id), order: id, version: int64(c.Version), doc: contributionDocOf(c, names),
			})
		}
	}
	return items, distinct(dirty), nil
}

// sumNoted sums the customers of all notes. A note of another process is kept for a while: that process may be between its note and its
// contributions.
func (s *Store) sumNoted(ctx context.Context, t targets) error {
	if err := s.refresh(ctx, t[states].index); err != nil {
		return err
	}
	answer, err := s.search(ctx, t[states].index, object{"size": maxNotes, "query": object{"term": object{"kind": "note"}}})
	if err != nil {
		return err
	}
	var done []item
	for _, h := range answer.Hits.Hits {
		var note stateDoc
		if err := json.Unmarshal(h.Source, &note); err != nil {
			return err
		}
		if err := s.sum(ctx, t, note.Customers); err != nil {
			return err
		}
		if h.ID == "note:"+s.id || s.clock().Sub(moment(note.At)) > notesKept {
			done = append(done, item{index: t[states].index, id: h.ID})
		}
	}
	return s.client.bulk(ctx, done, false)
}

// sum writes the rows of customers as their contributions are now. The version of a customer's row is the sum of the versions of the
// contributions that ever counted for them, which grows with every change: an older sum never replaces a newer one.
func (s *Store) sum(ctx context.Context, t targets, ids []string) error {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return len(id) > maxTerm }) // none has a contribution: it was refused
	if len(ids) == 0 {
		return nil
	}
	if err := s.refresh(ctx, t[contributions].index); err != nil {
		return err
	}
	var items []item
	for chunk := range slices.Chunk(ids, customersPerSum) {
		rows, versions, err := s.sums(ctx, t, chunk)
		if err != nil {
			return err
		}
		for _, id := range chunk {
			if versions[id] > 0 {
				items = append(items, item{index: t[customers].index, id: customerKey(id), version: versions[id], doc: customerDocOf(rows[id])})
			}
		}
	}
	return s.client.bulk(ctx, items, true)
}

// sums reads the sums of some customers, and the versions of their rows.
func (s *Store) sums(ctx context.Context, t targets, ids []string) (map[string]projections.CustomerRow, map[string]int64, error) {
	body := object{
		"size": 0, "query": object{"terms": object{"counted": ids}},
		"aggs": object{
			"versions": object{
				"terms": object{"field": "counted", "include": ids, "size": len(ids)},
				"aggs":  object{"version": object{"sum": object{"field": "version"}}},
			},
			"customers": object{
				"terms": object{"field": "customer", "include": ids, "size": len(ids)},
				"aggs": object{
					"status": object{"terms": object{"field": "status", "size": 10}},
					"spent": object{
						"filter": object{"bool": object{"must_not": object{"term": object{"status": domain.Cancelled}}}},
						"aggs":   object{"currency": sumByCurrency()},
					},
					// Not a maximum: that is floating point, too.
					"last": object{"top_hits": object{"size": 1, "sort": []object{{"createdAt": "desc"}}, "_source": []string{"createdAt"}}},
				},
			},
		},
	}
	answer, err := s.search(ctx, t[contributions].index, body)
	if err != nil {
		return nil, nil, err
	}
	var told struct {
		Versions struct {
			Buckets []struct {
				Key     string `json:"key"`
				Version struct {
					Value float64 `json:"value"`
				} `json:"version"`
			} `json:"buckets"`
		} `json:"versions"`
		Customers struct {
			Buckets []customerBucket `json:"buckets"`
		} `json:"customers"`
	}
	if err := json.Unmarshal(answer.Aggregations, &told); err != nil {
		return nil, nil, err
	}
	rows, versions := map[string]projections.CustomerRow{}, map[string]int64{}
	for _, b := range told.Versions.Buckets {
		versions[b.Key], rows[b.Key] = int64(b.Version.Value), projections.CustomerRow{ID: b.Key}
	}
	for _, b := range told.Customers.Buckets {
		if rows[b.Key], err = b.row(); err != nil {
			return nil, nil, err
		}
	}
	return rows, versions, nil
}

// customerBucket is what an aggregation knows of a customer.
type customerBucket struct {
	Key      string `json:"key"`
	DocCount int    `json:"doc_count"`
	Status   struct {
		Buckets []struct {
			Key      domain.Status `json:"key"`
			DocCount int           `json:"doc_count"`
		} `json:"buckets"`
	} `json:"status"`
	Spent struct {
		Currency sums `json:"currency"`
	} `json:"spent"`
	Last searchAnswer `json:"last"`
}

func (b customerBucket) row() (projections.CustomerRow, error) {
	r := projections.CustomerRow{ID: b.Key, TotalOrders: b.DocCount, TotalSpent: b.Spent.Currency.money()}
	for _, status := range b.Status.Buckets {
		switch status.Key {
		case domain.Created:
			r.Created = status.DocCount
		case domain.Confirmed:
			r.Confirmed = status.DocCount
		case domain.Cancelled:
			r.Cancelled = status.DocCount
		}
	}
	for _, h := range b.Last.Hits.Hits {
		var last contributionDoc
		if err := json.Unmarshal(h.Source, &last); err != nil {
			return r, err
		}
		r.LastOrderAt = moment(last.CreatedAt)
	}
	return r, nil
}

// refresh has searches of an index find what was written to it.
func (s *Store) refresh(ctx context.Context, index string) error {
	var told struct {
		Shards struct {
			Failed int `json:"failed"`
		} `json:"_shards"`
	}
	err := s.client.call(ctx, refreshRequest(index), nil, &told)
	if err == nil && told.Shards.Failed > 0 {
		err = fmt.Errorf("%d shards of %s were not refreshed", told.Shards.Failed, index)
	}
	return err
}
