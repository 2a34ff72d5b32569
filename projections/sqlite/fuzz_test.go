package sqlite

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"headway/domain"
	"headway/fault"
	"headway/projections"
)

// A query of orders with any text, sort and cursor is one that the engine can run, with a place that its own cursor says again, or
// Malformed with a sentence at its field.
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
			e, ok := errors.AsType[*fault.Error](err)
			if !ok || e.Kind != fault.Malformed || len(e.Fields) != 1 || e.Fields[0].Message == "" ||
				e.Fields[0].Field != "cursor" && e.Fields[0].Field != "sort" {
				t.Fatalf("refused with %#v", err)
			}
			return
		}
		if o.q.Limit <= 0 || o.q.Limit > projections.MaxPage || o.sort.index == "" || (o.after != nil) != (q.Cursor != "") {
			t.Fatalf("%+v becomes %+v", q, o)
		}
		if asked := match(o.words); strings.Count(asked, `"`) != 2*len(o.words) {
			t.Fatalf("%q asks the index for %q", text, asked)
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

// Whatever an order's name and a search are, the search finds the order exactly if each of its words begins a word of the order, by the
// index of words and without it alike; and the same of customers.
func FuzzSearch(f *testing.F) {
	for _, seed := range [][2]string{
		{"A-1001/7", "a 1001"}, {"Jürgen Groß", "gross jurg"}, {"чай 緑茶", "緑"}, {"tea", `"tea"* OR NEAR(`}, {"§created", "§created"}, {"created", "created"},
		{"x\x00y", "x\x00"}, {strings.Repeat("é", 70), strings.Repeat("é", 64)}, {"٣ ½ ²", "3 1 2"}, {"İi", "i̇"}, {"\U0001F375 tea", "\U0001F375"}, {"", ""},
	} {
		f.Add(seed[0], seed[1])
	}
	s, err := Open(filepath.Join(f.TempDir(), "read.db"), Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	version := 0
	f.Fuzz(func(t *testing.T, name, text string) {
		name = strings.ToValidUTF8(name, "\uFFFD") // as of everything that is stored
		version++
		row := projections.OrderRow{ID: "7d1c9d0e-0000-4000-8000-000000000007", Reference: name, CustomerID: name, Status: domain.Created,
			Total: domain.Money{Currency: "EUR"}, Version: version}
		sum := projections.Contributed[projections.CustomerOrder]{ID: row.ID, Version: version, Contributions: []projections.CustomerOrder{
			{CustomerID: name, Status: domain.Created, Total: row.Total},
		}}
		for projection, r := range map[string]projections.Row{projections.OrderList: row, projections.CustomerOrderSummary: sum} {
			if err := s.Write(t.Context(), projections.Batch{Key: projections.KeyOf(projection), Rows: []projections.Row{r}}); err != nil {
				t.Fatal(err)
			}
		}
		begins := func(words []string) bool {
			for _, word := range projections.Words(text) {
				if !slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, word) }) {
					return false
				}
			}
			return strings.TrimSpace(text) == "" || len(projections.Words(text)) > 0
		}
		words := projections.Words(name)
		want := begins(append(projections.Words(string(row.ID)), words...))
		for _, q := range []projections.OrderQuery{{Text: text}, {Text: text, Customer: name}, {Text: text, Sort: "-total"}} {
			page, err := s.Orders(t.Context(), q)
			if err != nil || (len(page.Rows) == 1) != want || page.Total != len(page.Rows) {
				t.Fatalf("%q finds %q: %t, %v; %d rows by %+v", text, name, want, err, len(page.Rows), q)
			}
		}
		page, err := s.Customers(t.Context(), projections.CustomerQuery{Text: text})
		if err != nil || (len(page.Rows) == 1) != begins(words) {
			t.Fatalf("%q finds the customer %q: %t, %v; %d rows", text, name, begins(words), err, len(page.Rows))
		}
	})
}
