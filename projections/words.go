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
	MaxRowWords   = 2000 // words of the lines of one order, and as many of its notes; further ones are not found
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

// noteMark parts the words of an order's lines from those of its notes, each of which has its own bound, so that what a row keeps does not
// depend on what came first. It is no word, and engines keep and search a row's words as they are.
const noteMark = "|"

// byKind are the words of lines and those of notes.
func byKind(words []string) (lines, notes []string) {
	if at := slices.Index(words, noteMark); at >= 0 {
		return words[:at], words[at+1:]
	}
	return words, nil
}

// together is the reverse of byKind. It never changes the memory of lines.
func together(lines, notes []string) []string {
	if len(notes) == 0 {
		return lines
	}
	return slices.Concat(lines, []string{noteMark}, notes)
}

// SearchText is what is searched of an order, one text: its reference, id and customer, and the words of its lines and notes.
func (r OrderRow) SearchText() string {
	words := slices.Concat(Words(r.Reference), Words(string(r.ID)), Words(r.CustomerID), r.Words)
	return strings.Join(words, " ")
}

// addLineWords adds the words of lines to those of a row. It never changes the memory of words.
func addLineWords(words []string, items ...domain.Item) []string {
	lines, notes := byKind(words)
	var texts []string
	for _, item := range items {
		texts = append(texts, item.SKU, item.Name)
	}
	return together(addWords(lines, texts...), notes)
}

// addNoteWords adds the words of a note to those of a row. It never changes the memory of words.
func addNoteWords(words []string, text string) []string {
	lines, notes := byKind(words)
	return together(lines, addWords(notes, text))
}

// addWords adds the words of texts to others, sorted and without repeats. It never changes their memory.
func addWords(words []string, texts ...string) []string {
	added := false
	for _, text := range texts {
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
