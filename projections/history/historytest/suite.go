// Package historytest is the one suite that every store of the history must pass. It imports testing, so only tests import it.
package historytest

import (
	"reflect"
	"sync"
	"testing"
	"time"

	"headway/fault"
	"headway/projections/history"
)

// Run holds a store to its contract. fresh makes an empty place, and says how to open it: the first time empty, later with what it kept.
// The suite closes what it opens.
func Run(t *testing.T, fresh func(t *testing.T) (open func(t *testing.T) history.Store)) {
	for _, part := range []struct {
		name string
		run  func(t *testing.T, s *subject)
	}{
		{"what is put is there", put},
		{"a bucket is replaced whole", replaced},
		{"times and steps", times},
		{"no more than a bound", bound},
		{"what is old is forgotten", forgotten},
		{"what no store takes", refused},
		{"what is kept survives a reopening", reopening},
		{"memory is not shared", memory},
		{"writers at once", writers},
		{"a store that is closed", closed},
	} {
		t.Run(part.name, func(t *testing.T) {
			s := &subject{t: t, place: fresh(t)}
			s.Store = s.place(t)
			defer func() { _ = s.Close() }()
			part.run(t, s)
		})
	}
}

// subject is the store under test.
type subject struct {
	history.Store
	t     *testing.T
	place func(t *testing.T) history.Store
}

var start = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// full is a bucket with everything, different for each n.
func full(at time.Time, n int) history.Bucket {
	b := history.Bucket{At: at}
	b.Count(history.EventType{Name: "OrderCreated", Schema: 2}, n+1)
	b.Count(history.EventType{Name: "OrderCreated", Schema: 1}, 1)
	b.Count(history.EventType{Name: "<Ä.b \x00$\"c'>", Schema: 7}, 2)
	b.See("order_list", history.Sample{LagEvents: n, Lag: 1500 * time.Millisecond, Rate: 0.25, Holds: 3, Batch: 12 * time.Millisecond})
	b.See("with.a.dot", history.Sample{Lag: 400 * 24 * time.Hour})
	return b
}

// list is n buckets in a row.
func list(step history.Step, from time.Time, n int) []history.Bucket {
	all := make([]history.Bucket, n)
	for i := range all {
		all[i] = full(from.Add(time.Duration(i)*step.Length()), i)
	}
	return all
}

func (s *subject) put(step history.Step, buckets ...history.Bucket) {
	s.t.Helper()
	if err := s.Put(s.t.Context(), step, buckets...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *subject) buckets(step history.Step, from, to time.Time) []history.Bucket {
	s.t.Helper()
	got, err := s.Buckets(s.t.Context(), step, from, to)
	if err != nil {
		s.t.Fatal(err)
	}
	return got
}

// all is every bucket of a step that a test may have put.
func (s *subject) all(step history.Step) []history.Bucket {
	s.t.Helper()
	return s.buckets(step, start.AddDate(-1, 0, 0), start.AddDate(10, 0, 0))
}

func (s *subject) same(got, want []history.Bucket) {
	s.t.Helper()
	if len(got) == 0 && len(want) == 0 {
		return
	}
	if !reflect.DeepEqual(got, want) {
		s.t.Errorf("%d buckets, not %d:\n%.500v\n%.500v", len(got), len(want), got, want)
	}
}

func put(t *testing.T, s *subject) {
	s.same(s.all(history.Minute), nil)
	want := list(history.Minute, start, 3)
	s.put(history.Minute, want[2], want[0], want[1])
	s.same(s.all(history.Minute), want)
	empty := history.Bucket{At: start.Add(time.Hour)} // a minute in which nothing was stored is known, too
	s.put(history.Minute, empty)
	s.same(s.buckets(history.Minute, start.Add(time.Hour), start.Add(2*time.Hour)), []history.Bucket{empty})
	s.put(history.Minute)
	s.put(history.Minute, list(history.Minute, start.AddDate(0, 0, 7).In(time.FixedZone("elsewhere", 3600)), 1)...)
	s.same(s.buckets(history.Minute, start.AddDate(0, 0, 7), start.AddDate(0, 0, 8)), list(history.Minute, start.AddDate(0, 0, 7), 1))
	_ = t
}

func replaced(_ *testing.T, s *subject) {
	s.put(history.Hour, full(start, 1))
	s.put(history.Hour, full(start, 1))
	s.same(s.all(history.Hour), []history.Bucket{full(start, 1)}) // nothing is added
	less := history.Bucket{At: start}
	less.Count(history.EventType{Name: "OrderConfirmed", Schema: 2}, 1)
	s.put(history.Hour, less)
	s.same(s.all(history.Hour), []history.Bucket{less})
	s.put(history.Hour, full(start, 1), less) // the last of one call stays
	s.same(s.all(history.Hour), []history.Bucket{less})
}

func times(_ *testing.T, s *subject) {
	minutes, hours := list(history.Minute, start, 120), list(history.Hour, start, 2)
	s.put(history.Minute, minutes...)
	s.put(history.Hour, hours...)
	s.same(s.all(history.Minute), minutes) // a minute and an hour may begin at once
	s.same(s.all(history.Hour), hours)
	for _, c := range []struct {
		from, to time.Duration
		first, n int
	}{
		{0, time.Hour, 0, 60},
		{time.Minute, 2 * time.Minute, 1, 1},
		{time.Second, 2 * time.Minute, 1, 1},
		{time.Minute, 2*time.Minute + time.Nanosecond, 1, 2},
		{time.Minute + time.Nanosecond, 2*time.Minute + time.Microsecond, 2, 1},
		{time.Minute, time.Minute, 0, 0},
		{time.Hour, 0, 0, 0},
		{-time.Hour, 0, 0, 0},
		{119 * time.Minute, 1000 * time.Hour, 119, 1},
	} {
		s.same(s.buckets(history.Minute, start.Add(c.from), start.Add(c.to)), minutes[c.first:c.first+c.n])
	}
	s.same(s.buckets(history.Minute, start.In(time.FixedZone("elsewhere", 7200)), start.Add(time.Minute)), minutes[:1])
	s.same(s.buckets(history.Minute, time.Time{}, time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)), minutes)
}

