package eventstore

import (
	"context"
	"time"

	"headway/domain"
	"headway/fault"
)

// The bounds of snapshots.
const (
	SnapshotEvery    = 100         // versions between two snapshots of an order
	SnapshotLonger   = 1000        // a stream up to this many events has none: reading it is quick
	SnapshotTimeout  = time.Second // what looking for a snapshot, or saving one, may add to an answer
	MaxSnapshotBytes = 384 << 10   // of one snapshot, compressed; larger ones are not taken. It fits into every engine's largest item
	MaxStateBytes    = 16 << 20    // of the state in one snapshot, before compression
)

// Snapshot is the state of an order at a version, kept beside its stream so that a long one need not be folded from its first event. It can
// be deleted, outdated or broken at any time: that costs time, never truth.
type Snapshot struct {
	OrderID domain.OrderID
	Version int    // of the last event that it covers
	Data    []byte // at most MaxSnapshotBytes; only NewSnapshot and Order know what is in it
}

// Snapshots says when snapshots are taken. The zero Snapshots take one when an append crosses a multiple of SnapshotEvery, on streams of
// more than SnapshotLonger events.
type Snapshots struct {
	Every  int // 0 means SnapshotEvery; below 0, snapshots are neither taken nor looked for
	Longer int // 0 means SnapshotLonger; below 0, streams of any length have snapshots
}

func (s Snapshots) every() int {
	if s.Every == 0 {
		return SnapshotEvery
	}
	return s.Every
}

func (s Snapshots) longer() int {
	if s.Longer == 0 {
		return SnapshotLonger
	}
	return max(s.Longer, 0)
}

// lookFor tells whether an order that is thought to be at a version may have a snapshot. Orders of usual length are spared the request.
func (s Snapshots) lookFor(version int) bool { return s.every() > 0 && version > s.longer() }

// due tells whether an append that moved an order takes a snapshot: it may jump over the multiple of the interval.
func (s Snapshots) due(before, after int) bool {
	return s.every() > 0 && after > s.longer() && before/s.every() < after/s.every()
}

// NewSnapshot is the snapshot of a whole stream, as the codec folds it. There is none, and ok is false, of an order that does not exist or is
// held, and of one that is too large.
func NewSnapshot(codec domain.Codec, stream Stream) (s Snapshot, ok bool) {
	if stream.Hold != nil || len(stream.Records) == 0 {
		return s, false
	}
	return takeSnapshot(codec, stream.Order, stream.Records[len(stream.Records)-1], commandSet("").with(stream.Records))
}

// SnapshotTooLarge is the answer of a store to a snapshot that it does not take.
func SnapshotTooLarge(s Snapshot) error {
	return fault.Errorf(fault.TooLarge, "A snapshot can have at most %d KiB; this one has %d.", MaxSnapshotBytes>>10, len(s.Data)>>10)
}

// Order is the state in the snapshot. It fails if the snapshot is broken, another order's, or of another layout, shape or rules than this
// program and codec have.
func (s Snapshot) Order(codec domain.Codec) (domain.Order, error) {
	c, err := s.open(codec)
	if err != nil {
		return domain.Order{}, err
	}
	return c.order()
}

// LoadOrder is the order that Load would give, by a snapshot if there is one that fits. version is where the order is thought to be; it only
// decides whether a snapshot is looked for. NotFound if the order does not exist.
func LoadOrder(ctx context.Context, store Store, codec domain.Codec, id domain.OrderID, version int) (domain.Order, error) {
	loaded, err := LoadFor(ctx, store, codec, id, version, "")
	return loaded.Order, err
}

// Loaded is an order as it was read for a command of which not everything was known yet. Executing with it is as if the command had come at that
// moment: what was stored since is a conflict, or its own result, as always.
type Loaded struct {
	Order   domain.Order
	history history
	command domain.CommandID
}

// LoadFor is LoadOrder for a command that is executed afterwards, which then need not load the order again. command is its id in canonical
// spelling; with another one Execute loads the order all the same.
func LoadFor(
	ctx context.Context, store Store, codec domain.Codec, id domain.OrderID, version int, command domain.CommandID,
) (Loaded, error) {
	h, err := Snapshots{}.load(ctx, store, codec, id, version, command)
	if err == nil && h.head == 0 {
		err = fault.Errorf(fault.NotFound, "There is no order %s.", id)
	}
	return Loaded{h.order, h, command}, err
}

