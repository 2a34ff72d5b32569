package storetest

import (
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"headway/eventstore"
)

// patience is how long the suite waits for what a store promises to happen in the end.
const patience = 10 * time.Second

// follow reads the feed from a cursor until it has named each of the versions wanted, and gives the cursor after them.
func follow(t *testing.T, s eventstore.Store, after eventstore.Cursor, limit int, want map[eventstore.StreamID]int) eventstore.Cursor {
	t.Helper()
	_, after = followPart(t, s, order, eventstore.Whole, after, limit, want)
	return after
}

// followPart reads a part of a category's feed until it has named each of the versions wanted, and on to its end for now. It gives what was
// named, each stream at its newest.
func followPart(
	t *testing.T, s eventstore.Store, category string, part eventstore.Part, after eventstore.Cursor, limit int,
	want map[eventstore.StreamID]int,
) (named map[eventstore.StreamID]int, cursor eventstore.Cursor) {
	t.Helper()
	named = map[eventstore.StreamID]int{}
	for deadline := time.Now().Add(patience); ; {
		heads, next, err := s.Feed(t.Context(), category, part, after, limit)
		if err != nil || next == "" || len(heads) > limit {
			t.Fatalf("a page of the feed: %d heads, cursor %q, %v", len(heads), next, err)
		}
		for _, h := range heads {
			if h.Stream.Category != category || !part.Has(eventstore.SliceOf(h.Stream)) {
				t.Fatalf("the feed of the part %d of %d of %s names %s", part.Index, part.Of, category, h.Stream)
			}
			named[h.Stream] = max(named[h.Stream], h.Version)
		}
		if after = next; len(heads) > 0 {
			continue
		}
		missing := false
		for id, version := range want {
			missing = missing || named[id] < version
		}
		if !missing {
			return named, after
		}
		if time.Now().After(deadline) {
			t.Fatalf("the feed ended at %v, want %v", named, want)
		}
		time.Sleep(time.Millisecond) // between looks: an engine may name late; the deadline ends it
	}
}

// checkMoves wants the feed, from its beginning, to name these heads and no version that its stream never had.
func checkMoves(t *testing.T, s eventstore.Store, want map[eventstore.StreamID]int) {
	t.Helper()
	follow(t, s, "", 3, want)
	var after eventstore.Cursor
	for {
		heads, cursor, err := s.Feed(t.Context(), order, eventstore.Whole, after, 5)
		if err != nil {
			t.Fatal(err)
		}
		if len(heads) == 0 {
			return
		}
		for _, h := range heads {
			records, err := s.Read(t.Context(), h.Stream, h.Version-1)
			if err != nil || len(records) == 0 || records[0].Version != h.Version || !sameTime(h.At, records[0].StoredAt) {
				t.Fatalf("the feed names %s, which the stream never had (%v)", asJSON(h), err)
			}
		}
		after = cursor
	}
}

func feed(t *testing.T, p Place) {
	s, another := p.Open(t, nil), p.Open(t, nil)
	heads, start, err := s.Feed(t.Context(), order, eventstore.Whole, "", 5)
	if err != nil || len(heads) != 0 || start == "" {
		t.Fatalf("the feed of an empty store: %v, cursor %q, %v", heads, start, err)
	}
	const writers, each = 12, 8
	want := map[eventstore.StreamID]int{}
	var ids []eventstore.StreamID
	for range writers {
		ids = append(ids, newStream())
	}
	var writing atomic.Int32
	writing.Store(writers)
	seen := map[eventstore.StreamID]int{}
	cursor := start
	together(writers+1, func(i int) {
		if i < writers {
			defer writing.Add(-1)
			store := s
			if i%3 == 0 {
				store = another
			}
			for n := range each {
				if _, err := store.Append(t.Context(), ids[i], n, newCommand(), added("tea")); err != nil {
					t.Errorf("append: %v", err)
				}
			}
			return
		}
		for writing.Load() > 0 { // one follows while they write
			heads, next, err := s.Feed(t.Context(), order, eventstore.Whole, cursor, 5)
			if err != nil || next == "" {
				t.Errorf("a page of the feed: cursor %q, %v", next, err)
				return
			}
			for _, h := range heads {
				seen[h.Stream] = max(seen[h.Stream], h.Version)
			}
			cursor = next
		}
	})
	for _, id := range ids {
		if seen[id] < each {
			want[id] = each
		}
	}
	follow(t, s, cursor, 5, want) // what it has not seen yet, it sees now
	all := map[eventstore.StreamID]int{}
	for _, id := range ids {
		all[id] = each
	}
	checkMoves(t, s, all)
}

