package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/orders"
)

// loop keeps one projection up with the log.
type loop struct {
	name     string
	fold     func(domain.Codec, Row, []eventstore.Record) (Row, *orders.Hold, error)
	events   eventstore.Store
	read     Store
	opts     Options
	lease    *tenure
	arrivals *arrivals
	nudges   *nudges

	role       role // in which the loop works now
	loaded     bool // the checkpoint is the store's
	retried    bool // holds were tried again in this role
	remaking   bool // rows are made from the beginning of the log: when they first arrived is not known
	checkpoint eventstore.Cursor
	reason     string
	meter      meter
	beatAt     time.Time
	moving     bool      // the feed named something new when it was asked last
	askedAt    time.Time // when the feed was, to its end; a nudge needs no answer of it
	failures   int
}

func newLoop(p Projection, events eventstore.Store, read Store, lease *tenure, a *arrivals, opts Options) *loop {
	return &loop{name: p.Name, fold: p.Fold, events: events, read: read, opts: opts, lease: lease, arrivals: a, nudges: newNudges()}
}

// run works while the lease is held, and sleeps while it is not.
func (l *loop) run(ctx context.Context) {
	for ctx.Err() == nil {
		r, changed := l.lease.now()
		l.take(r)
		if r.epoch == 0 {
			select {
			case <-ctx.Done():
			case <-changed:
			}
			continue
		}
		ask := !l.loaded || time.Since(l.askedAt) >= l.opts.pollAfter(l.moving)
		moved, err := l.pass(ctx, ask)
		if ctx.Err() != nil {
			return
		}
		if ask {
			l.moving = moved > 0
		}
		wait := l.opts.pollAfter(l.moving) - time.Since(l.askedAt)
		if err != nil {
			l.failures++
			wait = backoff(l.failures)
		} else {
			l.failures = 0
		}
		l.say(err, wait)
		l.rest(ctx, wait, err != nil, changed)
	}
}

// take goes on in a role. Whoever has just got the lease begins where the holder before left off.
func (l *loop) take(r role) {
	if r.epoch != l.role.epoch {
		l.loaded, l.retried, l.failures, l.beatAt = false, false, 0, time.Time{}
	}
	l.role = r
}

