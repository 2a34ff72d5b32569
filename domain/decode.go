package domain

import (
	"bytes"
	"errors"
	"headway/fault"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is how deep the data of an event nests: OrderCreated holds items, which hold a price.
const maxDepth = 8

var errTooDeep = errors.New("too deep")

// decoder reads the data of one event, token by token, straight into its facts.
//
// What it says of data with several faults does not depend on the order of their fields: no JSON comes before a name that stands twice or
// a nest too deep, and that before what the schema finds, in the order of the schema. The first two end the reading.
type decoder struct {
	read     Reader
	currency Currency // of prices that were stored without one
	tokens   *jsontext.Decoder
	facts    []Event
	end      error        // why the rest of the data is not read
	where    string       // the path at which that was
	wrong    *fault.Error // the schema's complaint about the value that was read last
}

// decode reads the whole data.
func (d *decoder) decode(data []byte) ([]Event, error) {
	// Half a surrogate pair, \ud800, is read as U+FFFD, as encoding/json does. Bytes that are no UTF-8 are refused.
	halves := jsontext.AllowInvalidUTF8(true)
	if !utf8.Valid(data) {
		return nil, fault.Errorf(fault.Invalid, "The data is not valid JSON.")
	}
	err := json.Unmarshal(data, d, halves)
	switch {
	case err == nil && d.wrong == nil:
		return d.facts, nil
	case err == nil:
		return nil, d.wrong
	case d.end == nil || !jsontext.Value(data).IsValid(halves, jsontext.AllowDuplicateNames(true)):
		return nil, fault.Errorf(fault.Invalid, "The data is not valid JSON.")
	case errors.Is(d.end, jsontext.ErrDuplicateName):
		return nil, fault.Errorf(fault.Invalid, "The field %s appears twice.", quote(d.where))
	}
	return nil, fault.Errorf(fault.Invalid, "The data is not valid JSON, or nests too deep.")
}

// UnmarshalJSONFrom is called by json.Unmarshal, which lends the tokens.
func (d *decoder) UnmarshalJSONFrom(tokens *jsontext.Decoder) error {
	d.tokens = tokens
	if d.facts = d.read(d); d.facts == nil {
		d.facts = []Event{} // read, and nothing today
	}
	return d.end
}

// object wants an object of exactly these fields, one of which may be optional. It gives each name that stands there, and its value is to
// be read before the next one is asked for.
func (d *decoder) object(optional string, fields ...string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		if !d.opens('{', "an object") {
			return
		}
		var seen uint // a bit for each field
		var unknown []string
		var wrong *fault.Error // what is wrong with the first of the fields that are
		first := len(fields)
		for i := 0; d.more(); i++ {
			var name []byte
			i, name = d.field(fields, i)
			if d.end != nil {
				return
			}
			if i < 0 {
				unknown = append(unknown, string(name))
				d.skip()
				continue
			}
			seen |= 1 << i
			yield(fields[i])
			if d.wrong != nil && i < first {
				wrong, first = d.wrong, i
			}
			d.wrong = nil
		}
		d.closes()
		for i, name := range fields {
			if seen&(1<<i) == 0 && name != optional {
				d.complain("The field %s is missing.", quote(join(d.here(), name)))
				return
			}
		}
		if unknown != nil {
			d.complain("Unknown field %s.", quote(join(d.here(), slices.Min(unknown))))
			return
		}
		d.wrong = wrong
	}
}

// field reads a name, and finds it among the fields: most likely it is the one at guess. An unknown name has no place.
func (d *decoder) field(fields []string, guess int) (int, []byte) {
	if d.tokens.PeekKind() != '"' {
		d.token() // which is no JSON
		return -1, nil
	}
	name := d.bytes()
	if guess < len(fields) && string(name) == fields[guess] {
		return guess, name
	}
	for i := range fields {
		if string(name) == fields[i] {
			return i, name
		}
	}
	return -1, name
}

// list wants a list, and ranges over its elements: each is to be read before the next one is asked for.
func (d *decoder) list() func(yield func() bool) {
	return func(yield func() bool) {
		if !d.opens('[', "a list") {
			return
		}
		var wrong *fault.Error // of the first element that is
		for d.more() {
			yield()
			if wrong == nil {
				wrong = d.wrong
			}
			d.wrong = nil
		}
		d.closes()
		d.wrong = wrong
	}
}

