package console

import (
	"fmt"
	"html"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"headway/cmd/web/console/consoletest"
	"headway/cmd/web/console/input"
	"headway/cmd/web/console/wire"
	"headway/domain"
)

// Each bad body is answered with its status and a sentence beside its field, and changes nothing.
func TestBadJSON(t *testing.T) {
	c := openConsole(t)
	id := uuid.NewString()
	create := func(rest string) string { return `{"commandId":"` + id + `",` + rest + `}` }
	item := func(fields string) string {
		return create(`"customerId":"Ada","currency":"EUR","items":[{` + fields + `}]`)
	}
	many := strings.TrimSuffix(strings.Repeat(`{"sku":"A","name":"B","quantity":1,"price":"1"},`, domain.MaxCommandItems+1), ",")
	for name, test := range map[string]struct {
		body, field, says string
		status            int
	}{
		"an empty body":                   {``, "", "empty", 400},
		"a body of white space":           {" \n", "", "empty", 400},
		"half a body":                     {`{"commandId":`, "", "not valid JSON", 400},
		"a list for an object":            {`[]`, "", "must be a JSON object", 400},
		"null for an object":              {`null`, "", "must be a JSON object, not null", 400},
		"two objects":                     {`{}{}`, "", "more after", 400},
		"a field twice":                   {`{"commandId":"a","commandId":"b"}`, "commandId", "twice", 400},
		"an unknown field":                {create(`"customerId":"Ada","currency":"EUR","colour":"red","items":[]`), "colour", "no field", 400},
		"an unknown field of an item":     {item(`"sku":"A","name":"B","quantity":1,"price":"1","colour":"red"`), "items[0].colour", "no field", 400},
		"nesting without end":             {`{"a":` + strings.Repeat(`[`, 50) + strings.Repeat(`]`, 50) + `}`, "a[0][0][0][0][0][0][0]", "deeper", 400},
		"a number for a text":             {create(`"customerId":7,"currency":"EUR","items":[]`), "customerId", "must be a text", 400},
		"a text for a number":             {item(`"sku":"A","name":"B","quantity":"1","price":"1"`), "items[0].quantity", "must be a number", 400},
		"a number for a price":            {item(`"sku":"A","name":"B","quantity":1,"price":1.5`), "items[0].price", "must be a text", 400},
		"an object for a list":            {create(`"customerId":"Ada","currency":"EUR","items":{}`), "items", "must be a list", 400},
		"a text for an item":              {create(`"customerId":"Ada","currency":"EUR","items":["A"]`), "items[0]", "must be an object", 400},
		"true for a text":                 {create(`"customerId":true,"currency":"EUR","items":[]`), "customerId", "must be a text", 400},
		"no command id":                   {`{"customerId":"Ada","currency":"EUR","items":[{"sku":"A","name":"B","quantity":1,"price":"1"}]}`, "commandId", "required", 422},
		"a command id that is no UUID":    {`{"commandId":"7","customerId":"Ada","currency":"EUR","items":[{"sku":"A","name":"B","quantity":1,"price":"1"}]}`, "commandId", "UUID", 422},
		"too many digits":                 {item(`"sku":"A","name":"B","quantity":1,"price":"1.234"`), "items[0].price", "at most 2 digits", 422},
		"digits that a yen has not":       {create(`"customerId":"Ada","currency":"JPY","items":[{"sku":"A","name":"B","quantity":1,"price":"1.5"}]`), "items[0].price", "no digits after the dot", 422},
		"a negative price":                {item(`"sku":"A","name":"B","quantity":1,"price":"-1"`), "items[0].price", "negative", 422},
		"a huge price":                    {item(`"sku":"A","name":"B","quantity":1,"price":"99999999999999999999"`), "items[0].price", "too large", 422},
		"a price in words":                {item(`"sku":"A","name":"B","quantity":1,"price":"ten"`), "items[0].price", "not an amount", 422},
		"a price with an exponent":        {item(`"sku":"A","name":"B","quantity":1,"price":"1e3"`), "items[0].price", "not an amount", 422},
		"a total that does not fit":       {item(`"sku":"A","name":"B","quantity":1000000,"price":"90000000000000000"`), "items[0].price", "too large", 422},
		"a negative quantity":             {item(`"sku":"A","name":"B","quantity":-1,"price":"1"`), "items[0].quantity", "from 1 to", 422},
		"no quantity at all":              {item(`"sku":"A","name":"B","price":"1"`), "items[0].quantity", "required", 422},
		"a quantity of zero":              {item(`"sku":"A","name":"B","quantity":0,"price":"1"`), "items[0].quantity", "from 1 to", 422},
		"a huge quantity":                 {item(`"sku":"A","name":"B","quantity":1000001,"price":"1"`), "items[0].quantity", "from 1 to", 422},
		"a quantity that fits no int":     {item(`"sku":"A","name":"B","quantity":99999999999999999999,"price":"1"`), "items[0].quantity", "too large", 422},
		"half a piece":                    {item(`"sku":"A","name":"B","quantity":1.5,"price":"1"`), "items[0].quantity", "whole number", 422},
		"an unknown currency":             {create(`"customerId":"Ada","currency":"XQZ","items":[{"sku":"A","name":"B","quantity":1,"price":"1"}]`), "currency", "XQZ", 422},
		"no currency":                     {create(`"customerId":"Ada","items":[{"sku":"A","name":"B","quantity":1,"price":"1"}]`), "currency", "required", 422},
		"no customer":                     {create(`"currency":"EUR","items":[{"sku":"A","name":"B","quantity":1,"price":"1"}]`), "customerId", "required", 422},
		"a customer of spaces":            {create(`"customerId":"  ","currency":"EUR","items":[{"sku":"A","name":"B","quantity":1,"price":"1"}]`), "customerId", "required", 422},
		"no items":                        {create(`"customerId":"Ada","currency":"EUR","items":[]`), "items", "at least one", 422},
		"items that are absent":           {create(`"customerId":"Ada","currency":"EUR"`), "items", "at least one", 422},
		"501 items":                       {create(`"customerId":"Ada","currency":"EUR","items":[` + many + `]`), "items", "at most 500", 422},
		"a name that is too long":         {item(`"sku":"A","name":"` + strings.Repeat("n", 201) + `","quantity":1,"price":"1"`), "items[0].name", "at most 200", 422},
		"a zero byte":                     {item(`"sku":"A\u0000","name":"B","quantity":1,"price":"1"`), "items[0].sku", "plain text", 422},
		"bytes that are not UTF-8":        {item("\"sku\":\"A\xff\",\"name\":\"B\",\"quantity\":1,\"price\":\"1\""), "", "UTF-8", 400},
		"a body of 2 MiB":                 {item(`"sku":"` + strings.Repeat("x", 2<<20) + `"`), "", "1024 KiB", 413},
		"values without end":              {create(`"items":[` + strings.Repeat(`1,`, 20_000) + `1]`), "", "at most", 413},
		"an expected version of a create": {item(`"sku":"A","name":"B","quantity":1,"price":"1"`)[:len(item(`"sku":"A","name":"B","quantity":1,"price":"1"`))-1] + `,"expectedVersion":1}`, "expectedVersion", "no field", 400},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.PostJSON("/orders", test.body)
			if r.Status != test.status || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/problem+json") {
				t.Fatalf("status %d (%s), want %d\n%s", r.Status, r.Header.Get("Content-Type"), test.status, input.Clip(r.Body))
			}
			p := consoletest.Decoded[consoletest.Problem](t, r)
			if !strings.Contains(p.Error.Message, test.says) {
				t.Errorf("it says %q, want %q in it", p.Error.Message, test.says)
			}
			field := ""
			if p.Error.Field != nil {
				field = *p.Error.Field
			}
			if field != test.field {
				t.Errorf("it names the field %q, want %q (fields %v)", field, test.field, p.Error.Fields)
			}
			if p.Status != test.status || p.Error.RequestID == "" || p.Error.RequestID != r.Header.Get("X-Request-ID") {
				t.Errorf("the problem is incomplete: %+v", p)
			}
		})
	}
	if n := c.events(); n != 0 {
		t.Errorf("%d events were stored by bad bodies", n)
	}
}

