package history_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"headway/projections/history"
)

var nine = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

func created() history.EventType { return history.EventType{Name: "OrderCreated", Schema: 2} }

// minutes are buckets from a time on; the n-th has n events.
func minutes(from time.Time, n int) []history.Bucket {
	var list []history.Bucket
	for i := range n {
		b := history.Bucket{At: from.Add(time.Duration(i) * time.Minute)}
		b.Count(created(), i)
		list = append(list, b)
	}
	return list
}

func TestAnHourIsMadeOfAllItsMinutesOrNotAtAll(t *testing.T) {
	for name, c := range map[string]struct {
		minutes []history.Bucket
		end     time.Time
		want    map[time.Time]int // totals
	}{
		"none":                     {nil, nine, nil},
		"a whole one":              {minutes(nine, 60), nine.Add(time.Hour), map[time.Time]int{nine: 1770}},
		"a running one":            {minutes(nine, 5), nine.Add(5 * time.Minute), map[time.Time]int{nine: 10}},
		"a running one that lacks": {minutes(nine, 5), nine.Add(6 * time.Minute), nil},
		"one that began too late":  {minutes(nine.Add(time.Minute), 59), nine.Add(time.Hour), nil},
		"one with a hole":          {append(minutes(nine, 20), minutes(nine.Add(21*time.Minute), 39)...), nine.Add(time.Hour), nil},
		"one after another":        {minutes(nine, 90), nine.Add(90 * time.Minute), map[time.Time]int{nine: 1770, nine.Add(time.Hour): 2235}},
		"one after a part of another": {
			minutes(nine.Add(50*time.Minute), 70), nine.Add(2 * time.Hour), map[time.Time]int{nine.Add(time.Hour): 2370},
		},
		"one and a part in a past": {minutes(nine, 90), nine.Add(3 * time.Hour), map[time.Time]int{nine: 1770}},
	} {
		got := map[time.Time]int{}
		for _, h := range history.Hours(c.minutes, c.end) {
			got[h.At] = h.Total()
		}
		if len(got)+len(c.want) > 0 && !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, not %v", name, got, c.want)
		}
	}
}

func TestABucketHasTheHighestThatWasSeen(t *testing.T) {
	minute := history.Bucket{At: nine}
	minute.See("order_list", history.Sample{LagEvents: 7, Lag: time.Second, Rate: 10, Holds: 0, Batch: 30 * time.Millisecond})
	minute.See("order_list", history.Sample{LagEvents: 2, Lag: 3 * time.Second, Rate: 90, Holds: 1, Batch: 20 * time.Millisecond})
	want := history.Sample{LagEvents: 7, Lag: 3 * time.Second, Rate: 90, Holds: 1, Batch: 30 * time.Millisecond}
	next := history.Bucket{At: nine.Add(time.Minute)}
	next.See("order_list", history.Sample{LagEvents: 8})
	next.See("customer_order_summary", history.Sample{Holds: 3})
	hours := history.Hours([]history.Bucket{minute, next}, nine.Add(2*time.Minute))
	if len(hours) != 1 {
		t.Fatalf("%d hours", len(hours))
	}
	if got := minute.Projections["order_list"]; got != want {
		t.Errorf("%+v, not %+v", got, want)
	}
	want.LagEvents = 8
	if got := hours[0].Projections; got["order_list"] != want || got["customer_order_summary"].Holds != 3 {
		t.Errorf("the hour has %+v", got)
	}
}

func TestTypesBeyondABoundAreCountedTogether(t *testing.T) {
	b := history.Bucket{At: nine}
	for i := range 2 * history.MaxTypes {
		b.Count(history.EventType{Name: fmt.Sprint("T", i)}, 1)
	}
	if len(b.Events) != history.MaxTypes || b.Total() != 2*history.MaxTypes || b.Events[history.Other()] != history.MaxTypes+1 {
		t.Errorf("%d types, %d events, %d others", len(b.Events), b.Total(), b.Events[history.Other()])
	}
}

// What is stored today is read for ever: this text is not to be changed, but others may come beside it.
func TestTheStoredFormStays(t *testing.T) {
	const text = `{"events":[{"type":"OrderCreated","schema":1,"n":2},{"type":"OrderCreated","schema":2,"n":40}],` +
		`"projections":{"order_list":{"lagEvents":3,"lagMs":1500,"rate":12.5,"holds":1,"batchMs":8}}}`
	b := history.Bucket{At: nine}
	b.Count(created(), 40)
	b.Count(history.EventType{Name: "OrderCreated", Schema: 1}, 2)
	b.See("order_list", history.Sample{LagEvents: 3, Lag: 1500 * time.Millisecond, Rate: 12.5, Holds: 1, Batch: 8 * time.Millisecond})
	data, err := history.Encode(b)
	if err != nil || string(data) != text {
		t.Errorf("%s, %v", data, err)
	}
	back, err := history.Decode(nine, []byte(text))
	if err != nil || !reflect.DeepEqual(back, b) {
		t.Errorf("%+v, %v", back, err)
	}
	if _, err := history.Decode(nine, []byte(`{"events":7}`)); err == nil {
		t.Error("what cannot be read is an error")
	}
}
