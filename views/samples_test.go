package views_test

import (
	"fmt"
	"time"

	"github.com/a-h/templ"

	"headway/domain"
	"headway/fault"
	"headway/projections"
	"headway/views"
)

// sample is one page in one state, as the goldens, the checks and the pictures use it.
type sample struct {
	name string
	page templ.Component
}

const (
	lampID  = domain.OrderID("0b8e1c52-4f0a-5c53-9c39-0b4f5a1c9f3a")
	chairID = domain.OrderID("7d1fb7a0-91aa-5d0e-8f2e-2f1f6c1b4c11")
	deskID  = domain.OrderID("c2a4de11-0e4b-5b6a-b8d1-9a3c77d0e2b4")
)

var (
	zone  = time.FixedZone("CET", 3600)
	noon  = time.Date(2026, 3, 14, 11, 2, 11, 31e6, time.UTC)
	today = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
)

func eur(minor int64) domain.Money { return domain.Money{Minor: minor, Currency: "EUR"} }

func lampItems() []domain.Item {
	return []domain.Item{
		{SKU: "LAMP-1", Name: "Desk lamp, brass", Quantity: 2, Price: eur(129900)},
		{SKU: "BULB-9", Name: "Bulb E27", Quantity: 12, Price: eur(499)},
	}
}

func lampOrder() domain.Order {
	return domain.Order{
		ID: lampID, Version: 3, Reference: "PO-1042", CustomerID: "Katherine Johnson", Currency: "EUR", Status: domain.Confirmed,
		Items: lampItems(), Total: eur(265788), CreatedAt: noon.Add(-26 * time.Hour), ConfirmedAt: noon,
	}
}

func operations() []views.Operation {
	return []views.Operation{
		{
			ID: "d1000000-0000-7000-8000-000000000001", At: noon, EndedAt: noon.Add(time.Second), Who: "command line", What: "Import", On: "orders.csv",
			Reason: "Monday’s file", Outcome: "done", Before: "{\n  \"orders\": 3\n}", After: "{\n  \"imported\": 3\n}", Correlation: "req-7f3a",
		},
		{ID: "d1000000-0000-7000-8000-000000000002", At: noon, Who: "ada", What: "Verification", Outcome: "asked", Correlation: "d1000000-0000-7000-8000-000000000002"},
	}
}

func entries() []views.TimelineEntry {
	name := views.OrderName{ID: lampID, Reference: "PO-1042"}
	at := func(version int, event domain.Event, when time.Time, user string) views.TimelineEntry {
		return views.TimelineEntry{
			EventID: fmt.Sprintf("e0000000-0000-5000-8000-00000000000%d", version), Order: name, Version: version, Type: event.Type(), Schema: 2,
			Facts: []domain.Event{event}, StoredAt: when, BusinessAt: when, UserID: user, Seen: version - 1,
			Causation: fmt.Sprintf("c0000000-0000-4000-8000-00000000000%d", version), Correlation: "req-7f3a",
		}
	}
	created := at(1, domain.OrderCreated{CustomerID: "Katherine Johnson", Currency: "EUR", Reference: "PO-1042", Items: lampItems()[:1]}, noon.Add(-26*time.Hour), "import")
	created.Schema, created.StoredAt = 1, noon.Add(-25*time.Hour)
	confirmed := at(3, domain.OrderConfirmed{}, noon, "operator")
	confirmed.Seen = 1
	confirmed.Arrivals = []views.Arrival{{Projection: "order_list", Took: 38 * time.Millisecond}, {Projection: "customer_order_summary", Took: 51 * time.Millisecond}}
	return []views.TimelineEntry{confirmed, at(2, domain.OrderItemAdded{Item: lampItems()[1]}, noon.Add(-time.Hour), "operator2"), created}
}

func cancelledEntry() views.TimelineEntry {
	return views.TimelineEntry{
		EventID: "e0000000-0000-5000-8000-000000000009", Order: views.OrderName{ID: chairID}, Version: 8, Type: domain.TypeOrderCancelled, Schema: 2,
		Facts: []domain.Event{domain.OrderCancelled{Reason: "Ordered twice"}}, StoredAt: noon.Add(-2 * time.Minute), BusinessAt: noon.Add(-2 * time.Minute),
		UserID: "operator", Seen: 5, Causation: "c0000000-0000-4000-8000-000000000009", Correlation: "c0000000-0000-4000-8000-000000000009",
	}
}

