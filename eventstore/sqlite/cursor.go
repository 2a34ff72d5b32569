package sqlite

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"headway/eventstore"
	"headway/fault"
)

// cursorKind begins every cursor of one listing, with the version of its form; a cursor of one listing means nothing in another. The log's
// identity follows it.
type cursorKind string

const (
	feedCursor        cursorKind = "f2."
	walkCursor        cursorKind = "w2."
	typeCursor        cursorKind = "t2."
	correlationCursor cursorKind = "c2."

	oldFeedCursor = "f1." // it named no log and no event
)

// at is the cursor of a log's listing at a seq.
func (k cursorKind) at(log string, seq int64) eventstore.Cursor {
	return eventstore.Cursor(string(k) + log + "." + strconv.FormatInt(seq, 10))
}

// parse gives the seq of a cursor that at made, start for the zero Cursor. A cursor of another log is OtherLog.
func (k cursorKind) parse(log string, c eventstore.Cursor, start int64) (int64, error) {
	if c == "" {
		return start, nil
	}
	rest, ok := strings.CutPrefix(string(c), string(k))
	id, digits, _ := strings.Cut(rest, ".")
	seq, err := strconv.ParseInt(digits, 10, 64)
	switch {
	case !ok || err != nil || seq < 0 || k.at(id, seq) != c:
		return 0, notOurs()
	case id != log:
		return 0, eventstore.OtherLog()
	}
	return seq, nil
}

// feedPlace is how far a follower of the feed is: the last event it passed. A log that has another event there, or none, is another log, or
// one that was put back from a backup.
type feedPlace struct {
	seq  int64
	mark string // of the event at seq; empty at 0
}

// markOf tells an event of one log from any other that could be at its place.
func markOf(eventID string, storedAt int64) string {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, eventID, " ", storedAt) // a hash takes everything
	return strconv.FormatUint(h.Sum64(), 36)
}

func (p feedPlace) cursor(log string) eventstore.Cursor {
	return feedCursor.at(log, p.seq) + eventstore.Cursor("."+p.mark)
}

// parseFeed begins anew for a cursor of the form that named no log: whoever has it walks once.
func parseFeed(log string, c eventstore.Cursor) (feedPlace, error) {
	if c == "" {
		return feedPlace{}, nil
	}
	if digits, old := strings.CutPrefix(string(c), oldFeedCursor); old {
		if seq, err := strconv.ParseInt(digits, 10, 64); err != nil || seq < 0 || strconv.FormatInt(seq, 10) != digits {
			return feedPlace{}, notOurs()
		}
		return feedPlace{}, nil
	}
	at := strings.LastIndexByte(string(c), '.')
	if at <= 0 {
		return feedPlace{}, notOurs()
	}
	seq, err := feedCursor.parse(log, c[:at], 0)
	mark := string(c[at+1:])
	if err == nil && (seq == 0) != (mark == "") {
		err = notOurs()
	}
	if err != nil {
		return feedPlace{}, err
	}
	return feedPlace{seq, mark}, nil
}

// walkPlace is where a walk goes on, where it ends, and what it promised at its start.
type walkPlace struct {
	seq, until int64
	total      int
}

func (p walkPlace) cursor(log string) eventstore.Cursor {
	return eventstore.Cursor(fmt.Sprintf("%s%s.%d.%d.%d", walkCursor, log, p.seq, p.until, p.total))
}

func parseWalk(log string, c eventstore.Cursor) (walkPlace, error) {
	var p walkPlace
	if c == "" {
		return p, nil
	}
	rest, ok := strings.CutPrefix(string(c), string(walkCursor))
	id, rest, _ := strings.Cut(rest, ".")
	_, err := fmt.Sscanf(rest, "%d.%d.%d", &p.seq, &p.until, &p.total)
	switch {
	case !ok || err != nil || p.seq < 0 || p.until < p.seq || p.total < 0 || p.cursor(id) != c:
		return walkPlace{}, notOurs()
	case id != log:
		return walkPlace{}, eventstore.OtherLog()
	}
	return p, nil
}

func notOurs() error {
	return fault.MalformedField("cursor", "This place in the list is not one that this store gave out.")
}
