package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"headway/eventstore"
	"headway/fault"
)

// memoryStore is what a store should look like from outside: streams of records, and the commands that made them.
type memoryStore struct {
	streams  map[eventstore.StreamID][]eventstore.Record
	made     []eventstore.StreamID // in the order of their creation
	commands []sentCommand
}

type sentCommand struct {
	id     eventstore.StreamID
	expect int
	m      eventstore.Metadata
	events []eventstore.NewEvent
	stored []eventstore.Record
}

// all records, newest first.
func (m memoryStore) all(keep func(eventstore.Record) bool) []eventstore.Record {
	var all []eventstore.Record
	for _, stream := range m.streams {
		for _, r := range stream {
			if keep(r) {
				all = append(all, r)
			}
		}
	}
	return newestFirst(all)
}

// madeIn are the streams of a category.
func (m memoryStore) madeIn(category string) []eventstore.StreamID {
	return slices.DeleteFunc(slices.Clone(m.made), func(id eventstore.StreamID) bool { return id.Category != category })
}

func (m memoryStore) heads(ids []eventstore.StreamID) map[eventstore.StreamID]eventstore.Head {
	heads := map[eventstore.StreamID]eventstore.Head{}
	for _, id := range ids {
		if stream := m.streams[id]; len(stream) > 0 {
			last := stream[len(stream)-1]
			heads[id] = eventstore.Head{Stream: id, Version: last.Version, At: last.StoredAt}
		}
	}
	return heads
}