// isFor tells whether an order was loaded for this very command.
func (l Loaded) isFor(req Request) bool {
	return l.history.head > 0 && l.Order.ID == req.OrderID && l.command == req.CommandID
}

// history is what Execute knows of an order.
type history struct {
	order    domain.Order
	hold     *Hold
	head     int
	records  []Record   // those after the snapshot; all of them without one
	commands commandSet // of the events that the snapshot covers; never that which is asked for
	useless  int        // the version of a snapshot that was found and cannot be used; 0 if there is none
}

// load reads an order: after its snapshot if it has one that fits, and that does not cover the command asked for. Else, and whatever else is
// wrong with the snapshot, it is read from its first event.
func (s Snapshots) load(
	ctx context.Context, store Store, codec domain.Codec, id domain.OrderID, version int, command domain.CommandID,
) (history, error) {
	useless := 0
	if s.lookFor(version) {
		h, found, err := loadBySnapshot(ctx, store, codec, id, command)
		if err != nil || h.head > 0 {
			return h, err
		}
		useless = found
	}
	records, err := store.Read(ctx, id, 0)
	if err != nil {
		return history{}, err
	}
	h := history{records: records, useless: useless}
	if len(records) > 0 {
		h.head = records[len(records)-1].Version
	}
	h.hold = foldOn(codec, &h.order, records)
	return h, nil
}

// loadBySnapshot gives no history, with the head 0, if the snapshot cannot be used; useless is then its version, if it never can be.
func loadBySnapshot(
	ctx context.Context, store Store, codec domain.Codec, id domain.OrderID, command domain.CommandID,
) (h history, useless int, err error) {
	snapshot, found := findSnapshot(ctx, store, id)
	if !found {
		return history{}, 0, nil
	}
	c, err := snapshot.open(codec)
	if err != nil {
		return history{}, snapshot.Version, nil //nolint:nilerr // it costs time, not truth
	}
	if command != "" && c.commands.has(command) {
		return history{}, 0, nil // the answer is among the events that it covers
	}
	// The last event that it covers is read again, in the same request: if it is another one, or none, the stream is not that of the snapshot.
	records, err := store.Read(ctx, id, snapshot.Version-1)
	if err != nil {
		return history{}, 0, err
	}
	if len(records) == 0 || !c.endsWith(records[0]) {
		return history{}, snapshot.Version, nil
	}
	h = history{records: records[1:], commands: c.commands}
	if h.order, err = c.order(); err != nil {
		return history{}, snapshot.Version, nil //nolint:nilerr // as above
	}
	h.head = records[len(records)-1].Version
	h.hold = foldOn(codec, &h.order, h.records)
	return h, 0, nil
}

// findSnapshot does not tell why there is none: the answer is the same without.
func findSnapshot(ctx context.Context, store Store, id domain.OrderID) (s Snapshot, found bool) {
	ctx, cancel := context.WithTimeout(ctx, SnapshotTimeout)
	defer cancel()
	s, err := store.LoadSnapshot(ctx, id)
	return s, err == nil && s.Version > 0
}

// take saves a snapshot if the events that were stored are a reason to. They are stored whatever becomes of it, so its failure is not the
// command's, and it goes on although the caller has left. It is done before the answer: it is one write for each hundred commands on a long order,
// takes SnapshotTimeout at most, and leaves nothing behind that a stop would have to wait for.
func (s Snapshots) take(ctx context.Context, store Store, codec domain.Codec, h history, stored []Record) {
	last := stored[len(stored)-1]
	if !s.due(h.head, last.Version) || foldOn(codec, &h.order, stored) != nil { // a twin's result may be of versions that do not follow
		return
	}
	snapshot, ok := takeSnapshot(codec, h.order, last, h.commands.with(h.records).with(stored))
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), SnapshotTimeout)
	defer cancel()
	_ = store.SaveSnapshot(ctx, snapshot, h.useless) // who wants to hear of it listens at the store
}