func bound(_ *testing.T, s *subject) {
	minutes := list(history.Minute, start, history.MaxBuckets+2)
	s.put(history.Minute, minutes[:history.MaxBuckets]...)
	s.put(history.Minute, minutes[history.MaxBuckets:]...)
	s.same(s.all(history.Minute), minutes[:history.MaxBuckets])
	rest := minutes[history.MaxBuckets-1:]
	s.same(s.buckets(history.Minute, rest[0].At, rest[len(rest)-1].At), rest[:len(rest)-1])
}

func forgotten(t *testing.T, s *subject) {
	const more = 100 // than one answer has
	minutes, hours := list(history.Minute, start, history.MaxBuckets+more), list(history.Hour, start, 3)
	s.put(history.Minute, minutes[:history.MaxBuckets]...)
	s.put(history.Minute, minutes[history.MaxBuckets:]...)
	s.put(history.Hour, hours...)
	for _, before := range []int{0, 1, 1, history.MaxBuckets + more - 2} {
		if err := s.Forget(t.Context(), history.Minute, minutes[before].At); err != nil {
			t.Fatal(err)
		}
		s.same(s.all(history.Minute), minutes[before:min(before+history.MaxBuckets, len(minutes))])
	}
	s.same(s.all(history.Hour), hours)
	if err := s.Forget(t.Context(), history.Hour, start.Add(time.Hour+time.Nanosecond)); err != nil {
		t.Fatal(err)
	}
	s.same(s.all(history.Hour), hours[2:])
}

func refused(t *testing.T, s *subject) {
	for name, c := range map[string]struct {
		step    history.Step
		buckets []history.Bucket
	}{
		"no step":           {"", list(history.Minute, start, 1)},
		"another step":      {"day", list(history.Minute, start, 1)},
		"half a minute":     {history.Minute, list(history.Minute, start.Add(30*time.Second), 1)},
		"half an hour":      {history.Hour, list(history.Hour, start.Add(30*time.Minute), 1)},
		"one of a good few": {history.Minute, append(list(history.Minute, start, 3), full(start.Add(time.Nanosecond), 1))},
		"too many":          {history.Minute, list(history.Minute, start, history.MaxBuckets+1)},
	} {
		if err := s.Put(t.Context(), c.step, c.buckets...); err == nil || fault.KindOf(err) != fault.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.same(s.all(history.Minute), nil)
	s.same(s.all(history.Hour), nil)
}

func reopening(t *testing.T, s *subject) {
	minutes, hours := list(history.Minute, start, 10), list(history.Hour, start, 2)
	s.put(history.Minute, minutes...)
	s.put(history.Hour, hours...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.Store = s.place(t)
	s.same(s.all(history.Minute), minutes)
	s.same(s.all(history.Hour), hours)
}

func memory(_ *testing.T, s *subject) {
	given := full(start, 1)
	s.put(history.Minute, given)
	spoil := func(b history.Bucket) {
		b.Events[history.EventType{Name: "OrderCreated", Schema: 2}] = 99
		b.Projections["order_list"] = history.Sample{}
	}
	spoil(given)
	s.same(s.all(history.Minute), []history.Bucket{full(start, 1)})
	spoil(s.all(history.Minute)[0])
	s.same(s.all(history.Minute), []history.Bucket{full(start, 1)})
}

// writers: two processes count the same, one of them the holder a moment ago.
func writers(t *testing.T, s *subject) {
	other := s.place(t)
	defer func() { _ = other.Close() }()
	minutes := list(history.Minute, start, 50)
	var all sync.WaitGroup
	for _, store := range []history.Store{s.Store, other, s.Store, other} {
		all.Go(func() {
			if err := store.Put(t.Context(), history.Minute, minutes...); err != nil {
				t.Error(err)
			}
			if _, err := store.Buckets(t.Context(), history.Minute, start, start.Add(time.Hour)); err != nil {
				t.Error(err)
			}
			if err := store.Forget(t.Context(), history.Minute, start.Add(10*time.Minute)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	s.put(history.Minute, minutes...)
	got, err := other.Buckets(t.Context(), history.Minute, start, start.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	s.same(got, minutes)
}

func closed(t *testing.T, s *subject) {
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	_, err := s.Buckets(t.Context(), history.Minute, start, start.Add(time.Hour))
	for _, err := range []error{err, s.Put(t.Context(), history.Minute, full(start, 1)), s.Forget(t.Context(), history.Minute, start)} {
		if err == nil || fault.KindOf(err) != fault.Unavailable {
			t.Errorf("a closed store cannot be reached: %v", err)
		}
	}
}
