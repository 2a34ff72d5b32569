package storetest

import (
	"errors"
	"testing"

	"headway/eventstore"
	"headway/fault"
)

// places are cursors of every listing, somewhere in the middle.
type places struct{ fed, walked, typed, related eventstore.Cursor }

func placesIn(t *testing.T, s eventstore.Store) (c places) {
	t.Helper()
	var errs [4]error
	_, c.fed, errs[0] = s.Feed(t.Context(), order, eventstore.Whole, "", 2)
	_, c.walked, _, errs[1] = s.Walk(t.Context(), order, "", 2)
	_, c.typed, errs[2] = s.ByType(t.Context(), order, "", "", 2)
	_, c.related, errs[3] = s.ByCorrelation(t.Context(), order, "one conversation", "", 2)
	if err := errors.Join(errs[:]...); err != nil || c.fed == "" || c.walked == "" || c.typed == "" || c.related == "" {
		t.Fatalf("the cursors %+v, %v", c, err)
	}
	return c
}

// errorsAt are the errors of the listings that go on at such places.
func errorsAt(t *testing.T, s eventstore.Store, c places) map[string]error {
	t.Helper()
	errs := map[string]error{}
	_, _, errs["Feed"] = s.Feed(t.Context(), order, eventstore.Whole, c.fed, 2)
	_, _, _, errs["Walk"] = s.Walk(t.Context(), order, c.walked, 2)
	_, _, errs["ByType"] = s.ByType(t.Context(), order, "", c.typed, 2)
	_, _, errs["ByType of one"] = s.ByType(t.Context(), order, typeAdded, c.typed, 2)
	_, _, errs["ByCorrelation"] = s.ByCorrelation(t.Context(), order, "one conversation", c.related, 2)
	return errs
}

// checkOtherLog wants the error of a cursor of another log.
func checkOtherLog(t *testing.T, what string, err error) {
	t.Helper()
	checkField(t, err, fault.Malformed, "cursor")
	if !errors.Is(err, eventstore.ErrOtherLog) {
		t.Errorf("%s: got %v, want that the cursor is of another log", what, err)
	}
}

// related are some streams whose events share a correlation.
func related(t *testing.T, s eventstore.Store) map[eventstore.StreamID]int {
	t.Helper()
	versions := map[eventstore.StreamID]int{}
	for range 3 {
		id, m := newStream(), newCommand()
		m.CorrelationID = "one conversation"
		mustAppend(t, s, id, 0, m, created(), added("tea"))
		versions[id] = 2
	}
	return versions
}

func otherLog(t *testing.T, p, another Place) {
	logs := []Store{p.Open(t, nil), another.Open(t, nil)}
	var at []places
	for _, s := range logs {
		related(t, s)
		at = append(at, placesIn(t, s))
	}
	for i, c := range at {
		for method, err := range errorsAt(t, logs[1-i], c) {
			checkOtherLog(t, method, err)
		}
		for method, err := range errorsAt(t, []Place{p, another}[i].Open(t, nil), c) {
			if err != nil {
				t.Errorf("%s in the cursor's own log got %v", method, err)
			}
		}
	}
	_, empty, err := p.Copy(t).Open(t, nil).Feed(t.Context(), "nobodys", eventstore.Whole, "", 2) // where nothing was passed, too
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = logs[1].Feed(t.Context(), "nobodys", eventstore.Whole, empty, 2)
	checkOtherLog(t, "Feed of nothing", err)
}

func putBack(t *testing.T, p Place) {
	s := p.Open(t, nil)
	versions := related(t, s)
	before := placesIn(t, s)
	kept := follow(t, s, "", 5, versions)
	backup := p.Copy(t)

	// What is stored now is not in the backup: one event of a stream that goes on there, and a stream that is not there.
	var id eventstore.StreamID
	for id = range versions {
		break
	}
	moved := mustAppend(t, s, id, 2, newCommand(), added("jam"))
	lost := []eventstore.Cursor{follow(t, s, kept, 5, map[eventstore.StreamID]int{id: 3})}
	lost = append(lost, follow(t, s, lost[0], 5, related(t, s)))

	s = backup.Open(t, nil)
	check := func(when string) {
		t.Helper()
		for _, cursor := range lost {
			_, _, err := s.Feed(t.Context(), order, eventstore.Whole, cursor, 5)
			checkOtherLog(t, when, err)
		}
		for method, err := range errorsAt(t, s, before) {
			if err != nil {
				t.Errorf("%s: %s, from before the backup, got %v", when, method, err)
			}
		}
	}
	check("put back")
	other := mustAppend(t, s, id, 2, newCommand(), added("jam"))
	if other[0].EventID == moved[0].EventID {
		t.Fatal("the event is the same")
	}
	check("with another event at that version")
	grown := related(t, s)
	for range 3 {
		related(t, s)
	}
	check("grown past the cursor")
	grown[id] = 3
	follow(t, s, kept, 5, grown)
}
