package domain

import "headway/fault"

// ConfirmOrder confirms a created order.
type ConfirmOrder struct{}

// Kind is the command's name.
func (ConfirmOrder) Kind() string { return "confirm" }

// Check finds nothing to complain about.
func (ConfirmOrder) Check() error { return nil }

// Decide allows it only while the order is created.
func (c ConfirmOrder) Decide(o Order) ([]Event, error) {
	if err := c.Allowed(o); err != nil {
		return nil, err
	}
	return []Event{OrderConfirmed{}}, nil
}

// Allowed is nil only while the order is created.
func (ConfirmOrder) Allowed(o Order) error {
	switch {
	case !o.Exists():
		return errNoOrder()
	case o.Status == Created:
		return nil
	case o.Status == Confirmed:
		return fault.Errorf(fault.Refused, "This order is confirmed already.")
	}
	return fault.Errorf(fault.Refused, "Only a created order can be confirmed; this one is %s.", o.Status)
}
