package projections_test

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"headway/fault"
	"headway/projections"
)

// However a search is typed, it becomes a bounded number of bounded words of letters and digits, which are their own words, and any
// beginning of a word is found by the same rule.
func FuzzWords(f *testing.F) {
	for _, seed := range []string{
		"", "A-1001/7", `"*' AND( - NEAR:`, "Crème-Brûlée Ångström", "e\u0301 \u00e9", "Straße ΟΔΟΣ", "ﬁne №5 ｆｕｌｌ", "İstanbul", "чай 緑茶",
		"tea🍵pot\x00x\xffy", "\u0345", "ẞ ſ K", "\u3300", "\ufdfa", "Ǆ ᾳ", strings.Repeat("a ", 200), strings.Repeat("é", 200),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		words := projections.Words(text)
		if len(words) > projections.MaxWords {
			t.Fatalf("%q has %d words", text, len(words))
		}
		for _, word := range words {
			if word == "" || !utf8.ValidString(word) || utf8.RuneCountInString(word) > projections.MaxWordLength ||
				strings.ContainsFunc(word, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }) {
				t.Fatalf("%q has the word %q", text, word)
			}
		}
		if again := projections.Words(strings.Join(words, " ")); !slices.Equal(again, words) {
			t.Fatalf("%q has the words %q, and those %q", text, words, again)
		}
		if upper := strings.ToUpper(text); utf8.ValidString(text) && len(upper) == len(text) && len(text) < 64 && isASCII(text) &&
			!slices.Equal(projections.Words(upper), words) {
			t.Fatalf("%q has the words %q, in capitals %q", text, words, projections.Words(upper))
		}
	})
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

// A page cursor is a place that its own cursor says again, or Malformed with a sentence at its field; of another query it is always
// refused.
func FuzzPageCursor(f *testing.F) {
	f.Add(`["1","mark",7,"Ada","id"]`, "mark", true)
	f.Add(`["1","mark",-9223372036854775808,"\u0000","\ud800"]`, "mark", true)
	f.Add(`["1","mark",1e2,"Ada","id"]`, "mark", true)
	f.Add(`["1","mark",null,"Ada","id"]`, "mark", true)
	f.Add(`["0","mark",7,"Ada","id"]`, "mark", true)
	f.Add(`{}`, "", true)
	f.Add(projections.EncodeCursor("mark", int64(7), "Ada", "id"), "mark", false)
	f.Fuzz(func(t *testing.T, text, mark string, encoded bool) {
		cursor := text
		if encoded {
			cursor = base64.RawURLEncoding.EncodeToString([]byte(text))
		}
		var number, n int64
		var word, id, w, i string
		if err := projections.DecodeCursor(cursor, mark, &number, &word, &id); err != nil {
			e, ok := errors.AsType[*fault.Error](err)
			if !ok || e.Kind != fault.Malformed || len(e.Fields) != 1 || e.Fields[0].Field != "cursor" || e.Fields[0].Message == "" {
				t.Fatalf("refused with %#v", err)
			}
			return
		}
		if len(cursor) > projections.MaxCursor {
			t.Fatalf("a cursor of %d bytes is taken", len(cursor))
		}
		again := projections.EncodeCursor(mark, number, &word, id)
		if err := projections.DecodeCursor(again, mark, &n, &w, &i); len(again) <= projections.MaxCursor && (err != nil || n != number || w != word || i != id) {
			t.Fatalf("%q is %d, %q, %q; written again %d, %q, %q, %v", text, number, word, id, n, w, i, err)
		}
		if projections.DecodeCursor(cursor, mark+"x", &n, &w, &i) == nil {
			t.Fatalf("%q is taken for a place of another query", text)
		}
	})
}