func feedResumed(t *testing.T, p Place) {
	s := p.Open(t, nil)
	want := map[eventstore.StreamID]int{}
	move := func(s eventstore.Store) {
		for range 3 {
			id := newStream()
			mustAppend(t, s, id, 0, newCommand(), created(), added("jam"))
			want[id] = 2
		}
	}
	move(s)
	cursor := follow(t, s, "", 2, want)
	clear(want)
	move(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = p.Open(t, nil)
	move(s)
	cursor = follow(t, s, cursor, 2, want)
	for id := range maps.Clone(want) {
		mustAppend(t, s, id, 2, newCommand(), confirmed())
		want[id] = 3
	}
	follow(t, s, cursor, 2, want)
}

func walkAll(t *testing.T, s eventstore.Store, limit int) (heads map[eventstore.StreamID]eventstore.Head, total int) {
	t.Helper()
	return walkIn(t, s, order, limit)
}

// walkIn walks over a category.
func walkIn(
	t *testing.T, s eventstore.Store, category string, limit int,
) (heads map[eventstore.StreamID]eventstore.Head, total int) {
	t.Helper()
	heads = map[eventstore.StreamID]eventstore.Head{}
	var after eventstore.Cursor
	for {
		page, cursor, n, err := s.Walk(t.Context(), category, after, limit)
		if err != nil || len(page) > limit {
			t.Fatalf("a page of the walk: %d heads, %v", len(page), err)
		}
		if after == "" {
			total = n
		} else if n != total {
			t.Fatalf("the total was %d and is %d", total, n)
		}
		for _, h := range page {
			if _, twice := heads[h.Stream]; twice {
				t.Fatalf("the walk saw stream %s twice", h.Stream)
			}
			heads[h.Stream] = h
		}
		if cursor == "" {
			return heads, total
		}
		after = cursor
	}
}

func walk(t *testing.T, p Place) {
	s := p.Open(t, nil)
	if heads, total := walkAll(t, s, 3); len(heads) != 0 || total != 0 {
		t.Errorf("the walk over an empty store saw %v of %d", heads, total)
	}
	want := map[eventstore.StreamID]eventstore.Head{}
	var ids []eventstore.StreamID
	for n := range 10 {
		id := newStream()
		records := mustAppend(t, s, id, 0, newCommand(), addedTimes(n%3+1)...)
		want[id] = eventstore.Head{Stream: id, Version: n%3 + 1, At: records[n%3].StoredAt}
		ids = append(ids, id)
	}
	for _, limit := range []int{1, 3, 5, 10, 11} {
		got, total := walkAll(t, s, limit)
		all := make([]eventstore.Head, 0, len(got))
		for _, h := range got {
			all = append(all, h)
		}
		if difference := differHeads(all, want); difference != "" || total != len(want) {
			t.Errorf("pages of %d: total %d, %s", limit, total, difference)
		}
	}

	var done atomic.Bool
	together(2, func(i int) {
		if i == 0 {
			defer done.Store(true)
			for range 8 {
				got, total := walkAll(t, s, 3)
				if total < len(ids) {
					t.Errorf("the walk counts %d streams, there were %d", total, len(ids))
				}
				for _, id := range ids {
					if got[id].Version < want[id].Version {
						t.Errorf("the walk saw stream %s at %d, it was at %d before", id, got[id].Version, want[id].Version)
					}
				}
			}
			return
		}
		for n := 0; !done.Load(); n++ {
			id := ids[n%len(ids)]
			if _, err := s.Append(t.Context(), newStream(), 0, newCommand(), created()); err != nil {
				t.Errorf("append: %v", err)
			}
			if _, err := s.Append(t.Context(), id, want[id].Version+n/len(ids), newCommand(), added("tea")); err != nil {
				t.Errorf("append: %v", err)
			}
		}
	})
}
