package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"headway/eventstore"
	"headway/fault"
)

func appendAndRead(t *testing.T, p Place) {
	now := time.Date(2024, 5, 6, 7, 8, 9, 123_456_000, time.UTC)
	s := p.Open(t, func() time.Time { return now })
	id, m := newStream(), newCommand()
	m.Timestamp = time.Date(2020, 1, 2, 3, 4, 5, 678_901_234, time.FixedZone("", 3600)) // is stored in UTC, in microseconds
	first := mustAppend(t, s, id, 0, m, created(), added("jam"), confirmed())

	m.Timestamp = time.Date(2020, 1, 2, 2, 4, 5, 678_901_000, time.UTC)
	var want []eventstore.Record
	for i, event := range []eventstore.NewEvent{created(), added("jam"), confirmed()} {
		r := eventstore.Record{
			EventID: eventstore.EventID(m.CausationID, i), Stream: id, Version: i + 1, EventType: event.Type,
			SchemaVersion: event.Schema, Data: event.Data, Metadata: m,
		}
		if i < len(first) {
			r.StoredAt = first[i].StoredAt // is the store's to say, within these bounds:
			if off := r.StoredAt.Sub(now); off < 0 || off > time.Millisecond {
				t.Errorf("event %d is stored %v off the clock", i, off)
			}
		}
		want = append(want, r)
	}
	checkRecords(t, "the answer of Append", first, want)
	want = append(want, mustAppend(t, s, id, 3, newCommand(), cancelled(`a “reason”\n`))...)
	for after := range 6 {
		got, err := s.Read(t.Context(), id, after)
		if err != nil {
			t.Fatal(err)
		}
		checkRecords(t, fmt.Sprintf("read after %d", after), got, want[min(after, len(want)):])
	}
	checkLength(t, s, newStream(), 0)
}

func conflicts(t *testing.T, p Place) {
	s := p.Open(t, nil)
	id := newStream()
	mustAppend(t, s, id, 0, newCommand(), created(), added("jam"))
	for _, expect := range []int{-1, 0, 1, 3, 1000} {
		_, err := s.Append(t.Context(), id, expect, newCommand(), added("tea"))
		checkConflict(t, err, 2)
	}
	checkLength(t, s, id, 2)

	missing := newStream()
	for _, expect := range []int{-1, 1, 7} {
		_, err := s.Append(t.Context(), missing, expect, newCommand(), added("tea"))
		checkConflict(t, err, 0)
	}
	checkLength(t, s, missing, 0)
	if heads, err := s.Heads(t.Context(), missing); err != nil || len(heads) != 0 {
		t.Errorf("a stream that only had conflicts has the heads %v, %v", heads, err)
	}
}

func writersAtOneVersion(writers int) func(t *testing.T, p Place) {
	return func(t *testing.T, p Place) {
		s := p.Open(t, nil)
		together(writers, func(int) { // so that every connection is open before it counts
			if _, err := s.Append(t.Context(), newStream(), 0, newCommand(), created()); err != nil {
				t.Errorf("warming up: %v", err)
			}
		})
		id := newStream()
		const rounds = 3
		for head := range rounds {
			event := added("tea")
			if head == 0 {
				event = created()
			}
			commands := make([]eventstore.Metadata, writers)
			for i := range commands {
				commands[i] = newCommand()
			}
			errs := make([]error, writers)
			together(writers, func(i int) {
				_, errs[i] = s.Append(t.Context(), id, head, commands[i], event)
			})
			winner := -1
			for i, err := range errs {
				switch {
				case err != nil:
					checkConflict(t, err, head+1)
				case winner >= 0:
					t.Errorf("the writers %d and %d both won version %d", winner, i, head+1)
				default:
					winner = i
				}
			}
			records := mustRead(t, s, id)
			if winner < 0 || len(records) != head+1 || records[head].Metadata.CausationID != commands[winner].CausationID {
				t.Fatalf("after round %d the stream holds %s, and the winner is %d", head+1, asJSON(records), winner)
			}
		}
	}
}

