package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"headway/domain"
	"headway/fault"
	"headway/projections"
)

var longAgo = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// sized is a store of n orders of every kind, an hour apart. The words dear, cheap, many and few, and each customer, lie together in one of
// the sorts.
func sized(t *testing.T, path string, n int) *Store {
	t.Helper()
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	batch, sums := projections.Batch{Key: projections.KeyOf(projections.OrderList)}, projections.Batch{Key: projections.KeyOf(projections.CustomerOrderSummary)}
	customers := []string{"ada", "bob", "zoe"}
	for i := range n {
		at := longAgo.Add(time.Duration(i) * time.Hour)
		words := []string{"tea", fmt.Sprint("word", i%2), []string{"cheap", "dear"}[i%100/50], []string{"few", "few", "some", "many", "many"}[i%5]}
		batch.Rows = append(batch.Rows, projections.OrderRow{
			ID: domain.OrderID(fmt.Sprintf("%08x-0000-4000-8000-%012x", i*7919, i)), Reference: fmt.Sprint("SO-", 10_000+i), CustomerID: customers[i%3],
			Status: domain.Statuses()[i%3], ItemCount: 1 + i%5, Total: domain.Money{Minor: int64(i % 100), Currency: "EUR"}, CreatedAt: at, Version: 1,
			StoredAt: at, Words: words,
		})
		if customer := customers[i%len(customers)]; i < len(customers) {
			sums.Rows = append(sums.Rows, projections.Contributed[projections.CustomerOrder]{
				ID: domain.OrderID(customer), Version: 1, Contributions: []projections.CustomerOrder{{CustomerID: customer, Status: domain.Created, CreatedAt: at}},
			})
		}
	}
	if err := s.Write(t.Context(), sums); err != nil {
		t.Fatal(err)
	}
	for chunk := range slices.Chunk(batch.Rows, projections.BatchOrders) {
		if err := s.Write(t.Context(), projections.Batch{Key: batch.Key, Rows: chunk}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// heard is a reader that notes what it is asked.
type heard struct {
	reader
	queries []string
	args    [][]any
}

func (h *heard) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	h.queries, h.args = append(h.queries, query), append(h.args, args)
	return h.reader.QueryContext(ctx, query, args...)
}

func (h *heard) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	h.queries, h.args = append(h.queries, query), append(h.args, args)
	return h.reader.QueryRowContext(ctx, query, args...)
}

// Whatever a list is asked for, each of its statements finds its rows by an index, and stops at a limit. None sorts more than the rows that
// share a sort value.
func TestListsAreReadByIndexes(t *testing.T) {
	s := sized(t, filepath.Join(t.TempDir(), "read.db"), 3*fewMatches+600)
	if _, err := s.writer.ExecContext(t.Context(), `ANALYZE`); err != nil {
		t.Fatal(err)
	}
	sorts := []projections.Sort{""}
	for _, by := range projections.OrderSorts() {
		sorts = append(sorts, projections.Sort(by), projections.Sort("-"+by))
	}
	if testing.Short() {
		sorts = []projections.Sort{"", "total"} // a plan is the same under the race detector
	}
	asked, far, named := 0, 0, 0
	for _, q := range []projections.OrderQuery{
		{}, {Statuses: []domain.Status{domain.Created}}, {Statuses: []domain.Status{domain.Created, domain.Cancelled}}, {Customer: "bob"},
		{From: longAgo.AddDate(0, 2, 0)}, {From: longAgo.AddDate(0, 2, 0), To: longAgo.AddDate(0, 2, 1)}, {Text: "t"}, {Text: "so 1"}, {Text: "so 10007"},
		{Text: "tea word1", Statuses: []domain.Status{domain.Created}}, {Text: "tea word1 0000", From: longAgo.AddDate(0, 1, 0)}, {Text: "tea", Customer: "bob"},
		{Text: "nothing"}, {Text: "dear"}, {Text: "cheap", Statuses: []domain.Status{domain.Created, domain.Confirmed}}, {Text: "many"}, {Text: "few"},
		{Text: "zoe"}, {Text: "ada", From: longAgo.AddDate(0, 0, 2)},
	} {
		for _, q.Sort = range sorts {
			q.Cursor = ""
			for page := range 3 {
				h := &heard{reader: s.readers}
				o, err := newOrderSearch(q)
				if err != nil {
					t.Fatal(err)
				}
				o.ctx, o.tx = t.Context(), h
				answer := projections.NoOrders()
				if err := o.answer(&answer); err != nil {
					t.Fatalf("%+v: %v", q, err)
				}
				for i, query := range h.queries {
					asked++
					if strings.Contains(query, "o.no IN (SELECT") {
						far++
					}
					if strings.HasPrefix(query, "SELECT "+orderColumns) && strings.Contains(query, "customers_fts MATCH ?") {
						named++
					}
					plan := planOf(t, s, query, h.args[i])
					for _, step := range plan {
						scans := strings.HasPrefix(step, "SCAN o") && !strings.Contains(step, "USING") && !strings.Contains(step, "VIRTUAL TABLE")
						sorts := strings.HasPrefix(step, "USE TEMP B-TREE FOR ORDER BY") &&
							!strings.Contains(query, "ORDER BY j.key") // the rows of one page
						if scans || sorts {
							t.Errorf("%+v, page %d: %s\nby %q\nas %q", q, page, step, query, plan)
						}
					}
				}
				if q.Cursor = answer.Next; q.Cursor == "" {
					break
				}
			}
		}
	}
	if asked < 40*len(sorts) || far == 0 || !testing.Short() && (far < len(sorts) || named < 2) {
		t.Errorf("only %d statements were heard, of which %d look for matches far away, and %d for those of a name", asked, far, named)
	}
}

func planOf(t *testing.T, s *Store, query string, args []any) (steps []string) {
	t.Helper()
	rows, err := s.readers.QueryContext(t.Context(), `EXPLAIN QUERY PLAN `+query, args...)
	if _, err = collect(rows, err, func(rows *sql.Rows) (step string, err error) {
		var id, parent, unused int
		err = rows.Scan(&id, &parent, &unused, &step)
		steps = append(steps, step)
		return step, err
	}); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return steps
}

// A start reads no row: it succeeds although every page that holds one is unreadable, as a page that is asked for shows.
func TestAStartReadsNoRow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "read.db")
	s := sized(t, path, 1500)
	var size int64
	if err := s.readers.QueryRowContext(t.Context(), `PRAGMA page_size`).Scan(&size); err != nil {
		t.Fatal(err)
	}
	rows, err := s.readers.QueryContext(t.Context(), `SELECT pageno FROM dbstat WHERE name LIKE 'orders%' OR name LIKE 'sqlite_autoindex_orders%' OR name = 'tally'`)
	pages, err := collect(rows, err, func(rows *sql.Rows) (page int64, err error) {
		err = rows.Scan(&page)
		return page, err
	})
	if err != nil || len(pages) < 100 {
		t.Fatalf("%d pages hold orders, %v", len(pages), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if _, err := file.WriteAt(slices.Repeat([]byte{0xee}, int(size)), (page-1)*size); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(path, Options{})
	if err != nil {
		t.Fatalf("a start read a row: %v", err)
	}
	defer again.Close()
	if _, err := again.States(t.Context()); err != nil {
		t.Errorf("a start looks at the states: %v", err)
	}
	if _, err := again.Orders(t.Context(), projections.OrderQuery{}); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a page reads rows: %v", err)
	}
}