func (d *decoder) text() string {
	if !d.is('"', "a text") {
		return ""
	}
	return string(d.bytes())
}

func (d *decoder) code() Currency {
	if !d.is('"', "a text") {
		return ""
	}
	text := d.bytes()
	at, known := Currency(text).find()
	if !known {
		d.complain("The field %s is %s, which is not a currency of ISO 4217.", quote(d.here()), quote(string(text)))
		return ""
	}
	return Currency(minorUnits[at : at+len("EUR")]) // which takes no memory of its own
}

// count wants an integer from 0 that fits.
func (d *decoder) count() int64 {
	const want = "a whole number from 0 that fits 64 bits"
	if !d.is('0', want) {
		return 0
	}
	number := d.value()
	n, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil || number[0] == '-' {
		d.mustBe(want)
	}
	return n
}

// decimal reads a price of schema 1 from its digits, never as a float, and rounds it half away from zero.
func (d *decoder) decimal() Money {
	const want = "a decimal number from 0 that fits"
	if !d.is('0', want) {
		return Money{}
	}
	minor, fits := roundDecimal(string(d.value()), d.currency.Digits())
	switch {
	case !fits:
		d.mustBe(want)
	case !d.currency.Known():
		d.complain("Prices without a currency are read in %s, which is not a currency of ISO 4217.", quote(string(d.currency)))
	}
	return Money{minor, d.currency}
}

// bytes reads a text, or a name; they hold until the next reading.
func (d *decoder) bytes() []byte {
	quoted := d.value()
	if len(quoted) < 2 {
		return nil
	}
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	text, _ := jsontext.AppendUnquote(nil, quoted) // the error says that there was half a surrogate pair
	return text
}

// value reads a text, a name or a number as it stands there; none at the end of the reading.
func (d *decoder) value() jsontext.Value {
	value, err := d.tokens.ReadValue()
	if err != nil {
		d.stop(err)
		return nil
	}
	return value
}

// is looks at the next value, and passes over one of another kind.
func (d *decoder) is(kind jsontext.Kind, want string) bool {
	if d.tokens.PeekKind() == kind {
		return true
	}
	d.skip()
	d.mustBe(want)
	return false
}

func (d *decoder) opens(kind jsontext.Kind, want string) bool {
	return d.is(kind, want) && d.token()
}

// more tells whether the object or list goes on.
func (d *decoder) more() bool {
	kind := d.tokens.PeekKind()
	return d.end == nil && kind != '}' && kind != ']'
}

func (d *decoder) closes() {
	if d.end == nil {
		d.token()
	}
}

// skip passes over a value.
func (d *decoder) skip() {
	for depth := d.tokens.StackDepth(); ; {
		if d.tokens.StackDepth() >= maxDepth && d.more() {
			d.stop(errTooDeep)
		}
		if !d.token() || d.tokens.StackDepth() == depth {
			return
		}
	}
}

func (d *decoder) token() bool {
	if d.end != nil {
		return false
	}
	if _, err := d.tokens.ReadToken(); err != nil {
		d.stop(err)
		return false
	}
	return true
}

// stop ends the reading.
func (d *decoder) stop(err error) {
	d.end = err
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok && errors.Is(err, jsontext.ErrDuplicateName) {
		d.where = d.path(e.JSONPointer)
	}
}

// path spells a place as people do: items[2].price. The place is on the decoder's stack.
func (d *decoder) path(pointer jsontext.Pointer) string {
	path, level := "", 0
	for step := range pointer.Tokens() {
		level++
		if kind, _ := d.tokens.StackIndex(level); kind == '[' {
			path += "[" + step + "]"
		} else {
			path = join(path, step)
		}
	}
	return path
}

// here is the path of the value that was read last.
func (d *decoder) here() string { return d.path(d.tokens.StackPointer()) }

func (d *decoder) mustBe(want string) {
	if at := d.here(); at != "" {
		d.complain("The field %s must be %s.", quote(at), want)
	} else {
		d.complain("The data must be %s.", want)
	}
}

// complain is about the value that was read last.
func (d *decoder) complain(format string, args ...any) {
	if d.end == nil {
		d.wrong = fault.Errorf(fault.Invalid, format, args...)
	}
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
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

// quote puts a stranger's text into a sentence: valid, short, and between quotation marks.
func quote(s string) string {
	const most = 80
	s = strings.ToValidUTF8(s, "\uFFFD")
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "…"
	}
	return "“" + s + "”"
}
