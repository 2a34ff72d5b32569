package sqlite

import (
	"errors"
	"strings"
	"testing"

	"headway/domain"
	"headway/projections"
)

// A query of orders with any text, sort and cursor is one that the engine can run, with a place that its own cursor says again, or Malformed
// with a sentence at its field.
func FuzzOrderQuery(f *testing.F) {
	for _, seed := range []projections.OrderQuery{
		{}, {Text: "tea"}, {Text: `"*' OR`}, {Sort: "-total"}, {Sort: "status"}, {Sort: "colour"}, {Sort: "-"}, {Text: "tea", Sort: "customer"},
	} {
		f.Add(seed.Text, string(seed.Sort), "", false)
		if o, err := newOrderSearch(seed); err == nil {
			here := place{keys: make([]sortValue, len(o.sort.columns)), id: "x"}
			f.Add(seed.Text, string(seed.Sort), projections.EncodeCursor(o.q.Fingerprint(), o.cursor(&here)...), false)
			f.Add(seed.Text, string(seed.Sort), `-7,"EUR"`, true)
		}
	}
	f.Fuzz(func(t *testing.T, text, sort, cursor string, values bool) {
		q := projections.OrderQuery{Text: text, Sort: projections.Sort(sort), Cursor: cursor}
		if checked, err := q.Checked(); values && err == nil {
			q.Cursor = projections.EncodeCursor(checked.Fingerprint(), placeOf(cursor)...)
		}
		o, err := newOrderSearch(q)
		if err != nil {
			e, ok := errors.AsType[*domain.Error](err)
			if !ok || e.Kind != domain.Malformed || len(e.Fields) != 1 || e.Fields[0].Message == "" ||
				e.Fields[0].Field != "cursor" && e.Fields[0].Field != "sort" {
				t.Fatalf("refused with %#v", err)
			}
			return
		}
		if o.q.Limit <= 0 || o.q.Limit > projections.MaxPage || o.sort.index == "" || (o.after != nil) != (q.Cursor != "") {
			t.Fatalf("%+v becomes %+v", q, o)
		}
		for _, args := range match("orders_fts", o.words).args {
			if strings.Count(args.(string), `"`) != 2*len(o.words) {
				t.Fatalf("%q asks the index for %q", text, args)
			}
		}
		if o.after == nil {
			return
		}
		q.Cursor = projections.EncodeCursor(o.q.Fingerprint(), o.cursor(o.after)...)
		again, err := newOrderSearch(q)
		if len(q.Cursor) > projections.MaxCursor {
			return
		}
		if err != nil || again.after.id != o.after.id || again.after.rank != o.after.rank || again.after.keys[0] != o.after.keys[0] {
			t.Fatalf("%+v, written again %+v, %v", o.after, again, err)
		}
	})
}

// placeOf makes values of a place from a text: numbers where it can.
func placeOf(text string) []any {
	var values []any
	for part := range strings.SplitSeq(text, ",") {
		if word, isText := strings.CutPrefix(part, `"`); isText {
			values = append(values, word)
			continue
		}
		values = append(values, int64(len(part))-3)
	}
	return values
}
