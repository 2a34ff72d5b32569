package sqlite_test

import (
	"context"
	"fmt"
	"math/rand"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"headway/domain"
	"headway/projections"
	"headway/projections/sqlite"
)

var start = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// fill makes n believable orders.
func fill(tb testing.TB, s *sqlite.Store, n int) {
	tb.Helper()
	random := rand.New(rand.NewSource(1))
	products := []string{"Green tea", "Black tea", "Big mug", "Teapot", "Sugar bowl", "Milk jug", "Tray of oak", "Zinc spoon"}
	var orders, contributions projections.Batch
	orders.Projection, contributions.Projection = projections.OrderList, projections.CustomerOrderSummary
	flush := func() {
		for _, b := range []*projections.Batch{&orders, &contributions} {
			if err := s.Write(context.Background(), *b); err != nil {
				tb.Fatal(err)
			}
			b.Rows = nil
		}
	}
	for i := range n {
		at := start.Add(time.Duration(random.Intn(90*24*3600)) * time.Second)
		r := projections.OrderRow{
			ID:        domain.OrderID(fmt.Sprintf("%08x-%04x-5%03x-8%03x-%012x", random.Uint32(), i&0xffff, random.Intn(4096), random.Intn(4096), i)),
			Reference: fmt.Sprintf("A-%d", 100_000+i), CustomerID: fmt.Sprintf("customer-%d@example.com", random.Intn(300)),
			Status: domain.Created, ItemCount: 1 + random.Intn(4), Total: domain.Money{Minor: int64(random.Intn(100_000)), Currency: "EUR"},
			CreatedAt: at, Version: 1, StoredAt: at,
		}
		switch random.Intn(20) {
		case 0:
			r.Status = domain.Cancelled
		case 1, 2, 3, 4, 5, 6, 7, 8:
			r.Status = domain.Confirmed
		}
		if i%5 == 0 {
			r.Total.Currency = "USD"
		}
		for range r.ItemCount {
			r.Words = append(r.Words, projections.Words(products[random.Intn(len(products))])...)
		}
		slices.Sort(r.Words)
		r.Words = slices.Compact(r.Words)
		orders.Rows = append(orders.Rows, r)
		contributions.Rows = append(contributions.Rows, projections.Contributed[projections.CustomerOrder]{
			ID: r.ID, Version: 1, StoredAt: at, Total: r.Total,
			Contributions: []projections.CustomerOrder{{CustomerID: r.CustomerID, Status: r.Status, Total: r.Total, CreatedAt: r.CreatedAt}},
		})
		if len(orders.Rows) == projections.BatchOrders {
			flush()
		}
	}
	flush()
}

func BenchmarkOrders(b *testing.B) {
	s, err := sqlite.Open(filepath.Join(b.TempDir(), "read.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	began := time.Now()
	fill(b, s, 100_000)
	b.Logf("100,000 orders written in %v", time.Since(began))
	queries := map[string]projections.OrderQuery{
		"no filter": {}, "one status": {Statuses: []domain.Status{domain.Cancelled}},
		"two statuses": {Statuses: []domain.Status{domain.Cancelled, domain.Created}}, "a customer": {Customer: "customer-7@example.com"},
		"a day": {From: start.Add(48 * time.Hour), To: start.Add(72 * time.Hour)}, "a month": {From: start.Add(48 * time.Hour), To: start.Add(720 * time.Hour)},
		"a reference": {Text: "A-150000"}, "a prefix": {Text: "A-1500"}, "a word": {Text: "tea"}, "two words": {Text: "zinc mug"},
		"a word of a day": {Text: "tea", From: start.Add(48 * time.Hour), To: start.Add(72 * time.Hour)},
		"rare":            {Text: "A-15 zinc"}, "one status sorted": {Statuses: []domain.Status{domain.Cancelled}, Sort: "-total"},
		"a letter, a status": {Text: "t", Statuses: []domain.Status{domain.Cancelled}},
		"a letter by total":  {Text: "z", Sort: "total"},
	}
	for _, sort := range projections.OrderSorts() {
		queries["by "+sort] = projections.OrderQuery{Sort: projections.Sort(sort)}
		queries["by -"+sort] = projections.OrderQuery{Sort: projections.Sort("-" + sort)}
	}
	for _, letter := range "abcez17" {
		queries["letter "+string(letter)] = projections.OrderQuery{Text: string(letter)}
	}
	names := make([]string, 0, len(queries))
	for name := range queries {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		b.Run(name, func(b *testing.B) {
			defer cpu(b)()
			for b.Loop() {
				if _, err := s.Orders(b.Context(), queries[name]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("totals", func(b *testing.B) {
		defer cpu(b)()
		for b.Loop() {
			if _, err := s.Totals(b.Context(), start.Add(48*time.Hour), start.Add(72*time.Hour)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("customers", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Customers(b.Context(), projections.CustomerQuery{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// cpu reports the processor time of each operation: beside other work it says more than the clock.
func cpu(b *testing.B) func() {
	b.Helper()
	before := used(b)
	return func() { b.ReportMetric(float64((used(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op") }
}

func used(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkWrite(b *testing.B) {
	for b.Loop() {
		s, err := sqlite.Open(filepath.Join(b.TempDir(), "read.db"), sqlite.Options{})
		if err != nil {
			b.Fatal(err)
		}
		fill(b, s, 10_000)
		s.Close()
	}
}
