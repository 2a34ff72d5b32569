package storetest

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"headway/eventstore"
	"headway/fault"
)

// twins are two categories whose names have one checksum (CRC-32), by which an engine may divide them.
const (
	twin      = "fpmdwkayuu"
	otherTwin = "vjjzhzvlvp"
)

// categories has streams of four categories in one log, with the same ids, types and correlation.
func categories(t *testing.T, p Place) {
	s := p.Open(t, nil)
	all := map[string][]eventstore.Record{order: nil, invoice: nil, twin: nil, otherTwin: nil, "nobodys": nil}
	var ids []string
	for n := range 6 {
		ids = append(ids, uuid.NewString())
		for i, category := range []string{order, invoice, twin, otherTwin} {
			if n < i {
				continue // not every category has every id
			}
			m := newCommand()
			m.CorrelationID = "one conversation"
			id := eventstore.StreamID{Category: category, ID: ids[n]}
			all[category] = append(all[category], mustAppend(t, s, id, 0, m, added(category), confirmed())...)
			all[category] = append(all[category], mustAppend(t, s, id, 2, newCommand(), addedTimes(i+1)...)...)
		}
	}
	s = p.Open(t, nil) // one that remembers nothing
	var after []eventstore.Head
	var whole []eventstore.Record
	everywhere := map[eventstore.StreamID]eventstore.Head{}
	for category, records := range all {
		heads, versions := map[eventstore.StreamID]eventstore.Head{}, map[eventstore.StreamID]int{}
		for _, id := range ids {
			stream := eventstore.StreamID{Category: category, ID: id}
			own := slices.DeleteFunc(slices.Clone(records), func(r eventstore.Record) bool { return r.Stream != stream })
			checkRecords(t, "the stream "+stream.String(), mustRead(t, s, stream), own)
			after, whole = append(after, eventstore.Head{Stream: stream}), append(whole, own...)
			if len(own) > 0 {
				last := own[len(own)-1]
				heads[stream], versions[stream] = eventstore.Head{Stream: stream, Version: last.Version, At: last.StoredAt}, last.Version
			}
		}
		maps.Copy(everywhere, heads)
		checkCategory(t, s, category, records, heads)
		if named, _ := followPart(t, s, category, eventstore.Whole, "", 3, versions); !maps.Equal(named, versions) {
			t.Errorf("the feed of %s names %v, want %v", category, named, versions)
		}
	}
	got, err := s.ReadMany(t.Context(), after, 0)
	if err != nil {
		t.Fatal(err)
	}
	checkRecords(t, "many streams of all categories", got, whole)
	var streams []eventstore.StreamID
	for _, h := range after {
		streams = append(streams, h.Stream)
	}
	checkHeads(t, s, everywhere, streams...)
	checkBeside(t, s, streams)
}

// checkCategory wants the walk and the listings of a category to have its records, and no others.
func checkCategory(
	t *testing.T, s eventstore.Store, category string, records []eventstore.Record, heads map[eventstore.StreamID]eventstore.Head,
) {
	t.Helper()
	for _, limit := range []int{2, 1000} {
		walked, total := walkIn(t, s, category, limit)
		if difference := differHeads(slices.Collect(maps.Values(walked)), heads); difference != "" || total != len(heads) {
			t.Errorf("the walk over %s: total %d, %s", category, total, difference)
		}
		for _, eventType := range []string{"", typeAdded, typeConfirmed, typeCreated} {
			got := allPages(t, typePageIn(t.Context(), s, category, eventType), limit)
			checkRecords(t, "the type "+eventType+" in "+category, got, newestFirst(ofType(records, eventType)))
		}
		related := slices.DeleteFunc(slices.Clone(records), func(r eventstore.Record) bool {
			return r.Metadata.CorrelationID != "one conversation"
		})
		got := allPages(t, correlationPageIn(t.Context(), s, category, "one conversation"), limit)
		checkRecords(t, "the correlation in "+category, got, newestFirst(related))
	}
}

