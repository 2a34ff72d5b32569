package eventstore

import (
	"bytes"
	"regexp"
	"strings"
	"time"

	"headway/fault"
)

// categories are what a category may be called.
var categories = regexp.MustCompile(`^[a-z][a-z-]{0,31}$`)

// looksForeign tells whether a bare id could be the key of a stream of another category.
func looksForeign(id string) bool {
	category, _, found := strings.Cut(id, "#")
	return found && categories.MatchString(category)
}

// Records are what an append is to store, without the times of storing; they share no memory with the events. Every engine makes them here.
// It refuses what no store takes: a stream without a name, no events or too many, data that is too large.
func Records(id StreamID, expect int, m Metadata, events []NewEvent) ([]Record, error) {
	if err := checkAppend(id, m, events); err != nil {
		return nil, err
	}
	m.Timestamp = m.Timestamp.UTC().Truncate(time.Microsecond)
	records := make([]Record, len(events))
	for i, e := range events {
		records[i] = Record{
			EventID: EventID(m.CausationID, i), Stream: id, Version: expect + i + 1, EventType: e.Type, SchemaVersion: e.Schema,
			Data: bytes.Clone(e.Data), Metadata: m,
		}
	}
	return records, nil
}

func checkAppend(id StreamID, m Metadata, events []NewEvent) error {
	switch {
	case !categories.MatchString(id.Category) || id.ID == "":
		return fault.Errorf(fault.Internal, "A stream has a category and an id.")
	case id.Category == FirstCategory && looksForeign(id.ID):
		return fault.Errorf(fault.Internal, "The id %s is what a stream of another category is stored under.", id.ID)
	case m.CausationID == "":
		return fault.Errorf(fault.Internal, "An append needs the id of its command.")
	case len(events) == 0:
		return fault.Errorf(fault.Internal, "An append needs at least one event.")
	case len(events) > MaxAppend:
		return fault.Errorf(fault.TooLarge, "One command can store at most %d events, not %d.", MaxAppend, len(events))
	}
	for _, e := range events {
		if len(e.Data) > MaxEventBytes {
			return fault.Errorf(fault.TooLarge, "One event can hold at most %d KiB.", MaxEventBytes>>10)
		}
	}
	return nil
}
