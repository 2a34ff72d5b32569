package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"headway/domain"
	"headway/eventstore"
	"headway/orders"
	"headway/projections"
)

// folded is what came of a job.
type folded struct {
	row  projections.Row
	hold *orders.Hold
	err  error
}

// foldAll reads and folds several orders at once.
func (w *worker) foldAll(ctx context.Context, work []job) ([]folded, error) {
	results := make([]folded, len(work))
	next := make(chan int)
	var all sync.WaitGroup
	for range min(maxReads, (len(work)+readMany-1)/readMany) {
		all.Go(func() {
			for i := range next {
				to := min(i+readMany, len(work))
				w.foldSome(ctx, work[i:to], results[i:to])
			}
		})
	}
	for i := 0; i < len(work); i += readMany {
		next <- i
	}
	close(next)
	all.Wait()
	for _, r := range results {
		if r.err != nil {
			return nil, r.err
		}
	}
	return results, nil
}

// foldSome folds orders, with one request for all of them. One that was not answered whole is read alone.
func (w *worker) foldSome(ctx context.Context, work []job, results []folded) {
	read := map[domain.OrderID][]eventstore.Record{}
	if len(work) > 1 {
		after := make([]eventstore.Head, len(work))
		for i, j := range work {
			after[i] = eventstore.Head{Stream: orders.StreamOf(j.id), Version: j.version()}
		}
		records, err := w.tail.events.ReadMany(ctx, after, eventstore.MaxPage)
		if err != nil {
			results[0].err = eventsFailed(err)
			return
		}
		whole := len(records) < eventstore.MaxPage
		for len(records) > 0 {
			id := orders.IDOf(records[0].Stream)
			n := slices.IndexFunc(records, func(r eventstore.Record) bool { return orders.IDOf(r.Stream) != id })
			if n < 0 && !whole {
				break
			} else if n < 0 {
				n = len(records)
			}
			read[id], records = records[:n], records[n:]
		}
	}
	for i, j := range work {
		results[i] = w.foldOne(ctx, j, read[j.id])
	}
}

// foldOne folds an order after its row's version, and reads it if it was not. A gap is read once more, from the same place; one that stays
// is a hold: the stream itself is broken.
func (w *worker) foldOne(ctx context.Context, j job, records []eventstore.Record) folded {
	for again := false; ; again, records = true, nil {
		if records == nil {
			var err error
			if records, err = w.tail.events.Read(ctx, orders.StreamOf(j.id), j.version()); err != nil {
				return folded{err: eventsFailed(err)}
			}
		}
		row, hold, err := w.foldSafely(j.row, records)
		if err == nil {
			return folded{row: row, hold: hold}
		}
		gap, ok := errors.AsType[*projections.Gap](err)
		if !ok {
			return folded{err: err}
		}
		if again {
			reason := fmt.Sprintf("Version %d is missing.", gap.After+1)
			return folded{row: row, hold: &orders.Hold{Version: gap.Version, Reason: reason}}
		}
	}
}

// foldSafely folds event by event after a panic, so that a defect in reading one event holds its order there, and nothing else.
func (w *worker) foldSafely(row projections.Row, records []eventstore.Record) (projections.Row, *orders.Hold, error) {
	next, hold, err := w.foldOrPanic(row, records)
	if !errors.Is(err, errPanicked) {
		return next, hold, err
	}
	for i, r := range records {
		next, hold, err := w.foldOrPanic(row, records[i:i+1])
		if errors.Is(err, errPanicked) {
			return row, &orders.Hold{Version: r.Version, Reason: "The event cannot be read: its reader is defective."}, nil
		}
		if hold != nil || err != nil {
			return next, hold, err
		}
		row = next
	}
	return row, nil, nil
}

var errPanicked = errors.New("reading an event panicked")

func (w *worker) foldOrPanic(row projections.Row, records []eventstore.Record) (next projections.Row, hold *orders.Hold, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			w.opts.Log.Error("reading an event panicked", "projection", w.name, "panic", cause)
			err = errPanicked
		}
	}()
	return w.fold(w.opts.Codec, row, records)
}
