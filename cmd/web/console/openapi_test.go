package console

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"headway/cmd/web/console/consoletest"
	"headway/cmd/web/console/wire"
	"headway/operations"
)

// The document has each route that is served, with its path, its query and its body, and every reference in it leads somewhere.
func TestOpenAPIHasEveryRoute(t *testing.T) {
	c := openConsole(t, func(o *Options) { o.Demo = true })
	r := c.Get(openapiPath)
	r.Wants(t, 200)
	doc := consoletest.Decoded[map[string]any](t, r)
	if doc["openapi"] != "3.1.0" || r.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%v %v", doc["openapi"], r.Header)
	}
	paths := doc["paths"].(map[string]any)
	told := 0
	for _, p := range paths {
		told += len(p.(map[string]any))
	}
	mux := muxOf(c.s.list)
	for _, rt := range c.s.list {
		path := strings.NewReplacer("{$}", "", "...}", "}").Replace(rt.path)
		methods, _ := paths[path].(map[string]any)
		op, _ := methods[strings.ToLower(rt.method)].(map[string]any)
		if op == nil || op["summary"] == "" {
			t.Errorf("%s %s is not in the document", rt.method, rt.path)
			continue
		}
		if n, want := len(op["parameters"].([]any)), strings.Count(path, "{")+len(rt.query); n != want {
			t.Errorf("%s %s has %d parameters, want %d", rt.method, rt.path, n, want)
		}
		if (op["requestBody"] != nil) != (rt.method == http.MethodPost) {
			t.Errorf("%s %s: its body is %v", rt.method, rt.path, op["requestBody"])
		}
		asked, err := http.NewRequestWithContext(t.Context(), rt.method, strings.NewReplacer("{", "", "}", "").Replace(path), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if _, pattern := mux.Handler(asked); pattern != rt.method+" "+rt.path {
			t.Errorf("%s is served by %q", rt.path, pattern)
		}
	}
	if told != len(c.s.list) {
		t.Errorf("%d operations are told of %d routes", told, len(c.s.list))
	}
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok && referred(doc, ref) == nil {
				t.Errorf("%s refers to %s, which is not there", at, ref)
			}
			for name, inner := range v {
				walk(at+"/"+name, inner)
			}
		case []any:
			for i, inner := range v {
				walk(fmt.Sprint(at, "/", i), inner)
			}
		}
	}
	walk("", doc)
}

func referred(doc map[string]any, ref string) map[string]any {
	at := doc
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		at, _ = at[part].(map[string]any)
	}
	return at
}

// What is answered is what the document says: nothing is missing, nothing is more, and each value is of its type.
func TestAnswersAreAsTheDocumentSays(t *testing.T) {
	c := openConsole(t)
	doc := consoletest.Decoded[map[string]any](t, c.Get(openapiPath))
	made := c.newOrder("R-1")
	id := string(made.OrderID)
	c.project()
	c.s.record(httptest.NewRequest(http.MethodPost, "/", http.NoBody), operations.Start{Who: "ada", What: operations.Verify, On: "x"}, 1)
	recorded := consoletest.Decoded[wire.Operations](t, c.GetJSON("/audit")).Operations[0].ID
	answers := map[string]string{} // of routes
	for _, rt := range c.s.list {
		if rt.method != http.MethodGet || rt.gives == nil {
			continue
		}
		path := strings.NewReplacer("{$}", "", "/orders/{id}", "/orders/"+id, "/customers/{id}", "/customers/Ada", "{sku}", "LAMP",
			"correlation/{id}", "correlation/"+made.Events[0],
			"/audit/{id}", "/audit/"+recorded, "{version}", "1", "{name}", "order_list").Replace(rt.path)
		r := c.GetJSON(path)
		if r.Status != http.StatusOK && rt.path != "/readyz" {
			t.Errorf("%s: %d %s", path, r.Status, r.Body)
		}
		answers["get "+strings.TrimSuffix(rt.path, "{$}")] = r.Body
	}
	answers["get /orders/{id}"] = c.GetJSON("/orders/" + id + "?at=1").Body
	created := c.PostJSON("/orders", `{"commandId":"`+uuid.NewString()+`","customerId":"Ada","currency":"EUR",`+
		`"items":[{"sku":"A","name":"B","quantity":1,"price":"1"}]}`)
	created.Wants(t, http.StatusCreated)
	answers["post /orders"] = created.Body
	for route, body := range answers {
		method, path, _ := strings.Cut(route, " ")
		var answer any
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Fatal(err)
		}
		op := doc["paths"].(map[string]any)[path].(map[string]any)[method].(map[string]any)
		for status, response := range op["responses"].(map[string]any) {
			if status != "default" {
				content := response.(map[string]any)["content"].(map[string]any)["application/json"].(map[string]any)
				fits(t, doc, content["schema"].(map[string]any), route, answer)
			}
		}
	}
	c.PostJSON("/orders/"+id+"/confirm", `{"commandId":"`+uuid.NewString()+`","expectedVersion":1}`).Wants(t, 200)
	problem := referred(doc, "#/components/schemas/Problem")
	for _, r := range []consoletest.Reply{
		c.GetJSON("/orders?strange=1"), c.GetJSON("/nothing"),
		c.PostJSON("/orders/"+id+"/cancel", `{"commandId":"`+uuid.NewString()+`","expectedVersion":1,"reason":"x"}`),
	} {
		fits(t, doc, problem, fmt.Sprint(r.Status), consoletest.Decoded[any](t, r))
	}
}

// fits compares a value with its schema.
func fits(t *testing.T, doc, s map[string]any, at string, v any) {
	t.Helper()
	if ref, ok := s["$ref"].(string); ok {
		fits(t, doc, referred(doc, ref), at, v)
		return
	}
	if either, ok := s["anyOf"].([]any); ok {
		if v != nil {
			fits(t, doc, either[0].(map[string]any), at, v)
		}
		return
	}
	kind := map[string]bool{}
	switch v := v.(type) {
	case nil:
		kind["null"] = true
	case string:
		kind["string"] = true
		if all, ok := s["enum"].([]any); ok && !slices.Contains(all, any(v)) {
			t.Errorf("%s is %q, which is none of %v", at, v, all)
		}
	case bool:
		kind["boolean"] = true
	case float64:
		kind["number"], kind["integer"] = true, v == float64(int64(v))
	case []any:
		kind["array"] = true
		for i, inner := range v {
			if items, ok := s["items"].(map[string]any); ok {
				fits(t, doc, items, fmt.Sprint(at, "[", i, "]"), inner)
			}
		}
	case map[string]any:
		kind["object"] = true
		known, _ := s["properties"].(map[string]any)
		needs, _ := s["required"].([]any)
		for _, name := range needs {
			if _, there := v[name.(string)]; !there {
				t.Errorf("%s lacks %s", at, name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if of, ok := known[name].(map[string]any); ok {
				fits(t, doc, of, at+"."+name, v[name])
			} else if more, ok := s["additionalProperties"].(map[string]any); ok {
				fits(t, doc, more, at+"."+name, v[name])
			} else if s["type"] != nil {
				t.Errorf("%s has %s, of which the document does not know", at, name)
			}
		}
	}
	if want, ok := s["type"].(string); ok && !kind[want] {
		t.Errorf("%s is %v, want %s", at, v, want)
	}
}
