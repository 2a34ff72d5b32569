package domain

// Entry is one type and schema of stored events, for ever, and how its data is read today.
type Entry struct {
	Type   string
	Schema int
	Read   Reader
	Sample string // data that the reader reads: what stands for the entry where the table is compared with another program's
}

// Reader gives the facts of today that data says, in their order: mostly one; several if the event was split; none if its type is retired.
// They all have the one version under which the event is stored, so that ids, rows and versions stay what they are.
type Reader func(*decoder) []Event

// Table has an entry for every type and schema that was ever stored, by types in the order of an order's life, each from its first schema
// to the one that is written today. A type that is not written any more stays.
type Table []Entry

// Events is the table of today. Nothing changes it.
func Events() Table { return today }

// A new schema of a type is one more line, and so is a new type, which begins at schema 1. docs/schema-evolution.md has examples.
var today = Table{
	{TypeOrderCreated, 1, (*decoder).orderCreated1,
		`{"customerId":"ada","reference":"A-1","items":[{"sku":"tea","name":"Tea","quantity":2,"price":1.005}]}`},
	{TypeOrderCreated, 2, (*decoder).orderCreated2, `{"customerId":"ada","currency":"EUR","reference":"A-1",` +
		`"items":[{"sku":"tea","name":"Tea","quantity":2,"price":{"minor":450,"currency":"EUR"}}]}`},
	{TypeOrderItemAdded, 1, (*decoder).orderItemAdded1,
		`{"item":{"sku":"jam","name":"Jam","quantity":1,"price":2.5e0}}`},
	{TypeOrderItemAdded, 2, (*decoder).orderItemAdded2,
		`{"item":{"sku":"jam","name":"Jam","quantity":3,"price":{"minor":450,"currency":"EUR"}}}`},
	{TypeOrderConfirmed, 1, (*decoder).orderConfirmed, `{}`},
	{TypeOrderConfirmed, 2, (*decoder).orderConfirmed, `{}`},
	{TypeOrderCancelled, 1, (*decoder).orderCancelled1, `{}`},
	{TypeOrderCancelled, 2, (*decoder).orderCancelled2, `{"reason":"late"}`},
	{TypeOrderNoteAdded, 1, (*decoder).orderNoteAdded, `{"text":"call first"}`},
}

// EventTypes lists the types of today's table, in its order.
func EventTypes() []string {
	var types []string
	for _, e := range today {
		if len(types) == 0 || types[len(types)-1] != e.Type {
			types = append(types, e.Type)
		}
	}
	return types
}

// reader finds how a type and schema is read; known tells whether the table has the type at all.
func (t Table) reader(eventType string, schema int) (read Reader, known bool) {
	for i := range t {
		if t[i].Type != eventType {
			continue
		}
		known = true
		if t[i].Schema == schema {
			return t[i].Read, true
		}
	}
	return nil, known
}

// newest is the schema in which a type is written, 0 if the table does not have it.
func (t Table) newest(eventType string) int {
	newest := 0
	for i := range t {
		if t[i].Type == eventType {
			newest = max(newest, t[i].Schema)
		}
	}
	return newest
}