func frame(title string, nav views.Nav) views.Frame {
	return views.Frame{
		Title: title, Nav: nav, Path: "/orders?status=created", Build: "b1", Seq: "hub.42", Watch: []string{"orders", "projections"}, Person: "operator",
		Demo: true, DemoStaff: []string{"demo", "viewer", "operator", "admin"}, Zone: zone,
		Headway: []views.Bar{
			{Projection: "order_list", Share: 0.9998, Stamp: stampOf("order_list", projections.StampBehind)},
			{Projection: "customer_order_summary", Share: 1, Stamp: stampOf("customer_order_summary", projections.StampCurrent)},
		},
		Assets: views.Assets{Styles: []string{"/static/app.css"}, Scripts: []string{"/static/app.js"}, Icon: "/static/icon.svg"},
	}
}

func stampOf(projection string, state projections.StampState) views.Stamp {
	s := projections.Stamp{State: state}
	switch state {
	case projections.StampBehind:
		s.Behind = projections.Lag{Events: 2, Age: 1400 * time.Millisecond}
	case projections.StampUnknown:
		s.Reason = "No contact for 12 s."
	case projections.StampPaused:
		s.Reason = "Paused by an administrator since 14:02."
	}
	return views.Stamp{Projection: projection, Stamp: s}
}

func rows() []views.OrderRow {
	all := []views.OrderRow{}
	states := []projections.StampState{
		projections.StampCurrent, projections.StampBehind, projections.StampHeld, projections.StampPaused, projections.StampRebuilding,
		projections.StampStalled, projections.StampUnknown,
	}
	customers := []string{"Katherine Johnson", "Dorothy Vaughan", "Mary Jackson", "Société Générale d’Électricité et de Lumière de la Côte d’Azur", "Annie Easley"}
	for i, state := range states {
		row := projections.OrderRow{
			ID: domain.OrderID(fmt.Sprintf("0b8e1c5%d-4f0a-5c53-9c39-0b4f5a1c9f3a", i)), Reference: fmt.Sprintf("PO-%d", 1042-i), CustomerID: customers[i%len(customers)],
			Status: domain.Statuses()[i%3], ItemCount: i + 1, Total: eur(265788 / int64(i+1)), CreatedAt: noon.Add(-time.Duration(i) * 7 * time.Hour), Version: i + 3,
		}
		stamp := projections.Stamp{Version: row.Version, Head: row.Version, State: state}
		switch state {
		case projections.StampBehind:
			stamp.Head, stamp.Behind = row.Version+2, projections.Lag{Events: 2, Age: 1400 * time.Millisecond}
		case projections.StampHeld:
			row.Reference, stamp.Reason = "", "Held at version 6: Unknown event type."
		case projections.StampPaused:
			stamp.Reason = "Paused by an administrator since 14:02."
		case projections.StampRebuilding:
			row.Total, stamp.Reason = domain.Money{Minor: 9_223_372_036_854_775_807, Currency: "JPY"}, "61 %"
		case projections.StampUnknown:
			stamp.Reason = "No contact for 12 s."
		}
		all = append(all, views.OrderRow{Row: row, Stamp: stamp, Zone: zone})
	}
	return all
}

func cards() []views.ProjectionCard {
	return []views.ProjectionCard{
		{
			Name: "order_list", State: views.Running, Stamp: stampOf("", projections.StampBehind).Stamp, Share: 0.9998,
			Lag: projections.Lag{Events: 2, Age: 1400 * time.Millisecond}, Rate: 212.4, HeartbeatAt: noon, Holds: 1, Zone: zone,
		},
		{
			Name: "customer_order_summary", State: views.Stalled, Reason: "No heartbeat for 40 s; the projector may have stopped.",
			Stamp: projections.Stamp{State: projections.StampStalled, Reason: "no heartbeat for 40 s"}, Share: 0.61, HeartbeatAt: noon.Add(-40 * time.Second),
			Progress: &views.Progress{Done: 1220, Total: 2000}, Zone: zone,
		},
	}
}

