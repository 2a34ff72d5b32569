package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"headway/cmd/web/console/consoletest"
	"headway/cmd/web/console/wire"
	"headway/domain"
	"headway/eventstore"
	"headway/orders/orderstest"
	"headway/projections"
	"headway/projections/history"
	"headway/views"
)

var tenOClock = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)

// storedIn is a minute or hour with so many created orders.
func storedIn(at time.Time, n int) history.Bucket {
	b := history.Bucket{At: at}
	if n > 0 {
		b.Count(history.EventType{Name: "OrderCreated", Schema: 2}, n)
	}
	return b
}

// said writes counts as the test expects them: "?" is not known, "5+" at least 5.
func said(counts []projections.Count) string {
	var words []string
	for _, c := range counts {
		switch {
		case c.IsExact:
			words = append(words, fmt.Sprint(c.N))
		case c.N > 0:
			words = append(words, fmt.Sprintf("%d+", c.N))
		default:
			words = append(words, "?")
		}
	}
	return strings.Join(words, " ")
}

// TestAMinuteIsCountedByWhoeverKnowsItWhole: the history for what it has, the log for what its newest events cover, and else nobody.
func TestAMinuteIsCountedByWhoeverKnowsItWhole(t *testing.T) {
	now := tenOClock.Add(30 * time.Second)
	minute := func(n int) time.Time { return tenOClock.Add(time.Duration(n) * time.Minute) }
	events := func(ago ...time.Duration) []eventstore.Record {
		var records []eventstore.Record
		for _, d := range ago {
			records = append(records, eventstore.Record{StoredAt: now.Add(-d)})
		}
		return records
	}
	kept := func(from, to int) []history.Bucket {
		var list []history.Bucket
		for n := from; n < to; n++ {
			list = append(list, storedIn(minute(n), 100))
		}
		return list
	}
	for name, c := range map[string]struct {
		minutes []history.Bucket
		newest  newest
		want    string // the last five minutes
	}{
		"a log without events":          {nil, newest{all: true}, "0 0 0 0 0"},
		"a short log":                   {nil, newest{events(time.Second, time.Minute, 61*time.Second, 200*time.Second), true}, "0 1 0 2 1"},
		"a longer one":                  {nil, newest{events(time.Second, time.Minute, 61*time.Second, 130*time.Second), false}, "? ? ? 2 1"},
		"a crowded minute":              {nil, newest{events(time.Second, 2*time.Second, 3*time.Second), false}, "? ? ? ? 3+"},
		"all that the history has":      {kept(-4, 0), newest{events(time.Second, time.Minute, 61*time.Second), false}, "100 100 100 100 1"},
		"and a crowded minute":          {kept(-4, 0), newest{events(time.Second, 2*time.Second), false}, "100 100 100 100 2+"},
		"a minute that is not kept yet": {kept(-4, -1), newest{events(time.Second, time.Minute, 130*time.Second), false}, "100 100 100 1 1"},
		"a hole":                        {kept(-4, -2), newest{events(time.Second, time.Minute), false}, "100 100 ? ? 1"},
		"a minute of the next hour":     {kept(2, 3), newest{all: true}, "0 0 0 0 0"},
		"nothing":                       {nil, newest{}, "? ? ? ? ?"},
	} {
		counts := perMinute(c.minutes, c.newest, now)
		if len(counts) != minutesShown || said(counts[minutesShown-5:]) != c.want {
			t.Errorf("%s: %s, not %s", name, said(counts[minutesShown-5:]), c.want)
		}
	}
}

