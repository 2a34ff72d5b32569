package views

import (
	"time"

	"headway/fault"
)

// The shapes of a time in text.
const (
	shapeMinute = "2006-01-02 15:04"
	shapeSecond = "2006-01-02 15:04:05"
	shapeClock  = "15:04:05"
	shapeDay    = "Monday 2 January 2006"
	shapeExact  = "2006-01-02 15:04:05.000 MST"
	shapeDate   = "2006-01-02"
)

// localShape tells the script which shape to write in the reader's own zone.
func localShape(shape string) string {
	switch shape {
	case shapeSecond:
		return "second"
	case shapeClock:
		return "clock"
	case shapeDay:
		return "day"
	}
	return "minute"
}

// in is the time in a zone; nil is UTC.
func in(t time.Time, zone *time.Location) time.Time {
	if zone == nil {
		zone = time.UTC
	}
	return t.In(zone)
}

// rfc3339 is the machine's form: UTC, to the millisecond.
func rfc3339(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// number groups a count: 12,345.
func number[N int | int64](n N) string {
	return fault.Number(n)
}

// atLeast is a count that may stop at a bound: "1,000+".
func atLeast(n int, exact bool) string {
	if exact {
		return number(n)
	}
	return number(n) + "+"
}

// count is a number with its noun: "1 line", "3 lines". The plural adds an s.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(n) + " " + noun + "s"
}

// Day is a run of entries of one calendar day.
type Day struct {
	Start   time.Time
	Entries []TimelineEntry
}

// Days cuts a list where the calendar day of the business time changes in the zone. The order stays as it is.
func Days(list []TimelineEntry, zone *time.Location) []Day {
	var days []Day
	last := ""
	for _, h := range list {
		at := in(h.BusinessAt, zone)
		if date := at.Format(shapeDate); date != last {
			days, last = append(days, Day{Start: at}), date
		}
		day := &days[len(days)-1]
		day.Entries = append(day.Entries, h)
	}
	return days
}
