package runner_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/orders"
	"headway/projections"
	"headway/projections/history"
	"headway/projections/runner"
	"headway/projections/runnertest"
	"headway/projections/sqlite"
)

// listing is a log whose listing does not show some events yet, is away, or counts how often it is asked.
type listing struct {
	eventstore.Store
	late  func(eventstore.Record) bool
	err   error
	pages int
}

func (l *listing) ByType(
	ctx context.Context, category, eventType string, before eventstore.Cursor, limit int,
) ([]eventstore.Record, eventstore.Cursor, error) {
	l.pages++
	if l.err != nil {
		return nil, "", l.err
	}
	records, next, err := l.Store.ByType(ctx, category, eventType, before, limit)
	if l.late != nil {
		records = slices.DeleteFunc(records, l.late)
	}
	return records, next, err
}

// recorded is a world whose history is kept by a projector that steps.
type recorded struct {
	*runnertest.World
	log     *listing
	read    *failing
	history *failingHistory
	said    bytes.Buffer
}

// failingHistory is a history that cannot be reached, if it has an error.
type failingHistory struct {
	history.Store
	err error
}

func (f *failingHistory) Put(ctx context.Context, step history.Step, buckets ...history.Bucket) error {
	if f.err != nil {
		return f.err
	}
	return f.Store.Put(ctx, step, buckets...)
}

