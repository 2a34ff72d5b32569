// Package wire is the JSON that programs are answered with: its shapes, and how what Headway knows becomes them. It is pure, and a name or
// a shape here must never change, because programs rely on it. An absent value is null, an empty list [], a time RFC 3339 in UTC.
package wire

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/operations"
	"headway/orders"
	"headway/projections"
	"headway/projections/verify"
	"headway/views"
)

// Lag is how far a projection is behind the log.
type Lag struct {
	Events int   `json:"events"`
	MS     int64 `json:"ms"`
}

// Stamp is how fresh a row or a list is.
type Stamp struct {
	Version *int    `json:"version"`
	Head    *int    `json:"head"`
	State   string  `json:"state"`
	Behind  Lag     `json:"behind"`
	Reason  *string `json:"reason"`
}

// OrderRow is one order in a list.
type OrderRow struct {
	ID          domain.OrderID `json:"id"`
	Reference   *string        `json:"reference"`
	CustomerID  string         `json:"customerId"`
	Status      domain.Status  `json:"status"`
	ItemCount   int            `json:"itemCount"`
	Total       domain.Money   `json:"total"`
	CreatedAt   *string        `json:"createdAt"`
	ConfirmedAt *string        `json:"confirmedAt"`
	CancelledAt *string        `json:"cancelledAt"`
	Version     int            `json:"version"`
	Head        int            `json:"head"`
	Stamp       Stamp          `json:"stamp"`
}

// Orders is one page of the list of orders.
type Orders struct {
	Orders       []OrderRow `json:"orders"`
	Next         *string    `json:"next"`
	Total        int        `json:"total"`
	TotalIsExact bool       `json:"totalIsExact"`
	Stamp        Stamp      `json:"stamp"`
}

// Item is one item of an order.
type Item struct {
	SKU      string       `json:"sku"`
	Name     string       `json:"name"`
	Quantity int64        `json:"quantity"`
	Price    domain.Money `json:"price"`
}

// Order is an order as its events say.
type Order struct {
	ID           domain.OrderID `json:"id"`
	Reference    *string        `json:"reference"`
	CustomerID   string         `json:"customerId"`
	Currency     string         `json:"currency"`
	Status       domain.Status  `json:"status"`
	Items        []Item         `json:"items"`
	ItemCount    int            `json:"itemCount"`
	Total        domain.Money   `json:"total"`
	CreatedAt    *string        `json:"createdAt"`
	ConfirmedAt  *string        `json:"confirmedAt"`
	CancelledAt  *string        `json:"cancelledAt"`
	CancelReason *string        `json:"cancelReason"`
	Notes        []Note         `json:"notes"`
}

// Note is a remark on an order.
type Note struct {
	Text    string  `json:"text"`
	Who     *string `json:"who"`
	At      *string `json:"at"`
	Version int     `json:"version"`
}

// OrderPage is an order with its events and what can be done with it.
type OrderPage struct {
	Order   Order            `json:"order"`
	Version int              `json:"version"`
	Head    int              `json:"head"`
	Stamps  map[string]Stamp `json:"stamps"`
	Events  []Event          `json:"events"`
	Actions Actions          `json:"actions"`
	At      *int             `json:"at,omitempty"`
	Changes *[]views.Change  `json:"changes,omitempty"`
}

// Action is whether a command would be taken now.
type Action struct {
	Allowed bool    `json:"allowed"`
	Reason  *string `json:"reason"` // null if it is allowed
}

// Actions are what can be done with an order: an object whose names are those of domain.ActionsOf, in their order.
type Actions []domain.NamedAction

// MarshalJSON writes the object.
func (a Actions) MarshalJSON() ([]byte, error) {
	return object(a, func(n domain.NamedAction) any { return ActionOf(n.Action) })
}

// FrameActions are Actions as the live view tells them: a reason that there is none of is empty.
type FrameActions []domain.NamedAction

// MarshalJSON writes the object.
func (a FrameActions) MarshalJSON() ([]byte, error) {
	return object(a, func(n domain.NamedAction) any { return n.Action })
}