func crowd(t *testing.T, p Place) {
	const seed, rounds = 1, 6
	h := Crowd(t, seed, rounds, p.Open(t, nil), p.Open(t, nil))
	h.Check(t)
	all, conflicts, _ := h.Calls()
	t.Logf("seed %d: %d calls, %d conflicts", seed, all, conflicts)
}

func neighbours(t *testing.T, p Place) {
	s := p.Open(t, nil)
	old := newStream()
	mustAppend(t, s, old, 0, newCommand(), created())
	ended, cancel := context.WithCancel(t.Context())
	cancel()

	const commands = 64
	ids := make([]eventstore.StreamID, commands)
	for i := range ids {
		ids[i] = newStream()
	}
	together(commands, func(i int) {
		switch i % 4 {
		case 0, 1: // the good ones
			if _, err := s.Append(t.Context(), ids[i], 0, newCommand(), created(), added("jam")); err != nil {
				t.Errorf("a good command failed: %v", err)
			}
		case 2:
			_, err := s.Append(t.Context(), old, 0, newCommand(), created())
			checkConflict(t, err, 1)
		case 3:
			if _, err := s.Append(ended, ids[i], 0, newCommand(), created()); !errors.Is(err, context.Canceled) {
				t.Errorf("a command whose context had ended got %v", err)
			}
		}
	})
	for i, id := range ids {
		want := 0
		if i%4 < 2 {
			want = 2
		}
		checkLength(t, s, id, want)
	}
	checkLength(t, s, old, 1)
}

func allOrNone(t *testing.T, p Place) {
	s := p.Open(t, nil)
	id := newStream()
	large := cancelled(strings.Repeat("x", eventstore.MaxEventBytes))
	_, err := s.Append(t.Context(), id, 0, newCommand(), created(), added("jam"), large)
	checkKind(t, err, fault.TooLarge)
	checkLength(t, s, id, 0)

	const each, times = 7, 15
	var done atomic.Bool
	together(2, func(i int) {
		if i == 0 {
			defer done.Store(true)
			for n := range times {
				if _, err := s.Append(t.Context(), id, n*each, newCommand(), addedTimes(each)...); err != nil {
					t.Errorf("append %d: %v", n, err)
					return
				}
			}
			return
		}
		for !done.Load() {
			records, err := s.Read(t.Context(), id, 0)
			if err != nil || len(records)%each != 0 {
				t.Errorf("a reader saw %d events, %v; they are stored %d at a time", len(records), err, each)
				return
			}
		}
	})
	checkLength(t, s, id, each*times)
}

func sameCommandAtOnce(t *testing.T, p Place) {
	s, another := p.Open(t, nil), p.Open(t, nil)
	const times = 16
	id, m := newStream(), newCommand()
	answers := make([][]eventstore.Record, times)
	together(times, func(i int) {
		store := s
		if i%4 == 0 {
			store = another
		}
		var err error
		if answers[i], err = store.Append(t.Context(), id, 0, m, created(), added("jam")); err != nil {
			t.Errorf("repeat %d: %v", i, err)
		}
	})
	stored := mustRead(t, s, id)
	for _, got := range answers {
		checkRecords(t, "a repeat's answer", got, stored)
	}
	checkLength(t, s, id, 2)
}

