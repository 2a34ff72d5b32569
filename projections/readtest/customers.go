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
	"headway/fault"
	"headway/projections"
)

func customers(t *testing.T, s *subject) {
	if _, err := s.Customer(t.Context(), "ada"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a customer without orders is not found: %v", err)
	}
	random := rand.New(rand.NewSource(1))
	newest := map[domain.OrderID]contribution{}
	var deliveries []contribution
	for n := range 30 {
		c := aContribution(n)
		c.CustomerID = []string{"ada", "bob", "Zoë & Söhne"}[n%3]
		c.Total = domain.Money{Minor: int64(random.Intn(1000)), Currency: []domain.Currency{"USD", "EUR"}[random.Intn(2)]}
		for version := range 1 + random.Intn(3) {
			c.Version, c.Total.Minor, c.Status = version+1, c.Total.Minor+int64(version), domain.Statuses()[random.Intn(3)]
			deliveries = append(deliveries, c, c)
			newest[c.ID] = c
		}
	}
	random.Shuffle(len(deliveries), func(i, j int) { deliveries[i], deliveries[j] = deliveries[j], deliveries[i] })
	for len(deliveries) > 0 {
		n := min(len(deliveries), 1+random.Intn(5))
		s.add(deliveries[:n]...)
		deliveries = deliveries[n:]
	}
	var all []contribution
	for _, c := range newest {
		all = append(all, c)
	}
	want := map[string]projections.CustomerRow{}
	for _, c := range all {
		want[c.CustomerID] = customerOf(c.CustomerID, all...)
	}
	got := map[string]projections.CustomerRow{}
	err := s.EachSum(t.Context(), projections.CustomerOrderSummary, func(r projections.Sum) error {
		got[r.Key()], _ = r.(projections.CustomerRow)
		return nil
	})
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("customers are the sums of their orders, however these came:\n%+v, want\n%+v; %v", got, want, err)
	}
	for id, w := range want {
		if one, err := s.Customer(t.Context(), id); err != nil || !reflect.DeepEqual(one, w) {
			t.Errorf("one customer is the same: %+v, %v", one, err)
		}
	}

	moved := newest[orderID(0)]
	moved.Version, moved.CustomerID, moved.Before = moved.Version+1, "carol", []string{moved.CustomerID}
	s.add(moved)
	if carol, err := s.Customer(t.Context(), "carol"); err != nil || carol.TotalOrders != 1 {
		t.Errorf("an order that changes its customer counts with the new one: %+v, %v", carol, err)
	}
	if ada, err := s.Customer(t.Context(), "ada"); err != nil || ada.TotalOrders != want["ada"].TotalOrders-1 {
		t.Errorf("and with the old one no more: %+v, %v", ada, err)
	}
	moved.Version, moved.CustomerID, moved.Before = moved.Version+1, "dave", []string{moved.Before[0], "carol"}
	s.add(moved)
	if _, err := s.Customer(t.Context(), "carol"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a customer whose last order went is gone: %v", err)
	}

	last := aContribution(103)
	last.CustomerID, last.Status, last.Total, last.CreatedAt = "rich", domain.Created, domain.Money{Minor: 5, Currency: "EUR"}, last.CreatedAt.Add(-time.Hour)
	var huge []contribution
	for n := range 3 {
		c := aContribution(100 + n)
		c.CustomerID, c.Status, c.Total = "rich", domain.Created, domain.Money{Minor: math.MaxInt64, Currency: "EUR"}
		huge = append(huge, c)
	}
	s.add(huge...)
	s.add(last)
	if rich, err := s.Customer(t.Context(), "rich"); err != nil || rich.TotalOrders != 4 || rich.TotalSpent[0].Minor != math.MaxInt64 {
		t.Errorf("a sum that does not fit is the largest that does: %+v, %v", rich, err)
	}
	for i := range huge {
		huge[i].Version, huge[i].Status = huge[i].Version+1, domain.Cancelled
	}
	s.add(huge...)
	if rich, err := s.Customer(t.Context(), "rich"); err != nil || !reflect.DeepEqual(rich, customerOf("rich", append(huge, last)...)) {
		t.Errorf("and is exact again when it fits: %+v, %v", rich, err)
	}
	huge = append(huge, last)
	for i := range huge {
		huge[i].Version, huge[i].CreatedAt = huge[i].Version+1, huge[i].CreatedAt.Add(-48*time.Hour)
	}
	s.add(huge...)
	if rich, err := s.Customer(t.Context(), "rich"); err != nil || !reflect.DeepEqual(rich, customerOf("rich", huge...)) {
		t.Errorf("the last order is the newest, also when it turns out to be older: %+v, %v", rich, err)
	}
}

func customerPages(t *testing.T, s *subject) {
	for _, size := range []struct{ n, limit int }{{40, 7}, {2300, 400}} {
		var all []projections.CustomerRow
		batch := projections.Batch{Key: projections.KeyOf(projections.CustomerOrderSummary)}
		for i := range size.n {
			id := fmt.Sprintf("%s %04d", []string{"ada", "Bob", "Zoë", "ad"}[i%4], i)
			var its []contribution
			for j := range 1 + i%3 {
				c := aContribution(i*10 + j)
				c.CustomerID, c.CreatedAt = id, start.Add(time.Duration(i%9)*time.Hour)
				its = append(its, c)
				batch.Rows = append(batch.Rows, c.row())
			}
			all = append(all, customerOf(id, its...))
		}
		s.write(batch)
		for _, text := range []string{"", "ad", "ZOE", "00 b", "nobody", "*"} {
			for _, sort := range []projections.Sort{"", "last", "-last", "orders", "-orders", "customer", "-customer"} {
				compareCustomerPages(t, s, all, projections.CustomerQuery{Text: text, Sort: sort, Limit: size.limit})
			}
		}
	}
}

func compareCustomerPages(t *testing.T, s *subject, all []projections.CustomerRow, q projections.CustomerQuery) {
	t.Helper()
	want := customerModel(all, q)
	var got []projections.CustomerRow
	for {
		page, err := s.Customers(t.Context(), q)
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
	if !slices.EqualFunc(got, want, func(a, b projections.CustomerRow) bool { return reflect.DeepEqual(a, b) }) {
		t.Errorf("%+v: the pages hold %d customers, want %d, in another order or with repeats or gaps", q, len(got), len(want))
	}
}

func customerModel(all []projections.CustomerRow, q projections.CustomerQuery) []projections.CustomerRow {
	var found []projections.CustomerRow
	for _, r := range all {
		matches := q.Text == "" || projections.JoinedWords(q.Text) != ""
		for _, word := range projections.Words(q.Text) {
			matches = matches && slices.ContainsFunc(projections.Words(r.ID), func(w string) bool { return strings.HasPrefix(w, word) })
		}
		if matches {
			found = append(found, r)
		}
	}
	by, desc := cmp.Or(q.Sort, "-last").By()
	slices.SortFunc(found, func(a, b projections.CustomerRow) int {
		n := 0
		switch by {
		case "last":
			n = a.LastOrderAt.Compare(b.LastOrderAt)
		case "orders":
			n = cmp.Compare(a.TotalOrders, b.TotalOrders)
		case "customer":
			n = cmp.Compare(a.ID, b.ID)
		}
		if desc {
			n = -n
		}
		return cmp.Or(n, cmp.Compare(a.ID, b.ID))
	})
	return found
}
