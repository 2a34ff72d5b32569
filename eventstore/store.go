// Package eventstore is the memory of Headway: the contract of the stores that keep events for ever, the fold
// of a stream into an order, and Execute, the only write path.
package eventstore

import (
	"context"

	"headway/domain"
)

// The bounds of one call.
const (
	MaxPage   = 1000 // orders or records one page may ask for; a larger limit, and none, means this one
	MaxAppend = 50   // events one append may hold; more is TooLarge
)

// Store keeps the streams of orders. It is safe for concurrent use; results share no memory with the caller. Any method
// fails with Unavailable when the store cannot be reached, and with the context's error when that ended first.
type Store interface {
	// Append writes all events or none, as versions expect+1…, durably before it returns. A command id that the stream holds
	// already answers its first result, whatever expect says; with another CommandHash, or if another order holds it, it is
	// Invalid. Else a stream that is not at expect is a Conflict that carries the head. An order that does not exist is at 0.
	// Events over MaxEventBytes or MaxOrderEvents are TooLarge. An outcome that could not be learned is Unavailable and safe
	// to retry with the same command id.
	Append(ctx context.Context, id domain.OrderID, expect int, m Metadata, events ...domain.Event) ([]Record, error)
	// Read returns events with version > after, oldest first, strongly consistent; none for an order that does not exist.
	Read(ctx context.Context, id domain.OrderID, after int) ([]Record, error)
	// Heads returns the head of each order that exists, strongly consistent, in no promised order.
	Heads(ctx context.Context, ids ...domain.OrderID) ([]Head, error)
	// Moved is the feed: orders whose head moved after the cursor. At least once, in no promised order across orders; it
	// names a version the order had. No move is missed for ever. The cursor it returns is never empty; a page shorter than
	// limit does not mean the end, an empty page does, for now.
	Moved(ctx context.Context, after Cursor, limit int) ([]Head, Cursor, error)
	// Walk returns every order's head exactly once, with the total number of orders at the walk's start. An empty cursor
	// answers the end. Orders made meanwhile may or may not be seen.
	Walk(ctx context.Context, after Cursor, limit int) ([]Head, Cursor, int, error)
	// ByType returns events of a type (all types if empty), newest first: descending by StoredAt, order id, version. The
	// cursor is empty at the end.
	ByType(ctx context.Context, eventType string, before Cursor, limit int) ([]Record, Cursor, error)
	// ByCorrelation returns the events of one correlation id, in the order of ByType.
	ByCorrelation(ctx context.Context, id string, before Cursor, limit int) ([]Record, Cursor, error)
	// LoadSnapshot returns the snapshot of an order: the newest that was saved, or for a moment the one before it; the zero Snapshot if
	// there is none. It does not say whether the snapshot can be used.
	LoadSnapshot(ctx context.Context, id domain.OrderID) (Snapshot, error)
	// SaveSnapshot keeps a snapshot in the place of the order's older one. If there is a newer one, that stays, and the error is nil: unless
	// it has the version useless, which says that it was found not to be this stream's, as after a restored backup. More than
	// MaxSnapshotBytes is TooLarge. Nothing else that a store promises depends on snapshots.
	SaveSnapshot(ctx context.Context, s Snapshot, useless int) error
	// Close lets go of the store after what was accepted is answered. Closing twice is harmless.
	Close() error
}

// ManyReader is what a Store may be, too, if its engine answers for many orders in one request. Whoever asks can do without.
type ManyReader interface {
	// ReadMany returns what Read would of each order, after the version that its head names: one order after the other, as they are named,
	// each strongly consistent. Of the metadata a record has the timestamp alone, and it has no event id: that is all that a fold needs. It
	// stops after limit records, so of as many the last order's may not be all.
	ReadMany(ctx context.Context, after []Head, limit int) ([]Record, error)
}
