package domain_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/eventstore/sqlite"
	"headway/fault"
	"headway/orders"
	"headway/projections"
	"headway/projections/runner"
	readsqlite "headway/projections/sqlite"
	"headway/projections/verify"
)

// shopEvent is a line of the fixture: one event as the old shop stored it.
type shopEvent struct {
	Order  domain.OrderID
	By     string
	At     time.Time
	Type   string
	Schema int
	Data   json.RawMessage
}

// The orders of the fixture.
const (
	grown = "11111111-1111-4111-8111-111111111111" // of every schema of a line, and with a retired event in the middle
	paid  = "22222222-2222-4222-8222-222222222222" // whose first event is two facts
	stays = "33333333-3333-4333-8333-333333333333" // of events that are today's
)

// oldShop is a log as the old shop left it.
func oldShop(t *testing.T) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(filepath.Join(t.TempDir(), "events.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	lines, err := os.ReadFile("testdata/evolution/shop.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	head := map[domain.OrderID]int{}
	for line := range bytes.Lines(lines) {
		var e shopEvent
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		_, err := s.Append(t.Context(), orders.StreamOf(e.Order), head[e.Order], eventstore.Metadata{
			CausationID: string(orders.NewCommandID()), UserID: e.By, Timestamp: e.At,
		}, eventstore.NewEvent{Type: e.Type, Schema: e.Schema, Data: e.Data})
		if err != nil {
			t.Fatal(err)
		}
		head[e.Order]++
	}
	return s
}

// projected builds all rows from the log, and verifies them.
func projected(t *testing.T, log eventstore.Store, codec domain.Codec) (projections.Store, verify.Report) {
	t.Helper()
	read, err := readsqlite.Open(filepath.Join(t.TempDir(), "read.db"), readsqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { read.Close() })
	projector := runner.New(log, read, runner.Options{Codec: codec, Alone: true})
	for moved := 1; moved > 0; {
		if moved, err = projector.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	report, err := verify.Run(t.Context(), log, read, codec, verify.Options{})
	if err != nil || len(report.Differences) > 0 {
		t.Fatalf("%v, %v", report.Differences, err)
	}
	return read, report
}

// What the old shop stored is read by a table that has it: orders fold, rows are made again and verify, commands go on at the versions that
// were always there. A program whose table does not have it holds the orders concerned, and nothing else.
func TestAnOldStoreRunsOnTodaysCode(t *testing.T) {
	log := oldShop(t)
	if _, report := projected(t, log, domain.Codec{}); len(report.Holds) != 2*len(projections.All()) {
		t.Errorf("held without the table: %+v", report.Holds)
	}

	codec := domain.Codec{Table: domain.ShopTable()}
	read, report := projected(t, log, codec)
	if report.Orders != 3 || report.Events != 9 || len(report.Holds) > 0 {
		t.Errorf("projected again: %+v", report)
	}
	rows, err := read.OrderRows(t.Context(), grown, paid, stays)
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[domain.OrderID]struct {
		version, items int
		status         domain.Status
		total          int64
	}{grown: {5, 4, domain.Created, 2*1299 + 700 + 3*450 + 3000}, paid: {2, 1, domain.Confirmed, 450}, stays: {2, 1, domain.Cancelled, 1299}} {
		if row := rows[id]; row.Version != want.version || row.ItemCount != want.items || row.Status != want.status ||
			row.Total.Minor != want.total {
			t.Errorf("the row of %s is %+v", id, row)
		}
	}

	handler := orders.Handler{Events: log, Codec: codec}.WithSnapshots(log, orders.SnapshotPolicy{Every: 1, Longer: -1})
	result, err := handler.Execute(t.Context(), orders.Request{
		CommandID: orders.NewCommandID(), OrderID: grown, Command: domain.ConfirmOrder{}, Expect: 5, UserID: "ada", Timestamp: day(1),
	})
	if err != nil || result.Version != 6 || result.Records[0].EventType != domain.TypeOrderConfirmed {
		t.Errorf("the command is answered %+v, %v", result, err)
	}
	_, err = handler.Execute(t.Context(), orders.Request{
		CommandID: orders.NewCommandID(), OrderID: paid, Command: domain.ConfirmOrder{}, Expect: 2, UserID: "ada", Timestamp: day(1),
	})
	if fault.KindOf(err) != fault.Refused {
		t.Errorf("an order that was paid is confirmed again: %v", err)
	}
	snapshot, err := log.LoadSnapshot(t.Context(), orders.StreamOf(grown))
	if err != nil || snapshot.Version != 6 {
		t.Fatal(snapshot.Version, err)
	}
	if o, err := handler.OrderIn(snapshot); err != nil || o.Version != 6 || len(o.Items) != 4 {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err := (orders.Handler{Events: log}).WithSnapshots(log, orders.SnapshotPolicy{}).OrderIn(snapshot); err == nil {
		t.Errorf("a program without the table takes the snapshot for its own: %+v", o)
	}
	if _, report := projected(t, log, codec); report.Events != 10 || len(report.Holds) > 0 {
		t.Errorf("projected once more: %+v", report)
	}
}

// Each example is read as the page says, and shown: what is no fact of its own type today as the list of its facts.
func TestExamplesOfEvolution(t *testing.T) {
	codec := domain.Codec{Table: domain.ShopTable()}
	item := func(quantity int64) domain.Event {
		return domain.OrderItemAdded{Item: domain.Item{SKU: "jam", Name: "Jam", Quantity: quantity, Price: eur(450)}}
	}
	created := domain.OrderCreated{CustomerID: "ada", Currency: "EUR", Items: []domain.Item{
		{SKU: "tea", Name: "Tea", Quantity: 2, Price: eur(450)},
	}}
	const shownItem = `[{"eventType":"OrderItemAdded","data":{"item":` +
		`{"sku":"jam","name":"Jam","quantity":3,"price":{"minor":450,"currency":"EUR"}}}}]`
	for _, c := range []struct {
		eventType string
		schema    int
		facts     []domain.Event
		shown     string
	}{
		{"OrderLineAdded", 1, []domain.Event{item(1)}, strings.Replace(shownItem, ":3", ":1", 1)},
		{"OrderLineAdded", 2, []domain.Event{item(3)}, shownItem},
		{"OrderLineAdded", 3, []domain.Event{item(3)}, shownItem},
		{"OrderPlaced", 1, []domain.Event{created, domain.OrderConfirmed{}},
			`[{"eventType":"OrderCreated","data":{"customerId":"ada","currency":"EUR",` +
				`"reference":"","items":[{"sku":"tea","name":"Tea","quantity":2,"price":{"minor":450,"currency":"EUR"}}]}},` +
				`{"eventType":"OrderConfirmed","data":{}}]`},
		{"OrderPrinted", 1, []domain.Event{}, `[]`},
	} {
		for _, e := range codec.Table {
			if e.Type != c.eventType || e.Schema != c.schema {
				continue
			}
			raw := domain.Raw{OrderID: orderID, Version: 1, EventType: e.Type, SchemaVersion: e.Schema, Data: []byte(e.Sample)}
			if facts, err := codec.Decode(raw); err != nil || !reflect.DeepEqual(facts, c.facts) {
				t.Errorf("%s of schema %d is read as %#v, %v", e.Type, e.Schema, facts, err)
			}
			if schema, shown, err := codec.Upcast(raw); err != nil || schema != 0 || string(shown) != c.shown {
				t.Errorf("%s of schema %d is shown as schema %d, %s, %v", e.Type, e.Schema, schema, shown, err)
			}
		}
	}
	for data, sentence := range map[string]string{`{`: "The data is not valid JSON.", ``: "The data is not valid JSON."} {
		_, err := codec.Decode(domain.Raw{EventType: "OrderPrinted", SchemaVersion: 1, Data: []byte(data)})
		if fault.Sentence(err) != sentence {
			t.Errorf("%q of a retired type: %v", data, err)
		}
	}
}

// The page about evolution shows code and events that are tested.
func TestThePageOfEvolution(t *testing.T) {
	read := func(name string) string {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(strings.Fields(string(data)), " ")
	}
	page, err := os.ReadFile("../docs/schema-evolution.md")
	if err != nil {
		t.Fatal(err)
	}
	sources := read("evolution_test.go") + read("testdata/evolution/shop.jsonl")
	blocks := regexp.MustCompile("(?s)```(?:go|json)\n(.*?)```").FindAllSubmatch(page, -1)
	for _, block := range blocks {
		for part := range strings.SplitSeq(string(block[1]), "\n…\n") {
			if !strings.Contains(sources, strings.Join(strings.Fields(part), " ")) {
				t.Errorf("the tests do not have\n%s", part)
			}
		}
	}
	if len(blocks) < 4 {
		t.Errorf("the page shows %d examples", len(blocks))
	}
}
