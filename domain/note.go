package domain

import "headway/fault"

// AddNote writes a remark down beside an order, whatever its status: one to MaxNoteLength characters, several lines if need be.
type AddNote struct {
	Text string `json:"text"`
}

// Kind is the command's name.
func (AddNote) Kind() string { return "note" }

// Check is Invalid without a text, or with one that is too long.
func (c AddNote) Check() error {
	var f fieldErrors
	f.paragraph("text", "The note", c.Text, MaxNoteLength)
	return f.err()
}

// Decide allows it on every order that exists and has few enough events.
func (c AddNote) Decide(o Order) ([]Event, error) {
	if err := c.Allowed(o); err != nil {
		return nil, err
	}
	if err := c.Check(); err != nil {
		return nil, err
	}
	return []Event{OrderNoteAdded{Text: c.Text}}, nil
}

// Allowed is nil while the order has room for notes, whatever its status.
func (AddNote) Allowed(o Order) error {
	switch {
	case !o.Exists():
		return errNoOrder()
	case o.Version >= MaxNotedEvents:
		return fault.Errorf(fault.Refused, "Notes end at %s events of an order; this one has %s.", fault.Number(MaxNotedEvents),
			fault.Number(o.Version))
	}
	return nil
}

// NeedsVersion tells whether a command is made for one version of its order. A note is not: it can be written down whatever came in
// between.
func NeedsVersion(c Command) bool {
	_, note := c.(AddNote)
	return !note
}

// OnlyNotes tells whether facts change nothing that a decision looks at, because they are notes, or none at all. An order that moved on by
// such facts is where it was.
func OnlyNotes(facts []Event) bool {
	for _, fact := range facts {
		if _, note := fact.(OrderNoteAdded); !note {
			return false
		}
	}
	return true
}
