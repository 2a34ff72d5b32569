package sqlite

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"sync"

	"headway/eventstore"
)

// knownHeads is how many heads are remembered.
const knownHeads = 10_000

// heads remembers the heads of streams that were asked for lately. The log only grows, so whoever has read what came after seen knows them
// as the log does now. It is safe for concurrent use.
type heads struct {
	mu    sync.Mutex
	seen  int64 // no head in known is older than the events up to this one
	known map[eventstore.StreamID]eventstore.Head
}

// since is where to read on.
func (h *heads) since() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen
}

// forget is for when too much has been stored to follow: nothing is known, as of the events up to this one.
func (h *heads) forget(newest int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.known)
	h.seen = max(h.seen, newest)
}

// follow takes all events after since, and gives the heads of these streams as far as they are known then.
func (h *heads) follow(events []place, ids []eventstore.StreamID) (found []eventstore.Head, unknown []eventstore.StreamID, seen int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range events {
		if k, ok := h.known[e.Stream]; ok && e.Version > k.Version {
			h.known[e.Stream] = e.Head
		}
		h.seen = max(h.seen, e.seq)
	}
	found = make([]eventstore.Head, 0, len(ids))
	for _, id := range ids {
		if k, ok := h.known[id]; ok {
			found = append(found, k)
		} else {
			unknown = append(unknown, id)
		}
	}
	return found, unknown, h.seen
}

// learn remembers heads that were read when seen was so much. If that is more by now, they may be older than it.
func (h *heads) learn(found []place, seen int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seen != seen {
		return
	}
	if h.known == nil || len(h.known)+len(found) > knownHeads {
		h.known = map[eventstore.StreamID]eventstore.Head{}
	}
	for _, p := range found {
		if p.Version > h.known[p.Stream].Version {
			h.known[p.Stream] = p.Head
		}
	}
}

// Heads is eventstore.Store's. A stream that is named twice is answered once.
func (s *Store) Heads(ctx context.Context, ids ...eventstore.StreamID) ([]eventstore.Head, error) {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b eventstore.StreamID) int { return cmp.Compare(a.Key(), b.Key()) })
	events, err := queryHeads(ctx, s.read.moved, s.heads.since(), eventstore.MaxPage)
	if err != nil {
		return nil, readFailed(ctx, err)
	}
	if len(events) == eventstore.MaxPage { // and there may be more
		var newest int64
		if err := s.read.newest.QueryRowContext(ctx).Scan(&newest); err != nil {
			return nil, readFailed(ctx, err)
		}
		s.heads.forget(newest)
		events = nil
	}
	found, unknown, seen := s.heads.follow(events, slices.Compact(ids))
	for chunk := range slices.Chunk(unknown, headsPerQuery) {
		list, err := json.Marshal(keysOf(chunk))
		if err != nil {
			return nil, err
		}
		read, err := queryHeads(ctx, s.read.heads, string(list))
		if err != nil {
			return nil, readFailed(ctx, err)
		}
		for _, h := range read {
			found = append(found, h.Head)
		}
		s.heads.learn(read, seen)
	}
	return found, nil
}

// keysOf is what a query for the heads of streams is asked with.
func keysOf(ids []eventstore.StreamID) [][2]string {
	keys := make([][2]string, len(ids))
	for i, id := range ids {
		keys[i] = [2]string{id.Key(), categoryOf(id)}
	}
	return keys
}
