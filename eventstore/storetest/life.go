package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"headway/eventstore"
	"headway/fault"
)

// everyMethod calls each method of a store once, on a stream that exists.
func everyMethod(ctx context.Context, s Store, id eventstore.StreamID, expect int) map[string]error {
	errs := map[string]error{}
	_, errs["Append"] = s.Append(ctx, id, expect, newCommand(), added("tea"))
	_, errs["Read"] = s.Read(ctx, id, 0)
	_, errs["ReadMany"] = s.ReadMany(ctx, []eventstore.Head{{Stream: id}}, 5)
	_, errs["Heads"] = s.Heads(ctx, id)
	_, _, errs["Feed"] = s.Feed(ctx, order, eventstore.Whole, "", 5)
	_, _, _, errs["Walk"] = s.Walk(ctx, order, "", 5)
	_, _, errs["ByType"] = s.ByType(ctx, order, typeCreated, "", 5)
	_, _, errs["ByType of all"] = s.ByType(ctx, order, "", "", 5)
	_, _, errs["ByCorrelation"] = s.ByCorrelation(ctx, order, "x", "", 5)
	_, errs["LoadSnapshot"] = s.LoadSnapshot(ctx, id)
	errs["SaveSnapshot"] = s.SaveSnapshot(ctx, eventstore.Snapshot{Stream: id, Version: expect, Data: []byte("x")}, 0)
	return errs
}

func reopen(t *testing.T, p Place) {
	s := p.Open(t, nil)
	all := someStreams(t, s)
	if err := s.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	for method, err := range everyMethod(t.Context(), s, all[0].Stream, 5) {
		if checkKind(t, err, fault.Unavailable).Kind != fault.Unavailable {
			t.Errorf("%s of a closed store", method)
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("the second close: %v", err)
	}
	s = p.Open(t, nil)
	checkRecords(t, "after a restart", allPages(t, typePage(t.Context(), s, ""), 1000), newestFirst(all))
	for method, err := range everyMethod(t.Context(), s, all[0].Stream, 5) {
		if err != nil {
			t.Errorf("%s after a restart: %v", method, err)
		}
	}
}

func closeDrains(t *testing.T, p Place) {
	s := p.Open(t, nil)
	const commands = 48
	ids := make([]eventstore.StreamID, commands)
	metas := make([]eventstore.Metadata, commands)
	for i := range ids {
		ids[i], metas[i] = newStream(), newCommand()
	}
	errs := make([]error, commands)
	var answered atomic.Int32
	together(commands+1, func(i int) {
		if i == commands {
			for answered.Load() < commands/8 { // in the middle of it
				time.Sleep(10 * time.Microsecond)
			}
			if err := s.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			return
		}
		_, errs[i] = s.Append(context.Background(), ids[i], 0, metas[i], created(), added("jam"))
		answered.Add(1)
	})
	s = p.Open(t, nil)
	for i, err := range errs {
		if err == nil {
			checkLength(t, s, ids[i], 2)
			continue
		}
		checkKind(t, err, fault.Unavailable)
		mustAppend(t, s, ids[i], 0, metas[i], created(), added("jam"))
		checkLength(t, s, ids[i], 2)
	}
}

func secondProcess(t *testing.T, p Place) {
	a, b := p.Open(t, nil), p.Open(t, nil)
	id, second, m := newStream(), newStream(), newCommand()
	want := mustAppend(t, a, id, 0, m, created())
	checkRecords(t, "the other's repeat", mustAppend(t, b, id, 7, m, created()), want)
	cursor := follow(t, a, "", 5, map[eventstore.StreamID]int{id: 1})

	want = append(want, mustAppend(t, b, id, 1, newCommand(), added("jam"))...)
	foreign := mustAppend(t, b, second, 0, newCommand(), created())
	checkRecords(t, "read", mustRead(t, a, id), want)
	_, err := a.Append(t.Context(), id, 1, newCommand(), added("tea"))
	checkConflict(t, err, 2)
	checkHeads(t, a, map[eventstore.StreamID]eventstore.Head{
		id:     {Stream: id, Version: 2, At: want[1].StoredAt},
		second: {Stream: second, Version: 1, At: foreign[0].StoredAt},
	}, id, second)
	follow(t, a, cursor, 5, map[eventstore.StreamID]int{id: 2, second: 1})
	checkRecords(t, "by type", allPages(t, typePage(t.Context(), a, ""), 2), newestFirst(append(want, foreign...)))
	if heads, total := walkAll(t, a, 5); total != 2 || heads[id].Version != 2 {
		t.Errorf("the walk saw %v of %d", heads, total)
	}

	together(8, func(i int) { // and both at once
		store := a
		if i%2 == 0 {
			store = b
		}
		id := newStream()
		for n := range 10 {
			if _, err := store.Append(t.Context(), id, n, newCommand(), added("tea")); err != nil {
				t.Errorf("writer %d: %v", i, err)
			}
		}
	})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, a, id, 2, newCommand(), added("tea"))
}

