package orders

import (
	"context"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
)

// The bounds of snapshots.
const (
	SnapshotEvery   = 100         // versions between two snapshots of an order
	SnapshotLonger  = 1000        // a stream up to this many events has none: reading it is quick
	SnapshotTimeout = time.Second // what looking for a snapshot, or saving one, may add to an answer
	MaxStateBytes   = 16 << 20    // of the state in one snapshot, before compression
)

// SnapshotPolicy says when snapshots are taken. The zero policy takes one when an append crosses a multiple of SnapshotEvery, on streams of
// more than SnapshotLonger events.
type SnapshotPolicy struct {
	Every  int // 0 means SnapshotEvery; below 0, snapshots are neither taken nor looked for
	Longer int // 0 means SnapshotLonger; below 0, streams of any length have snapshots
}

func (s SnapshotPolicy) every() int {
	if s.Every == 0 {
		return SnapshotEvery
	}
	return s.Every
}

func (s SnapshotPolicy) longer() int {
	if s.Longer == 0 {
		return SnapshotLonger
	}
	return max(s.Longer, 0)
}

// lookFor tells whether an order that is thought to be at a version may have a snapshot. Orders of usual length are spared the request.
func (s SnapshotPolicy) lookFor(version int) bool { return s.every() > 0 && version > s.longer() }

// due tells whether an append that moved an order takes a snapshot: it may jump over the multiple of the interval.
func (s SnapshotPolicy) due(before, after int) bool {
	return s.every() > 0 && after > s.longer() && before/s.every() < after/s.every()
}

// snapshots is where a handler keeps the states of long orders, when it takes them, and which it takes for its own.
type snapshots struct {
	store  eventstore.Snapshots // nil: there are none
	policy SnapshotPolicy
	rules  [16]byte // of the handler's codec
}

// WithSnapshots is the handler with a place for snapshots. Its Codec must not change afterwards.
func (h Handler) WithSnapshots(store eventstore.Snapshots, policy SnapshotPolicy) Handler {
	h.snapshots = snapshots{store: store, policy: policy, rules: rulesOf(h.Codec)}
	return h
}

// Snapshot is that of a whole stream, as the handler folds it. There is none, and ok is false, of an order that does not exist or is held,
// and of one that is too large.
func (h Handler) Snapshot(stream Stream) (s eventstore.Snapshot, ok bool) {
	if stream.Hold != nil || len(stream.Records) == 0 {
		return s, false
	}
	return newSnapshot(h.snapshots.rules, stream.Order, stream.Records[len(stream.Records)-1], commandSet("").with(stream.Records))
}

// OrderIn is the state in a snapshot. It fails if the snapshot is broken, another order's, or of another layout, shape or rules than this
// program and the handler's codec have.
func (h Handler) OrderIn(s eventstore.Snapshot) (domain.Order, error) {
	c, err := openSnapshot(s, h.snapshots.rules)
	if err != nil {
		return domain.Order{}, err
	}
	return c.order()
}

// LoadOrder is the order that Load would give, by a snapshot if there is one that fits. version is where the order is thought to be; it
// only decides whether a snapshot is looked for. NotFound if the order does not exist.
func (h Handler) LoadOrder(ctx context.Context, id domain.OrderID, version int) (domain.Order, error) {
	loaded, err := h.LoadFor(ctx, id, version, "")
	return loaded.Order, err
}

// Loaded is an order as it was read for a command of which not everything was known yet. Executing with it is as if the command had come at
// that moment: what was stored since is a conflict, or its own result, as always.
type Loaded struct {
	Order   domain.Order
	history history
	command domain.CommandID
}

// LoadFor is LoadOrder for a command that is executed afterwards, which then need not load the order again. command is its id in canonical
// spelling; with another one Execute loads the order all the same.
func (h Handler) LoadFor(ctx context.Context, id domain.OrderID, version int, command domain.CommandID) (Loaded, error) {
	order, err := h.load(ctx, id, version, command)
	if err == nil && order.head == 0 {
		err = fault.Errorf(fault.NotFound, "There is no order %s.", id)
	}
	return Loaded{order.state, order, command}, err
}

