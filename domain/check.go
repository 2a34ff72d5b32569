package domain

import (
	"fmt"
	"headway/fault"
	"strings"
	"unicode"
	"unicode/utf8"
)

// fieldErrors collects everything that is wrong with a command, in the order of its fields, at most one sentence a field.
type fieldErrors []fault.FieldError

func (f *fieldErrors) add(field, format string, args ...any) {
	*f = append(*f, fault.FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
}

// line checks a text of one line, from shortest to longest characters.
func (f *fieldErrors) line(field, name, s string, shortest, longest int) {
	if strings.ContainsFunc(s, unicode.IsControl) {
		f.add(field, "%s must be one line of plain text.", name)
		return
	}
	f.text(field, name, s, shortest, longest)
}

// paragraph checks a text that is required and may have line breaks and tabs.
func (f *fieldErrors) paragraph(field, name, s string, longest int) {
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
		f.add(field, "%s must be plain text.", name)
		return
	}
	f.text(field, name, s, 1, longest)
}

// text wants no space at either end, because nobody would see it: people's input is trimmed before it becomes a command.
func (f *fieldErrors) text(field, name, s string, shortest, longest int) {
	switch n := utf8.RuneCountInString(s); {
	case !utf8.ValidString(s):
		f.add(field, "%s must be valid UTF-8.", name)
	case n < shortest:
		f.add(field, "%s is required.", name)
	case n > longest:
		f.add(field, "%s can have at most %d characters, not %s.", name, longest, fault.Number(n))
	case strings.TrimSpace(s) != s:
		f.add(field, "%s must not begin or end with a space.", name)
	case strings.ContainsFunc(s, turnsText):
		f.add(field, "%s must not turn the direction of text around.", name)
	case n > 0 && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }):
		f.add(field, "%s needs something that can be seen.", name)
	}
}

// turnsText finds the explicit marks of direction, with which one text can look like another (Unicode Standard Annex 9). Scripts that
// are written from right to left need none of them.
func turnsText(r rune) bool { return r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069 }

// item checks one line by itself; at is the prefix of its fields, such as "items[2].".
func (f *fieldErrors) item(at string, item Item) {
	f.line(at+"sku", "The SKU", item.SKU, 1, MaxSKULength)
	f.line(at+"name", "The name", item.Name, 1, MaxNameLength)
	if item.Quantity < MinQuantity || item.Quantity > MaxQuantity {
		f.add(at+"quantity", "The quantity must be from %d to %s.", MinQuantity, fault.Number(MaxQuantity))
	}
	if item.Price.Minor < 0 {
		f.add(at+"price", "The price cannot be negative.")
	}
}

// total adds an item to the sum of its order, and complains beside the price if it is in another currency or does not fit.
func (f *fieldErrors) total(at string, sum *Money, item Item) {
	if item.Price.Minor < 0 || item.Quantity < 0 {
		return // said already
	}
	if item.Price.Currency != sum.Currency {
		f.add(at+"price", "The price must be in %s, the order's currency.", sum.Currency)
		return
	}
	line, err := item.Total()
	if err == nil {
		line, err = sum.Plus(line)
	}
	if err != nil {
		f.add(at+"price", "The order's total would be too large.")
		return
	}
	*sum = line
}

func (f fieldErrors) err() error {
	if len(f) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Invalid, Message: f[0].Message, Fields: f}
}
