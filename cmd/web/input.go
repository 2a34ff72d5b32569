package main

import (
	"bytes"
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
)

// The bounds of a body that has passed MaxBodyBytes.
const (
	maxInputFields = 10_000 // 501 items of a form must be counted, not cut
	maxInputDepth  = 8
	maxLineIndex   = 2_000 // of items[N] in a form
)

// input is a body, from a form or JSON alike: every value by its path, such as "items[2].price". A command reads the fields it
// knows; unread then names one that nobody asked for.
type input struct {
	form   bool
	values map[string]value
	read   map[string]bool
	wrong  []domain.FieldError // what the reads complained about, in the order of the reads
	shape  bool                // one of them is about the type of a value: Malformed, not Invalid
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

// readInput reads a body that is JSON or a form. Malformed if it cannot be read, 415 if it is neither.
func readInput(r *http.Request) (*input, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	isJSON := err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
	if !isJSON && media != "application/x-www-form-urlencoded" {
		return nil, &httpError{http.StatusUnsupportedMediaType, "unsupported_media_type",
			"Send the body as application/json or as a form (application/x-www-form-urlencoded)."}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, err
		}
		return nil, &domain.Error{Kind: domain.Malformed, Message: "The body could not be read to its end.", Cause: err}
	}
	in := &input{form: !isJSON, values: map[string]value{}, read: map[string]bool{}}
	if isJSON {
		err = in.parseJSON(body)
	} else {
		err = in.parseForm(string(body))
	}
	return in, err
}

func (in *input) parseForm(body string) error {
	fields, err := url.ParseQuery(body)
	if err != nil {
		return &domain.Error{Kind: domain.Malformed, Message: "The form could not be read.", Cause: err}
	}
	if len(fields) > maxInputFields {
		return domain.Errorf(domain.TooLarge, "A form can have at most %d fields.", maxInputFields)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		switch texts := fields[name]; {
		case !utf8.ValidString(name):
			return domain.Errorf(domain.Malformed, "The name of a field is not valid UTF-8.")
		case len(texts) > 1:
			return domain.MalformedField(name, "The field “%s” was sent %d times.", name, len(texts))
		case !utf8.ValidString(texts[0]):
			in.complain(name, "This is not valid UTF-8.")
			in.shape = true
			in.values[name] = value{kind: kindText, text: strings.ToValidUTF8(texts[0], "\uFFFD")}
		default:
			in.values[name] = value{kind: kindText, text: texts[0]}
		}
	}
	return in.closeGaps()
}