// Orders of one second share its places; the one after the last cannot be kept, and that is said of it alone.
func TestASecondHasSoManyPlaces(t *testing.T) {
	s := sized(t, filepath.Join(t.TempDir(), "read.db"), 1)
	for i, r := range regions() {
		last := inPlace(r.first(secondAt(longAgo)+1)-1, domain.Cancelled)
		if r.base == crowded {
			last -= 1 << statusBits // but one
		}
		if _, err := s.writer.ExecContext(t.Context(), `INSERT INTO orders SELECT ?, ?, reference, customer, status, items, total, currency, createdAt,
			confirmedAt, cancelledAt, version, storedAt, begins, head, words FROM orders LIMIT 1`, last, i); err != nil {
			t.Fatal(err)
		}
	}
	put := func(id domain.OrderID, at time.Time) error {
		row := projections.OrderRow{ID: id, CustomerID: "ada", Status: domain.Created, Total: domain.Money{Currency: "EUR"}, CreatedAt: at, Version: 1}
		return s.Write(t.Context(), projections.Batch{Key: projections.KeyOf(projections.OrderList), Rows: []projections.Row{row}})
	}
	if err := put("00000001-0000-4000-8000-000000000001", longAgo.Add(999*time.Millisecond)); err != nil {
		t.Errorf("the last place: %v", err)
	}
	err := put("00000002-0000-4000-8000-000000000002", longAgo)
	if refusal, ok := err.(*projections.RejectedRow); !ok || refusal.OrderID != "00000002-0000-4000-8000-000000000002" {
		t.Errorf("one more: %v", err)
	}
	if err := put("00000002-0000-4000-8000-000000000002", longAgo.Add(time.Second)); err != nil {
		t.Errorf("the next second has places of its own: %v", err)
	}
}

