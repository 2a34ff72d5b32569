package readtest

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"math/rand"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"headway/domain"
	"headway/projections"
)

// search holds the table of queries and the orders they find, in their order.
func search(t *testing.T, s *subject) {
	named := []struct {
		name, reference, customer string
		words                     []string
		at                        int // minutes
	}{
		{"tea", "A-1001/7", "Ada Lovelace", []string{"darjeeling", "green", "tea"}, 1},
		{"mug", "A-1001", "Jürgen Groß", []string{"creme", "mug"}, 2},
		{"pot", "B-7", "ada@example.com", []string{"1001", "pot", "teapot"}, 3},
		{"plain", "", "bob", []string{"чаи", "緑茶"}, 4},
		{"long", "A-10017", "bob", []string{"lamp", "|", "ring", "twice"}, 5},
	}
	ids, names := map[string]domain.OrderID{}, map[domain.OrderID]string{}
	for i, n := range named {
		r := anOrder(0xabcd000 + i)
		r.Reference, r.CustomerID, r.Words, r.CreatedAt = n.reference, n.customer, n.words, start.Add(time.Duration(n.at)*time.Minute)
		ids[n.name], names[r.ID] = r.ID, n.name
		s.put(r)
	}
	mugID := string(ids["mug"])
	for _, c := range []struct{ rule, text, want string }{
		{"no text finds all, newest first", "  ", "long plain pot mug tea"},
		{"an exact reference comes first, then those it begins, then other words by age", "A-1001", "mug long tea pot"},
		{"any case; words of different fields match, too, but an exact reference comes first", "a-1001/7", "tea pot"},
		{"other signs between the words are the same reference", "a 1001 7", "tea pot"},
		{"a part of a reference", "1001", "long pot mug tea"},
		{"a prefix of a reference", "A-10", "long mug tea pot"},
		{"a whole id", mugID, "mug"},
		{"a whole id in capitals", strings.ToUpper(mugID), "mug"},
		{"the beginning of an id", mugID[:8], "mug"},
		{"a customer's first name", "ada", "pot tea"},
		{"a customer's full name, in any order", "lovelace ADA", "tea"},
		{"without the accent", "jurgen gross", "mug"},
		{"with another accent", "JÜRGÉN", "mug"},
		{"a word of a line", "green", "tea"},
		{"an accent that the text lacks", "crème", "mug"},
		{"a prefix of a word", "tea", "pot tea"},
		{"one letter", "l", "long tea"},
		{"not the middle of a word", "pot", "pot"},
		{"not the end of a word", "eapot", ""},
		{"all words must match", "tea green", "tea"},
		{"a word that nothing has", "tea nothing", ""},
		{"other scripts", "чай", "plain"},
		{"a prefix in another script", "緑", "plain"},
		{"words of different fields", "bob lamp", "long"},
		{"a word of a note", "twice", "long"},
		{"the beginning of one, beside a word of a line", "ri lamp", "long"},
		{"what parts the words of lines and notes is none", "|", ""},
		{"signs around words do not count", `"tea"* AND(`, ""},
		{"signs alone find nothing", `"*'`, ""},
	} {
		page := s.orders(projections.OrderQuery{Text: c.text})
		var got []string
		for _, r := range page.Rows {
			got = append(got, names[r.ID])
		}
		if found := strings.Join(got, " "); found != c.want || page.Total != len(got) || !page.TotalIsExact {
			t.Errorf("%s: %q finds %q (total %d), want %q", c.rule, c.text, found, page.Total, c.want)
		}
	}
	for _, r := range s.orders(projections.OrderQuery{}).Rows {
		for _, word := range slices.Concat(projections.Words(r.Reference), projections.Words(r.CustomerID), projections.Words(string(r.ID)), r.Words) {
			if word == "|" {
				continue // behind it are those of notes
			}
			letters := []rune(word)
			for n := range letters {
				for _, text := range []string{string(letters[:n+1]), strings.ToUpper(string(letters[:n+1]))} {
					if !slices.Contains(idsOf(s.orders(projections.OrderQuery{Text: text}).Rows), r.ID) {
						t.Errorf("every prefix of every word finds its order: %q does not find %s", text, names[r.ID])
					}
				}
			}
		}
	}
}

