package input

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"headway/domain"
	"headway/fault"
)

const (
	jsonType = "application/json"
	formType = "application/x-www-form-urlencoded"
	aCommand = "5f3c9d0e-6f0a-5a53-9c39-0b4f5a1c7e21"
)

// A body that is JSON is an order that the domain takes, and that is the same when it is written as JSON or as a form and read again; or it
// is refused with a bounded number of bounded sentences, each at the name of a field.
func FuzzJSON(f *testing.F) {
	item := `{"sku":"A","name":"Tea","quantity":1,"price":"12.50"}`
	create := func(rest string) string { return `{"commandId":"` + aCommand + `",` + rest + `}` }
	for _, seed := range []string{
		create(`"customerId":"Ada","currency":"EUR","reference":"R-7","items":[` + item + `,` + item + `]`),
		create(`"customerId":"Ada","currency":"JPY","items":[{"sku":"A","name":"B","quantity":2,"price":"1.5"}]`),
		create(`"customerId":7,"currency":null,"items":{}`), create(`"customerId":"Ada","items":["A"],"colour":true`),
		create(`"customerId":"Ada","currency":"EUR","items":[{"quantity":1e3,"price":-1}]`),
		`{"a":` + strings.Repeat(`[`, 50) + strings.Repeat(`]`, 50) + `}`, `{"a":1,"a":2}`, `{"a.b":1,"a":{"b":2}}`, `{"items[0]":1,"items":[2]}`,
		`{"":{"":""}}`, `{"":1}`, `[]`, `null`, ``, `{}{}`, `{"commandId":`, "{\"a\":\"\xff\"}", `{"a":"\ud800"}`, `7`, `"x"`,
		`{"` + strings.Repeat("n", 300) + `":[1,1,1]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) { readOrder(t, jsonType, string(data)) })
}

// A form is an order or is refused, as JSON is.
func FuzzForm(f *testing.F) {
	line := "&items[%d].sku=A&items[%d].name=Tea&items[%d].quantity=2&items[%d].price=12.50"
	for _, seed := range []string{
		"commandId=" + aCommand + "&customerId=Ada+%26+S%C3%B6hne&currency=eur&reference=R-7" + strings.ReplaceAll(line, "%d", "0"),
		"commandId=" + aCommand + "&customerId=Ada&currency=EUR" + strings.ReplaceAll(line, "%d", "7") + strings.ReplaceAll(line, "%d", "2000"),
		"commandId=" + aCommand + "&customerId=Ada&currency=EUR" + strings.ReplaceAll(line, "%d", "2001"),
		"items[0].sku=&items[0].quantity=1&items[1].sku=A", "items[00].sku=A&items[+1].sku=B&items[-1].sku=C&items[x].sku=D",
		"customerId=a&customerId=b", "customerId=%ff", "%ff=a", "%zz", "a;b", "do=create&colour=red", "items=x&items[0]=y", "items[0]=", "=", "",
		strings.Repeat("n", 300) + "=x&" + strings.Repeat("n", 300) + "=x",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) { readOrder(t, formType, string(data)) })
}

// readOrder reads a body as the page of a new order does.
func readOrder(t *testing.T, media, body string) {
	t.Helper()
	c, id, err := orderOf(media, body)
	if err != nil {
		bounded(t, err)
		return
	}
	if err := c.Check(); err != nil || id == "" {
		t.Fatalf("%q was read as %+v, which the domain refuses: %v", body, c, err)
	}
	for media, body := range map[string]string{jsonType: asJSON(t, c, id), formType: asForm(c, id)} {
		again, againID, err := orderOf(media, body)
		if err != nil || againID != id || !reflect.DeepEqual(again, c) {
			t.Fatalf("%+v is written %s and read as %+v, %v", c, body, again, err)
		}
	}
}

func orderOf(media, body string) (domain.CreateOrder, domain.CommandID, error) {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", media)
	in, err := Read(r)
	if err != nil {
		return domain.CreateOrder{}, "", err
	}
	in.AllowButton()
	in.DropBlankLines()
	id := in.CommandID()
	c := domain.CreateOrder{
		CustomerID: in.Text("customerId"), Currency: domain.Currency(strings.ToUpper(in.Text("currency"))), Reference: in.Text("reference"),
	}
	for i := range in.Lines() {
		c.Items = append(c.Items, in.Item(fmt.Sprintf("items[%d].", i), c.Currency))
	}
	return c, id, in.Finish(c)
}

func asJSON(t *testing.T, c domain.CreateOrder, id domain.CommandID) string {
	t.Helper()
	type line struct {
		SKU      string `json:"sku"`
		Name     string `json:"name"`
		Quantity int64  `json:"quantity"`
		Price    string `json:"price"`
	}
	var lines []line
	for _, i := range c.Items {
		lines = append(lines, line{i.SKU, i.Name, i.Quantity, i.Price.Decimal()})
	}
	text, err := json.Marshal(map[string]any{"commandId": id, "customerId": c.CustomerID, "currency": c.Currency, "reference": c.Reference, "items": lines})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func asForm(c domain.CreateOrder, id domain.CommandID) string {
	form := url.Values{"commandId": {string(id)}, "customerId": {c.CustomerID}, "currency": {string(c.Currency)}, "reference": {c.Reference}}
	for n, i := range c.Items {
		at := fmt.Sprintf("items[%d].", n)
		form.Set(at+"sku", i.SKU)
		form.Set(at+"name", i.Name)
		form.Set(at+"quantity", strconv.FormatInt(i.Quantity, 10))
		form.Set(at+"price", i.Price.Decimal())
	}
	return form.Encode()
}

// bounded is what holds for every refusal.
func bounded(t *testing.T, err error) {
	t.Helper()
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Kind != fault.Malformed && e.Kind != fault.Invalid && e.Kind != fault.TooLarge && e.Kind != fault.NotFound {
		t.Fatalf("refused with %#v", err)
	}
	if e.Kind == fault.Invalid && len(e.Fields) == 0 || len(e.Fields) > maxComplaints {
		t.Fatalf("%d complaints: %v", len(e.Fields), err)
	}
	for _, f := range append(slices.Clone(e.Fields), fault.FieldError{Message: e.Message}) {
		if f.Message == "" || len(f.Message) > 1000 || len(f.Field) > 1000 || !utf8.ValidString(f.Message) || !utf8.ValidString(f.Field) {
			t.Fatalf("the field %.100q says %.1100q", f.Field, f.Message)
		}
	}
}

// However long names are, a body costs no more memory than a few times its bytes: every value has its path, and a path has its parents'
// names.
func TestNamesAreBounded(t *testing.T) {
	long := strings.Repeat("n", 100_000)
	for media, body := range map[string]string{
		jsonType: `{"` + long + `":[` + strings.Repeat(`1,`, 1000) + `1]}`,
		formType: long + "=1&" + long + "=2",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := orderOf(media, body)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Fatalf("a name of %d bytes is taken", len(long))
		}
		bounded(t, err)
		if spent := (after.TotalAlloc - before.TotalAlloc) >> 20; spent > 10 {
			t.Errorf("a body of %d bytes took %d MiB", len(body), spent)
		}
	}
}

// A query is values that are the same when they are written and read again, or is refused as a body is.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"q=green+tea&status=created&status=confirmed&from=2026-01-31&to=2026-01-31T12:00:00%2B02:00&sort=-total&cursor=abc&limit=50",
		"q=%ff", "q=%20", "q=a&q=b", "colour=red", "status=lost", "from=yesterday", "from=0000-01-01&to=9999-12-31T23:59:59-23:59", "sort=--total", "limit=1e3",
		"limit=99999999999999999999", "after=" + aCommand + "@7", "after=@", "after=" + aCommand + "@-1", "a;b", "%zz", "", "=", "q=" + strings.Repeat("x", 501),
	} {
		f.Add(seed)
	}
	type read struct {
		text, cursor string
		from, to     time.Time
		statuses     []domain.Status
		sort         string
		limit, after int
	}
	of := func(raw string) (read, error) {
		q := ParseQuery(&http.Request{URL: &url.URL{RawQuery: raw}}, Param{Name: "q"}, Param{Name: "from"}, Param{Name: "to"}, Param{Name: "sort"},
			Param{Name: "cursor"}, Param{Name: "limit"}, Param{Name: "after"}, Param{Name: "status", Many: true})
		limit, _ := q.Number("limit")
		r := read{q.Get("q"), q.Get("cursor"), q.Time("from", time.UTC), q.Time("to", time.UTC), q.Statuses(), string(q.Sort("created", "total")),
			limit, q.After(aCommand)}
		return r, q.Err()
	}
	f.Fuzz(func(t *testing.T, raw string) {
		r, err := of(raw)
		if err != nil {
			bounded(t, err)
			return
		}
		values := url.Values{"q": {r.text}, "cursor": {r.cursor}, "sort": {r.sort}, "limit": {strconv.Itoa(r.limit)}}
		for _, s := range r.statuses {
			values.Add("status", string(s))
		}
		for name, at := range map[string]time.Time{"from": r.from, "to": r.to} {
			if year := at.Year(); year < 0 || year > 9999 { // by its zone; it cannot be written in UTC
				return
			}
			if !at.IsZero() {
				values.Set(name, at.Format(time.RFC3339Nano))
			}
		}
		if r.after > 0 {
			values.Set("after", fmt.Sprintf("%s@%d", aCommand, r.after))
		}
		if again, err := of(values.Encode()); err != nil || !reflect.DeepEqual(again, r) {
			t.Fatalf("%q is %+v, and written again %+v, %v", raw, r, again, err)
		}
	})
}

// An order's id is a UUID in the one spelling that is stored, or there is no such order.
func FuzzOrderID(f *testing.F) {
	for _, seed := range []string{aCommand, strings.ToUpper(aCommand), "urn:uuid:" + aCommand, "{" + aCommand + "}", strings.ReplaceAll(aCommand, "-", ""), "", "\xff", "../x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := ParseOrderID(text)
		if err != nil {
			bounded(t, err)
			return
		}
		if again, err := ParseOrderID(string(id)); err != nil || again != id || !strings.EqualFold(text, string(id)) {
			t.Fatalf("%q is %s, and that %s, %v", text, id, again, err)
		}
	})
}

// What a program accepts is a wish for JSON or for a page whatever the order in which it says so; a path that ends in .json is a wish for
// JSON, and the same path without that.
func FuzzAccept(f *testing.F) {
	for _, seed := range [][3]string{
		{"text/html,application/json;q=0.9", "", "/orders"}, {"application/json;q=NaN, text/html;q=Inf, */*;q=1e400", "", "/orders/a%2Ejson"},
		{"", "application/problem+json; charset=utf-8", "/index.json"}, {";,=,application/*;q=-1", ";", "/.json"}, {"text/*;q=\"0.3\"", "a/b", "/%2F.json"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, accept, media, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			return
		}
		wish := func(accept string) (json bool, rest string) {
			r := &http.Request{Method: http.MethodGet, URL: u, Header: http.Header{"Accept": {accept}, "Content-Type": {media}}}
			JSONSuffix(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { json, rest = WantsJSON(r), r.URL.EscapedPath() }), "/static/").ServeHTTP(nil, r)
			return json, rest
		}
		parts := strings.Split(accept, ",")
		slices.Reverse(parts)
		one, rest := wish(accept)
		if other, _ := wish(strings.Join(parts, ",")); one != other {
			t.Fatalf("%q is a wish for JSON: %t; said backwards: %t", accept, one, other)
		}
		suffixed := strings.HasSuffix(u.EscapedPath(), ".json") && !strings.HasPrefix(u.Path, "/static/")
		if suffixed && (!one || rest != "/" && rest+".json" != u.EscapedPath()) || !suffixed && rest != u.EscapedPath() {
			t.Fatalf("%q is routed as %q, JSON %t", path, rest, one)
		}
	})
}
