package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"headway/eventstore"
)

func byKey(a, b eventstore.StreamID) int { return cmp.Compare(a.Key(), b.Key()) }

// newestFirst sorts a copy as the listings do.
func newestFirst(records []eventstore.Record) []eventstore.Record {
	return slices.SortedFunc(slices.Values(records), func(a, b eventstore.Record) int {
		return cmp.Or(b.StoredAt.Compare(a.StoredAt), byKey(b.Stream, a.Stream), cmp.Compare(b.Version, a.Version))
	})
}

func ofType(records []eventstore.Record, eventType string) []eventstore.Record {
	return slices.DeleteFunc(slices.Clone(records), func(r eventstore.Record) bool { return eventType != "" && r.EventType != eventType })
}

// someStreams appends to a few streams in turn: every type, 20 events in all.
func someStreams(t *testing.T, s eventstore.Store) (all []eventstore.Record) {
	t.Helper()
	ids := []eventstore.StreamID{newStream(), newStream(), newStream(), newStream()}
	for expect, events := range [][]eventstore.NewEvent{
		{created()}, {added("jam"), added("tea")}, {}, {confirmed()}, {cancelled("none")},
	} {
		if len(events) == 0 {
			continue
		}
		for _, id := range ids {
			all = append(all, mustAppend(t, s, id, expect, newCommand(), events...)...)
		}
	}
	return all
}

func checkTypes(t *testing.T, s eventstore.Store, all []eventstore.Record) {
	t.Helper()
	for _, eventType := range []string{typeCreated, typeAdded, typeConfirmed, typeCancelled, "", "OrderForgotten"} {
		want := newestFirst(ofType(all, eventType))
		for _, limit := range []int{1, 2, 3, 4, 5, 20, 21, 1000} {
			got := allPages(t, typePage(t.Context(), s, eventType), limit)
			checkRecords(t, fmt.Sprintf("type %q in pages of %d", eventType, limit), got, want)
		}
	}
}

func byType(t *testing.T, p Place) {
	s := p.Open(t, nil)
	checkTypes(t, s, nil)
	checkTypes(t, s, someStreams(t, s))
}

func byTypeFrozenClock(t *testing.T, p Place) {
	frozen := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	s := p.Open(t, func() time.Time { return frozen })
	checkTypes(t, s, someStreams(t, s))
}

func byTypeMeanwhile(t *testing.T, p Place) {
	s := p.Open(t, nil)
	want := newestFirst(someStreams(t, s))
	next := typePage(t.Context(), s, "")
	first, cursor, err := next("", 7)
	if err != nil {
		t.Fatal(err)
	}
	checkRecords(t, "the first page", first, want[:7])
	someStreams(t, s)
	rest := allPages(t, func(before eventstore.Cursor, limit int) ([]eventstore.Record, eventstore.Cursor, error) {
		return next(cmp.Or(before, cursor), limit)
	}, 5)
	checkRecords(t, "the other pages", rest, want[7:])
}

func byCorrelation(t *testing.T, p Place) {
	s := p.Open(t, nil)
	someStreams(t, s)
	var want []eventstore.Record
	for range 5 {
		m := newCommand()
		m.CorrelationID = "one “conversation”"
		want = append(want, mustAppend(t, s, newStream(), 0, m, created(), added("jam"))...)
	}
	someStreams(t, s)
	for _, limit := range []int{1, 3, 5, 10, 11} {
		got := allPages(t, correlationPage(t.Context(), s, "one “conversation”"), limit)
		checkRecords(t, fmt.Sprintf("pages of %d", limit), got, newestFirst(want))
	}
	if got := allPages(t, correlationPage(t.Context(), s, "one"), 5); len(got) != 0 {
		t.Errorf("a correlation id that nobody used has %d events", len(got))
	}
}