func TestTheCensusSaysSinceWhenAndWhatItLacks(t *testing.T) {
	now := tenOClock.Add(30 * time.Minute)
	old := history.Bucket{At: tenOClock.Add(-5 * time.Hour)}
	old.Count(history.EventType{Name: "OrderCreated", Schema: 1}, 3)
	old.Count(history.EventType{Name: "OrderCancelled", Schema: 2}, 4)
	hours := []history.Bucket{old, storedIn(tenOClock.Add(-4*time.Hour), 5), storedIn(tenOClock.Add(-time.Hour), 0), storedIn(tenOClock, 2)}
	list, since, lacks := census(hours, now)
	want := []views.Census{
		{Type: "OrderCancelled", Schema: 2, Count: 4}, {Type: "OrderCreated", Schema: 1, Count: 3}, {Type: "OrderCreated", Schema: 2, Count: 7},
	}
	if !slices.Equal(list, want) || !since.Equal(old.At) || lacks != 2 {
		t.Errorf("%v since %v, without %d hours", list, since, lacks)
	}
	if _, _, lacks := census(hours[:3], now); lacks != 2 {
		t.Errorf("the running hour is not known yet, and %d are said to be lacking", lacks)
	}
	if list, since, lacks := census(nil, now); list != nil || !since.IsZero() || lacks != 0 {
		t.Errorf("%v since %v, without %d hours, where nothing is known", list, since, lacks)
	}
}

// countedReads is a log that counts how often many events are read.
type countedReads struct {
	eventstore.Store
	n int
}

func (c *countedReads) ByType(
	ctx context.Context, category, eventType string, before eventstore.Cursor, limit int,
) ([]eventstore.Record, eventstore.Cursor, error) {
	if limit > eventsPerPage {
		c.n++
	}
	return c.Store.ByType(ctx, category, eventType, before, limit)
}

// TestManyEventsAreReadOnlyWhereTheFirstAreTooFew: and then once a second, whoever asks.
func TestManyEventsAreReadOnlyWhereTheFirstAreTooFew(t *testing.T) {
	c := openConsole(t)
	log := &countedReads{Store: c.options.Events}
	r := &recent{events: log, history: c.options.History}
	now := time.Now()
	count := func() string {
		t.Helper()
		records, next, err := log.ByType(t.Context(), "order", "", "", eventsPerPage)
		if err != nil {
			t.Fatal(err)
		}
		counts, err := r.perMinute(t.Context(), newest{records, next == ""}, now)
		if err != nil {
			t.Fatal(err)
		}
		return said(counts[minutesShown-2:])
	}
	c.newOrder("A")
	if count(); log.n != 0 {
		t.Errorf("a log of one event was read %d times more", log.n)
	}
	item := domain.Item{SKU: "A", Name: "A", Quantity: 1, Price: domain.Money{Minor: 1, Currency: "EUR"}}
	events := []domain.Event{domain.OrderCreated{CustomerID: "Ada", Currency: "EUR", Items: []domain.Item{item}}}
	for range eventstore.MaxAppend - 1 {
		events = append(events, domain.OrderItemAdded{Item: item})
	}
	orderstest.Append(t, c.options.Events, "00000000-0000-4000-8000-000000000001", 0, eventstore.Metadata{CausationID: "a"}, events...)
	for range 3 {
		count()
	}
	if log.n != 1 {
		t.Errorf("they were read %d times within a second", log.n)
	}
	now = now.Add(newestAnew)
	if count(); log.n != 2 {
		t.Errorf("they were read %d times", log.n)
	}
}

// openAt is a console whose clock stands.
func openAt(t *testing.T, now time.Time) *console {
	t.Helper()
	return openConsole(t, func(o *Options) { o.Clock = func() time.Time { return now } })
}

func (c *console) keep(step history.Step, buckets ...history.Bucket) {
	c.T.Helper()
	if err := c.options.History.Put(c.T.Context(), step, buckets...); err != nil {
		c.T.Fatal(err)
	}
}

