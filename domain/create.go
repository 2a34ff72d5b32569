package domain

import (
	"fmt"
	"headway/fault"
	"slices"
)

// CreateOrder begins an order for a customer with at least one item, all in one currency.
type CreateOrder struct {
	CustomerID string   `json:"customerId"`
	Currency   Currency `json:"currency"`
	Reference  string   `json:"reference"` // the number people know the order by; may be empty
	Items      []Item   `json:"items"`
}

// Kind is the command's name.
func (CreateOrder) Kind() string { return "create" }

// Check is Invalid with every wrong field.
func (c CreateOrder) Check() error {
	var f fieldErrors
	f.line("customerId", "The customer", c.CustomerID, 1, MaxNameLength)
	f.line("reference", "The reference", c.Reference, 0, MaxReferenceLength)
	known := c.Currency.Known()
	if !known {
		f.add("currency", "%s", errUnknownCurrency(c.Currency).Message)
	}
	switch {
	case len(c.Items) == 0:
		f.add("items", "An order needs at least one item.")
	case len(c.Items) > MaxCommandItems:
		f.add("items", "One command can carry at most %d items, not %s.", MaxCommandItems, fault.Number(len(c.Items)))
	default:
		total := Money{Currency: c.Currency}
		for i, item := range c.Items {
			f.item(fmt.Sprintf("items[%d].", i), item)
			if known {
				f.total(fmt.Sprintf("items[%d].", i), &total, item)
			}
		}
	}
	return f.err()
}

// Allowed is nil only for an order that does not exist.
func (CreateOrder) Allowed(o Order) error {
	if o.Exists() {
		return fault.Errorf(fault.Refused, "This order exists already.")
	}
	return nil
}

// Decide refuses to create an order a second time.
func (c CreateOrder) Decide(o Order) ([]Event, error) {
	if err := c.Allowed(o); err != nil {
		return nil, err
	}
	if err := c.Check(); err != nil {
		return nil, err
	}
	return []Event{OrderCreated{
		CustomerID: c.CustomerID, Currency: c.Currency, Reference: c.Reference, Items: slices.Clone(c.Items),
	}}, nil
}
