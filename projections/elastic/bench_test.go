package elastic_test

import (
	"fmt"
	"testing"
	"time"

	"headway/domain"
	"headway/projections"
	"headway/projections/elastic"
)

// BenchmarkWrite writes batches of new orders, and of their contributions, as a projector that catches up does.
func BenchmarkWrite(b *testing.B) {
	for _, size := range []int{1, projections.BatchOrders} {
		b.Run(fmt.Sprint(size, " orders"), func(b *testing.B) {
			s := open(b, elastic.Options{Prefix: prefix(b)})
			n := 0
			for b.Loop() {
				orders := projections.Batch{Key: projections.KeyOf(projections.OrderList), Checkpoint: "c"}
				contributions := projections.Batch{Key: projections.KeyOf(projections.CustomerOrderSummary), Checkpoint: "c"}
				for range size {
					n++
					c := contributionOf(n, 1, fmt.Sprint("customer-", n%300))
					contributions.Rows = append(contributions.Rows, c.row())
					orders.Rows = append(orders.Rows, projections.OrderRow{
						ID: c.ID, Reference: fmt.Sprint("A-", n), CustomerID: c.CustomerID, Status: domain.Created, ItemCount: 1, Total: c.Total,
						CreatedAt: c.CreatedAt, Version: 1, StoredAt: c.StoredAt, Words: []string{"green", "tea"},
					})
				}
				began := time.Now()
				if err := s.Write(b.Context(), orders); err != nil {
					b.Fatal(err)
				}
				middle := time.Now()
				if err := s.Write(b.Context(), contributions); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(middle.Sub(began).Milliseconds()), "last-orders-ms")
				b.ReportMetric(float64(time.Since(middle).Milliseconds()), "last-customers-ms")
			}
		})
	}
}
