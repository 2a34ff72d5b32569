// Package input turns what a stranger sends into values: bodies, which are JSON or forms, and queries. Whatever is wrong becomes a sentence
// beside its field. It must never store, look up or answer anything.
package input

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"headway/domain"
	"headway/fault"
)

// The bounds of a body that has passed the bound on its bytes.
const (
	maxFields    = 10_000 // 501 items of a form must be counted, not cut
	maxDepth     = 8
	maxName      = 200   // bytes of a value's path, which is kept for each value
	MaxLineIndex = 2_000 // of items[N] in a form

	maxComplaints = 2_500 // about one body: more than the fields of 501 items
)

// ErrMediaType is a body that is neither JSON nor a form.
var ErrMediaType = errors.New("neither JSON nor a form")

// Body is a body, from a form or JSON alike: every value by its path, such as "items[2].price". A command reads the fields it
// knows; unread then names one that nobody asked for.
type Body struct {
	form   bool
	values map[string]value
	read   map[string]bool
	asked  map[string]int     // which as the how manyth
	wrong  []fault.FieldError // what the reads complained about, in the order of the reads
	shape  bool               // one of them is about the type of a value: Malformed, not Invalid
}

type value struct {
	kind valueKind
	text string // of a text or number; of a list, nothing
	size int    // of a list
}

type valueKind string

const (
	kindText   valueKind = "a text"
	kindNumber valueKind = "a number"
	kindOther  valueKind = "true, false or null"
	kindList   valueKind = "a list"
	kindObject valueKind = "an object"
)

// Read reads a body that is JSON or a form. Malformed if it cannot be read, TooLarge if it has too many values, ErrMediaType if it is
// neither, and *http.MaxBytesError if the bound that was set on it is passed.
func Read(r *http.Request) (*Body, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	isJSON := err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
	if !isJSON && media != "application/x-www-form-urlencoded" {
		return nil, ErrMediaType
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, err
		}
		return nil, &fault.Error{Kind: fault.Malformed, Message: "The body could not be read to its end.", Cause: err}
	}
	in := &Body{form: !isJSON, values: map[string]value{}, read: map[string]bool{}, asked: map[string]int{}}
	if isJSON {
		err = in.parseJSON(body)
	} else {
		err = in.parseForm(string(body))
	}
	return in, err
}

// IsForm tells whether the body came from a form: then it may have a button's name, and the answer is a page.
func (in *Body) IsForm() bool { return in.form }

// AllowButton lets Finish accept the field “do” of a form, which names the button that was pressed.
func (in *Body) AllowButton() { in.read["do"] = in.form }

func (in *Body) parseForm(body string) error {
	fields, err := url.ParseQuery(body)
	if err != nil {
		return &fault.Error{Kind: fault.Malformed, Message: "The form could not be read.", Cause: err}
	}
	if len(fields) > maxFields {
		return fault.Errorf(fault.TooLarge, "A form can have at most %s fields.", fault.Number(maxFields))
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		switch texts := fields[name]; {
		case !utf8.ValidString(name):
			return fault.Errorf(fault.Malformed, "The name of a field is not valid UTF-8.")
		case len(name) > maxName:
			return nameTooLong(name)
		case len(texts) > 1:
			return fault.MalformedField(name, "The field “%s” was sent %d times.", name, len(texts))
		case !utf8.ValidString(texts[0]):
			in.Complain(name, "This is not valid UTF-8.")
			in.shape = true
			in.values[name] = value{kind: kindText, text: strings.ToValidUTF8(texts[0], "\uFFFD")}
		default:
			in.values[name] = value{kind: kindText, text: texts[0]}
		}
	}
	return in.closeGaps()
}