func sameCommandLater(t *testing.T, p Place) {
	s := p.Open(t, nil)
	id, m := newStream(), newCommand()
	mustAppend(t, s, id, 0, newCommand(), created(), added("jam"))
	first := mustAppend(t, s, id, 2, m, added("tea"), added("oil"))
	mustAppend(t, s, id, 4, newCommand(), confirmed())

	check := func(s eventstore.Store) {
		t.Helper()
		for _, expect := range []int{0, 2, 3, 4, 6} { // 2 is the first attempt's; the head is 5
			checkRecords(t, "the repeat", mustAppend(t, s, id, expect, m, added("tea"), added("oil")), first)
		}
		checkLength(t, s, id, 5)
	}
	check(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check(p.Open(t, nil))
}

func otherContent(t *testing.T, p Place) {
	s := p.Open(t, nil)
	id, m := newStream(), newCommand()
	mustAppend(t, s, id, 0, m, created())
	different := m
	different.CommandHash = "another"
	_, err := s.Append(t.Context(), id, 0, different, created())
	checkField(t, err, fault.Invalid, "commandId")

	mustAppend(t, s, id, 1, newCommand(), added("jam"))
	for _, expect := range []int{0, 1, 2} {
		_, err = s.Append(t.Context(), id, expect, different, created())
		checkField(t, err, fault.Invalid, "commandId")
	}
	checkLength(t, s, id, 2)

	for _, elsewhere := range []eventstore.StreamID{newStream(), {Category: invoice, ID: id.ID}} { // a command id belongs to one stream
		_, err = s.Append(t.Context(), elsewhere, 0, m, created())
		checkField(t, err, fault.Invalid, "commandId")
		checkLength(t, s, elsewhere, 0)
	}
	stored, err := s.Append(t.Context(), id, 2, m, created()) // at the head, too, it finds its first result
	if err != nil {
		t.Fatal(err)
	}
	checkRecords(t, "a repeat at the head", stored, mustRead(t, s, id)[:1])
	checkLength(t, s, id, 2)
}

func abandonedCommand(t *testing.T, p Place) {
	s := p.Open(t, nil)
	const commands = 24
	together(commands, func(i int) {
		id, m := newStream(), newCommand()
		ctx, cancel := context.WithCancel(t.Context())
		go cancel() // sometimes before, sometimes while, sometimes after
		first, err := s.Append(ctx, id, 0, m, created(), added("jam"))
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("command %d: %v", i, err)
		}
		again, err2 := s.Append(t.Context(), id, 0, m, created(), added("jam"))
		stored, err3 := s.Read(t.Context(), id, 0)
		if err2 != nil || err3 != nil || len(stored) != 2 {
			t.Errorf("command %d: %d events stored, %v, %v", i, len(stored), err2, err3)
			return
		}
		checkRecords(t, "the repeat", again, stored)
		if err == nil {
			checkRecords(t, "the first answer", first, stored)
		}
	})
}

func boundsOfAppend(t *testing.T, p Place) {
	s := p.Open(t, nil)
	t.Run("event", func(t *testing.T) {
		id := newStream()
		room := eventstore.MaxEventBytes - len(cancelled("").Data)
		mustAppend(t, s, id, 0, newCommand(), cancelled(strings.Repeat("x", room)))
		_, err := s.Append(t.Context(), id, 1, newCommand(), cancelled(strings.Repeat("x", room+1)))
		checkKind(t, err, fault.TooLarge)
		checkLength(t, s, id, 1)
	})
	t.Run("command", func(t *testing.T) {
		id := newStream()
		mustAppend(t, s, id, 0, newCommand(), addedTimes(eventstore.MaxAppend)...)
		_, err := s.Append(t.Context(), id, eventstore.MaxAppend, newCommand(), addedTimes(eventstore.MaxAppend+1)...)
		checkKind(t, err, fault.TooLarge)
		_, err = s.Append(t.Context(), id, eventstore.MaxAppend, newCommand())
		checkKind(t, err, fault.Internal) // a command without events is a defect of the caller
		checkLength(t, s, id, eventstore.MaxAppend)
	})
	t.Run("stream", func(t *testing.T) {
		id := newStream()
		p.Plant(t, planted(id, eventstore.MaxStreamEvents-1)...)
		_, err := s.Append(t.Context(), id, eventstore.MaxStreamEvents-1, newCommand(), addedTimes(2)...)
		checkKind(t, err, fault.TooLarge)
		m := newCommand()
		want := mustAppend(t, s, id, eventstore.MaxStreamEvents-1, m, added("tea"))
		_, err = s.Append(t.Context(), id, eventstore.MaxStreamEvents, newCommand(), added("tea"))
		checkKind(t, err, fault.TooLarge)
		checkLength(t, s, id, eventstore.MaxStreamEvents)
		checkRecords(t, "a repeat in a full stream", mustAppend(t, s, id, eventstore.MaxStreamEvents-1, m, added("tea")), want)
	})
}

