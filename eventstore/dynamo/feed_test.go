package dynamo

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"headway/eventstore"
)

// lagging is a store whose index can lag.
func lagging(t *testing.T, p *place, windows Windows) (*Store, *lag) {
	t.Helper()
	l := &lag{}
	options := p.options
	options.Client, options.Windows = &wire{change: l.change}, windows
	return open(t, options), l
}

func move(t *testing.T, s *Store, id eventstore.StreamID, expect int) {
	t.Helper()
	if _, err := s.Append(t.Context(), id, expect, newCommand(), cancelled("x")); err != nil {
		t.Fatal(err)
	}
}

// follow reads the feed until it has named what is wanted.
func follow(t *testing.T, s *Store, after eventstore.Cursor, want map[eventstore.StreamID]int) eventstore.Cursor {
	t.Helper()
	seen := map[eventstore.StreamID]int{}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		heads, next, err := s.Feed(t.Context(), order, eventstore.Whole, after, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range heads {
			seen[h.Stream] = max(seen[h.Stream], h.Version)
		}
		after = next
		missing := false
		for id, version := range want {
			missing = missing || seen[id] < version
		}
		if !missing {
			return after
		}
		if time.Now().After(deadline) {
			t.Fatalf("the feed named %v, want %v", seen, want)
		}
	}
}

// quiet wants the feed to name nothing for some passes that look back, and gives the cursor.
func quiet(t *testing.T, s *Store, after eventstore.Cursor) eventstore.Cursor {
	t.Helper()
	for until := time.Now().Add(5 * s.windows.OverlapEvery); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		heads, next, err := s.Feed(t.Context(), order, eventstore.Whole, after, 3)
		if err != nil {
			t.Fatal(err)
		}
		if len(heads) > 0 {
			t.Fatalf("the feed names %v again", heads)
		}
		after = next
	}
	return after
}

// An entry that the index shows late is named within one pass that looks back, also after a restart, however much was named before it.
func TestLateEntries(t *testing.T) {
	p := newPlace(t)
	s, index := lagging(t, p, quick())
	var cursor eventstore.Cursor
	cursor = follow(t, s, cursor, nil)
	for round := range 3 {
		want := map[eventstore.StreamID]int{}
		var late []eventstore.StreamID
		for range 4 {
			late = append(late, newStream())
		}
		index.hide(late...)
		for _, id := range late {
			move(t, s, id, 0)
		}
		for range 5 {
			id := newStream()
			move(t, s, id, 0)
			want[id] = 1
		}
		cursor = follow(t, s, cursor, want)
		cursor = quiet(t, s, cursor)
		if round == 1 { // another process goes on
			s, index = lagging(t, p, quick())
		}
		index.hide()
		want = map[eventstore.StreamID]int{}
		for _, id := range late {
			want[id] = 1
		}
		cursor = follow(t, s, cursor, want)
		if round == 1 { // it does not know what the other was told, and is told again
			cursor = drain(t, s, cursor)
		}
		cursor = quiet(t, s, cursor)
	}
}

// drain reads the feed until a whole pass names nothing.
func drain(t *testing.T, s *Store, after eventstore.Cursor) eventstore.Cursor {
	t.Helper()
	for last := time.Now(); time.Since(last) < 2*s.windows.OverlapEvery; time.Sleep(5 * time.Millisecond) {
		heads, next, err := s.Feed(t.Context(), order, eventstore.Whole, after, 3)
		if err != nil {
			t.Fatal(err)
		}
		if after = next; len(heads) > 0 {
			last = time.Now()
		}
	}
	return after
}

// An entry that the index never shows, or shows after the window in which is looked back, is named by the next audit.
func TestMissingEntries(t *testing.T) {
	p := newPlace(t)
	windows := quick()
	windows.AuditEvery = 2 * time.Second
	s, index := lagging(t, p, windows)
	cursor := follow(t, s, "", nil)
	missing, seen := newStream(), newStream()
	index.hide(missing)
	move(t, s, missing, 0)
	move(t, s, seen, 0)
	cursor = follow(t, s, cursor, map[eventstore.StreamID]int{seen: 1})
	follow(t, s, cursor, map[eventstore.StreamID]int{missing: 1})

	// A process that was away for longer than any window finds it by its first audit.
	again, index := lagging(t, p, windows)
	index.hide(missing)
	follow(t, again, cursor, map[eventstore.StreamID]int{missing: 1})
}

