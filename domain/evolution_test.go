package domain

import "slices"

// The examples of docs/schema-evolution.md: a shop that stored its events in other ways before, and how a table of today reads them. They
// are readers like those in read.go, in a table of their own.

// ShopTable is today's table with what the old shop stored.
func ShopTable() Table {
	return append(slices.Clone(Events()),
		Entry{"OrderLineAdded", 1, lineAdded("sku", "title", "price"),
			`{"sku":"jam","title":"Jam","price":{"minor":450,"currency":"EUR"}}`},
		Entry{"OrderLineAdded", 2, lineAdded("sku", "title", "quantity", "price"),
			`{"sku":"jam","title":"Jam","quantity":3,"price":{"minor":450,"currency":"EUR"}}`},
		Entry{"OrderLineAdded", 3, lineAdded("sku", "name", "quantity", "price"),
			`{"sku":"jam","name":"Jam","quantity":3,"price":{"minor":450,"currency":"EUR"}}`},
		Entry{"OrderPlaced", 1, placed,
			`{"customerId":"ada","currency":"EUR","paid":"yes",` +
				`"items":[{"sku":"tea","name":"Tea","quantity":2,"price":{"minor":450,"currency":"EUR"}}]}`},
		Entry{"OrderPrinted", 1, retired, `{"printer":"hall"}`},
	)
}

// A field was added, quantity, and later a field was renamed, title; at last the event itself was.
func lineAdded(fields ...string) Reader {
	return func(d *decoder) []Event {
		item := Item{Quantity: 1} // a line of schema 1 was one piece
		for name := range d.object("", fields...) {
			switch name {
			case "sku":
				item.SKU = d.text()
			case "title", "name":
				item.Name = d.text()
			case "quantity":
				item.Quantity = d.count()
			case "price":
				item.Price = d.price()
			}
		}
		return []Event{OrderItemAdded{Item: item}}
	}
}

// An event was split: who paid at once had a confirmed order.
func placed(d *decoder) []Event {
	created, paid := OrderCreated{Items: []Item{}}, ""
	for name := range d.object("", "customerId", "currency", "paid", "items") {
		switch name {
		case "customerId":
			created.CustomerID = d.text()
		case "currency":
			created.Currency = d.code()
		case "paid":
			paid = d.text()
		case "items":
			for range d.list() {
				created.Items = append(created.Items, d.item((*decoder).price))
			}
		}
	}
	if paid == "yes" {
		return []Event{created, OrderConfirmed{}}
	}
	return []Event{created}
}

// A type was retired: whatever it said means nothing today.
func retired(d *decoder) []Event {
	d.skip()
	return nil
}