func body() views.OrderBody {
	return views.OrderBody{ID: lampID, Order: lampOrder(), Head: 3, Timeline: entries(), Zone: zone}
}

func forms() []views.Form {
	var all []views.Form
	for i, action := range domain.ActionsOf(lampOrder()) {
		form := []views.CommandForm{views.AddItemForm(), views.ConfirmForm(), views.CancelForm(), views.NoteForm()}[i]
		all = append(all, views.Form{
			CommandForm: form, OrderID: lampID, Path: []string{"items", "confirm", "cancel", "notes"}[i], Action: action, Currency: "EUR",
			CommandID: fmt.Sprintf("d0000000-0000-4000-8000-00000000000%d", i+1), Expected: 3,
		})
	}
	return all
}

func openForms() []views.Form {
	f := forms()
	f[0].Action.Action, f[1].Action.Action = domain.Action{Allowed: true}, domain.Action{Allowed: true}
	return f
}

func createdBody() views.OrderBody {
	b := body()
	b.Order.Status, b.Order.ConfirmedAt, b.Order.Version, b.Head = domain.Created, time.Time{}, 2, 2
	b.Timeline = b.Timeline[1:]
	return b
}

func waits(state projections.StampState, reason string) projections.Stamp {
	return projections.Stamp{Version: 2, Head: 3, State: state, Reason: reason, Behind: projections.Lag{Events: 1, Age: 1400 * time.Millisecond}}
}

func receipt(stored bool) *views.Receipt {
	return &views.Receipt{OrderID: lampID, Version: 3, Stored: stored, At: noon, Ticks: []views.Tick{
		{Projection: "order_list", Arrived: true, Took: 38 * time.Millisecond},
		{Projection: "customer_order_summary", Arrived: stored, Took: -1, Stamp: waits(projections.StampBehind, "")},
		{Projection: "searchable", Took: -1, Stamp: waits(projections.StampStalled, "No heartbeat for 13 s.")},
	}}
}

func customerRows() []views.CustomerRow {
	return []views.CustomerRow{
		{Row: projections.CustomerRow{
			ID: "Katherine Johnson", TotalOrders: 1214, Created: 3, Confirmed: 1200, Cancelled: 11,
			TotalSpent: []domain.Money{eur(265788), {Minor: 1200, Currency: "JPY"}}, LastOrderAt: noon,
		}, Version: 7, Head: 7, Zone: zone},
		{Row: projections.CustomerRow{ID: "a/b?c=d&e", TotalOrders: 1, Cancelled: 1}, Zone: zone},
	}
}

func productRows() []projections.ProductRow {
	last := func(name string, price domain.Money) projections.LastOrdered {
		return projections.LastOrdered{At: noon, Order: lampID, Name: name, Price: price}
	}
	return []projections.ProductRow{
		{SKU: "LAMP-1", Orders: 1200, Quantity: 3400, Value: []domain.Money{eur(265788), {Minor: 1200, Currency: "JPY"}}, Lasts: []projections.LastOrdered{last("Desk lamp", eur(5900)), last("Desk lamp", domain.Money{Minor: 9000, Currency: "JPY"})}},
		{SKU: "a/b?c=d&e", Orders: 0, Lasts: []projections.LastOrdered{last("<b>bold</b>", eur(1))}},
	}
}

func oneEvent() views.EventPage {
	list := entries()
	return views.EventPage{
		Event: list[2], Head: 3, Stored: `{"customerId":"Katherine Johnson","items":[{"sku":"LAMP-1","price":1299.00}]}`,
		UpcastSchema: 2, Upcast: "{\n  \"customerId\": \"Katherine Johnson\",\n  \"currency\": \"USD\"\n}",
		CommandHash: "9f86d081884c7d659a2feaa0c55ad015", Effects: list[2:], Related: 2,
	}
}

