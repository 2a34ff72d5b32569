package domain

import "headway/fault"

// CancelOrder ends an order, with a reason.
type CancelOrder struct {
	Reason string `json:"reason"`
}

// Kind is the command's name.
func (CancelOrder) Kind() string { return "cancel" }

// Check is Invalid without a reason, or with one that is too long.
func (c CancelOrder) Check() error {
	var f fieldErrors
	f.paragraph("reason", "The reason", c.Reason, MaxReasonLength)
	return f.err()
}

// Decide allows it unless the order is cancelled already.
func (c CancelOrder) Decide(o Order) ([]Event, error) {
	if err := c.Allowed(o); err != nil {
		return nil, err
	}
	if err := c.Check(); err != nil {
		return nil, err
	}
	return []Event{OrderCancelled{Reason: c.Reason}}, nil
}

// Allowed is nil unless the order is cancelled already.
func (CancelOrder) Allowed(o Order) error {
	switch {
	case !o.Exists():
		return errNoOrder()
	case o.Status == Cancelled:
		return fault.Errorf(fault.Refused, "This order is cancelled already.")
	}
	return nil
}
