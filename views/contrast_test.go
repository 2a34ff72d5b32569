package views_test

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// tokens reads the colours of the style sheet: each with its light and its dark value.
func tokens(t *testing.T) (css string, light, dark map[string]string) {
	t.Helper()
	b, err := os.ReadFile("../static/app.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark = map[string]string{}, map[string]string{}
	for _, m := range regexp.MustCompile(`--([a-z-]+): light-dark\((#[0-9A-F]{6}), (#[0-9A-F]{6})\);`).FindAllStringSubmatch(string(b), -1) {
		light[m[1]], dark[m[1]] = m[2], m[3]
	}
	return string(b), light, dark
}

// luminance is the relative luminance of WCAG 2.2.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimPrefix(hex, "#"), 16, 32)
	if err != nil {
		t.Fatalf("%q is no colour", hex)
	}
	channel := func(c uint64) float64 {
		s := float64(c&0xff) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*channel(n>>16) + 0.7152*channel(n>>8) + 0.0722*channel(n)
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// TestColoursCanBeRead: text has at least 4.5:1 on every ground it stands on, and the edges of controls at least 3:1, light and dark.
func TestColoursCanBeRead(t *testing.T) {
	const text, edge = 4.5, 3
	css, light, dark := tokens(t)
	pairs := []struct {
		fore, back string
		least      float64
	}{
		{"on-accent", "accent", text}, {"on-bad", "bad", text}, {"accent", "tint", text}, {"text", "tint", text}, {"muted", "tint", text},
		{"control", "surface", edge}, {"control", "ground", edge},
	}
	for _, fore := range []string{"text", "muted", "accent", "good", "warn", "bad"} {
		for _, back := range []string{"surface", "ground"} {
			pairs = append(pairs, struct {
				fore, back string
				least      float64
			}{fore, back, text})
		}
	}
	for name, theme := range map[string]map[string]string{"light": light, "dark": dark} {
		for _, p := range pairs {
			if got := contrast(t, theme[p.fore], theme[p.back]); got < p.least {
				t.Errorf("%s: %s on %s has %.2f:1, not %.1f:1", name, p.fore, p.back, got, p.least)
			}
		}
	}
	// A colour that is not a token would escape this test.
	_, rules, _ := strings.Cut(css, "--sans")
	if stray := regexp.MustCompile(`#[0-9A-Fa-f]{3,8}\b[^{]*;`).FindAllString(strings.ReplaceAll(rules, "--ground: #FFFFFF;", ""), -1); len(stray) > 0 {
		t.Errorf("colours outside the tokens: %q", stray)
	}
}

// TestThemesAreDrawnAsDecided holds the figures of the design.
func TestThemesAreDrawnAsDecided(t *testing.T) {
	_, light, dark := tokens(t)
	for name, want := range map[string][2]string{
		"ground": {"#F6F7F9", "#0F1318"}, "surface": {"#FFFFFF", "#171C23"}, "text": {"#14181F", "#E6EAF0"}, "muted": {"#525C6B", "#9AA5B4"},
		"hairline": {"#DDE1E7", "#2B333E"}, "control": {"#7E8794", "#6B7685"}, "accent": {"#1D5BB8", "#7FB0FF"}, "good": {"#12703F", "#5FD193"},
		"warn": {"#8A5300", "#F0B65A"}, "bad": {"#A3262A", "#FF8F8A"},
	} {
		if got := [2]string{light[name], dark[name]}; got != want {
			t.Errorf("%s is %v, not %v", name, got, want)
		}
	}
}
