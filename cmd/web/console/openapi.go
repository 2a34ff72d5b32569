package console

import (
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"headway/cmd/web/console/wire"
	"headway/domain"
)

// openapiPath ends as a page's for programs does, and is none.
const openapiPath = "/openapi.json"

// openapi is GET /openapi.json: the list of routes for programs.
func (s *Server) openapi(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(s.document())
}

// schema is a JSON Schema, as far as one is needed here.
type schema map[string]any

// field is one of a body's.
type field struct {
	name     string
	of       schema
	required bool
}

const (
	required = true
	optional = false
)

func text(example string) schema {
	return schema{"type": "string", "examples": []string{example}}
}

func whole(example int) schema {
	return schema{"type": "integer", "examples": []int{example}}
}

// commandFields are those of every command on an order that exists.
func commandFields(kind domain.Command) []field {
	return []field{commandID(), {"expectedVersion", whole(1), domain.NeedsVersion(kind)}, {"seenVersion", whole(1), optional}}
}

func createFields() []field {
	items := schema{"type": "array", "minItems": 1, "items": objectOf(itemFields())}
	return []field{
		commandID(), {"customerId", text("Ada Lovelace"), required}, {"currency", text("EUR"), required},
		{"reference", text("PO-1042"), optional}, {"items", items, required},
	}
}

func commandID() field {
	return field{"commandId", schema{"type": "string", "format": "uuid", "description": "Sent again, it is answered as before."}, required}
}

// itemFields are those of one item; the price is a decimal in the order's currency.
func itemFields() []field {
	return []field{
		{"sku", text("LAMP-1"), required}, {"name", text("Desk lamp"), required}, {"quantity", whole(2), required},
		{"price", text("12.50"), required},
	}
}

func objectOf(fields []field) schema {
	properties, needs := schema{}, []string{}
	for _, f := range fields {
		properties[f.name] = f.of
		if f.required {
			needs = append(needs, f.name)
		}
	}
	return schema{"type": "object", "properties": properties, "required": needs, "additionalProperties": false}
}

var pathParams = regexp.MustCompile(`\{(\w+)(\.{3})?\}`)

// document is the list of routes as OpenAPI 3.1.
func document(list []route) []byte {
	named := schemas{}
	problem := schema{"description": "What is wrong, in a sentence", "content": schema{
		"application/problem+json": schema{"schema": named.of(reflect.TypeFor[wire.Problem]())},
	}}
	paths := map[string]schema{}
	for _, rt := range list {
		path := pathParams.ReplaceAllString(strings.TrimSuffix(rt.path, "{$}"), "{$1}")
		if paths[path] == nil {
			paths[path] = schema{}
		}
		paths[path][strings.ToLower(rt.method)] = rt.operation(named)
	}
	out, err := json.MarshalIndent(schema{
		"openapi": "3.1.0",
		"info": schema{"title": "Headway", "version": "1", "description": "Ask with “Accept: application/json”, or append .json to " +
			"the path of a page. Money is given in minor units and taken as a decimal; times are RFC 3339 in UTC; what is absent is null."},
		"paths": paths, "components": schema{"schemas": named, "responses": schema{"Problem": problem}},
	}, "", "  ")
	if err != nil {
		panic(err) // maps, lists and texts always encode
	}
	return out
}

func (rt route) operation(named schemas) schema {
	params := []schema{}
	for _, m := range pathParams.FindAllStringSubmatch(rt.path, -1) {
		params = append(params, schema{"name": m[1], "in": "path", "required": true, "schema": schema{"type": "string"}})
	}
	for _, p := range rt.query {
		of := schema{"type": "string"}
		if p.Many {
			of = schema{"type": "array", "items": of}
		}
		params = append(params, schema{"name": p.Name, "in": "query", "description": p.Does, "schema": of})
	}
	success := schema{"description": http.StatusText(rt.status)}
	if rt.gives != nil {
		success["content"] = schema{"application/json": schema{"schema": named.of(reflect.TypeOf(rt.gives))}}
	}
	op := schema{"summary": rt.does, "parameters": params, "responses": schema{
		strconv.Itoa(rt.status): success, "default": schema{"$ref": "#/components/responses/Problem"},
	}}
	if rt.body != nil {
		body := schema{"schema": objectOf(rt.body)}
		op["requestBody"] = schema{"required": true, "content": schema{"application/json": body, "application/x-www-form-urlencoded": body}}
	}
	return op
}

// schemas are those of the JSON's types, by the types' names.
type schemas map[string]schema

// of is the schema of a type as encoding/json writes it.
func (n schemas) of(t reflect.Type) schema {
	switch t {
	case reflect.TypeFor[json.RawMessage]():
		return schema{} // anything
	case reflect.TypeFor[time.Time]():
		return schema{"type": "string", "format": "date-time"}
	case reflect.TypeFor[domain.Status]():
		return schema{"type": "string", "enum": domain.Statuses()}
	case reflect.TypeFor[wire.Actions]():
		var fields []field
		for _, c := range domain.Commands() {
			fields = append(fields, field{domain.ActionName(c), n.of(reflect.TypeFor[wire.Action]()), required})
		}
		return objectOf(fields)
	}
	switch t.Kind() { //nolint:exhaustive // no others are on the wire; the test reads every answer by its schema
	case reflect.Pointer:
		return schema{"anyOf": []schema{n.of(t.Elem()), {"type": "null"}}}
	case reflect.Slice:
		return schema{"type": "array", "items": n.of(t.Elem())}
	case reflect.Map:
		return schema{"type": "object", "additionalProperties": n.of(t.Elem())}
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return schema{"type": "integer"}
	case reflect.Float64:
		return schema{"type": "number"}
	case reflect.Struct:
		if t.Name() == "" {
			return objectOf(n.fields(t))
		}
		if n[t.Name()] == nil {
			n[t.Name()] = schema{} // for those that it has in itself
			n[t.Name()] = objectOf(n.fields(t))
		}
		return schema{"$ref": "#/components/schemas/" + t.Name()}
	}
	return schema{"type": "string"}
}

func (n schemas) fields(t reflect.Type) []field {
	var all []field
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous: // a pointer, whose fields may be missing
			for _, inner := range n.fields(f.Type.Elem()) {
				inner.required = optional
				all = append(all, inner)
			}
		case name != "-":
			all = append(all, field{name, n.of(f.Type), !strings.Contains(options, "omitempty")})
		}
	}
	return all
}
