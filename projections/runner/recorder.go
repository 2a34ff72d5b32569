package runner

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"headway/eventstore"
	"headway/internal/waiting"
	"headway/orders"
	"headway/projections"
	"headway/projections/history"
)

// The bounds of the recorder.
const (
	sampleEvery   = 10 * time.Second // how often it is looked how the projections are
	firstSample   = time.Second      // after the lease was taken: a start is not to wait for what was missed to be counted
	countAfter    = 5 * time.Second  // its end a minute is counted
	countAgain    = 2 * time.Minute  // that were counted before are counted again with every minute: an index may show an event late
	maxCountPages = 200              // of the log, of eventstore.MaxPage events each, for one count
	maxSampled    = 120              // minutes that are kept until they can be stored
)

// recorder keeps the history while its process holds the lease. A minute that is over is counted from the log, newest first, back to
// where it began; what the process missed is counted when it begins, as far back as minutes are kept. A minute that such a count does not
// reach is left out. Hours are made of minutes. How the projections were is what was seen meanwhile: of a time in which no process looked
// nothing is known.
type recorder struct {
	events eventstore.Store
	store  history.Store
	look   func(ctx context.Context, now time.Time) ([]projections.Status, error)
	clock  func() time.Time
	log    *slog.Logger

	counted time.Time // every minute before it has been counted, or given up; zero until the store was asked
	failing bool      // which has been logged

	mu   sync.Mutex
	seen []history.Bucket // minutes with what was seen in them, oldest first, until they are stored
}

// run looks and counts until ctx ends. While the lease is another's it waits for that to change.
func (r *recorder) run(ctx context.Context, e *elector) {
	for wait := firstSample; ctx.Err() == nil; wait = sampleEvery {
		term, changed := e.now()
		for waiting.ForNews(ctx, wait, changed, nil) {
			term, changed = e.now()
			wait = firstSample
		}
		if ctx.Err() == nil {
			r.say(ctx, r.step(ctx, term.epoch != 0))
		}
	}
}

// say logs the first of several failures, and that they are over.
func (r *recorder) say(ctx context.Context, err error) {
	switch failed := err != nil && ctx.Err() == nil; {
	case failed && !r.failing:
		r.log.Warn("the history cannot be kept; it is tried again", "error", err)
		r.failing = true
	case err == nil && r.failing:
		r.log.Info("the history is kept again")
		r.failing = false
	}
}

// step looks once, and counts the minutes that are over and were not counted yet.
func (r *recorder) step(ctx context.Context, holds bool) error {
	if !holds { // whoever does has counted meanwhile
		r.counted = time.Time{}
		return nil
	}
	now := r.clock().UTC()
	statuses, err := r.look(ctx, now)
	if err != nil {
		return err
	}
	for _, s := range statuses {
		if s.State != projections.Unreachable { // else its lag is not known
			r.see(now, s.Name, history.Sample{LagEvents: s.Lag.Events, Lag: s.Lag.Age, Rate: s.Rate, Holds: len(s.Holds)})
		}
	}
	if end := now.Add(-countAfter).Truncate(time.Minute); end.After(r.counted) {
		return r.record(ctx, end)
	}
	return nil
}

// wrote notes how long a batch took.
func (r *recorder) wrote(projection string, took time.Duration) {
	r.see(r.clock(), projection, history.Sample{Batch: took})
}

// see notes what was seen of a projection, in whole milliseconds. It may be called at any time.
func (r *recorder) see(at time.Time, projection string, s history.Sample) {
	s.Lag, s.Batch = s.Lag.Truncate(time.Millisecond), s.Batch.Truncate(time.Millisecond)
	minute := at.UTC().Truncate(time.Minute)
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.seen); n == 0 || r.seen[n-1].At.Before(minute) {
		r.seen = append(r.seen, history.Bucket{At: minute})
		r.seen = r.seen[max(0, len(r.seen)-maxSampled):]
	}
	r.seen[len(r.seen)-1].See(projection, s)
}

