package sqlite

import (
	"fmt"
	"strconv"
	"strings"

	"headway/eventstore"
	"headway/fault"
)

// cursorKind begins every cursor of one listing, with the version of its form; a cursor of one listing means nothing in another.
type cursorKind string

const (
	feedCursor        cursorKind = "f1."
	walkCursor        cursorKind = "w1."
	typeCursor        cursorKind = "t1."
	correlationCursor cursorKind = "c1."
)

func (k cursorKind) at(seq int64) eventstore.Cursor {
	return eventstore.Cursor(string(k) + strconv.FormatInt(seq, 10))
}

// parse gives the seq of a cursor that at made, start for the zero Cursor.
func (k cursorKind) parse(c eventstore.Cursor, start int64) (int64, error) {
	if c == "" {
		return start, nil
	}
	digits, ok := strings.CutPrefix(string(c), string(k))
	seq, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || seq < 0 || k.at(seq) != c {
		return 0, notOurs()
	}
	return seq, nil
}

// walkPlace is where a walk goes on, where it ends, and what it promised at its start.
type walkPlace struct {
	seq, until int64
	total      int
}

func (p walkPlace) cursor() eventstore.Cursor {
	return eventstore.Cursor(fmt.Sprintf("%s%d.%d.%d", walkCursor, p.seq, p.until, p.total))
}

func parseWalk(c eventstore.Cursor) (walkPlace, error) {
	var p walkPlace
	if c == "" {
		return p, nil
	}
	_, err := fmt.Sscanf(string(c), string(walkCursor)+"%d.%d.%d", &p.seq, &p.until, &p.total)
	if err != nil || p.seq < 0 || p.until < p.seq || p.total < 0 || p.cursor() != c {
		return walkPlace{}, notOurs()
	}
	return p, nil
}

func notOurs() error {
	return fault.MalformedField("cursor", "This place in the list is not one that this store gave out.")
}
