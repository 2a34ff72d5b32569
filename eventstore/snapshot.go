package eventstore

import (
	"headway/fault"
)

// MaxSnapshotBytes is how large a snapshot may be; larger ones are not taken. It fits into every engine's largest item.
const MaxSnapshotBytes = 384 << 10

// Snapshot is the state of a stream at a version, kept beside it so that a long one need not be folded from its first event. It can be
// deleted, outdated or broken at any time: that costs time, never truth.
type Snapshot struct {
	Stream  StreamID
	Version int    // of the last event that it covers
	Data    []byte // at most MaxSnapshotBytes; the store does not read it
}

// SnapshotTooLarge is the answer of a store to a snapshot that it does not take.
func SnapshotTooLarge(s Snapshot) error {
	return fault.Errorf(fault.TooLarge, "A snapshot can have at most %d KiB; this one has %d.", MaxSnapshotBytes>>10, len(s.Data)>>10)
}
