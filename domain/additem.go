package domain

import "headway/fault"

// AddItem adds one line, in the order's currency, while the order is created.
type AddItem struct {
	Item Item `json:"item"`
}

// Kind is the command's name.
func (AddItem) Kind() string { return "add-item" }

// Check is Invalid with every wrong field.
func (c AddItem) Check() error {
	var f fieldErrors
	f.item("", c.Item)
	return f.err()
}

// Decide allows it only while the order is created.
func (c AddItem) Decide(o Order) ([]Event, error) {
	if err := c.Allowed(o); err != nil {
		return nil, err
	}
	var f fieldErrors
	f.item("", c.Item)
	total := o.Total
	f.total("", &total, c.Item)
	if err := f.err(); err != nil {
		return nil, err
	}
	return []Event{OrderItemAdded{Item: c.Item}}, nil
}

// Allowed is nil only while the order is created.
func (AddItem) Allowed(o Order) error {
	switch {
	case !o.Exists():
		return errNoOrder()
	case o.Status == Created:
		return nil
	}
	return fault.Errorf(fault.Refused, "Items can be added only while an order is created; this one is %s.", o.Status)
}