// rest waits, beating meanwhile. A change of the role ends it, and a nudge, unless it follows a failure.
func (l *loop) rest(ctx context.Context, wait time.Duration, failed bool, changed <-chan struct{}) {
	until := time.Now().Add(wait)
	wake := l.nudges.wake
	if failed {
		wake = nil
	}
	for ctx.Err() == nil {
		_ = l.beatIfDue(ctx) // whether the read store can be reached is said by the pass
		left := time.Until(until)
		if left <= 0 {
			return
		}
		timer := time.NewTimer(min(left, max(l.opts.Beat-l.opts.Clock().Sub(l.beatAt), time.Millisecond)))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-changed:
			timer.Stop()
			return
		case <-wake:
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// say notes what the state has to say of the last pass, and logs when that changes.
func (l *loop) say(err error, wait time.Duration) {
	reason := reasonOf(err)
	if reason == l.reason {
		return
	}
	if err != nil {
		l.opts.Log.Warn("a projection cannot go on", "projection", l.name, "error", err, "retry", wait)
	} else {
		l.opts.Log.Info("a projection goes on", "projection", l.name)
	}
	l.reason = reason
	l.beatAt = time.Time{} // news are told at once
}

func (l *loop) beatIfDue(ctx context.Context) error {
	if l.opts.Clock().Sub(l.beatAt) < l.opts.Beat {
		return nil
	}
	return l.beat(ctx)
}

// beat stores the state.
func (l *loop) beat(ctx context.Context) error {
	now := l.opts.Clock().UTC().Truncate(time.Microsecond)
	l.beatAt = now
	state := State{
		Projection: l.name, Phase: Running, Reason: l.reason, Checkpoint: l.checkpoint, HeartbeatAt: now, Rate: l.meter.rate(now),
		Holder: l.lease.me, Epoch: l.role.epoch,
	}
	err := l.read.Beat(ctx, state)
	l.doubt(err)
	if l.opts.OnState != nil {
		l.opts.OnState(state)
	}
	return readFailed(err)
}

// doubt has everything looked at again that a conflict denies: who holds the lease, and the checkpoint.
func (l *loop) doubt(err error) {
	if err != nil && fault.KindOf(err) == fault.Conflict {
		l.loaded = false
		l.lease.doubt()
	}
}

// pass brings the projection up with the nudges and, if it is to be asked, with the feed as it is now. After a failure the next one begins
// at the stored checkpoint: the read store may have lost something.
func (l *loop) pass(ctx context.Context, ask bool) (moved int, err error) {
	defer func() {
		if err != nil {
			l.loaded = false
			l.doubt(err)
		}
	}()
	if !l.loaded {
		if moved, err = l.load(ctx); err != nil {
			return moved, err
		}
		l.loaded = true
	}
	n, err := l.catchUpAll(ctx, l.nudges.take())
	moved += n
	if err != nil || !ask {
		return moved, err // the feed names these orders again
	}
	n, err = l.followFeed(ctx)
	return moved + n, err
}

// followFeed brings the projection up with the feed to its end. While a batch is written, the next one is read and folded.
func (l *loop) followFeed(ctx context.Context) (moved int, err error) {
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
		l.meter.add(f.at, f.events)
		l.checkpoint = f.batch.Checkpoint
		return l.beatIfDue(ctx)
	}
	defer func() {
		if writing != nil {
			<-writing.ended // the pass has failed already
		}
	}()
	for from := l.checkpoint; ; {
		heads, next, ended, err := l.gather(ctx, from)
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
		b, err := l.prepare(ctx, rest, next, false)
		if err := errors.Join(err, land()); err != nil {
			return moved, err
		}
		if writing = l.launch(ctx, b); ended {
			err := land()
			if err == nil {
				l.remaking, l.askedAt = false, time.Now()
			}
			return moved, err
		}
		from = next
	}
}

// gather reads the feed until a write is full, or the feed ends.
func (l *loop) gather(ctx context.Context, from eventstore.Cursor) (heads []eventstore.Head, next eventstore.Cursor, ended bool, err error) {
	for next = from; len(heads) <= BatchOrders-feedPage; {
		var page []eventstore.Head
		if page, next, err = l.moved(ctx, next); err != nil {
			return nil, "", false, err
		}
		if len(page) == 0 {
			return heads, next, true, nil
		}
		heads = l.unknown(append(heads, page...))
	}
	return heads, next, false, nil
}

// flight is a write that is under way.
type flight struct {
	prepared
	ended chan struct{} // closed when the others are known
	at    time.Time     // when it was acknowledged
	err   error
}

// launch writes a batch, and tells what it wrote.
func (l *loop) launch(ctx context.Context, b prepared) *flight {
	b.batch.After = l.checkpoint
	f := &flight{prepared: b, ended: make(chan struct{})}
	remaking := l.remaking
	go func() {
		defer close(f.ended)
		f.err = l.write(ctx, &f.prepared)
		if f.at = l.opts.Clock().UTC(); f.err == nil {
			l.acknowledged(f.batch, f.at, remaking)
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

// load reads the checkpoint. One that is not what this loop left means that rows may be gone, or came from elsewhere: then none is taken to be
// there. A new holder tries each held order once again: its code may have learned to read it.
func (l *loop) load(ctx context.Context) (moved int, err error) {
	states, err := l.read.States(ctx)
	if err != nil {
		return 0, readFailed(err)
	}
	if stored := states[l.name].Checkpoint; stored == "" || stored != l.checkpoint {
		l.checkpoint = stored
		l.arrivals.forget(l.name)
	}
	l.remaking = l.checkpoint == ""
	if l.retried {
		return 0, nil
	}
	holds, err := l.read.Holds(ctx, l.name)
	if err != nil {
		return 0, readFailed(err)
	}
	for len(holds) > 0 {
		chunk := holds[:min(len(holds), BatchOrders)]
		holds = holds[len(chunk):]
		heads := make([]eventstore.Head, len(chunk))
		for i, h := range chunk {
			heads[i] = eventstore.Head{Stream: orders.StreamOf(h.OrderID), Version: h.Version}
		}
		n, err := l.catchUp(ctx, heads, "", true)
		moved += n
		if err != nil {
			return moved, err
		}
	}
	l.retried = true
	return moved, nil
}

func (l *loop) moved(ctx context.Context, after eventstore.Cursor) ([]eventstore.Head, eventstore.Cursor, error) {
	heads, next, err := l.events.Feed(ctx, orders.Category, eventstore.Whole, after, feedPage)
	if after != "" && fault.KindOf(err) == fault.Malformed {
		l.opts.Log.Warn("the checkpoint is of another log: beginning again", "projection", l.name)
		l.remaking = true
		heads, next, err = l.events.Feed(ctx, orders.Category, eventstore.Whole, "", feedPage)
	}
	return heads, next, eventsFailed(err)
}

// catchUpAll catches up in batches, and leaves the checkpoint.
func (l *loop) catchUpAll(ctx context.Context, heads []eventstore.Head) (moved int, err error) {
	for len(heads) > 0 {
		chunk := heads[:min(len(heads), BatchOrders)]
		heads = heads[len(chunk):]
		n, err := l.catchUp(ctx, chunk, "", false)
		moved += n
		if err != nil {
			return moved, err
		}
	}
	return moved, nil
}

// catchUp prepares a batch and writes it.
func (l *loop) catchUp(ctx context.Context, heads []eventstore.Head, checkpoint eventstore.Cursor, retry bool) (moved int, err error) {
	b, err := l.prepare(ctx, l.unknown(heads), checkpoint, retry)
	if err != nil {
		return 0, err
	}
	f := l.launch(ctx, b)
	<-f.ended
	if f.err != nil {
		return 0, f.err
	}
	l.meter.add(f.at, f.events)
	return len(f.batch.Rows), nil
}

// prepared is a batch with the jobs it is of.
type prepared struct {
	batch   Batch
	work    []job
	events  int
	reaches map[domain.OrderID]int // the version each order's row will have; 0 if it has none
}

// prepare reads the events of orders after the versions of their rows, and folds them. An order that is held waits, unless it is to be tried
// again.
func (l *loop) prepare(ctx context.Context, heads []eventstore.Head, checkpoint eventstore.Cursor, retry bool) (prepared, error) {
	work, err := l.behind(ctx, heads, retry)
	if err != nil {
		return prepared{}, err
	}
	b := prepared{
		batch: Batch{Projection: l.name, Epoch: l.role.epoch, Checkpoint: checkpoint}, work: work,
		reaches: make(map[domain.OrderID]int, len(work)),
	}
	results, err := l.foldAll(ctx, work)
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
			b.batch.Holds = append(b.batch.Holds, l.holdOf(work[i], *r.hold))
		case held != nil:
			b.batch.Released = append(b.batch.Released, work[i].id)
		}
	}
	return b, nil
}

// write stores a batch, the checkpoint after its rows. A row that the read store can never keep becomes a hold of its order, so that the
// others go on; there are at most as many of those as rows.
func (l *loop) write(ctx context.Context, p *prepared) error {
	batch := &p.batch
	if len(batch.Rows)+len(batch.Holds)+len(batch.Released) == 0 && (batch.Checkpoint == "" || batch.Checkpoint == batch.After) {
		return nil
	}
	for {
		err := l.read.Write(ctx, *batch)
		refusal, ok := errors.AsType[*Refusal](err)
		if !ok {
			return readFailed(err)
		}
		i := slices.IndexFunc(batch.Rows, func(r Row) bool { return r.Order() == refusal.OrderID })
		if i < 0 {
			return readFailed(err)
		}
		l.opts.Log.Error("the read store can never keep a row", "projection", l.name, "order", refusal.OrderID, "error", refusal)
		refused := func(id domain.OrderID) bool { return id == refusal.OrderID }
		j := p.work[slices.IndexFunc(p.work, func(j job) bool { return refused(j.id) })]
		hold := l.holdOf(j, orders.Hold{Version: batch.Rows[i].At(), Reason: refusal.Reason})
		batch.Rows = slices.Delete(batch.Rows, i, i+1)
		batch.Released = slices.DeleteFunc(batch.Released, refused)
		batch.Holds = append(slices.DeleteFunc(batch.Holds, func(h Hold) bool { return refused(h.OrderID) }), hold)
	}
}

// acknowledged tells what was written. When a row of a log that is projected again first arrived is not known.
func (l *loop) acknowledged(batch Batch, at time.Time, remaking bool) {
	arrived := at
	if remaking {
		arrived = time.Time{}
	}
	l.arrivals.tell(l.name, batch.Rows, arrived)
	for _, h := range batch.Holds {
		l.opts.Log.Warn("an order is held", "projection", l.name, "order", h.OrderID, "version", h.Version, "reason", h.Reason)
		if l.opts.OnHold != nil {
			l.opts.OnHold(h)
		}
	}
}

// unknown leaves out the orders that are known to be there already, and names each other order once.
func (l *loop) unknown(heads []eventstore.Head) []eventstore.Head {
	at := map[domain.OrderID]int{}
	var rest []eventstore.Head
	for _, h := range heads {
		if i, seen := at[orders.IDOf(h.Stream)]; seen {
			rest[i].Version = max(rest[i].Version, h.Version)
			continue
		}
		if !l.arrivals.has(l.name, orders.IDOf(h.Stream), h.Version) {
			at[orders.IDOf(h.Stream)] = len(rest)
			rest = append(rest, h)
		}
	}
	return rest
}

// job is an order that is behind.
type job struct {
	id   domain.OrderID
	row  Row   // nil if there is none
	held *Hold // the hold that is tried again
}

func (j job) version() int {
	if j.row == nil {
		return 0
	}
	return j.row.At()
}

// behind finds the orders whose rows are older than their heads; of the held ones only those that are to be tried again.
func (l *loop) behind(ctx context.Context, heads []eventstore.Head, retry bool) ([]job, error) {
	if len(heads) == 0 {
		return nil, nil
	}
	ids := make([]domain.OrderID, len(heads))
	for i, h := range heads {
		ids[i] = orders.IDOf(h.Stream)
	}
	rows, err := l.read.Rows(ctx, l.name, ids...)
	if err != nil {
		return nil, readFailed(err)
	}
	holds, err := l.read.Holds(ctx, l.name, ids...)
	if err != nil {
		return nil, readFailed(err)
	}
	held := make(map[domain.OrderID]*Hold, len(holds))
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

// folded is what came of a job.
type folded struct {
	row  Row
	hold *orders.Hold
	err  error
}

// foldAll reads and folds several orders at once.
func (l *loop) foldAll(ctx context.Context, work []job) ([]folded, error) {
	results := make([]folded, len(work))
	next := make(chan int)
	var all sync.WaitGroup
	for range min(readers, (len(work)+readTogether-1)/readTogether) {
		all.Go(func() {
			for i := range next {
				to := min(i+readTogether, len(work))
				l.foldSome(ctx, work[i:to], results[i:to])
			}
		})
	}
	for i := 0; i < len(work); i += readTogether {
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
func (l *loop) foldSome(ctx context.Context, work []job, results []folded) {
	read := map[domain.OrderID][]eventstore.Record{}
	if len(work) > 1 {
		after := make([]eventstore.Head, len(work))
		for i, j := range work {
			after[i] = eventstore.Head{Stream: orders.StreamOf(j.id), Version: j.version()}
		}
		records, err := l.events.ReadMany(ctx, after, eventstore.MaxPage)
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
		results[i] = l.foldOne(ctx, j, read[j.id])
	}
}

// foldOne folds an order after its row's version, and reads it if it was not. A gap is read once more, from the same place; one that stays is
// a hold: the stream itself is broken.
func (l *loop) foldOne(ctx context.Context, j job, records []eventstore.Record) folded {
	for again := false; ; again, records = true, nil {
		if records == nil {
			var err error
			if records, err = l.events.Read(ctx, orders.StreamOf(j.id), j.version()); err != nil {
				return folded{err: eventsFailed(err)}
			}
		}
		row, hold, err := l.foldSafely(j.row, records)
		if err == nil {
			return folded{row: row, hold: hold}
		}
		gap, ok := errors.AsType[*Gap](err)
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
func (l *loop) foldSafely(row Row, records []eventstore.Record) (Row, *orders.Hold, error) {
	next, hold, err := l.foldOrPanic(row, records)
	if !errors.Is(err, errPanicked) {
		return next, hold, err
	}
	for i, r := range records {
		next, hold, err := l.foldOrPanic(row, records[i:i+1])
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

func (l *loop) foldOrPanic(row Row, records []eventstore.Record) (next Row, hold *orders.Hold, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			l.opts.Log.Error("reading an event panicked", "projection", l.name, "panic", cause)
			err = errPanicked
		}
	}()
	return l.fold(l.opts.Codec, row, records)
}

// holdOf is a hold as it is stored; one that stays as it was keeps its time.
func (l *loop) holdOf(j job, hold orders.Hold) Hold {
	h := Hold{
		Projection: l.name, OrderID: j.id, Version: hold.Version, Reason: hold.Reason,
		Since: l.opts.Clock().UTC().Truncate(time.Microsecond),
	}
	if j.held != nil && j.held.Version == h.Version {
		h.Since = j.held.Since
	}
	return h
}