// Every wrong field is named at once, in the order of the form.
func TestAllMistakesAtOnce(t *testing.T) {
	c := openConsole(t)
	r := c.PostJSON("/orders", `{"commandId":"`+uuid.NewString()+`","currency":"EUR","items":[{"sku":"A","name":"B","quantity":0,"price":"1.999"},{"quantity":1,"price":"1"}]}`)
	var fields []string
	for _, f := range consoletest.Decoded[consoletest.Problem](t, r).Error.Fields {
		fields = append(fields, f.Field)
	}
	want := "[customerId items[0].quantity items[0].price items[1].sku items[1].name]"
	if got := fmt.Sprint(fields); got != want {
		t.Errorf("fields %s, want %s", got, want)
	}
}

// A price that no currency would allow is named beside a currency that is not known.
func TestNegativePriceInNoCurrency(t *testing.T) {
	c := openConsole(t)
	r := c.PostJSON("/orders", `{"commandId":"`+uuid.NewString()+`","customerId":"Ada","currency":"XXQ","items":[{"sku":"A","name":"B","quantity":1,"price":"-1"}]}`)
	r.Wants(t, 422, `"currency"`, `"items[0].price"`, "The price cannot be negative.")
}

// However much is wrong, the answer is bounded.
func TestMistakesAreBounded(t *testing.T) {
	c := openConsole(t)
	for _, item := range []string{"1", "{}"} {
		items := strings.TrimSuffix(strings.Repeat(item+",", 9_990), ",")
		r := c.PostJSON("/orders", `{"commandId":"`+uuid.NewString()+`","customerId":"Ada","currency":"EUR","items":[`+items+`]}`)
		if n := len(consoletest.Decoded[consoletest.Problem](t, r).Error.Fields); n == 0 || n > 2_500 {
			t.Errorf("items of %s: %d complaints", item, n)
		}
	}
}

