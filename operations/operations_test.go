package operations_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"headway/eventstore"
	"headway/eventstore/sqlite"
	"headway/fault"
	"headway/operations"
)

func openLog(t *testing.T) (operations.Recorder, func()) {
	t.Helper()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	clock := func() time.Time { return now }
	log, err := sqlite.Open(filepath.Join(t.TempDir(), "events.db"), sqlite.Options{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return operations.Recorder{Log: log, Clock: clock}, func() { now = now.Add(time.Minute) }
}

func list(t *testing.T, r operations.Recorder, f operations.Filter) []operations.Operation {
	t.Helper()
	var all []operations.Operation
	var before eventstore.Cursor
	for {
		page, next, err := operations.List(t.Context(), r.Log, f, before, 3)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page...)
		if before = next; next == "" {
			return all
		}
	}
}

// What was asked and has no end is shown so; an end says how it went, and what is there now.
func TestAnOperationIsAskedAndEnds(t *testing.T) {
	r, pass := openLog(t)
	start := operations.Start{Who: "ada", What: operations.Import, On: "orders.csv", Reason: "Monday", Before: map[string]int{"orders": 2}}
	running, err := r.Ask(t.Context(), start)
	if err != nil {
		t.Fatal(err)
	}
	got := list(t, r, operations.Filter{})
	if len(got) != 1 || got[0].Outcome != operations.Asked || got[0].Who != "ada" || got[0].On != "orders.csv" || got[0].Reason != "Monday" ||
		string(got[0].Before) != `{"orders":2}` || got[0].After != nil || got[0].CorrelationID != got[0].ID || !got[0].EndedAt.IsZero() {
		t.Errorf("asked: %+v", got)
	}
	pass()
	if err := running.Done(t.Context(), map[string]int{"orders": 5}); err != nil {
		t.Fatal(err)
	}
	one, found, err := operations.Get(t.Context(), r.Log, got[0].ID)
	if err != nil || !found || one.Outcome != operations.Done || string(one.After) != `{"orders":5}` || one.EndedAt.Sub(one.At) != time.Minute {
		t.Errorf("done: %+v, %v, %v", one, found, err)
	}
	if running, err = r.Ask(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	cause := &fault.Error{Kind: fault.Unavailable, Message: "The disk is full.", Cause: errors.New("secret path")}
	if err := running.End(t.Context(), cause, "never"); err != nil {
		t.Fatal(err)
	}
	if got = list(t, r, operations.Filter{Outcome: operations.Failed}); len(got) != 1 || string(got[0].After) != `{"error":"The disk is full."}` {
		t.Errorf("failed: %+v", got)
	}
	if _, found, err := operations.Get(t.Context(), r.Log, "no-such"); found || err != nil {
		t.Errorf("one that never was: %v, %v", found, err)
	}
}

// An operation ends once: a second end is refused, and the first one stands.
func TestAnOperationEndsOnce(t *testing.T) {
	r, _ := openLog(t)
	running, err := r.Ask(t.Context(), operations.Start{Who: "ada", What: operations.Verify})
	if err != nil {
		t.Fatal(err)
	}
	first, second := running.Done(t.Context(), nil), running.Failed(t.Context(), errors.New("late"))
	if got := list(t, r, operations.Filter{}); first != nil || second == nil && got[0].Outcome != operations.Done || len(got) != 1 {
		t.Errorf("%v, %v: %+v", first, second, got)
	}
}

// A page of the record is newest first; pages follow one another whatever the filter, and leave nothing out.
func TestTheRecordIsPaged(t *testing.T) {
	r, pass := openLog(t)
	for i := range 20 {
		what := operations.Lease
		if i%3 == 0 {
			what = operations.Import
		}
		if err := r.Note(t.Context(), operations.Start{Who: fmt.Sprint("p", i%2), What: what, On: fmt.Sprint(i)}, nil); err != nil {
			t.Fatal(err)
		}
		pass()
	}
	on := func(f operations.Filter) (all []string) {
		for _, o := range list(t, r, f) {
			all = append(all, o.On)
		}
		return all
	}
	whole := list(t, r, operations.Filter{})
	for name, c := range map[string]struct {
		f    operations.Filter
		want string
	}{
		"all":    {operations.Filter{}, "19 18 17 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 0"},
		"what":   {operations.Filter{What: operations.Import}, "18 15 12 9 6 3 0"},
		"who":    {operations.Filter{Who: "p1", What: operations.Import}, "15 9 3"},
		"time":   {operations.Filter{From: whole[12].At, To: whole[9].At}, "9 8 7"},
		"nobody": {operations.Filter{Who: "nobody"}, ""},
	} {
		want := strings.Fields(c.want)
		if got := on(c.f); !reflect.DeepEqual(got, want) && len(got)+len(want) > 0 {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// Nothing that is recorded is larger than the bounds say.
func TestWhatIsRecordedIsBounded(t *testing.T) {
	r, _ := openLog(t)
	long := strings.Repeat("ü", 2*operations.MaxText)
	err := r.Note(t.Context(), operations.Start{Who: long, What: operations.Import, On: long, Reason: long, Before: long}, strings.Repeat("x", operations.MaxState))
	if err != nil {
		t.Fatal(err)
	}
	o := list(t, r, operations.Filter{})[0]
	for _, text := range []string{o.Who, o.On, o.Reason} {
		if len(text) > operations.MaxText || !strings.HasSuffix(text, "ü…") {
			t.Errorf("%d bytes: …%q", len(text), text[len(text)-8:])
		}
	}
	if string(o.After) != `"too large to be recorded"` || len(o.Before) > operations.MaxState {
		t.Errorf("before has %d bytes, after is %.40s", len(o.Before), o.After)
	}
}
