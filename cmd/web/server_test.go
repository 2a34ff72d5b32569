package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"headway/cmd/web/internal/wire"
	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/orders"
	"headway/projections"
)

// Every kind of error has its status, its name on the wire, and words that give nothing away.
func TestErrorTable(t *testing.T) {
	for kind, status := range map[fault.Kind]int{
		fault.Malformed: 400, fault.Invalid: 422, fault.Refused: 422, fault.NotFound: 404, fault.Conflict: 409, fault.TooLarge: 413,
		fault.Unavailable: 503, fault.Forbidden: 403, fault.Unauthenticated: 401, fault.Internal: 500,
	} {
		p := problemOf(&fault.Error{Kind: kind, Message: "A sentence.", Cause: fmt.Errorf("password=secret")})
		if p.status != status || p.kind != kind.String() {
			t.Errorf("%s: %d %s, want %d", kind, p.status, p.kind, status)
		}
		if strings.Contains(p.message, "secret") || (kind == fault.Internal) != (p.message == "Something went wrong.") {
			t.Errorf("%s says %q", kind, p.message)
		}
	}
	if p := problemOf(fmt.Errorf("a driver's words")); p.status != 500 || p.message != "Something went wrong." {
		t.Errorf("an error that is not ours: %+v", p)
	}
	if p := problemOf(context.DeadlineExceeded); p.status != 503 {
		t.Errorf("a deadline: %+v", p)
	}
}

// A panic is a 500 with the request's id, and the cause is in the log alone.
func TestPanic(t *testing.T) {
	c := openConsole(t)
	h := c.s.logged(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("the cause") }))
	w := &answerWriter{header: http.Header{}}
	r, _ := http.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept", "application/json")
	h.ServeHTTP(w, r)
	if w.status != 500 || strings.Contains(w.body.String(), "the cause") || !strings.Contains(w.body.String(), w.header.Get("X-Request-ID")) {
		t.Errorf("%d %s", w.status, w.body.String())
	}
	if !strings.Contains(c.log.String(), "the cause") {
		t.Error("the log does not say why")
	}
}

