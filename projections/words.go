package projections

import (
	"iter"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"headway/domain"
)

// The bounds of search.
const (
	MaxWords      = 100  // words of one text or query; the rest is not searched
	MaxWordLength = 64   // characters of a word; the rest is cut off, in texts and queries alike
	MaxRowWords   = 2000 // words of the lines of one order; further ones are not found
	maxText       = 4096 // bytes of one text or query that are looked at
)

// Words cuts a text, or a query, into the words that search compares: runs of letters and digits, in any case and with or
// without accents the same ("Crème-Brûlée 12" is creme, brulee, 12), in their order, repeats included. A reference such as
// A-1001/7 is the words a, 1001 and 7. Both sides of a search go through here, and nothing else folds text.
func Words(s string) []string {
	var words []string
	for word := range eachWord(fold(s)) {
		if len(words) == MaxWords {
			break
		}
		words = append(words, cut(word))
	}
	return words
}

// eachWord goes over the runs of letters and digits of a folded text.
func eachWord(s string) iter.Seq[string] {
	if !isASCII(s) {
		return strings.FieldsFuncSeq(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
	}
	return func(yield func(string) bool) {
		for i := 0; i < len(s); i++ {
			from := i
			for i < len(s) && ('a' <= s[i] && s[i] <= 'z' || '0' <= s[i] && s[i] <= '9') {
				i++
			}
			if i > from && !yield(s[from:i]) {
				return
			}
		}
	}
}

// JoinedWords is a text as its words alone: what is the same in two texts that people would call the same reference.
func JoinedWords(s string) string { return strings.Join(Words(s), " ") }

// SearchText is what is searched of an order, one text: its reference, id and customer, and the words of its lines.
func (r OrderRow) SearchText() string {
	words := slices.Concat(Words(r.Reference), Words(string(r.ID)), Words(r.CustomerID), r.Words)
	return strings.Join(words, " ")
}

// addWords adds the words of lines to those of a row, sorted and without repeats. It never changes the memory of words.
func addWords(words []string, items ...domain.Item) []string {
	added := false
	for _, item := range items {
		for _, text := range []string{item.SKU, item.Name} {
			for _, word := range Words(text) {
				at, found := slices.BinarySearch(words, word)
				if found || len(words) >= MaxRowWords {
					continue
				}
				if !added {
					words, added = slices.Clone(words), true
				}
				words = slices.Insert(words, at, word)
			}
		}
	}
	return words
}

// fold makes a text comparable: compatibility forms decomposed, marks dropped, lower case, and the two small letters that have a capital
// in common with others (ß with ss, ς with σ) as those.
func fold(s string) string {
	s = s[:min(len(s), maxText)]
	if isASCII(s) {
		return strings.ToLower(s)
	}
	s = strings.ToValidUTF8(s, " ") // norm leaves what follows a broken byte as it is
	s = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.M, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(s))
	return strings.ReplaceAll(strings.ReplaceAll(s, "ß", "ss"), "ς", "σ")
}

func cut(word string) string {
	if len(word) <= MaxWordLength {
		return word
	}
	n := 0
	for i := range word {
		if n == MaxWordLength {
			return word[:i]
		}
		n++
	}
	return word
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
