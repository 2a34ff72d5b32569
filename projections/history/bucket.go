// Package history is what is kept of the time that has passed: how many events were stored in each minute and hour, and how the
// projections were meanwhile. It lies beside the rows, in a place of its own, and outlives them.
//
// A bucket is there or it is not: one that is there counts every event that was stored in its time, and of a time without a bucket
// nothing is known. Nothing is ever added to a bucket; it is replaced as a whole, so that whoever counts again gets the same.
package history

import (
	"maps"
	"time"
)

// MaxTypes is how many types and schemas of events one bucket tells apart; the events of further ones are counted together as Other.
const MaxTypes = 200

// Step is how long a bucket is.
type Step string

// The steps that there are.
const (
	Minute Step = "minute"
	Hour   Step = "hour"
)

// Steps are all of them.
func Steps() []Step { return []Step{Minute, Hour} }

// Length is how long one bucket of the step is.
func (s Step) Length() time.Duration {
	if s == Hour {
		return time.Hour
	}
	return time.Minute
}

// Kept is how long a bucket of the step is kept: minutes for 48 hours, hours for 400 days.
func (s Step) Kept() time.Duration {
	if s == Hour {
		return 400 * 24 * time.Hour
	}
	return 48 * time.Hour
}

// EventType is a type of events in one of its schemas, as it is stored.
type EventType struct {
	Name   string
	Schema int
}

// Other is the type of those that a bucket has no room for.
func Other() EventType { return EventType{Name: "other"} }

// Bucket is one minute or hour.
type Bucket struct {
	At          time.Time         // when it begins, UTC, a whole one
	Events      map[EventType]int // the orders' events with a StoredAt in it; every one
	Projections map[string]Sample // by name; a projection that nobody looked at has none
}

// Sample is the highest that was seen of a projection in the time of a bucket.
type Sample struct {
	LagEvents int           // not applied yet
	Lag       time.Duration // the age of the oldest of them, whole milliseconds
	Rate      float64       // events a second
	Holds     int
	Batch     time.Duration // the longest that a batch took to be written, whole milliseconds
}

// Total is how many events were stored.
func (b Bucket) Total() int {
	total := 0
	for _, n := range b.Events {
		total += n
	}
	return total
}

// ByType is how many were stored of each type, whatever their schema.
func (b Bucket) ByType() map[string]int {
	counts := map[string]int{}
	for t, n := range b.Events {
		counts[t.Name] += n
	}
	return counts
}

// Count counts so many more events of a type. It is for those who make a bucket.
func (b *Bucket) Count(t EventType, n int) {
	if b.Events == nil {
		b.Events = map[EventType]int{}
	}
	if _, known := b.Events[t]; !known && len(b.Events) >= MaxTypes-1 {
		t = Other()
	}
	b.Events[t] += n
}

// See notes what was seen of a projection, beside what was seen of it before. It is for those who make a bucket.
func (b *Bucket) See(projection string, s Sample) {
	if b.Projections == nil {
		b.Projections = map[string]Sample{}
	}
	b.Projections[projection] = b.Projections[projection].highest(s)
}

// highest is the highest of each number.
func (s Sample) highest(o Sample) Sample {
	return Sample{
		max(s.LagEvents, o.LagEvents), max(s.Lag, o.Lag), max(s.Rate, o.Rate), max(s.Holds, o.Holds), max(s.Batch, o.Batch),
	}
}

// Clone is a bucket that shares no memory with this one.
func (b Bucket) Clone() Bucket {
	return Bucket{b.At, maps.Clone(b.Events), maps.Clone(b.Projections)}
}

// Hours are the hours that minutes make, oldest first: those of which every minute that is over at end is among them. The minutes are
// oldest first, and none is there twice. The hour in which end lies has the minutes until then.
func Hours(minutes []Bucket, end time.Time) []Bucket {
	var hours []Bucket
	for i := 0; i < len(minutes); {
		hour := Bucket{At: minutes[i].At.Truncate(time.Hour)}
		until := hour.At.Add(time.Hour)
		if end.Before(until) {
			until = end
		}
		n := 0
		for ; i < len(minutes) && minutes[i].At.Before(hour.At.Add(time.Hour)); i++ {
			n++
			for t, events := range minutes[i].Events {
				hour.Count(t, events)
			}
			for name, s := range minutes[i].Projections {
				hour.See(name, s)
			}
		}
		if n == int(until.Sub(hour.At)/time.Minute) {
			hours = append(hours, hour)
		}
	}
	return hours
}
