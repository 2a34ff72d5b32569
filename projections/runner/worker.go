package runner

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/internal/waiting"
	"headway/orders"
	"headway/projections"
)

// worker keeps one projection up with the log.
type worker struct {
	key       projections.Key
	name      string // of the key
	fold      func(domain.Codec, projections.Row, []eventstore.Record) (projections.Row, *orders.Hold, error)
	tail      *tail
	read      projections.Store
	opts      Options
	elector   *elector
	positions *positions
	recorder  *recorder // nil if no history is kept
	nudges    *nudges

	term       term // in which it works now
	loaded     bool // the checkpoint is the store's
	retried    bool // holds were tried again in this term
	rebuilding bool // rows are made from the beginning of the log: when they first arrived is not known
	checkpoint eventstore.Cursor
	reason     string
	meter      meter
	beatAt     time.Time
	askedAt    time.Time // when the feed was read to its end, not by the tail
	failures   int
}

func newWorker(
	p projections.Projection, t *tail, read projections.Store, e *elector, at *positions, r *recorder, opts Options,
) *worker {
	return &worker{
		key: opts.key(p), name: p.Name, fold: p.Fold, tail: t, read: read, opts: opts, elector: e, positions: at, recorder: r,
		nudges: newNudges(),
	}
}

// run works while the lease is held, and sleeps while it is not.
func (w *worker) run(ctx context.Context) {
	for ctx.Err() == nil {
		r, changed := w.elector.now()
		w.begin(r)
		if r.epoch == 0 {
			select {
			case <-ctx.Done():
			case <-changed:
			}
			continue
		}
		_, err := w.pass(ctx, !w.loaded || time.Since(w.askedAt) >= w.opts.Poll/2)
		if ctx.Err() != nil {
			return
		}
		failed, wait := err != nil, w.opts.Poll
		if failed {
			w.failures++
			wait = backoff(w.failures)
		} else {
			w.failures = 0
			err = w.tail.failure() // there may be more than can be known
		}
		w.say(err, wait)
		w.wait(ctx, wait, failed, changed)
	}
}

// begin goes on in a term. Whoever has just got the lease begins where the holder before left off.
func (w *worker) begin(r term) {
	if r.epoch != w.term.epoch {
		w.loaded, w.retried, w.failures, w.beatAt, w.askedAt = false, false, 0, time.Time{}, time.Time{}
	}
	w.term = r
}

// wait waits, beating meanwhile. A change of the term ends it, and a nudge, unless it follows a failure.
func (w *worker) wait(ctx context.Context, wait time.Duration, failed bool, changed <-chan struct{}) {
	until := time.Now().Add(wait)
	wake := w.nudges.wake
	if failed {
		wake = nil
	}
	for ctx.Err() == nil {
		_ = w.beatIfDue(ctx) // whether the read store can be reached is said by the pass
		left := time.Until(until)
		if left <= 0 {
			return
		}
		if waiting.ForNews(ctx, min(left, max(w.opts.Beat-w.opts.Clock().Sub(w.beatAt), time.Millisecond)), wake, changed) {
			return
		}
	}
}

// say notes what the state has to say of the last pass, and logs when that changes.
func (w *worker) say(err error, wait time.Duration) {
	reason := reasonOf(err)
	if reason == w.reason {
		return
	}
	if err != nil {
		w.opts.Log.Warn("a projection cannot go on", "projection", w.name, "error", err, "retry", wait)
	} else {
		w.opts.Log.Info("a projection goes on", "projection", w.name)
	}
	w.reason = reason
	w.beatAt = time.Time{} // news are told at once
}

func (w *worker) beatIfDue(ctx context.Context) error {
	if w.opts.Clock().Sub(w.beatAt) < w.opts.Beat {
		return nil
	}
	return w.beat(ctx)
}

// beat stores the state.
func (w *worker) beat(ctx context.Context) error {
	now := w.opts.Clock().UTC().Truncate(time.Microsecond)
	w.beatAt = now
	state := projections.State{
		Key: w.key, Phase: w.phase(), Reason: cmp.Or(w.reason, w.why()), Checkpoint: w.checkpoint, HeartbeatAt: now, Rate: w.meter.rate(now),
		Holder: w.elector.me, Epoch: w.term.epoch,
	}
	err := w.read.Beat(ctx, state)
	w.doubt(err)
	if w.opts.OnState != nil {
		w.opts.OnState(state)
	}
	return readFailed(err)
}

