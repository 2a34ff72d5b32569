package sqlite

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"headway/domain"
	"headway/eventstore"
)

// confirm appends n events to an order.
func confirm(t *testing.T, s *Store, id domain.OrderID, expect, n int) eventstore.Head {
	t.Helper()
	events := make([]domain.Event, n)
	for i := range events {
		events[i] = domain.OrderConfirmed{} // the store keeps anything
	}
	records, err := s.Append(t.Context(), id, expect, eventstore.Metadata{CausationID: eventstore.NewCommandID()}, events...)
	if err != nil {
		t.Error(err)
		return eventstore.Head{}
	}
	last := records[len(records)-1]
	return eventstore.Head{OrderID: id, Version: last.Version, At: last.StoredAt}
}

// TestHeadsAreThoseOfTheLog: whatever is remembered, an answer is what the log says now, also of what another process stored, and of more than is
// followed.
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
	want := map[domain.OrderID]eventstore.Head{}
	some := func() []domain.OrderID {
		var ids []domain.OrderID
		for range random.IntN(20) {
			ids = append(ids, domain.OrderID(fmt.Sprint("order ", random.IntN(25)))) // some twice, some that do not exist
		}
		return ids
	}
	for step := range 300 {
		for range random.IntN(4) {
			id := domain.OrderID(fmt.Sprint("order ", random.IntN(20)))
			want[id] = confirm(t, stores[random.IntN(2)], id, want[id].Version, 1)
		}
		if step == 100 || step == 200 { // more than one page of events
			for range eventstore.MaxPage/eventstore.MaxAppend + 1 {
				id := domain.OrderID(fmt.Sprint("order ", random.IntN(20)))
				want[id] = confirm(t, stores[0], id, want[id].Version, eventstore.MaxAppend)
			}
		}
		ids := some()
		got, err := stores[random.IntN(2)].Heads(t.Context(), ids...)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[domain.OrderID]bool{}
		for _, h := range got {
			if h != want[h.OrderID] || seen[h.OrderID] {
				t.Fatalf("step %d: the head is said to be %+v, and is %+v", step, h, want[h.OrderID])
			}
			seen[h.OrderID] = true
		}
		for _, id := range ids {
			if want[id].Version > 0 && !seen[id] {
				t.Fatalf("step %d: nothing is said of %s", step, id)
			}
		}
	}
}

// TestHeadsKnowWhatWasAcknowledged: with writers and readers at once, no answer is older than what was acknowledged before it was asked for.
func TestHeadsKnowWhatWasAcknowledged(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "events.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	const orders, times = 4, 60
	var acknowledged [orders]atomic.Int64
	var ids []domain.OrderID
	var writers, readers sync.WaitGroup
	var written atomic.Bool
	for i := range orders {
		ids = append(ids, domain.OrderID(fmt.Sprint("order ", i)))
		writers.Go(func() {
			for n := range times {
				acknowledged[i].Store(int64(confirm(t, s, domain.OrderID(fmt.Sprint("order ", i)), n, 1).Version))
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
				now := map[domain.OrderID]int{}
				for _, h := range heads {
					now[h.OrderID] = h.Version
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
			found = append(found, place{Head: eventstore.Head{OrderID: domain.OrderID(fmt.Sprint(i, " ", j)), Version: 1}})
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
	h.learn([]place{{Head: eventstore.Head{OrderID: "late", Version: 1}}}, 0)
	if _, unknown, _ := h.follow(nil, []domain.OrderID{"late"}); len(unknown) != 1 {
		t.Error("a head is known that was read before what was followed")
	}
}
