package domain

import "time"

// Origin is what a fold takes from the metadata of an event.
type Origin struct {
	At time.Time // business time
	By string    // the user who gave the command
}

// Event is a fact about one order, in the past tense. Only the types of this package are events; only Order.Apply applies them.
type Event interface {
	// Type is the event's name on the wire.
	Type() string
	apply(o *Order, from Origin) error
}

// The names of the event types on the wire.
const (
	TypeOrderCreated   = "OrderCreated"
	TypeOrderItemAdded = "OrderItemAdded"
	TypeOrderConfirmed = "OrderConfirmed"
	TypeOrderCancelled = "OrderCancelled"
	TypeOrderNoteAdded = "OrderNoteAdded"
)

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

// OrderNoteAdded is a remark; it changes nothing that a rule looks at.
type OrderNoteAdded struct {
	Text string `json:"text"`
}

func (OrderCreated) Type() string   { return TypeOrderCreated }
func (OrderItemAdded) Type() string { return TypeOrderItemAdded }
func (OrderConfirmed) Type() string { return TypeOrderConfirmed }
func (OrderCancelled) Type() string { return TypeOrderCancelled }
func (OrderNoteAdded) Type() string { return TypeOrderNoteAdded }

func (e OrderCreated) apply(o *Order, from Origin) error {
	o.Reference, o.CustomerID, o.Currency = e.Reference, e.CustomerID, e.Currency
	o.Status, o.CreatedAt = Created, from.At
	o.Total = Money{Currency: e.Currency}
	for _, item := range e.Items {
		if err := o.addItem(item); err != nil {
			return err
		}
	}
	return nil
}

func (e OrderItemAdded) apply(o *Order, _ Origin) error { return o.addItem(e.Item) }

func (OrderConfirmed) apply(o *Order, from Origin) error {
	o.Status, o.ConfirmedAt = Confirmed, from.At
	return nil
}

func (e OrderCancelled) apply(o *Order, from Origin) error {
	o.Status, o.CancelledAt, o.CancelReason = Cancelled, from.At, e.Reason
	return nil
}

func (e OrderNoteAdded) apply(o *Order, from Origin) error {
	o.Notes = append(o.Notes, Note{Text: e.Text, Who: from.By, At: from.At, Version: o.Version})
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
