package domain

import (
	"bytes"
	"cmp"
	"encoding/json"
	"headway/fault"
	"slices"
)

// Raw is an event as a store keeps it: the bytes, and what is needed to read them.
type Raw struct {
	OrderID       OrderID
	Version       int
	EventType     string
	SchemaVersion int
	Data          []byte // plain JSON, exactly as stored
}

// Codec reads and writes the data of events. DefaultCurrency is what schema 1, which knew no currency, is read as;
// empty means USD. The zero Codec is ready to use.
type Codec struct {
	DefaultCurrency Currency
}

// Encode gives an event's type and its data in the current schema: JSON with a fixed order of fields, without white space.
// TooLarge over MaxEventBytes.
func (c Codec) Encode(e Event) (eventType string, data []byte, err error) {
	if e == nil {
		return "", nil, fault.Errorf(fault.Internal, "There is no event to encode.")
	}
	if data, err = marshal(e); err != nil {
		return "", nil, err
	}
	if len(data) > MaxEventBytes {
		return "", nil, fault.Errorf(fault.TooLarge, "One event can have at most %d bytes of JSON; this one would have %d.", MaxEventBytes, len(data))
	}
	return e.Type(), data, nil
}

// Decode reads an event of any schema, and is strict: an unknown type or version, and data that is not exactly what the
// schema says, is Invalid with a sentence that names what is wrong. Bounds of commands are not applied to history; what the fold
// needs is: types, known currencies, amounts that are not negative.
func (c Codec) Decode(r Raw) (Event, error) {
	switch {
	case !slices.Contains(EventTypes(), r.EventType):
		return nil, fault.Errorf(fault.Invalid, "Unknown event type %s.", quote(r.EventType))
	case r.SchemaVersion != historicSchema && r.SchemaVersion != SchemaVersion:
		return nil, fault.Errorf(fault.Invalid, "Unknown schema version %d of %s.", r.SchemaVersion, quote(r.EventType))
	}
	d := decoder{eventType: r.EventType, historic: r.SchemaVersion == historicSchema, currency: cmp.Or(c.DefaultCurrency, "USD")}
	return d.decode(r.Data)
}

// Upcast gives the event's data in the current schema, for display: of the current schema the stored bytes themselves, not a copy.
// It fails exactly when Decode does.
func (c Codec) Upcast(r Raw) (schemaVersion int, data []byte, err error) {
	e, err := c.Decode(r)
	if err != nil {
		return 0, nil, err
	}
	if r.SchemaVersion == SchemaVersion {
		return SchemaVersion, r.Data, nil
	}
	if data, err = marshal(e); err != nil {
		return 0, nil, err
	}
	return SchemaVersion, data, nil
}

func marshal(e Event) ([]byte, error) {
	if created, ok := e.(OrderCreated); ok && created.Items == nil {
		created.Items = []Item{} // on the wire an empty list is [], not null
		e = created
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(e); err != nil {
		return nil, &fault.Error{Kind: fault.Internal, Message: "The event cannot be encoded.", Cause: err}
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
