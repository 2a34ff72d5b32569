package views_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/a-h/templ"
)

var update = flag.Bool("update", false, "write the golden files anew")

func render(t *testing.T, c templ.Component) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Render(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestPagesAreAsAgreed compares each page and state with its golden file, one element to a line.
func TestPagesAreAsAgreed(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range samples() {
		path := filepath.Join("testdata", s.name+".golden.html")
		seen[path] = true
		got := strings.ReplaceAll(render(t, s.page), "><", ">\n<") + "\n"
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s is not as agreed (go test ./views -update, then look at the difference): %s", s.name, firstDifference(got, string(want)))
		}
	}
	files, err := filepath.Glob("testdata/*.golden.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !seen[file] {
			t.Errorf("%s is of no page", file)
		}
	}
}

func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return "got " + a[i] + ", want " + b[i]
		}
	}
	return "one is longer"
}

// element is a start tag that was read back.
type element struct {
	name  string
	attrs map[string]string
}

// parse reads a page back and insists that every element is closed where it must be.
func parse(t *testing.T, name, page string) []element {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, append(slices.Clone(xml.HTMLAutoClose), "input", "link", "meta"), xml.HTMLEntity
	var all []element
	var open []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s cannot be parsed: %v", name, err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := element{token.Name.Local, map[string]string{}}
			for _, a := range token.Attr {
				if _, twice := e.attrs[a.Name.Local]; twice {
					t.Errorf("%s: %s has %s twice", name, e.name, a.Name.Local)
				}
				e.attrs[a.Name.Local] = a.Value
			}
			all, open = append(all, e), append(open, e.name)
		case xml.EndElement:
			if len(open) == 0 || open[len(open)-1] != token.Name.Local {
				t.Fatalf("%s: </%s> closes nothing", name, token.Name.Local)
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("%s leaves %v open", name, open)
	}
	return all
}

// TestPagesHoldTogether checks on every page what no golden file proves: ids are unique, what is referred to exists, there is one
// first heading and one main, fields have names, and nothing stands inline that the policy refuses.
func TestPagesHoldTogether(t *testing.T) {
	for _, s := range samples() {
		elements := parse(t, s.name, render(t, s.page))
		ids, count := map[string]bool{}, map[string]int{}
		for _, e := range elements {
			count[e.name]++
			if id, ok := e.attrs["id"]; ok {
				if ids[id] || id == "" {
					t.Errorf("%s: the id %q is empty or there twice", s.name, id)
				}
				ids[id] = true
			}
		}
		if count["main"] != 1 || count["h1"] != 1 || count["title"] < 1 {
			t.Errorf("%s has %d main and %d h1", s.name, count["main"], count["h1"])
		}
		primaries := 0
		for _, e := range elements {
			for _, refers := range []string{"for", "aria-describedby", "aria-labelledby", "list"} {
				for id := range strings.FieldsSeq(e.attrs[refers]) {
					if !ids[id] {
						t.Errorf("%s: %s of %s names %q, which is not there", s.name, refers, e.name, id)
					}
				}
			}
			if id, ok := strings.CutPrefix(e.attrs["href"], "#"); ok && !ids[id] {
				t.Errorf("%s: a link leads to #%s, which is not there", s.name, id)
			}
			for attr := range e.attrs {
				if attr == "style" || strings.HasPrefix(attr, "on") {
					t.Errorf("%s: %s has the inline attribute %s", s.name, e.name, attr)
				}
			}
			if e.name == "style" || e.name == "script" && e.attrs["src"] == "" {
				t.Errorf("%s: inline %s", s.name, e.name)
			}
			if e.name == "input" && e.attrs["type"] != "hidden" && e.attrs["id"] == "" && e.attrs["aria-label"] == "" {
				t.Errorf("%s: the input %q has no label", s.name, e.attrs["name"])
			}
			if slices.Contains(strings.Fields(e.attrs["class"]), "primary") {
				primaries++
			}
		}
		if primaries > 1 {
			t.Errorf("%s has %d primary buttons", s.name, primaries)
		}
	}
}