// object is a JSON object with its names in the order of the list.
func object(list []domain.NamedAction, of func(domain.NamedAction) any) ([]byte, error) {
	out := []byte{'{'}
	for i, n := range list {
		if i > 0 {
			out = append(out, ',')
		}
		value, err := json.Marshal(of(n))
		if err != nil {
			return nil, err
		}
		out = append(strconv.AppendQuote(out, n.Name), ':')
		out = append(out, value...)
	}
	return append(out, '}'), nil
}

// Event is one event.
type Event struct {
	EventID             string          `json:"eventId"`
	AggregateID         domain.OrderID  `json:"aggregateId"`
	Version             int             `json:"version"`
	EventType           string          `json:"eventType"`
	SchemaVersion       int             `json:"schemaVersion"`
	StoredSchemaVersion int             `json:"storedSchemaVersion"`
	Data                json.RawMessage `json:"data"`
	StoredAt            *string         `json:"storedAt"`
	Metadata            Metadata        `json:"metadata"`
}

// Metadata is who did it, when and why.
type Metadata struct {
	CausationID   *string `json:"causationId"`
	CorrelationID *string `json:"correlationId"`
	UserID        *string `json:"userId"`
	Timestamp     *string `json:"timestamp"`
	SeenVersion   *int    `json:"seenVersion"`
	CommandHash   *string `json:"commandHash"`
}

// Events is one page of events.
type Events struct {
	Events []Event `json:"events"`
	Next   *string `json:"next"`
}

// Operations is one page of the record of operations.
type Operations struct {
	Operations []Operation `json:"operations"`
	Next       *string     `json:"next"`
}

// Operation is one thing that was done and is no order's event.
type Operation struct {
	ID            string          `json:"id"`
	At            *string         `json:"at"`
	Who           string          `json:"who"`
	What          string          `json:"what"`
	On            *string         `json:"on"`
	Reason        *string         `json:"reason"`
	Outcome       string          `json:"outcome"`
	Before        json.RawMessage `json:"before"` // null if there is nothing to say
	After         json.RawMessage `json:"after"`
	CorrelationID string          `json:"correlationId"`
}

// OperationOf is an operation on the wire.
func OperationOf(o operations.Operation) Operation {
	return Operation{
		ID: o.ID, At: Time(o.At), Who: o.Who, What: string(o.What), On: OrNull(o.On), Reason: OrNull(o.Reason), Outcome: string(o.Outcome),
		Before: orNullJSON(o.Before), After: orNullJSON(o.After), CorrelationID: o.CorrelationID,
	}
}

func orNullJSON(text json.RawMessage) json.RawMessage {
	if len(text) == 0 {
		return json.RawMessage("null")
	}
	return text
}

// EventPage is one event as stored and as it is read today.
type EventPage struct {
	Stored Event  `json:"stored"`
	Upcast *Event `json:"upcast"` // null if it cannot be read
}

// Receipt is the answer to a command that is stored.
type Receipt struct {
	OrderID     domain.OrderID               `json:"orderId"`
	Version     int                          `json:"version"`
	Events      []string                     `json:"events"`
	Projections map[string]ReceiptProjection `json:"projections"`
	Searchable  bool                         `json:"searchable"`
}

// ReceiptProjection is where a stored command has arrived.
type ReceiptProjection struct {
	Version *int   `json:"version"`
	Current bool   `json:"current"`
	MS      *int64 `json:"ms"` // from the append to the row; null until it is known
}

// Conflict is what happened to an order since it was seen.
type Conflict struct {
	Seen      int     `json:"seen"`
	Head      int     `json:"head"`
	Since     []Event `json:"since"`
	Redecided Action  `json:"redecided"`
}

