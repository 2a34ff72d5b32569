package domain

// Command is what a person asks of one order. Deciding is pure: the same code serves the write path, the preview, the
// state of each button and the conflict page. Only the types of this package are commands.
type Command interface {
	// Kind is the command's stable name: create, add-item, confirm, cancel, note. It is part of the content hash.
	Kind() string
	// Check looks at the command alone. Invalid, with every wrong field, or nil.
	Check() error
	// Allowed is the rule of the order alone, whatever the command carries: nil, NotFound for anything but a create on an order that does not
	// exist, or Refused with the rule that blocks it.
	Allowed(o Order) error
	// Decide gives the events that the command causes on this order, and shares no memory with either. The order is asked first,
	// by Allowed; then Invalid, with every wrong field, from Check and from what only the order can tell. Never an empty list with a nil
	// error.
	Decide(o Order) ([]Event, error)
}

// Commands are the kinds of commands on an order that exists, empty, in the order in which pages and JSON list them. CreateOrder is none of
// them.
func Commands() []Command {
	return []Command{AddItem{}, ConfirmOrder{}, CancelOrder{}, AddNote{}}
}