func newRecorded(t *testing.T, now time.Time) *recorded {
	t.Helper()
	w := runnertest.At(t, now)
	store, err := sqlite.OpenHistory(t.Context(), filepath.Join(w.Dir, "history.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return &recorded{World: w, log: &listing{Store: w.Events}, read: &failing{Store: w.Read}, history: &failingHistory{Store: store}}
}

func (r *recorded) projector() *runner.Projector {
	return runner.New(r.log, r.read, runner.Options{
		Clock: r.Clock, Alone: true, History: r.history, Log: slog.New(slog.NewTextHandler(&r.said, nil)),
	})
}

// at turns the clock, and steps.
func (r *recorded) at(p *runner.Projector, now time.Time) error {
	r.Now = now
	_, err := p.Step(r.T.Context())
	return err
}

func (r *recorded) must(p *runner.Projector, now time.Time) {
	r.T.Helper()
	if err := r.at(p, now); err != nil {
		r.T.Fatal(err)
	}
}

func (r *recorded) buckets(step history.Step) []history.Bucket {
	r.T.Helper()
	all, err := r.history.Buckets(r.T.Context(), step, nineOClock.AddDate(-1, 0, 0), nineOClock.AddDate(1, 0, 0))
	if err != nil {
		r.T.Fatal(err)
	}
	return all
}

// totals are the minutes from some time on, "?" for one of which nothing is known.
func (r *recorded) totals(from time.Time, n int) string {
	r.T.Helper()
	known := map[time.Time]int{}
	for _, b := range r.buckets(history.Minute) {
		known[b.At] = b.Total()
	}
	var words []string
	for i := range n {
		word := "?"
		if total, ok := known[from.Add(time.Duration(i)*time.Minute)]; ok {
			word = fmt.Sprint(total)
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func (r *recorded) expect(from time.Time, want string) {
	r.T.Helper()
	if got := r.totals(from, len(strings.Fields(want))); got != want {
		r.T.Errorf("the minutes from %s have %s, not %s", from.Format("15:04"), got, want)
	}
}

var nineOClock = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

func minute(n int) time.Time { return nineOClock.Add(time.Duration(n) * time.Minute) }

// storeAt has so many orders made in a row, a second each.
func (r *recorded) storeAt(at time.Time, n int) {
	r.T.Helper()
	r.Now = at
	for range n {
		r.Create("ada", "", 500)
	}
}

func TestAMinuteIsCountedOnceItIsOver(t *testing.T) {
	r := newRecorded(t, nineOClock)
	p := r.projector()
	r.must(p, nineOClock)
	r.storeAt(minute(0), 3)
	r.must(p, minute(1).Add(4*time.Second))
	r.expect(minute(0), "?") // events of its last moment may not be listed yet
	r.must(p, minute(1).Add(5*time.Second))
	r.expect(minute(0), "3 ?")
	r.storeAt(minute(1).Add(10*time.Second), 2)
	r.storeAt(minute(3).Add(-time.Second), 1) // at its very end: the order is stored a second later
	r.must(p, minute(5))
	r.expect(minute(0), "3 2 0 1 ?")
	before := r.log.pages
	r.must(p, minute(5).Add(4*time.Second))
	if r.log.pages != before {
		t.Error("nothing new was over, and the log was read")
	}
	byType := r.buckets(history.Minute)
	if got := byType[len(byType)-1].Events; !reflect.DeepEqual(got, map[history.EventType]int{{Name: "OrderCreated", Schema: 2}: 1}) {
		t.Errorf("the last minute has %v", got)
	}
}

// A start counts what it missed: as far as minutes are kept, and all of it, whether anything was stored or not.
func TestWhatWasMissedIsCounted(t *testing.T) {
	r := newRecorded(t, nineOClock)
	r.storeAt(nineOClock.Add(-49*time.Hour), 5) // before what is kept
	r.storeAt(minute(-600), 7)
	r.storeAt(minute(-2), 1)
	r.must(r.projector(), minute(0).Add(6*time.Second))
	minutes := r.buckets(history.Minute)
	if len(minutes) != history.MaxBuckets || minutes[0].At != nineOClock.Add(-48*time.Hour) {
		t.Fatalf("%d minutes are known, the first of them %v", len(minutes), minutes[0].At)
	}
	r.expect(minute(-601), "0 7 0")
	r.expect(minute(-3), "0 1 0 ?")
	if hours := r.buckets(history.Hour); len(hours) != 48 || hours[37].Total() != 0 || hours[38].Total() != 7 || hours[47].Total() != 1 {
		t.Errorf("%d hours are known: %v", len(hours), hours)
	}
	r.storeAt(minute(100), 4)
	r.must(r.projector(), minute(200)) // another process, later
	r.expect(minute(-3), "0 1 0 0")
	r.expect(minute(99), "0 4 0")
	r.must(r.projector(), minute(200+5*24*60)) // much later
	r.expect(minute(200), "? ?")
	if minutes := r.buckets(history.Minute); len(minutes) != history.MaxBuckets {
		t.Errorf("%d minutes are kept", len(minutes))
	}
}

func TestAnEventThatIsListedLateIsCounted(t *testing.T) {
	r := newRecorded(t, nineOClock)
	p := r.projector()
	r.must(p, nineOClock)
	r.storeAt(minute(0), 3)
	r.log.late = func(e eventstore.Record) bool { return e.StoredAt.Second() == 2 }
	r.must(p, minute(1).Add(10*time.Second))
	r.expect(minute(0), "2")
	r.log.late = nil
	r.must(p, minute(2).Add(10*time.Second))
	r.expect(minute(0), "3 0")
	if hours := r.buckets(history.Hour); len(hours) == 0 || hours[len(hours)-1].Total() != 3 {
		t.Errorf("the hour has %v", hours[len(hours)-1])
	}
}

// However often minutes are counted, and whoever does, they are the same: nothing is added up.
func TestCountingAgainChangesNothing(t *testing.T) {
	r := newRecorded(t, nineOClock)
	r.storeAt(minute(0), 30)
	r.storeAt(minute(1), 20)
	r.must(r.projector(), minute(3))
	minutes, hours := r.buckets(history.Minute), r.buckets(history.Hour)
	for range 3 {
		r.must(r.projector(), minute(3))
	}
	if again := r.buckets(history.Minute); !reflect.DeepEqual(again, minutes) {
		t.Errorf("%v, not %v", again, minutes)
	}
	if again := r.buckets(history.Hour); !reflect.DeepEqual(again, hours) {
		t.Errorf("%v, not %v", again, hours)
	}
}

func TestWhatIsBeyondTheBoundIsNotClaimed(t *testing.T) {
	r := newRecorded(t, nineOClock)
	r.storeAt(minute(-10), 3)
	r.storeAt(minute(-5), 2)
	r.log.Store = flooded{r.Events, minute(-5)}
	r.must(r.projector(), minute(0).Add(10*time.Second))
	r.expect(minute(-6), "? ? 0 0 0 0") // of the minute in which the reading ended there may be more
	if hours := r.buckets(history.Hour); len(hours) != 0 {
		t.Errorf("an hour is known of which minutes are not: %v", hours)
	}
	if !strings.Contains(r.said.String(), "more events were stored than are counted") {
		t.Errorf("the log says nothing of that: %s", r.said.String())
	}
}

// flooded is a log in which there are, of one minute, more events than anybody counts.
type flooded struct {
	eventstore.Store
	minute time.Time
}

func (f flooded) ByType(context.Context, string, string, eventstore.Cursor, int) ([]eventstore.Record, eventstore.Cursor, error) {
	records := make([]eventstore.Record, eventstore.MaxPage)
	for i := range records {
		records[i] = eventstore.Record{EventType: "OrderCreated", SchemaVersion: 2, StoredAt: f.minute.Add(30 * time.Second)}
	}
	return records, "more", nil
}

// sample is what a minute's bucket says of the order list.
func (r *recorded) sample(at time.Time) history.Sample {
	r.T.Helper()
	found, err := r.history.Buckets(r.T.Context(), history.Minute, at, at.Add(time.Minute))
	if err != nil || len(found) != 1 {
		r.T.Fatalf("%d buckets, %v", len(found), err)
	}
	s := found[0].Projections[projections.OrderList]
	s.Rate, s.Batch = 0, 0
	return s
}

func TestTheHighestOfEachMinuteIsKept(t *testing.T) {
	r := newRecorded(t, nineOClock)
	p := r.projector()
	r.must(p, nineOClock)
	refuses := func(method string) error {
		if method == "Write" {
			return gone()
		}
		return nil
	}
	r.storeAt(minute(0), 4) // at 9:00:01 to 9:00:04
	r.read.set(refuses)
	if r.at(p, minute(0).Add(31*time.Second)) == nil {
		t.Fatal("the rows were written")
	}
	r.read.set(nil)
	r.must(p, minute(0).Add(40*time.Second)) // caught up
	r.must(p, minute(1).Add(10*time.Second))
	r.must(p, minute(2).Add(10*time.Second))
	if got, want := r.sample(minute(0)), (history.Sample{LagEvents: 4, Lag: 30 * time.Second}); got != want {
		t.Errorf("%+v, not %+v", got, want)
	}
	if got := r.sample(minute(1)); got != (history.Sample{}) {
		t.Errorf("%+v in a minute in which nothing was late", got)
	}
	hours := r.buckets(history.Hour)
	if got := hours[len(hours)-1].Projections[projections.OrderList]; got.LagEvents != 4 || got.Lag != 30*time.Second {
		t.Errorf("the hour has %+v", got)
	}
	r.must(r.projector(), minute(3).Add(10*time.Second)) // counts minute 0 and what another process saw again
	if got := r.sample(minute(1)); got != (history.Sample{}) {
		t.Errorf("%+v after a restart", got)
	}
	if got := r.sample(minute(0)); got.LagEvents != 4 {
		t.Errorf("what was seen is lost when it is counted again: %+v", got)
	}
}

func TestAHoldIsSeen(t *testing.T) {
	r := newRecorded(t, nineOClock)
	p := r.projector()
	r.must(p, nineOClock)
	id := r.Create("ada", "A-1", 500)
	r.Raw(id, 2, "OrderShipped", `{}`)
	r.must(p, minute(0).Add(30*time.Second))
	r.must(p, minute(1).Add(10*time.Second))
	if got := r.sample(minute(0)); got.Holds != 1 {
		t.Errorf("%+v", got)
	}
}

// What was seen while the history was away is there when it is back.
func TestAHistoryThatIsAwayLosesNothing(t *testing.T) {
	r := newRecorded(t, nineOClock)
	p := r.projector()
	r.must(p, nineOClock.Add(10*time.Second))
	r.storeAt(minute(0).Add(20*time.Second), 2)
	r.read.set(func(method string) error {
		if method == "Write" {
			return gone()
		}
		return nil
	})
	if r.at(p, minute(0).Add(32*time.Second)) == nil {
		t.Fatal("the rows were written")
	}
	r.read.set(nil)
	r.history.err = fault.Errorf(fault.Unavailable, "away")
	for n := 1; n < 4; n++ {
		if r.at(p, minute(n).Add(10*time.Second)) == nil {
			t.Error("the history is away, and nobody says so")
		}
	}
	r.expect(minute(0), "? ?")
	r.history.err = nil
	r.must(p, minute(4).Add(10*time.Second))
	r.expect(minute(0), "2 0 0 0")
	if got := r.sample(minute(0)); got.LagEvents != 2 {
		t.Errorf("%+v", got)
	}
}

// What is seen while the history is away is bounded: the oldest is dropped, and its minute counted all the same.
func TestWhatWaitsForTheHistoryIsBounded(t *testing.T) {
	const waits, more = 120, 3 // minutes
	r := newRecorded(t, nineOClock)
	p := r.projector()
	r.must(p, nineOClock.Add(10*time.Second))
	id := r.Create("ada", "A-1", 500)
	r.Raw(id, 2, "OrderShipped", `{}`)
	r.history.err = fault.Errorf(fault.Unavailable, "away")
	for n := range waits + more {
		_ = r.at(p, minute(n).Add(30*time.Second)) // that it is away is told above
	}
	r.history.err = nil
	r.must(p, minute(waits+more).Add(10*time.Second))
	for n, holds := range map[int]int{0: 0, more: 0, more + 1: 1, waits: 1} { // this minute waits, too
		if got := r.sample(minute(n)).Holds; got != holds {
			t.Errorf("in minute %d %d holds were seen, not %d", n, got, holds)
		}
	}
	r.expect(minute(0), "1 0 0 0") // the other says no time
}

// slowStore takes a while for each batch.
type slowStore struct{ projections.Store }

func (s slowStore) Write(ctx context.Context, b projections.Batch) error {
	time.Sleep(40 * time.Millisecond) // the time of a batch is taken by the real clock
	return s.Store.Write(ctx, b)
}

// While it runs, the holder of the lease keeps the history, and a process that stands by does not.
func TestTheHolderKeepsTheHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorded(t, time.Now())
		ctx, stop := context.WithCancel(t.Context())
		options := runner.Options{History: r.history}
		holder := runner.New(r.Events, slowStore{r.Read}, options)
		standby := &listing{Store: r.Events}
		other := runner.New(standby, r.Read, options)
		ended := make(chan error, 2)
		go func() { ended <- holder.Run(ctx) }()
		synctest.Wait()
		go func() { ended <- other.Run(ctx) }()
		begun := time.Now().Truncate(time.Minute)
		result, err := (orders.Handler{Events: r.Events, Codec: domain.Codec{}}).Execute(t.Context(), orders.Request{
			CommandID: "11111111-1111-4111-8111-111111111111", UserID: "ada", Timestamp: time.Now(),
			Command: domain.CreateOrder{CustomerID: "ada", Currency: "EUR", Items: []domain.Item{runnertest.Line(500)}},
		})
		if err != nil || result.OrderID == "" {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Minute) // of the bubble's clock: no time passes
		synctest.Wait()
		got, err := r.history.Buckets(t.Context(), history.Minute, begun, begun.Add(time.Hour))
		if err != nil || len(got) < 2 || len(got) > 3 {
			t.Errorf("%d minutes are known after 3, %v", len(got), err)
		}
		for i, b := range got {
			if len(b.Projections) != len(projections.All()) {
				t.Errorf("minute %d: %+v", i, b)
			}
		}
		if got[0].Total() != 1 || got[0].Projections[projections.OrderList].Batch != 40*time.Millisecond {
			t.Errorf("the first minute has %+v", got[0])
		}
		if standby.pages != 0 {
			t.Errorf("who stands by has read the log %d times", standby.pages)
		}
		stop()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
}
