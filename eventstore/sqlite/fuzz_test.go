package sqlite

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"headway/eventstore"
	"headway/fault"
)

// A cursor is one that this kind of listing of this log wrote, letter by letter, or Malformed with a sentence at its field; the one form
// that is older than the log's identity begins a feed anew.
func FuzzCursor(f *testing.F) {
	const log, another = "5d8c", "5d8d"
	for _, seed := range []eventstore.Cursor{
		"", typeCursor.at(log, 1<<62), correlationCursor.at(log, 9), typeCursor.at(another, 9), typeCursor.at(log, 0) + "0", "t2.", "t2." + log,
		walkPlace{3, 7, 5}.cursor(log), walkPlace{3, 7, 5}.cursor(another), walkPlace{3, 7, 5}.cursor(log) + " ", walkPlace{7, 3, 5}.cursor(log),
		walkPlace{3, 7, 5}.cursor(log) + ".9", "w2." + log + ".03.7.5", "w2." + log + ".3.7.-5", "w1.3.7.5",
		feedPlace{}.cursor(log), feedPlace{7, markOf("e", 8)}.cursor(log), feedPlace{7, markOf("e", 8)}.cursor(another), feedPlace{7, ""}.cursor(log),
		feedPlace{0, "x"}.cursor(log), feedCursor.at(log, 7), ".x", "f2.x", "f2." + log + ".-1.x", "f2." + log + ".+1.x", "f2." + log + ".01.x",
		"f2." + log + ".9223372036854775808.x", "f1.7", "f1.",
	} {
		f.Add(string(seed))
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := eventstore.Cursor(text)
		for _, kind := range []cursorKind{walkCursor, typeCursor, correlationCursor} {
			switch seq, err := kind.parse(log, c, -1); {
			case err != nil:
				refusedCursor(t, err)
			case text == "" && seq != -1 || text != "" && (seq < 0 || kind.at(log, seq) != c):
				t.Fatalf("%q is at %d as %s", text, seq, kind)
			}
		}
		switch p, err := parseFeed(log, c); {
		case err != nil:
			refusedCursor(t, err)
		case text == "" || strings.HasPrefix(text, oldFeedCursor):
			if p != (feedPlace{}) {
				t.Fatalf("%q is %+v, and not the beginning", text, p)
			}
		case p.cursor(log) != c || p.seq < 0 || (p.seq == 0) != (p.mark == ""):
			t.Fatalf("%q is %+v", text, p)
		}
		switch p, err := parseWalk(log, c); {
		case err != nil:
			refusedCursor(t, err)
		case text == "" && p != walkPlace{} || text != "" && (p.cursor(log) != c || p.seq < 0 || p.until < p.seq || p.total < 0):
			t.Fatalf("%q is %+v", text, p)
		}
	})
}

func refusedCursor(t *testing.T, err error) {
	t.Helper()
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Kind != fault.Malformed || !slices.Equal(e.Fields, []fault.FieldError{{Field: "cursor", Message: e.Message}}) || e.Message == "" {
		t.Fatalf("refused with %#v", err)
	}
}