// closeGaps numbers the lines of a form 0, 1, 2 … in their order: a script may have removed one in the middle.
func (in *Body) closeGaps() error {
	lines := map[int][]string{}
	for name := range in.values {
		n, _, ok := lineOf(name)
		if !ok {
			continue
		}
		if n > MaxLineIndex {
			return fault.MalformedField(name, "A form can have at most %s lines.", fault.Number(MaxLineIndex))
		}
		lines[n] = append(lines[n], name)
	}
	for i, n := range slices.Sorted(maps.Keys(lines)) {
		for _, name := range lines[n] {
			if i == n {
				continue
			}
			_, rest, _ := lineOf(name)
			in.values[fmt.Sprintf("items[%d]%s", i, rest)] = in.values[name]
			delete(in.values, name)
		}
	}
	if len(lines) > 0 {
		in.values["items"] = value{kind: kindList, size: len(lines)}
	}
	for i := range len(lines) {
		in.values[fmt.Sprintf("items[%d]", i)] = value{kind: kindObject}
	}
	return nil
}

// IsLine tells whether a path is of one line, such as "items[3].sku".
func IsLine(path string) bool {
	_, _, ok := lineOf(path)
	return ok
}

// lineOf takes "items[3].sku" apart.
func lineOf(name string) (n int, rest string, ok bool) {
	inner, ok := strings.CutPrefix(name, "items[")
	if !ok {
		return 0, "", false
	}
	digits, rest, ok := strings.Cut(inner, "]")
	if !ok || len(digits) > 1 && digits[0] == '0' || strings.HasPrefix(digits, "+") {
		return 0, "", false
	}
	n, err := strconv.Atoi(digits)
	return n, rest, err == nil && n >= 0
}

func (in *Body) parseJSON(body []byte) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return fault.Errorf(fault.Malformed, "The body is empty; it must be a JSON object.")
	}
	if !utf8.Valid(body) {
		return fault.Errorf(fault.Malformed, "The body is not valid UTF-8.")
	}
	tokens := json.NewDecoder(bytes.NewReader(body))
	tokens.UseNumber()
	if err := in.walk(tokens, "", maxDepth); err != nil {
		return err
	}
	if _, err := tokens.Token(); !errors.Is(err, io.EOF) {
		return fault.Errorf(fault.Malformed, "There is more after the JSON object.")
	}
	if kind := in.values[""].kind; kind != kindObject {
		return fault.Errorf(fault.Malformed, "The body must be a JSON object, not %s.", cmp.Or(kind, "null"))
	}
	delete(in.values, "")
	return nil
}

// walk takes one JSON value apart, and refuses what json.Unmarshal would let pass: a name twice, and great depth.
func (in *Body) walk(tokens *json.Decoder, at string, depth int) error {
	token, err := tokens.Token()
	if err != nil {
		return notJSON(tokens, err)
	}
	if len(at) > maxName {
		return nameTooLong(at)
	}
	if depth == 0 {
		return fault.MalformedField(at, "The JSON nests deeper than %d levels.", maxDepth)
	}
	if len(in.values) > maxFields {
		return fault.Errorf(fault.TooLarge, "A body can have at most %s values.", fault.Number(maxFields))
	}
	if _, twice := in.values[at]; twice {
		return fault.MalformedField(at, "The field “%s” appears twice.", at)
	}
	switch t := token.(type) {
	case json.Delim:
		size := 0
		in.values[at] = value{kind: kindObject}
		for ; tokens.More(); size++ {
			next := at
			if t == '{' {
				key, err := tokens.Token()
				if err != nil {
					return notJSON(tokens, err)
				}
				name, _ := key.(string) // as every name is
				if next = name; at != "" {
					next = at + "." + name
				}
			} else {
				next += "[" + strconv.Itoa(size) + "]"
			}
			if err := in.walk(tokens, next, depth-1); err != nil {
				return err
			}
		}
		if t == '[' {
			in.values[at] = value{kind: kindList, size: size}
		}
		if _, err := tokens.Token(); err != nil {
			return notJSON(tokens, err)
		}
	case string:
		in.values[at] = value{kind: kindText, text: t}
	case json.Number:
		in.values[at] = value{kind: kindNumber, text: t.String()}
	case nil: // as if it were not there
		in.values[at], in.read[at] = value{}, true
	default:
		in.values[at] = value{kind: kindOther}
	}
	return nil
}