// isFor tells whether an order was loaded for this very command.
func (l Loaded) isFor(req Request) bool {
	return l.history.head > 0 && l.Order.ID == req.OrderID && l.command == req.CommandID
}

// history is what a handler knows of an order.
type history struct {
	state    domain.Order
	hold     *Hold
	head     int
	records  []eventstore.Record // those after the snapshot; all of them without one
	commands commandSet          // of the events that the snapshot covers; never that which is asked for
	invalid  int                 // the version of a snapshot that was found and cannot be used; 0 if there is none
}

// load reads an order: after its snapshot if it has one that fits, and that does not cover the command asked for. Else, and whatever else
// is wrong with the snapshot, it is read from its first event.
func (h Handler) load(ctx context.Context, id domain.OrderID, version int, command domain.CommandID) (history, error) {
	invalid := 0
	if h.snapshots.store != nil && h.snapshots.policy.lookFor(version) {
		order, found, err := h.loadBySnapshot(ctx, id, command)
		if err != nil || order.head > 0 {
			return order, err
		}
		invalid = found
	}
	records, err := h.Events.Read(ctx, StreamOf(id), 0)
	if err != nil {
		return history{}, err
	}
	order := history{records: records, invalid: invalid}
	if len(records) > 0 {
		order.head = records[len(records)-1].Version
	}
	order.hold = foldOn(h.Codec, &order.state, records)
	return order, nil
}

// loadBySnapshot gives no history, with the head 0, if the snapshot cannot be used; invalid is then its version, if it never can be.
func (h Handler) loadBySnapshot(ctx context.Context, id domain.OrderID, command domain.CommandID) (order history, invalid int, err error) {
	snapshot, found := h.findSnapshot(ctx, id)
	if !found {
		return history{}, 0, nil
	}
	c, err := openSnapshot(snapshot, h.snapshots.rules)
	if err != nil {
		return history{}, snapshot.Version, nil //nolint:nilerr // it costs time, not truth
	}
	if command != "" && c.commands.has(command) {
		return history{}, 0, nil // the answer is among the events that it covers
	}
	// The last event that it covers is read again, in the same request: if it is another one, or none, the stream is not that of the snapshot.
	records, err := h.Events.Read(ctx, StreamOf(id), snapshot.Version-1)
	if err != nil {
		return history{}, 0, err
	}
	if len(records) == 0 || !c.endsWith(records[0]) {
		return history{}, snapshot.Version, nil
	}
	order = history{records: records[1:], commands: c.commands}
	if order.state, err = c.order(); err != nil {
		return history{}, snapshot.Version, nil //nolint:nilerr // as above
	}
	order.head = records[len(records)-1].Version
	order.hold = foldOn(h.Codec, &order.state, order.records)
	return order, 0, nil
}

// findSnapshot does not tell why there is none: the answer is the same without.
func (h Handler) findSnapshot(ctx context.Context, id domain.OrderID) (s eventstore.Snapshot, found bool) {
	ctx, cancel := context.WithTimeout(ctx, SnapshotTimeout)
	defer cancel()
	s, err := h.snapshots.store.LoadSnapshot(ctx, StreamOf(id))
	return s, err == nil && s.Version > 0
}

// takeSnapshot saves a snapshot if the events that were stored are a reason to. They are stored whatever becomes of it, so its failure is
// not the command's, and it goes on although the caller has left. It is done before the answer: it is one write for each hundred commands
// on a long order, takes SnapshotTimeout at most, and leaves nothing behind that a stop would have to wait for.
func (h Handler) takeSnapshot(ctx context.Context, order history, stored []eventstore.Record) {
	last := stored[len(stored)-1]
	if h.snapshots.store == nil || !h.snapshots.policy.due(order.head, last.Version) {
		return
	}
	if foldOn(h.Codec, &order.state, stored) != nil { // a twin's result may be of versions that do not follow
		return
	}
	snapshot, ok := newSnapshot(h.snapshots.rules, order.state, last, order.commands.with(order.records).with(stored))
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), SnapshotTimeout)
	defer cancel()
	_ = h.snapshots.store.SaveSnapshot(ctx, snapshot, order.invalid) // who wants to hear of it listens at the store
}
