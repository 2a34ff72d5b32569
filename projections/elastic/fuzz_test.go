package elastic

import (
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"headway/domain"
	"headway/fault"
	"headway/projections"
)

// A page cursor of any sort becomes as many values as the search sorts by, which are JSON of a score that exists, whole numbers and texts,
// or it is Malformed with a sentence at its field.
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
			e, ok := errors.AsType[*fault.Error](err)
			if !ok || e.Kind != fault.Malformed || len(e.Fields) != 1 || e.Fields[0].Field != "cursor" || e.Fields[0].Message == "" {
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

// Whatever a node answers to a bulk, no item is taken for written that it did not say is: each is done, to be sent again, or an error.
func FuzzBulkAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"items":[{"index":{"status":201}},{"index":{"status":409}},{"delete":{"status":404}}]}`,
		`{"items":[{"index":{"status":200}},{"index":{"status":429,"error":{"type":"es_rejected_execution_exception"}}},{"delete":{"status":200}}]}`,
		`{"items":[{"index":{"status":400,"error":{"type":"mapper_parsing_exception","caused_by":{"type":"x"}}}},{"index":{"status":201}},{"delete":{"status":200}}]}`,
		`{"items":[{"index":{}},{"index":{"status":201}},{"delete":{"status":404,"error":{"type":"index_not_found_exception"}}}]}`,
		`{"items":[{},{"index":null},{"a":{"status":200},"b":{"status":200}}]}`, `{"items":[{"index":{"status":201}}]}`, `{}`, `null`, ``, `[]`,
		`{"items":[{"index":{"status":201}},{"index":{"status":201}},{"delete":{"status":404}}],"items":[]}`,
	} {
		f.Add([]byte(seed))
	}
	doc := stateDoc{Kind: "beat"}
	items := []item{{index: "orders", id: "a", order: "a", version: 7, doc: doc}, {index: "states", id: "b", doc: doc}, {index: "states", id: "c"}}
	f.Fuzz(func(t *testing.T, answer []byte) {
		again, busyWith, err := leftOver(items, answer)
		if err != nil {
			if again != nil || busyWith != nil {
				t.Fatalf("%v, and to be sent again %v", err, again)
			}
			return
		}
		var told struct {
			Items []map[string]struct{ Status int }
		}
		if json.Unmarshal(answer, &told) != nil || len(told.Items) != len(items) || (busyWith != nil) != (len(again) > 0) {
			t.Fatalf("%s is %v, %v", answer, again, busyWith)
		}
		for i, outcome := range told.Items {
			for _, o := range outcome {
				written := o.Status/100 == 2 || o.Status == http.StatusConflict && i == 0 || o.Status == http.StatusNotFound && i == 2
				if written == slices.Contains(again, i) || !written && !busy(o.Status) {
					t.Fatalf("the status %d of item %d: to be sent again are %v", o.Status, i, again)
				}
			}
		}
	})
}

// A document that is read is a row that, written again, is read as the same row; or it is an error.
func FuzzDocuments(f *testing.F) {
	for _, seed := range []any{
		orderDocOf(projections.OrderRow{ID: "a", Reference: "A-1", Total: domain.Money{Minor: 1<<62 + 12345, Currency: "EUR"}, Version: 7, Words: []string{"tea"}}),
		customerOrders().document(projections.Contributed[projections.CustomerOrder]{
			ID: "a", Version: 7, Contributions: []projections.CustomerOrder{{CustomerID: "Ada"}, {CustomerID: "Bob", Status: domain.Created}},
		}), customerDoc{ID: "Ada", Spent: []moneyDoc{{"EUR", -1}}},
		stateDoc{Kind: "lease", Holder: "h", Epoch: 7, Renewals: 8}, holdDoc{Projection: "order_list", Order: "a", Since: -1},
	} {
		text, err := json.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, seed := range []string{`{"version":1e2}`, `{"version":null,"total":9223372036854775808}`, `{"createdAt":9223372036854775807}`, `{"id":"\ud800"}`, `[]`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		again(t, source, orderDoc.row, orderDocOf)
		again(t, source, customerOrders().row, customerOrders().document)
		again(t, source, customerDoc.row, customerDocOf)
		again(t, source, stateDoc.lease, func(l projections.Lease) stateDoc {
			return stateDoc{Kind: "lease", Holder: l.Holder, Epoch: l.Epoch, Renewals: l.Renewals}
		})
		again(t, source, holdDoc.hold, func(h projections.Hold) holdDoc {
			return holdDoc{Projection: h.Projection, Generation: h.Generation, Part: h.Part, Order: h.OrderID, Version: h.Version, Reason: h.Reason, Since: micros(h.Since)}
		})
	})
}

func again[D, R any](t *testing.T, source []byte, read func(D) R, write func(R) D) {
	t.Helper()
	one := func(source []byte) (row R, err error) {
		docs, err := documents[D]([]hit{{Source: source}})
		if err != nil {
			return row, err
		}
		return read(docs[0]), nil
	}
	row, err := one(source)
	if err != nil {
		return
	}
	text, err := json.Marshal(write(row))
	if err != nil {
		t.Fatalf("%s is %+v, which cannot be written: %v", source, row, err)
	}
	if back, err := one(text); err != nil || !reflect.DeepEqual(back, row) {
		t.Fatalf("%s is %+v, is written %s, and is %+v, %v", source, row, text, back, err)
	}
}
