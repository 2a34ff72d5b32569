package console

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"headway/cmd/web/console/input"
	"headway/cmd/web/console/wire"
	"headway/domain"
	"headway/fault"
	"headway/orders"
	"headway/projections"
	"headway/views"
)

const (
	usualCurrency = "EUR"
	suggestions   = 200 // customers that the form suggests
)

// newOrder is GET /orders/new, empty or as a copy.
func (s *Server) newOrder(r *http.Request, q *input.Query) (answer, error) {
	if err := q.Err(); err != nil {
		return answer{}, err
	}
	m := views.NewOrderPage{CommandID: string(orders.NewCommandID()), Currency: usualCurrency, Lines: []views.Line{{Quantity: "1"}}}
	if text := q.Get("copy"); text != "" {
		id, err := input.ParseOrderID(text)
		if err != nil {
			return answer{}, err
		}
		stream, err := s.commands.Load(r.Context(), id)
		if err != nil {
			return answer{}, err
		}
		o := stream.Order
		m.CopyOf = &views.OrderName{ID: id, Reference: o.Reference}
		m.CustomerID, m.Currency, m.Lines = o.CustomerID, string(o.Currency), nil
		for _, i := range o.Items[:min(len(o.Items), domain.MaxCommandItems)] {
			m.Lines = append(m.Lines, views.Line{SKU: i.SKU, Name: i.Name, Quantity: strconv.FormatInt(i.Quantity, 10), Price: i.Price.Decimal()})
		}
		if o.Exists() {
			total := o.Total
			m.Total = &total
		}
	}
	a := s.newOrderPage(r.Context(), m)
	a.json = func() any {
		return wire.NewOrder{CommandID: m.CommandID, CustomerID: wire.OrNull(m.CustomerID), Currency: m.Currency,
			Items: wire.ListOf(m.Lines, func(l views.Line) wire.NewItem {
				return wire.NewItem{SKU: l.SKU, Name: l.Name, Quantity: l.Quantity, Price: l.Price}
			})}
	}
	return a, nil
}

func (s *Server) newOrderPage(ctx context.Context, m views.NewOrderPage) answer {
	// Suggestions are a comfort: without the read store the form still works.
	if page, err := s.read.Customers(ctx, projections.CustomerQuery{Limit: suggestions}); err == nil {
		m.Customers = wire.ListOf(page.Rows, func(c projections.CustomerRow) string { return c.ID })
		slices.Sort(m.Customers)
	}
	m.Products = s.suggested(ctx)
	return answer{title: "New order", nav: views.NavOrders,
		page: func(f views.Frame) templ.Component { return views.NewOrder(f, m) }}
}

// create is POST /orders: the command itself, or from a form also a line more or less, which stores nothing.
func (s *Server) create(r *http.Request) (answer, error) {
	in, err := input.Read(r)
	if err != nil {
		return answer{}, err
	}
	do := "create"
	if in.IsForm() {
		do = in.Text("do")
	}
	if in.IsForm() && do != "" && do != "create" {
		return s.editLines(r.Context(), in, do)
	}
	if in.IsForm() {
		in.DropBlankLines()
	}
	command := typedCommand(in)
	req, err := s.request(r, in, command)
	var result orders.Result
	if err == nil {
		result, err = s.commands.Execute(r.Context(), req)
	}
	if err != nil {
		if !in.IsForm() {
			return answer{}, err
		}
		return answer{}, s.newOrderAgain(r.Context(), in, command, err)
	}
	return s.stored(r, result, http.StatusCreated), nil
}

func typedCommand(in *input.Body) domain.CreateOrder {
	c := domain.CreateOrder{
		CustomerID: in.Text("customerId"), Currency: domain.Currency(strings.ToUpper(in.Text("currency"))), Reference: in.Text("reference"),
	}
	if c.Currency == "" {
		in.Complain("currency", "The currency is required.")
	}
	for i := range in.Lines() {
		c.Items = append(c.Items, in.Item(fmt.Sprintf("items[%d].", i), c.Currency))
	}
	return c
}

