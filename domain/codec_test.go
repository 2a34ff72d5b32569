package domain_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"headway/domain"
	"headway/fault"
)

var update = flag.Bool("update", false, "write the golden files again")

const orderID domain.OrderID = "0b7a6d7e-3c1f-4a53-8f0e-2f6f3a3f9f10"

// golden is the file's content without its last line break; with -update it is written first.
func golden(t *testing.T, name string, got []byte) []byte {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update && got != nil {
		if err := os.WriteFile(path, append(bytes.Clone(got), '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(data, []byte("\n"))
}

func usd(minor int64) domain.Money { return domain.Money{Minor: minor, Currency: "USD"} }

// The events of testdata: what each file says, in Go. TYPE.vN*.json is data of schema N as it was stored; if that is not what is written
// today, TYPE.vN*.shown.json is the same upcast.
func goldenEvents() map[string]domain.Event {
	return map[string]domain.Event{
		"OrderCreated.v1": domain.OrderCreated{CustomerID: "ada@example.com", Currency: "USD", Items: []domain.Item{
			{SKU: "TEA-1", Name: "Assam <loose> & “leaf”", Quantity: 2, Price: usd(1299)},
			{SKU: "MUG", Name: "Mug", Quantity: 1, Price: usd(701)},
		}},
		"OrderCreated.v1.reference": domain.OrderCreated{CustomerID: "ada@example.com", Currency: "USD", Reference: "A-1001",
			Items: []domain.Item{{SKU: "MUG", Name: "Mug", Quantity: 1, Price: usd(1500)}}},
		"OrderItemAdded.v1":           domain.OrderItemAdded{Item: domain.Item{SKU: "POT", Name: "Tea pot", Quantity: 1, Price: usd(3000)}},
		"OrderConfirmed.v1":           domain.OrderConfirmed{},
		"OrderCancelled.v1":           domain.OrderCancelled{Reason: "Ordered twice"},
		"OrderCancelled.v1.no-reason": domain.OrderCancelled{Reason: "not given"},
		"OrderCreated.v2": domain.OrderCreated{CustomerID: "ada@example.com", Currency: "KWD", Reference: "A-1001",
			Items: []domain.Item{
				{SKU: "TEA-1", Name: "Assam <loose> & “leaf”", Quantity: 2, Price: domain.Money{Minor: 12990, Currency: "KWD"}},
				{SKU: "MUG", Name: "Mug", Quantity: 1_000_000, Price: domain.Money{Currency: "KWD"}},
			}},
		"OrderItemAdded.v2": domain.OrderItemAdded{Item: domain.Item{SKU: "POT", Name: "Tea pot", Quantity: 1,
			Price: domain.Money{Minor: 4000, Currency: "JPY"}}},
		"OrderConfirmed.v2": domain.OrderConfirmed{},
		"OrderNoteAdded.v1": domain.OrderNoteAdded{Text: "Ring twice;\n<b>leave</b> it & “wait”"},
		"OrderCancelled.v2": domain.OrderCancelled{Reason: "Ordered twice,\nby two people"},
	}
}

// rawOf is the event of a golden file, and whether its schema is the one that is written today.
func rawOf(t *testing.T, name string, data []byte) (raw domain.Raw, current bool) {
	t.Helper()
	raw = domain.Raw{OrderID: orderID, Version: 1, Data: data}
	var rest string
	raw.EventType, rest, _ = strings.Cut(name, ".v")
	number, _, _ := strings.Cut(rest, ".")
	var err error
	if raw.SchemaVersion, err = strconv.Atoi(number); err != nil {
		t.Fatalf("%s does not say its schema: %v", name, err)
	}
	for _, e := range domain.Events() {
		if e.Type == raw.EventType {
			current = e.Schema == raw.SchemaVersion
		}
	}
	return raw, current
}

func TestEveryEventOfEverySchemaIsReadAsItsGoldenSays(t *testing.T) {
	var codec domain.Codec
	type typeAndSchema struct {
		eventType string
		schema    int
	}
	seen := map[typeAndSchema]bool{}
	for name, want := range goldenEvents() {
		t.Run(name, func(t *testing.T) {
			raw, current := rawOf(t, name, nil)
			seen[typeAndSchema{raw.EventType, raw.SchemaVersion}] = true
			eventType, written, encoded, err := codec.Encode(want)
			if err != nil || eventType != want.Type() || current != (written == raw.SchemaVersion) {
				t.Fatalf("encode: %q of schema %d, %v", eventType, written, err)
			}
			var update []byte
			if current {
				update = encoded
			}
			raw.Data = golden(t, name+".json", update)
			if current && !bytes.Equal(encoded, raw.Data) {
				t.Errorf("encoded as\n%s\nnot as stored before\n%s", encoded, raw.Data)
			}
			before := bytes.Clone(raw.Data)
			got, err := codec.Decode(raw)
			if err != nil || !reflect.DeepEqual(got, []domain.Event{want}) {
				t.Errorf("decoded as\n%#v, %v\nnot as\n%#v", got, err, want)
			}
			schema, shown, err := codec.Upcast(raw)
			if err != nil || schema != written {
				t.Fatalf("upcast to schema %d, %v", schema, err)
			}
			if current {
				if &shown[0] != &raw.Data[0] {
					t.Error("the current schema must be shown as the stored bytes")
				}
			} else if wantShown := golden(t, name+".shown.json", shown); !bytes.Equal(shown, wantShown) {
				t.Errorf("shown as\n%s\nnot as\n%s", shown, wantShown)
			}
			if !bytes.Equal(raw.Data, before) {
				t.Error("the stored bytes were changed")
			}
		})
	}
	for _, e := range domain.Events() {
		if !seen[typeAndSchema{e.Type, e.Schema}] {
			t.Errorf("no golden for %s of schema %d", e.Type, e.Schema)
		}
	}
}

// The schemas of a type lie together and count from 1 without a gap, so that the last is the one that is written; every sample can be read.
func TestTheTableOfEvents(t *testing.T) {
	last := domain.Entry{}
	for _, e := range domain.Events() {
		begins := e.Schema == 1 && !slices.Contains(domain.EventTypes()[:slices.Index(domain.EventTypes(), e.Type)], e.Type)
		if follows := e.Type == last.Type && e.Schema == last.Schema+1; !begins && !follows {
			t.Errorf("%s of schema %d stands behind %s of schema %d", e.Type, e.Schema, last.Type, last.Schema)
		}
		raw := domain.Raw{OrderID: orderID, Version: 1, EventType: e.Type, SchemaVersion: e.Schema, Data: []byte(e.Sample)}
		if _, err := (domain.Codec{}).Decode(raw); err != nil {
			t.Errorf("the sample of %s of schema %d: %v", e.Type, e.Schema, err)
		}
		last = e
	}
	if types := domain.EventTypes(); len(types) != len(slices.Compact(slices.Sorted(slices.Values(types)))) {
		t.Errorf("a type stands in two places: %v", types)
	}
}

func TestEveryGoldenFileIsRead(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	events := goldenEvents()
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(file), ".json"), ".shown")
		if _, ok := events[name]; !ok {
			t.Errorf("%s is read by no test", file)
		}
	}
}