func conflict() views.ConflictPage {
	before := lampOrder()
	before.Version, before.Status, before.ConfirmedAt, before.Items, before.Total = 1, domain.Created, time.Time{}, lampItems()[:1], eur(259800)
	list := entries()
	cancel := forms()[2]
	cancel.CommandID, cancel.Seen, cancel.Typed = "d0000000-0000-4000-8000-000000000009", 1, map[string]string{"reason": "Ordered twice"}
	return views.ConflictPage{
		Order: views.OrderName{ID: lampID, Reference: "PO-1042"}, Seen: 1, Head: 3, Since: []views.TimelineEntry{list[1], list[0]},
		Changes: views.Changes(before, lampOrder()), Redecided: domain.Action{Allowed: true}, Form: cancel,
	}
}

func refusedConflict() views.ConflictPage {
	m := conflict()
	m.Redecided = domain.Action{Reason: "Items can be added only while an order is created; this one is confirmed."}
	m.Form = forms()[0]
	m.Form.CommandID, m.Form.Seen = "d0000000-0000-4000-8000-000000000009", 1
	m.Form.Typed = map[string]string{"sku": "PEN-2", "name": "Fountain pen", "quantity": "1", "price": "19.00"}
	return m
}

func historyPage() views.HistoryPage {
	return views.HistoryPage{
		Step: "minute", Types: []string{"OrderConfirmed", "OrderCreated"}, Next: "2026-03-14T09:26:00Z", To: "2026-03-16", Buckets: []views.HistoryBucket{
			{At: noon.Add(time.Minute), Total: 1302, ByType: map[string]int{"OrderConfirmed": 2, "OrderCreated": 1300}}, {At: noon},
		},
	}
}

