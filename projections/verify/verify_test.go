package verify_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"headway/domain"
	"headway/projections"
	"headway/projections/runnertest"
	"headway/projections/verify"
)

// populated is a world with orders of every status, two customers and a hold, all projected.
func populated(t *testing.T) (w *runnertest.World, order domain.OrderID) {
	t.Helper()
	w = runnertest.New(t)
	order = w.Create("ada", "A-1", 500)
	w.Do(order, 1, domain.AddItem{Item: runnertest.Line(250)})
	w.Do(order, 2, domain.ConfirmOrder{})
	w.Do(order, 3, domain.CancelOrder{Reason: "no"})
	w.Create("ada", "A-2", 100)
	w.Do(w.Create("bob", "A-3", 100), 1, domain.ConfirmOrder{})
	w.Raw(w.Create("bob", "A-4", 100), 2, "OrderEaten", `{}`)
	w.Step(w.Projector())
	if diffs := w.Verified(0); len(diffs) > 0 {
		t.Fatalf("before anything is corrupt: %v", diffs)
	}
	return w, order
}

// Every column of every kind of row is corrupted in turn, and named.
func TestVerifyNamesEveryCorruption(t *testing.T) {
	const (
		orders   = projections.OrderList
		summary  = projections.CustomerOrderSummary
		products = projections.ProductSummary
		acts     = projections.Activity
		sku      = "TEA-1"
	)
	w, order := populated(t)
	one := ` WHERE id = '` + string(order) + `'`
	for _, c := range []struct{ statement, projection, id, field string }{
		{`UPDATE orders SET id = '99999999-9999-5999-8999-999999999999'` + one, orders, "99999999-9999-5999-8999-999999999999", ""},
		{`UPDATE orders SET id = '99999999-9999-5999-8999-999999999999'` + one, orders, string(order), ""},
		{`UPDATE orders SET reference = 'x'` + one, orders, string(order), "reference"},
		{`UPDATE orders SET customer = 'x'` + one, orders, string(order), "customerId"},
		{`UPDATE orders SET status = 'created'` + one, orders, string(order), "status"},
		{`UPDATE orders SET items = items + 1` + one, orders, string(order), "itemCount"},
		{`UPDATE orders SET total = total + 1` + one, orders, string(order), "total"},
		{`UPDATE orders SET currency = 'USD'` + one, orders, string(order), "total"},
		{`UPDATE orders SET createdAt = createdAt + 1` + one, orders, string(order), "createdAt"},
		{`UPDATE orders SET confirmedAt = confirmedAt + 1` + one, orders, string(order), "confirmedAt"},
		{`UPDATE orders SET cancelledAt = cancelledAt + 1` + one, orders, string(order), "cancelledAt"},
		{`UPDATE orders SET version = version + 1` + one, orders, string(order), "version"},
		{`UPDATE orders SET version = version - 1` + one, orders, string(order), "version"},
		{`UPDATE orders SET version = 0` + one, orders, string(order), "version"},
		{`UPDATE orders SET storedAt = storedAt + 1` + one, orders, string(order), "storedAt"},
		{`UPDATE orders SET words = words || ' x'` + one, orders, string(order), "words"},
		{`UPDATE orders SET words = words || ' x'` + one, "search", "orders_fts", "index"},
		{`UPDATE orders SET head = head || ' x'` + one, "search", string(order), "head"},
		{`UPDATE orders SET begins = begins || ' x'` + one, "search", string(order), "begins"},
		{`UPDATE tally SET n = n + 1 WHERE status = 'created'`, "search", "created", "tally"},
		{`DELETE FROM orders` + one, orders, string(order), ""},
		{`INSERT INTO orders SELECT 99, 'stray', reference, customer, status, items, total, currency, createdAt, confirmedAt, cancelledAt,
			version, storedAt, begins, head, words FROM orders` + one, orders, "stray", ""},

		{`UPDATE customer_orders SET id = '99999999-9999-5999-8999-999999999999'` + one, summary, "99999999-9999-5999-8999-999999999999", ""},
		{`UPDATE customer_orders SET contributions = json_set(contributions, '$[0].customer', 'x')` + one, summary, string(order), "status of x"},
		{`UPDATE customer_orders SET contributions = json_set(contributions, '$[0].status', 'created')` + one, summary, string(order), "status of ada"},
		{`UPDATE customer_orders SET contributions = json_set(contributions, '$[0].total.minor', 1)` + one, summary, string(order), "total of ada"},
		{`UPDATE customer_orders SET contributions = json_set(contributions, '$[0].total.currency', 'USD')` + one, summary, string(order), "total of ada"},
		{`UPDATE customer_orders SET contributions = json_set(contributions, '$[0].createdAt', '2000-01-01T00:00:00Z')` + one,
			summary, string(order), "createdAt of ada"},
		{`UPDATE customer_orders SET contributions = '[]'` + one, summary, string(order), "status of ada"},
		{`UPDATE customer_orders SET total = total + 1` + one, summary, string(order), "total"},
		{`UPDATE customer_orders SET status = 'created'` + one, summary, string(order), "status"},
		{`UPDATE customer_orders SET lines = lines + 1` + one, summary, string(order), "lines"},
		{`UPDATE customer_orders SET currency = 'USD'` + one, summary, string(order), "total"},
		{`UPDATE customer_orders SET version = version - 1` + one, summary, string(order), "version"},
		{`UPDATE customer_orders SET storedAt = storedAt + 1` + one, summary, string(order), "storedAt"},
		{`DELETE FROM customer_orders` + one, summary, string(order), ""},
		{`INSERT INTO customer_orders SELECT 'stray', version, status, lines, storedAt, total, currency, contributions FROM customer_orders` + one,
			summary, "stray", ""},

		{`UPDATE customers SET id = 'x' WHERE id = 'ada'`, summary, "ada", ""},
		{`UPDATE customers SET id = 'x' WHERE id = 'ada'`, summary, "x", ""},
		{`UPDATE customers SET orders = orders + 1 WHERE id = 'ada'`, summary, "ada", "totalOrders"},
		{`UPDATE customers SET created = created + 1 WHERE id = 'ada'`, summary, "ada", "created"},
		{`UPDATE customers SET confirmed = confirmed + 1 WHERE id = 'ada'`, summary, "ada", "confirmed"},
		{`UPDATE customers SET cancelled = cancelled + 1 WHERE id = 'ada'`, summary, "ada", "cancelled"},
		{`UPDATE customers SET last = last + 1 WHERE id = 'ada'`, summary, "ada", "lastOrderAt"},
		{`UPDATE customers SET words = 'x' WHERE id = 'ada'`, "search", "ada", "words"},
		{`UPDATE spent SET low = low + 1 WHERE customer = 'ada'`, summary, "ada", "totalSpent"},
		{`UPDATE spent SET currency = 'USD' WHERE customer = 'ada'`, summary, "ada", "totalSpent"},
		{`DELETE FROM spent WHERE customer = 'ada'`, summary, "ada", "totalSpent"},
		{`DELETE FROM customers WHERE id = 'ada'`, summary, "ada", ""},
		{`INSERT INTO customers VALUES (99, 'stray', 1, 1, 0, 0, 0, 'stray')`, summary, "stray", ""},

		{`UPDATE product_orders SET contributions = json_set(contributions, '$[0].sku', 'x')` + one, products, string(order), "quantity of x"},
		{`UPDATE product_orders SET contributions = json_set(contributions, '$[0].cancelled', json('false'))` + one,
			products, string(order), "cancelled of " + sku},
		{`UPDATE product_orders SET contributions = json_set(contributions, '$[0].lines', 7)` + one, products, string(order), "lines of " + sku},
		{`UPDATE product_orders SET contributions = json_set(contributions, '$[0].quantity', 7)` + one, products, string(order), "quantity of " + sku},
		{`UPDATE product_orders SET contributions = json_set(contributions, '$[0].value.minor', 7)` + one, products, string(order), "value of " + sku},
		{`UPDATE product_orders SET contributions = json_set(contributions, '$[0].last.name', 'x')` + one, products, string(order), "name of " + sku},
		{`UPDATE product_orders SET contributions = json_set(contributions, '$[0].last.price.minor', 7)` + one, products, string(order), "price of " + sku},
		{`UPDATE product_orders SET contributions = json_set(contributions, '$[0].last.line', 7)` + one, products, string(order), "line of " + sku},
		{`UPDATE product_orders SET contributions = json_set(contributions, '$[0].last.at', '2000-01-01T00:00:00Z')` + one,
			products, string(order), "lastOrderedAt of " + sku},
		{`DELETE FROM product_orders` + one, products, string(order), ""},
		{`UPDATE products SET id = 'x'`, products, "x", ""},
		{`UPDATE products SET id = 'x'`, products, sku, ""},
		{`UPDATE products SET orders = orders + 1`, products, sku, "orders"},
		{`UPDATE products SET low = low + 1`, products, sku, "quantity"},
		{`UPDATE products SET words = 'x'`, "search", sku, "words"},
		{`UPDATE products SET words = 'x'`, "search", "products_fts", "index"},
		{`UPDATE product_currencies SET low = low + 1`, products, sku, "value"},
		{`UPDATE product_currencies SET name = 'x'`, products, sku, "name"},
		{`UPDATE product_currencies SET price = price + 1`, products, sku, "lastPrice"},
		{`UPDATE product_currencies SET at = at + 1`, products, sku, "lastOrderedAt"},
		{`UPDATE product_currencies SET total = total + 1`, "search", sku + " EUR", "n"},
		{`DELETE FROM product_times`, "search", sku + " EUR", "n"},
		{`DELETE FROM products`, products, sku, ""},

		{`UPDATE activity_orders SET contributions = json_set(contributions, '$[0].who', 'x')` + one, acts, string(order), "who of version 1"},
		{`UPDATE activity_orders SET contributions = json_set(contributions, '$[0].type', 'x')` + one, acts, string(order), "eventType of version 1"},
		{`UPDATE activity_orders SET contributions = json_remove(contributions, '$[0]')` + one, acts, string(order), "at of version 1"},
		{`DELETE FROM activity_orders` + one, acts, string(order), ""},
		{`UPDATE day_types SET n = n + 1`, acts, "", "byType"},
		{`DELETE FROM days`, acts, "", ""},
		{`DELETE FROM acts`, "search", "", "n"},

		{`UPDATE holds SET version = version + 1 WHERE projection = 'order_list'`, orders, "", "hold"},
		{`DELETE FROM holds WHERE projection = 'order_list'`, orders, "", "version"},
		{`INSERT INTO holds SELECT projection, generation, part, '` + string(order) + `', version, reason, since FROM holds WHERE projection = 'order_list'`,
			orders, string(order), "hold"},
	} {
		t.Run(c.statement, func(t *testing.T) {
			w := w.Copy(t)
			w.Corrupt(c.statement)
			found := w.Verified(0)
			if !slices.ContainsFunc(found, func(d projections.Difference) bool {
				return d.Projection == c.projection && (c.id == "" || d.ID == c.id) && d.Field == c.field && d.Want != d.Got &&
					strings.Contains(d.String(), d.Got)
			}) {
				t.Errorf("%s is to name %s %s %q, and names %v", c.statement, c.projection, c.id, c.field, found)
			}
		})
	}
}

func TestVerifyWaitsForWhatIsMerelyLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := runnertest.At(t, time.Now())
		p := w.Projector()
		id := w.Create("ada", "A-1", 500)
		w.Step(p)
		w.Do(id, 1, domain.ConfirmOrder{})
		w.Raw(w.Create("bob", "A-2", 100), 2, "OrderEaten", `{}`)
		began := time.Now()
		late := time.AfterFunc(20*time.Second, func() { _, _ = p.Step(t.Context()) })
		defer late.Stop()
		report, err := verify.Run(t.Context(), w.Events, w.Read, domain.Codec{}, verify.Options{Wait: 30 * time.Second})
		if err != nil || !report.Clean() || len(report.Holds) != len(projections.All()) {
			t.Errorf("%+v, %v", report, err)
		}
		if waited := time.Since(began); waited < 20*time.Second || waited > 22*time.Second {
			t.Errorf("it waited for %v", waited)
		}
		synctest.Wait() // the step has ended
		w.Do(id, 2, domain.CancelOrder{Reason: "no"})
		began = time.Now()
		report, err = verify.Run(t.Context(), w.Events, w.Read, domain.Codec{}, verify.Options{Wait: 30 * time.Second})
		if err != nil || len(report.Differences) != len(projections.All()) || report.Differences[0].Field != "version" {
			t.Errorf("what does not come is named: %+v, %v", report, err)
		}
		if waited := time.Since(began); waited < 30*time.Second || waited > 31*time.Second {
			t.Errorf("it waited for %v", waited)
		}
	})
}

