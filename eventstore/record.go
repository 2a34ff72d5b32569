package eventstore

import (
	"time"

	"headway/domain"
)

// Record is a stored event. Data is exactly what was appended, byte for byte, whatever its schema.
type Record struct {
	EventID       string // UUIDv5(command id, index); UUIDv5(order id, version) for schema 1, which had none
	OrderID       domain.OrderID
	Version       int // 1, 2, 3 … without a gap
	EventType     string
	SchemaVersion int
	Data          []byte
	StoredAt      time.Time // the store's clock at the append, UTC, whole microseconds; strictly grows within an order
	Metadata      Metadata
}

// Raw is the part of a record that the codec reads.
func (r Record) Raw() domain.Raw {
	return domain.Raw{OrderID: r.OrderID, Version: r.Version, EventType: r.EventType, SchemaVersion: r.SchemaVersion, Data: r.Data}
}

// Metadata says where an event comes from. It is the same for every event of a command.
type Metadata struct {
	CausationID   domain.CommandID
	CorrelationID string // of the request; the command id if it named none
	UserID        string
	Timestamp     time.Time // business time, UTC, whole microseconds; may lie in the past
	SeenVersion   int       // the version the person was looking at; may be lower than the version expected
	CommandHash   string    // of the command's content: order, kind and own fields
}

// Head is the newest version of an order.
type Head struct {
	OrderID domain.OrderID
	Version int
	At      time.Time // StoredAt of that version
}

// Cursor is a place in a listing or in the feed. It is opaque: only the store that made it can read it. The zero Cursor is
// the beginning. A cursor that is not the store's own is Malformed, with the field "cursor".
type Cursor string