// hostile asks with everything that is syntax somewhere.
func hostile(t *testing.T, s *subject) {
	s.put(anOrder(1), anOrder(2))
	for _, text := range []string{
		`"`, `""`, `*`, `AND (`, `NOT`, `NEAR(a b)`, `a OR b`, `head:r`, `{head words}: r`, `^r`, `r + 1`, `-r`, `'; DROP TABLE orders; --`, `%`, `_`,
		`\`, `🍵`, "\x00", "r\x00", "\xff\xfe", `<script>`, `?1`, `$1`, "\u202e", strings.Repeat("a ", 5000), strings.Repeat("z", 100_000),
		strings.Repeat(`"`, 1000), `{"match_all":{}}`, `a*`, `/r/`, `~`, `r~2`, "é́́́",
	} {
		for _, sort := range []projections.Sort{"", "total"} {
			if _, err := s.Orders(t.Context(), projections.OrderQuery{Text: text, Sort: sort}); err != nil {
				t.Errorf("%.40q as a search never fails: %v", text, err)
			}
		}
		if _, err := s.Customers(t.Context(), projections.CustomerQuery{Text: text}); err != nil {
			t.Errorf("%.40q as a search of customers never fails: %v", text, err)
		}
		if _, err := s.Orders(t.Context(), projections.OrderQuery{Customer: text}); err != nil {
			t.Errorf("%.40q as a customer never fails: %v", text, err)
		}
	}
	if page := s.orders(projections.OrderQuery{}); page.Total != 2 {
		t.Errorf("and changes nothing: %d orders", page.Total)
	}
}

// pages reads every page of many queries and compares them with a plain model.
func pages(t *testing.T, s *subject, n, limit int) {
	random := rand.New(rand.NewSource(int64(n)))
	pick := func(of ...string) string { return of[random.Intn(len(of))] }
	var all []projections.OrderRow
	for i := range n {
		r := anOrder(i)
		// Few different values, so that ties lie across the borders of pages.
		r.Reference = pick("A-1", "A-2", "A-12", "B-1", "")
		r.CustomerID = pick("ada", "bob", "Zoë", "ada b")
		r.Status = domain.Status(pick("created", "created", "confirmed", "cancelled"))
		r.ItemCount = 1 + random.Intn(4)
		r.Total = domain.Money{Minor: int64(random.Intn(5)), Currency: domain.Currency(pick("EUR", "USD"))}
		r.CreatedAt = start.Add(time.Duration(random.Intn(n/4))*time.Minute + time.Duration(random.Intn(3))*time.Microsecond)
		r.Words = [][]string{{"green", "tea"}, {"mug"}, {"teapot"}}[random.Intn(3)]
		all = append(all, r)
	}
	for chunk := range slices.Chunk(all, 500) {
		s.put(chunk...)
	}
	from, to := start.Add(time.Duration(n/16)*time.Minute), start.Add(time.Duration(n/5)*time.Minute)
	queries := []projections.OrderQuery{
		{}, {Statuses: []domain.Status{domain.Created}}, {Statuses: []domain.Status{domain.Cancelled, domain.Created, domain.Created}},
		{From: from}, {To: to}, {From: from, To: to, Statuses: []domain.Status{domain.Confirmed}}, {Customer: "ada"}, {Customer: "nobody"},
		{Customer: "Zoë", Statuses: []domain.Status{domain.Confirmed, domain.Cancelled}, From: from}, {Text: "tea"}, {Text: "t"}, {Text: "a"},
		{Text: "tea", Statuses: []domain.Status{domain.Cancelled}}, {Text: "a 1"}, {Text: "0", From: from, To: to}, {Text: "zoe mug", Customer: "Zoë"},
		{Text: "0000 5000 8000"}, {Text: "tea", From: start, To: start.Add(2 * time.Minute)}, {From: to, To: from},
	}
	for _, q := range queries {
		sorts := []projections.Sort{""}
		for _, by := range projections.OrderSorts() {
			sorts = append(sorts, projections.Sort(by), projections.Sort("-"+by))
		}
		for _, q.Sort = range sorts {
			if testing.Short() && random.Intn(8) > 0 {
				continue // one goroutine reads; under the race detector it would take minutes
			}
			q.Limit = limit
			comparePages(t, s, all, q)
		}
	}
}

