package views

import (
	"slices"

	"headway/domain"
	"headway/fault"
)

// CommandForm is how pages ask for one kind of command on an order: its words and its fields.
type CommandForm struct {
	Ask     string         // opens the form: "Add an item"
	Button  string         // sends it: "Add item"
	Again   string         // sends it once more, at a newer head: "Add this item"
	Refused string         // above what is wrong with its fields: "The item was not added."
	Look    string         // class of the buttons: primary, danger or none
	Class   string         // of the form on the order page
	Prefix  string         // of the ids of its fields there
	Fields  []CommandField // none: the form is a button
}

// CommandField is one thing that is typed.
type CommandField struct {
	Name  string // in the body
	Label string
	Class string
	Mode  string // inputmode
	Price bool   // the label names the order's currency
	Lines bool   // several lines can be typed
	Usual string // what it holds before anybody types
	List  string // id of the suggestions for it
}

// AddItemForm asks for a domain.AddItem.
func AddItemForm() CommandForm {
	return CommandForm{
		Ask: "Add an item", Button: "Add item", Again: "Add this item", Refused: "The item was not added.", Class: "action-add", Prefix: "add",
		Fields: []CommandField{
			{Name: "sku", Label: "SKU", Class: "sku", List: suggestedBy("sku")},
			{Name: "name", Label: "Name", Class: "grow", List: suggestedBy("name")},
			{Name: "quantity", Label: "Quantity", Class: "narrow number", Mode: "numeric", Usual: "1"},
			{Name: "price", Label: "Price of one", Class: "price number", Mode: "decimal", Price: true},
		},
	}
}

// ConfirmForm asks for a domain.ConfirmOrder.
func ConfirmForm() CommandForm {
	return CommandForm{Ask: "Confirm the order", Button: "Confirm order", Again: "Confirm the order", Refused: "The order was not confirmed.",
		Look: "primary", Class: "action-confirm", Prefix: "confirm"}
}

// CancelForm asks for a domain.CancelOrder.
func CancelForm() CommandForm {
	return CommandForm{
		Ask: "Cancel the order", Button: "Cancel order", Again: "Cancel the order", Refused: "The order was not cancelled.",
		Look: "danger", Prefix: "cancel", Fields: []CommandField{{Name: "reason", Label: "Reason", Class: "grow"}},
	}
}

// NoteForm asks for a domain.AddNote.
func NoteForm() CommandForm {
	return CommandForm{
		Ask: "Add a note", Button: "Add note", Again: "Add this note", Refused: "The note was not added.", Class: "action-note", Prefix: "note",
		Fields: []CommandField{{Name: "text", Label: "Note", Class: "grow", Lines: true}},
	}
}

// Usual is what the fields hold before anybody types.
func (c CommandForm) Usual() map[string]string {
	typed := map[string]string{}
	for _, f := range c.Fields {
		typed[f.Name] = f.Usual
	}
	return typed
}

// Form is a command's form on a page of its order. Seen is sent only if it differs from Expected.
type Form struct {
	CommandForm
	OrderID   domain.OrderID
	Path      string // under the order's, where it is sent
	CommandID string
	Expected  int
	Seen      int
	Action    domain.NamedAction // whether the command would be allowed, else why not
	Currency  domain.Currency    // of the order's prices
	Typed     map[string]string  // by field
	Errors    []fault.FieldError // beside the fields
	Open      bool               // unfolded: somebody was typing into it
	Suggested bool               // the page has the suggestions for the fields
}

func (f Form) href() string { return orderPath(f.OrderID) + "/" + f.Path }

// unfolded tells whether a form is shown without being asked for: while it can be used, or when it comes back.
func (f Form) unfolded() bool { return f.Action.Allowed || f.Open || len(f.Errors) > 0 }

// input is a field of the form as it is on a page.
func (f Form) input(prefix string, field CommandField) input {
	label := field.Label
	if field.Price {
		label += ", " + string(f.Currency)
	}
	in := input{prefix: prefix, name: field.Name, label: label, value: f.Typed[field.Name], class: field.Class, mode: field.Mode,
		lines: field.Lines, errors: f.Errors}
	if f.Suggested {
		in.list = field.List
	}
	return in
}

// SuggestsProducts tells whether the form can be used, and asks for a product.
func (f Form) SuggestsProducts() bool {
	return f.Action.Allowed && slices.ContainsFunc(f.Fields, func(field CommandField) bool { return field.List == suggestedBy("sku") })
}

// refusal is what is said above what is wrong with the fields.
func (f Form) refusal() string { return f.Refused + " Everything you typed is kept." }