// closeGaps numbers the lines of a form 0, 1, 2 … in their order: a script may have removed one in the middle.
func (in *input) closeGaps() error {
	lines := map[int][]string{}
	for name := range in.values {
		n, _, ok := lineOf(name)
		if !ok {
			continue
		}
		if n > maxLineIndex {
			return domain.MalformedField(name, "A form can have at most %d lines.", maxLineIndex)
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

func (in *input) parseJSON(body []byte) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return domain.Errorf(domain.Malformed, "The body is empty; it must be a JSON object.")
	}
	if !utf8.Valid(body) {
		return domain.Errorf(domain.Malformed, "The body is not valid UTF-8.")
	}
	tokens := json.NewDecoder(bytes.NewReader(body))
	tokens.UseNumber()
	if err := in.walk(tokens, "", maxInputDepth); err != nil {
		return err
	}
	if _, err := tokens.Token(); !errors.Is(err, io.EOF) {
		return domain.Errorf(domain.Malformed, "There is more after the JSON object.")
	}
	if in.values[""].kind != kindObject {
		return domain.Errorf(domain.Malformed, "The body must be a JSON object, not %s.", in.values[""].kind)
	}
	delete(in.values, "")
	return nil
}

// walk takes one JSON value apart, and refuses what json.Unmarshal would let pass: a name twice, and great depth.
func (in *input) walk(tokens *json.Decoder, at string, depth int) error {
	token, err := tokens.Token()
	if err != nil {
		return notJSON(tokens, err)
	}
	if depth == 0 {
		return domain.MalformedField(at, "The JSON nests deeper than %d levels.", maxInputDepth)
	}
	if len(in.values) > maxInputFields {
		return domain.Errorf(domain.TooLarge, "A body can have at most %d values.", maxInputFields)
	}
	if _, twice := in.values[at]; twice {
		return domain.MalformedField(at, "The field “%s” appears twice.", clip(at))
	}
	switch t := token.(type) {
	case json.Delim:
		size := 0
		in.values[at] = value{kind: kindObject}
		for ; tokens.More(); size++ {
			next := fmt.Sprintf("%s[%d]", at, size)
			if t == '{' {
				key, err := tokens.Token()
				if err != nil {
					return notJSON(tokens, err)
				}
				if next = fmt.Sprint(key); at != "" {
					next = at + "." + next
				}
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

func notJSON(tokens *json.Decoder, cause error) error {
	return &domain.Error{Kind: domain.Malformed, Cause: cause,
		Message: fmt.Sprintf("The body is not valid JSON; it cannot be read after byte %d.", tokens.InputOffset())}
}

func (in *input) complain(field, format string, args ...any) {
	if !slices.ContainsFunc(in.wrong, func(f domain.FieldError) bool { return f.Field == field }) {
		in.wrong = append(in.wrong, domain.FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
	}
}

// get finds a value that is there and is of the kind; it complains about one of another.
func (in *input) get(field string, kind valueKind) (value, bool) {
	v, ok := in.values[field]
	in.read[field] = true
	if !ok || v.kind == "" {
		return value{}, false
	}
	if v.kind != kind {
		in.complain(field, "“%s” must be %s, not %s.", field, kind, v.kind)
		in.shape = true
		return value{}, false
	}
	return v, true
}

// text is a value as typed, without the spaces around it and with line ends of one kind; empty if it is not there.
func (in *input) text(field string) string {
	v, _ := in.get(field, kindText)
	return strings.TrimSpace(strings.ReplaceAll(v.text, "\r\n", "\n"))
}

// typed is a value exactly as it was sent, to show it again.
func (in *input) typed(field string) string { return in.values[field].text }

// whole is a whole number: a JSON number, or the digits of a form. what is its name in a sentence, such as "The quantity".
func (in *input) whole(field, what string) int64 {
	kind := kindNumber
	if in.form {
		kind = kindText
	}
	v, ok := in.get(field, kind)
	digits := strings.TrimSpace(v.text)
	if !ok || digits == "" {
		in.complain(field, "%s is required.", what)
		return 0
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		in.complain(field, "%s is too large a number.", what)
	} else if err != nil {
		in.complain(field, "%s must be a whole number.", what)
	}
	return n
}

// version is a version of an order: required unless optional, at least 1.
func (in *input) version(field, what string, optional bool) int {
	if optional && in.values[field].text == "" && in.values[field].kind != kindObject && in.values[field].kind != kindList {
		in.read[field] = true
		return 0
	}
	n := in.whole(field, what)
	if n < 1 || n > domain.MaxOrderEvents {
		in.complain(field, "%s must be from 1 to %d.", what, domain.MaxOrderEvents)
		return 0
	}
	return int(n)
}

// commandID is the required command id in canonical form.
func (in *input) commandID() domain.CommandID {
	text := in.text("commandId")
	if text == "" {
		in.complain("commandId", "A command id is required: any UUID.")
		return ""
	}
	id, err := uuid.Parse(text)
	if err != nil || len(text) != len(id.String()) {
		in.complain("commandId", "The command id must be a UUID.")
		return ""
	}
	return domain.CommandID(id.String())
}

// item reads one line; at is the prefix of its fields.
func (in *input) item(at string, currency domain.Currency) domain.Item {
	item := domain.Item{SKU: in.text(at + "sku"), Name: in.text(at + "name"), Quantity: in.whole(at+"quantity", "The quantity")}
	price := in.text(at + "price")
	switch {
	case in.complained(at + "price"):
	case price == "":
		in.complain(at+"price", "The price is required.")
	case !currency.Known(): // said at the currency
	case strings.HasPrefix(price, "-"):
		in.complain(at+"price", "The price cannot be negative.")
	default:
		var err error
		if item.Price, err = domain.ParseMoney(price, currency); err != nil {
			in.complain(at+"price", "%s", domain.Sentence(err))
		}
	}
	item.Price.Currency = currency
	return item
}

func (in *input) complained(field string) bool {
	return slices.ContainsFunc(in.wrong, func(f domain.FieldError) bool { return f.Field == field })
}

// lines is how many items the body has.
func (in *input) lines() int {
	v, _ := in.get("items", kindList)
	for i := range v.size {
		in.get(fmt.Sprintf("items[%d]", i), kindObject)
	}
	return v.size
}

// finish says what is wrong with the body and with the command made of it: Malformed for an unknown field or a value of the wrong type, else
// Invalid with all complaints, sorted as the form is.
func (in *input) finish(command domain.Command) error {
	unread := slices.DeleteFunc(slices.Sorted(maps.Keys(in.values)), func(name string) bool { return in.read[name] })
	if len(unread) > 0 {
		return domain.MalformedField(clip(unread[0]), "There is no field “%s” here.", clip(unread[0]))
	}
	if in.shape {
		return &domain.Error{Kind: domain.Malformed, Message: in.wrong[0].Message, Fields: in.wrong}
	}
	if e, ok := errors.AsType[*domain.Error](command.Check()); ok {
		if e.Kind != domain.Invalid {
			return e
		}
		for _, f := range e.Fields {
			in.complain(f.Field, "%s", f.Message)
		}
	}
	if len(in.wrong) == 0 {
		return nil
	}
	slices.SortStableFunc(in.wrong, func(a, b domain.FieldError) int { return compareFields(a.Field, b.Field) })
	return &domain.Error{Kind: domain.Invalid, Message: in.wrong[0].Message, Fields: in.wrong}
}

// compareFields orders paths as the forms show them.
func compareFields(a, b string) int {
	order := []string{"commandId", "expectedVersion", "seenVersion", "customerId", "currency", "reference", "items",
		"sku", "name", "quantity", "price", "reason"}
	rank := func(path string) (int, int, int) {
		if n, rest, ok := lineOf(path); ok {
			return slices.Index(order, "items"), n + 1, slices.Index(order, strings.TrimPrefix(rest, "."))
		}
		return slices.Index(order, path), 0, 0
	}
	a1, a2, a3 := rank(a)
	b1, b2, b3 := rank(b)
	return slices.Compare([]int{a1, a2, a3}, []int{b1, b2, b3})
}