func TestHistoryIsGivenInMinutesAndHours(t *testing.T) {
	c := openAt(t, tenOClock.Add(30*time.Second))
	two := storedIn(tenOClock.Add(-2*time.Minute), 3)
	two.Count(history.EventType{Name: "OrderCreated", Schema: 1}, 4)
	two.Count(history.EventType{Name: "OrderConfirmed", Schema: 2}, 1)
	c.keep(history.Minute, storedIn(tenOClock.Add(-61*time.Minute), 9), storedIn(tenOClock.Add(-time.Hour), 1), two,
		storedIn(tenOClock.Add(-time.Minute), 0))
	c.keep(history.Hour, storedIn(tenOClock.Add(-61*time.Hour), 70), storedIn(tenOClock.Add(-time.Hour), 60), storedIn(tenOClock, 5))
	for path, want := range map[string]string{
		"/history":                           "09:00=1 09:58=8 09:59=0",
		"/history?step=minute":               "09:00=1 09:58=8 09:59=0",
		"/history?step=hour":                 "09:00=60 10:00=5",
		"/history?from=2026-11-02T08:59:00Z": "08:59=9 09:00=1 09:58=8 09:59=0",
		"/history?from=2026-11-02T08:59:00Z&to=2026-11-02T09:00:00Z":           "08:59=9",
		"/history?from=2026-11-02T08:59:00.001Z&to=2026-11-02T09:00:00.001Z":   "09:00=1",
		"/history?from=2026-11-02T10:59:00%2B01:00":                            "09:59=0",
		"/history?from=2026-11-02":                                             "08:59=9 09:00=1 09:58=8 09:59=0",
		"/history?step=hour&from=2026-10-01&to=2026-11-01":                     "21:00=70",
		"/history?to=2026-11-02T09:58:00Z":                                     "08:59=9 09:00=1",
		"/history?from=2026-11-03":                                             "",
		"/history?from=2026-11-02T09:00:00Z&to=2026-11-02T09:00:00Z":           "",
		"/history?step=hour&from=2026-11-02T09:00:00Z&to=2026-11-02T10:00:01Z": "09:00=60 10:00=5",
	} {
		reply := c.GetJSON(path)
		if reply.Status != http.StatusOK {
			t.Errorf("%s: %d %s", path, reply.Status, reply.Body)
			continue
		}
		var got []string
		for _, b := range consoletest.Decoded[wire.EventHistory](t, reply).Buckets {
			got = append(got, fmt.Sprintf("%s=%d", (*b.At)[11:16], b.Total))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, not %s", path, got, want)
		}
	}
	if body := c.GetJSON("/history?from=2026-11-03").Body; !strings.Contains(body, `"buckets": []`) {
		t.Errorf("no buckets are an empty list: %s", body)
	}
	got := consoletest.Decoded[wire.EventHistory](t, c.GetJSON("/history?from=2026-11-02T09:58:00Z")).Buckets[0]
	want := map[string]int{"OrderCreated": 7, "OrderConfirmed": 1}
	if *got.At != "2026-11-02T09:58:00Z" || !reflect.DeepEqual(got.ByType, want) {
		t.Errorf("%s %v", *got.At, got.ByType)
	}
}

func TestHistoryNamesWhatItDoesNotKnow(t *testing.T) {
	c := openAt(t, tenOClock)
	for path, field := range map[string]string{
		"/history?step=day":                              "step",
		"/history?from=yesterday":                        "from",
		"/history?to=2026-13-01":                         "to",
		"/history?span=1h":                               "span",
		"/projections/order_list/history?span=2h":        "span",
		"/projections/order_list/history?step=hour":      "step",
		"/projections/customer_order_summary/history?a=": "a",
	} {
		reply := c.GetJSON(path)
		named := consoletest.Decoded[wire.Problem](t, reply).Error.Field
		if reply.Status != http.StatusBadRequest || named == nil || *named != field {
			t.Errorf("%s: %d %s", path, reply.Status, reply.Body)
		}
	}
	if reply := c.GetJSON("/projections/nothing/history"); reply.Status != http.StatusNotFound {
		t.Errorf("a projection that there is not: %d", reply.Status)
	}
}