// A form with a mistake comes back with its status, what was typed, and the message beside the field; nothing is stored.
func TestBadForms(t *testing.T) {
	c := openConsole(t)
	good := []string{"do", "create", "customerId", "Ada & Söhne", "currency", "EUR", "reference", "R-7",
		"items[0].sku", "LAMP-typed", "items[0].name", "Desk lamp", "items[0].quantity", "2", "items[0].price", "12.50"}
	with := func(pairs ...string) []string {
		out := append([]string{"commandId", uuid.NewString()}, good...)
		for i := 0; i+1 < len(pairs); i += 2 {
			found := false
			for j := 0; j+1 < len(out); j += 2 {
				if out[j] == pairs[i] {
					out[j+1], found = pairs[i+1], true
				}
			}
			if !found {
				out = append(out, pairs[i], pairs[i+1])
			}
		}
		return out
	}
	for name, test := range map[string]struct {
		form   []string
		status int
		beside string // the id of the message
		says   string
		typed  string
	}{
		"too many digits":    {with("items[0].price", "12.505"), 422, "items[0].price", "at most 2 digits", "12.505"},
		"a negative number":  {with("items[0].quantity", "-4"), 422, "items[0].quantity", "from 1 to", "-4"},
		"a huge number":      {with("items[0].quantity", "99999999999999999999"), 422, "items[0].quantity", "too large", "99999999999999999999"},
		"words for a number": {with("items[0].quantity", "two"), 422, "items[0].quantity", "whole number", "two"},
		"unknown currency":   {with("currency", "XQZ"), 422, "currency", "XQZ", "XQZ"},
		"no customer":        {with("customerId", ""), 422, "customerId", "required", "LAMP-typed"},
		"invalid UTF-8":      {with("customerId", "A\xff"), 400, "customerId", "UTF-8", "LAMP-typed"},
		"no name":            {with("items[0].name", " "), 422, "items[0].name", "required", "LAMP-typed"},
		"script in a field": {with("items[0].price", "<script>alert(1)</script>"), 422, "items[0].price", "not an amount",
			"<script>alert(1)</script>"},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.PostForm("/orders", test.form...)
			r.Wants(t, test.status, test.says, html.EscapeString(test.typed), `value="LAMP-typed"`, `value="R-7"`)
			if strings.Contains(r.Body, "<script>alert") {
				t.Error("script text is a script")
			}
			message := `id="new-` + strings.NewReplacer("[", "-", "].", "-").Replace(test.beside) + `-error"`
			if !strings.Contains(r.Body, message) {
				t.Errorf("no message stands beside the field %s", test.beside)
			}
		})
	}
	if n := c.events(); n != 0 {
		t.Errorf("%d events were stored by bad forms", n)
	}
	c.PostForm("/orders", with("colour", "red")...).Wants(t, 400, "no field")
	c.PostForm("/orders", with("do", "dance")...).Wants(t, 400, "cannot do")
	c.PostForm("/orders", append(with(), "customerId", "twice")...).Wants(t, 400, "2 times")
	if n := c.events(); n != 0 {
		t.Errorf("%d events were stored by bad forms", n)
	}
}

