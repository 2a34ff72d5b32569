package console

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"headway/cmd/web/console/consoletest"
	"headway/cmd/web/console/wire"
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
	r, _ := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+"/orders", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	c.s.Handler().ServeHTTP(w, r)
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
		"/events", "/customers", "/customers/Ada", "/products", "/products/LAMP", "/activity", "/projections", "/projections/order_list", "/nothing", "/healthz", "/orders.json"} {
		r := c.Get(path)
		for name, want := range map[string]string{
			"Content-Security-Policy":      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "no-referrer",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Cache-Control":                "no-store",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if bad := inline.FindString(r.Body); bad != "" && strings.Contains(r.Header.Get("Content-Type"), "html") {
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
		r := c.Send("POST", "/orders", "application/json", body, headers...)
		if p := consoletest.Decoded[consoletest.Problem](t, r); r.Status != 403 || p.Error.Kind != "forbidden" {
			t.Errorf("%s: %d %+v", name, r.Status, p.Error)
		}
	}
	c.Get("/", "Host", "evil.example").Wants(t, 403)
	c.Get("/", "Host", "localhost:8080").Wants(t, 200)
	c.Get("/", "Host", "[::1]:8080").Wants(t, 200)
	if n := c.events(); n != 0 {
		t.Errorf("%d events were stored", n)
	}
	c.Send("POST", "/orders", "application/json", body, "Origin", c.URL).Wants(t, 201)
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
		r := c.Get(test.path, "Accept", test.accept)
		if got := json.Valid([]byte(r.Body)); got != test.json {
			t.Errorf("%s, Accept %q: %s", test.path, test.accept, r.Header.Get("Content-Type"))
		}
	}
	c.Get("/customers/Ada%2Ejson").Wants(t, 404, "<nav") // the dot belongs to the name
}