// farPages wants matches that are many and lie far from where their sort begins. All that late orders have in common, early ones lack, and
// the reverse.
func farPages(t *testing.T, s *subject) {
	random := rand.New(rand.NewSource(2))
	var all []projections.OrderRow
	for i := range 3600 {
		r := anOrder(i)
		r.CustomerID, r.ItemCount, r.Words = []string{"ada", "bob"}[random.Intn(2)], 1+random.Intn(3), []string{"early"}
		r.Total = domain.Money{Minor: int64(random.Intn(60)), Currency: "EUR"}
		r.Status = domain.Statuses()[1+random.Intn(2)]
		if late := i%10 >= 6; late {
			r.CustomerID, r.ItemCount, r.Words = "zoe", 4+random.Intn(2), []string{"late", "rose"}
			r.Total = domain.Money{Minor: int64(60 + random.Intn(9)), Currency: "EUR"}
			r.Status = domain.Created
		}
		switch {
		case i%10 == 9:
			r.CustomerID = "zoe rose"
		case i%300 == 0:
			r.Words = append(r.Words, "rose")
		case i%70 == 6:
			r.Words = nil
		}
		all = append(all, r)
	}
	for chunk := range slices.Chunk(all, 500) {
		s.put(chunk...)
	}
	compare := func(q projections.OrderQuery, sorts ...projections.Sort) {
		t.Helper()
		for _, q.Sort = range sorts {
			if testing.Short() && random.Intn(8) > 0 {
				continue // as in pages
			}
			q.Limit = 400
			comparePages(t, s, all, q)
		}
	}
	from, to, created := start.Add(4*time.Minute+500*time.Millisecond), start.Add(56*time.Minute+500*time.Millisecond), []domain.Status{domain.Created}
	compare(projections.OrderQuery{Text: "late"}, "total", "items", "customer", "status")
	compare(projections.OrderQuery{Text: "early"}, "-total", "-items", "-customer", "-status")
	compare(projections.OrderQuery{Text: "late rose", Statuses: created, From: from, To: to}, "total", "items", "customer")
	compare(projections.OrderQuery{Text: "r", Statuses: created, From: from}, "total", "-total")
	compare(projections.OrderQuery{Statuses: created}, "total", "items", "customer", "status")
	compare(projections.OrderQuery{Statuses: []domain.Status{domain.Confirmed, domain.Cancelled}, To: to}, "-total", "-items", "-status")
	compare(projections.OrderQuery{Customer: "zoe"}, "total", "items", "customer", "-status")
	compare(projections.OrderQuery{Customer: "zoe", Text: "late", Statuses: created}, "total", "items")
	compare(projections.OrderQuery{From: from, To: to}, "total", "-customer")
	// A name is known by the other projection, which may lag, and may be a word of something else.
	for _, n := range []int{6, 9, 0} {
		compare(projections.OrderQuery{Text: "zoe"}, "customer")
		s.add(contribution{
			CustomerOrder: projections.CustomerOrder{CustomerID: all[n].CustomerID, Status: domain.Created}, ID: all[n].ID, Version: 1,
		})
	}
	compare(projections.OrderQuery{Text: "zoe"}, "customer")
	compare(projections.OrderQuery{Text: "zoe l", Statuses: created, From: from}, "customer")
	compare(projections.OrderQuery{Text: "rose"}, "customer", "-customer")
}

// crowded is an import that knows the days alone: more orders of one second than any page holds, among others of every second, before and
// after.
func crowded(t *testing.T, s *subject) {
	random := rand.New(rand.NewSource(3))
	noon := start.Add(20 * time.Minute)
	var all []projections.OrderRow
	for i := range 2400 {
		r := anOrder(i)
		r.Words, r.Status = []string{"tea"}, domain.Statuses()[random.Intn(3)]
		if i%5 == 0 {
			r.Words = []string{"tea", "rare"}
		}
		if random.Intn(3) > 0 {
			r.CreatedAt = noon.Add(time.Duration(random.Intn(4)) * time.Microsecond)
		}
		all = append(all, r)
	}
	for chunk := range slices.Chunk(all, 500) {
		s.put(chunk...)
	}
	for _, q := range []projections.OrderQuery{
		{Text: "tea"}, {Text: "rare"}, {Text: "tea", Statuses: []domain.Status{domain.Confirmed}}, {Text: "tea", From: noon}, {Text: "tea", To: noon},
		{Text: "tea", From: noon.Add(time.Microsecond), To: noon.Add(2 * time.Microsecond)}, {From: noon, To: noon.Add(time.Minute)}, {Text: "rare", To: noon.Add(time.Second)},
	} {
		for _, q.Sort = range []projections.Sort{"", "created", "-created", "-total"} {
			if testing.Short() && random.Intn(8) > 0 {
				continue // as in pages
			}
			q.Limit = 300
			comparePages(t, s, all, q)
		}
	}
}

