package readtest

import (
	"cmp"
	"fmt"
	"math"
	"math/rand"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/orders"
	"headway/projections"
)

// history is an order with some lines and a life, as a log has it.
func history(t *testing.T, random *rand.Rand, n int) []eventstore.Record {
	t.Helper()
	item := func() domain.Item {
		i := random.Intn(6)
		return domain.Item{
			SKU:      []string{"TEA-1", "TEA-2", "MUG/2", "Ünü", "pot 7", "tea-1"}[i],
			Name:     []string{"Green tea", "Big mug", "Crème pot"}[random.Intn(3)],
			Quantity: 1 + random.Int63n(1_000_000), Price: domain.Money{Minor: random.Int63n(1000), Currency: []domain.Currency{"EUR", "USD"}[n%2]},
		}
	}
	events := []domain.Event{domain.OrderCreated{CustomerID: "ada", Currency: []domain.Currency{"EUR", "USD"}[n%2],
		Items: []domain.Item{item(), item()}}}
	for range random.Intn(4) {
		events = append(events, domain.OrderItemAdded{Item: item()})
	}
	switch random.Intn(3) {
	case 0:
		events = append(events, domain.OrderConfirmed{})
	case 1:
		events = append(events, domain.OrderConfirmed{}, domain.OrderCancelled{Reason: "no"})
	}
	var records []eventstore.Record
	for i, event := range events {
		eventType, schema, data, err := domain.Codec{}.Encode(event)
		if err != nil {
			t.Fatal(err)
		}
		at := start.Add(time.Duration(n)*time.Hour + time.Duration(i)*time.Second)
		records = append(records, eventstore.Record{
			Stream: orders.StreamOf(orderID(n)), Version: i + 1, EventType: eventType, SchemaVersion: schema, Data: data, StoredAt: at,
			Metadata: eventstore.Metadata{UserID: []string{"ada", "bob b", ""}[random.Intn(3)],
				Timestamp: start.Add(time.Duration(random.Intn(5)) * time.Hour)},
		})
	}
	return records
}

// sums delivers the rows of every projection that adds up at all their versions, twice and in any order, and expects the sums of the
// newest.
func sums(t *testing.T, s *subject) {
	for _, p := range projections.All() {
		if p.Contributions == nil {
			continue
		}
		random := rand.New(rand.NewSource(5))
		newest := map[domain.OrderID]projections.Row{}
		var deliveries []projections.Row
		for n := range 40 {
			records := history(t, random, n)
			for version := range records {
				row, hold, err := p.Fold(domain.Codec{}, nil, records[:version+1])
				if hold != nil || err != nil {
					t.Fatal(hold, err)
				}
				deliveries, newest[row.Order()] = append(deliveries, row, row), row
			}
		}
		random.Shuffle(len(deliveries), func(i, j int) { deliveries[i], deliveries[j] = deliveries[j], deliveries[i] })
		for len(deliveries) > 0 {
			n := min(len(deliveries), 1+random.Intn(30))
			s.write(projections.Batch{Key: p.Key(), Rows: deliveries[:n]})
			deliveries = deliveries[n:]
		}
		want, got, rows := map[string]projections.Sum{}, map[string]projections.Sum{}, map[domain.OrderID]projections.Row{}
		for _, row := range newest {
			p.Contributions.Add(want, row, nil)
		}
		if err := s.EachSum(t.Context(), p.Name, func(sum projections.Sum) error { got[sum.Key()] = sum; return nil }); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the sums are those of the orders, however these came:\n%+v, want\n%+v; %v", p.Name, got, want, err)
		}
		if err := s.EachRow(t.Context(), p.Name, func(row projections.Row) error { rows[row.Order()] = row; return nil }); err != nil || !reflect.DeepEqual(rows, newest) {
			t.Errorf("%s: the rows are the newest:\n%+v, want\n%+v; %v", p.Name, rows, newest, err)
		}
		for key, sum := range want {
			if some, err := s.Sums(t.Context(), p.Name, key, "nobody's"); err != nil || len(some) != 1 || !reflect.DeepEqual(some[key], sum) {
				t.Errorf("%s: one sum is the same, and a key without any has none: %+v, %v", p.Name, some, err)
			}
		}
	}
	if _, err := s.Sums(t.Context(), projections.OrderList, "ada"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a projection that does not add up has no sums: %v", err)
	}
}

// ordered is what order n adds to a product by its only line.
func ordered(n int, sku, name string, quantity, price int64, at time.Time) projections.ProductOrder {
	return projections.ProductOrder{
		SKU: sku, Lines: 1, Quantity: quantity, Value: domain.Money{Minor: quantity * price, Currency: "EUR"},
		Last: projections.LastOrdered{At: at, Order: orderID(n), Name: name, Price: domain.Money{Minor: price, Currency: "EUR"}},
	}
}