// A follower begins with every order, also those the index never shows.
func TestFeedBeginsWithTheTable(t *testing.T) {
	s, index := lagging(t, newPlace(t), quick())
	want := map[eventstore.StreamID]int{}
	for n := range 7 {
		id := newStream()
		for v := range n%2 + 1 {
			move(t, s, id, v)
		}
		want[id] = n%2 + 1
	}
	for id := range maps.Clone(want) {
		index.hide(id)
		break
	}
	follow(t, s, "", want)
}

// Only what a follower acknowledged is dropped: not what it was told and asked for again, and not what another follower acknowledged.
func TestWhatIsAcknowledged(t *testing.T) {
	s, _ := lagging(t, newPlace(t), quick())
	start := follow(t, s, "", nil)
	want := map[eventstore.StreamID]int{}
	for range 8 {
		id := newStream()
		move(t, s, id, 0)
		want[id] = 1
	}
	for follower := range 3 {
		end := follow(t, s, start, want)
		if follower == 0 {
			quiet(t, s, end)
		}
	}
}

// While nothing moves, the cursor stays as it is, so that nobody has to store it.
func TestQuietCursor(t *testing.T) {
	windows := quick()
	windows.OverlapWindow = 300 * time.Millisecond
	s, _ := lagging(t, newPlace(t), windows)
	id := newStream()
	move(t, s, id, 0)
	cursor := follow(t, s, "", map[eventstore.StreamID]int{id: 1})
	for deadline := time.Now().Add(10 * time.Second); ; {
		next := quiet(t, s, cursor)
		if next == cursor {
			return
		}
		if cursor = next; time.Now().After(deadline) {
			t.Fatal("the cursor goes on for ever")
		}
	}
}

// A tip that was read to its end is not read again before TipDelay has passed, however often it is asked for: neither when there was
// nothing, nor after the last page of news.
func TestATipIsReadOnce(t *testing.T) {
	clock := &stepped{at: time.Now()}
	p := newPlace(t)
	p.options.Clock, p.options.Windows = clock.now, Windows{}
	s, w := overWire(t, p)
	cursor := eventstore.Cursor("")
	ask := func(times, heads, queries int) {
		t.Helper()
		w.take()
		named := 0
		for range times {
			page, next, err := s.Feed(t.Context(), order, eventstore.Whole, cursor, 5)
			must(t, err)
			cursor, named = next, named+len(page)
		}
		if got := w.take()["Query"]; named != heads || got != queries {
			t.Errorf("asked %d times, the feed named %d orders with %d queries; want %d with %d", times, named, got, heads, queries)
		}
	}
	ask(1, 0, Shards)
	ask(5, 0, 0)
	clock.step(s.windows.TipDelay)
	ask(5, 0, Shards)
	for range 3 {
		move(t, s, newStream(), 0)
	}
	ask(5, 0, 0)
	clock.step(s.windows.TipDelay)
	ask(5, 3, Shards)
	for range 7 {
		move(t, s, newStream(), 0)
	}
	clock.step(s.windows.TipDelay)
	ask(5, 7, 2*Shards) // a full page does not end
}

// What is remembered of pages is bounded, and what was forgotten counts as not delivered.
func TestDeliveriesAreBounded(t *testing.T) {
	var d deliveries
	heads := make([]eventstore.Head, 1000)
	for i := range heads {
		heads[i] = eventstore.Head{Stream: stream(fmt.Sprint(i)), Version: 1}
	}
	const pages = maxRemembered/1000 + 50
	for n := range uint64(pages) {
		for i := range heads {
			heads[i].Version = int(n) + 1
		}
		d.add(n+1, n, heads, time.Unix(5, 0), looked{}, time.Hour)
	}
	if d.heads > maxRemembered || len(d.pages) != len(d.oldest) {
		t.Errorf("%d heads of %d pages are remembered", d.heads, len(d.pages))
	}
	if got := d.known(pages); len(got) != 1000 || got[stream("7")] != pages {
		t.Errorf("%d orders are known, one at version %d", len(got), got[stream("7")])
	}
	if got := d.known(1); len(got) != 0 {
		t.Errorf("a page that was forgotten knows %d orders", len(got))
	}
	d.add(pages+1, pages, heads[:1], time.Unix(5, 0), looked{}, 0)
	if got := d.known(pages + 1); len(got) != 1 || d.heads != 1 {
		t.Errorf("after the window, %d orders are known and %d heads remembered", len(got), d.heads)
	}
}