func samples() []sample {
	orders := views.OrdersPage{
		Today: today, Rows: rows(), Next: "bmV4dA", Total: 1000, Stamp: stampOf("order_list", projections.StampBehind),
		ByStatus: map[domain.Status]projections.Count{domain.Created: {N: 12, IsExact: true}, domain.Confirmed: {N: 1000}, domain.Cancelled: {N: 3, IsExact: true}},
	}
	filtered := orders
	filtered.Filter = views.OrderFilter{
		Text: "lamp", Statuses: []domain.Status{domain.Created, domain.Confirmed}, Customer: "Katherine Johnson", From: "2026-03-14", To: "2026-03-15",
		Sort: "-total", Cursor: "cGFnZQ",
	}
	none := views.OrdersPage{Today: today, Filter: views.OrderFilter{Text: "nothing"}, TotalIsExact: true, Stamp: stampOf("order_list", projections.StampCurrent)}
	wrong := views.OrdersPage{
		Today: today, Filter: views.OrderFilter{From: "yesterday"}, Stamp: stampOf("order_list", projections.StampUnknown),
		Errors: []fault.FieldError{{Field: "from", Message: "“yesterday” is not a date."}},
	}

	mistakes := views.NewOrderPage{
		CommandID: "d0000000-0000-4000-8000-000000000001", CustomerID: "Annie Easley", Currency: "XXQ", Reference: "PO-55",
		Lines: []views.Line{{"A-1", "Anvil", "1", "80.00"}, {"", "Chisel", "0", "9.999"}}, Customers: []string{"Annie Easley", "Mary Jackson"},
		Errors: []fault.FieldError{
			{Field: "currency", Message: "“XXQ” is not a currency of ISO 4217."},
			{Field: "items[1].sku", Message: "A SKU is required."},
			{Field: "items[1].quantity", Message: "The quantity must be from 1 to 1,000,000."},
			{Field: "items[1].price", Message: "EUR has 2 digits after the point, not 3."},
		},
	}
	total := eur(8000)
	copied := views.NewOrderPage{
		CommandID: "d0000000-0000-4000-8000-000000000001", CustomerID: "Annie Easley", Currency: "EUR", Lines: []views.Line{{"A-1", "Anvil", "1", "80.00"}},
		Total: &total, CopyOf: &views.OrderName{ID: lampID, Reference: "PO-1042"},
	}

	past := body()
	past.Order, past.Head, past.At = lampOrder(), 3, 2
	past.Order.Version, past.Order.Status, past.Order.ConfirmedAt = 2, domain.Created, time.Time{}
	held := body()
	held.Head, held.Order.Version = 5, 3
	held.Hold = &views.Held{Version: 4, Type: "OrderTeleported", Schema: 9, Reason: "There is no event type OrderTeleported of schema 9.", Raw: `{"where":"the moon"}`}
	unread := views.TimelineEntry{
		EventID: "e0000000-0000-5000-8000-000000000004", Order: views.OrderName{ID: lampID}, Version: 4, Type: "OrderTeleported", Schema: 9,
		StoredAt: noon.Add(time.Minute), BusinessAt: noon.Add(time.Minute),
	}
	held.Timeline = append([]views.TimelineEntry{unread}, entries()...)
	heldForms := forms()
	blocked := domain.Blocked("This order is held at version 4: there is no event type OrderTeleported of schema 9.")
	for i := range heldForms {
		heldForms[i].Action = blocked[i]
	}
	nothing := views.OrderBody{ID: deskID, Head: 1, Hold: &views.Held{Version: 1, Type: "OrderCreated", Schema: 7, Reason: "Schema 7 is not known.", Raw: "{}"}, Timeline: []views.TimelineEntry{unread}}
	mistaken := openForms()
	mistaken[0].Typed = map[string]string{"sku": "PEN-2", "name": "Fountain pen", "quantity": "0", "price": "1.999"}
	mistaken[0].Errors = []fault.FieldError{{Field: "quantity", Message: "The quantity must be from 1 to 1,000,000."}}
	cancelled := body()
	cancelled.Order.Status, cancelled.Order.CancelledAt, cancelled.Order.CancelReason = domain.Cancelled, noon, "Ordered twice"
	cancelled.Order.Notes = []domain.Note{{Text: "Ring twice;\nleave it with the neighbour", Who: "operator", At: noon, Version: 4}, {Text: "They rang back", At: noon, Version: 9}}
	noted := entries()[0]
	noted.Version, noted.Type, noted.Schema, noted.Facts = 9, domain.TypeOrderNoteAdded, 1, []domain.Event{domain.OrderNoteAdded{Text: "They rang back"}}
	cancelled.Timeline, cancelled.Earlier = append([]views.TimelineEntry{noted, cancelledEntry()}, cancelled.Timeline...), 120

	event := oneEvent()
	unreadable := views.EventPage{Event: unread, Head: 4, Stored: `{"where":"the moon"}`, Unreadable: "There is no event type OrderTeleported of schema 9.", Effects: []views.TimelineEntry{unread}}
	census := []views.Census{{"OrderCreated", 1, 400}, {"OrderCreated", 2, 300}, {"OrderConfirmed", 2, 290}, {"OrderTeleported", 9, 1}}
	events := append([]views.TimelineEntry{unread, cancelledEntry()}, entries()...)
	perMinute := make([]projections.Count, 60)
	for i := range perMinute {
		perMinute[i] = projections.Count{N: i * i % 23, IsExact: true}
	}

	customer := views.CustomerPage{
		Row: customerRows()[0], Stamp: stampOf("customer_order_summary", projections.StampCurrent), ListStamp: stampOf("order_list", projections.StampBehind),
		Orders: rows()[:3], Next: "bmV4dA", Timeline: events[1:],
	}
	order, newOrder := frame("Order PO-1042", views.NavOrders), frame("New order", views.NavOrders)
	list := frame("Orders", views.NavOrders)
	bare := views.Frame{Title: "Orders", Nav: views.NavOrders, Theme: "dark", Assets: views.Assets{Styles: []string{"/static/app.css"}}}
	return []sample{
		{"overview", views.Overview(frame("Overview", views.NavOverview), views.OverviewPage{
			ByStatus: map[domain.Status]int{domain.Created: 12, domain.Confirmed: 1840, domain.Cancelled: 148}, Today: today,
			Value: []domain.Money{eur(12345678), {Minor: 98000, Currency: "JPY"}}, PerMinute: perMinute, Stamp: stampOf("order_list", projections.StampCurrent),
			Projections: cards(), Latest: events,
		})},
		{"overview-burst", views.Overview(frame("Overview", views.NavOverview), views.OverviewPage{
			ByStatus: map[domain.Status]int{}, Today: today, PerMinute: []projections.Count{{}, {N: 40_210, IsExact: true}, {N: 1000}},
		})},
		{"overview-empty", views.Overview(bare, views.OverviewPage{Today: today, Problems: []string{"The read store cannot answer now."}})},
		{"orders", views.Orders(list, orders)},
		{"orders-filtered", views.Orders(list, filtered)},
		{"orders-none", views.Orders(list, none)},
		{"orders-empty", views.Orders(bare, views.OrdersPage{Today: today})},
		{"orders-wrong", views.Orders(list, wrong)},
		{"orders-away", views.Orders(list, views.OrdersPage{Today: today, Problem: "The read store cannot answer now; try again in a moment."})},
		{"neworder", views.NewOrder(newOrder, views.NewOrderPage{CommandID: "d0000000-0000-4000-8000-000000000001", Products: views.SuggestionsOf(productRows())})},
		{"neworder-mistakes", views.NewOrder(newOrder, mistakes)},
		{"neworder-copy", views.NewOrder(newOrder, copied)},
		{"neworder-noitems", views.NewOrder(newOrder, views.NewOrderPage{Errors: []fault.FieldError{{Field: "items", Message: "An order needs at least one item."}}})},
		{"order", views.Order(order, views.OrderPage{Body: createdBody(), Forms: openForms(), Receipt: receipt(false), Products: views.SuggestionsOf(productRows())})},
		{"order-receipt", views.Order(order, views.OrderPage{Body: body(), Forms: forms(), Receipt: receipt(true)})},
		{"order-mistake", views.Order(order, views.OrderPage{Body: createdBody(), Forms: mistaken})},
		{"order-refused", views.Order(order, views.OrderPage{Body: body(), Forms: forms(), Problem: "This order is confirmed already."})},
		{"order-cancelled", views.Order(order, views.OrderPage{Body: cancelled, Forms: forms()})},
		{"order-at", views.Order(order, views.OrderPage{Body: past, At: &views.TimeTravel{Version: 2, Head: 3, Changes: conflict().Changes}})},
		{"order-held", views.Order(order, views.OrderPage{Body: held, Forms: heldForms})},
		{"order-unreadable", views.Order(order, views.OrderPage{Body: nothing, Forms: heldForms})},
		{"order-events", views.OrderEvents(order, views.OrderEventsPage{Name: views.OrderName{ID: lampID, Reference: "PO-1042"}, Head: 3, Events: entries(), Next: "MQ"})},
		{"event", views.Event(order, event)},
		{"event-unreadable", views.Event(order, unreadable)},
		{"events", views.Events(frame("Events", views.NavEvents), views.EventsPage{Rows: events, Next: "bmV4dA", Census: census, CensusSince: today.AddDate(0, 0, -30)})},
		{"events-none", views.Events(frame("Events", views.NavEvents), views.EventsPage{Type: "OrderConfirmed"})},
		{"correlation", views.Correlation(frame("Correlation", views.NavEvents), views.CorrelationPage{ID: "c0000000-0000-4000-8000-000000000009", Rows: events[1:]})},
		{"customers", views.Customers(frame("Customers", views.NavCustomers), views.CustomersPage{Rows: customerRows(), Total: 2, TotalIsExact: true, Stamp: stampOf("customer_order_summary", projections.StampPaused)})},
		{"customers-empty", views.Customers(frame("Customers", views.NavCustomers), views.CustomersPage{})},
		{"products", views.Products(frame("Products", views.NavProducts), views.ProductsPage{Rows: productRows(), Next: "bmV4dA", Total: 3, TotalIsExact: true, Stamp: stampOf("product_summary", projections.StampBehind)})},
		{"products-empty", views.Products(frame("Products", views.NavProducts), views.ProductsPage{Text: "sofa"})},
		{"product", views.Product(frame("LAMP-1", views.NavProducts), views.ProductPage{
			Row: productRows()[0], Stamp: stampOf("product_summary", projections.StampCurrent), Orders: rows()[:2], More: true, ListStamp: stampOf("order_list", projections.StampPaused),
		})},
		{"activity", views.Activity(frame("Activity", views.NavNone), views.ActivityPage{
			Who: "clerk", Day: "2026-01-30", Today: "2026-01-31", Before: "2026-01-29", After: "2026-01-31", MayWatch: true, Zone: zone,
			ByType: []views.TypeCount{{Type: "OrderCreated", Count: 1200}, {Type: "OrderNoteAdded", Count: 1}},
			Acts:   []views.Act{{Order: views.OrderName{ID: lampID, Reference: "PO-1042"}, Version: 3, Type: "OrderNoteAdded", At: noon}, {Order: views.OrderName{ID: chairID}, Version: 1, Type: "OrderCreated", At: noon}},
			Next:   "bmV4dA", Stamp: stampOf("activity", projections.StampCurrent),
		})},
		{"activity-none", views.Activity(frame("Activity", views.NavNone), views.ActivityPage{Who: "clerk", Day: "2026-01-31", Today: "2026-01-31", Before: "2026-01-30"})},
		{"customer", views.Customer(frame("Katherine Johnson", views.NavCustomers), customer)},
		{"projections", views.Projections(frame("Projections", views.NavProjections), views.ProjectionsPage{Cards: cards()})},
		{"projection", views.Projection(frame("Order list", views.NavProjections), views.ProjectionPage{Card: cards()[0], Holder: "till-2, process 4711, 1f0c9a52", Cursor: "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA", Holds: []projections.Hold{{Key: projections.Key{Projection: "order_list"}, OrderID: chairID, Version: 6, Reason: "There is no event type OrderTeleported of schema 9.", Since: noon}}, MoreHolds: true})},
		{"projection-noholds", views.Projection(frame("Order list", views.NavProjections), views.ProjectionPage{Card: cards()[1]})},
		{"history", views.History(frame("History", views.NavOverview), historyPage())},
		{"history-hours", views.History(frame("History", views.NavOverview), views.HistoryPage{Step: "hour"})},
		{"projection-history", views.ProjectionHistory(frame("Order list", views.NavProjections), views.ProjectionHistoryPage{
			Name: "order_list", Span: "24h", Spans: []string{"1h", "24h", "30d"}, Buckets: []views.ProjectionBucket{
				{At: noon.Add(time.Minute), Lag: projections.Lag{Events: 1203, Age: 4200 * time.Millisecond}, Rate: 812.4, Holds: 1, Batch: 38 * time.Millisecond},
				{At: noon},
			},
		})},
		{"projection-history-none", views.ProjectionHistory(frame("Order list", views.NavProjections), views.ProjectionHistoryPage{
			Name: "order_list", Span: "30d", Spans: []string{"1h", "24h", "30d"}, Hours: true,
		})},
		{"audit", views.Audit(frame("Record", views.NavNone), views.AuditPage{
			Kinds: []views.AuditKind{{What: "import", Label: "Import"}, {What: "verify", Label: "Verification"}}, Rows: operations(), Next: "bmV4dA",
		})},
		{"audit-filtered", views.Audit(frame("Record", views.NavNone), views.AuditPage{Filter: views.AuditFilter{Who: "ada", Outcome: "failed", From: "2026-03-01"}, Next: "bmV4dA"})},
		{"audit-empty", views.Audit(frame("Record", views.NavNone), views.AuditPage{})},
		{"audit-entry", views.AuditEntry(frame("Import", views.NavNone), operations()[0])},
		{"conflict", views.Conflict(order, conflict())},
		{"conflict-refused", views.Conflict(order, refusedConflict())},
		{"error", views.Error(frame("Unavailable", views.NavNone), views.ErrorPage{Kind: fault.Unavailable, Status: 503, Message: "The event store cannot answer now.", RetryIn: 2, RequestID: "req-7f3a"})},
		{"error-query", views.Error(frame("Malformed", views.NavEvents), views.ErrorPage{Kind: fault.Malformed, Status: 400, Message: "This cursor is not ours.", Fields: []fault.FieldError{{Field: "before", Message: "This cursor is not ours."}}, Next: []views.Link{{Label: "Newest events", Href: "/events"}}})},
		{"notfound", views.NotFound(frame("Not found", views.NavNone), views.NotFoundPage{Message: "There is no order 00000000.", Text: "00000000", RequestID: "req-7f3a"})},
	}
}