func TestSchema1IsReadInTheConfiguredCurrency(t *testing.T) {
	raw := domain.Raw{EventType: domain.TypeOrderItemAdded, SchemaVersion: 1,
		Data: []byte(`{"item":{"sku":"A","name":"A","quantity":1,"price":12.5}}`)}
	for currency, minor := range map[domain.Currency]int64{"": 1250, "EUR": 1250, "JPY": 13, "KWD": 12500, "CLF": 125000} {
		facts, err := domain.Codec{DefaultCurrency: currency}.Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		want := domain.Money{Minor: minor, Currency: currency}
		if currency == "" {
			want.Currency = "USD"
		}
		if got := facts[0].(domain.OrderItemAdded).Item.Price; got != want {
			t.Errorf("in %q the price is %v, not %v", currency, got, want)
		}
	}
	if _, err := (domain.Codec{DefaultCurrency: "EURO"}).Decode(raw); fault.KindOf(err) != fault.Invalid {
		t.Errorf("an unknown default currency gave %v", err)
	}
}

func TestDecimalsOfSchema1AreRoundedHalfAwayFromZeroByTheirDigits(t *testing.T) {
	for _, c := range []struct {
		rule, number string
		digits       int
		want         int64
		ok           bool
	}{
		{"a whole number is filled up", "30", 2, 3000, true},
		{"below half goes down", "1.0049999999999999999", 2, 100, true},
		{"half goes up", "1.005", 2, 101, true},
		{"half goes up to the next whole", "0.5", 0, 1, true},
		{"nines carry", "9.995", 2, 1000, true},
		{"a float could not hold this one", "90071992547409.93", 2, 9007199254740993, true},
		{"a small number is nothing", "1e-7", 2, 0, true},
		{"an exponent moves the dot to the right", "1.299e1", 2, 1299, true},
		{"an exponent moves the dot to the left", "1299E-2", 2, 1299, true},
		{"half by exponent", "5e-3", 2, 1, true},
		{"the digit before the first counts, too", "5e-4", 2, 0, true},
		{"the largest", "92233720368547758.07", 2, 9223372036854775807, true},
		{"rounded up to what does not fit", "92233720368547758.075", 2, 0, false},
		{"above the largest", "92233720368547758.08", 2, 0, false},
		{"zero to a large power is refused", "0e33", 2, 0, false},
		{"a large exponent is refused at once", "1e999999999", 2, 0, false},
		{"a negative number is refused", "-1", 2, 0, false},
		{"minus zero, too", "-0", 2, 0, false},
		{"no number", "", 2, 0, false},
		{"too many digits", "0." + strings.Repeat("1", 64), 2, 0, false},
	} {
		if got, ok := domain.RoundDecimal(c.number, c.digits); ok != c.ok || ok && got != c.want {
			t.Errorf("%s: %s is %d, %v; want %d, %v", c.rule, c.number, got, ok, c.want, c.ok)
		}
	}
}

