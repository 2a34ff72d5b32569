package dynamo

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"headway/domain"
	"headway/eventstore"
	"headway/orders"
)

// A command on an order of usual length pays no request for snapshots; on a long one it pays one to look, and now and then one to save.
func TestRequestsOfACommand(t *testing.T) {
	s, w := overWire(t, newPlace(t))
	id := domain.OrderID("")
	head := 0
	command := func(policy orders.SnapshotPolicy, c domain.Command) map[string]int {
		t.Helper()
		w.take()
		result, err := (orders.Handler{Events: s}).WithSnapshots(s, policy).Execute(t.Context(), orders.Request{
			CommandID: domain.CommandID(uuid.NewString()), OrderID: id, Command: c, Expect: head, UserID: "ada", Timestamp: time.Unix(1.6e9, 0),
		})
		must(t, err)
		id, head = result.OrderID, result.Version
		return w.take()
	}
	line := domain.Item{SKU: "tea", Name: "Tea", Quantity: 1, Price: domain.Money{Minor: 450, Currency: "EUR"}}
	often := orders.SnapshotPolicy{Every: 2, Longer: -1}
	for _, c := range []struct {
		policy  orders.SnapshotPolicy
		command domain.Command
		want    map[string]int
	}{
		{orders.SnapshotPolicy{}, domain.CreateOrder{CustomerID: "ada", Currency: "EUR", Items: []domain.Item{line}}, map[string]int{}},
		{orders.SnapshotPolicy{}, domain.AddItem{Item: line}, map[string]int{}},
		{often, domain.AddItem{Item: line}, map[string]int{"GetItem": 1}},
		{often, domain.AddItem{Item: line}, map[string]int{"GetItem": 1, "PutItem": 1}},
		{often, domain.AddItem{Item: line}, map[string]int{"GetItem": 1}},
	} {
		c.want["Query"], c.want["TransactWriteItems"] = 1, 1
		if got := command(c.policy, c.command); !maps.Equal(got, c.want) {
			t.Errorf("the command for version %d made the requests %v, want %v", head, got, c.want)
		}
	}
}

// The largest snapshot, of the order with the longest id, fits into an item.
func TestSnapshotFitsAnItem(t *testing.T) {
	largest := snapshotItem(eventstore.Snapshot{
		Stream: stream(strings.Repeat("x", MaxKeyBytes)), Version: eventstore.MaxStreamEvents, Data: make([]byte, eventstore.MaxSnapshotBytes),
	})
	if size := sizeOf(largest); size > MaxItemBytes {
		t.Errorf("it takes %d bytes of %d", size, MaxItemBytes)
	}
}
