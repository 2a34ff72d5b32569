package console

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/a-h/templ"

	"headway/cmd/web/console/input"
	"headway/cmd/web/console/wire"
	"headway/eventstore"
	"headway/orders"
	"headway/projections"
	"headway/projections/history"
	"headway/views"
)

// The bounds of what is asked of the history.
const (
	minutesShown = 60                  // on the overview
	bucketsShown = 60                  // unless it is said from when
	censusOver   = 30 * 24 * time.Hour // the events of so long are counted by type and schema version
	historyAnew  = 10 * time.Second    // what pages know of the history is read again after so long
	newestAnew   = time.Second         // and the newest events of the log, if the first few do not reach back far enough
)

// eventHistory is GET /history: how many events were stored in each minute or hour.
func (s *Server) eventHistory(r *http.Request, q *input.Query) (answer, error) {
	step := history.Step(cmp.Or(q.Get("step"), string(history.Minute)))
	if !slices.Contains(history.Steps(), step) {
		q.Complain("step", "“%s” is not a step; those are %s.", input.Clip(string(step)), joined(history.Steps()))
	}
	from, to := q.Time("from", s.zone), q.Time("to", s.zone)
	if err := q.Err(); err != nil {
		return answer{}, err
	}
	if to.IsZero() {
		to = s.clock()
	}
	if from.IsZero() {
		from = to.Truncate(step.Length()).Add(-bucketsShown * step.Length())
	}
	buckets, err := s.history.Buckets(r.Context(), step, from, to)
	if err != nil {
		return answer{}, err
	}
	m := views.HistoryPage{Step: string(step), To: q.Get("to")}
	types := map[string]bool{}
	for _, b := range buckets {
		row := views.HistoryBucket{At: b.At, Total: b.Total(), ByType: b.ByType()}
		for t := range row.ByType {
			types[t] = true
		}
		m.Buckets = append(m.Buckets, row)
	}
	m.Types = slices.Sorted(maps.Keys(types))
	if len(buckets) == history.MaxBuckets {
		m.Next = buckets[len(buckets)-1].At.Add(step.Length()).Format(time.RFC3339)
	}
	slices.Reverse(m.Buckets)
	return answer{
		title: "Events, " + string(step) + " by " + string(step), nav: views.NavOverview,
		page: func(f views.Frame) templ.Component { return views.History(f, m) },
		json: func() any { return wire.EventHistory{Buckets: wire.ListOf(buckets, wire.EventBucketOf)} },
	}, nil
}

// span is how far back the history of a projection goes, and in which step.
type span struct {
	name string
	step history.Step
	over time.Duration
}

func spans() []span {
	return []span{{"1h", history.Minute, time.Hour}, {"24h", history.Minute, 24 * time.Hour}, {"30d", history.Hour, 30 * 24 * time.Hour}}
}

func (p span) String() string { return p.name }

// projectionHistory is GET /projections/{name}/history: the highest that was seen of a projection in each minute or hour.
func (s *Server) projectionHistory(r *http.Request, q *input.Query) (answer, error) {
	declared, err := declaredAt(r)
	if err != nil {
		return answer{}, err
	}
	names := wire.ListOf(spans(), span.String)
	i := slices.Index(names, cmp.Or(q.Get("span"), names[0]))
	if i < 0 {
		q.Complain("span", "“%s” is not a span; those are %s.", input.Clip(q.Get("span")), joined(names))
	}
	if err := q.Err(); err != nil {
		return answer{}, err
	}
	name, asked, now := projections.All()[declared].Name, spans()[i], s.clock()
	buckets, err := s.history.Buckets(r.Context(), asked.step, now.Truncate(asked.step.Length()).Add(-asked.over), now)
	if err != nil {
		return answer{}, err
	}
	m := views.ProjectionHistoryPage{Name: name, Span: asked.name, Spans: names, Hours: asked.step == history.Hour}
	out := []wire.ProjectionBucket{}
	for _, b := range buckets {
		if seen, known := b.Projections[name]; known {
			out = append(out, wire.ProjectionBucketOf(b.At, seen))
			m.Buckets = append(m.Buckets, views.ProjectionBucket{
				At: b.At, Lag: projections.Lag{Events: seen.LagEvents, Age: seen.Lag}, Rate: seen.Rate, Holds: seen.Holds, Batch: seen.Batch,
			})
		}
	}
	slices.Reverse(m.Buckets)
	return answer{
		title: views.Label(name) + ": history", nav: views.NavProjections,
		page: func(f views.Frame) templ.Component { return views.ProjectionHistory(f, m) },
		json: func() any { return wire.ProjectionHistory{Buckets: out} },
	}, nil
}