func (s *subject) order(n, version int, contributions ...projections.ProductOrder) {
	s.t.Helper()
	s.write(projections.Batch{Key: projections.KeyOf(projections.ProductSummary), Rows: []projections.Row{
		projections.Contributed[projections.ProductOrder]{ID: orderID(n), Version: version, StoredAt: start, Contributions: contributions},
	}})
}

func products(t *testing.T, s *subject) {
	if _, err := s.Product(t.Context(), "TEA"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a product without orders is not found: %v", err)
	}
	expect := func(rule, sku string, contributions ...projections.ProductOrder) {
		t.Helper()
		var want projections.ProductRow
		for _, c := range contributions {
			want = want.Plus(c)
		}
		if got, err := s.Product(t.Context(), sku); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%+v, want\n%+v; %v", rule, got, want, err)
		}
	}
	old, last := ordered(1, "TEA", "Tea", 5, 100, start), ordered(2, "TEA", "Green tea", 7, 90, start.Add(time.Hour))
	s.order(2, 1, last)
	s.order(1, 1, old)
	expect("what is older changes no name or price, whenever it comes", "TEA", old, last)
	same := ordered(3, "TEA", "Black tea", 1, 80, start.Add(time.Hour))
	s.order(3, 1, same)
	expect("of one moment the greater order is the last", "TEA", old, last, same)
	gone := projections.ProductOrder{SKU: "TEA", Value: domain.Money{Currency: "EUR"}}
	s.order(3, 2, gone)
	expect("a line that left is none, and the last before it is the last again", "TEA", old, last)
	renamed := last
	renamed.Last.Name, renamed.Last.Price.Minor = "Greener tea", 70
	s.order(2, 2, renamed)
	expect("a line that changed is as it is now", "TEA", old, renamed)
	cancelled := renamed
	cancelled.IsCancelled = true
	s.order(2, 3, cancelled)
	expect("a cancelled order counts no more, and is known as the last", "TEA", old, cancelled)
	for text, n := range map[string]int{"greener": 1, "green": 1, "tea": 1, "black": 0} {
		if page, err := s.Products(t.Context(), projections.ProductQuery{Text: text}); err != nil || page.Total != n {
			t.Errorf("a product is found by its SKU and its name of today: %q finds %d, want %d; %v", text, page.Total, n, err)
		}
	}
	s.order(1, 2, gone)
	s.order(2, 4, gone)
	if _, err := s.Product(t.Context(), "TEA"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a product whose last order went is gone: %v", err)
	}
	huge := ordered(4, "ORE", "Ore", math.MaxInt64, 1, start)
	more := ordered(5, "ORE", "Ore", 2, 1, start)
	s.order(4, 1, huge)
	s.order(5, 1, more)
	expect("sums that do not fit are the largest that do", "ORE", huge, more)
	huge.IsCancelled = true
	s.order(4, 2, huge)
	expect("and are exact again when they fit", "ORE", huge, more)
}

func productPages(t *testing.T, s *subject) {
	for _, size := range []struct{ n, limit int }{{40, 7}, {1300, 400}} {
		all := map[string]projections.ProductRow{}
		batch := projections.Batch{Key: projections.KeyOf(projections.ProductSummary)}
		for i := range size.n {
			sku := fmt.Sprintf("%s-%04d", []string{"TEA", "mug", "Zoë", "te"}[i%4], i)
			for j := range 1 + i%3 {
				n := i*10 + j
				o := ordered(n, sku, []string{"Green tea", "Big mug", "crème"}[(i+j)%3], int64(1+i%5), int64(10+i),
					start.Add(time.Duration((i+j)%9)*time.Hour))
				batch.Rows = append(batch.Rows, projections.Contributed[projections.ProductOrder]{
					ID: orderID(n), Version: 1, StoredAt: start, Contributions: []projections.ProductOrder{o},
				})
				all[sku] = all[sku].Plus(o)
			}
		}
		s.write(batch)
		for _, text := range []string{"", "te", "ZOE", "00 g", "nothing", "*"} {
			for _, sort := range []projections.Sort{"", "last", "sku", "-sku", "name", "-name", "orders", "-orders", "quantity", "-quantity"} {
				compareProductPages(t, s, all, projections.ProductQuery{Text: text, Sort: sort, Limit: size.limit})
			}
		}
	}
	if _, err := s.Products(t.Context(), projections.ProductQuery{Sort: "colour"}); !complains(err, "sort") {
		t.Errorf("a sort that is not ours: %v", err)
	}
	if _, err := s.Products(t.Context(), projections.ProductQuery{Cursor: "nonsense"}); !complains(err, "cursor") {
		t.Errorf("a cursor that is not ours: %v", err)
	}
}

