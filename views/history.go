package views

import (
	"strconv"
	"time"

	"github.com/a-h/templ"

	"headway/projections"
)

// HistoryPage is GET /history.
type HistoryPage struct {
	Step    string          // minute or hour
	Types   []string        // the event types that were stored in this time: the columns
	Buckets []HistoryBucket // newest first; one that is missing is not known
	Next    string          // from when further buckets follow, as it is written in an address; empty if none do
	To      string          // until when, as it was asked for
}

// HistoryBucket is how many events were stored in a minute or hour.
type HistoryBucket struct {
	At     time.Time
	Total  int
	ByType map[string]int
}

// ProjectionHistoryPage is GET /projections/{name}/history.
type ProjectionHistoryPage struct {
	Name    string
	Span    string             // as it is asked for
	Spans   []string           // that can be asked for
	Hours   bool               // a bucket is an hour, not a minute
	Buckets []ProjectionBucket // newest first; one that is missing is not known
}

// ProjectionBucket is the highest that was seen of a projection in a minute or hour.
type ProjectionBucket struct {
	At    time.Time
	Lag   projections.Lag
	Rate  float64
	Holds int
	Batch time.Duration // the longest that a batch took to be written
}

func historyHref(step, from, to string) templ.SafeURL {
	return with("/history", "step", step, "from", from, "to", to)
}

func projectionHistoryHref(name, span string) templ.SafeURL {
	return with(string(projectionHref(name))+"/history", "span", span)
}

// stepNoun is what a row of the table is.
func stepNoun(hours bool) string {
	if hours {
		return "hour"
	}
	return "minute"
}

// oneStep is a step with its article.
func oneStep(step string) string {
	if step == "hour" {
		return "an hour"
	}
	return "a " + step
}

// batchWords is how long a batch took; none was written in a bucket that knows of none, or it took less than a millisecond.
func batchWords(d time.Duration) string {
	if d <= 0 {
		return "under 1 ms"
	}
	return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
}

// sum is how many events all buckets have.
func (m HistoryPage) sum() int {
	n := 0
	for _, b := range m.Buckets {
		n += b.Total
	}
	return n
}

// spark is what the chart of the overview has to say: of the minutes that are known exactly, and of the running one.
type spark struct {
	known   int // minutes
	sum     int
	highest int
	now     projections.Count
}

func sparkOf(perMinute []projections.Count) spark {
	var s spark
	for _, c := range perMinute {
		if c.IsExact {
			s.known, s.sum, s.highest = s.known+1, s.sum+c.N, max(s.highest, c.N)
		}
	}
	if len(perMinute) > 0 {
		s.now = perMinute[len(perMinute)-1]
	}
	return s
}

// words says what the bars show, and what they do not.
func (s spark) words() string {
	now := number(s.now.N) + " now"
	if !s.now.IsExact {
		now = number(s.now.N) + " or more now"
	}
	switch {
	case s.known == 0 && s.now.N == 0:
		return "not known"
	case s.known == 0:
		return now
	}
	return now + ", at most " + number(s.highest) + ", " + number(s.sum) + " in " + count(s.known, "minute")
}

// height is a minute's height of 32; one without events keeps a hairline, and one with any shows at least 2.
func (s spark) height(c projections.Count) int {
	if c.N <= 0 {
		return 1
	}
	return max(2, c.N*32/max(1, s.highest))
}