func TestTheHistoryOfAProjectionGoesBackAsFarAsAsked(t *testing.T) {
	c := openAt(t, tenOClock.Add(30*time.Second))
	seen := func(at time.Time, lag int) history.Bucket {
		b := history.Bucket{At: at}
		b.See(projections.OrderList, history.Sample{
			LagEvents: lag, Lag: 1500 * time.Millisecond, Rate: 2.5, Holds: 1, Batch: 7 * time.Millisecond,
		})
		return b
	}
	c.keep(history.Minute, seen(tenOClock.Add(-25*time.Hour), 1), seen(tenOClock.Add(-23*time.Hour), 2),
		storedIn(tenOClock.Add(-2*time.Minute), 5), seen(tenOClock.Add(-time.Minute), 3))
	c.keep(history.Hour, seen(tenOClock.Add(-31*24*time.Hour), 4), seen(tenOClock.Add(-29*24*time.Hour), 5), seen(tenOClock, 6))
	for query, want := range map[string][]int{"": {3}, "?span=1h": {3}, "?span=24h": {2, 3}, "?span=30d": {5, 6}} {
		var got []int
		for _, b := range consoletest.Decoded[wire.ProjectionHistory](t, c.GetJSON("/projections/order_list/history"+query)).Buckets {
			got = append(got, b.LagEvents)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, not %v", query, got, want)
		}
	}
	at := "2026-11-02T09:59:00Z"
	want := wire.ProjectionBucket{At: &at, LagEvents: 3, LagMs: 1500, Rate: 2.5, Holds: 1, BatchMs: 7}
	got := consoletest.Decoded[wire.ProjectionHistory](t, c.GetJSON("/projections/order_list/history")).Buckets
	if !reflect.DeepEqual(got, []wire.ProjectionBucket{want}) {
		t.Errorf("%+v", got)
	}
	if none := c.GetJSON("/projections/customer_order_summary/history?span=30d"); !strings.Contains(none.Body, `"buckets": []`) {
		t.Errorf("nobody saw that one: %s", none.Body)
	}
}

func TestPagesOfTheHistoryAreForPeople(t *testing.T) {
	c := openAt(t, tenOClock.Add(30*time.Second))
	for path, says := range map[string]string{
		"/history": "Nothing is known of this time", "/history?step=hour": "Events an hour",
		"/projections/order_list/history": "Nothing is known of this time yet",
	} {
		if reply := c.Get(path); reply.Status != http.StatusOK || !strings.Contains(reply.Body, says) {
			t.Errorf("%s: %d, does not say “%s”", path, reply.Status, says)
		}
	}
	c.keep(history.Minute, storedIn(tenOClock.Add(-time.Minute), 1234))
	if reply := c.Get("/history"); !strings.Contains(reply.Body, "1,234 events in 1 minute") {
		t.Error("the page does not say how many events there were")
	}
	var many []history.Bucket
	for n := range history.MaxBuckets {
		many = append(many, storedIn(tenOClock.Add(time.Duration(n-history.MaxBuckets)*time.Hour), 1))
	}
	c.keep(history.Hour, many...)
	page := c.Get("/history?step=hour&from=2020-01-01").Body
	if !strings.Contains(page, "/history?from=2026-11-02T10%3A00%3A00Z&amp;step=hour") {
		t.Error("a page that is full leads on")
	}
}

// historyAway is a history that cannot be reached.
type historyAway struct{ history.Store }

func (historyAway) Buckets(context.Context, history.Step, time.Time, time.Time) ([]history.Bucket, error) {
	return nil, errors.New("away")
}

// TestAHistoryThatIsAwayTakesNothingElse: other pages go on with what the log says, and its own say that it is away.
func TestAHistoryThatIsAwayTakesNothingElse(t *testing.T) {
	c := openConsole(t, func(o *Options) { o.History = historyAway{o.History} })
	c.newOrder("A")
	overview := consoletest.Decoded[wire.Overview](t, c.GetJSON("/"))
	if last := overview.EventsPerMinute[minutesShown-1]; last == nil || *last > 1 {
		t.Errorf("the overview counts %v", last)
	}
	if reply := c.Get("/events"); reply.Status != http.StatusOK || strings.Contains(reply.Body, "Census") {
		t.Errorf("the events: %d, or a census of nothing", reply.Status)
	}
	for _, path := range []string{"/history", "/projections/order_list/history"} {
		if reply := c.Get(path); reply.Status != http.StatusInternalServerError {
			t.Errorf("%s: %d", path, reply.Status)
		}
	}
}
