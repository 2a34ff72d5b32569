package console

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"headway/cmd/web/console/consoletest"
	"headway/cmd/web/console/wire"
)

func (c *console) orderOf(sku, name, price, currency string) wire.Receipt {
	c.T.Helper()
	r := c.PostJSON("/orders", fmt.Sprintf(`{"commandId":%q,"customerId":"Ada","currency":%q,"items":[{"sku":%q,"name":%q,"quantity":3,"price":%q}]}`,
		uuid.NewString(), currency, sku, name, price))
	r.Wants(c.T, 201)
	return consoletest.Decoded[wire.Receipt](c.T, r)
}

// What is ordered has a list and a page of each: names, prices and quantities, as of the newest order that is projected.
func TestProductsAreListedWithWhatIsOrdered(t *testing.T) {
	c := openConsole(t)
	c.orderOf("LAMP", "Desk lamp", "12.50", "EUR")
	c.orderOf("LAMP", "Reading lamp", "2000", "JPY")
	c.orderOf("a/b?c#d", "<b>bold</b>", "1", "EUR")
	c.project()

	list := consoletest.Decoded[wire.Products](t, c.GetJSON("/products?q=lamp"))
	if len(list.Products) != 1 || list.Total != 1 || list.Next != nil {
		t.Fatalf("the list: %+v", list)
	}
	lamp := list.Products[0]
	if lamp.Name != "Reading lamp" || lamp.Orders != 2 || lamp.Quantity != 6 || len(lamp.Value) != 2 || len(lamp.LastPrice) != 2 || lamp.Stamp.State != "current" {
		t.Errorf("the lamp: %+v", lamp)
	}
	if one := consoletest.Decoded[wire.ProductPage](t, c.GetJSON("/products/LAMP")).Product; one.Quantity != lamp.Quantity || one.Name != lamp.Name {
		t.Errorf("its page: %+v", one)
	}
	c.Get("/products").Wants(t, 200, "Reading lamp", `href="/products/a%2Fb%3Fc%23d"`, "&lt;b&gt;bold")
	c.Get("/products/"+url.PathEscape("a/b?c#d")).Wants(t, 200, "&lt;b&gt;bold", "Orders that match this SKU")
	c.Get("/products?q=nothing").Wants(t, 200, "No product matches.")
	c.Get("/products/lamp").Wants(t, 404)
	c.Get("/products?sort=colour").Wants(t, 400)
	c.Get("/products?cursor=stolen").Wants(t, 400)
}

// A form of lines suggests products, with the prices that fit its currency; a form that cannot be used suggests none.
func TestLinesSuggestProducts(t *testing.T) {
	c := openConsole(t)
	order := c.orderOf("LAMP", `Desk "lamp"`, "12.50", "EUR")
	page := "/orders/" + string(order.OrderID)
	if body := c.Get(page).Body; strings.Contains(body, "data-suggestions") {
		t.Error("products are suggested before there are any")
	}
	c.project()
	c.Get("/orders/new").Wants(t, 200, `list="product-skus"`, `list="product-names"`, `<option value="LAMP" label="Desk &#34;lamp&#34;"`, `{&#34;EUR&#34;:&#34;12.50&#34;}`)
	c.Get(page).Wants(t, 200, `list="product-skus"`, `data-currency="EUR"`)
	c.PostJSON(page+"/confirm", fmt.Sprintf(`{"commandId":%q,"expectedVersion":1}`, uuid.NewString())).Wants(t, 200)
	for _, path := range []string{page, page + "?at=1"} {
		if body := c.Get(path).Body; strings.Contains(body, "data-suggestions") {
			t.Errorf("%s suggests products", path)
		}
	}
}

// One sees what one did on a day, newest first.
func TestActivityIsWhatAPersonDidOnADay(t *testing.T) {
	c := openConsole(t, func(o *Options) { o.Demo = true })
	as := func(who, path string) consoletest.Reply {
		return c.Get(path, "Accept", "application/json", "Cookie", "headway_staff="+who)
	}
	c.Send("POST", "/orders", "application/json", `{"commandId":"`+uuid.NewString()+`","customerId":"Ada","currency":"EUR",`+
		`"items":[{"sku":"A","name":"B","quantity":1,"price":"1"}]}`, "Cookie", "headway_staff=viewer").Wants(t, 201)
	c.project()

	mine := consoletest.Decoded[wire.Activity](t, as("viewer", "/activity"))
	if mine.Who != "viewer" || mine.Day != time.Now().UTC().Format(time.DateOnly) || mine.ByType["OrderCreated"] != 1 || len(mine.Events) != 1 {
		t.Errorf("one's own: %+v", mine)
	}
	if other := consoletest.Decoded[wire.Activity](t, as("operator", "/activity")); len(other.Events) != 0 {
		t.Errorf("somebody else's: %+v", other)
	}
	as("operator", "/activity?who=viewer").Wants(t, 403)
	if seen := consoletest.Decoded[wire.Activity](t, as("admin", "/activity?who=viewer")); len(seen.Events) != 1 {
		t.Errorf("an administrator sees: %+v", seen)
	}
	as("viewer", "/activity?day=2026-02-30").Wants(t, 400, "is not a day")
	c.Get("/activity?day=2001-01-01", "Cookie", "headway_staff=viewer").Wants(t, 200, "/activity?day=2000-12-31")
}