// Customer is one customer.
type Customer struct {
	ID          string         `json:"id"`
	TotalOrders int            `json:"totalOrders"`
	Created     int            `json:"created"`
	Confirmed   int            `json:"confirmed"`
	Cancelled   int            `json:"cancelled"`
	TotalSpent  []domain.Money `json:"totalSpent"`
	LastOrderAt *string        `json:"lastOrderAt"`
	Stamp       Stamp          `json:"stamp"`
}

// Customers is one page of the list of customers.
type Customers struct {
	Customers    []Customer `json:"customers"`
	Next         *string    `json:"next"`
	Total        int        `json:"total"`
	TotalIsExact bool       `json:"totalIsExact"`
}

// CustomerPage is a customer with a page of orders.
type CustomerPage struct {
	Customer Customer   `json:"customer"`
	Orders   []OrderRow `json:"orders"`
	Next     *string    `json:"next"`
}

// Product is one product.
type Product struct {
	SKU           string         `json:"sku"`
	Name          string         `json:"name"`
	Orders        int            `json:"orders"`
	Quantity      int64          `json:"quantity"`
	Value         []domain.Money `json:"value"`
	LastPrice     []domain.Money `json:"lastPrice"`
	LastOrderedAt *string        `json:"lastOrderedAt"`
	Stamp         Stamp          `json:"stamp"`
}

// ProductOf is a product on the wire.
func ProductOf(p projections.ProductRow, stamp projections.Stamp) Product {
	same := func(m domain.Money) domain.Money { return m }
	return Product{
		SKU: p.SKU, Name: p.Last().Name, Orders: p.Orders, Quantity: p.Quantity, Value: ListOf(p.Value, same),
		LastPrice:     ListOf(p.LastPrices(), same),
		LastOrderedAt: Time(p.Last().At), Stamp: StampOf(stamp),
	}
}

// Products is one page of the list of products.
type Products struct {
	Products     []Product `json:"products"`
	Next         *string   `json:"next"`
	Total        int       `json:"total"`
	TotalIsExact bool      `json:"totalIsExact"`
}

// ProductPage is one product.
type ProductPage struct {
	Product Product `json:"product"`
}

// Act is one event that a person's command stored.
type Act struct {
	OrderID   domain.OrderID `json:"orderId"`
	Version   int            `json:"version"`
	EventType string         `json:"eventType"`
	At        *string        `json:"at"`
}

// Activity is what a person did on a day.
type Activity struct {
	Who    string         `json:"who"`
	Day    string         `json:"day"`
	Events []Act          `json:"events"`
	ByType map[string]int `json:"byType"`
	Next   *string        `json:"next"`
}

// Hold is an order that a projection holds.
type Hold struct {
	OrderID domain.OrderID `json:"orderId"`
	Version int            `json:"version"`
	Reason  string         `json:"reason"`
	Since   *string        `json:"since"`
}

// Projection is one projection.
type Projection struct {
	Name        string  `json:"name"`
	State       string  `json:"state"`
	Reason      *string `json:"reason"`
	Lag         Lag     `json:"lag"`
	Rate        float64 `json:"rate"`
	HeartbeatAt *string `json:"heartbeatAt"`
	Cursor      *string `json:"cursor"`
	Holds       []Hold  `json:"holds"`
	Progress    *struct {
		Done  int `json:"done"`
		Total int `json:"total"`
	} `json:"progress"`
}

// Projections are all of them.
type Projections struct {
	Projections []Projection `json:"projections"`
}

// NewOrder is what the form of a new order begins with.
type NewOrder struct {
	CommandID  string    `json:"commandId"`
	Currency   string    `json:"currency"`
	CustomerID *string   `json:"customerId"`
	Items      []NewItem `json:"items"`
}

// NewItem is one item as a form has it.
type NewItem struct {
	Name     string `json:"name"`
	Price    string `json:"price"`
	Quantity string `json:"quantity"`
	SKU      string `json:"sku"`
}

// Readiness is whether the console can be used, part by part.
type Readiness struct {
	Parts map[string]string `json:"parts"`
	Ready bool              `json:"ready"`
}