// Beside writers and a projector, nothing that is merely moving is a difference.
func TestVerifyIsRightBesideARunningProjector(t *testing.T) {
	w := runnertest.New(t)
	p := w.Projector()
	var ids []domain.OrderID
	for i := range 20 {
		ids = append(ids, w.Create([]string{"ada", "bob"}[i%2], "A", 100))
	}
	w.Step(p)
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 1; ; i++ {
			for _, id := range ids {
				select {
				case <-stop:
					return
				default:
				}
				w.Do(id, i, domain.AddItem{Item: runnertest.Line(1)})
				w.Step(p)
			}
		}
	}()
	for range 5 {
		if diffs := w.Verified(10 * time.Second); len(diffs) > 0 {
			t.Error(diffs)
		}
	}
	close(stop)
	<-done
}

func TestAReportNamesABoundedNumberOfDifferences(t *testing.T) {
	w := runnertest.New(t)
	w.Create("ada", "A-1", 500)
	w.Step(w.Projector())
	w.Corrupt(`INSERT INTO customer_orders WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1010)
		SELECT 'stray-' || i, 1, '', 0, 0, 0, 'EUR', '[]' FROM n`)
	report, err := verify.Run(t.Context(), w.Events, w.Read, domain.Codec{}, verify.Options{})
	if err != nil || len(report.Differences) != verify.MaxDifferences || report.Unnamed != 10 {
		t.Errorf("%d differences, %d unnamed, %v", len(report.Differences), report.Unnamed, err)
	}
}