// Lines come and go without a script, and nothing is stored until the order is created.
func TestFormLines(t *testing.T) {
	c := openConsole(t)
	form := []string{"commandId", uuid.NewString(), "customerId", "Ada", "currency", "EUR",
		"items[0].sku", "FIRST", "items[0].name", "One", "items[0].quantity", "1", "items[0].price", "1.00",
		"items[1].sku", "SECOND", "items[1].name", "Two", "items[1].quantity", "2", "items[1].price", "2.25"}
	r := c.PostForm("/orders", append(form, "do", "add-line")...)
	r.Wants(t, 200, "FIRST", "SECOND", `name="items[2].sku"`, "5.50 EUR")
	r = c.PostForm("/orders", append(form, "do", "remove-line:0")...)
	r.Wants(t, 200, "SECOND", "4.50 EUR")
	if strings.Contains(r.Body, "FIRST") || strings.Contains(r.Body, "items[1].sku") {
		t.Error("the removed line is still there")
	}
	c.PostForm("/orders", append(form, "do", "remove-line:9")...).Wants(t, 400, "cannot do")
	c.PostForm("/orders", append(form, "do", "create", fmt.Sprintf("items[%d].sku", input.MaxLineIndex+1), "X")...).Wants(t, 400, "at most")
	if n := c.events(); n != 0 {
		t.Fatalf("%d events were stored by editing lines", n)
	}
	// A script may have removed a line in the middle: what is left moves up.
	r = c.PostForm("/orders", append(form[:6:6], "do", "add-line", "items[4].sku", "LATER", "items[9].sku", "LAST")...)
	r.Wants(t, 200, `name="items[0].sku" value="LATER"`, `name="items[1].sku" value="LAST"`)
	// A line left blank is no mistake.
	r = c.PostForm("/orders", append(form, "do", "create", "items[2].sku", "", "items[2].name", "", "items[2].quantity", "1", "items[2].price", "")...)
	if r.Status != http.StatusSeeOther {
		t.Fatalf("status %d\n%s", r.Status, r.Body)
	}
}

