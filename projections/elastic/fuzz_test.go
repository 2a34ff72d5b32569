package elastic

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"headway/domain"
	"headway/projections"
)

// A page cursor of any sort becomes as many values as the search sorts by, which are JSON of a score that exists, whole numbers and texts, or
// it is Malformed with a sentence at its field.
func FuzzPageCursor(f *testing.F) {
	for _, seed := range []projections.OrderQuery{{}, {Text: "tea"}, {Sort: "-total"}, {Sort: "status"}, {Text: "tea", Sort: "customer"}} {
		f.Add(seed.Text, string(seed.Sort), int64(1), "EUR", "id", "")
		f.Add(seed.Text, string(seed.Sort), int64(-1), "\xff", "", "x")
	}
	f.Fuzz(func(t *testing.T, text, sort string, number int64, word, id, cursor string) {
		q, err := projections.OrderQuery{Text: text, Sort: projections.Sort(sort)}.Checked()
		if err != nil {
			return
		}
		ranked, columns := q.Ranked(), sortOf(q.Sort)
		if q.Cursor = cursor; cursor == "" {
			q.Cursor = projections.EncodeCursor(q.Fingerprint(), valuesFor(ranked, columns, number, word, id)...)
		}
		after, err := readCursor(q, ranked, columns)
		if err != nil {
			e, ok := errors.AsType[*domain.Error](err)
			if !ok || e.Kind != domain.Malformed || len(e.Fields) != 1 || e.Fields[0].Field != "cursor" || e.Fields[0].Message == "" {
				t.Fatalf("refused with %#v", err)
			}
			if cursor == "" && len(q.Cursor) <= projections.MaxCursor {
				t.Fatalf("our own %q is refused: %v", q.Cursor, err)
			}
			return
		}
		if _, err := json.Marshal(after); err != nil || len(after) != len(orderSort(ranked, columns)) {
			t.Fatalf("%q sorted by %q goes on after %v, %v", text, sort, after, err)
		}
		if last := after[len(after)-1]; cursor == "" && last != strings.ToValidUTF8(id, "\uFFFD") && last != string([]rune(id)) {
			t.Fatalf("%q goes on after %q", id, last)
		}
	})
}

// valuesFor is a place in a sort, as a page would say it.
func valuesFor(ranked bool, columns []sortColumn, number int64, word, id string) []any {
	var values []any
	if ranked {
		values = append(values, number)
	}
	for _, c := range columns {
		if _, text := c.value(orderDoc{}).(string); text {
			values = append(values, word)
		} else {
			values = append(values, number)
		}
	}
	return append(values, id)
}