// The answer to a form says where a GET shows that form; an address that takes only POST leads a person there, and tells a program.
func TestAnswersHaveAHome(t *testing.T) {
	c := openConsole(t)
	id := string(c.newOrder("R-1").OrderID)
	order := "/orders/" + id
	c.PostForm("/orders", "do", "add-line").Wants(t, 200, `data-home="/orders/new"`, `name="back" value="/orders/new"`)
	c.PostForm("/orders", "do", "create").Wants(t, 422, `data-home="/orders/new"`)
	c.PostForm(order+"/cancel", "commandId", uuid.NewString(), "expectedVersion", "1").Wants(t, 422, `data-home="`+order+`"`, `name="back" value="`+order+`"`)
	if r := c.Get(order); strings.Contains(r.Body, "data-home") {
		t.Error("a page that was read has another home than its address")
	}
	for _, command := range []string{"items", "confirm", "cancel"} {
		path := order + "/" + command
		if r := c.Get(path); r.Status != 303 || r.Header.Get("Location") != order {
			t.Errorf("GET %s: %d to %q", path, r.Status, r.Header.Get("Location"))
		}
		if r := c.GetJSON(path); r.Status != 405 || r.Header.Get("Allow") != "POST" {
			t.Errorf("GET %s as JSON: %d, allowed is %q", path, r.Status, r.Header.Get("Allow"))
		}
	}
	for _, path := range []string{"/orders/nothing/cancel", order + "/cancel/x", order + "/steal", "/theme"} {
		if r := c.Get(path); r.Status != 404 && r.Status != 405 {
			t.Errorf("GET %s: %d", path, r.Status)
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
		"/products":                   "next products total totalIsExact",
		"/products/LAMP":              "product",
		"/activity":                   "byType day events next who",
		"/projections":                "projections",
		"/projections/order_list":     "cursor heartbeatAt holds lag name progress rate reason state",
	} {
		r := c.GetJSON(path)
		r.Wants(t, 200)
		if got := keys(consoletest.Decoded[map[string]json.RawMessage](t, r)); got != want {
			t.Errorf("%s has %s, want %s", path, got, want)
		}
	}
	list := consoletest.Decoded[struct {
		Orders []map[string]json.RawMessage
		Stamp  map[string]json.RawMessage
	}](t, c.GetJSON("/orders"))
	if got, want := keys(list.Orders[0]), "cancelledAt confirmedAt createdAt customerId head id itemCount reference stamp status total version"; got != want {
		t.Errorf("a row has %s, want %s", got, want)
	}
	if string(list.Orders[0]["reference"]) != "null" || string(list.Stamp["version"]) != "null" {
		t.Errorf("absent values: reference %s, the list's version %s", list.Orders[0]["reference"], list.Stamp["version"])
	}
	empty := c.GetJSON("/events/correlation/x")
	empty.Wants(t, 200, `"events": []`, `"next": null`)
	overview := consoletest.Decoded[wire.Overview](t, c.GetJSON("/"))
	if len(overview.EventsPerMinute) != 60 || overview.Statuses[domain.Created] != 1 || overview.Today[0] != (domain.Money{Minor: 2500, Currency: "EUR"}) {
		t.Errorf("overview %+v", overview)
	}
	receipt := consoletest.Decoded[wire.Receipt](t, c.PostJSON("/orders/"+id+"/confirm", `{"commandId":"`+uuid.NewString()+`","expectedVersion":1}`))
	p := receipt.Projections[projections.OrderList]
	if receipt.Version != 2 || len(receipt.Events) != 1 || *p.Version != 1 || p.Current || p.MS != nil || receipt.Searchable {
		t.Errorf("a receipt before any projection moved: %+v", receipt)
	}
	c.project()
	seen := consoletest.Decoded[consoletest.OrderPage](t, c.GetJSON("/orders/"+id+"?at=2"))
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
	stamp := func() wire.Stamp { return consoletest.Decoded[wire.Orders](t, c.GetJSON("/orders")).Orders[0].Stamp }
	if s := stamp(); s.State != "current" || *s.Head != 1 {
		t.Errorf("after projecting: %+v", s)
	}
	c.PostJSON("/orders/"+id+"/confirm", `{"commandId":"`+uuid.NewString()+`","expectedVersion":1}`).Wants(t, 200)
	if s := stamp(); s.State != "behind" || s.Behind.Events != 1 || *s.Version != 1 || *s.Head != 2 {
		t.Errorf("before projecting: %+v", s)
	}
	page := consoletest.Decoded[consoletest.OrderPage](t, c.GetJSON("/orders/"+id))
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
	list := consoletest.Decoded[wire.Orders](t, c.GetJSON("/orders"))
	if len(list.Orders) != 1 || list.Stamp.State != "behind" {
		t.Errorf("%d orders, stamped %+v", len(list.Orders), list.Stamp)
	}
	customer := list.Orders[0].CustomerID
	c.newOrder("R-3")
	page := consoletest.Decoded[wire.CustomerPage](t, c.GetJSON("/customers/"+url.PathEscape(customer)))
	if page.Customer.TotalOrders != 2 || page.Customer.Stamp.State != "behind" {
		t.Errorf("%d orders, stamped %+v", page.Customer.TotalOrders, page.Customer.Stamp)
	}
}

// A row of a customer is numbered so that a page never goes back to an older one, nor misses the next.
func TestCustomerRowsHaveAnOrder(t *testing.T) {
	c := openConsole(t)
	if earlier, later := c.s.sequence.next(), c.s.sequence.next(); earlier >= later {
		t.Error("two readings at one moment look like one")
	}
	c.newOrder("R-1")
	c.project()
	written := c.s.sequence.next()
	row := regexp.MustCompile(`data-live="customer_order_summary"[^>]*data-version="(\d+)"`).FindStringSubmatch(c.Get("/customers").Body)
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
	add := func(version int) consoletest.Reply {
		return c.PostJSON("/orders/"+id+"/items", fmt.Sprintf(
			`{"commandId":%q,"expectedVersion":%d,"sku":"MUG","name":"Enamel mug","quantity":1,"price":"7.25"}`, uuid.NewString(), version))
	}
	add(1).Wants(t, 200)
	p := consoletest.Decoded[consoletest.Problem](t, add(1))
	if p.Status != 409 || p.Error.Kind != "conflict" || p.Seen != 1 || p.Head != 2 || len(p.Since) != 1 ||
		p.Since[0].EventType != domain.TypeOrderItemAdded || !p.Redecided.Allowed || p.Redecided.Reason != nil {
		t.Errorf("the conflict as JSON: %+v", p)
	}
	first := uuid.NewString()
	r := c.PostForm("/orders/"+id+"/cancel", "commandId", first, "expectedVersion", "1", "reason", "Typed <b>by</b> hand")
	r.Wants(t, 409, "Enamel mug", "Typed &lt;b&gt;by&lt;/b&gt; hand", "local")
	fields := consoletest.FormFields(t, r.Body, "/orders/"+id+"/cancel")
	if fields["expectedVersion"] != "2" || fields["seenVersion"] != "1" || fields["commandId"] == first {
		t.Fatalf("the form goes on with %v", fields)
	}
	// It moves again: the version first seen stays.
	add(2).Wants(t, 200)
	again := func(fields map[string]string) consoletest.Reply {
		return c.PostForm("/orders/"+id+"/cancel", "commandId", fields["commandId"], "expectedVersion", fields["expectedVersion"],
			"seenVersion", fields["seenVersion"], "reason", "Typed by hand")
	}
	r = again(fields)
	r.Wants(t, 409)
	fields = consoletest.FormFields(t, r.Body, "/orders/"+id+"/cancel")
	if fields["expectedVersion"] != "3" || fields["seenVersion"] != "1" {
		t.Fatalf("the form goes on with %v", fields)
	}
	r = again(fields)
	if r.Status != http.StatusSeeOther || r.Header.Get("Location") != fmt.Sprintf("/orders/%s?after=%s@4", id, id) {
		t.Fatalf("%d %s", r.Status, r.Header.Get("Location"))
	}
	page := consoletest.Decoded[consoletest.OrderPage](t, c.GetJSON("/orders/"+id))
	last := page.Events[len(page.Events)-1]
	if last.Version != 4 || last.Metadata.SeenVersion == nil || *last.Metadata.SeenVersion != 1 {
		t.Errorf("the version first seen is not stored: %+v", last.Metadata)
	}
	// A version that the order never had is no evidence.
	r = c.PostForm("/orders/"+id+"/cancel", "commandId", uuid.NewString(), "expectedVersion", "9", "reason", "Typed by hand")
	r.Wants(t, 409)
	if fields := consoletest.FormFields(t, r.Body, "/orders/"+id+"/cancel"); fields["expectedVersion"] != "4" || fields["seenVersion"] == "9" {
		t.Errorf("the form goes on with %v", fields)
	}
	// A refusal at the head is said beforehand.
	p = consoletest.Decoded[consoletest.Problem](t, add(1))
	if p.Redecided.Allowed || p.Redecided.Reason == nil {
		t.Errorf("what adding to a cancelled order would give: %+v", p.Redecided)
	}
	r = c.PostForm("/orders/"+id+"/confirm", "commandId", uuid.NewString(), "expectedVersion", "4")
	r.Wants(t, 422, "Only a created order can be confirmed")
}

// The read store being away takes lists away, and nothing else: order pages and commands work, and the lists say why.
func TestReadStoreAway(t *testing.T) {
	c := openConsole(t, func(o *Options) { o.Read = away{o.Read} })
	r := c.PostForm("/orders", "do", "create", "commandId", uuid.NewString(), "customerId", "Ada", "currency", "EUR",
		"items[0].sku", "A", "items[0].name", "B", "items[0].quantity", "1", "items[0].price", "1")
	if r.Status != http.StatusSeeOther {
		t.Fatalf("create: %d\n%s", r.Status, r.Body)
	}
	page, err := url.Parse(r.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	c.Get(page.String()).Wants(t, 200, "Stored at version 1")
	c.Get(page.Path).Wants(t, 200)
	c.PostJSON(page.Path+"/confirm", `{"commandId":"`+uuid.NewString()+`","expectedVersion":1}`).Wants(t, 200, `"current": false`)
	c.GetJSON(page.Path).Wants(t, 200, `"unknown"`)
	for _, path := range []string{"/", "/events", "/orders/new", "/projections", "/projections/order_list", page.Path + "/events", "/healthz"} {
		c.Get(path).Wants(t, 200)
	}
	c.Get("/projections").Wants(t, 200, "unreachable")
	for _, path := range []string{"/orders", "/customers", "/customers/Ada", "/products", "/products/LAMP", "/activity", "/readyz"} {
		r := c.Get(path)
		if r.Status != 503 || r.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d, Retry-After %q", path, r.Status, r.Header.Get("Retry-After"))
		}
		if path != "/readyz" && (!strings.Contains(r.Body, awaySentence) || !strings.Contains(r.Body, "<nav")) {
			t.Errorf("%s does not say why, or has no way on", path)
		}
	}
	if p := consoletest.Decoded[consoletest.Problem](t, c.GetJSON("/orders")); p.Error.Kind != "unavailable" {
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

func (away) Products(context.Context, projections.ProductQuery) (projections.ProductPage, error) {
	return projections.ProductPage{}, errAway()
}

func (away) Product(context.Context, string) (projections.ProductRow, error) {
	return projections.ProductRow{}, errAway()
}

func (away) Activity(context.Context, projections.ActivityQuery) (projections.ActivityPage, error) {
	return projections.ActivityPage{}, errAway()
}

func (away) Totals(context.Context, time.Time, time.Time) (projections.Totals, error) {
	return projections.Totals{}, errAway()
}

func (away) States(context.Context) (map[projections.Key]projections.State, error) {
	return nil, errAway()
}

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
	r := c.Send("POST", "/orders", "application/json", string(create), "X-Correlation-Id", `<script>alert(1)</script>`)
	r.Wants(t, 201)
	id := string(consoletest.Decoded[wire.Receipt](t, r).OrderID)
	watch(t, ws, "orders", "customers", "projections", "order:"+id)
	cancel, err := json.Marshal(map[string]any{"commandId": uuid.NewString(), "expectedVersion": 1, "reason": evil})
	if err != nil {
		t.Fatal(err)
	}
	c.PostJSON("/orders/"+id+"/cancel", string(cancel)).Wants(t, 200)
	c.project()
	paths := []string{"/", "/orders", "/orders?q=" + url.QueryEscape(evil), "/orders?customer=" + url.QueryEscape(evil), "/orders/new", "/orders/new?copy=" + id, "/orders/" + id,
		"/orders/" + id + "?at=1", "/orders/" + id + "?after=" + id + "@2", "/orders/" + id + "/events", "/orders/" + id + "/events/1",
		"/orders/" + id + "/events/2", "/events", "/events?q=" + url.QueryEscape(evil), "/events/correlation/" + url.PathEscape(`<script>alert(1)</script>`),
		"/customers", "/customers/" + url.PathEscape(evil), "/customers?q=" + url.QueryEscape(evil), "/projections",
		"/orders/" + url.PathEscape(evil), "/projections/" + url.PathEscape(evil), "/orders?status=" + url.QueryEscape(evil), "/orders?sort=" + url.QueryEscape(evil),
		"/orders?from=" + url.QueryEscape(evil), "/orders?" + url.QueryEscape(evil) + "=1"}
	for _, path := range paths {
		if body := c.Get(path).Body; strings.Contains(body, "<script>alert") || strings.Contains(body, "<img src=x") {
			t.Errorf("%s: markup in a field is markup on the page", path)
		}
	}
	conflict := c.PostForm("/orders/"+id+"/cancel", "commandId", uuid.NewString(), "expectedVersion", "1", "reason", evil)
	conflict.Wants(t, 409)
	if strings.Contains(conflict.Body, "<script>alert") {
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
	Actions                    map[string]domain.Action
}

func (c *console) dial() *websocket.Conn {
	c.T.Helper()
	ws, answer, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(c.URL, "http")+"/live", http.Header{"Origin": {c.URL}})
	if err != nil {
		c.T.Fatal(err)
	}
	answer.Body.Close()
	c.T.Cleanup(func() { ws.Close() })
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
	c.PostJSON("/orders/"+id+"/confirm", `{"commandId":"`+uuid.NewString()+`","expectedVersion":1}`).Wants(t, 200)
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
			if f.Actions == nil || f.Actions["confirm"].Allowed || f.Actions["confirm"].Reason == "" || strings.Contains(f.HTML, "<form") {
				t.Errorf("the order: %+v %s", f.Actions, f.HTML)
			}
		}
		delete(waiting, f.Projection)
		return len(waiting) == 0
	})
}

