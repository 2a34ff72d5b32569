package eventstore

import "context"

// The bounds of one call.
const (
	MaxPage         = 1000      // streams or records one page may ask for; a larger limit, and none, means this one
	MaxAppend       = 50        // events one append may hold; more is TooLarge
	MaxEventBytes   = 256 << 10 // the data of one event; more is TooLarge
	MaxStreamEvents = 10_000    // events one stream may hold; more is TooLarge
)

// Store keeps streams of events. It is safe for concurrent use; results share no memory with the caller. Any method
// fails with Unavailable when the store cannot be reached, and with the context's error when that ended first.
type Store interface {
	// Append writes all events or none, as versions expect+1…, durably before it returns. A command id that the stream holds
	// already answers its first result, whatever expect says; with another CommandHash, or if another stream holds it, it is
	// Invalid. Else a stream that is not at expect is a Conflict that carries the head. A stream that does not exist is at 0.
	// Events over MaxEventBytes or MaxStreamEvents are TooLarge. An outcome that could not be learned is Unavailable and safe
	// to retry with the same command id.
	Append(ctx context.Context, id StreamID, expect int, m Metadata, events ...NewEvent) ([]Record, error)
	// Read returns events with version > after, oldest first, strongly consistent; none for a stream that does not exist.
	Read(ctx context.Context, id StreamID, after int) ([]Record, error)
	// ReadMany returns what Read would of each stream, after the version that its head names: one stream after the other, as they are named,
	// each strongly consistent. It stops after limit records, so of as many the last stream's may not be all.
	ReadMany(ctx context.Context, after []Head, limit int) ([]Record, error)
	// Heads returns the head of each stream that exists, strongly consistent, in no promised order.
	Heads(ctx context.Context, ids ...StreamID) ([]Head, error)
	// Feed names streams of a category whose head moved after the cursor, as far as they lie in the part. At least once, in no promised order
	// across streams; it names a version the stream had. No move is missed for ever. The cursor it returns is never empty; a page shorter
	// than limit does not mean the end, an empty page does, for now.
	Feed(ctx context.Context, category string, part Part, after Cursor, limit int) ([]Head, Cursor, error)
	// Earlier returns a cursor of a category's feed after which everything is named that is named after either of two. It may name more, and
	// may be the beginning. It asks nothing of the store.
	Earlier(category string, a, b Cursor) (Cursor, error)
	// Walk returns the head of every stream of a category exactly once, with their total number at the walk's start. An empty cursor
	// answers the end. Streams made meanwhile may or may not be seen.
	Walk(ctx context.Context, category string, after Cursor, limit int) ([]Head, Cursor, int, error)
	// ByType returns events of a type (all types of the category if empty), newest first: descending by StoredAt, stream, version. The
	// cursor is empty at the end.
	ByType(ctx context.Context, category, eventType string, before Cursor, limit int) ([]Record, Cursor, error)
	// ByCorrelation returns the events of one correlation id, in the order of ByType.
	ByCorrelation(ctx context.Context, category, id string, before Cursor, limit int) ([]Record, Cursor, error)
	// Close lets go of the store after what was accepted is answered. Closing twice is harmless.
	Close() error
}

// Snapshots keeps at most one snapshot a stream. Nothing that a Store promises depends on it.
type Snapshots interface {
	// LoadSnapshot returns the snapshot of a stream: the newest that was saved, or for a moment the one before it; the zero Snapshot if
	// there is none. It does not say whether the snapshot can be used.
	LoadSnapshot(ctx context.Context, id StreamID) (Snapshot, error)
	// SaveSnapshot keeps a snapshot in the place of the stream's older one. If there is a newer one, that stays, and the error is nil: unless
	// it has the version invalid, which says that it was found not to be this stream's, as after a restored backup. More than
	// MaxSnapshotBytes is TooLarge.
	SaveSnapshot(ctx context.Context, s Snapshot, invalid int) error
}