// Who closes their half of the connection may still read: what was not stored is never answered with a 2xx.
func TestCancelledRequestIsNoSuccess(t *testing.T) {
	c := openConsole(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := &answerWriter{header: http.Header{}}
	body := `{"commandId":"` + uuid.NewString() + `","customerId":"Ada","currency":"EUR","items":[{"sku":"A","name":"B","quantity":1,"price":"1"}]}`
	r, _ := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/orders", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	c.s.handler().ServeHTTP(w, r)
	if n := c.events(); n != 0 || w.status != 503 {
		t.Errorf("%d events were stored, and the answer was %d", n, w.status)
	}
}

type answerWriter struct {
	header http.Header
	status int
	body   strings.Builder
}

func (w *answerWriter) Header() http.Header         { return w.header }
func (w *answerWriter) WriteHeader(status int)      { w.status = status }
func (w *answerWriter) Write(p []byte) (int, error) { return w.body.Write(p) }

// Every answer carries the strict policy, and no page has script or style of its own.
func TestSecurityHeaders(t *testing.T) {
	c := openConsole(t)
	id := string(c.newOrder("R-1").OrderID)
	c.project()
	inline := regexp.MustCompile(`(?i)<script(?:[^>]*)>[^<]|<style|\sstyle=|\son[a-z]+=|javascript:`)
	for _, path := range []string{"/", "/orders", "/orders/new", "/orders/" + id, "/orders/" + id + "?at=1", "/orders/" + id + "/events", "/orders/" + id + "/events/1",
		"/events", "/customers", "/customers/Ada", "/projections", "/projections/order_list", "/nothing", "/healthz", "/orders.json"} {
		r := c.get(path)
		for name, want := range map[string]string{
			"Content-Security-Policy":      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "no-referrer",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Cache-Control":                "no-store",
		} {
			if got := r.header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if bad := inline.FindString(r.body); bad != "" && strings.Contains(r.header.Get("Content-Type"), "html") {
			t.Errorf("%s: inline script or style: %q", path, bad)
		}
	}
}

// What another site's page sends, and what comes under a name that is not this machine's, does nothing.
func TestOtherSites(t *testing.T) {
	c := openConsole(t)
	body := `{"commandId":"` + uuid.NewString() + `","customerId":"Ada","currency":"EUR","items":[{"sku":"A","name":"B","quantity":1,"price":"1"}]}`
	for name, headers := range map[string][]string{
		"another origin":       {"Origin", "http://evil.example"},
		"another port":         {"Origin", "http://127.0.0.1:1"},
		"a cross-site request": {"Sec-Fetch-Site", "cross-site"},
		"a rebound name":       {"Host", "evil.example"},
		"a look-alike name":    {"Host", "localhost.evil.example"},
	} {
		r := c.send("POST", "/orders", "application/json", body, headers...)
		if p := decoded[problemSeen](t, r); r.status != 403 || p.Error.Kind != "forbidden" {
			t.Errorf("%s: %d %+v", name, r.status, p.Error)
		}
	}
	c.get("/", "Host", "evil.example").wants(t, 403)
	c.get("/", "Host", "localhost:8080").wants(t, 200)
	c.get("/", "Host", "[::1]:8080").wants(t, 200)
	if n := c.events(); n != 0 {
		t.Errorf("%d events were stored", n)
	}
	c.send("POST", "/orders", "application/json", body, "Origin", c.url).wants(t, 201)
}

// One address serves people and programs.
func TestNegotiation(t *testing.T) {
	c := openConsole(t)
	id := string(c.newOrder("R-1").OrderID)
	c.project()
	for _, test := range []struct {
		path, accept string
		json         bool
	}{
		{"/orders", "", false},
		{"/orders", "*/*", false},
		{"/orders", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", false},
		{"/orders", "application/json", true},
		{"/orders", "text/html;q=0.5, application/json", true},
		{"/orders", "application/json;q=0.5, text/html", false},
		{"/orders.json", "text/html", true},
		{"/orders.json?status=created", "", true},
		{"/orders/" + id + ".json", "", true},
		{"/orders/" + id + "/events/1.json", "", true},
		{"/projections/order_list.json", "", true},
		{"/customers/Ada.json", "", true},
		{"/nothing.json", "", true},
	} {
		r := c.get(test.path, "Accept", test.accept)
		if got := json.Valid([]byte(r.body)); got != test.json {
			t.Errorf("%s, Accept %q: %s", test.path, test.accept, r.header.Get("Content-Type"))
		}
	}
	c.get("/customers/Ada%2Ejson").wants(t, 404, "<nav") // the dot belongs to the name
}

// The answer to a form says where a GET shows that form; an address that takes only POST leads a person there, and tells a program.
func TestAnswersHaveAHome(t *testing.T) {
	c := openConsole(t)
	id := string(c.newOrder("R-1").OrderID)
	order := "/orders/" + id
	c.postForm("/orders", "do", "add-line").wants(t, 200, `data-home="/orders/new"`, `name="back" value="/orders/new"`)
	c.postForm("/orders", "do", "create").wants(t, 422, `data-home="/orders/new"`)
	c.postForm(order+"/cancel", "commandId", uuid.NewString(), "expectedVersion", "1").wants(t, 422, `data-home="`+order+`"`, `name="back" value="`+order+`"`)
	if r := c.get(order); strings.Contains(r.body, "data-home") {
		t.Error("a page that was read has another home than its address")
	}
	for _, command := range []string{"items", "confirm", "cancel"} {
		path := order + "/" + command
		if r := c.get(path); r.status != 303 || r.header.Get("Location") != order {
			t.Errorf("GET %s: %d to %q", path, r.status, r.header.Get("Location"))
		}
		if r := c.getJSON(path); r.status != 405 || r.header.Get("Allow") != "POST" {
			t.Errorf("GET %s as JSON: %d, allowed is %q", path, r.status, r.header.Get("Allow"))
		}
	}
	for _, path := range []string{"/orders/nothing/cancel", order + "/cancel/x", order + "/steal", "/theme"} {
		if r := c.get(path); r.status != 404 && r.status != 405 {
			t.Errorf("GET %s: %d", path, r.status)
		}
	}
}

// The JSON has every field of the surface: null for what is absent, [] for an empty list.
func TestShapes(t *testing.T) {
	c := openConsole(t)
	order := c.newOrder("")
	id := string(order.OrderID)
	c.project()
	for path, want := range map[string]string{
		"/":                           "events eventsPerMinute projections statuses today",
		"/orders":                     "next orders stamp total totalIsExact",
		"/orders/" + id:               "actions events head order stamps version",
		"/orders/" + id + "?at=1":     "actions at changes events head order stamps version",
		"/orders/" + id + "/events":   "events next",
		"/orders/" + id + "/events/1": "stored upcast",
		"/events":                     "events next",
		"/events/correlation/x":       "events next",
		"/customers":                  "customers next total totalIsExact",
		"/customers/Ada":              "customer next orders",
		"/projections":                "projections",
		"/projections/order_list":     "cursor heartbeatAt holds lag name progress rate reason state",
	} {
		r := c.getJSON(path)
		r.wants(t, 200)
		if got := keys(decoded[map[string]json.RawMessage](t, r)); got != want {
			t.Errorf("%s has %s, want %s", path, got, want)
		}
	}
	list := decoded[struct {
		Orders []map[string]json.RawMessage
		Stamp  map[string]json.RawMessage
	}](t, c.getJSON("/orders"))
	if got, want := keys(list.Orders[0]), "cancelledAt confirmedAt createdAt customerId head id itemCount reference stamp status total version"; got != want {
		t.Errorf("a row has %s, want %s", got, want)
	}
	if string(list.Orders[0]["reference"]) != "null" || string(list.Stamp["version"]) != "null" {
		t.Errorf("absent values: reference %s, the list's version %s", list.Orders[0]["reference"], list.Stamp["version"])
	}
	empty := c.getJSON("/events/correlation/x")
	empty.wants(t, 200, `"events": []`, `"next": null`)
	overview := decoded[wire.Overview](t, c.getJSON("/"))
	if len(overview.EventsPerMinute) != 60 || overview.Statuses[domain.Created] != 1 || overview.Today[0] != (domain.Money{Minor: 2500, Currency: "EUR"}) {
		t.Errorf("overview %+v", overview)
	}
	receipt := decoded[wire.Receipt](t, c.postJSON("/orders/"+id+"/confirm", `{"commandId":"`+uuid.NewString()+`","expectedVersion":1}`))
	p := receipt.Projections[projections.OrderList]
	if receipt.Version != 2 || len(receipt.Events) != 1 || *p.Version != 1 || p.Current || p.MS != nil || receipt.Searchable {
		t.Errorf("a receipt before any projection moved: %+v", receipt)
	}
	c.project()
	seen := decoded[wire.OrderPage](t, c.getJSON("/orders/"+id+"?at=2"))
	if len(*seen.Changes) == 0 || (*seen.Changes)[0].Field != "status" || (*seen.Changes)[0].To != "confirmed" {
		t.Errorf("what version 2 changed: %+v", seen.Changes)
	}
}

func keys(m map[string]json.RawMessage) string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// A list says how far behind it is, row by row; the order's page is never behind.
func TestStamps(t *testing.T) {
	c := openConsole(t)
	id := string(c.newOrder("R-1").OrderID)
	c.project()
	stamp := func() wire.Stamp { return decoded[wire.Orders](t, c.getJSON("/orders")).Orders[0].Stamp }
	if s := stamp(); s.State != "current" || *s.Head != 1 {
		t.Errorf("after projecting: %+v", s)
	}
	c.postJSON("/orders/"+id+"/confirm", `{"commandId":"`+uuid.NewString()+`","expectedVersion":1}`).wants(t, 200)
	if s := stamp(); s.State != "behind" || s.Behind.Events != 1 || *s.Version != 1 || *s.Head != 2 {
		t.Errorf("before projecting: %+v", s)
	}
	page := decoded[wire.OrderPage](t, c.getJSON("/orders/"+id))
	if page.Version != 2 || page.Order.Status != domain.Confirmed || page.Stamps[projections.OrderList].State != "behind" {
		t.Errorf("the order's page: %+v", page)
	}
	c.project()
	if s := stamp(); s.State != "current" || *s.Version != 2 {
		t.Errorf("after projecting again: %+v", s)
	}
}

// arriving is a read store whose projections catch up just after each list was read.
type arriving struct {
	projections.Reader
	project func()
}

func (a arriving) Orders(ctx context.Context, q projections.OrderQuery) (projections.OrderPage, error) {
	defer a.project()
	return a.Reader.Orders(ctx, q)
}

func (a arriving) Customer(ctx context.Context, id string) (projections.CustomerRow, error) {
	defer a.project()
	return a.Reader.Customer(ctx, id)
}

// What arrives between the rows and the end of the page is not in the rows, so the stamp above them does not say current.
func TestStampIsNotNewerThanRows(t *testing.T) {
	c := openConsole(t)
	c.newOrder("R-1")
	c.project()
	c.s.read = arriving{c.s.read, c.project}
	c.newOrder("R-2")
	list := decoded[wire.Orders](t, c.getJSON("/orders"))
	if len(list.Orders) != 1 || list.Stamp.State != "behind" {
		t.Errorf("%d orders, stamped %+v", len(list.Orders), list.Stamp)
	}
	customer := list.Orders[0].CustomerID
	c.newOrder("R-3")
	page := decoded[wire.CustomerPage](t, c.getJSON("/customers/"+url.PathEscape(customer)))
	if page.Customer.TotalOrders != 2 || page.Customer.Stamp.State != "behind" {
		t.Errorf("%d orders, stamped %+v", page.Customer.TotalOrders, page.Customer.Stamp)
	}
}

// A row of a customer is numbered so that a page never goes back to an older one, nor misses the next.
func TestCustomerRowsHaveAnOrder(t *testing.T) {
	c := openConsole(t)
	if earlier, later := c.s.bridge.moment(), c.s.bridge.moment(); earlier >= later {
		t.Error("two readings at one moment look like one")
	}
	c.newOrder("R-1")
	c.project()
	written := c.s.bridge.moment()
	row := regexp.MustCompile(`data-live="customer_order_summary"[^>]*data-version="(\d+)"`).FindStringSubmatch(c.get("/customers").body)
	if len(row) != 2 {
		t.Fatal("the list has no row")
	}
	if version, _ := strconv.Atoi(row[1]); version < written {
		t.Errorf("the row read later has version %s, want at least %d: news from before it would replace it", row[1], written)
	}
}

// A command on an order that has moved is a conflict that shows what happened and what would happen now, and goes on with one press.
func TestConflict(t *testing.T) {
	c := openConsole(t)
	id := string(c.newOrder("R-1").OrderID)
	add := func(version int) reply {
		return c.postJSON("/orders/"+id+"/items", fmt.Sprintf(
			`{"commandId":%q,"expectedVersion":%d,"sku":"MUG","name":"Enamel mug","quantity":1,"price":"7.25"}`, uuid.NewString(), version))
	}
	add(1).wants(t, 200)
	p := decoded[problemSeen](t, add(1))
	if p.Status != 409 || p.Error.Kind != "conflict" || p.Seen != 1 || p.Head != 2 || len(p.Since) != 1 ||
		p.Since[0].EventType != domain.TypeOrderItemAdded || !p.Redecided.Allowed || p.Redecided.Reason != nil {
		t.Errorf("the conflict as JSON: %+v", p)
	}
	first := uuid.NewString()
	r := c.postForm("/orders/"+id+"/cancel", "commandId", first, "expectedVersion", "1", "reason", "Typed <b>by</b> hand")
	r.wants(t, 409, "Enamel mug", "Typed &lt;b&gt;by&lt;/b&gt; hand", "local")
	fields := formFields(t, r.body, "/orders/"+id+"/cancel")
	if fields["expectedVersion"] != "2" || fields["seenVersion"] != "1" || fields["commandId"] == first {
		t.Fatalf("the form goes on with %v", fields)
	}
	// It moves again: the version first seen stays.
	add(2).wants(t, 200)
	again := func(fields map[string]string) reply {
		return c.postForm("/orders/"+id+"/cancel", "commandId", fields["commandId"], "expectedVersion", fields["expectedVersion"],
			"seenVersion", fields["seenVersion"], "reason", "Typed by hand")
	}
	r = again(fields)
	r.wants(t, 409)
	fields = formFields(t, r.body, "/orders/"+id+"/cancel")
	if fields["expectedVersion"] != "3" || fields["seenVersion"] != "1" {
		t.Fatalf("the form goes on with %v", fields)
	}
	r = again(fields)
	if r.status != http.StatusSeeOther || r.header.Get("Location") != fmt.Sprintf("/orders/%s?after=%s@4", id, id) {
		t.Fatalf("%d %s", r.status, r.header.Get("Location"))
	}
	page := decoded[wire.OrderPage](t, c.getJSON("/orders/"+id))
	last := page.Events[len(page.Events)-1]
	if last.Version != 4 || last.Metadata.SeenVersion == nil || *last.Metadata.SeenVersion != 1 {
		t.Errorf("the version first seen is not stored: %+v", last.Metadata)
	}
	// A version that the order never had is no evidence.
	r = c.postForm("/orders/"+id+"/cancel", "commandId", uuid.NewString(), "expectedVersion", "9", "reason", "Typed by hand")
	r.wants(t, 409)
	if fields := formFields(t, r.body, "/orders/"+id+"/cancel"); fields["expectedVersion"] != "4" || fields["seenVersion"] == "9" {
		t.Errorf("the form goes on with %v", fields)
	}
	// A refusal at the head is said beforehand.
	p = decoded[problemSeen](t, add(1))
	if p.Redecided.Allowed || p.Redecided.Reason == nil {
		t.Errorf("what adding to a cancelled order would give: %+v", p.Redecided)
	}
	r = c.postForm("/orders/"+id+"/confirm", "commandId", uuid.NewString(), "expectedVersion", "4")
	r.wants(t, 422, "Only a created order can be confirmed")
}

// The read store being away takes lists away, and nothing else: order pages and commands work, and the lists say why.
func TestReadStoreAway(t *testing.T) {
	c := openConsole(t, func(app *App) { app.Read = away{app.Read} })
	r := c.postForm("/orders", "do", "create", "commandId", uuid.NewString(), "customerId", "Ada", "currency", "EUR",
		"items[0].sku", "A", "items[0].name", "B", "items[0].quantity", "1", "items[0].price", "1")
	if r.status != http.StatusSeeOther {
		t.Fatalf("create: %d\n%s", r.status, r.body)
	}
	page, err := url.Parse(r.header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	c.get(page.String()).wants(t, 200, "Stored at version 1")
	c.get(page.Path).wants(t, 200)
	c.postJSON(page.Path+"/confirm", `{"commandId":"`+uuid.NewString()+`","expectedVersion":1}`).wants(t, 200, `"current": false`)
	c.getJSON(page.Path).wants(t, 200, `"unknown"`)
	for _, path := range []string{"/", "/events", "/orders/new", "/projections", "/projections/order_list", page.Path + "/events", "/healthz"} {
		c.get(path).wants(t, 200)
	}
	c.get("/projections").wants(t, 200, "unreachable")
	for _, path := range []string{"/orders", "/customers", "/customers/Ada", "/readyz"} {
		r := c.get(path)
		if r.status != 503 || r.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d, Retry-After %q", path, r.status, r.header.Get("Retry-After"))
		}
		if path != "/readyz" && (!strings.Contains(r.body, awaySentence) || !strings.Contains(r.body, "<nav")) {
			t.Errorf("%s does not say why, or has no way on", path)
		}
	}
	if p := decoded[problemSeen](t, c.getJSON("/orders")); p.Error.Kind != "unavailable" {
		t.Errorf("as JSON: %+v", p)
	}
}

const awaySentence = "The read store cannot be reached."

// away is a read store of which nothing can be read.
type away struct{ projections.Store }

func errAway() error { return fault.Unreachable(io.ErrUnexpectedEOF, awaySentence) }

func (away) Orders(context.Context, projections.OrderQuery) (projections.OrderPage, error) {
	return projections.OrderPage{}, errAway()
}

func (away) OrderRows(context.Context, ...domain.OrderID) (map[domain.OrderID]projections.OrderRow, error) {
	return nil, errAway()
}

func (away) Customers(context.Context, projections.CustomerQuery) (projections.CustomerPage, error) {
	return projections.CustomerPage{}, errAway()
}

func (away) Customer(context.Context, string) (projections.CustomerRow, error) {
	return projections.CustomerRow{}, errAway()
}

func (away) Totals(context.Context, time.Time, time.Time) (projections.Totals, error) {
	return projections.Totals{}, errAway()
}

func (away) States(context.Context) (map[string]projections.State, error) { return nil, errAway() }

func (away) Holds(context.Context, string, ...domain.OrderID) ([]projections.Hold, error) {
	return nil, errAway()
}

func (away) Versions(context.Context, string, ...domain.OrderID) (map[domain.OrderID]int, error) {
	return nil, errAway()
}

// HTML and script text in every field is text on every page and in every frame.
func TestMarkupIsText(t *testing.T) {
	c := openConsole(t)
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>`
	create, err := json.Marshal(map[string]any{
		"commandId": uuid.NewString(), "customerId": evil, "currency": "EUR", "reference": evil,
		"items": []map[string]any{{"sku": evil, "name": evil, "quantity": 1, "price": "1"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ws := c.dial()
	watch(t, ws, "orders", "customers", "projections")
	r := c.send("POST", "/orders", "application/json", string(create), "X-Correlation-Id", `<script>alert(1)</script>`)
	r.wants(t, 201)
	id := string(decoded[wire.Receipt](t, r).OrderID)
	watch(t, ws, "orders", "customers", "projections", "order:"+id)
	cancel, err := json.Marshal(map[string]any{"commandId": uuid.NewString(), "expectedVersion": 1, "reason": evil})
	if err != nil {
		t.Fatal(err)
	}
	c.postJSON("/orders/"+id+"/cancel", string(cancel)).wants(t, 200)
	c.project()
	paths := []string{"/", "/orders", "/orders?q=" + url.QueryEscape(evil), "/orders?customer=" + url.QueryEscape(evil), "/orders/new", "/orders/new?copy=" + id, "/orders/" + id,
		"/orders/" + id + "?at=1", "/orders/" + id + "?after=" + id + "@2", "/orders/" + id + "/events", "/orders/" + id + "/events/1",
		"/orders/" + id + "/events/2", "/events", "/events?q=" + url.QueryEscape(evil), "/events/correlation/" + url.PathEscape(`<script>alert(1)</script>`),
		"/customers", "/customers/" + url.PathEscape(evil), "/customers?q=" + url.QueryEscape(evil), "/projections",
		"/orders/" + url.PathEscape(evil), "/projections/" + url.PathEscape(evil), "/orders?status=" + url.QueryEscape(evil), "/orders?sort=" + url.QueryEscape(evil),
		"/orders?from=" + url.QueryEscape(evil), "/orders?" + url.QueryEscape(evil) + "=1"}
	for _, path := range paths {
		if body := c.get(path).body; strings.Contains(body, "<script>alert") || strings.Contains(body, "<img src=x") {
			t.Errorf("%s: markup in a field is markup on the page", path)
		}
	}
	conflict := c.postForm("/orders/"+id+"/cancel", "commandId", uuid.NewString(), "expectedVersion", "1", "reason", evil)
	conflict.wants(t, 409)
	if strings.Contains(conflict.body, "<script>alert") {
		t.Error("the conflict page: markup in a field is markup on the page")
	}
	seen := map[string]bool{}
	readFrames(t, ws, func(f frameJSON) bool {
		if strings.Contains(f.HTML, "<script>alert") || strings.Contains(f.HTML, "<img src=x") {
			t.Errorf("a frame of %s: markup in a field is markup in the frame", f.Projection)
		}
		seen[f.Projection] = seen[f.Projection] || f.HTML != ""
		return seen["order_list"] && seen["order"] && seen["customer_order_summary"]
	})
}

type frameJSON struct {
	Type, Projection, ID, HTML string
	Version, Head              int64
	Actions                    *domain.Actions
}

func (c *console) dial() *websocket.Conn {
	c.t.Helper()
	ws, answer, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(c.url, "http")+"/live", http.Header{"Origin": {c.url}})
	if err != nil {
		c.t.Fatal(err)
	}
	answer.Body.Close()
	c.t.Cleanup(func() { ws.Close() })
	return ws
}

// watch subscribes, and returns when the hub has answered.
func watch(t *testing.T, ws *websocket.Conn, topics ...string) {
	t.Helper()
	if err := ws.WriteJSON(map[string]any{"watch": topics}); err != nil {
		t.Fatal(err)
	}
	readFrames(t, ws, func(f frameJSON) bool { return f.Type == "beat" })
}

// readFrames reads until done says so.
func readFrames(t *testing.T, ws *websocket.Conn, done func(frameJSON) bool) {
	t.Helper()
	_ = ws.SetReadDeadline(time.Now().Add(20 * time.Second))
	for {
		_, data, err := ws.ReadMessage()
		if err != nil {
			t.Fatalf("the socket ended before the frame that was waited for: %v", err)
		}
		var frames []frameJSON
		if data[0] == '{' {
			data = append(append([]byte{'['}, data...), ']')
		}
		if err := json.Unmarshal(data, &frames); err != nil {
			t.Fatalf("%v: %s", err, data)
		}
		finished := false
		for _, f := range frames {
			finished = done(f) || finished
		}
		if finished {
			return
		}
	}
}

// A second window is told of the head at once and of the rows as they arrive, each rendered whole.
func TestSecondWindow(t *testing.T) {
	c := openConsole(t)
	id := string(c.newOrder("R-1").OrderID)
	c.project()
	ws := c.dial()
	watch(t, ws, "orders", "order:"+id)
	c.postJSON("/orders/"+id+"/confirm", `{"commandId":"`+uuid.NewString()+`","expectedVersion":1}`).wants(t, 200)
	readFrames(t, ws, func(f frameJSON) bool { return f.Type == "head" && f.ID == id && f.Version == 2 })
	c.project()
	waiting := map[string]bool{"order_list": true, "order": true, "customer_order_summary": true}
	readFrames(t, ws, func(f frameJSON) bool {
		if f.Type != "row" || f.ID != id || f.Version != 2 {
			return false
		}
		switch f.Projection {
		case "order_list":
			if !strings.Contains(f.HTML, "confirmed") || !strings.HasPrefix(f.HTML, "<tr") || !strings.Contains(f.HTML, `data-version="2"`) {
				t.Errorf("the row: %s", f.HTML)
			}
		case "order":
			if f.Actions == nil || f.Actions.Confirm.Allowed || f.Actions.Confirm.Reason == "" || strings.Contains(f.HTML, "<form") {
				t.Errorf("the order: %+v %s", f.Actions, f.HTML)
			}
		}
		delete(waiting, f.Projection)
		return len(waiting) == 0
	})
}

// The order page needs no projection: a second window follows it while the read store is away.
func TestSecondWindowWithoutReadStore(t *testing.T) {
	c := openConsole(t, func(app *App) { app.Read = away{app.Read} })
	id := string(c.newOrder("R-1").OrderID)
	ws := c.dial()
	watch(t, ws, "order:"+id)
	c.postJSON("/orders/"+id+"/confirm", `{"commandId":"`+uuid.NewString()+`","expectedVersion":1}`).wants(t, 200)
	c.s.bridge.flush(t.Context())
	readFrames(t, ws, func(f frameJSON) bool {
		return f.Projection == "order" && f.Version == 2 && strings.Contains(f.HTML, "confirmed")
	})
}

// The sums of a customer lack what a held order keeps back, so they are not called current.
func TestCustomerOfAHeldOrder(t *testing.T) {
	c := openConsole(t)
	id := c.newOrder("R-1").OrderID
	c.project()
	lease, err := c.app.Read.Lease(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.app.Read.Write(t.Context(), projections.Batch{
		Projection: projections.CustomerOrderSummary, Epoch: lease.Epoch, Holds: []projections.Hold{
			{Projection: projections.CustomerOrderSummary, OrderID: id, Version: 2, Reason: "Unknown event type.", Since: time.Now()},
		},
	}); err != nil {
		t.Fatal(err)
	}
	list := decoded[wire.Customers](t, c.getJSON("/customers"))
	if len(list.Customers) != 1 || list.Customers[0].Stamp.State != "held" {
		t.Fatalf("in the list: %+v", list.Customers)
	}
	page := c.get("/customers/" + url.PathEscape(list.Customers[0].ID))
	page.wants(t, 200, "held: order "+string(id)+" at version 2")
}

// A receipt says how long it waits for a projection, and why if that is more than a moment.
func TestReceiptSaysWhyItWaits(t *testing.T) {
	c := openConsole(t)
	id := string(c.newOrder("R-1").OrderID)
	c.project()
	c.postJSON("/orders/"+id+"/confirm", `{"commandId":"`+uuid.NewString()+`","expectedVersion":1}`).wants(t, 200)
	lease, err := c.app.Read.Lease(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.app.Read.Write(t.Context(), projections.Batch{
		Projection: projections.OrderList, Epoch: lease.Epoch, Holds: []projections.Hold{
			{Projection: projections.OrderList, OrderID: domain.OrderID(id), Version: 2, Reason: "Unknown event type.", Since: time.Now()},
		},
	}); err != nil {
		t.Fatal(err)
	}
	page := c.get("/orders/" + id + "?after=" + id + "@2")
	for projection, why := range map[string]string{"order_list": ", held at version 2: Unknown event type", "customer_order_summary": ""} {
		want := regexp.MustCompile(`data-tick="` + projection + `" data-state="waiting" data-since-ms="\d+"[^>]*>[^<]*<span data-tick-words aria-live="off">waiting for [\d.]+ m?s` + why + `</span>`)
		if !want.MatchString(page.body) {
			t.Errorf("the receipt of %s does not say %s", projection, want)
		}
	}
}

// A hold changes no version, so pages that show the order are asked to read themselves again.
func TestHoldReachesPages(t *testing.T) {
	c := openConsole(t)
	ws := c.dial()
	watch(t, ws, "orders")
	c.s.bridge.held(projections.Hold{Projection: projections.OrderList, OrderID: "5a054c39-661d-5b6b-9a7a-b0fe46e5bf18", Version: 2})
	readFrames(t, ws, func(f frameJSON) bool { return f.Type == "resync" })
}

// The whole program: it says where it is, keeps a second server away, keeps its files to their owner, and stops when asked.
func TestRun(t *testing.T) {
	dir := t.TempDir() + "/data"
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out := &lockedBuffer{}
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"--addr", "127.0.0.1:0", "--data", dir}, nil, strings.NewReader(""), out, io.Discard)
	}()
	var address string
	for deadline := time.Now().Add(20 * time.Second); address == ""; {
		if m := regexp.MustCompile(`Headway is at (http://127\.0\.0\.1:\d+)\n`).FindStringSubmatch(out.String()); m != nil {
			address = m[1]
		} else if time.Now().After(deadline) {
			t.Fatalf("it never said where it is: %s", out.String())
		} else {
			time.Sleep(5 * time.Millisecond)
		}
	}
	answer, err := http.Get(address + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	ws, handshake, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(address, "http")+"/live", http.Header{"Origin": {address}})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	handshake.Body.Close()

	second := &lockedBuffer{}
	if code := run(t.Context(), []string{"--addr", "127.0.0.1:0", "--data", dir}, nil, nil, io.Discard, second); code != 1 ||
		!strings.Contains(second.String(), "Stop it first") {
		t.Errorf("a second server on the folder: %d %s", code, second.String())
	}
	checkPermissions(t, dir)

	stop()
	select {
	case code := <-ended:
		if code != 0 {
			t.Errorf("it ended with %d", code)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it did not stop within 10 s")
	}
	_ = ws.SetReadDeadline(time.Now().Add(5 * time.Second))
	for {
		if _, _, err = ws.ReadMessage(); err != nil {
			break
		}
	}
	if !websocket.IsCloseError(err, websocket.CloseServiceRestart) {
		t.Errorf("the socket was told %v, want 1012", err)
	}
}

// Settings that cannot be served are refused with a sentence, before anything is made.
func TestRefusedSettings(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		says string
		code int
	}{
		"an address others can reach":  {[]string{"--addr", "0.0.0.0:0"}, "sign-in", 1},
		"every address":                {[]string{"--addr", ":0"}, "sign-in", 1},
		"a name that is not loopback":  {[]string{"--addr", "example.com:80"}, "sign-in", 1},
		"an engine nobody knows":       {[]string{"--addr", "127.0.0.1:0", "--events", "postgres:X"}, "write sqlite:PATH or dynamodb:PREFIX", 1},
		"events in a search engine":    {[]string{"--addr", "127.0.0.1:0", "--events", "elasticsearch:http://x"}, "not an engine", 1},
		"rows in tables":               {[]string{"--addr", "127.0.0.1:0", "--read", "dynamodb:X"}, "write sqlite:PATH or elasticsearch:URL", 1},
		"an engine that is nowhere":    {[]string{"--addr", "127.0.0.1:0", "--read", "elasticsearch:"}, "does not say where", 1},
		"tables with a strange name":   {[]string{"--addr", "127.0.0.1:0", "--events", "dynamodb:a b"}, "prefix of the tables", 1},
		"an address that is none":      {[]string{"--addr", "127.0.0.1:0", "--read", "elasticsearch:localhost"}, "http://", 1},
		"an address asked too much":    {[]string{"--addr", "127.0.0.1:0", "--read", "elasticsearch:http://x?index=y"}, "“prefix”", 1},
		"tables of a file":             {[]string{"tables", "check"}, "dynamodb:PREFIX", 1},
		"a time zone nobody knows":     {[]string{"--timezone", "Moon/Base"}, "not a time zone", 2},
		"a flag nobody knows":          {[]string{"--colour", "red"}, "colour", 2},
		"a demo in another store":      {[]string{"--addr", "127.0.0.1:0", "--demo", "--events", "sqlite:x.db"}, "its own data", 1},
		"traffic that goes backwards":  {[]string{"--addr", "127.0.0.1:0", "--demo", "--demo-traffic=-1"}, "--demo-traffic", 1},
		"an address that is not there": {[]string{"--addr", "127.0.0.1:99999"}, "cannot be used", 1},
	} {
		t.Run(name, func(t *testing.T) {
			errs := &lockedBuffer{}
			code := run(t.Context(), append(test.args, "--data", t.TempDir()), nil, nil, io.Discard, errs)
			if code != test.code || !strings.Contains(errs.String(), test.says) {
				t.Errorf("%d %s", code, errs.String())
			}
		})
	}
	out := &lockedBuffer{}
	if code := run(t.Context(), []string{"version"}, []string{"HEADWAY_TIMEZONE=Europe/Berlin"}, nil, out, io.Discard); code != 0 || !strings.HasPrefix(out.String(), "headway ") {
		t.Errorf("version: %d %s", code, out.String())
	}
	if code := run(t.Context(), []string{"version"}, []string{"HEADWAY_TIMEZONE=Moon/Base"}, nil, io.Discard, io.Discard); code != 2 {
		t.Errorf("a bad variable: %d", code)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// checkPermissions wants a folder and files for their owner alone.
func checkPermissions(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A colour or a demo person is chosen without a script, and leads back to this console and nowhere else.
func TestChoices(t *testing.T) {
	c := openConsole(t, func(app *App) { app.Settings.Demo = true })
	r := c.postForm("/theme", "theme", "dark", "back", "/orders?q=x")
	cookie := r.header.Get("Set-Cookie")
	if r.status != 303 || r.header.Get("Location") != "/orders?q=x" || !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Strict") {
		t.Errorf("%d %v", r.status, r.header)
	}
	c.get("/orders", "Cookie", "headway_theme=dark").wants(t, 200, `data-theme="dark"`)
	c.postForm("/theme", "theme", "red", "back", "/").wants(t, 422, "not one of")
	for _, back := range []string{"https://evil.example/", "//evil.example/", `/\evil.example`, "orders", "javascript:alert(1)", ""} {
		if r := c.postForm("/theme", "theme", "auto", "back", back); r.header.Get("Location") != "/" {
			t.Errorf("back to %q leads to %q", back, r.header.Get("Location"))
		}
	}
	c.postForm("/demo/staff", "staff", "operator", "back", "/").wants(t, 303)
	c.get("/", "Cookie", "headway_staff=operator").wants(t, 200, "operator", "banner-demo")
	r = c.send("POST", "/orders", "application/json", `{"commandId":"`+uuid.NewString()+`","customerId":"Ada","currency":"EUR",`+
		`"items":[{"sku":"A","name":"B","quantity":1,"price":"1"}]}`, "X-Demo-Staff", "operator2")
	id := string(decoded[wire.Receipt](t, r).OrderID)
	if e := decoded[wire.OrderPage](t, c.getJSON("/orders/"+id)).Events[0]; *e.Metadata.UserID != "operator2" {
		t.Errorf("the event names %q", *e.Metadata.UserID)
	}
	openConsole(t).postForm("/demo/staff", "staff", "admin", "back", "/").wants(t, 404)
}

// Ready means that both stores answer and every projection has a heartbeat.
func TestReady(t *testing.T) {
	c := openConsole(t)
	c.get("/healthz").wants(t, 200)
	c.get("/readyz").wants(t, 503, `"ready": false`, "stalled")
	c.project()
	c.get("/readyz").wants(t, 200, `"ready": true`)
}

// A correlation id is stored as it came, within its bound.
func TestCorrelation(t *testing.T) {
	c := openConsole(t)
	send := func(correlation string) reply {
		return c.send("POST", "/orders", "application/json", `{"commandId":"`+uuid.NewString()+`","customerId":"Ada","currency":"EUR",`+
			`"items":[{"sku":"A","name":"B","quantity":1,"price":"1"}]}`, "X-Correlation-Id", correlation)
	}
	send("call-7").wants(t, 201)
	send("call-7").wants(t, 201)
	if events := decoded[wire.Events](t, c.getJSON("/events/correlation/call-7")).Events; len(events) != 2 {
		t.Errorf("%d events, want 2", len(events))
	}
	send(strings.Repeat("x", maxCorrelationID+1)).wants(t, 400, "X-Correlation-Id")
	send("two words").wants(t, 400, "X-Correlation-Id")
}

// A long life is shown in part, and the rest is counted.
func TestLongOrder(t *testing.T) {
	c := openConsole(t)
	id := c.newOrder("R-1").OrderID
	for version := 1; version <= maxSince+4; version++ {
		_, err := (orders.Handler{Events: c.app.Events, Codec: c.app.Codec}).Execute(t.Context(), orders.Request{
			CommandID: domain.CommandID(uuid.NewString()), OrderID: id, Expect: version, Timestamp: time.Now(),
			Command: domain.AddItem{Item: domain.Item{SKU: "A", Name: "B", Quantity: 1, Price: domain.Money{Minor: 1, Currency: "EUR"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	p := decoded[problemSeen](t, c.postJSON("/orders/"+string(id)+"/confirm", `{"commandId":"`+uuid.NewString()+`","expectedVersion":1}`))
	if p.Head != maxSince+5 || len(p.Since) != maxSince || p.Since[0].Version != 6 {
		t.Errorf("head %d, %d events since, from version %d", p.Head, len(p.Since), p.Since[0].Version)
	}
	var versions []int
	for next, pages := "", 0; pages < 9; pages++ {
		page := decoded[wire.Events](t, c.getJSON("/orders/"+string(id)+"/events?before="+next))
		for _, e := range page.Events {
			versions = append(versions, e.Version)
		}
		if page.Next == nil {
			break
		}
		next = *page.Next
	}
	if len(versions) != maxSince+5 || versions[0] != maxSince+5 || versions[len(versions)-1] != 1 {
		t.Errorf("the pages of the timeline hold %v", versions)
	}
	stream := orders.Stream{}
	for v := range maxTimeline + 7 {
		stream.Records = append(stream.Records, eventstore.Record{Stream: orders.StreamOf(id), Version: v + 1})
	}
	if b := c.s.body(stream); len(b.Timeline) != maxTimeline || b.Earlier != 7 || b.Timeline[0].Version != maxTimeline+7 {
		t.Errorf("the timeline has %d events and %d earlier", len(b.Timeline), b.Earlier)
	}
}

// The projector never waits for sockets: what is too much to render is told as news without a body.
func TestBridgeIsBounded(t *testing.T) {
	c := openConsole(t)
	for i := range maxNewRows + 10 {
		c.s.bridge.arrived(projections.OrderList, []projections.Row{projections.OrderRow{ID: domain.OrderID(fmt.Sprint(i)), Version: 1}})
	}
	c.s.bridge.arrived(projections.OrderList, []projections.Row{projections.OrderRow{ID: "0", Version: 2}})
	if n := len(c.s.bridge.order); n != maxNewRows {
		t.Errorf("%d rows wait, want %d", n, maxNewRows)
	}
	if row := c.s.bridge.rows[rowKey{projections.OrderList, "0"}]; row.At() != 2 {
		t.Errorf("version %d waits, want the newest", row.At())
	}
	for i := range maxKnownHeads + 10 {
		c.s.bridge.moved(eventstore.Head{Stream: orders.StreamOf(domain.OrderID(fmt.Sprint(i))), Version: 1})
	}
	if n := len(c.s.bridge.heads); n > maxKnownHeads {
		t.Errorf("%d heads are remembered", n)
	}
}

// A command that is under way when the server is asked to stop is stored and answered.
func TestStopFinishesRequests(t *testing.T) {
	c := openConsole(t)
	slow := slowStore{c.app.Events, make(chan struct{}), make(chan struct{})}
	c.app.Events = slow
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	c.app.Context = ctx
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.url = "http://" + listener.Addr().String()
	ended, answered := make(chan error, 1), make(chan reply, 1)
	go func() { ended <- serve(c.app, listener) }()
	go func() {
		answered <- c.postJSON("/orders", `{"commandId":"`+uuid.NewString()+`","customerId":"Ada","currency":"EUR",`+
			`"items":[{"sku":"A","name":"B","quantity":1,"price":"1"}]}`)
	}()
	<-slow.begun
	stop()
	close(slow.goOn)
	if r := <-answered; r.status != http.StatusCreated {
		t.Errorf("status %d\n%s", r.status, r.body)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if n := c.events(); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

// slowStore says when an append has begun, and waits until it may go on.
type slowStore struct {
	eventstore.Store
	begun, goOn chan struct{}
}

func (s slowStore) Append(
	ctx context.Context, id eventstore.StreamID, expect int, m eventstore.Metadata, events ...eventstore.NewEvent,
) ([]eventstore.Record, error) {
	close(s.begun)
	<-s.goOn
	return s.Store.Append(ctx, id, expect, m, events...)
}

// A program that asks has the hub expect no page, so that nothing is rendered for one; a person's page is expected.
func TestProgramsAreNoViewers(t *testing.T) {
	c := openConsole(t)
	made := c.newOrder("A-1")
	topic := "order:" + string(made.OrderID)
	c.getJSON("/orders/" + string(made.OrderID))
	if c.s.hub.Watched(topic) {
		t.Error("after a program's requests a page is expected to watch")
	}
	c.get("/orders/" + string(made.OrderID))
	if !c.s.hub.Watched(topic) {
		t.Error("after a person's request no page is expected to watch")
	}
}

// TestAFilterThatFindsNothingSaysWhy: a part of a customer's name, and dates of which none can be, are answered with more than an empty list; a
// program gets that list.
func TestAFilterThatFindsNothingSaysWhy(t *testing.T) {
	c := openConsole(t)
	for _, customer := range []string{"Two Tabs", "Two Cups", "One Pot"} {
		c.postJSON("/orders", fmt.Sprintf(`{"commandId":%q,"customerId":%q,"currency":"EUR","items":[{"sku":"CUP","name":"Cup","quantity":1,"price":"1"}]}`,
			uuid.NewString(), customer)).wants(t, 201)
	}
	c.project()
	page := c.get("/orders?customer=two").body
	for _, name := range []string{"Two Tabs", "Two Cups"} {
		if want := `href="/orders?customer=` + url.QueryEscape(name) + `">` + name + "</a>"; !strings.Contains(page, want) {
			t.Errorf("no %s in %s", want, page)
		}
	}
	if strings.Contains(page, "One+Pot") {
		t.Error("a customer is named who is called otherwise")
	}
	if page := c.get("/orders?customer=Two+Tabs&status=cancelled").body; strings.Contains(page, "class=\"alike\"") {
		t.Error("the name is whole, so the status is what leaves nothing")
	}
	for query, wrong := range map[string]bool{"from=2026-03-15&to=2026-03-14": true, "from=2026-03-14&to=2026-03-14": true, "from=2026-03-14&to=2026-03-15": false} {
		page := c.get("/orders?" + query)
		if got := strings.Contains(page.body, `id="filter-to-error"`); got != wrong || page.status != 200 || strings.Contains(page.body, "No order matches") == wrong {
			t.Errorf("%s: %d, beside the field %v, want %v", query, page.status, got, wrong)
		}
		if answer := c.getJSON("/orders?" + query); answer.status != 200 || !strings.Contains(answer.body, `"orders": []`) {
			t.Errorf("%s: a program got %d %s", query, answer.status, answer.body)
		}
	}
}

// TestAnEmptyResultOfALaggingListIsNoAnswer: what is stored and not yet projected may be what somebody looks for.
func TestAnEmptyResultOfALaggingListIsNoAnswer(t *testing.T) {
	c := openConsole(t)
	c.project()
	c.newOrder("LOCKREF")
	if page := c.get("/orders?q=LOCKREF").body; !strings.Contains(page, "<p>No order matches, but ") {
		t.Errorf("it says nothing of the event that is not applied:\n%s", page)
	}
	c.project()
	if page := c.get("/orders?q=nothing").body; !strings.Contains(page, "<p>No order matches.</p>") {
		t.Errorf("the list is current and says otherwise:\n%s", page)
	}
}
