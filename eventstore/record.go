package eventstore

import "time"

// FirstCategory is the category whose streams are stored under their bare ids: they were there before there were others.
const FirstCategory = "order"

// StreamID names a stream: a kind of things, and one of them.
type StreamID struct{ Category, ID string }

// Key is the stream's name where it is stored: the bare id in the first category, else category#id.
func (s StreamID) Key() string {
	if s.Category == FirstCategory {
		return s.ID
	}
	return s.Category + "#" + s.ID
}

// String is for the log.
func (s StreamID) String() string { return s.Key() }

// NewEvent is an event that is to be stored. Data is JSON; the store does not read it.
type NewEvent struct {
	Type   string
	Schema int
	Data   []byte
}

// Record is a stored event. Data is exactly what was appended, byte for byte, whatever its schema.
type Record struct {
	EventID       string // UUIDv5(command id, index); UUIDv5(stream, version) for those that were stored without one
	Stream        StreamID
	Version       int // 1, 2, 3 … without a gap
	EventType     string
	SchemaVersion int
	Data          []byte
	StoredAt      time.Time // the store's clock at the append, UTC, whole microseconds; strictly grows within a stream
	Metadata      Metadata
}

// Metadata says where an event comes from. It is the same for every event of a command.
type Metadata struct {
	CausationID   string // the command's id
	CorrelationID string // of the request; the command id if it named none
	UserID        string
	Timestamp     time.Time // business time, UTC, whole microseconds; may lie in the past
	SeenVersion   int       // the version the person was looking at; may be lower than the version expected
	CommandHash   string    // of the command's content
	KeyID         string    // reserved: names the key by which personal data in the event is encrypted; empty while none is
}

// Head is the newest version of a stream.
type Head struct {
	Stream  StreamID
	Version int
	At      time.Time // StoredAt of that version
}

// Cursor is a place in a listing or in the feed. It is opaque: only the store that made it can read it. The zero Cursor is
// the beginning. A cursor that is not the store's own is Malformed, with the field "cursor".
type Cursor string