// model does what comes to rapid's mind to the store and to the slices, and compares. Two handles share the storage; either may be closed
// and opened again, and the clock goes where it wants.
func model(t *testing.T, newPlace func(t *testing.T) Place) {
	rapid.Check(t, func(r *rapid.T) {
		place := newPlace(t)
		now := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
		clock := func() time.Time { return now }
		handles := []Store{place.Open(t, clock), place.Open(t, clock)}
		defer func() {
			for _, s := range handles {
				if err := s.Close(); err != nil {
					r.Fatalf("close: %v", err)
				}
			}
		}()
		m := memoryStore{streams: map[eventstore.StreamID][]eventstore.Record{}}
		fed := map[string]eventstore.Cursor{} // by category
		moved := map[eventstore.StreamID]int{}

		some := func(r *rapid.T) Store { return handles[rapid.IntRange(0, 1).Draw(r, "handle")] }
		aCategory := func(r *rapid.T) string { return rapid.SampledFrom([]string{order, invoice}).Draw(r, "category") }
		aStream := func(r *rapid.T) eventstore.StreamID {
			if len(m.made) == 0 {
				r.Skip("there is no stream")
			}
			return rapid.SampledFrom(m.made).Draw(r, "stream")
		}
		send := func(r *rapid.T, id eventstore.StreamID, expect int) {
			c := sentCommand{id: id, expect: expect, m: newCommand(), events: addedTimes(rapid.IntRange(1, 4).Draw(r, "events"))}
			c.m.CorrelationID = rapid.SampledFrom([]string{"a", "b"}).Draw(r, "correlation")
			records, err := some(r).Append(t.Context(), id, expect, c.m, c.events...)
			stream := m.streams[id]
			if expect != len(stream) {
				if e, ok := errors.AsType[*fault.Error](err); !ok || e.Kind != fault.Conflict || e.Head != len(stream) {
					r.Fatalf("expecting %d of %d got %v", expect, len(stream), err)
				}
				return
			}
			if err != nil || len(records) != len(c.events) {
				r.Fatalf("append got %d records, %v", len(records), err)
			}
			for i, got := range records {
				if got.Version != expect+i+1 || (len(stream) > 0 && !got.StoredAt.After(stream[len(stream)-1].StoredAt)) {
					r.Fatalf("append got the record %s after %d", asJSON(got), len(stream))
				}
				stream = append(stream, got)
			}
			if len(m.streams[id]) == 0 {
				m.made = append(m.made, id)
			}
			m.streams[id], c.stored = stream, records
			m.commands = append(m.commands, c)
		}
		compare := func(r *rapid.T, got, want []eventstore.Record, err error) {
			if err != nil {
				r.Fatal(err)
			}
			if difference := differ(got, want); difference != "" {
				r.Fatal(difference)
			}
		}

		r.Repeat(map[string]func(*rapid.T){
			"create": func(r *rapid.T) { send(r, newStreamIn(aCategory(r)), 0) },
			"create the other category's": func(r *rapid.T) {
				id := aStream(r)
				id.Category = aCategory(r)
				send(r, id, 0)
			},
			"append": func(r *rapid.T) {
				id := aStream(r)
				send(r, id, len(m.streams[id]))
			},
			"append at another version": func(r *rapid.T) { send(r, aStream(r), rapid.IntRange(-1, 12).Draw(r, "expect")) },
			"repeat": func(r *rapid.T) {
				if len(m.commands) == 0 {
					r.Skip("there is no command")
				}
				c := rapid.SampledFrom(m.commands).Draw(r, "command")
				expect := rapid.SampledFrom([]int{c.expect, 0, 100}).Draw(r, "expect") // never the head
				metadata, other := c.m, rapid.Bool().Draw(r, "other content")
				if other {
					metadata.CommandHash = "another"
				}
				records, err := some(r).Append(t.Context(), c.id, expect, metadata, c.events...)
				if other {
					if fault.KindOf(err) != fault.Invalid {
						r.Fatalf("other content got %v", err)
					}
					return
				}
				compare(r, records, c.stored, err)
			},
			"plant": func(r *rapid.T) {
				last := time.Time{}
				for _, record := range m.all(func(eventstore.Record) bool { return true }) {
					last = record.StoredAt
					break
				}
				id := aStream(r)
				record := planted(id, 1)[0]
				record.Version, record.StoredAt = len(m.streams[id])+1, last.Add(time.Microsecond)
				record.EventType, record.Data = "OrderPainted", rapid.SliceOfN(rapid.Byte(), 1, 9).Draw(r, "data")
				place.Plant(t, record)
				m.streams[id] = append(m.streams[id], record)
			},
			"read": func(r *rapid.T) {
				id, after := aStream(r), rapid.IntRange(0, 9).Draw(r, "after")
				records, err := some(r).Read(t.Context(), id, after)
				stream := m.streams[id]
				compare(r, records, stream[min(after, len(stream)):], err)
			},
			"heads": func(r *rapid.T) {
				none := eventstore.StreamID{Category: order, ID: "none"}
				ids := append(rapid.SliceOfN(rapid.SampledFrom(append(m.made, none)), 0, 5).Draw(r, "ids"), newStream())
				got, err := some(r).Heads(t.Context(), ids...)
				if err != nil {
					r.Fatal(err)
				}
				if difference := differHeads(got, m.heads(ids)); difference != "" {
					r.Fatal(difference)
				}
			},
			"walk": func(r *rapid.T) {
				s, category, limit := some(r), aCategory(r), rapid.IntRange(1, 4).Draw(r, "limit")
				want := m.heads(m.madeIn(category))
				var all []eventstore.Head
				var after eventstore.Cursor
				for more := true; more; more = after != "" {
					heads, next, total, err := s.Walk(t.Context(), category, after, limit)
					if err != nil || total != len(want) {
						r.Fatalf("the walk counts %d of %d, %v", total, len(want), err)
					}
					all, after = append(all, heads...), next
				}
				if difference := differHeads(all, want); difference != "" {
					r.Fatal(difference)
				}
			},
			"list": func(r *rapid.T) {
				s, category, limit := some(r), aCategory(r), rapid.IntRange(1, 9).Draw(r, "limit")
				next, keep := typePageIn(t.Context(), s, category, ""), func(eventstore.Record) bool { return true }
				switch which := rapid.SampledFrom([]string{"", typeAdded, "OrderPainted", "a"}).Draw(r, "which"); which {
				case "":
				case "a":
					next = correlationPageIn(t.Context(), s, category, which)
					keep = func(record eventstore.Record) bool { return record.Metadata.CorrelationID == which }
				default:
					next = typePageIn(t.Context(), s, category, which)
					keep = func(record eventstore.Record) bool { return record.EventType == which }
				}
				compare(r, allPages(t, next, limit), m.all(func(r eventstore.Record) bool { return r.Stream.Category == category && keep(r) }), nil)
			},
			"read many": func(r *rapid.T) {
				var after []eventstore.Head
				var want []eventstore.Record
				for range rapid.IntRange(0, 4).Draw(r, "streams") {
					id, version := aStream(r), rapid.IntRange(0, 5).Draw(r, "after")
					after = append(after, eventstore.Head{Stream: id, Version: version})
					want = append(want, m.streams[id][min(version, len(m.streams[id])):]...)
				}
				limit := rapid.IntRange(1, 20).Draw(r, "limit")
				records, err := some(r).ReadMany(t.Context(), after, limit)
				compare(r, records, want[:min(limit, len(want))], err)
			},
			"follow": func(r *rapid.T) {
				category := aCategory(r)
				heads, next, err := some(r).Feed(t.Context(), category, eventstore.Whole, fed[category], rapid.IntRange(1, 5).Draw(r, "limit"))
				if err != nil || next == "" {
					r.Fatalf("the feed: cursor %q, %v", next, err)
				}
				for _, h := range heads {
					if h.Version < 1 || h.Version > len(m.streams[h.Stream]) || h.Stream.Category != category {
						r.Fatalf("the feed of %s names %s, which has %d versions", category, asJSON(h), len(m.streams[h.Stream]))
					}
					moved[h.Stream] = max(moved[h.Stream], h.Version)
				}
				fed[category] = next
			},
			"clock": func(r *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(-3, 6).Draw(r, "microseconds")) * time.Microsecond)
			},
			"restart": func(r *rapid.T) {
				i := rapid.IntRange(0, 1).Draw(r, "handle")
				if err := handles[i].Close(); err != nil {
					r.Fatal(err)
				}
				handles[i] = place.Open(t, clock)
			},
		})

		for _, category := range []string{order, invoice} {
			want := map[eventstore.StreamID]int{} // what the feed has not named yet, it names now
			for id, head := range m.heads(m.madeIn(category)) {
				if moved[id] < head.Version {
					want[id] = head.Version
				}
			}
			followPart(t, handles[0], category, eventstore.Whole, fed[category], 5, want)
		}
	})
}