// Overview is the first page.
type Overview struct {
	Statuses        map[domain.Status]int `json:"statuses"`
	Today           []domain.Money        `json:"today"`
	EventsPerMinute []*int                `json:"eventsPerMinute"` // null: not known
	Projections     []Projection          `json:"projections"`
	Events          []Event               `json:"events"`
}

// Problem is an error as application/problem+json.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Error  Error  `json:"error"`

	*Conflict // only for a conflict
}

// Error is what went wrong and where.
type Error struct {
	Kind      string             `json:"kind"`
	Message   string             `json:"message"`
	Field     *string            `json:"field"`
	Fields    []fault.FieldError `json:"fields"`
	RequestID string             `json:"requestId"`
}

// ProblemOf is an error of that status; requestID finds it in the log.
func ProblemOf(status int, kind, message string, fields []fault.FieldError, requestID string) Problem {
	p := Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: message,
		Error: Error{Kind: kind, Message: message, Fields: fields, RequestID: requestID},
	}
	if len(fields) > 0 {
		p.Error.Field = &fields[0].Field
	} else {
		p.Error.Fields = []fault.FieldError{}
	}
	return p
}

// OrNull is nil for the zero value.
func OrNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// ListOf maps a list; the result is never nil.
func ListOf[A, B any](in []A, f func(A) B) []B {
	out := make([]B, 0, len(in))
	for _, a := range in {
		out = append(out, f(a))
	}
	return out
}

// Time is a time as it is written; nil for none.
func Time(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return OrNull(t.UTC().Format(time.RFC3339Nano))
}

// LagOf is a lag in its shape.
func LagOf(l projections.Lag) Lag { return Lag{l.Events, Millis(l.Age)} }

// StampOf is a stamp in its shape.
func StampOf(s projections.Stamp) Stamp {
	return Stamp{OrNull(s.Version), OrNull(s.Head), string(s.State), LagOf(s.Behind), OrNull(s.Reason)}
}

// OrderRowOf is a row with its stamp.
func OrderRowOf(r projections.OrderRow, s projections.Stamp) OrderRow {
	return OrderRow{
		ID: r.ID, Reference: OrNull(r.Reference), CustomerID: r.CustomerID, Status: r.Status, ItemCount: r.ItemCount, Total: r.Total,
		CreatedAt: Time(r.CreatedAt), ConfirmedAt: Time(r.ConfirmedAt), CancelledAt: Time(r.CancelledAt),
		Version: r.Version, Head: s.Head, Stamp: StampOf(s),
	}
}

// OrderOf is an order in its shape.
func OrderOf(o domain.Order) Order {
	return Order{
		ID: o.ID, Reference: OrNull(o.Reference), CustomerID: o.CustomerID, Currency: string(o.Currency), Status: o.Status,
		Items:     ListOf(o.Items, func(i domain.Item) Item { return Item(i) }),
		ItemCount: len(o.Items), Total: o.Total, CancelReason: OrNull(o.CancelReason),
		CreatedAt: Time(o.CreatedAt), ConfirmedAt: Time(o.ConfirmedAt), CancelledAt: Time(o.CancelledAt),
		Notes: ListOf(o.Notes, func(n domain.Note) Note { return Note{n.Text, OrNull(n.Who), Time(n.At), n.Version} }),
	}
}

// ActionOf is an action in its shape.
func ActionOf(a domain.Action) Action { return Action{a.Allowed, OrNull(a.Reason)} }

// StoredEvent is a record exactly as it is kept; data that is not JSON becomes a string.
func StoredEvent(r eventstore.Record) Event {
	data := json.RawMessage(r.Data)
	if !utf8.Valid(r.Data) || !json.Valid(r.Data) {
		data, _ = json.Marshal(string(r.Data)) //nolint:errchkjson // a string always encodes
	}
	m := r.Metadata
	return Event{
		EventID: r.EventID, AggregateID: orders.IDOf(r.Stream), Version: r.Version, EventType: r.EventType,
		SchemaVersion: r.SchemaVersion, StoredSchemaVersion: r.SchemaVersion, Data: data, StoredAt: Time(r.StoredAt),
		Metadata: Metadata{
			OrNull(m.CausationID), OrNull(m.CorrelationID), OrNull(m.UserID), Time(m.Timestamp),
			OrNull(m.SeenVersion), OrNull(m.CommandHash),
		},
	}
}

