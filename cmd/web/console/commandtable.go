package console

import (
	"context"
	"strconv"

	"headway/cmd/web/console/input"
	"headway/domain"
	"headway/orders"
	"headway/views"
)

// command is a kind of command on an order that exists: all that this room knows of it. Routes, forms, what was typed, where a reload
// leads, the actions of JSON and /openapi.json follow.
type command struct {
	kind   domain.Command // of it, empty
	path   string         // where it is sent, under the order's
	does   string
	fields []field           // of its body, beside those of every command
	form   views.CommandForm // its words and fields on pages
	read   reading
}

// reading makes a command of a body. Only one that needs the order to be read loads it.
type reading func(context.Context, *Server, *input.Body, domain.OrderID) (domain.Command, orders.Loaded, error)

// commands is the table, in the order of domain.Commands.
func commands() []command {
	return []command{
		{domain.AddItem{}, "items", "Add an item to an order", itemFields(), views.AddItemForm(), readItem},
		{domain.ConfirmOrder{}, "confirm", "Confirm an order", nil, views.ConfirmForm(), readConfirmation},
		{domain.CancelOrder{}, "cancel", "Cancel an order", []field{{"reason", text("Ordered twice"), required}}, views.CancelForm(),
			readCancellation},
		{domain.AddNote{}, "notes", "Add a note to an order", []field{{"text", text("Ring twice"), required}}, views.NoteForm(), readNote},
	}
}

// readItem needs the order, because the price is in its currency.
func readItem(ctx context.Context, s *Server, in *input.Body, id domain.OrderID) (domain.Command, orders.Loaded, error) {
	loaded, err := s.load(ctx, in, id)
	return domain.AddItem{Item: in.Item("", loaded.Order.Currency)}, loaded, err
}

func readConfirmation(context.Context, *Server, *input.Body, domain.OrderID) (domain.Command, orders.Loaded, error) {
	return domain.ConfirmOrder{}, orders.Loaded{}, nil
}

func readCancellation(_ context.Context, _ *Server, in *input.Body, _ domain.OrderID) (domain.Command, orders.Loaded, error) {
	return domain.CancelOrder{Reason: in.Text("reason")}, orders.Loaded{}, nil
}

func readNote(_ context.Context, _ *Server, in *input.Body, _ domain.OrderID) (domain.Command, orders.Loaded, error) {
	return domain.AddNote{Text: in.Text("text")}, orders.Loaded{}, nil
}

// formOn is the command's form on the page of an order at its head.
func (c command) formOn(stream orders.Stream) views.Form {
	name := domain.ActionName(c.kind)
	return views.Form{
		CommandForm: c.form, OrderID: orders.IDOf(stream.Records[0].Stream), Path: c.path, CommandID: string(orders.NewCommandID()),
		Expected: stream.Head(), Action: domain.NamedAction{Name: name, Action: actionsOf(stream).Of(name)}, Currency: stream.Order.Currency,
		Typed: c.form.Usual(),
	}
}

func actionsOf(stream orders.Stream) domain.Actions {
	if stream.Hold != nil {
		return domain.Blocked("This order is held at version " + strconv.Itoa(stream.Hold.Version) + ".") // the page says why, once
	}
	return domain.ActionsOf(stream.Order)
}

// load loads an order for the command of a body. The version that the body expects only spares reading a long one; what is wrong with it,
// or with the command's id, is said elsewhere.
func (s *Server) load(ctx context.Context, in *input.Body, id domain.OrderID) (orders.Loaded, error) {
	version, _ := strconv.Atoi(in.Typed("expectedVersion"))
	return s.commands.LoadFor(ctx, id, version, in.CommandID())
}