func nameTooLong(name string) error {
	return fault.MalformedField(Clip(name), "The name of a field can be at most %d bytes long.", maxName)
}

func notJSON(tokens *json.Decoder, cause error) error {
	return &fault.Error{Kind: fault.Malformed, Cause: cause,
		Message: fmt.Sprintf("The body is not valid JSON; it cannot be read after byte %d.", tokens.InputOffset())}
}

// Complain says what is wrong with a field. Only the first complaint about a field is kept, and of all fields a bounded number.
func (in *Body) Complain(field, format string, args ...any) {
	if len(in.wrong) < maxComplaints && !in.Complained(field) {
		in.wrong = append(in.wrong, fault.FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
	}
}

// get finds a value that is there and is of the kind; it complains about one of another.
func (in *Body) get(field string, kind valueKind) (value, bool) {
	v, ok := in.values[field]
	in.read[field] = true
	if _, again := in.asked[field]; !again {
		in.asked[field] = len(in.asked)
	}
	if !ok || v.kind == "" {
		return value{}, false
	}
	if v.kind != kind {
		in.Complain(field, "“%s” must be %s, not %s.", field, kind, v.kind)
		in.shape = true
		return value{}, false
	}
	return v, true
}

// Text is a value as typed, without the spaces around it and with line ends of one kind; empty if it is not there.
func (in *Body) Text(field string) string {
	v, _ := in.get(field, kindText)
	return strings.TrimSpace(strings.ReplaceAll(v.text, "\r\n", "\n"))
}

// Typed is a value exactly as it was sent, to show it again.
func (in *Body) Typed(field string) string { return in.values[field].text }

// AllTyped is every text exactly as it was sent, by its path.
func (in *Body) AllTyped() map[string]string {
	typed := make(map[string]string, len(in.values))
	for path, v := range in.values {
		typed[path] = v.text
	}
	return typed
}

// whole is a whole number: a JSON number, or the digits of a form. what is its name in a sentence, such as "The quantity".
func (in *Body) whole(field, what string) int64 {
	kind := kindNumber
	if in.form {
		kind = kindText
	}
	v, ok := in.get(field, kind)
	digits := strings.TrimSpace(v.text)
	if !ok || digits == "" {
		in.Complain(field, "%s is required.", what)
		return 0
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		in.Complain(field, "%s is too large a number.", what)
	} else if err != nil {
		in.Complain(field, "%s must be a whole number.", what)
	}
	return n
}

// Version is a version of an order: required unless optional, at least 1.
func (in *Body) Version(field, what string, optional bool) int {
	if v := in.values[field]; optional && (v.kind == "" || in.form && v.kind == kindText && strings.TrimSpace(v.text) == "") {
		in.read[field] = true
		return 0
	}
	n := in.whole(field, what)
	if n < 1 || n > domain.MaxOrderEvents {
		in.Complain(field, "%s must be from 1 to %s.", what, fault.Number(domain.MaxOrderEvents))
		return 0
	}
	return int(n)
}

// CommandID is the required command id in canonical form.
func (in *Body) CommandID() domain.CommandID {
	text := in.Text("commandId")
	if text == "" {
		in.Complain("commandId", "A command id is required: any UUID.")
		return ""
	}
	id, err := uuid.Parse(text)
	if err != nil || len(text) != len(id.String()) {
		in.Complain("commandId", "The command id must be a UUID.")
		return ""
	}
	return domain.CommandID(id.String())
}

// Item reads one line; at is the prefix of its fields.
func (in *Body) Item(at string, currency domain.Currency) domain.Item {
	item := domain.Item{SKU: in.Text(at + "sku"), Name: in.Text(at + "name"), Quantity: in.whole(at+"quantity", "The quantity")}
	price := in.Text(at + "price")
	switch {
	case in.Complained(at + "price"):
	case price == "":
		in.Complain(at+"price", "The price is required.")
	case strings.HasPrefix(price, "-"):
		in.Complain(at+"price", "The price cannot be negative.")
	case !currency.Known(): // said at the currency
	default:
		var err error
		if item.Price, err = domain.ParseMoney(price, currency); err != nil {
			in.Complain(at+"price", "%s", fault.Sentence(err))
		}
	}
	item.Price.Currency = currency
	return item
}

// Complained tells whether something is wrong with a field.
func (in *Body) Complained(field string) bool {
	return slices.ContainsFunc(in.wrong, func(f fault.FieldError) bool { return f.Field == field })
}

// Lines is how many items the body has.
func (in *Body) Lines() int {
	v, _ := in.get("items", kindList)
	for i := range v.size {
		in.get(fmt.Sprintf("items[%d]", i), kindObject)
	}
	return v.size
}

// TypedLines is how many lines a form shows, with or without mistakes.
func (in *Body) TypedLines() int { return in.values["items"].size }

// Finish says what is wrong with the body and with the command made of it: Malformed for an unknown field or a value of the wrong type,
// else Invalid with all complaints, sorted as the form is.
func (in *Body) Finish(command domain.Command) error {
	unread := slices.DeleteFunc(slices.Sorted(maps.Keys(in.values)), func(name string) bool { return in.read[name] })
	if len(unread) > 0 {
		return fault.MalformedField(Clip(unread[0]), "There is no field “%s” here.", Clip(unread[0]))
	}
	if in.shape {
		return &fault.Error{Kind: fault.Malformed, Message: in.wrong[0].Message, Fields: in.wrong}
	}
	if e, ok := errors.AsType[*fault.Error](command.Check()); ok {
		if e.Kind != fault.Invalid {
			return e
		}
		for _, f := range e.Fields {
			in.Complain(f.Field, "%s", f.Message)
		}
	}
	if len(in.wrong) == 0 {
		return nil
	}
	slices.SortStableFunc(in.wrong, func(a, b fault.FieldError) int { return in.compare(a.Field, b.Field) })
	return &fault.Error{Kind: fault.Invalid, Message: in.wrong[0].Message, Fields: in.wrong}
}

// compare orders fields as forms show them: what every command carries first, then in the order in which the command was read.
func (in *Body) compare(a, b string) int {
	rank := func(field string) int {
		if at := slices.Index([]string{"commandId", "expectedVersion", "seenVersion"}, field); at >= 0 {
			return at - 3
		}
		if n, asked := in.asked[field]; asked {
			return n
		}
		return len(in.asked)
	}
	return rank(a) - rank(b)
}

// DropBlankLines leaves out lines that nobody filled in, unless there is no other.
func (in *Body) DropBlankLines() {
	var kept []map[string]value
	n := in.values["items"].size
	for i := range n {
		line := map[string]value{}
		blank := true
		for _, name := range []string{"sku", "name", "quantity", "price"} {
			v, ok := in.values[fmt.Sprintf("items[%d].%s", i, name)]
			if !ok {
				continue
			}
			line[name] = v
			blank = blank && (name == "quantity" || strings.TrimSpace(v.text) == "")
		}
		if !blank {
			kept = append(kept, line)
		}
	}
	if len(kept) == 0 || len(kept) == n {
		return
	}
	for i := range n {
		for _, name := range []string{".sku", ".name", ".quantity", ".price", ""} {
			delete(in.values, fmt.Sprintf("items[%d]%s", i, name))
		}
		if i < len(kept) {
			in.values[fmt.Sprintf("items[%d]", i)] = value{kind: kindObject}
			for name, v := range kept[i] {
				in.values[fmt.Sprintf("items[%d].%s", i, name)] = v
			}
		}
	}
	in.values["items"] = value{kind: kindList, size: len(kept)}
}
