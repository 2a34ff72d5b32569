package console

import (
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"headway/cmd/web/console/consoletest"
	"headway/domain"
)

// The table has a line for each kind of command, and each line has words of its own and a field on pages for each of the body.
func TestCommandTableIsWhole(t *testing.T) {
	said := map[string]string{}
	for i, c := range commands() {
		kind := c.kind.Kind()
		if all := domain.Commands(); i >= len(all) || all[i].Kind() != kind || len(all) != len(commands()) {
			t.Fatalf("line %d of the table is %s; the domain has %v", i, kind, domain.Commands())
		}
		for what, words := range map[string]string{
			"path": c.path, "summary": c.does, "question": c.form.Ask, "button": c.form.Button, "refusal": c.form.Refused, "prefix": c.form.Prefix,
		} {
			if other, twice := said[what+words]; twice || words == "" {
				t.Errorf("the %s of %s is %q, and %s's, too", what, kind, words, other)
			}
			said[what+words] = kind
		}
		var typed, sent []string
		for _, f := range c.form.Fields {
			typed = append(typed, f.Name)
		}
		for _, f := range c.fields {
			sent = append(sent, f.name)
		}
		if !slices.Equal(typed, sent) || c.form.Again == "" {
			t.Errorf("%s: pages ask for %v, the body has %v; it is tried again by %q", kind, typed, sent, c.form.Again)
		}
	}
}

// example is a body of a command that is right, with its own fields as a program sends them.
func (c command) example(version int) map[string]any {
	body := map[string]any{"commandId": uuid.NewString()}
	if domain.NeedsVersion(c.kind) {
		body["expectedVersion"] = version
	}
	for _, f := range c.fields {
		switch all := f.of["examples"].(type) {
		case []string:
			body[f.name] = all[0]
		case []int:
			body[f.name] = all[0]
		}
	}
	return body
}

// shows is how a page has what was typed into the form's field.
func (c command) shows(field int, value any) string {
	name, text := c.fields[field].name, html.EscapeString(fmt.Sprint(value))
	if c.form.Fields[field].Lines {
		return ">" + text + "</textarea>"
	}
	return fmt.Sprintf(`name="%s" value="%s"`, name, text)
}

func encoded(t *testing.T, body map[string]any) string {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func pairs(body map[string]any) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(body)) {
		all = append(all, name, fmt.Sprint(body[name]))
	}
	return all
}

// Of each command in the table: what it says it takes is taken and nothing else is, its form comes back with what was typed and with no
// other command's words, a reload leads to its order, and JSON knows it by its name.
func TestEveryCommandOfTheTable(t *testing.T) {
	for _, c := range commands() {
		t.Run(c.kind.Kind(), func(t *testing.T) {
			console := openConsole(t)
			fresh := func() string { return "/orders/" + string(console.newOrder("").OrderID) }
			order := fresh()
			for _, f := range c.fields {
				body := c.example(1)
				delete(body, f.name)
				r := console.PostJSON(order+"/"+c.path, encoded(t, body))
				if p := consoletest.Decoded[consoletest.Problem](t, r); f.required && (r.Status != 422 || *p.Error.Field != f.name) {
					t.Errorf("without %s: %d %s", f.name, r.Status, r.Body)
				}
			}
			strange := c.example(1)
			strange["strange"] = "x"
			console.PostJSON(order+"/"+c.path, encoded(t, strange)).Wants(t, 400, "strange")

			if len(c.fields) > 0 { // its form, with a mistake
				body := c.example(1)
				for _, f := range c.fields {
					body[f.name] = strings.Repeat("ü", domain.MaxReasonLength+1) // nothing may be that long
				}
				r := console.PostForm(order+"/"+c.path, pairs(body)...)
				r.Wants(t, 422, c.form.Refused)
				for i, f := range c.fields {
					r.Wants(t, 422, c.shows(i, body[f.name]))
				}
				only(t, r.Body, c)
			}

			if got := console.GetJSON(order); !strings.Contains(got.Body, `"`+domain.ActionName(c.kind)+`": {`) {
				t.Errorf("the actions of JSON lack it: %s", got.Body)
			}
			if r := console.Get(order + "/" + c.path); r.Status != 303 || r.Header.Get("Location") != order {
				t.Errorf("a reload leads to %d %s", r.Status, r.Header.Get("Location"))
			}
			page := console.Get(order)
			page.Wants(t, 200, `action="`+order+"/"+c.path+`"`, `data-action="`+domain.ActionName(c.kind)+`"`, c.form.Button)
			if r := console.PostJSON(order+"/"+c.path, encoded(t, c.example(1))); r.Status != 200 {
				t.Errorf("its example: %d %s", r.Status, r.Body)
			}

			// The order has moved.
			again := c.example(1)
			r := console.PostForm(order+"/"+c.path, pairs(again)...)
			if domain.NeedsVersion(c.kind) {
				r.Wants(t, 409, c.form.Again, `action="`+order+"/"+c.path+`"`)
				for i, f := range c.fields {
					r.Wants(t, 409, c.shows(i, again[f.name]))
				}
				only(t, r.Body, c)
			} else if r.Status != 303 {
				t.Errorf("it needs no version: %d %s", r.Status, r.Body)
			}

			// A rule refuses it.
			console.PostJSON(order+"/cancel", `{"commandId":"`+uuid.NewString()+`","expectedVersion":2,"reason":"gone"}`)
			head := consoletest.Decoded[struct{ Head int }](t, console.GetJSON(order)).Head
			r = console.PostForm(order+"/"+c.path, pairs(c.example(head))...)
			if r.Status != 303 { // not every command is refused then
				r.Wants(t, 422, "Nothing was stored.", "cancelled")
				only(t, r.Body, c)
			}
		})
	}
}

// only is a test that a page does not say of another command that it was refused.
func only(t *testing.T, page string, c command) {
	t.Helper()
	for _, other := range commands() {
		if other.path != c.path && strings.Contains(page, other.form.Refused) {
			t.Errorf("the answer to %s says %q", c.kind.Kind(), other.form.Refused)
		}
	}
}