// checkBeside wants a snapshot of each stream to leave those of the others as they are.
func checkBeside(t *testing.T, s Store, streams []eventstore.StreamID) {
	t.Helper()
	for _, id := range streams {
		if err := s.SaveSnapshot(t.Context(), eventstore.Snapshot{Stream: id, Version: 1, Data: []byte(id.String())}, 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range streams {
		checkSnapshot(t, s, id, eventstore.Snapshot{Stream: id, Version: 1, Data: []byte(id.String())})
	}
}

// lookalikes has ids, types and correlations of the first category that begin as the stored names of another do.
func lookalikes(t *testing.T, p Place) {
	s := p.Open(t, nil)
	m, like := newCommand(), newCommand()
	m.CorrelationID, like.CorrelationID = "a", invoice+"#a"
	id := newStreamIn(invoice)
	mine := mustAppend(t, s, id, 0, m, newEvent("A", `{}`))
	theirs := mustAppend(t, s, newStream(), 0, like, newEvent(invoice+"#A", `{}`))
	for category, want := range map[string][]eventstore.Record{invoice: mine, order: theirs} {
		for _, eventType := range []string{"A", invoice + "#A"} {
			got := allPages(t, typePageIn(t.Context(), s, category, eventType), 1)
			checkRecords(t, category+"s of the type "+eventType, got, ofType(want, eventType))
			related := slices.DeleteFunc(slices.Clone(want), func(r eventstore.Record) bool {
				return r.Metadata.CorrelationID != strings.ToLower(eventType)
			})
			got = allPages(t, correlationPageIn(t.Context(), s, category, strings.ToLower(eventType)), 1)
			checkRecords(t, category+"s of the correlation "+strings.ToLower(eventType), got, related)
		}
	}

	same := eventstore.StreamID{Category: order, ID: id.Key()}
	for _, expect := range []int{0, 1} {
		_, err := s.Append(t.Context(), same, expect, newCommand(), created())
		checkKind(t, err, fault.Internal)
	}
	checkLength(t, s, same, 0)
	checkHeads(t, s, nil, same)
	checkHeads(t, s, map[eventstore.StreamID]eventstore.Head{id: {Stream: id, Version: 1, At: mine[0].StoredAt}}, same, id)
	if got, err := s.ReadMany(t.Context(), []eventstore.Head{{Stream: same}}, 0); err != nil || len(got) != 0 {
		t.Errorf("as an order it is read as %s, %v", asJSON(got), err)
	}
	checkRecords(t, "the true one", mustRead(t, s, id), mine)
}

func names(t *testing.T, p Place) {
	s := p.Open(t, nil)
	var want int
	for _, category := range []string{"a", "a-b-", "order", "orders", strings.Repeat("z", 32)} {
		mustAppend(t, s, newStreamIn(category), 0, newCommand(), created())
		want++
	}
	wrong := []eventstore.StreamID{{}, {Category: order}, {Category: invoice}, {ID: "x"}}
	for _, category := range []string{
		"-", "-a", "A", "Order", "aB", "a1", "1", "a b", "a#", "#a", "a_b", "ä", "a\n", "\na", strings.Repeat("z", 33),
	} {
		wrong = append(wrong, newStreamIn(category))
	}
	for _, id := range wrong {
		_, err := s.Append(t.Context(), id, 0, newCommand(), created())
		checkKind(t, err, fault.Internal) // a defect of the caller
		checkLength(t, s, id, 0)
	}
	checkHeads(t, s, nil, wrong...)
}

// parts follows the same feed as a whole and in parts: what was there before, and what moves then.
func parts(t *testing.T, p Place) {
	s := p.Open(t, nil)
	all := map[eventstore.StreamID]int{}
	var ids []eventstore.StreamID
	for n := range 40 {
		id := newStreamIn([]string{order, invoice}[n%2])
		mustAppend(t, s, id, 0, newCommand(), created(), confirmed())
		all[id] = 2
		ids = append(ids, id)
	}
	moved := ids
	wanted := func(category string, part eventstore.Part) map[eventstore.StreamID]int {
		want := map[eventstore.StreamID]int{}
		for _, id := range moved {
			if id.Category == category && part.Has(eventstore.SliceOf(id)) {
				want[id] = all[id]
			}
		}
		return want
	}
	type follower struct {
		category string
		part     eventstore.Part
	}
	cursors := map[follower]eventstore.Cursor{}
	for _, category := range []string{order, invoice} {
		for _, n := range []int{1, 2, 3, 16} {
			for i := range n {
				cursors[follower{category, eventstore.Part{Index: i, Of: n}}] = ""
			}
		}
	}
	for round := range 2 {
		named := map[string]map[int][]eventstore.StreamID{order: {}, invoice: {}} // by the number of parts
		for f, after := range cursors {
			want := wanted(f.category, f.part)
			got, cursor := followPart(t, s, f.category, f.part, after, 3, want)
			cursors[f] = cursor
			for id, version := range got {
				if version > all[id] {
					t.Errorf("round %d: %s is named at version %d", round, id, version)
				}
				named[f.category][f.part.Of] = append(named[f.category][f.part.Of], id)
			}
		}
		for category, byNumber := range named {
			want := slices.SortedFunc(maps.Keys(wanted(category, eventstore.Whole)), byKey)
			for n, got := range byNumber {
				slices.SortFunc(got, byKey)
				got = slices.DeleteFunc(got, func(id eventstore.StreamID) bool { return !slices.Contains(moved, id) }) // a move may be named again
				if !slices.Equal(got, want) {
					t.Errorf("round %d: the %d parts of the feed of %s name %v, want each of %v once", round, n, category, got, want)
				}
			}
		}
		moved = ids[:20]
		for _, id := range moved {
			mustAppend(t, s, id, all[id], newCommand(), added("tea"))
			all[id]++
		}
	}
}