// changing asks anything of orders that changed in any way, many of them of the same seconds.
func changing(t *testing.T, s *subject) {
	random := rand.New(rand.NewSource(4))
	pick := func(of ...string) string { return of[random.Intn(len(of))] }
	moment := func(after ...time.Duration) time.Time {
		return start.Add(after[random.Intn(len(after))] + time.Duration(random.Intn(3))*time.Microsecond)
	}
	kept := make([]projections.OrderRow, 1600)
	for range 12 {
		batch := map[int]projections.OrderRow{}
		for range 400 {
			i := random.Intn(len(kept))
			r, old := anOrder(i), kept[i]
			r.Version = old.Version + 1
			r.Reference, r.CustomerID = pick("A-1", "A-2", "A-12", "B-1", "", "tea"), pick("ada", "bob", "Zoë", "tea b")
			r.Status, r.ItemCount = domain.Statuses()[random.Intn(3)], 1+random.Intn(4)
			r.Total = domain.Money{Minor: int64(random.Intn(5)), Currency: domain.Currency(pick("EUR", "USD"))}
			r.CreatedAt = moment(0, time.Second, 2*time.Second, 500*time.Second, time.Duration(random.Intn(600))*time.Second)
			if old.Version > 0 && random.Intn(2) == 0 {
				r.CreatedAt = old.CreatedAt
			}
			for _, word := range []string{"green", "lamp", "mug", "tea", "teapot"} {
				if random.Intn(2) == 0 {
					r.Words = append(r.Words, word)
				}
			}
			batch[i] = r
		}
		for i, r := range batch {
			kept[i] = r
		}
		s.put(slices.Collect(maps.Values(batch))...)
	}
	all := slices.DeleteFunc(kept, func(r projections.OrderRow) bool { return r.Version == 0 })
	queries := 80
	if testing.Short() {
		queries = 10
	}
	for range queries {
		q := projections.OrderQuery{Limit: 90 + 270*random.Intn(2)}
		if random.Intn(4) > 0 {
			q.Text = pick("tea", "t", "a 1", "A-1", "tea mug", "green tea lamp", "b", "ada")
		}
		for _, status := range domain.Statuses() {
			if random.Intn(3) == 0 {
				q.Statuses = append(q.Statuses, status)
			}
		}
		if random.Intn(4) == 0 {
			q.Customer = pick("ada", "tea b")
		}
		if random.Intn(3) == 0 {
			q.From = moment(0, time.Second, 500*time.Second)
		}
		if random.Intn(3) == 0 {
			q.To = moment(0, time.Second, 2*time.Second, 502*time.Second)
		}
		q.Sort = projections.Sort(pick("", "", "created", "-created", "-total", "total", "customer", "-customer", "status", "-status", "items", "-items"))
		comparePages(t, s, all, q)
	}
}

// comparePages follows the cursors of a query to their end.
func comparePages(t *testing.T, s *subject, all []projections.OrderRow, q projections.OrderQuery) {
	t.Helper()
	want, byStatus := model(all, q)
	var got []projections.OrderRow
	for {
		page := s.orders(q)
		got = append(got, page.Rows...)
		if len(page.Rows) > q.Limit || page.Next != "" && len(page.Rows) != q.Limit || len(got) > len(all) {
			t.Errorf("%+v: a page of %d rows, next %q", q, len(page.Rows), page.Next)
			return
		}
		if page.Total != min(len(want), projections.ExactTotal) || page.TotalIsExact != (len(want) <= projections.ExactTotal) {
			t.Errorf("%+v: a total of %d, exact %v; want %d", q, page.Total, page.TotalIsExact, len(want))
		}
		compareCounts(t, q, page.ByStatus, byStatus)
		if page.Next == "" {
			break
		}
		q.Cursor = page.Next
	}
	if !slices.Equal(idsOf(got), idsOf(want)) {
		q.Cursor = ""
		t.Errorf("%+v: the pages hold %d rows, want %d, in another order or with repeats or gaps", q, len(got), len(want))
	}
}