func heads(t *testing.T, p Place) {
	s := p.Open(t, nil)
	want := map[eventstore.StreamID]eventstore.Head{}
	var ids []eventstore.StreamID
	for n := range 4 {
		id := newStream()
		records := mustAppend(t, s, id, 0, newCommand(), addedTimes(n+1)...)
		want[id] = eventstore.Head{Stream: id, Version: n + 1, At: records[n].StoredAt}
		ids = append(ids, id, newStream(), id)
	}
	for range eventstore.MaxPage {
		ids = append(ids, newStream())
	}
	ids = append(ids, eventstore.StreamID{}, eventstore.StreamID{Category: order}, ids[0])
	ids = append(ids, eventstore.StreamID{Category: order, ID: "no uuid ' \" at \\ all"})
	given := slices.Clone(ids)
	checkHeads(t, s, want, ids...)
	if !slices.Equal(ids, given) {
		t.Error("the caller's list of ids was changed")
	}
	checkHeads(t, s, nil)
	checkHeads(t, s, nil, newStream())
	for id, head := range want {
		checkHeads(t, s, map[eventstore.StreamID]eventstore.Head{id: head}, id)
	}
}

func readMany(t *testing.T, p Place) {
	s := p.Open(t, nil)
	var after []eventstore.Head
	var want []eventstore.Record
	for n := range 5 {
		id := newStreamIn([]string{order, invoice}[n%2])
		mustAppend(t, s, id, 0, newCommand(), addedTimes(4)...)
		after = append(after, eventstore.Head{Stream: id, Version: n}, eventstore.Head{Stream: newStream()})
		want = append(want, mustRead(t, s, id)[n:]...)
	}
	last := want[len(want)-1].StoredAt
	historic := plantedAfter(last, newStream(), 1)
	historic[0].EventID, historic[0].SchemaVersion, historic[0].Metadata = "", 1, eventstore.Metadata{Timestamp: historic[0].StoredAt}
	p.Plant(t, historic...)
	after = append(after, eventstore.Head{Stream: historic[0].Stream}, after[0]) // one that is named twice is read twice
	want = append(want, mustRead(t, s, historic[0].Stream)...)
	want = append(want, want[:4]...)
	for limit, n := range map[int]int{0: len(want), len(want): len(want), len(want) + 1: len(want), 6: 6, 1: 1} {
		got, err := s.ReadMany(t.Context(), after, limit)
		if err != nil {
			t.Fatal(err)
		}
		checkRecords(t, fmt.Sprintf("with the limit %d", limit), got, want[:n])
	}
	if got, err := s.ReadMany(t.Context(), nil, 0); err != nil || len(got) != 0 {
		t.Errorf("no stream has no event: %v, %v", got, err)
	}
	full := newStream()
	p.Plant(t, plantedAfter(last.Add(time.Minute), full, eventstore.MaxPage+1)...)
	for _, limit := range []int{-1, 0, eventstore.MaxPage + 1} {
		if got, err := s.ReadMany(t.Context(), []eventstore.Head{{Stream: full}}, limit); err != nil || len(got) != eventstore.MaxPage {
			t.Errorf("with the limit %d it reads %d records, %v", limit, len(got), err)
		}
	}
}

func checkHeads(t *testing.T, s eventstore.Store, want map[eventstore.StreamID]eventstore.Head, ids ...eventstore.StreamID) {
	t.Helper()
	got, err := s.Heads(t.Context(), ids...)
	if err != nil {
		t.Fatal(err)
	}
	if difference := differHeads(got, want); difference != "" {
		t.Error(difference)
	}
}

// differHeads wants each head once.
func differHeads(got []eventstore.Head, want map[eventstore.StreamID]eventstore.Head) string {
	seen := map[eventstore.StreamID]bool{}
	for _, h := range got {
		w, ok := want[h.Stream]
		if !ok || seen[h.Stream] || h.Version != w.Version || !sameTime(h.At, w.At) {
			return "got the head " + asJSON(h) + ", want " + asJSON(w) + " once"
		}
		seen[h.Stream] = true
	}
	if len(got) != len(want) {
		return fmt.Sprintf("got %d heads, want %d", len(got), len(want))
	}
	return ""
}

