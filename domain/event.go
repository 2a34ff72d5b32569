package domain

import "time"

// SchemaVersion is the version of every event type's data that Headway writes.
const SchemaVersion = 2

// historicSchema is the first version: prices as decimal numbers, no currency, no event ids, and cancellations without a reason.
const historicSchema = 1

// Event is a fact about one order, in the past tense. Only the types of this package are events; only Order.Apply applies them.
type Event interface {
	// Type is the event's name on the wire.
	Type() string
	apply(o *Order, at time.Time) error
}

// The names of the event types on the wire.
const (
	TypeOrderCreated   = "OrderCreated"
	TypeOrderItemAdded = "OrderItemAdded"
	TypeOrderConfirmed = "OrderConfirmed"
	TypeOrderCancelled = "OrderCancelled"
)

// EventTypes lists the types in the order of an order's life.
func EventTypes() []string {
	return []string{TypeOrderCreated, TypeOrderItemAdded, TypeOrderConfirmed, TypeOrderCancelled}
}

// OrderCreated begins an order.
type OrderCreated struct {
	CustomerID string   `json:"customerId"`
	Currency   Currency `json:"currency"`
	Reference  string   `json:"reference"`
	Items      []Item   `json:"items"`
}

// OrderItemAdded adds one line.
type OrderItemAdded struct {
	Item Item `json:"item"`
}

// OrderConfirmed ends the time in which lines can be added.
type OrderConfirmed struct{}

// OrderCancelled ends the order.
type OrderCancelled struct {
	Reason string `json:"reason"`
}

func (OrderCreated) Type() string   { return TypeOrderCreated }
func (OrderItemAdded) Type() string { return TypeOrderItemAdded }
func (OrderConfirmed) Type() string { return TypeOrderConfirmed }
func (OrderCancelled) Type() string { return TypeOrderCancelled }

func (e OrderCreated) apply(o *Order, at time.Time) error {
	o.Reference, o.CustomerID, o.Currency = e.Reference, e.CustomerID, e.Currency
	o.Status, o.CreatedAt = Created, at
	o.Total = Money{Currency: e.Currency}
	for _, item := range e.Items {
		if err := o.addItem(item); err != nil {
			return err
		}
	}
	return nil
}

func (e OrderItemAdded) apply(o *Order, _ time.Time) error { return o.addItem(e.Item) }

func (OrderConfirmed) apply(o *Order, at time.Time) error {
	o.Status, o.ConfirmedAt = Confirmed, at
	return nil
}

func (e OrderCancelled) apply(o *Order, at time.Time) error {
	o.Status, o.CancelledAt, o.CancelReason = Cancelled, at, e.Reason
	return nil
}

func (o *Order) addItem(item Item) error {
	line, err := item.Total()
	if err != nil {
		return err
	}
	total, err := o.Total.Plus(line)
	if err != nil {
		return err
	}
	o.Items, o.Total = append(o.Items, item), total
	return nil
}
