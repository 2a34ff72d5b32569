package runner

import (
	"context"
	"errors"
	"slices"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/orders"
	"headway/projections"
)

// job is an order that is behind.
type job struct {
	id   domain.OrderID
	row  projections.Row   // nil if there is none
	held *projections.Hold // the hold that is tried again
}

func (j job) version() int {
	if j.row == nil {
		return 0
	}
	return j.row.At()
}

// behind finds the orders whose rows are older than their heads; of the held ones only those that are to be tried again.
func (w *worker) behind(ctx context.Context, heads []eventstore.Head, retry bool) ([]job, error) {
	if len(heads) == 0 {
		return nil, nil
	}
	ids := make([]domain.OrderID, len(heads))
	for i, h := range heads {
		ids[i] = orders.IDOf(h.Stream)
	}
	rows, err := w.read.Rows(ctx, w.name, ids...)
	if err != nil {
		return nil, readFailed(err)
	}
	holds, err := w.read.Holds(ctx, w.name, ids...)
	if err != nil {
		return nil, readFailed(err)
	}
	held := make(map[domain.OrderID]*projections.Hold, len(holds))
	for i, h := range holds {
		held[h.OrderID] = &holds[i]
	}
	var work []job
	for _, h := range heads {
		j := job{id: orders.IDOf(h.Stream), row: rows[orders.IDOf(h.Stream)], held: held[orders.IDOf(h.Stream)]}
		if j.held != nil && j.held.Version <= j.version() {
			work = append(work, j) // the row has passed what held it: a late hold of a process that was no holder any more
		} else if j.version() < h.Version && (j.held == nil || retry) {
			work = append(work, j)
		}
	}
	return work, nil
}

// prepared is a batch with the jobs it is of.
type prepared struct {
	batch   projections.Batch
	work    []job
	events  int
	reaches map[domain.OrderID]int // the version each order's row will have; 0 if it has none
}

// prepare reads the events of orders after the versions of their rows, and folds them. An order that is held waits, unless it is to be
// tried again.
func (w *worker) prepare(ctx context.Context, heads []eventstore.Head, checkpoint eventstore.Cursor, retry bool) (prepared, error) {
	work, err := w.behind(ctx, heads, retry)
	if err != nil {
		return prepared{}, err
	}
	b := prepared{
		batch: projections.Batch{Key: w.key, Epoch: w.term.epoch, Checkpoint: checkpoint}, work: work,
		reaches: make(map[domain.OrderID]int, len(work)),
	}
	results, err := w.foldAll(ctx, work)
	if err != nil {
		return prepared{}, err
	}
	for i, r := range results {
		b.reaches[work[i].id] = work[i].version()
		if r.row != nil && r.row.At() > work[i].version() {
			b.batch.Rows = append(b.batch.Rows, r.row)
			b.events += r.row.At() - work[i].version()
			b.reaches[work[i].id] = r.row.At()
		}
		switch held := work[i].held; {
		case r.hold != nil:
			b.batch.Holds = append(b.batch.Holds, w.holdOf(work[i], *r.hold))
		case held != nil:
			b.batch.Released = append(b.batch.Released, work[i].id)
		}
	}
	return b, nil
}

// write stores a batch, the checkpoint after its rows. A row that the read store can never keep becomes a hold of its order, so that the
// others go on; there are at most as many of those as rows.
func (w *worker) write(ctx context.Context, p *prepared) error {
	batch := &p.batch
	if len(batch.Rows)+len(batch.Holds)+len(batch.Released) == 0 && (batch.Checkpoint == "" || batch.Checkpoint == batch.After) {
		return nil
	}
	for {
		err := w.read.Write(ctx, *batch)
		rejected, ok := errors.AsType[*projections.RejectedRow](err)
		if !ok {
			return readFailed(err)
		}
		i := slices.IndexFunc(batch.Rows, func(r projections.Row) bool { return r.Order() == rejected.OrderID })
		if i < 0 {
			return readFailed(err)
		}
		w.opts.Log.Error("the read store can never keep a row", "projection", w.name, "order", rejected.OrderID, "error", rejected)
		refused := func(id domain.OrderID) bool { return id == rejected.OrderID }
		j := p.work[slices.IndexFunc(p.work, func(j job) bool { return refused(j.id) })]
		hold := w.holdOf(j, orders.Hold{Version: batch.Rows[i].At(), Reason: rejected.Reason})
		batch.Rows = slices.Delete(batch.Rows, i, i+1)
		batch.Released = slices.DeleteFunc(batch.Released, refused)
		batch.Holds = append(slices.DeleteFunc(batch.Holds, func(h projections.Hold) bool { return refused(h.OrderID) }), hold)
	}
}

// flight is a write that is under way.
type flight struct {
	prepared
	ended chan struct{} // closed when the others are known
	at    time.Time     // when it was acknowledged
	err   error
}

// launch writes a batch, and tells what it wrote.
func (w *worker) launch(ctx context.Context, b prepared) *flight {
	b.batch.After = w.checkpoint
	f := &flight{prepared: b, ended: make(chan struct{})}
	rebuilding := w.rebuilding
	go func() {
		defer close(f.ended)
		began := time.Now()
		f.err = w.write(ctx, &f.prepared)
		if f.err == nil && w.recorder != nil {
			w.recorder.wrote(w.name, time.Since(began))
		}
		if f.at = w.opts.Clock().UTC(); f.err == nil {
			w.acknowledged(f.batch, f.at, rebuilding)
		}
	}()
	return f
}

// without leaves out the orders that will be there when the write ends.
func (f *flight) without(heads []eventstore.Head) []eventstore.Head {
	if f == nil {
		return heads
	}
	return slices.DeleteFunc(heads, func(h eventstore.Head) bool { return f.reaches[orders.IDOf(h.Stream)] >= h.Version })
}

// has tells whether the write is of one of these orders.
func (f *flight) has(heads []eventstore.Head) bool {
	return f != nil && slices.ContainsFunc(heads, func(h eventstore.Head) bool { _, of := f.reaches[orders.IDOf(h.Stream)]; return of })
}

// acknowledged tells what was written. When a row of a log that is projected again first arrived is not known.
func (w *worker) acknowledged(batch projections.Batch, at time.Time, rebuilding bool) {
	arrived := at
	if rebuilding {
		arrived = time.Time{}
	}
	w.positions.tell(w.name, batch.Rows, arrived)
	for _, h := range batch.Holds {
		w.opts.Log.Warn("an order is held", "projection", w.name, "order", h.OrderID, "version", h.Version, "reason", h.Reason)
		if w.opts.OnHold != nil {
			w.opts.OnHold(h)
		}
	}
}

// holdOf is a hold as it is stored; one that stays as it was keeps its time.
func (w *worker) holdOf(j job, hold orders.Hold) projections.Hold {
	h := projections.Hold{
		Key: w.key, OrderID: j.id, Version: hold.Version, Reason: hold.Reason,
		Since: w.opts.Clock().UTC().Truncate(time.Microsecond),
	}
	if j.held != nil && j.held.Version == h.Version {
		h.Since = j.held.Since
	}
	return h
}
