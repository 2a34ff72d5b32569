package sqlite

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"headway/eventstore"
)

func confirmed() eventstore.NewEvent {
	return eventstore.NewEvent{Type: "OrderConfirmed", Schema: 2, Data: []byte(`{}`)}
}

// confirm appends n events to an order.
func confirm(t *testing.T, s *Store, id eventstore.StreamID, expect, n int) eventstore.Head {
	t.Helper()
	events := make([]eventstore.NewEvent, n)
	for i := range events {
		events[i] = confirmed()
	}
	records, err := s.Append(t.Context(), id, expect, metadata(), events...)
	if err != nil {
		t.Error(err)
		return eventstore.Head{}
	}
	last := records[len(records)-1]
	return eventstore.Head{Stream: id, Version: last.Version, At: last.StoredAt}
}

// TestHeadsAreThoseOfTheLog: whatever is remembered, an answer is what the log says now, also of what another process stored, and of more
// than is followed.
func TestHeadsAreThoseOfTheLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.db")
	var stores []*Store
	for range 2 { // as two processes have them
		s, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		stores = append(stores, s)
	}
	random := rand.New(rand.NewPCG(1, 2))
	want := map[eventstore.StreamID]eventstore.Head{}
	some := func() []eventstore.StreamID {
		var ids []eventstore.StreamID
		for range random.IntN(20) {
			ids = append(ids, stream(fmt.Sprint("order ", random.IntN(25)))) // some twice, some that do not exist
		}
		return ids
	}
	for step := range 300 {
		for range random.IntN(4) {
			id := stream(fmt.Sprint("order ", random.IntN(20)))
			want[id] = confirm(t, stores[random.IntN(2)], id, want[id].Version, 1)
		}
		if step == 100 || step == 200 { // more than one page of events
			for range eventstore.MaxPage/eventstore.MaxAppend + 1 {
				id := stream(fmt.Sprint("order ", random.IntN(20)))
				want[id] = confirm(t, stores[0], id, want[id].Version, eventstore.MaxAppend)
			}
		}
		ids := some()
		got, err := stores[random.IntN(2)].Heads(t.Context(), ids...)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[eventstore.StreamID]bool{}
		for _, h := range got {
			if h != want[h.Stream] || seen[h.Stream] {
				t.Fatalf("step %d: the head is said to be %+v, and is %+v", step, h, want[h.Stream])
			}
			seen[h.Stream] = true
		}
		for _, id := range ids {
			if want[id].Version > 0 && !seen[id] {
				t.Fatalf("step %d: nothing is said of %s", step, id)
			}
		}
	}
}

// TestHeadsKnowWhatWasAcknowledged: with writers and readers at once, no answer is older than what was acknowledged before it was asked
// for.
func TestHeadsKnowWhatWasAcknowledged(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "events.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	const orders, times = 4, 60
	var acknowledged [orders]atomic.Int64
	var ids []eventstore.StreamID
	var writers, readers sync.WaitGroup
	var written atomic.Bool
	for i := range orders {
		ids = append(ids, stream(fmt.Sprint("order ", i)))
		writers.Go(func() {
			for n := range times {
				acknowledged[i].Store(int64(confirm(t, s, stream(fmt.Sprint("order ", i)), n, 1).Version))
			}
		})
	}
	for range 4 {
		readers.Go(func() {
			for !written.Load() {
				var before [orders]int64
				for i := range orders {
					before[i] = acknowledged[i].Load()
				}
				heads, err := s.Heads(t.Context(), ids...)
				if err != nil {
					t.Error(err)
					return
				}
				now := map[eventstore.StreamID]int{}
				for _, h := range heads {
					now[h.Stream] = h.Version
				}
				for i, id := range ids {
					if int64(now[id]) < before[i] {
						t.Errorf("%s was at %d, and is said to be at %d", id, before[i], now[id])
						return
					}
				}
			}
		})
	}
	writers.Wait()
	written.Store(true)
	readers.Wait()
}

// TestKnownHeadsAreBounded, and what may be older than what was followed meanwhile is not remembered.
func TestKnownHeadsAreBounded(t *testing.T) {
	var h heads
	for i := range 3 * knownHeads / 100 {
		var found []place
		for j := range 100 {
			found = append(found, place{Head: eventstore.Head{Stream: stream(fmt.Sprint(i, " ", j)), Version: 1}})
		}
		h.learn(found, 0)
		if len(h.known) > knownHeads {
			t.Fatalf("%d heads are known", len(h.known))
		}
	}
	if len(h.known) == 0 {
		t.Error("nothing is known")
	}
	h.follow([]place{{seq: 7}}, nil)
	h.learn([]place{{Head: eventstore.Head{Stream: stream("late"), Version: 1}}}, 0)
	if _, unknown, _ := h.follow(nil, []eventstore.StreamID{stream("late")}); len(unknown) != 1 {
		t.Error("a head is known that was read before what was followed")
	}
}
