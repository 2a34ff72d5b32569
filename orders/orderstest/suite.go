// Package orderstest is the suite of orders on a log: what a command promises, on every engine. Each engine passes it beside storetest.
package orderstest

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"headway/domain"
	"headway/eventstore"
	"headway/eventstore/storetest"
	"headway/fault"
	"headway/orders"
)

// Run holds orders on an engine to what they promise. A failing case says which rule was broken.
func Run(t *testing.T, newPlace func(t *testing.T) storetest.Place) {
	for _, c := range []struct {
		name, rule string
		run        func(t *testing.T, p storetest.Place)
	}{
		{"command, at once", "A command that arrives many times at once is carried out once, and everybody gets that result.", commandAtOnce},
		{"command, later", "A command that comes again gets its first result, after a restart and whatever it expects.", commandLater},
		{"command, other content", "A command id that comes back with other content is Invalid, and stores nothing.", otherContent},
		{"unknown events", "An order with an event that nobody knows refuses commands.", unknownEvents},
		{"schema 1", "An order whose events are of schema 1 takes commands.", historicEvents},
		{"snapshots, taken", "An append that crosses the interval takes a snapshot, and the next command needs only what follows it.",
			snapshotsTaken},
		{"snapshots, refused", "A snapshot that is missing, stale, broken, too large, of another order, shape or rules costs time, never truth.",
			snapshotsRefused},
		{"snapshots, random", "Commands get the same answers with snapshots as without, and store the same.", snapshotsChangeNothing},
	} {
		runCase(t, c.name, c.rule, func(t *testing.T) { c.run(t, newPlace(t)) })
	}
	runCase(t, "snapshots, of a backup", "A snapshot that is ahead of its stream, or of another one, is refused and replaced.",
		func(t *testing.T) { snapshotsOfABackup(t, newPlace) })
}

func runCase(t *testing.T, name, rule string, run func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("The rule: %s", rule)
			}
		})
		run(t)
	})
}

// handler executes commands on a store with its snapshots.
func handler(s storetest.Store, policy orders.SnapshotPolicy) orders.Handler {
	return orders.Handler{Events: s}.WithSnapshots(s, policy)
}

func newCommand() domain.CommandID { return domain.CommandID(uuid.NewString()) }

func item(sku string) domain.Item {
	return domain.Item{SKU: sku, Name: "Grüner Tee", Quantity: 2, Price: domain.Money{Minor: 450, Currency: "EUR"}}
}

// addMany is a command of as many events as wanted.
type addMany struct{ N int }

func (addMany) Kind() string { return "add-many" }
func (addMany) Check() error { return nil }
func (addMany) Allowed(o domain.Order) error {
	if o.Status != domain.Created {
		return fault.Errorf(fault.Refused, "The order of %d lines is %s.", len(o.Items), o.Status)
	}
	return nil
}
func (a addMany) Decide(o domain.Order) ([]domain.Event, error) {
	if err := a.Allowed(o); err != nil {
		return nil, err
	}
	var facts []domain.Event
	for i := range a.N {
		facts = append(facts, domain.OrderItemAdded{Item: item(fmt.Sprintf("tea %d", len(o.Items)+i))})
	}
	return facts, nil
}

func createCommand() orders.Request {
	return orders.Request{
		CommandID: newCommand(), UserID: "ada", Timestamp: time.Date(2021, 2, 3, 4, 5, 6, 789_000, time.UTC),
		Command: domain.CreateOrder{CustomerID: "Ada & Söhne", Currency: "EUR", Items: []domain.Item{item("tea")}},
	}
}

func orderCommand(id domain.OrderID, expect int, c domain.Command) orders.Request {
	req := createCommand()
	req.OrderID, req.Expect, req.Command = id, expect, c
	return req
}

func mustExecute(t *testing.T, s storetest.Store, policy orders.SnapshotPolicy, req orders.Request) domain.OrderID {
	t.Helper()
	result, err := handler(s, policy).Execute(t.Context(), req)
	if err != nil {
		t.Fatalf("a command at %d: %v", req.Expect, err)
	}
	return result.OrderID
}

func mustRead(t *testing.T, s eventstore.Store, id domain.OrderID) []eventstore.Record {
	t.Helper()
	records, err := s.Read(t.Context(), orders.StreamOf(id), 0)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return records
}

func checkLength(t *testing.T, s eventstore.Store, id domain.OrderID, want int) {
	t.Helper()
	if got := len(mustRead(t, s, id)); got != want {
		t.Errorf("order %s has %d events, want %d", id, got, want)
	}
}

// checkOtherContent wants the error of a command id that was used before for something else.
func checkOtherContent(t *testing.T, err error) {
	t.Helper()
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Kind != fault.Invalid || len(e.Fields) != 1 || e.Fields[0].Field != "commandId" {
		t.Errorf("got the error %v, want one at the field commandId", err)
	}
}

func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
