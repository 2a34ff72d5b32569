// Package domain holds the rules of orders: events, commands as pure deciders, money and the codec of events. It has no context,
// clock, I/O or randomness: the same input always gives the same answer.
//
// # The rules of an order
//
//  1. An order begins with a customer, one currency and at least one item. It may have a reference, the number people know it by.
//  2. An item is a SKU, a name, a quantity from 1 to 1,000,000 and a price of one piece, which is not negative and in the order's
//     currency. The order's total is the sum of quantity times price, and must fit 64 bits in minor units.
//  3. Items can be added only while the order is created.
//  4. It can be confirmed only while it is created, so only once.
//  5. It can be cancelled while it is created or confirmed, always with a reason. Nothing follows a cancellation.
//  6. A note can be added whatever the status, while the order has fewer than 9,000 events. It changes nothing that another rule looks at.
//  7. One command carries at most 500 items, one order holds at most 10,000 events, one event at most 256 KiB of JSON. Texts are
//     plain: no control characters (a reason and a note may have line breaks and tabs), no space at either end.
//
// As a table, from the order's status by each command:
//
//	            create      add-item    confirm     cancel      note
//	(none)      created     not found   not found   not found   not found
//	created     refused     created     confirmed   cancelled   created
//	confirmed   refused     refused     refused     cancelled   confirmed
//	cancelled   refused     refused     refused     refused     cancelled
//
// # How a rule is asked
//
// A [Command] decides on an [Order] and gives events; an order is the fold of its events:
//
//	var order domain.Order
//	events, err := domain.CreateOrder{CustomerID: "ada", Currency: "EUR", Items: items}.Decide(order)
//	for _, event := range events {
//		err = order.Apply(id, order.Version+1, domain.Origin{At: at, By: user}, event)
//	}
//	domain.ActionsOf(order).Of("confirm").Allowed // true
//
// Deciding applies today's rules; applying does not. A fact that was stored stays a fact when a rule changes, so [Order.Apply]
// refuses only what would leave no meaningful order, and [Codec.Decode] only what cannot be read.
package domain