// phase is what the projection does. Rows of a log that was put back are made again; those of one that is projected for the first time are
// made.
func (w *worker) phase() projections.Phase {
	if w.rebuilding && w.term.logEpoch > 0 {
		return projections.Rebuilding
	}
	return projections.Running
}

func (w *worker) why() string {
	if w.phase() == projections.Rebuilding {
		return "The log was put back; every row is made again."
	}
	return ""
}

// doubt has everything looked at again that a conflict denies: who holds the lease, and the checkpoint.
func (w *worker) doubt(err error) {
	if err != nil && fault.KindOf(err) == fault.Conflict {
		w.loaded = false
		w.elector.doubt()
	}
}

// pass brings the projection up with the nudges and with what the tail has read; who is behind the ring reads the feed to its end, if it is
// to be asked. After a failure the next one begins at the stored checkpoint: the read store may have lost something.
func (w *worker) pass(ctx context.Context, ask bool) (moved int, err error) {
	defer func() {
		if err != nil {
			w.loaded = false
			w.doubt(err)
		}
	}()
	if !w.loaded {
		moved, err = w.load(ctx)
		if errors.Is(err, errPutBack) { // what there was is thrown away, and this process has another lease
			r, _ := w.elector.now()
			w.begin(r)
			moved, err = w.load(ctx)
		}
		if err != nil {
			return moved, err
		}
		w.loaded = true
	}
	n, err := w.catchUpAll(ctx, w.nudges.drain())
	moved += n
	if err != nil {
		return moved, err // the feed names these orders again
	}
	if _, _, synced := w.tail.after(w.checkpoint); !synced && !ask {
		return moved, nil
	}
	n, err = w.followFeed(ctx)
	return moved + n, err
}

// followFeed brings the projection up with the end of the ring, or of the feed. While a batch is written, the next one is read and folded.
func (w *worker) followFeed(ctx context.Context) (moved int, err error) {
	var writing *flight
	land := func() error {
		f := writing
		if writing = nil; f == nil {
			return nil
		}
		<-f.ended
		if f.err != nil {
			return f.err
		}
		moved += len(f.batch.Rows)
		w.meter.add(f.at, f.events)
		w.checkpoint = f.batch.Checkpoint
		return w.beatIfDue(ctx)
	}
	defer func() {
		if writing != nil {
			<-writing.ended // the pass has failed already
		}
	}()
	for from := w.checkpoint; ; {
		heads, next, ended, err := w.gather(ctx, from)
		if err != nil {
			err = errors.Join(err, land())
			return moved, err
		}
		rest := writing.without(heads)
		if writing.has(rest) {
			if err := land(); err != nil {
				return moved, err
			}
		}
		b, err := w.prepare(ctx, rest, next, false)
		if err := errors.Join(err, land()); err != nil {
			return moved, err
		}
		if writing = w.launch(ctx, b); ended {
			err := land()
			if _, ok := w.tail.end(); ok && err == nil {
				w.rebuilding = false
			}
			return moved, err
		}
		from = next
	}
}

// gather reads until a write is full, or there is no more.
func (w *worker) gather(ctx context.Context, from eventstore.Cursor) (heads []eventstore.Head, next eventstore.Cursor, ended bool,
	err error) {
	for next = from; len(heads) <= projections.BatchOrders-feedPage; {
		var p page
		if p, ended, err = w.page(ctx, next); err != nil {
			return nil, "", false, err
		}
		heads, next = w.unknown(append(heads, p.heads...)), p.next
		if ended {
			break
		}
	}
	return heads, next, ended, nil
}

// page is what moved after a cursor: of the ring, if it is there.
func (w *worker) page(ctx context.Context, after eventstore.Cursor) (p page, ended bool, err error) {
	p, more, synced := w.tail.after(after)
	if !synced {
		if p, err = w.tail.feed(ctx, after, feedPage); err != nil {
			return page{}, false, err
		}
		if more = len(p.heads) > 0; !more {
			p.next, w.askedAt = w.tail.join(p.next), time.Now()
		}
	}
	if p.otherLog {
		return page{}, false, eventsFailed(eventstore.OtherLog()) // the checkpoint is looked at again
	}
	if p.anew {
		w.opts.Log.Warn("the checkpoint is of another log: beginning again", "projection", w.name)
		w.rebuilding = true
	}
	return p, !more, nil
}

