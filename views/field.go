package views

import (
	"strings"

	"headway/domain"
)

// messageFor is the first sentence about a field; empty if there is none.
func messageFor(errors []domain.FieldError, field string) string {
	for _, e := range errors {
		if e.Field == field {
			return e.Message
		}
	}
	return ""
}

// fieldID is the id of a field's control: prefix-items-2-price for items[2].price.
func fieldID(prefix, field string) string {
	return prefix + "-" + strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			return r
		case r == ']':
			return -1
		}
		return '-'
	}, field), "-")
}
