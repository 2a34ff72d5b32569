package console

import (
	"context"
	"fmt"
	"testing"

	"headway/domain"
	"headway/eventstore"
	"headway/orders/orderstest"
	"headway/projections"
)

// askedRows counts the orders whose rows were read.
type askedRows struct {
	projections.Reader
	n int
}

func (a *askedRows) OrderRows(ctx context.Context, ids ...domain.OrderID) (map[domain.OrderID]projections.OrderRow, error) {
	a.n += len(ids)
	return a.Reader.OrderRows(ctx, ids...)
}

// TestReferencesAreReadOnce: an order is asked for until it has a row, and not again; what is remembered is bounded.
func TestReferencesAreReadOnce(t *testing.T) {
	c := openConsole(t)
	var ids []domain.OrderID
	create := func(reference string) {
		t.Helper()
		item := domain.Item{SKU: "A", Name: "A", Quantity: 1, Price: domain.Money{Minor: 1, Currency: "EUR"}}
		id := domain.OrderID(fmt.Sprintf("00000000-0000-4000-8000-%012d", len(ids)))
		orderstest.Append(t, c.options.Events, id, 0, eventstore.Metadata{CausationID: string(id)},
			domain.OrderCreated{CustomerID: "Ada", Currency: "EUR", Reference: reference, Items: []domain.Item{item}})
		ids = append(ids, id)
	}
	rows := &askedRows{Reader: c.options.Read}
	var names references
	look := func(asked int, want ...string) {
		t.Helper()
		rows.n = 0
		known := names.of(t.Context(), rows, append(ids, ids...))
		for i, id := range ids {
			if known[id] != want[i] {
				t.Errorf("order %d is called %q, not %q", i, known[id], want[i])
			}
		}
		if rows.n != asked {
			t.Errorf("the rows of %d orders were read, not of %d", rows.n, asked)
		}
	}
	create("PO-1")
	create("")
	look(2, "", "")
	c.project()
	look(2, "PO-1", "")
	look(0, "PO-1", "")
	create("PO-3")
	look(1, "PO-1", "", "")
	c.project()
	look(1, "PO-1", "", "PO-3")
	look(0, "PO-1", "", "PO-3")

	for i := range keptReferences {
		names.kept[domain.OrderID(fmt.Sprint(i))] = ""
	}
	create("PO-4")
	c.project()
	names.of(t.Context(), rows, ids)
	if n := len(names.kept); n == 0 || n > keptReferences {
		t.Errorf("%d references are kept", n)
	}
}
