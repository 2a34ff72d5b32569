package simulation

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"headway/fault"
	"headway/projections/history"
)

// History keeps what was stored and how the projections were. Any number of processes may open it.
type History struct {
	mu      sync.Mutex
	buckets map[history.Step]map[int64]history.Bucket // by the seconds at which they begin
}

// NewHistory is an empty history.
func NewHistory() *History {
	return &History{buckets: map[history.Step]map[int64]history.Bucket{history.Minute: {}, history.Hour: {}}}
}

// Open is the history as one process sees it.
func (h *History) Open() history.Store { return &openHistory{History: h} }

type openHistory struct {
	*History
	closed atomic.Bool
}

func (h *openHistory) Close() error {
	h.closed.Store(true)
	return nil
}

func (h *openHistory) usable() error {
	if h.closed.Load() {
		return fault.Errorf(fault.Unavailable, "The history is closed.")
	}
	return nil
}

// Put is history.Store's.
func (h *openHistory) Put(_ context.Context, step history.Step, buckets ...history.Bucket) error {
	if err := h.usable(); err != nil {
		return err
	}
	if err := history.CheckPut(step, buckets); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, b := range buckets {
		b = b.Clone()
		b.At = b.At.UTC()
		h.buckets[step][b.At.Unix()] = b
	}
	return nil
}

// Buckets is history.Store's.
func (h *openHistory) Buckets(_ context.Context, step history.Step, from, to time.Time) ([]history.Bucket, error) {
	if err := h.usable(); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []history.Bucket
	for _, at := range slices.Sorted(maps.Keys(h.buckets[step])) {
		if at >= history.Seconds(from) && at < history.Seconds(to) && len(all) < history.MaxBuckets {
			all = append(all, h.buckets[step][at].Clone())
		}
	}
	return all, nil
}

// Forget is history.Store's.
func (h *openHistory) Forget(_ context.Context, step history.Step, before time.Time) error {
	if err := h.usable(); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.DeleteFunc(h.buckets[step], func(at int64, _ history.Bucket) bool { return at < history.Seconds(before) })
	return nil
}
