package domain

import (
	"bytes"
	"cmp"
	"encoding/json"
	"headway/fault"
)

// Raw is an event as a store keeps it: the bytes, and what is needed to read them.
type Raw struct {
	OrderID       OrderID
	Version       int
	EventType     string
	SchemaVersion int
	Data          []byte // plain JSON, exactly as stored
}

// Codec reads and writes the data of events. The zero Codec is ready to use.
type Codec struct {
	DefaultCurrency Currency // what schema 1, which knew no currency, is read as; empty means USD
	Table           Table    // nil means that of today, Events; tests of tomorrow's have their own
}

// Entries is the table that the codec reads by.
func (c Codec) Entries() Table {
	if c.Table == nil {
		return today
	}
	return c.Table
}

// Encode gives an event's type, the schema in which that is written today, and its data in it: JSON with a fixed order of fields, without
// white space. TooLarge over MaxEventBytes.
func (c Codec) Encode(e Event) (eventType string, schema int, data []byte, err error) {
	if e == nil {
		return "", 0, nil, fault.Errorf(fault.Internal, "There is no event to encode.")
	}
	if schema = c.Entries().newest(e.Type()); schema == 0 {
		return "", 0, nil, fault.Errorf(fault.Internal, "The table of events has no %s.", e.Type())
	}
	if data, err = marshal(e); err != nil {
		return "", 0, nil, err
	}
	if len(data) > MaxEventBytes {
		return "", 0, nil, fault.Errorf(fault.TooLarge, "One event can have at most %d bytes of JSON; this one would have %d.", MaxEventBytes,
			len(data))
	}
	return e.Type(), schema, data, nil
}

// Decode gives the facts that a stored event of any schema is today: one or more, or none if its type is retired. It is strict: an unknown
// type or version, and data that is not exactly what the schema says, is Invalid with a sentence that names what is wrong. Bounds of
// commands are not applied to history; what the fold needs is: types, known currencies, amounts that are not negative.
func (c Codec) Decode(r Raw) ([]Event, error) {
	read, known := c.Entries().reader(r.EventType, r.SchemaVersion)
	switch {
	case !known:
		return nil, fault.Errorf(fault.Invalid, "Unknown event type %s.", quote(r.EventType))
	case read == nil:
		return nil, fault.Errorf(fault.Invalid, "Unknown schema version %d of %s.", r.SchemaVersion, quote(r.EventType))
	}
	d := decoder{read: read, currency: cmp.Or(c.DefaultCurrency, "USD")}
	return d.decode(r.Data)
}

// Upcast gives the event's data in the current schema of its type, for display: of the current schema the stored bytes themselves, not a
// copy. An event that is not one fact of its own type today, because it was renamed, split or retired, is shown as the list of its facts,
// each {eventType, data}, and its schema is 0. It fails exactly when Decode does.
func (c Codec) Upcast(r Raw) (schemaVersion int, data []byte, err error) {
	facts, err := c.Decode(r)
	if err != nil {
		return 0, nil, err
	}
	if len(facts) != 1 || facts[0].Type() != r.EventType {
		data, err = marshalFacts(facts)
		return 0, data, err
	}
	newest := c.Entries().newest(r.EventType)
	if r.SchemaVersion == newest {
		return newest, r.Data, nil
	}
	if data, err = marshal(facts[0]); err != nil {
		return 0, nil, err
	}
	return newest, data, nil
}

// marshalFacts writes facts as a list that names the type of each.
func marshalFacts(facts []Event) ([]byte, error) {
	type fact struct {
		EventType string          `json:"eventType"`
		Data      json.RawMessage `json:"data"`
	}
	list := []fact{}
	for _, e := range facts {
		data, err := marshal(e)
		if err != nil {
			return nil, err
		}
		list = append(list, fact{e.Type(), data})
	}
	return encode(list)
}

func marshal(e Event) ([]byte, error) {
	if created, ok := e.(OrderCreated); ok && created.Items == nil {
		created.Items = []Item{} // on the wire an empty list is [], not null
		e = created
	}
	return encode(e)
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, &fault.Error{Kind: fault.Internal, Message: "The event cannot be encoded.", Cause: err}
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
