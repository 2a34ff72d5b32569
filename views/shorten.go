package views

import "unicode/utf8"

// The longest id that is shown whole, and what is kept of a longer one at each end.
const (
	shortEnough = 16
	shortHead   = 8
	shortTail   = 4
)

// ShortID shortens a long id in the middle: "0b8e1c52…9f3a". What is copied is always the whole id.
func ShortID(id string) string {
	n := utf8.RuneCountInString(id)
	if n <= shortEnough {
		return id
	}
	runes := []rune(id)
	return string(runes[:shortHead]) + "…" + string(runes[n-shortTail:])
}

// String is what people call the order: its reference, else its shortened id.
func (n OrderName) String() string {
	if n.Reference != "" {
		return n.Reference
	}
	return ShortID(string(n.ID))
}