func cursors(t *testing.T, p Place) {
	s := p.Open(t, nil)
	someStreams(t, s)
	_, fed, err1 := s.Feed(t.Context(), order, eventstore.Whole, "", 2)
	_, walked, _, err2 := s.Walk(t.Context(), order, "", 2)
	_, typed, err3 := s.ByType(t.Context(), order, "", "", 2)
	if err := errors.Join(err1, err2, err3); err != nil || fed == "" || walked == "" || typed == "" {
		t.Fatalf("the cursors %q, %q, %q, %v", fed, walked, typed, err)
	}
	bad := []eventstore.Cursor{"x", "0", "-1", " ", "\x00", "%", "99999999999999999999", "f1.", "' OR 1=1 --", "ünlesbar", "null", "{}",
		"f1.+1", "f1.01", "t1.+1", "t1.01", "c1.-1", "w1.1.2", "w1.1.2.3.4", "w1.3.2.1", "w1.01.2.3", "w1.1.2.-3"}
	for _, c := range []eventstore.Cursor{fed, walked, typed} {
		bad = append(bad, c+"0x", c+".", " "+c, c+" ", "x"+c, c[:1])
	}
	for name, try := range map[string]struct {
		call func(eventstore.Cursor) error
		also []eventstore.Cursor // of another listing
	}{
		"Feed": {func(c eventstore.Cursor) error {
			_, _, err := s.Feed(t.Context(), order, eventstore.Whole, c, 2)
			return err
		}, []eventstore.Cursor{walked, typed}},
		"Walk": {func(c eventstore.Cursor) error { _, _, _, err := s.Walk(t.Context(), order, c, 2); return err },
			[]eventstore.Cursor{fed, typed}},
		"ByType": {func(c eventstore.Cursor) error { _, _, err := s.ByType(t.Context(), order, "", c, 2); return err },
			[]eventstore.Cursor{fed, walked}},
		"ByCorrelation": {func(c eventstore.Cursor) error {
			_, _, err := s.ByCorrelation(t.Context(), order, "x", c, 2)
			return err
		},
			[]eventstore.Cursor{fed, walked}},
	} {
		for _, c := range append(try.also, bad...) {
			t.Run(fmt.Sprintf("%s/%q", name, c), func(t *testing.T) {
				checkField(t, try.call(c), fault.Malformed, "cursor")
			})
		}
	}
}

func endedContext(t *testing.T, p Place) {
	s := p.Open(t, nil)
	all := someStreams(t, s)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	for ctx, want := range map[context.Context]error{cancelled: context.Canceled, late: context.DeadlineExceeded} {
		for method, err := range everyMethod(ctx, s, all[0].Stream, 5) {
			if !errors.Is(err, want) {
				t.Errorf("%s got %v, want %v", method, err, want)
			}
		}
	}
	checkLength(t, s, all[0].Stream, 5)
}
