package main

import (
	"encoding/json"
	"time"
	"unicode/utf8"

	"headway/domain"
	"headway/eventstore"
	"headway/projections"
	"headway/views"
)

// The shapes of the answers. An absent value is null, an empty list [], a time RFC 3339 in UTC.

type lagJSON struct {
	Events int   `json:"events"`
	MS     int64 `json:"ms"`
}

type stampJSON struct {
	Version *int    `json:"version"`
	Head    *int    `json:"head"`
	State   string  `json:"state"`
	Behind  lagJSON `json:"behind"`
	Reason  *string `json:"reason"`
}

type orderRowJSON struct {
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
	Stamp       stampJSON      `json:"stamp"`
}

type ordersJSON struct {
	Orders       []orderRowJSON `json:"orders"`
	Next         *string        `json:"next"`
	Total        int            `json:"total"`
	TotalIsExact bool           `json:"totalIsExact"`
	Stamp        stampJSON      `json:"stamp"`
}

type itemJSON struct {
	SKU      string       `json:"sku"`
	Name     string       `json:"name"`
	Quantity int64        `json:"quantity"`
	Price    domain.Money `json:"price"`
}

type orderJSON struct {
	ID           domain.OrderID `json:"id"`
	Reference    *string        `json:"reference"`
	CustomerID   string         `json:"customerId"`
	Currency     string         `json:"currency"`
	Status       domain.Status  `json:"status"`
	Items        []itemJSON     `json:"items"`
	ItemCount    int            `json:"itemCount"`
	Total        domain.Money   `json:"total"`
	CreatedAt    *string        `json:"createdAt"`
	ConfirmedAt  *string        `json:"confirmedAt"`
	CancelledAt  *string        `json:"cancelledAt"`
	CancelReason *string        `json:"cancelReason"`
}

type orderPageJSON struct {
	Order   orderJSON            `json:"order"`
	Version int                  `json:"version"`
	Head    int                  `json:"head"`
	Stamps  map[string]stampJSON `json:"stamps"`
	Events  []eventJSON          `json:"events"`
	Actions actionsJSON          `json:"actions"`
	At      *int                 `json:"at,omitempty"`
	Changes *[]views.Change      `json:"changes,omitempty"`
}

type actionJSON struct {
	Allowed bool    `json:"allowed"`
	Reason  *string `json:"reason"` // null if it is allowed
}

type actionsJSON struct {
	AddItem actionJSON `json:"addItem"`
	Confirm actionJSON `json:"confirm"`
	Cancel  actionJSON `json:"cancel"`
}

type eventJSON struct {
	EventID             string          `json:"eventId"`
	AggregateID         domain.OrderID  `json:"aggregateId"`
	Version             int             `json:"version"`
	EventType           string          `json:"eventType"`
	SchemaVersion       int             `json:"schemaVersion"`
	StoredSchemaVersion int             `json:"storedSchemaVersion"`
	Data                json.RawMessage `json:"data"`
	StoredAt            *string         `json:"storedAt"`
	Metadata            metadataJSON    `json:"metadata"`
}

type metadataJSON struct {
	CausationID   *string `json:"causationId"`
	CorrelationID *string `json:"correlationId"`
	UserID        *string `json:"userId"`
	Timestamp     *string `json:"timestamp"`
	SeenVersion   *int    `json:"seenVersion"`
	CommandHash   *string `json:"commandHash"`
}

type eventsJSON struct {
	Events []eventJSON `json:"events"`
	Next   *string     `json:"next"`
}

type eventPageJSON struct {
	Stored eventJSON  `json:"stored"`
	Upcast *eventJSON `json:"upcast"` // null if it cannot be read
}

type receiptJSON struct {
	OrderID     domain.OrderID                   `json:"orderId"`
	Version     int                              `json:"version"`
	Events      []string                         `json:"events"`
	Projections map[string]receiptProjectionJSON `json:"projections"`
	Searchable  bool                             `json:"searchable"`
}

type receiptProjectionJSON struct {
	Version *int   `json:"version"`
	Current bool   `json:"current"`
	MS      *int64 `json:"ms"` // from the append to the row; null until it is known
}

type conflictJSON struct {
	Seen      int         `json:"seen"`
	Head      int         `json:"head"`
	Since     []eventJSON `json:"since"`
	Redecided actionJSON  `json:"redecided"`
}

type customerJSON struct {
	ID          string         `json:"id"`
	TotalOrders int            `json:"totalOrders"`
	Created     int            `json:"created"`
	Confirmed   int            `json:"confirmed"`
	Cancelled   int            `json:"cancelled"`
	TotalSpent  []domain.Money `json:"totalSpent"`
	LastOrderAt *string        `json:"lastOrderAt"`
	Stamp       stampJSON      `json:"stamp"`
}

type customersJSON struct {
	Customers    []customerJSON `json:"customers"`
	Next         *string        `json:"next"`
	Total        int            `json:"total"`
	TotalIsExact bool           `json:"totalIsExact"`
}

type customerPageJSON struct {
	Customer customerJSON   `json:"customer"`
	Orders   []orderRowJSON `json:"orders"`
	Next     *string        `json:"next"`
}

