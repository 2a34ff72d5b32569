package elastic

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"headway/fault"
	"headway/projections/history"
)

// historyLayout is in the mapping of the history's index. Whoever raises it says how an index of each earlier layout is brought forward:
// what is kept cannot be made again.
const historyLayout = 1

// forgetStep is how many buckets are forgotten by one request.
const forgetStep = 1000

// History is a history.Store on an index of its own. Several processes may use the same index.
type History struct {
	client    *client
	index     string
	log       *slog.Logger
	prepared  atomic.Bool // the index is there
	preparing turn
}

var _ history.Store = (*History)(nil)

// bucketDoc is a bucket with its place; at is seconds since 1970.
type bucketDoc struct {
	Step   history.Step    `json:"step"`
	At     int64           `json:"at"`
	Bucket json.RawMessage `json:"bucket"` // what history.Encode says
}

// bucketID is the name of the document of a time.
func bucketID(step history.Step, at int64) string { return fmt.Sprintf("%s:%d", step, at) }

func historyMapping() object {
	m := object{"dynamic": "strict", "properties": object{
		"step": object{"type": "keyword"}, "at": object{"type": "long"}, "bucket": object{"type": "object", "enabled": false},
	}}
	m["_meta"] = object{"hash": hashOf(object{"mapping": m, "settings": settings()}), "layout": float64(historyLayout)}
	return m
}

// OpenHistory makes the index if it is missing. A node that is away is no error: every method is Unavailable until it is back. Refused if
// the options are not usable, if the index is not ours, or if it belongs to a newer Headway.
func OpenHistory(ctx context.Context, o Options) (*History, error) {
	c, o, err := connect(o)
	if err != nil {
		return nil, err
	}
	h := &History{client: c, index: o.Prefix + "-history", log: o.Log, preparing: make(turn, 1)}
	if err := h.with(ctx, func() error { return nil }); fault.KindOf(err) == fault.Unavailable {
		o.Log.Warn("the history cannot be reached; it is tried again", "error", err)
	} else if err != nil {
		return nil, err
	}
	return h, nil
}

// Close is history.Store's.
func (h *History) Close() error {
	h.client.close()
	return nil
}

// with does something with the index, which it makes if need be.
func (h *History) with(ctx context.Context, do func() error) error {
	err := h.ready(ctx)
	if err == nil {
		err = do()
	}
	return failed(ctx, err, func() { h.prepared.Store(false) })
}

func (h *History) ready(ctx context.Context) error {
	if h.prepared.Load() {
		return nil
	}
	if err := h.preparing.take(ctx); err != nil {
		return err
	}
	defer h.preparing.give()
	if h.prepared.Load() { // made meanwhile
		return nil
	}
	if err := h.prepare(ctx); err != nil {
		return err
	}
	h.prepared.Store(true)
	return nil
}

// prepare knows that the index is there and ours, and makes one that is missing. Any number of processes may do so at once.
func (h *History) prepare(ctx context.Context) error {
	var there map[string]found
	if err := h.client.call(ctx, describeRequest([]string{h.index}), nil, &there); err != nil {
		return err
	}
	if len(there) > 0 {
		return h.accept(there[h.index])
	}
	template := object{ // by which an index of this name is never made by a mere write
		"index_patterns": []string{h.index}, "priority": 500, "allow_auto_create": false,
		"template": object{"settings": settings(), "mappings": historyMapping()},
	}
	if err := h.client.call(ctx, putTemplateRequest(h.index), template, nil); err != nil {
		return err
	}
	err := h.client.call(ctx, createRequest(h.index), nil, nil)
	if e, ok := err.(*answerError); ok && e.Type == "resource_already_exists_exception" { //nolint:errorlint // call returns it as it is
		return nil // another process made it by the same template
	}
	if err == nil {
		h.log.Info("the history has a new index", "index", h.index)
	}
	return err
}

// accept refuses an index that this program did not make.
func (h *History) accept(index found) error {
	meta, _ := index.Mappings["_meta"].(map[string]any)
	switch layout, _ := meta["layout"].(float64); {
	case layout == 0:
		return fault.Errorf(fault.Refused, "There is an index %s, which is not Headway's.", h.index)
	case layout > historyLayout:
		return fault.Errorf(fault.Refused, "The history %s belongs to a newer Headway.", h.index)
	case index.hash() != hashIn(historyMapping()):
		return fault.Errorf(fault.Refused, "The index %s has mappings that this Headway did not make.", h.index)
	}
	return nil
}

// Put is history.Store's.
func (h *History) Put(ctx context.Context, step history.Step, buckets ...history.Bucket) error {
	if err := history.CheckPut(step, buckets); err != nil {
		return err
	}
	items := make([]item, len(buckets))
	for i, b := range buckets {
		text, err := history.Encode(b)
		if err != nil {
			return err
		}
		at := b.At.Unix()
		items[i] = item{index: h.index, id: bucketID(step, at), doc: bucketDoc{step, at, text}}
	}
	return h.with(ctx, func() error { return h.client.bulk(ctx, items, true) })
}

// Buckets is history.Store's.
func (h *History) Buckets(ctx context.Context, step history.Step, from, to time.Time) (all []history.Bucket, err error) {
	err = h.with(ctx, func() error {
		answer, err := h.client.search(ctx, h.index, object{
			"size": history.MaxBuckets, "query": between(step, object{"gte": history.Seconds(from), "lt": history.Seconds(to)}),
			"sort": []object{{"at": "asc"}}, "track_total_hits": false,
		})
		if err != nil {
			return err
		}
		docs, err := documents[bucketDoc](answer.Hits.Hits)
		if err != nil {
			return err
		}
		for _, d := range docs {
			b, err := history.Decode(time.Unix(d.At, 0), d.Bucket)
			if err != nil {
				return err
			}
			all = append(all, b)
		}
		return nil
	})
	return all, err
}

// Forget is history.Store's.
func (h *History) Forget(ctx context.Context, step history.Step, before time.Time) error {
	return h.with(ctx, func() error {
		for {
			answer, err := h.client.search(ctx, h.index, object{
				"size": forgetStep, "query": between(step, object{"lt": history.Seconds(before)}), "sort": []object{{"at": "asc"}},
				"track_total_hits": false, "_source": false,
			})
			if err != nil || len(answer.Hits.Hits) == 0 {
				return err
			}
			items := make([]item, len(answer.Hits.Hits))
			for i, old := range answer.Hits.Hits {
				items[i] = item{index: h.index, id: old.ID}
			}
			if err := h.client.bulk(ctx, items, true); err != nil {
				return err
			}
		}
	})
}

// between is a query for the buckets of a step in a range of times.
func between(step history.Step, times object) object {
	return object{"bool": object{"filter": []object{{"term": object{"step": step}}, {"range": object{"at": times}}}}}
}
