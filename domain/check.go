package domain

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// fieldErrors collects everything that is wrong with a command, in the order of its fields.
type fieldErrors []FieldError

func (f *fieldErrors) add(field, format string, args ...any) {
	*f = append(*f, FieldError{field, fmt.Sprintf(format, args...)})
}

// text checks the length in characters, that the text is valid UTF-8 without control characters, and that it does not begin or
// end with a space, which nobody would see.
func (f *fieldErrors) text(field, name, s string, shortest, longest int) {
	switch n := utf8.RuneCountInString(s); {
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }):
		f.add(field, "%s must be plain text.", name)
	case n < shortest:
		f.add(field, "%s is required.", name)
	case n > longest:
		f.add(field, "%s can have at most %d characters, not %d.", name, longest, n)
	case strings.TrimSpace(s) != s:
		f.add(field, "%s must not begin or end with a space.", name)
	}
}

func (f *fieldErrors) item(at string, item Item, currency Currency) {
	f.text(at+"sku", "A SKU", item.SKU, 1, MaxSKULength)
	f.text(at+"name", "A name", item.Name, 1, MaxNameLength)
	if item.Quantity < MinQuantity || item.Quantity > MaxQuantity {
		f.add(at+"quantity", "The quantity must be from %d to %d.", MinQuantity, MaxQuantity)
	}
	switch {
	case item.Price.Minor < 0:
		f.add(at+"price", "The price cannot be negative.")
	case item.Price.Currency != currency:
		f.add(at+"price", "The price must be in %s, the order's currency.", currency)
	}
}

// total adds an item's total to sum, and complains beside the price if it does not fit.
func (f *fieldErrors) total(at string, sum *Money, item Item) {
	if item.Price.Currency != sum.Currency || item.Price.Minor < 0 || item.Quantity < 0 {
		return // said already
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
	return &Error{Kind: Invalid, Message: f[0].Message, Fields: f}
}
