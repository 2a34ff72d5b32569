package domain

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"headway/fault"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// DecodeByMaps is Codec.Decode as it was first written: it makes maps and lists of the whole data, and then looks for what is wrong in the
// order of the schema. It is slow and plain, and the tests hold the Codec to it.
func DecodeByMaps(c Codec, r Raw) ([]Event, error) {
	switch {
	case !slices.Contains(EventTypes(), r.EventType):
		return nil, fault.Errorf(fault.Invalid, "Unknown event type %s.", quote(r.EventType))
	case r.SchemaVersion != 1 && (r.SchemaVersion != 2 || r.EventType == TypeOrderNoteAdded):
		return nil, fault.Errorf(fault.Invalid, "Unknown schema version %d of %s.", r.SchemaVersion, quote(r.EventType))
	}
	d := mapDecoder{historic: r.SchemaVersion == 1, currency: cmp.Or(c.DefaultCurrency, "USD")}
	var e Event
	switch r.EventType {
	case TypeOrderCreated:
		e = d.orderCreated(d.parse(r.Data))
	case TypeOrderItemAdded:
		e = d.orderItemAdded(d.parse(r.Data))
	case TypeOrderConfirmed:
		e = d.orderConfirmed(d.parse(r.Data))
	case TypeOrderCancelled:
		e = d.orderCancelled(d.parse(r.Data))
	case TypeOrderNoteAdded:
		e = OrderNoteAdded{Text: d.text("text", d.object("", d.parse(r.Data), []string{"text"}, nil)["text"])}
	}
	if d.err != nil {
		return nil, d.err
	}
	return []Event{e}, nil
}

// deepest is maxDepth, said again so that neither changes alone.
const deepest = 8

// mapDecoder reads the data of one event. It keeps the first complaint; what it returns after one means nothing.
type mapDecoder struct {
	historic bool     // schema 1
	currency Currency // of every price in schema 1
	err      *fault.Error
}

func (d *mapDecoder) orderCreated(data any) OrderCreated {
	required, optional := []string{"customerId", "currency", "items"}, []string{"reference"}
	if d.historic {
		required = []string{"customerId", "items"}
	}
	o := d.object("", data, required, optional)
	e := OrderCreated{CustomerID: d.text("customerId", o["customerId"]), Currency: d.currency, Items: []Item{}}
	if !d.historic {
		e.Currency = d.code("currency", o["currency"])
	}
	if reference, ok := o["reference"]; ok {
		e.Reference = d.text("reference", reference)
	}
	for i, item := range d.list("items", o["items"]) {
		e.Items = append(e.Items, d.item(fmt.Sprintf("items[%d]", i), item))
	}
	return e
}

func (d *mapDecoder) orderItemAdded(data any) OrderItemAdded {
	return OrderItemAdded{Item: d.item("item", d.object("", data, []string{"item"}, nil)["item"])}
}

func (d *mapDecoder) orderConfirmed(data any) OrderConfirmed {
	d.object("", data, nil, nil)
	return OrderConfirmed{}
}

func (d *mapDecoder) orderCancelled(data any) OrderCancelled {
	required, optional := []string{"reason"}, []string(nil)
	if d.historic {
		required, optional = optional, required
	}
	reason, ok := d.object("", data, required, optional)["reason"]
	if d.historic && (!ok || reason == nil || reason == "") {
		return OrderCancelled{Reason: noReason}
	}
	return OrderCancelled{Reason: d.text("reason", reason)}
}

func (d *mapDecoder) item(at string, v any) Item {
	o := d.object(at, v, []string{"sku", "name", "quantity", "price"}, nil)
	item := Item{
		SKU: d.text(at+".sku", o["sku"]), Name: d.text(at+".name", o["name"]), Quantity: d.count(at+".quantity", o["quantity"]),
	}
	if d.historic {
		item.Price = d.decimal(at+".price", o["price"])
		return item
	}
	price := d.object(at+".price", o["price"], []string{"minor", "currency"}, nil)
	item.Price = Money{d.count(at+".price.minor", price["minor"]), d.code(at+".price.currency", price["currency"])}
	return item
}

