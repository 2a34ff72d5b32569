package views_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"headway/domain"
	"headway/projections"
	"headway/views"
)

const hostile = `<script>alert(1)</script>"'`

// fill puts hostile text into every string, and something into everything else. events says which event an event field gets.
func fill(v reflect.Value, event domain.Event) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(hostile)
	case reflect.Int, reflect.Int64:
		v.SetInt(3)
	case reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Interface:
		v.Set(reflect.ValueOf(event))
	case reflect.Pointer:
		if v.Type() == reflect.TypeFor[*time.Location]() {
			v.Set(reflect.ValueOf(time.FixedZone(hostile, 3600)))
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), event)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), event)
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, event)
		fill(value, event)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(noon))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), event)
			}
		}
	}
}

func filled[M any](event domain.Event) M {
	var m M
	fill(reflect.ValueOf(&m).Elem(), event)
	return m
}

// TestTextIsNeverMarkup fills every string of every model with a script: it comes out as text, in elements and in attributes.
func TestTextIsNeverMarkup(t *testing.T) {
	item := domain.Item{SKU: hostile, Name: hostile, Quantity: 2, Price: domain.Money{Minor: 1, Currency: hostile}}
	events := []domain.Event{
		domain.OrderCreated{CustomerID: hostile, Currency: hostile, Reference: hostile, Items: []domain.Item{item}},
		domain.OrderItemAdded{Item: item}, domain.OrderConfirmed{}, domain.OrderCancelled{Reason: hostile}, domain.OrderNoteAdded{Text: hostile},
	}
	for _, event := range events {
		f := filled[views.Frame](event)
		one := filled[views.ConflictPage](event)
		one.Form.Fields = nil
		empty := filled[views.OrdersPage](event)
		empty.Rows, empty.Errors, empty.Problem = nil, nil, ""
		noEvents := filled[views.EventsPage](event)
		noEvents.Rows, noEvents.Problem = nil, ""
		unread := filled[views.EventPage](event)
		unread.Event.Facts, unread.Upcast = nil, ""
		pages := map[string]templ.Component{
			"overview":     views.Overview(f, filled[views.OverviewPage](event)),
			"orders":       views.Orders(f, filled[views.OrdersPage](event)),
			"orders none":  views.Orders(f, empty),
			"new order":    views.NewOrder(f, filled[views.NewOrderPage](event)),
			"order":        views.Order(f, filled[views.OrderPage](event)),
			"timeline":     views.OrderEvents(f, filled[views.OrderEventsPage](event)),
			"event":        views.Event(f, filled[views.EventPage](event)),
			"unread":       views.Event(f, unread),
			"events":       views.Events(f, filled[views.EventsPage](event)),
			"events none":  views.Events(f, noEvents),
			"correlation":  views.Correlation(f, filled[views.CorrelationPage](event)),
			"customers":    views.Customers(f, filled[views.CustomersPage](event)),
			"customer":     views.Customer(f, filled[views.CustomerPage](event)),
			"projections":  views.Projections(f, filled[views.ProjectionsPage](event)),
			"projection":   views.Projection(f, filled[views.ProjectionPage](event)),
			"conflict":     views.Conflict(f, filled[views.ConflictPage](event)),
			"conflict 1":   views.Conflict(f, one),
			"error":        views.Error(f, filled[views.ErrorPage](event)),
			"not found":    views.NotFound(f, filled[views.NotFoundPage](event)),
			"order row":    views.OrderRowLive(filled[views.OrderRow](event)),
			"customer row": views.CustomerRowLive(filled[views.CustomerRow](event)),
			"order body":   views.OrderBodyLive(filled[views.OrderBody](event)),
			"card":         views.ProjectionCardLive(filled[views.ProjectionCard](event)),
		}
		for name, page := range pages {
			html := render(t, page)
			if !strings.Contains(html, "&lt;script&gt;") {
				t.Errorf("%s shows none of what it was given", name)
			}
			if at := strings.Index(html, "<script>"); at >= 0 {
				t.Errorf("%s lets markup through: %s", name, html[max(0, at-80):at+8])
			}
			for _, e := range parse(t, name, html) { // a quote that ended an attribute would leave a strange one behind
				for attr := range e.attrs {
					if strings.ContainsAny(attr, `<>"'(`) {
						t.Errorf("%s: a value ended its attribute in %s: %s", name, e.name, attr)
					}
				}
			}
		}
	}
}

// TestLinksLeadNowhereElse: a scheme in an identifier stays a part of a path.
func TestLinksLeadNowhereElse(t *testing.T) {
	page := render(t, views.Error(views.Frame{}, views.ErrorPage{Next: []views.Link{{Label: "x", Href: "javascript:alert(1)"}}}))
	if strings.Contains(page, "javascript:") {
		t.Error("a javascript: link went through")
	}
	row := render(t, views.CustomerRowLive(customerRows()[1]))
	if !strings.Contains(row, `href="/customers/a%2Fb%3Fc=d&amp;e"`) {
		t.Errorf("a customer's id is not one segment of the path: %s", row)
	}
	row = render(t, views.CustomerRowLive(views.CustomerRow{Row: projections.CustomerRow{ID: "Ada.json"}}))
	if !strings.Contains(row, `href="/customers/Ada%2Ejson"`) {
		t.Errorf("the end of a customer's id asks for JSON: %s", row)
	}
}
