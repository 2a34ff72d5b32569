package views

import (
	"headway/domain"
	"headway/fault"
)

// NewOrderPage is GET /orders/new, and what POST /orders answers when nothing was stored: after a line was added or removed, or
// with Errors. Everything is as typed.
type NewOrderPage struct {
	CommandID  string
	CustomerID string
	Currency   string
	Reference  string
	Lines      []Line   // at least one is shown
	Customers  []string // suggestions
	Products   []Suggestion
	Total      *domain.Money      // of the lines; nil if it cannot be told yet
	Errors     []fault.FieldError // by the field names of the form: customerId, items, items[0].price …
	Problem    string             // a sentence about no field, such as a store that is away
	CopyOf     *OrderName         // the order this one is a duplicate of
}

// Line is one line of an order as typed.
type Line struct{ SKU, Name, Quantity, Price string }

// OrderName is what an order is called: its reference if it has one, else its id.
type OrderName struct {
	ID        domain.OrderID
	Reference string
}