func TestWhatCannotBeReadIsInvalidAndNamed(t *testing.T) {
	const item = `{"sku":"A","name":"A","quantity":1,"price":{"minor":1,"currency":"EUR"}}`
	for _, c := range []struct {
		rule, eventType string
		schema          int
		data, sentence  string
	}{
		{"an unknown type", "OrderShipped", 2, `{}`, "Unknown event type “OrderShipped”."},
		{"an unknown type of an unknown version", "OrderShipped", 9, `{}`, "Unknown event type “OrderShipped”."},
		{"types have one spelling", "ordercreated", 2, `{}`, "Unknown event type “ordercreated”."},
		{"a very long type is shortened", strings.Repeat("x", 500), 2, `{}`, "Unknown event type “" + strings.Repeat("x", 80) + "…”."},
		{"a type that is no text", "\xff", 2, `{}`, "Unknown event type “\uFFFD”."},
		{"a future version", "OrderConfirmed", 3, `{}`, "Unknown schema version 3 of “OrderConfirmed”."},
		{"version 0", "OrderConfirmed", 0, `{}`, "Unknown schema version 0 of “OrderConfirmed”."},
		{"no data", "OrderConfirmed", 2, ``, "The data is not valid JSON."},
		{"half an object", "OrderConfirmed", 2, `{`, "The data is not valid JSON."},
		{"something behind the object", "OrderConfirmed", 2, `{} {}`, "The data is not valid JSON."},
		{"invalid UTF-8", "OrderCancelled", 2, "{\"reason\":\"\xff\"}", "The data is not valid JSON."},
		{"null", "OrderConfirmed", 2, `null`, "The data must be an object."},
		{"a list", "OrderConfirmed", 2, `[]`, "The data must be an object."},
		{"an unknown field", "OrderConfirmed", 2, `{"by":"x"}`, "Unknown field “by”."},
		{"an unknown field of the historic form", "OrderConfirmed", 1, `{"by":"x"}`, "Unknown field “by”."},
		{"a field twice", "OrderCancelled", 2, `{"reason":"a","reason":"b"}`, "The field “reason” appears twice."},
		{"a field twice, deep inside", "OrderItemAdded", 2, `{"item":{"sku":"A","sku":"B"}}`, "The field “item.sku” appears twice."},
		{"field names have one spelling", "OrderCancelled", 2, `{"Reason":"a"}`, "The field “reason” is missing."},
		{"a missing field", "OrderCancelled", 2, `{}`, "The field “reason” is missing."},
		{"a reason that is no text", "OrderCancelled", 1, `{"reason":5}`, "The field “reason” must be a text."},
		{"a missing list", "OrderCreated", 2, `{"customerId":"c","currency":"EUR","reference":""}`, "The field “items” is missing."},
		{"null for a list", "OrderCreated", 2, `{"customerId":"c","currency":"EUR","items":null}`, "The field “items” must be a list."},
		{"an unknown currency", "OrderCreated", 2, `{"customerId":"c","currency":"EUX","items":[]}`,
			"The field “currency” is “EUX”, which is not a currency of ISO 4217."},
		{"a currency in schema 1", "OrderCreated", 1, `{"customerId":"c","currency":"EUR","items":[]}`, "Unknown field “currency”."},
		{"an item that is no object", "OrderCreated", 2, `{"customerId":"c","currency":"EUR","items":[` + item + `,7]}`,
			"The field “items[1]” must be an object."},
		{"a missing part of a price", "OrderItemAdded", 2, `{"item":{"sku":"A","name":"A","quantity":1,"price":{"minor":1}}}`,
			"The field “item.price.currency” is missing."},
		{"a decimal price in schema 2", "OrderItemAdded", 2, `{"item":{"sku":"A","name":"A","quantity":1,"price":1.5}}`,
			"The field “item.price” must be an object."},
		{"a price object in schema 1", "OrderItemAdded", 1, `{"item":` + item + `}`,
			"The field “item.price” must be a decimal number from 0 that fits."},
		{"a price in quotes in schema 1", "OrderItemAdded", 1, `{"item":{"sku":"A","name":"A","quantity":1,"price":"1.5"}}`,
			"The field “item.price” must be a decimal number from 0 that fits."},
		{"a quantity with a dot", "OrderItemAdded", 1, `{"item":{"sku":"A","name":"A","quantity":1.0,"price":1}}`,
			"The field “item.quantity” must be a whole number from 0 that fits 64 bits."},
		{"a negative quantity", "OrderItemAdded", 1, `{"item":{"sku":"A","name":"A","quantity":-1,"price":1}}`,
			"The field “item.quantity” must be a whole number from 0 that fits 64 bits."},
		{"an amount above 64 bits", "OrderItemAdded", 2,
			`{"item":{"sku":"A","name":"A","quantity":1,"price":{"minor":9223372036854775808,"currency":"EUR"}}}`,
			"The field “item.price.minor” must be a whole number from 0 that fits 64 bits."},
		{"a deep nest", "OrderConfirmed", 2, strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
			"The data is not valid JSON, or nests too deep."},
	} {
		t.Run(c.rule, func(t *testing.T) {
			raw := domain.Raw{OrderID: orderID, Version: 1, EventType: c.eventType, SchemaVersion: c.schema, Data: []byte(c.data)}
			facts, err := domain.Codec{}.Decode(raw)
			if facts != nil || fault.KindOf(err) != fault.Invalid || fault.Sentence(err) != c.sentence {
				t.Errorf("got %v, %v\nwant %s", facts, err, c.sentence)
			}
			_, shown, err := domain.Codec{}.Upcast(raw)
			if shown != nil || fault.Sentence(err) != c.sentence {
				t.Errorf("upcast gave %s, %v", shown, err)
			}
			if string(raw.Data) != c.data {
				t.Error("the stored bytes were changed")
			}
		})
	}
}

