package domain

// How the data of each type and schema is read: one reader for each entry of the table. What the schemas of a type share is said once.

// noReason is what a cancellation of schema 1 without a reason is read as.
const noReason = "not given"

func (d *decoder) orderCreated1() []Event {
	return d.orderCreated((*decoder).decimal, "customerId", "reference", "items")
}

func (d *decoder) orderCreated2() []Event {
	return d.orderCreated((*decoder).price, "customerId", "currency", "reference", "items")
}

func (d *decoder) orderCreated(price func(*decoder) Money, fields ...string) []Event {
	e := OrderCreated{Currency: d.currency, Items: []Item{}}
	for name := range d.object("reference", fields...) {
		switch name {
		case "customerId":
			e.CustomerID = d.text()
		case "currency":
			e.Currency = d.code()
		case "reference":
			e.Reference = d.text()
		case "items":
			for range d.list() {
				e.Items = append(e.Items, d.item(price))
			}
		}
	}
	return []Event{e}
}

func (d *decoder) orderItemAdded1() []Event { return d.orderItemAdded((*decoder).decimal) }

func (d *decoder) orderItemAdded2() []Event { return d.orderItemAdded((*decoder).price) }

func (d *decoder) orderItemAdded(price func(*decoder) Money) []Event {
	var e OrderItemAdded
	for range d.object("", "item") {
		e.Item = d.item(price)
	}
	return []Event{e}
}

func (d *decoder) orderConfirmed() []Event {
	for range d.object("") {
	}
	return []Event{OrderConfirmed{}}
}

func (d *decoder) orderCancelled1() []Event {
	var e OrderCancelled
	for range d.object("reason", "reason") {
		if d.tokens.PeekKind() == 'n' {
			d.skip()
		} else {
			e.Reason = d.text()
		}
	}
	if e.Reason == "" {
		e.Reason = noReason
	}
	return []Event{e}
}

func (d *decoder) orderCancelled2() []Event {
	var e OrderCancelled
	for range d.object("", "reason") {
		e.Reason = d.text()
	}
	return []Event{e}
}

func (d *decoder) orderNoteAdded() []Event {
	var e OrderNoteAdded
	for range d.object("", "text") {
		e.Text = d.text()
	}
	return []Event{e}
}

func (d *decoder) item(price func(*decoder) Money) (item Item) {
	for name := range d.object("", "sku", "name", "quantity", "price") {
		switch name {
		case "sku":
			item.SKU = d.text()
		case "name":
			item.Name = d.text()
		case "quantity":
			item.Quantity = d.count()
		case "price":
			item.Price = price(d)
		}
	}
	return item
}

func (d *decoder) price() (price Money) {
	for name := range d.object("", "minor", "currency") {
		switch name {
		case "minor":
			price.Minor = d.count()
		case "currency":
			price.Currency = d.code()
		}
	}
	return price
}