// recent is what was stored lately, for pages that show it beside other things: as the history knows it, and, of what that does not know
// yet, as the newest events of the log tell. It is safe for concurrent use.
type recent struct {
	events  eventstore.Store
	history history.Store
	minutes kept[[]history.Bucket]
	hours   kept[[]history.Bucket]
	newest  kept[newest]
}

// newest are the newest events of the log.
type newest struct {
	records []eventstore.Record // newest first
	all     bool                // there are no others
}

// kept is an answer that is good for a while. Two who ask at once may both read it.
type kept[T any] struct {
	mu    sync.Mutex
	value T
	at    time.Time // when it was read; zero before
}

func (k *kept[T]) get(now time.Time, goodFor time.Duration, read func() (T, error)) (T, error) {
	k.mu.Lock()
	value, at := k.value, k.at
	k.mu.Unlock()
	if !at.IsZero() && now.Sub(at) < goodFor {
		return value, nil
	}
	value, err := read()
	if err == nil {
		k.mu.Lock()
		k.value, k.at = value, now
		k.mu.Unlock()
	}
	return value, err
}

// perMinute counts the events of each of the last minutes. first are the newest events as they were read just now. Without the history
// the log alone counts.
func (c *recent) perMinute(ctx context.Context, first newest, now time.Time) ([]projections.Count, error) {
	minutes, _ := c.minutes.get(now, historyAnew, func() ([]history.Bucket, error) {
		return c.history.Buckets(ctx, history.Minute, now.Add(-minutesShown*time.Minute), now)
	})
	counts := perMinute(minutes, first, now)
	if first.all || !slices.ContainsFunc(counts, func(n projections.Count) bool { return !n.IsExact }) {
		return counts, nil
	}
	more, err := c.newest.get(now, newestAnew, func() (newest, error) {
		records, next, err := c.events.ByType(ctx, orders.Category, "", "", eventstore.MaxPage)
		return newest{records, next == ""}, err
	})
	return perMinute(minutes, more, now), err
}

// perMinute counts the events of each of the last minutes, oldest first; the last is the running one. A minute that the history has is as
// it says. Others are counted among the newest events; one that these do not cover is not known, but for the running one, which then has
// at least so many.
func perMinute(minutes []history.Bucket, newest newest, now time.Time) []projections.Count {
	first := now.Truncate(time.Minute).Add(-(minutesShown - 1) * time.Minute)
	place := func(at time.Time) (int, bool) {
		i := int(at.Sub(first) / time.Minute)
		return i, !at.Before(first) && i < minutesShown
	}
	counts := make([]projections.Count, minutesShown)
	covered := first // from where on the newest events are all that there are
	if n := len(newest.records); !newest.all && n > 0 {
		covered = newest.records[n-1].StoredAt.Add(1) // at the same moment there may be others
	} else if !newest.all {
		covered = now
	}
	for _, e := range newest.records {
		if i, shown := place(e.StoredAt); shown {
			counts[i].N++
		}
	}
	for i := range counts {
		if counts[i].IsExact = !first.Add(time.Duration(i) * time.Minute).Before(covered); !counts[i].IsExact && i < minutesShown-1 {
			counts[i].N = 0
		}
	}
	for _, b := range minutes {
		if i, shown := place(b.At); shown {
			counts[i] = projections.Count{N: b.Total(), IsExact: true}
		}
	}
	return counts
}

// census is how many events of each type and schema were stored in the last days: since when, and of how many hours since then nothing is
// known. Without the history there is none.
func (c *recent) census(ctx context.Context, now time.Time) (list []views.Census, since time.Time, lacks int) {
	hours, _ := c.hours.get(now, historyAnew, func() ([]history.Bucket, error) {
		return c.history.Buckets(ctx, history.Hour, now.Add(-censusOver), now)
	})
	return census(hours, now)
}

func census(hours []history.Bucket, now time.Time) (list []views.Census, since time.Time, lacks int) {
	if len(hours) == 0 {
		return nil, time.Time{}, 0
	}
	counts, over := map[history.EventType]int{}, 0
	for _, b := range hours {
		if b.At.Before(now.Truncate(time.Hour)) {
			over++
		}
		for t, n := range b.Events {
			counts[t] += n
		}
	}
	for t, n := range counts {
		list = append(list, views.Census{Type: t.Name, Schema: t.Schema, Count: n})
	}
	slices.SortFunc(list, func(a, b views.Census) int { return cmp.Or(cmp.Compare(a.Type, b.Type), a.Schema-b.Schema) })
	since = hours[0].At
	return list, since, int(now.Truncate(time.Hour).Sub(since)/time.Hour) - over
}