// UpcastEvent is a record as it is read today; one that cannot be read is as stored. If its type is no fact of its own any more, its data
// is the list of its facts.
func UpcastEvent(codec domain.Codec, r eventstore.Record) Event {
	e := StoredEvent(r)
	if schema, data, err := codec.Upcast(orders.RawOf(r)); err == nil {
		e.Data = data
		if schema > 0 {
			e.SchemaVersion = schema
		}
	}
	return e
}

// EventsOf are records as they are read today.
func EventsOf(codec domain.Codec, records []eventstore.Record) []Event {
	return ListOf(records, func(r eventstore.Record) Event { return UpcastEvent(codec, r) })
}

// CustomerOf is a row with its stamp.
func CustomerOf(r projections.CustomerRow, s projections.Stamp) Customer {
	return Customer{
		ID: r.ID, TotalOrders: r.TotalOrders, Created: r.Created, Confirmed: r.Confirmed, Cancelled: r.Cancelled,
		TotalSpent:  ListOf(r.TotalSpent, func(m domain.Money) domain.Money { return m }),
		LastOrderAt: Time(r.LastOrderAt), Stamp: StampOf(s),
	}
}

// ProjectionOf is a status in its shape.
func ProjectionOf(st projections.Status) Projection {
	return Projection{
		Name: st.Name, State: string(st.State), Reason: OrNull(st.Reason), Lag: LagOf(st.Lag), Rate: st.Rate,
		HeartbeatAt: Time(st.HeartbeatAt), Cursor: OrNull(string(st.Cursor)), Holds: ListOf(st.Holds, HoldOf),
	}
}

// HoldOf is a hold in its shape.
func HoldOf(h projections.Hold) Hold {
	return Hold{h.OrderID, h.Version, h.Reason, Time(h.Since)}
}

// Verification is what a comparison of all rows with the log found.
type Verification struct {
	Clean       bool           `json:"clean"`
	Orders      int            `json:"orders"`
	Events      int            `json:"events"`
	Rows        int            `json:"rows"`
	Customers   int            `json:"customers"`
	Holds       []VerifiedHold `json:"holds"`
	Differences []Difference   `json:"differences"`
	Unnamed     int            `json:"unnamed"` // differences beyond those that are listed
}

// VerifiedHold is an order that a projection holds.
type VerifiedHold struct {
	Projection string         `json:"projection"`
	OrderID    domain.OrderID `json:"orderId"`
	Version    int            `json:"version"`
	Reason     string         `json:"reason"`
	Since      time.Time      `json:"since"`
}

// Difference is one place where a row is not what the log says.
type Difference struct {
	Projection string `json:"projection"`
	ID         string `json:"id"`    // of the order or customer
	Field      string `json:"field"` // empty: the whole row
	Want       string `json:"want"`
	Got        string `json:"got"`
}

// VerificationOf is a report in its shape.
func VerificationOf(r verify.Report) Verification {
	v := Verification{
		Clean: r.Clean(), Orders: r.Orders, Events: r.Events, Rows: r.Rows, Customers: r.Sums[projections.CustomerOrderSummary],
		Unnamed: r.Unnamed,
		Holds:   []VerifiedHold{}, Differences: []Difference{},
	}
	for _, h := range r.Holds {
		v.Holds = append(v.Holds, VerifiedHold{h.Projection, h.OrderID, h.Version, h.Reason, h.Since.UTC()})
	}
	for _, d := range r.Differences {
		v.Differences = append(v.Differences, Difference(d))
	}
	return v
}

// Millis is a duration in whole milliseconds, at least 0.
func Millis(d time.Duration) int64 { return max(d.Milliseconds(), 0) }
