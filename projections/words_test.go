package projections_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"headway/projections"
)

func TestWords(t *testing.T) {
	for _, c := range []struct {
		rule, text string
		want       []string
	}{
		{"nothing has no words", "", nil},
		{"signs alone have no words", `"*' AND( -`, []string{"and"}},
		{"a reference is its parts", "A-1001/7", []string{"a", "1001", "7"}},
		{"case does not count", "GREEN Tea", []string{"green", "tea"}},
		{"accents do not count", "Crème-Brûlée Ångström", []string{"creme", "brulee", "angstrom"}},
		{"composed and decomposed are the same", "e\u0301 \u00e9", []string{"e", "e"}},
		{"sharp s is ss, and a final sigma a sigma", "Straße ΟΔΟΣ οδος", []string{"strasse", "οδοσ", "οδοσ"}},
		{"compatibility forms are taken apart", "ﬁne №5 ｆｕｌｌ", []string{"fine", "no5", "full"}},
		{"order and repeats are kept", "b a b", []string{"b", "a", "b"}},
		{"a dotted capital I is an i", "İstanbul", []string{"istanbul"}},
		{"other scripts have words", "чай 緑茶", []string{"чаи", "緑茶"}},
		{"signs, emoji, NUL and broken bytes separate", "tea🍵pot\x00x\xffy", []string{"tea", "pot", "x", "y"}},
		{"what follows a broken byte is folded, too", "tea\xf3\u06c2", []string{"tea", "\u06c1"}},
	} {
		if got := projections.Words(c.text); !slices.Equal(got, c.want) {
			t.Errorf("%s: Words(%q) = %q, want %q", c.rule, c.text, got, c.want)
		}
	}
}

// Plain texts are cut without asking what Unicode says of each letter.
func TestPlainTextsAreCutAsAllOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[\x00-\x7f]{0,60}`).Draw(t, "text")
		if plain, other := projections.Words(s), projections.Words(s+" é"); !slices.Equal(append(plain, "e"), other) {
			t.Fatalf("Words(%q) = %q, but beside another word it is %q", s, plain, other)
		}
	})
}

func TestWordsAreBounded(t *testing.T) {
	if n := len(projections.Words(strings.Repeat("a ", 10_000))); n != projections.MaxWords {
		t.Errorf("a long text has %d words, want %d", n, projections.MaxWords)
	}
	long := projections.Words(strings.Repeat("é", 1000))
	if len(long) != 1 || utf8.RuneCountInString(long[0]) != projections.MaxWordLength {
		t.Errorf("a long word is %q", long)
	}
}

// What search relies on: the words of a text are words themselves, so the key of a key is that key, and nothing in it is syntax.
func TestWordsOfWordsAreTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "text")
		key := projections.JoinedWords(s)
		if again := projections.JoinedWords(key); again != key {
			t.Fatalf("JoinedWords(%q) = %q, but that of it is %q", s, key, again)
		}
		if strings.ContainsAny(key, `"*():^-`) || !utf8.ValidString(key) {
			t.Fatalf("JoinedWords(%q) = %q", s, key)
		}
	})
}