// A form posted twice makes one order, and both answers are the same.
func TestFormPostedTwice(t *testing.T) {
	c := openConsole(t)
	form := []string{"do", "create", "commandId", uuid.NewString(), "customerId", "Ada", "currency", "EUR",
		"items[0].sku", "A", "items[0].name", "B", "items[0].quantity", "1", "items[0].price", "1"}
	first, second := c.PostForm("/orders", form...), c.PostForm("/orders", form...)
	if first.Status != http.StatusSeeOther || second.Status != first.Status || first.Header.Get("Location") != second.Header.Get("Location") {
		t.Fatalf("%d %s, then %d %s", first.Status, first.Header.Get("Location"), second.Status, second.Header.Get("Location"))
	}
	if n := c.events(); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
	// The same id with other content is another wish: the form comes back with a new id and what was typed.
	form[5] = "Grace"
	r := c.PostForm("/orders", form...)
	r.Wants(t, 422, "used before", `value="Grace"`)
	if again := consoletest.FormFields(t, r.Body, "/orders")["commandId"]; again == form[3] || again == "" {
		t.Errorf("the form kept the command id of another order: %q", again)
	}
	// Once more as JSON: same status, Location, version and events.
	body := `{"commandId":"` + uuid.NewString() + `","customerId":"Ada","currency":"EUR","items":[{"sku":"A","name":"B","quantity":1,"price":"1"}]}`
	a, b := c.PostJSON("/orders", body), c.PostJSON("/orders", body)
	ra, rb := consoletest.Decoded[wire.Receipt](t, a), consoletest.Decoded[wire.Receipt](t, b)
	if a.Status != 201 || b.Status != 201 || a.Header.Get("Location") != b.Header.Get("Location") ||
		fmt.Sprint(ra.OrderID, ra.Version, ra.Events) != fmt.Sprint(rb.OrderID, rb.Version, rb.Events) {
		t.Errorf("a repeat answers otherwise: %d %+v, %d %+v", a.Status, ra, b.Status, rb)
	}
}

// Commands on an order: each mistake beside its field, with what was typed; nothing is stored.
func TestBadCommands(t *testing.T) {
	c := openConsole(t)
	order := string(c.newOrder("R-1").OrderID)
	id := `"commandId":"` + uuid.NewString() + `",`
	for name, test := range map[string]struct {
		path, body string
		status     int
		field      string
	}{
		"no expected version":            {"/confirm", `{` + strings.TrimSuffix(id, ",") + `}`, 422, "expectedVersion"},
		"an expected version of 0":       {"/confirm", `{` + id + `"expectedVersion":0}`, 422, "expectedVersion"},
		"a huge expected version":        {"/confirm", `{` + id + `"expectedVersion":1e9}`, 422, "expectedVersion"},
		"a text as expected version":     {"/confirm", `{` + id + `"expectedVersion":"1"}`, 400, "expectedVersion"},
		"a version not stored yet":       {"/confirm", `{` + id + `"expectedVersion":9}`, 409, ""},
		"a version nobody can have seen": {"/confirm", `{` + id + `"expectedVersion":1,"seenVersion":2}`, 422, "seenVersion"},
		"true as seen version":           {"/confirm", `{` + id + `"expectedVersion":1,"seenVersion":true}`, 400, "seenVersion"},
		"an empty text as seen version":  {"/confirm", `{` + id + `"expectedVersion":1,"seenVersion":""}`, 400, "seenVersion"},
		"an unknown field":               {"/confirm", `{` + id + `"expectedVersion":1,"reason":"x"}`, 400, "reason"},
		"no reason":                      {"/cancel", `{` + id + `"expectedVersion":1}`, 422, "reason"},
		"a reason that is too long":      {"/cancel", `{` + id + `"expectedVersion":1,"reason":"` + strings.Repeat("x", 501) + `"}`, 422, "reason"},
		"a price of other digits":        {"/items", `{` + id + `"expectedVersion":1,"sku":"A","name":"B","quantity":1,"price":"1.001"}`, 422, "price"},
		"a form field":                   {"/items", `{` + id + `"expectedVersion":1,"do":"create","sku":"A","name":"B","quantity":1,"price":"1"}`, 400, "do"},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.PostJSON("/orders/"+order+test.path, test.body)
			p := consoletest.Decoded[consoletest.Problem](t, r)
			if r.Status != test.status || test.field != "" && (p.Error.Field == nil || *p.Error.Field != test.field) {
				t.Errorf("status %d, want %d: %+v", r.Status, test.status, p.Error)
			}
		})
	}
	r := c.PostForm("/orders/"+order+"/items", "commandId", uuid.NewString(), "expectedVersion", "1", "sku", "TYPED", "name", "", "quantity", "x", "price", "1.999")
	r.Wants(t, 422, `value="TYPED"`, "whole number", "at most 2 digits", "The name is required.", `value="1.999"`)
	r = c.PostForm("/orders/"+order+"/cancel", "commandId", uuid.NewString(), "expectedVersion", "1", "reason", "")
	r.Wants(t, 422, "The reason is required.")
	for _, unknown := range []string{uuid.NewString(), "nonsense", "..%2f..%2fetc"} {
		if r := c.PostJSON("/orders/"+unknown+"/confirm", `{`+id+`"expectedVersion":1}`); r.Status != 404 {
			t.Errorf("order %s: status %d, want 404", unknown, r.Status)
		}
	}
	c.Send("POST", "/orders", "text/csv", "a,b").Wants(t, 415)
	c.Send("POST", "/orders", "", "a,b").Wants(t, 415)
	if n := c.events(); n != 1 {
		t.Errorf("%d events, want the creation alone", n)
	}
}