// The order page needs no projection: a second window follows it while the read store is away.
func TestSecondWindowWithoutReadStore(t *testing.T) {
	c := openConsole(t, func(o *Options) { o.Read = away{o.Read} })
	id := string(c.newOrder("R-1").OrderID)
	ws := c.dial()
	watch(t, ws, "order:"+id)
	c.PostJSON("/orders/"+id+"/confirm", `{"commandId":"`+uuid.NewString()+`","expectedVersion":1}`).Wants(t, 200)
	c.s.publisher.flush(t.Context())
	readFrames(t, ws, func(f frameJSON) bool {
		return f.Projection == "order" && f.Version == 2 && strings.Contains(f.HTML, "confirmed")
	})
}

// The sums of a customer lack what a held order keeps back, so they are not called current.
func TestCustomerOfAHeldOrder(t *testing.T) {
	c := openConsole(t)
	id := c.newOrder("R-1").OrderID
	c.project()
	lease, err := c.options.Read.Lease(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.options.Read.Write(t.Context(), projections.Batch{
		Key: projections.KeyOf(projections.CustomerOrderSummary), Epoch: lease.Epoch, Holds: []projections.Hold{
			{Key: projections.KeyOf(projections.CustomerOrderSummary), OrderID: id, Version: 2, Reason: "Unknown event type.", Since: time.Now()},
		},
	}); err != nil {
		t.Fatal(err)
	}
	list := consoletest.Decoded[wire.Customers](t, c.GetJSON("/customers"))
	if len(list.Customers) != 1 || list.Customers[0].Stamp.State != "held" {
		t.Fatalf("in the list: %+v", list.Customers)
	}
	page := c.Get("/customers/" + url.PathEscape(list.Customers[0].ID))
	page.Wants(t, 200, "held: order "+string(id)+" at version 2")
}

// A receipt says how long it waits for a projection, and why if that is more than a moment.
func TestReceiptSaysWhyItWaits(t *testing.T) {
	c := openConsole(t)
	id := string(c.newOrder("R-1").OrderID)
	c.project()
	c.PostJSON("/orders/"+id+"/confirm", `{"commandId":"`+uuid.NewString()+`","expectedVersion":1}`).Wants(t, 200)
	lease, err := c.options.Read.Lease(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.options.Read.Write(t.Context(), projections.Batch{
		Key: projections.KeyOf(projections.OrderList), Epoch: lease.Epoch, Holds: []projections.Hold{
			{Key: projections.KeyOf(projections.OrderList), OrderID: domain.OrderID(id), Version: 2, Reason: "Unknown event type.", Since: time.Now()},
		},
	}); err != nil {
		t.Fatal(err)
	}
	page := c.Get("/orders/" + id + "?after=" + id + "@2")
	for projection, why := range map[string]string{"order_list": ", held at version 2: Unknown event type", "customer_order_summary": ""} {
		want := regexp.MustCompile(`data-tick="` + projection + `" data-state="waiting" data-since-ms="\d+"[^>]*>[^<]*<span data-tick-words aria-live="off">waiting for [\d.]+ m?s` + why + `</span>`)
		if !want.MatchString(page.Body) {
			t.Errorf("the receipt of %s does not say %s", projection, want)
		}
	}
}

// A hold changes no version, so pages that show the order are asked to read themselves again.
func TestHoldReachesPages(t *testing.T) {
	c := openConsole(t)
	ws := c.dial()
	watch(t, ws, "orders")
	c.s.news.held(projections.Hold{Key: projections.KeyOf(projections.OrderList), OrderID: "5a054c39-661d-5b6b-9a7a-b0fe46e5bf18", Version: 2})
	readFrames(t, ws, func(f frameJSON) bool { return f.Type == "resync" })
}

// A colour or a demo person is chosen without a script, and leads back to this console and nowhere else.
func TestChoices(t *testing.T) {
	c := openConsole(t, func(o *Options) { o.Demo = true })
	r := c.PostForm("/theme", "theme", "dark", "back", "/orders?q=x")
	cookie := r.Header.Get("Set-Cookie")
	if r.Status != 303 || r.Header.Get("Location") != "/orders?q=x" || !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Strict") {
		t.Errorf("%d %v", r.Status, r.Header)
	}
	c.Get("/orders", "Cookie", "headway_theme=dark").Wants(t, 200, `data-theme="dark"`)
	c.PostForm("/theme", "theme", "red", "back", "/").Wants(t, 422, "not one of")
	for _, back := range []string{"https://evil.example/", "//evil.example/", `/\evil.example`, "orders", "javascript:alert(1)", ""} {
		if r := c.PostForm("/theme", "theme", "auto", "back", back); r.Header.Get("Location") != "/" {
			t.Errorf("back to %q leads to %q", back, r.Header.Get("Location"))
		}
	}
	c.PostForm("/demo/staff", "staff", "operator", "back", "/").Wants(t, 303)
	c.Get("/", "Cookie", "headway_staff=operator").Wants(t, 200, "operator", "banner-demo")
	r = c.Send("POST", "/orders", "application/json", `{"commandId":"`+uuid.NewString()+`","customerId":"Ada","currency":"EUR",`+
		`"items":[{"sku":"A","name":"B","quantity":1,"price":"1"}]}`, "X-Demo-Staff", "operator2")
	id := string(consoletest.Decoded[wire.Receipt](t, r).OrderID)
	if e := consoletest.Decoded[consoletest.OrderPage](t, c.GetJSON("/orders/"+id)).Events[0]; *e.Metadata.UserID != "operator2" {
		t.Errorf("the event names %q", *e.Metadata.UserID)
	}
	openConsole(t).PostForm("/demo/staff", "staff", "admin", "back", "/").Wants(t, 404)
}

// Ready means that both stores answer and every projection has a heartbeat.
func TestReady(t *testing.T) {
	c := openConsole(t)
	c.Get("/healthz").Wants(t, 200)
	c.Get("/readyz").Wants(t, 503, `"ready": false`, "stalled")
	c.project()
	c.Get("/readyz").Wants(t, 200, `"ready": true`)
}

// A correlation id is stored as it came, within its bound.
func TestCorrelation(t *testing.T) {
	c := openConsole(t)
	send := func(correlation string) consoletest.Reply {
		return c.Send("POST", "/orders", "application/json", `{"commandId":"`+uuid.NewString()+`","customerId":"Ada","currency":"EUR",`+
			`"items":[{"sku":"A","name":"B","quantity":1,"price":"1"}]}`, "X-Correlation-Id", correlation)
	}
	send("call-7").Wants(t, 201)
	send("call-7").Wants(t, 201)
	if events := consoletest.Decoded[wire.Events](t, c.GetJSON("/events/correlation/call-7")).Events; len(events) != 2 {
		t.Errorf("%d events, want 2", len(events))
	}
	send(strings.Repeat("x", maxCorrelationID+1)).Wants(t, 400, "X-Correlation-Id")
	send("two words").Wants(t, 400, "X-Correlation-Id")
}

// A long life is shown in part, and the rest is counted.
func TestLongOrder(t *testing.T) {
	c := openConsole(t)
	id := c.newOrder("R-1").OrderID
	for version := 1; version <= maxSince+4; version++ {
		_, err := (orders.Handler{Events: c.options.Events, Codec: c.options.Codec}).Execute(t.Context(), orders.Request{
			CommandID: domain.CommandID(uuid.NewString()), OrderID: id, Expect: version, Timestamp: time.Now(),
			Command: domain.AddItem{Item: domain.Item{SKU: "A", Name: "B", Quantity: 1, Price: domain.Money{Minor: 1, Currency: "EUR"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	p := consoletest.Decoded[consoletest.Problem](t, c.PostJSON("/orders/"+string(id)+"/confirm", `{"commandId":"`+uuid.NewString()+`","expectedVersion":1}`))
	if p.Head != maxSince+5 || len(p.Since) != maxSince || p.Since[0].Version != 6 {
		t.Errorf("head %d, %d events since, from version %d", p.Head, len(p.Since), p.Since[0].Version)
	}
	var versions []int
	for next, pages := "", 0; pages < 9; pages++ {
		page := consoletest.Decoded[wire.Events](t, c.GetJSON("/orders/"+string(id)+"/events?before="+next))
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
	if b := c.s.timeline.body(stream); len(b.Timeline) != maxTimeline || b.Earlier != 7 || b.Timeline[0].Version != maxTimeline+7 {
		t.Errorf("the timeline has %d events and %d earlier", len(b.Timeline), b.Earlier)
	}
}

// The projector never waits for sockets: what is too much to render is told as news without a body.
func TestBridgeIsBounded(t *testing.T) {
	c := openConsole(t)
	for i := range maxNewRows + 10 {
		c.s.news.arrived(projections.OrderList, []projections.Row{projections.OrderRow{ID: domain.OrderID(fmt.Sprint(i)), Version: 1}})
	}
	c.s.news.arrived(projections.OrderList, []projections.Row{projections.OrderRow{ID: "0", Version: 2}})
	if n := len(c.s.news.order); n != maxNewRows {
		t.Errorf("%d rows wait, want %d", n, maxNewRows)
	}
	if row := c.s.news.rows[rowKey{projections.OrderList, "0"}]; row.At() != 2 {
		t.Errorf("version %d waits, want the newest", row.At())
	}
	for i := range maxKnownHeads + 10 {
		c.s.news.moved(eventstore.Head{Stream: orders.StreamOf(domain.OrderID(fmt.Sprint(i))), Version: 1})
	}
	if n := len(c.s.news.heads); n > maxKnownHeads {
		t.Errorf("%d heads are remembered", n)
	}
}

// A program that asks has the hub expect no page, so that nothing is rendered for one; a person's page is expected.
func TestProgramsAreNoViewers(t *testing.T) {
	c := openConsole(t)
	made := c.newOrder("A-1")
	topic := "order:" + string(made.OrderID)
	c.GetJSON("/orders/" + string(made.OrderID))
	if c.s.hub.Watched(topic) {
		t.Error("after a program's requests a page is expected to watch")
	}
	c.Get("/orders/" + string(made.OrderID))
	if !c.s.hub.Watched(topic) {
		t.Error("after a person's request no page is expected to watch")
	}
}

// TestAFilterThatFindsNothingSaysWhy: a part of a customer's name, and dates of which none can be, are answered with more than an empty
// list; a program gets that list.
func TestAFilterThatFindsNothingSaysWhy(t *testing.T) {
	c := openConsole(t)
	for _, customer := range []string{"Two Tabs", "Two Cups", "One Pot"} {
		c.PostJSON("/orders", fmt.Sprintf(`{"commandId":%q,"customerId":%q,"currency":"EUR","items":[{"sku":"CUP","name":"Cup","quantity":1,"price":"1"}]}`,
			uuid.NewString(), customer)).Wants(t, 201)
	}
	c.project()
	page := c.Get("/orders?customer=two").Body
	for _, name := range []string{"Two Tabs", "Two Cups"} {
		if want := `href="/orders?customer=` + url.QueryEscape(name) + `">` + name + "</a>"; !strings.Contains(page, want) {
			t.Errorf("no %s in %s", want, page)
		}
	}
	if strings.Contains(page, "One+Pot") {
		t.Error("a customer is named who is called otherwise")
	}
	if page := c.Get("/orders?customer=Two+Tabs&status=cancelled").Body; strings.Contains(page, "class=\"alike\"") {
		t.Error("the name is whole, so the status is what leaves nothing")
	}
	for query, wrong := range map[string]bool{"from=2026-03-15&to=2026-03-14": true, "from=2026-03-14&to=2026-03-14": true, "from=2026-03-14&to=2026-03-15": false} {
		page := c.Get("/orders?" + query)
		if got := strings.Contains(page.Body, `id="filter-to-error"`); got != wrong || page.Status != 200 || strings.Contains(page.Body, "No order matches") == wrong {
			t.Errorf("%s: %d, beside the field %v, want %v", query, page.Status, got, wrong)
		}
		if answer := c.GetJSON("/orders?" + query); answer.Status != 200 || !strings.Contains(answer.Body, `"orders": []`) {
			t.Errorf("%s: a program got %d %s", query, answer.Status, answer.Body)
		}
	}
}

// TestAnEmptyResultOfALaggingListIsNoAnswer: what is stored and not yet projected may be what somebody looks for.
func TestAnEmptyResultOfALaggingListIsNoAnswer(t *testing.T) {
	c := openConsole(t)
	c.project()
	c.newOrder("LOCKREF")
	if page := c.Get("/orders?q=LOCKREF").Body; !strings.Contains(page, "<p>No order matches, but ") {
		t.Errorf("it says nothing of the event that is not applied:\n%s", page)
	}
	c.project()
	if page := c.Get("/orders?q=nothing").Body; !strings.Contains(page, "<p>No order matches.</p>") {
		t.Errorf("the list is current and says otherwise:\n%s", page)
	}
}