// compareCounts wants the tabs to be right: exact as far as is promised, and beyond that at least not too many.
func compareCounts(t *testing.T, q projections.OrderQuery, got map[domain.Status]projections.Count, want map[domain.Status]int) {
	t.Helper()
	all := 0
	for _, n := range want {
		all += n
	}
	for _, status := range domain.Statuses() {
		count, n := got[status], want[status]
		counted := all <= projections.ExactTotal || slices.Contains(q.Statuses, status)
		if count.N > n || count.IsExact && count.N != n || counted && count != projections.CountTo(n, projections.ExactTotal) {
			t.Errorf("%+v: %s is counted as %+v, want %d", q, status, count, n)
		}
	}
	if len(got) != len(domain.Statuses()) {
		t.Errorf("%+v: the tabs are of %v", q, got)
	}
}

// model answers a query as plainly as can be.
func model(all []projections.OrderRow, q projections.OrderQuery) ([]projections.OrderRow, map[domain.Status]int) {
	byStatus := map[domain.Status]int{domain.Created: 0, domain.Confirmed: 0, domain.Cancelled: 0}
	var found []projections.OrderRow
	for _, r := range all {
		words := slices.Concat(projections.Words(r.Reference), projections.Words(string(r.ID)), projections.Words(r.CustomerID), r.Words)
		matches := (q.Customer == "" || r.CustomerID == q.Customer) && (q.From.IsZero() || !r.CreatedAt.Before(q.From)) &&
			(q.To.IsZero() || r.CreatedAt.Before(q.To))
		for _, word := range projections.Words(q.Text) {
			matches = matches && slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, word) })
		}
		if !matches {
			continue
		}
		byStatus[r.Status]++
		if len(q.Statuses) == 0 || slices.Contains(q.Statuses, r.Status) {
			found = append(found, r)
		}
	}
	by, desc := q.Sort.By()
	slices.SortFunc(found, func(a, b projections.OrderRow) int {
		n := 0
		switch by {
		case "":
			n = cmp.Or(rank(a, q.Text)-rank(b, q.Text), b.CreatedAt.Compare(a.CreatedAt))
		case "created":
			n = a.CreatedAt.Compare(b.CreatedAt)
		case "total":
			n = cmp.Compare(a.Total.Minor, b.Total.Minor)
		case "customer":
			n = cmp.Compare(a.CustomerID, b.CustomerID)
		case "status":
			n = cmp.Compare(a.Status, b.Status)
		case "items":
			n = cmp.Compare(a.ItemCount, b.ItemCount)
		}
		if desc {
			n = -n
		}
		if by == "total" {
			n = cmp.Or(cmp.Compare(a.Total.Currency, b.Total.Currency), n)
		}
		return cmp.Or(n, cmp.Compare(a.ID, b.ID))
	})
	return found, byStatus
}

func rank(r projections.OrderRow, text string) int {
	key := projections.JoinedWords(text)
	keys := []string{projections.JoinedWords(r.Reference), projections.JoinedWords(string(r.ID))}
	switch {
	case key == "" || slices.Contains(keys, key):
		return 0
	case slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, key) }):
		return 1
	}
	return 2
}

func bound(t *testing.T, s *subject) {
	put := func(from, to int) {
		var rows []projections.OrderRow
		for n := from; n < to; n++ {
			rows = append(rows, anOrder(n))
		}
		s.put(rows...)
	}
	put(0, projections.ExactTotal)
	if page := s.orders(projections.OrderQuery{}); page.Total != projections.ExactTotal || !page.TotalIsExact ||
		len(page.Rows) != projections.PageSize {
		t.Errorf("up to the bound the total is exact: %d, %v; and a page has %d rows", page.Total, page.TotalIsExact, len(page.Rows))
	}
	put(projections.ExactTotal, projections.ExactTotal+1)
	if page := s.orders(projections.OrderQuery{Text: "r", Limit: 10 * projections.MaxPage}); page.Total != projections.ExactTotal ||
		page.TotalIsExact || len(page.Rows) != projections.MaxPage {
		t.Errorf("beyond it, it is the bound: %d, %v; and the longest page has %d rows", page.Total, page.TotalIsExact, len(page.Rows))
	}
}