func compareProductPages(t *testing.T, s *subject, all map[string]projections.ProductRow, q projections.ProductQuery) {
	t.Helper()
	var want, got []projections.ProductRow
	for _, r := range all {
		words := slices.Concat(projections.Words(r.SKU), projections.Words(r.Last().Name))
		matches := q.Text == "" || projections.JoinedWords(q.Text) != ""
		for _, word := range projections.Words(q.Text) {
			matches = matches && slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, word) })
		}
		if matches {
			want = append(want, r)
		}
	}
	by, desc := cmp.Or(q.Sort, "-last").By()
	slices.SortFunc(want, func(a, b projections.ProductRow) int {
		n := map[string]int{
			"sku": cmp.Compare(a.SKU, b.SKU), "name": cmp.Compare(a.Last().Name, b.Last().Name), "orders": cmp.Compare(a.Orders, b.Orders),
			"quantity": cmp.Compare(a.Quantity, b.Quantity), "last": a.Last().At.Compare(b.Last().At),
		}[by]
		if desc {
			n = -n
		}
		return cmp.Or(n, cmp.Compare(a.SKU, b.SKU))
	})
	for {
		page, err := s.Products(t.Context(), q)
		if err != nil {
			t.Fatalf("%+v: %v", q, err)
		}
		got = append(got, page.Rows...)
		if page.Total != min(len(want), projections.ExactTotal) || page.TotalIsExact != (len(want) <= projections.ExactTotal) {
			t.Errorf("%+v: a total of %d, exact %v; want %d", q, page.Total, page.TotalIsExact, len(want))
		}
		if q.Cursor = page.Next; q.Cursor == "" || len(got) > len(all) {
			break
		}
	}
	if !slices.EqualFunc(got, want, func(a, b projections.ProductRow) bool { return reflect.DeepEqual(a, b) }) {
		t.Errorf("%+v: the pages hold %d products, want %d, in another order or with repeats or gaps", q, len(got), len(want))
	}
}

func activity(t *testing.T, s *subject) {
	const day = "2026-11-02"
	var all []projections.Act
	batch := projections.Batch{Key: projections.KeyOf(projections.Activity)}
	random := rand.New(rand.NewSource(7))
	for n := range 60 {
		r := projections.Contributed[projections.Act]{ID: orderID(n), StoredAt: start}
		for version := range 1 + random.Intn(4) {
			act := projections.Act{
				Who: []string{"ada", "bob b"}[random.Intn(2)], OrderID: r.ID, Version: version + 1, Type: domain.EventTypes()[random.Intn(4)],
				At: start.Add(time.Duration(random.Intn(3)) * time.Hour).Add(time.Duration(version) * time.Microsecond),
			}
			if n%10 == 0 {
				act.At = act.At.Add(24 * time.Hour)
			}
			r.Version, r.Contributions, all = act.Version, append(r.Contributions, act), append(all, act)
		}
		batch.Rows = append(batch.Rows, r)
	}
	s.write(batch)
	s.write(batch) // again changes nothing
	for _, who := range []string{"ada", "bob b", "nobody", ""} {
		var want, got []projections.Act
		byType := map[string]int{}
		for _, act := range all {
			if act.Who == who && act.Day() == day {
				want = append(want, act)
				byType[act.Type]++
			}
		}
		slices.SortFunc(want, func(a, b projections.Act) int {
			return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.OrderID, b.OrderID), cmp.Compare(b.Version, a.Version))
		})
		for q := (projections.ActivityQuery{Who: who, Day: day, Limit: 7}); ; {
			page, err := s.Activity(t.Context(), q)
			if err != nil || !reflect.DeepEqual(page.ByType, byType) {
				t.Fatalf("%q did %v, want %v; %v", who, page.ByType, byType, err)
			}
			got = append(got, page.Acts...)
			if q.Cursor = page.Next; q.Cursor == "" || len(got) > len(all) {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: the pages hold\n%+v, want, newest first,\n%+v", who, got, want)
		}
	}
	if _, err := s.Activity(t.Context(), projections.ActivityQuery{Who: "ada", Day: "yesterday"}); !complains(err, "day") {
		t.Errorf("a day that is none: %v", err)
	}
	if _, err := s.Activity(t.Context(), projections.ActivityQuery{Who: "ada", Day: day, Cursor: "nonsense"}); !complains(err, "cursor") {
		t.Errorf("a cursor that is not ours: %v", err)
	}
}
