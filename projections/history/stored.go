package history

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"
)

// stored is a bucket as engines keep it, beside its step and its time. Fields may be added; one that is missing is zero.
type stored struct {
	Events      []storedEvents          `json:"events"`
	Projections map[string]storedSample `json:"projections,omitempty"`
}

type storedEvents struct {
	Type   string `json:"type"`
	Schema int    `json:"schema"`
	N      int    `json:"n"`
}

type storedSample struct {
	LagEvents int     `json:"lagEvents"`
	LagMs     int64   `json:"lagMs"`
	Rate      float64 `json:"rate"`
	Holds     int     `json:"holds"`
	BatchMs   int64   `json:"batchMs"`
}

// Encode is what a bucket has, as JSON: always the same for the same bucket. Its time is not in it.
func Encode(b Bucket) ([]byte, error) {
	s := stored{Events: []storedEvents{}}
	for t, n := range b.Events {
		s.Events = append(s.Events, storedEvents{t.Name, t.Schema, n})
	}
	slices.SortFunc(s.Events, func(a, b storedEvents) int { return cmp.Or(cmp.Compare(a.Type, b.Type), a.Schema-b.Schema) })
	for name, p := range b.Projections {
		if s.Projections == nil {
			s.Projections = map[string]storedSample{}
		}
		s.Projections[name] = storedSample{p.LagEvents, p.Lag.Milliseconds(), p.Rate, p.Holds, p.Batch.Milliseconds()}
	}
	return json.Marshal(s)
}

// Decode is the reverse of Encode.
func Decode(at time.Time, data []byte) (Bucket, error) {
	var s stored
	if err := json.Unmarshal(data, &s); err != nil {
		return Bucket{}, err
	}
	b := Bucket{At: at.UTC()}
	if len(s.Events) > 0 {
		b.Events = make(map[EventType]int, len(s.Events))
	}
	for _, e := range s.Events {
		b.Events[EventType{e.Type, e.Schema}] = e.N
	}
	for name, p := range s.Projections {
		b.See(name, Sample{
			p.LagEvents, time.Duration(p.LagMs) * time.Millisecond, p.Rate, p.Holds, time.Duration(p.BatchMs) * time.Millisecond,
		})
	}
	return b, nil
}

// Seconds is the first whole second since 1970 that is not before a time. As a bound, it has the same buckets on one side as the time has.
func Seconds(t time.Time) int64 {
	if t.Nanosecond() > 0 {
		return t.Unix() + 1
	}
	return t.Unix()
}
