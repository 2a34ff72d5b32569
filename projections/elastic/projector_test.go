package elastic_test

import (
	"errors"
	"fmt"
	"math/rand"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"headway/domain"
	"headway/eventstore"
	eventsqlite "headway/eventstore/sqlite"
	"headway/projections"
	"headway/projections/elastic"
)

// The whole of it: a log, a projector, and a node with faults under it.
func TestAProjectorOnANodeWithFaultsEndsWithRowsThatVerify(t *testing.T) {
	events, err := eventsqlite.Open(filepath.Join(t.TempDir(), "events.db"), eventsqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	f := &faults{}
	name := prefix(t)
	read := open(t, elastic.Options{Prefix: name, HTTPClient: through(f)})
	random := rand.New(rand.NewSource(7))
	f.fate = func(*http.Request) (int, bool) {
		switch n := random.Intn(100); {
		case n < 8:
			return []int{429, 503}[n%2], false
		case n < 16:
			return 0, true
		}
		return 0, false
	}
	p := projections.New(events, read, projections.Options{})
	steps, failures := 0, 0
	step := func() {
		steps++
		if _, err := p.Step(t.Context()); err != nil {
			failures++
			if domain.KindOf(err) != domain.Unavailable {
				t.Fatal(err)
			}
		}
	}
	var ids []domain.OrderID
	versions := map[domain.OrderID]int{}
	run := func(n int, id domain.OrderID, c domain.Command) domain.OrderID {
		t.Helper()
		command := domain.CommandID(uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, n, id)).String())
		result, err := eventstore.Execute(t.Context(), events, domain.Codec{}, eventstore.Request{
			CommandID: command, OrderID: id, Command: c, Expect: versions[id], UserID: "ada", Timestamp: time.Now(),
		})
		if err != nil {
			t.Fatal(err)
		}
		versions[result.OrderID]++
		return result.OrderID
	}
	item := domain.Item{SKU: "TEA-1", Name: "Crème brûlée", Quantity: 2, Price: domain.Money{Minor: 350, Currency: "EUR"}}
	for n := range 40 {
		ids = append(ids, run(n, "", domain.CreateOrder{
			CustomerID: fmt.Sprint("customer-", n%5), Currency: "EUR", Reference: fmt.Sprint("A-", n), Items: []domain.Item{item},
		}))
		if n%3 == 0 {
			run(100+n, ids[random.Intn(len(ids))], domain.AddItem{Item: item})
		}
		if n%4 == 0 {
			step()
		}
	}
	for tries := 0; ; tries++ {
		before := failures
		if step(); failures == before {
			break
		}
		if tries > 50 {
			t.Fatal("the projector does not get through")
		}
		time.Sleep(100 * time.Millisecond) // the breaker's wait is real
	}
	t.Logf("%d of %d steps failed", failures, steps)
	f.fate = nil
	report, err := projections.Verify(t.Context(), events, read, domain.Codec{}, projections.VerifyOptions{})
	err = errors.Join(err, read.Check(t.Context(), func(d projections.Difference) { report.Differences = append(report.Differences, d) }))
	if err != nil || !report.Clean() || report.Orders != 40 || report.Rows != 80 || report.Customers != 5 {
		t.Errorf("%+v, %v", report, err)
	}
	page, err := read.Orders(t.Context(), projections.OrderQuery{Text: "creme"})
	if err != nil || page.Total != 40 {
		t.Errorf("%d orders, %v", page.Total, err)
	}
}