// planted is a stream of small events, as if it had been there for long.
func planted(id eventstore.StreamID, events int) []eventstore.Record {
	records := make([]eventstore.Record, events)
	start := time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range records {
		m := newCommand()
		at := start.Add(time.Duration(i) * time.Second)
		m.Timestamp = at
		records[i] = eventstore.Record{
			EventID: eventstore.EventID(m.CausationID, 0), Stream: id, Version: i + 1, EventType: typeConfirmed,
			SchemaVersion: schema, Data: []byte(`{}`), StoredAt: at, Metadata: m,
		}
	}
	return records
}

// plantedAfter is the same, stored after a time.
func plantedAfter(last time.Time, id eventstore.StreamID, events int) []eventstore.Record {
	records := planted(id, events)
	for i := range records {
		records[i].StoredAt = last.Add(time.Duration(i+1) * time.Second)
	}
	return records
}

func storedAt(t *testing.T, p Place) {
	now := time.Date(2024, 5, 6, 7, 8, 9, 123_456_789, time.UTC)
	s := p.Open(t, func() time.Time { return now })
	behind := p.Open(t, func() time.Time { return now.Add(-time.Hour) })
	id := newStream()
	last := time.Time{}
	for i, step := range []time.Duration{0, 0, time.Second, -time.Minute, 0, time.Nanosecond, time.Hour} {
		now = now.Add(step)
		store := s
		if i%2 == 1 {
			store = behind
		}
		for _, r := range mustAppend(t, store, id, 2*i, newCommand(), added("tea"), added("jam")) {
			if !r.StoredAt.After(last) || !sameTime(r.StoredAt, r.StoredAt) {
				t.Errorf("version %d is stored at %v, not after %v in whole microseconds of UTC", r.Version, r.StoredAt, last)
			}
			last = r.StoredAt
		}
	}
	if ahead := now.Sub(last); ahead > time.Millisecond || ahead < -time.Millisecond {
		t.Errorf("once the clock is ahead again, StoredAt is the clock's, not %v away", ahead)
	}
	records := mustRead(t, s, id)
	for i, r := range records[1:] {
		if !r.StoredAt.After(records[i].StoredAt) {
			t.Errorf("version %d is read as stored at %v, not after %v", r.Version, r.StoredAt, records[i].StoredAt)
		}
	}
}

func memory(t *testing.T, p Place) {
	s := p.Open(t, nil)
	id, m := newStream(), newCommand()
	event := created()
	answer := mustAppend(t, s, id, 0, m, event)
	want := string(answer[0].Data)
	clear(event.Data)
	scribble := func(records []eventstore.Record, err error) {
		t.Helper()
		if err != nil || len(records) != 1 || string(records[0].Data) != want {
			t.Fatalf("got %s, %v, want the data %s", asJSON(records), err, want)
		}
		clear(records[0].Data)
		records[0].Version = 99
	}
	scribble(answer, nil)
	for range 2 {
		scribble(s.Read(t.Context(), id, 0))
		scribble(s.Append(t.Context(), id, 5, m, created()))
		records, _, err := s.ByType(t.Context(), order, "", "", 9)
		scribble(records, err)
		records, _, err = s.ByCorrelation(t.Context(), order, m.CorrelationID, "", 9)
		scribble(records, err)
		heads, err := s.Heads(t.Context(), id)
		if err != nil || len(heads) != 1 || heads[0].Version != 1 {
			t.Fatalf("got the heads %v, %v", heads, err)
		}
		heads[0].Version = 99
	}
}
