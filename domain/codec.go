package domain

import (
	"bytes"
	"encoding/json"
	"fmt"
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
