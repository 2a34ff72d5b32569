package sqlite

import (
	"errors"
	"slices"
	"testing"

	"headway/eventstore"
	"headway/fault"
)

// A cursor is one that this kind of listing wrote, letter by letter, or Malformed with a sentence at its field.
func FuzzCursor(f *testing.F) {
	for _, seed := range []eventstore.Cursor{
		"", feedCursor.at(0), walkCursor.at(7), typeCursor.at(1 << 62), correlationCursor.at(9), walkPlace{3, 7, 5}.cursor(),
		"f1.-1", "f1.+1", "f1.01", "f1.9223372036854775808", "f1. 1", "w1.3.7.5 ", "w1.3. 7.5", "w1.7.3.5", "w1.3.7.-5", "w1.3.7.5.9", "w1.1.2",
	} {
		f.Add(string(seed))
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := eventstore.Cursor(text)
		for _, kind := range []cursorKind{feedCursor, walkCursor, typeCursor, correlationCursor} {
			switch seq, err := kind.parse(c, -1); {
			case err != nil:
				refusedCursor(t, err)
			case text == "" && seq != -1 || text != "" && (seq < 0 || kind.at(seq) != c):
				t.Fatalf("%q is at %d as %s", text, seq, kind)
			}
		}
		switch p, err := parseWalk(c); {
		case err != nil:
			refusedCursor(t, err)
		case text == "" && p != walkPlace{} || text != "" && (p.cursor() != c || p.seq < 0 || p.until < p.seq || p.total < 0):
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
