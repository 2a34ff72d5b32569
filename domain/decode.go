package domain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// noReason is what a cancellation of schema 1 without a reason is read as.
const noReason = "not given"

// maxDepth is how deep the data of an event nests: OrderCreated holds items, which hold a price.
const maxDepth = 8

// decoder reads the data of one event. It keeps the first complaint; what it returns after one means nothing.
type decoder struct {
	historic bool     // schema 1
	currency Currency // of every price in schema 1
	err      *Error
}

func (d *decoder) orderCreated(data any) OrderCreated {
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

func (d *decoder) orderItemAdded(data any) OrderItemAdded {
	return OrderItemAdded{Item: d.item("item", d.object("", data, []string{"item"}, nil)["item"])}
}

func (d *decoder) orderConfirmed(data any) OrderConfirmed {
	d.object("", data, nil, nil)
	return OrderConfirmed{}
}

func (d *decoder) orderCancelled(data any) OrderCancelled {
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

func (d *decoder) item(at string, v any) Item {
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
func (d *decoder) parse(data []byte) any {
	if !utf8.Valid(data) || !json.Valid(data) {
		d.fail("The data is not valid JSON.")
		return nil
	}
	tokens := json.NewDecoder(bytes.NewReader(data))
	tokens.UseNumber()
	return d.value(tokens, "", maxDepth)
}

func (d *decoder) value(tokens *json.Decoder, at string, depth int) any {
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
			path := join(at, name)
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
func (d *decoder) object(at string, v any, required, optional []string) map[string]any {
	o, ok := v.(map[string]any)
	if !ok {
		d.wrong(at, "an object")
		return nil
	}
	for _, name := range required {
		if _, ok := o[name]; !ok {
			d.fail("The field %s is missing.", quote(join(at, name)))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if !slices.Contains(required, name) && !slices.Contains(optional, name) {
			d.fail("Unknown field %s.", quote(join(at, name)))
		}
	}
	return o
}

func (d *decoder) list(at string, v any) []any {
	l, ok := v.([]any)
	if !ok {
		d.wrong(at, "a list")
	}
	return l
}

func (d *decoder) text(at string, v any) string {
	s, ok := v.(string)
	if !ok {
		d.wrong(at, "a text")
	}
	return s
}

func (d *decoder) code(at string, v any) Currency {
	c := Currency(d.text(at, v))
	if !c.Known() {
		d.fail("The field %s is %s, which is not a currency of ISO 4217.", quote(at), quote(string(c)))
	}
	return c
}

// count wants an integer from 0 that fits.
func (d *decoder) count(at string, v any) int64 {
	number, _ := v.(json.Number)
	n, err := strconv.ParseInt(number.String(), 10, 64)
	if err != nil || n < 0 || strings.HasPrefix(number.String(), "-") {
		d.wrong(at, "a whole number from 0 that fits 64 bits")
	}
	return n
}

// decimal reads a price of schema 1 from its digits, never as a float, and rounds it half away from zero.
func (d *decoder) decimal(at string, v any) Money {
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

// roundDecimal reads a JSON number that is not negative with so many digits after the dot, half away from zero.
func roundDecimal(number string, digits int) (int64, bool) {
	mantissa, exponent, scaled := strings.Cut(strings.ToLower(number), "e")
	shift := 0
	if scaled {
		var err error
		if shift, err = strconv.Atoi(exponent); err != nil || shift < -MaxAmountLength || shift > MaxAmountLength {
			return 0, false
		}
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	all := whole + fraction
	if !allDigits(all) || len(all) > 2*MaxAmountLength {
		return 0, false
	}
	keep := len(whole) + shift + digits // how many digits of all are minor units
	if keep < 0 {
		return 0, true
	}
	all += strings.Repeat("0", max(0, keep+1-len(all)))
	minor, err := strconv.ParseUint("0"+all[:keep], 10, 63)
	if err == nil && all[keep] >= '5' {
		minor++
	}
	return int64(minor), err == nil && int64(minor) >= 0
}

func (d *decoder) wrong(at, want string) {
	if at == "" {
		d.fail("The data must be %s.", want)
		return
	}
	d.fail("The field %s must be %s.", quote(at), want)
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = Errorf(Invalid, format, args...)
	}
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}

// quote puts a stranger's text into a sentence: valid, short, and between quotation marks.
func quote(s string) string {
	const most = 80
	s = strings.ToValidUTF8(s, "\uFFFD")
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "…"
	}
	return "“" + s + "”"
}
