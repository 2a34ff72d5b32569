package views

import (
	"fmt"
	"strconv"
	"strings"

	"headway/fault"
)

// messageFor is the first sentence about a field; empty if there is none.
func messageFor(errors []fault.FieldError, field string) string {
	for _, e := range errors {
		if e.Field == field {
			return e.Message
		}
	}
	return ""
}

// summaryOf is the message where its field is not in sight. It says which line it is of.
func summaryOf(e fault.FieldError) string {
	digits, _, _ := strings.Cut(strings.TrimPrefix(e.Field, "items["), "]")
	if n, err := strconv.Atoi(digits); err == nil {
		return fmt.Sprintf("Line %d: %s", n+1, e.Message)
	}
	return e.Message
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