// load reads the checkpoint. One that is not what this worker left means that rows may be gone, or came from elsewhere: then none is taken
// to be there. A new holder tries each held order once again: its code may have learned to read it.
func (w *worker) load(ctx context.Context) (moved int, err error) {
	states, err := w.read.States(ctx)
	if err != nil {
		return 0, readFailed(err)
	}
	if stored := states[w.key].Checkpoint; stored == "" || stored != w.checkpoint {
		w.checkpoint = stored
		w.positions.forget(w.name)
	}
	w.rebuilding = w.checkpoint == ""
	if err := w.recognise(ctx); err != nil {
		return 0, err
	}
	if w.retried {
		return 0, nil
	}
	holds, err := w.read.Holds(ctx, w.name)
	if err != nil {
		return 0, readFailed(err)
	}
	holds = slices.DeleteFunc(holds, func(h projections.Hold) bool { return h.Key != w.key }) // those of other parts are for their holders
	for len(holds) > 0 {
		chunk := holds[:min(len(holds), projections.BatchOrders)]
		holds = holds[len(chunk):]
		heads := make([]eventstore.Head, len(chunk))
		for i, h := range chunk {
			heads[i] = eventstore.Head{Stream: orders.StreamOf(h.OrderID), Version: h.Version}
		}
		n, err := w.catchUp(ctx, heads, "", true)
		moved += n
		if err != nil {
			return moved, err
		}
	}
	w.retried = true
	return moved, nil
}

// errPutBack says that the log is not the one that the rows were made of.
var errPutBack = errors.New("the log was put back")

// recognise finds out whether the log is the one that the checkpoint is of, before anything is folded onto its rows. If it is another one,
// or was put back from a backup, the rows are thrown away, and made again in a new lease.
func (w *worker) recognise(ctx context.Context) error {
	if w.checkpoint == "" {
		return nil
	}
	_, _, err := w.tail.events.Feed(ctx, orders.Category, w.opts.Part, w.checkpoint, 1)
	switch {
	case errors.Is(err, eventstore.ErrOtherLog):
		w.opts.Log.Warn("the log was put back, or is another one: every row is made again", "projection", w.name)
		return errors.Join(w.elector.putBack(ctx, w.term), errPutBack)
	case fault.KindOf(err) == fault.Malformed:
		return nil // of no log: its feed begins anew
	}
	return eventsFailed(err)
}

// catchUpAll catches up in batches, and leaves the checkpoint.
func (w *worker) catchUpAll(ctx context.Context, heads []eventstore.Head) (moved int, err error) {
	for len(heads) > 0 {
		chunk := heads[:min(len(heads), projections.BatchOrders)]
		heads = heads[len(chunk):]
		n, err := w.catchUp(ctx, chunk, "", false)
		moved += n
		if err != nil {
			return moved, err
		}
	}
	return moved, nil
}

// catchUp prepares a batch and writes it.
func (w *worker) catchUp(ctx context.Context, heads []eventstore.Head, checkpoint eventstore.Cursor, retry bool) (moved int, err error) {
	b, err := w.prepare(ctx, w.unknown(heads), checkpoint, retry)
	if err != nil {
		return 0, err
	}
	f := w.launch(ctx, b)
	<-f.ended
	if f.err != nil {
		return 0, f.err
	}
	w.meter.add(f.at, f.events)
	return len(f.batch.Rows), nil
}

// unknown leaves out the orders that are known to be there already, and names each other order once.
func (w *worker) unknown(heads []eventstore.Head) []eventstore.Head {
	at := map[domain.OrderID]int{}
	var rest []eventstore.Head
	for _, h := range heads {
		if i, seen := at[orders.IDOf(h.Stream)]; seen {
			rest[i].Version = max(rest[i].Version, h.Version)
			continue
		}
		if !w.positions.has(w.name, orders.IDOf(h.Stream), h.Version) {
			at[orders.IDOf(h.Stream)] = len(rest)
			rest = append(rest, h)
		}
	}
	return rest
}