type holdJSON struct {
	OrderID domain.OrderID `json:"orderId"`
	Version int            `json:"version"`
	Reason  string         `json:"reason"`
	Since   *string        `json:"since"`
}

type projectionJSON struct {
	Name        string     `json:"name"`
	State       string     `json:"state"`
	Reason      *string    `json:"reason"`
	Lag         lagJSON    `json:"lag"`
	Rate        float64    `json:"rate"`
	HeartbeatAt *string    `json:"heartbeatAt"`
	Cursor      *string    `json:"cursor"`
	Holds       []holdJSON `json:"holds"`
	Progress    *struct {
		Done  int `json:"done"`
		Total int `json:"total"`
	} `json:"progress"`
}

type overviewJSON struct {
	Statuses        map[domain.Status]int `json:"statuses"`
	Today           []domain.Money        `json:"today"`
	EventsPerMinute []int                 `json:"eventsPerMinute"`
	Projections     []projectionJSON      `json:"projections"`
	Events          []eventJSON           `json:"events"`
}

// orNull is nil for the zero value.
func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// listOf maps a list; the result is never nil.
func listOf[A, B any](in []A, f func(A) B) []B {
	out := make([]B, 0, len(in))
	for _, a := range in {
		out = append(out, f(a))
	}
	return out
}

func timeJSON(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return orNull(t.UTC().Format(time.RFC3339Nano))
}

func lagOf(l projections.Lag) lagJSON { return lagJSON{l.Events, millis(l.Age)} }

func stampOf(s projections.Stamp) stampJSON {
	return stampJSON{orNull(s.Version), orNull(s.Head), string(s.State), lagOf(s.Behind), orNull(s.Reason)}
}

func orderRowOf(r projections.OrderRow, s projections.Stamp) orderRowJSON {
	return orderRowJSON{
		ID: r.ID, Reference: orNull(r.Reference), CustomerID: r.CustomerID, Status: r.Status, ItemCount: r.ItemCount, Total: r.Total,
		CreatedAt: timeJSON(r.CreatedAt), ConfirmedAt: timeJSON(r.ConfirmedAt), CancelledAt: timeJSON(r.CancelledAt),
		Version: r.Version, Head: s.Head, Stamp: stampOf(s),
	}
}

func orderOf(o domain.Order) orderJSON {
	return orderJSON{
		ID: o.ID, Reference: orNull(o.Reference), CustomerID: o.CustomerID, Currency: string(o.Currency), Status: o.Status,
		Items:     listOf(o.Items, func(i domain.Item) itemJSON { return itemJSON(i) }),
		ItemCount: len(o.Items), Total: o.Total, CancelReason: orNull(o.CancelReason),
		CreatedAt: timeJSON(o.CreatedAt), ConfirmedAt: timeJSON(o.ConfirmedAt), CancelledAt: timeJSON(o.CancelledAt),
	}
}

func actionOf(a domain.Action) actionJSON { return actionJSON{a.Allowed, orNull(a.Reason)} }

func actionsJSONOf(a domain.Actions) actionsJSON {
	return actionsJSON{actionOf(a.AddItem), actionOf(a.Confirm), actionOf(a.Cancel)}
}

// storedEvent is a record exactly as it is kept; data that is not JSON becomes a string.
func storedEvent(r eventstore.Record) eventJSON {
	data := json.RawMessage(r.Data)
	if !utf8.Valid(r.Data) || !json.Valid(r.Data) {
		data, _ = json.Marshal(string(r.Data)) //nolint:errchkjson // a string always encodes
	}
	m := r.Metadata
	return eventJSON{
		EventID: r.EventID, AggregateID: r.OrderID, Version: r.Version, EventType: r.EventType,
		SchemaVersion: r.SchemaVersion, StoredSchemaVersion: r.SchemaVersion, Data: data, StoredAt: timeJSON(r.StoredAt),
		Metadata: metadataJSON{
			orNull(string(m.CausationID)), orNull(m.CorrelationID), orNull(m.UserID), timeJSON(m.Timestamp),
			orNull(m.SeenVersion), orNull(m.CommandHash),
		},
	}
}

// upcastEvent is a record as it is read today; one that cannot be read is as stored.
func upcastEvent(codec domain.Codec, r eventstore.Record) eventJSON {
	e := storedEvent(r)
	if schema, data, err := codec.Upcast(r.Raw()); err == nil {
		e.SchemaVersion, e.Data = schema, data
	}
	return e
}

func (s *server) eventsOf(records []eventstore.Record) []eventJSON {
	return listOf(records, func(r eventstore.Record) eventJSON { return upcastEvent(s.codec, r) })
}

func customerOf(r projections.CustomerRow, s projections.Stamp) customerJSON {
	return customerJSON{
		ID: r.ID, TotalOrders: r.TotalOrders, Created: r.Created, Confirmed: r.Confirmed, Cancelled: r.Cancelled,
		TotalSpent:  listOf(r.TotalSpent, func(m domain.Money) domain.Money { return m }),
		LastOrderAt: timeJSON(r.LastOrderAt), Stamp: stampOf(s),
	}
}

func holdOf(h projections.Hold) holdJSON {
	return holdJSON{h.OrderID, h.Version, h.Reason, timeJSON(h.Since)}
}