func TestHistoryIsReadBeyondTheBoundsOfCommands(t *testing.T) {
	raw := domain.Raw{EventType: domain.TypeOrderItemAdded, SchemaVersion: 2, Data: []byte(
		`{"item":{"sku":"","name":"` + strings.Repeat("n", domain.MaxNameLength+1) + `","quantity":2000000,"price":{"minor":0,"currency":"EUR"}}}`)}
	if _, err := (domain.Codec{}).Decode(raw); err != nil {
		t.Error(err)
	}
}

func TestAnEventHasABoundedSize(t *testing.T) {
	overhead := len(`{"reason":""}`)
	for size, kind := range map[int]string{
		domain.MaxEventBytes - 1: "", domain.MaxEventBytes: "", domain.MaxEventBytes + 1: "too_large",
	} {
		_, _, data, err := domain.Codec{}.Encode(domain.OrderCancelled{Reason: strings.Repeat("r", size-overhead)})
		switch {
		case kind == "" && (err != nil || len(data) != size):
			t.Errorf("%d bytes: %d, %v", size, len(data), err)
		case kind != "" && (err == nil || fault.KindOf(err).String() != kind || data != nil):
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestNoItemsAreWrittenAsAnEmptyListAndNoEventAsAnError(t *testing.T) {
	_, _, data, err := domain.Codec{}.Encode(domain.OrderCreated{CustomerID: "c", Currency: "EUR"})
	if want := `{"customerId":"c","currency":"EUR","reference":"","items":[]}`; err != nil || string(data) != want {
		t.Errorf("%s, %v", data, err)
	}
	if _, _, _, err := (domain.Codec{}).Encode(nil); fault.KindOf(err) != fault.Internal {
		t.Error(err)
	}
}