// A second that was crowded is read to its end, and a few of its rows are kept.
func TestACrowdedSecondIsNotKept(t *testing.T) {
	s := sized(t, filepath.Join(t.TempDir(), "read.db"), 0)
	for chunk := range 3 {
		var b projections.Batch
		b.Projection = projections.OrderList
		for i := range projections.BatchOrders {
			id := domain.OrderID(fmt.Sprintf("%08x-0000-4000-8000-%012x", i*7919, chunk))
			b.Rows = append(b.Rows, projections.OrderRow{
				ID: id, CustomerID: "ada", Status: domain.Created, Total: domain.Money{Currency: "EUR"}, CreatedAt: longAgo, Version: 1, Words: []string{"tea"},
			})
		}
		if err := s.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	o, err := newOrderSearch(projections.OrderQuery{Text: "tea"})
	if err != nil {
		t.Fatal(err)
	}
	err = s.snapshot(t.Context(), func(tx reader) error {
		o.ctx, o.tx, o.isCrowded = t.Context(), tx, true
		for _, r := range o.regions() {
			rows, err := o.inRegion(r, anyMatch, match(o.words), nil, 10)
			if err != nil {
				return err
			}
			if len(rows) < 10 || len(rows) > 4*10 {
				t.Errorf("the region of %d keeps %d rows", r.base, len(rows))
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A row's number follows its status, also of an order that one batch names more than once: the matches of each status are counted by their
// numbers alone.
func TestANumberFollowsTheStatus(t *testing.T) {
	s := sized(t, filepath.Join(t.TempDir(), "read.db"), 3)
	all, err := s.Orders(t.Context(), projections.OrderQuery{Text: "tea"})
	if err != nil || len(all.Rows) != 3 {
		t.Fatalf("%d rows, %v", len(all.Rows), err)
	}
	fresh := all.Rows[0] // of the same second
	fresh.ID, fresh.Version = "99999999-0000-4000-8000-000000000000", 0
	set := func(statuses ...domain.Status) {
		t.Helper()
		var rows []projections.Row
		for _, status := range statuses {
			for i, r := range []*projections.OrderRow{&all.Rows[0], &fresh} {
				r.Status, r.Version, r.ItemCount = status, r.Version+1, i
				rows = append(rows, *r)
			}
		}
		if err := s.Write(t.Context(), projections.Batch{Key: projections.KeyOf(projections.OrderList), Rows: rows}); err != nil {
			t.Fatal(err)
		}
		want := map[domain.Status]int{all.Rows[0].Status: 2}
		for _, r := range all.Rows[1:] {
			want[r.Status]++
		}
		for _, status := range domain.Statuses() {
			page, err := s.Orders(t.Context(), projections.OrderQuery{Text: "tea", Statuses: []domain.Status{status}})
			if n := want[status]; err != nil || page.Total != n || len(page.Rows) != n || page.ByStatus[status] != (projections.Count{N: n, IsExact: true}) {
				t.Errorf("after %s: %d %s, %d of them on the page, and %+v in the tab; want %d, %v", statuses, page.Total, status, len(page.Rows), page.ByStatus[status], n, err)
			}
		}
		err := s.Check(t.Context(), func(d projections.Difference) { t.Errorf("after %s: %+v", statuses, d) })
		if err != nil {
			t.Error(err)
		}
	}
	set(domain.Confirmed, domain.Created)
	set(domain.Confirmed, domain.Cancelled)
	set(domain.Cancelled)
	set(domain.Confirmed, domain.Created, domain.Confirmed)
}

// An order that turns out to have been created at another time moves, in lists and searches alike.
func TestARowMovesWithItsCreation(t *testing.T) {
	s := sized(t, filepath.Join(t.TempDir(), "read.db"), 3)
	rows, err := s.Orders(t.Context(), projections.OrderQuery{Text: "tea"})
	if err != nil || len(rows.Rows) != 3 {
		t.Fatalf("%d rows, %v", len(rows.Rows), err)
	}
	oldest := rows.Rows[2]
	for _, at := range []time.Time{longAgo.AddDate(1, 0, 0), longAgo.AddDate(-2, 0, 0), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), longAgo.AddDate(2, 0, 0)} {
		oldest.CreatedAt, oldest.Version = at, oldest.Version+1
		if err := s.Write(t.Context(), projections.Batch{Key: projections.KeyOf(projections.OrderList), Rows: []projections.Row{oldest}}); err != nil {
			t.Fatal(err)
		}
		want := 2
		if at.After(longAgo) {
			want = 0
		}
		for _, q := range []projections.OrderQuery{{}, {Text: "tea"}, {Text: "tea", Sort: "-created"}} {
			page, err := s.Orders(t.Context(), q)
			if err != nil || len(page.Rows) != 3 || page.Rows[want].ID != oldest.ID {
				t.Errorf("%v: %+v has %d rows, %v", at, q, len(page.Rows), err)
			}
		}
	}
	if err := s.Check(t.Context(), func(d projections.Difference) { t.Error(d) }); err != nil {
		t.Error(err)
	}
}