func malformed(t *testing.T, s *subject) {
	for n := range 5 {
		r := anOrder(n)
		r.Words = []string{"tea"}
		s.put(r)
		other := aContribution(50 + n)
		other.CustomerID = fmt.Sprint("c-", n)
		s.add(aContribution(n), other)
	}
	mine := s.orders(projections.OrderQuery{Limit: 2}).Next
	customers, err := s.Customers(t.Context(), projections.CustomerQuery{Limit: 2})
	if err != nil || mine == "" || customers.Next == "" {
		t.Fatalf("no cursors to try: %q, %q, %v", mine, customers.Next, err)
	}
	if _, err := s.Orders(t.Context(), projections.OrderQuery{Limit: 3, Cursor: mine}); err != nil {
		t.Errorf("a cursor may be followed with another limit: %v", err)
	}
	for rule, q := range map[string]projections.OrderQuery{
		"nonsense":                  {Cursor: "nonsense!"},
		"base64 of nonsense":        {Cursor: base64.RawURLEncoding.EncodeToString([]byte(`["1"]`))},
		"a cursor of customers":     {Cursor: customers.Next},
		"a cursor of another sort":  {Cursor: mine, Sort: "created"},
		"a cursor of another text":  {Cursor: mine, Text: "tea"},
		"a cursor of another state": {Cursor: mine, Statuses: []domain.Status{domain.Created}},
		"a cursor of another time":  {Cursor: mine, From: start},
		"a cursor of a customer":    {Cursor: mine, Customer: "ada"},
		"half a cursor":             {Cursor: mine[:len(mine)/2]},
		"a huge cursor":             {Cursor: strings.Repeat("A", 1<<20)},
	} {
		if _, err := s.Orders(t.Context(), q); !complains(err, "cursor") {
			t.Errorf("%s is Malformed and names the cursor: %v", rule, err)
		}
	}
	for _, sort := range []projections.Sort{"nonsense", "-", "--created", "Created", "created;"} {
		if _, err := s.Orders(t.Context(), projections.OrderQuery{Sort: sort}); !complains(err, "sort") {
			t.Errorf("the sort %q is Malformed and names the sort: %v", sort, err)
		}
	}
	if _, err := s.Orders(t.Context(), projections.OrderQuery{Statuses: []domain.Status{"eaten"}}); !complains(err, "status") {
		t.Errorf("an unknown status is Malformed and names the status: %v", err)
	}
	for _, q := range []projections.CustomerQuery{{Cursor: mine}, {Cursor: customers.Next, Sort: "orders"}, {Cursor: customers.Next, Text: "c"}} {
		if _, err := s.Customers(t.Context(), q); !complains(err, "cursor") {
			t.Errorf("%+v is Malformed and names the cursor: %v", q, err)
		}
	}
	if _, err := s.Customers(t.Context(), projections.CustomerQuery{Sort: "total"}); !complains(err, "sort") {
		t.Errorf("an unknown sort of customers is Malformed and names the sort: %v", err)
	}
}

func overview(t *testing.T, s *subject) {
	none, err := s.Totals(t.Context(), start, start.Add(time.Hour))
	if err != nil || len(none.Value) != 0 || none.ByStatus[domain.Created] != 0 || len(none.ByStatus) != len(domain.Statuses()) {
		t.Errorf("an empty list has every status at zero, and no value: %+v, %v", none, err)
	}
	put := func(n int, status domain.Status, minor int64, currency domain.Currency, at time.Time) {
		r := anOrder(n)
		r.Status, r.Total, r.CreatedAt = status, domain.Money{Minor: minor, Currency: currency}, at
		s.put(r)
	}
	put(1, domain.Created, 100, "USD", start)
	put(2, domain.Confirmed, 200, "USD", start.Add(time.Minute))
	put(3, domain.Confirmed, 5, "EUR", start.Add(time.Minute))
	put(4, domain.Cancelled, 1000, "EUR", start.Add(time.Minute))
	put(5, domain.Created, 1000, "EUR", start.Add(-time.Microsecond))
	put(6, domain.Created, 1000, "GBP", start.Add(time.Hour))
	got, err := s.Totals(t.Context(), start, start.Add(time.Hour))
	want := projections.Totals{
		ByStatus: map[domain.Status]int{domain.Created: 3, domain.Confirmed: 2, domain.Cancelled: 1},
		Value:    []domain.Money{{Minor: 5, Currency: "EUR"}, {Minor: 300, Currency: "USD"}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("all orders count; the value is of those of the time, without the cancelled:\n%+v, want\n%+v; %v", got, want, err)
	}
}