func unknownEvents(t *testing.T, p Place) {
	s := p.Open(t, nil)
	before := mustAppend(t, s, newStream(), 0, newCommand(), created())
	id := newStream()
	m := newCommand()
	at := before[0].StoredAt
	data := []string{"{ \"price\" : 1.50,\n\t\"x\": \"\\u00e9é\", \"x\": 1e400 }", "null", "no JSON at all \x00\xff\xfe", " "}
	var want []eventstore.Record
	for i, d := range data {
		at = at.Add(time.Second)
		want = append(want, eventstore.Record{
			EventID: fmt.Sprintf("id %d", i), Stream: id, Version: i + 1, EventType: "OrderPainted", SchemaVersion: 99 + i,
			Data: []byte(d), StoredAt: at, Metadata: m,
		})
	}
	p.Plant(t, want...)
	checkRecords(t, "read", mustRead(t, s, id), want)
	checkRecords(t, "by its type", allPages(t, typePage(t.Context(), s, "OrderPainted"), 3), newestFirst(want))
	checkRecords(t, "by all types", allPages(t, typePage(t.Context(), s, ""), 3), newestFirst(append(want, before...)))
	checkRecords(t, "by correlation", allPages(t, correlationPage(t.Context(), s, m.CorrelationID), 3), newestFirst(want))
	head := map[eventstore.StreamID]eventstore.Head{id: {Stream: id, Version: 4, At: at}}
	checkHeads(t, s, head, id)
	checkMoves(t, s, map[eventstore.StreamID]int{id: 4, before[0].Stream: 1})
	if walked, _ := walkAll(t, s, 10); len(walked) != 2 {
		t.Errorf("the walk saw %v", walked)
	}
	want = append(want, mustAppend(t, s, id, 4, newCommand(), added("tea"))...) // the store has no opinion about what it keeps
	checkRecords(t, "read with what follows", mustRead(t, s, id), want)
}

func historicEvents(t *testing.T, p Place) {
	s := p.Open(t, nil)
	id := newStream()
	records := planted(id, 2)
	for i := range records {
		records[i].EventID, records[i].SchemaVersion, records[i].Metadata = "", 1, eventstore.Metadata{Timestamp: records[i].StoredAt}
	}
	records[0].EventType = typeCreated
	records[0].Data = []byte(`{"customerId":"ada","items":[{"sku":"tea","name":"Tea","quantity":2,"price":4.5}]}`)
	p.Plant(t, records...)
	for i := range records {
		records[i].EventID = eventstore.HistoricEventID(id.Key(), i+1)
	}
	checkRecords(t, "read", mustRead(t, s, id), records)
	checkRecords(t, "by type", allPages(t, typePage(t.Context(), s, ""), 1), newestFirst(records))
}

func boundsOfPage(t *testing.T, p Place) {
	s := p.Open(t, nil)
	const streams = eventstore.MaxPage + 5
	var records []eventstore.Record
	for i := range streams {
		r := planted(newStream(), 1)[0]
		r.StoredAt = r.StoredAt.Add(time.Duration(i) * time.Second)
		r.Metadata.CorrelationID = "many"
		records = append(records, r)
	}
	p.Plant(t, records...)
	for _, limit := range []int{-1, 0, eventstore.MaxPage, eventstore.MaxPage + 1, 1 << 40} {
		for name, next := range map[string]page{
			"by type": typePage(t.Context(), s, records[0].EventType), "all": typePage(t.Context(), s, ""),
			"by correlation": correlationPage(t.Context(), s, "many"),
		} {
			page, cursor, err := next("", limit)
			if err != nil || len(page) != eventstore.MaxPage || cursor == "" {
				t.Errorf("%s: a page of %d holds %d records, %v", name, limit, len(page), err)
			}
			if rest, cursor, err := next(cursor, limit); err != nil || len(rest) != 5 || cursor != "" {
				t.Errorf("%s: the second page of %d holds %d records, cursor %q, %v", name, limit, len(rest), cursor, err)
			}
		}
		if moved, _, err := s.Feed(t.Context(), order, eventstore.Whole, "",
			limit); err != nil || len(moved) == 0 || len(moved) > eventstore.MaxPage {
			t.Errorf("a page of the feed of %d holds %d heads, %v", limit, len(moved), err)
		}
		heads, cursor, total, err := s.Walk(t.Context(), order, "", limit)
		if err != nil || len(heads) > eventstore.MaxPage || cursor == "" || total != streams {
			t.Errorf("a page of the walk of %d holds %d of %d heads, cursor %q, %v", limit, len(heads), total, cursor, err)
		}
	}
}