// sampled is what was seen in minutes before a time.
func (r *recorder) sampled(end time.Time) []history.Bucket {
	r.mu.Lock()
	defer r.mu.Unlock()
	var before []history.Bucket
	for _, b := range r.seen {
		if b.At.Before(end) {
			before = append(before, b.Clone())
		}
	}
	return before
}

// stored lets go of what was seen in minutes before a time.
func (r *recorder) stored(end time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.seen) > 0 && r.seen[0].At.Before(end) {
		r.seen = r.seen[1:]
	}
}

// record stores the minutes before end that were not counted yet, those that are counted again, and their hours.
func (r *recorder) record(ctx context.Context, end time.Time) error {
	earliest := end.Add(-history.Minute.Kept())
	from := r.counted
	if from.IsZero() {
		kept, err := r.store.Buckets(ctx, history.Minute, earliest, end)
		if err != nil {
			return err
		}
		if len(kept) > 0 {
			from = kept[len(kept)-1].At.Add(time.Minute)
		}
	}
	if from = from.Add(-countAgain); from.Before(earliest) {
		from = earliest
	}
	minutes, err := r.count(ctx, from, end)
	if err != nil {
		return err
	}
	if len(minutes) > 0 {
		if err := r.keep(ctx, minutes, end); err != nil {
			return err
		}
	}
	if first := end.Add(-time.Duration(len(minutes)) * time.Minute); first.After(from) {
		r.log.Warn("more events were stored than are counted for the history", "from", from, "counted from", first)
	}
	r.counted = end
	r.stored(end)
	return errors.Join(
		r.store.Forget(ctx, history.Minute, earliest),
		r.store.Forget(ctx, history.Hour, end.Add(-history.Hour.Kept())),
	)
}

// keep stores minutes with what was seen in them, now and when they were stored before, and the hours that they belong to.
func (r *recorder) keep(ctx context.Context, minutes []history.Bucket, end time.Time) error {
	first := minutes[0].At
	before, err := r.store.Buckets(ctx, history.Minute, first.Truncate(time.Hour), end)
	if err != nil {
		return err
	}
	all := before[:0]
	for _, b := range before {
		if b.At.Before(first) {
			all = append(all, b) // of the same hour
			continue
		}
		sampled(minutes, b)
	}
	for _, b := range r.sampled(end) {
		sampled(minutes, b)
	}
	if err := r.store.Put(ctx, history.Minute, minutes...); err != nil {
		return err
	}
	return r.store.Put(ctx, history.Hour, history.Hours(append(all, minutes...), end)...)
}

// sampled adds what was seen in a minute to its bucket, if it has one among these, which follow one another.
func sampled(minutes []history.Bucket, seen history.Bucket) {
	if i := int(seen.At.Sub(minutes[0].At) / time.Minute); i >= 0 && i < len(minutes) {
		for name, s := range seen.Projections {
			minutes[i].See(name, s)
		}
	}
}

// count counts the events of each minute in [from, end), by the log's own listing: only those minutes that it was read through.
func (r *recorder) count(ctx context.Context, from, end time.Time) ([]history.Bucket, error) {
	minutes := make([]history.Bucket, 0, end.Sub(from)/time.Minute)
	for at := from; at.Before(end); at = at.Add(time.Minute) {
		minutes = append(minutes, history.Bucket{At: at})
	}
	var before eventstore.Cursor
	reached := end
	for range maxCountPages {
		records, next, err := r.events.ByType(ctx, orders.Category, "", before, eventstore.MaxPage)
		if err != nil {
			return nil, eventsFailed(err)
		}
		for _, e := range records {
			if e.StoredAt.Before(from) {
				return minutes, nil
			}
			if reached = e.StoredAt; reached.Before(end) {
				minutes[reached.Sub(from)/time.Minute].Count(history.EventType{Name: e.EventType, Schema: e.SchemaVersion}, 1)
			}
		}
		if next == "" {
			return minutes, nil
		}
		before = next
	}
	unread := int(reached.Sub(from)/time.Minute) + 1 // of the minute in which it stopped there may be more
	return minutes[min(unread, len(minutes)):], nil
}