// parse turns JSON into maps, lists, strings, json.Numbers, bools and nil. Unlike json.Unmarshal it refuses a name that an
// object holds twice.
func (d *mapDecoder) parse(data []byte) any {
	if !utf8.Valid(data) || !json.Valid(data) {
		d.fail("The data is not valid JSON.")
		return nil
	}
	tokens := json.NewDecoder(bytes.NewReader(data))
	tokens.UseNumber()
	return d.value(tokens, "", deepest)
}

func (d *mapDecoder) value(tokens *json.Decoder, at string, depth int) any {
	token, err := tokens.Token()
	if err != nil || depth == 0 {
		d.fail("The data is not valid JSON, or nests too deep.")
		return nil
	}
	switch token {
	case json.Delim('{'):
		object := map[string]any{}
		for d.err == nil && tokens.More() {
			key, _ := tokens.Token()
			name, _ := key.(string)
			path := joinPath(at, name)
			if _, twice := object[name]; twice {
				d.fail("The field %s appears twice.", quote(path))
			}
			object[name] = d.value(tokens, path, depth-1)
		}
		_, _ = tokens.Token()
		return object
	case json.Delim('['):
		list := []any{}
		for d.err == nil && tokens.More() {
			list = append(list, d.value(tokens, fmt.Sprintf("%s[%d]", at, len(list)), depth-1))
		}
		_, _ = tokens.Token()
		return list
	}
	return token
}

// object wants exactly these fields.
func (d *mapDecoder) object(at string, v any, required, optional []string) map[string]any {
	o, ok := v.(map[string]any)
	if !ok {
		d.wrong(at, "an object")
		return nil
	}
	for _, name := range required {
		if _, ok := o[name]; !ok {
			d.fail("The field %s is missing.", quote(joinPath(at, name)))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if !slices.Contains(required, name) && !slices.Contains(optional, name) {
			d.fail("Unknown field %s.", quote(joinPath(at, name)))
		}
	}
	return o
}

func (d *mapDecoder) list(at string, v any) []any {
	l, ok := v.([]any)
	if !ok {
		d.wrong(at, "a list")
	}
	return l
}

func (d *mapDecoder) text(at string, v any) string {
	s, ok := v.(string)
	if !ok {
		d.wrong(at, "a text")
	}
	return s
}

func (d *mapDecoder) code(at string, v any) Currency {
	c := Currency(d.text(at, v))
	if !c.Known() {
		d.fail("The field %s is %s, which is not a currency of ISO 4217.", quote(at), quote(string(c)))
	}
	return c
}

// count wants an integer from 0 that fits.
func (d *mapDecoder) count(at string, v any) int64 {
	number, _ := v.(json.Number)
	n, err := strconv.ParseInt(number.String(), 10, 64)
	if err != nil || n < 0 || strings.HasPrefix(number.String(), "-") {
		d.wrong(at, "a whole number from 0 that fits 64 bits")
	}
	return n
}

// decimal reads a price of schema 1 from its digits, never as a float, and rounds it half away from zero.
func (d *mapDecoder) decimal(at string, v any) Money {
	number, ok := v.(json.Number)
	minor, fits := roundDecimal(number.String(), d.currency.Digits())
	switch {
	case !ok || !fits:
		d.wrong(at, "a decimal number from 0 that fits")
	case !d.currency.Known():
		d.fail("Prices without a currency are read in %s, which is not a currency of ISO 4217.", quote(string(d.currency)))
	}
	return Money{minor, d.currency}
}

func (d *mapDecoder) wrong(at, want string) {
	if at == "" {
		d.fail("The data must be %s.", want)
		return
	}
	d.fail("The field %s must be %s.", quote(at), want)
}

func (d *mapDecoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fault.Errorf(fault.Invalid, format, args...)
	}
}

func joinPath(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}