// Addresses: what is not ours is said, naming the field.
func TestBadQueries(t *testing.T) {
	c := openConsole(t)
	order := string(c.newOrder("R-1").OrderID)
	c.project()
	for path, want := range map[string]struct {
		status int
		field  string
	}{
		"/orders?status=open":                         {400, "status"},
		"/orders?sort=colour":                         {400, "sort"},
		"/orders?cursor=stolen":                       {400, "cursor"},
		"/orders?from=yesterday":                      {400, "from"},
		"/orders?to=2026-13-01":                       {400, "to"},
		"/orders?colour=red":                          {400, "colour"},
		"/orders?sort=total&sort=items":               {400, "sort"},
		"/orders?q=%ff":                               {400, "q"},
		"/orders?q=" + strings.Repeat("x", 501):       {400, "q"},
		"/orders?q=" + strings.Repeat("ü", 500):       {200, ""},
		"/orders/new?copy=%00":                        {404, ""},
		"/orders/new?copy=" + strings.ToUpper(order):  {200, ""},
		"/orders/" + order + "?at=first":              {400, "at"},
		"/orders/" + order + "?at=2":                  {404, ""},
		"/orders/" + order + "?at=0":                  {404, ""},
		"/orders/" + order + "?after=x":               {400, "after"},
		"/orders/" + order + "?after=" + order + "@2": {400, "after"},
		"/orders/" + uuid.NewString():                 {404, ""},
		"/orders/nonsense":                            {404, ""},
		"/orders/" + order + "/events/2":              {404, ""},
		"/orders/" + order + "/events/first":          {404, ""},
		"/orders/" + order + "/events?before=x":       {400, "before"},
		"/events?type=Nothing":                        {400, "type"},
		"/events?before=stolen":                       {400, "before"},
		"/events/correlation/x?before=stolen":         {400, "before"},
		"/customers?cursor=stolen":                    {400, "cursor"},
		"/customers?sort=colour":                      {400, "sort"},
		"/customers/nobody":                           {404, ""},
		"/products?cursor=stolen":                     {400, "cursor"},
		"/products?sort=colour":                       {400, "sort"},
		"/products/nothing":                           {404, ""},
		"/activity?day=yesterday":                     {400, "day"},
		"/activity?cursor=stolen":                     {400, "cursor"},
		"/projections/nothing":                        {404, ""},
		"/nothing":                                    {404, ""},
		"/orders/new?copy=" + uuid.NewString():        {404, ""},
	} {
		r := c.GetJSON(path)
		p := consoletest.Decoded[consoletest.Problem](t, r)
		field := ""
		if p.Error.Field != nil {
			field = *p.Error.Field
		}
		if r.Status != want.status || field != want.field {
			t.Errorf("%s: %d, field %q, want %d, field %q", input.Clip(path), r.Status, field, want.status, want.field)
		}
		if page := c.Get(path); page.Status != want.status || !strings.Contains(page.Body, "<nav") {
			t.Errorf("%s: the page has status %d, want %d, with the way on", input.Clip(path), page.Status, want.status)
		}
	}
	c.Get("/orders?q="+strings.Repeat("x", 501)).Wants(t, 400, "A search can have at most 500 characters.")
	r := c.Send("DELETE", "/orders/"+order, "", "")
	if r.Status != http.StatusMethodNotAllowed || r.Header.Get("Allow") == "" {
		t.Errorf("DELETE: %d, Allow %q", r.Status, r.Header.Get("Allow"))
	}
}