// newOrderAgain shows the form with its mistakes and everything that was typed. A new command id is given only when the old one
// belongs to another order: then it is a new wish.
func (s *Server) newOrderAgain(ctx context.Context, in *input.Body, c domain.CreateOrder, err error) error {
	m := typedOrder(in, c)
	p := problemOf(err)
	m.Errors = p.fields
	switch {
	case p.status >= http.StatusInternalServerError || len(p.fields) == 0:
		m.Problem = p.message
	case slices.ContainsFunc(p.fields, func(f fault.FieldError) bool { return f.Field == "commandId" }):
		m.CommandID, m.Problem = string(orders.NewCommandID()), p.message+" Send the form again to make another order of it."
		m.Errors = slices.DeleteFunc(slices.Clone(p.fields), func(f fault.FieldError) bool { return f.Field == "commandId" })
	case !slices.ContainsFunc(p.fields, func(f fault.FieldError) bool { return onForm(f.Field) }):
		m.Problem = p.message
	}
	return &pageError{err: err, answer: s.newOrderPage(ctx, m)}
}

// onForm tells whether the form shows a field, so that a message can stand beside it.
func onForm(field string) bool {
	return input.IsLine(field) || slices.Contains([]string{"customerId", "currency", "reference", "items"}, field)
}

// typedOrder is the form as it was typed, with the total of its lines if they have one.
func typedOrder(in *input.Body, c domain.CreateOrder) views.NewOrderPage {
	m := views.NewOrderPage{
		CommandID: in.Typed("commandId"), CustomerID: in.Typed("customerId"), Currency: in.Typed("currency"), Reference: in.Typed("reference"),
	}
	for i := range in.TypedLines() {
		at := fmt.Sprintf("items[%d].", i)
		m.Lines = append(m.Lines, views.Line{
			SKU: in.Typed(at + "sku"), Name: in.Typed(at + "name"), Quantity: in.Typed(at + "quantity"), Price: in.Typed(at + "price"),
		})
	}
	m.Total = totalOf(c, in, -1)
	return m
}

// editLines answers do=add-line and do=remove-line:N: the form again, nothing stored.
func (s *Server) editLines(ctx context.Context, in *input.Body, do string) (answer, error) {
	c := typedCommand(in) // for the running total; its complaints wait until it is sent
	m := typedOrder(in, c)
	digits, remove := strings.CutPrefix(do, "remove-line:")
	switch n, err := strconv.Atoi(digits); {
	case do == "add-line" && len(m.Lines) >= domain.MaxCommandItems:
		m.Errors = []fault.FieldError{{Field: "items", Message: fmt.Sprintf("An order can be made with at most %d items.",
			domain.MaxCommandItems)}}
	case do == "add-line":
		m.Lines = append(m.Lines, views.Line{Quantity: "1"})
	case remove && err == nil && n >= 0 && n < len(m.Lines):
		m.Lines = slices.Delete(m.Lines, n, n+1)
		m.Total = totalOf(c, in, n)
	default:
		return answer{}, fault.MalformedField("do", "The form cannot do “%s”.", input.Clip(do))
	}
	a := s.newOrderPage(ctx, m)
	a.json = func() any { return struct{}{} }
	return a, nil
}

// totalOf is the total of the lines but one, nil if it cannot be told.
func totalOf(c domain.CreateOrder, in *input.Body, without int) *domain.Money {
	total := &domain.Money{Currency: c.Currency}
	lines := 0
	for i, item := range c.Items {
		if i == without {
			continue
		}
		line, err := item.Total()
		if err == nil {
			line, err = total.Plus(line)
		}
		if at := fmt.Sprintf("items[%d].", i); err != nil || in.Complained(at+"price") || in.Complained(at+"quantity") {
			return nil
		}
		total.Minor = line.Minor
		lines++
	}
	if lines == 0 || !c.Currency.Known() {
		return nil
	}
	return total
}
