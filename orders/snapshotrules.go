package orders

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"headway/domain"
	"headway/eventstore"
)

// snapshotLayout is to be raised when the data of snapshots is written in another way, or when the rules of the fold change in a way that
// the golden streams do not show.
const snapshotLayout = 2

// rulesOf stands for everything that makes a state what it is, beside its events: the shape of an order, and what the fold makes of the
// golden streams and of a sample of each entry in the codec's table. A program in which any of it differs takes no snapshot for its own. It
// folds dozens of events, so it is asked once a handler.
func rulesOf(codec domain.Codec) [16]byte {
	h := sha256.New()
	fmt.Fprintln(h, snapshotLayout, shapeOf(reflect.TypeFor[domain.Order]()))
	for _, events := range goldenStreams(codec.Entries()) {
		writeFold(h, codec, events)
	}
	return [16]byte(h.Sum(nil))
}

func writeFold(w io.Writer, codec domain.Codec, events []goldenEvent) {
	records := make([]eventstore.Record, len(events))
	for i, e := range events {
		records[i] = eventstore.Record{
			Stream: StreamOf("golden"), Version: i + 1, EventType: e.eventType, SchemaVersion: e.schema, Data: []byte(e.data),
			Metadata: eventstore.Metadata{Timestamp: time.Unix(1e9+int64(i), 0)},
		}
	}
	s := Fold(codec, records)
	state, err := json.Marshal(s.Order)
	fmt.Fprintln(w, string(state), s.Hold, err)
	if s.Hold != nil {
		fmt.Fprintln(w, *s.Hold)
	}
}

// shapeOf spells a type out: its fields, their names and their types.
func shapeOf(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "time"
	case t.Kind() == reflect.Slice:
		return "[]" + shapeOf(t.Elem())
	case t.Kind() != reflect.Struct:
		return t.Kind().String()
	}
	var fields []string
	for field := range t.Fields() {
		fields = append(fields, field.Name+" "+shapeOf(field.Type))
	}
	return "{" + strings.Join(fields, "; ") + "}"
}

type goldenEvent struct {
	eventType string
	schema    int
	data      string
}

// goldenStreams are lives of orders in which every reason for a hold occurs, and the sample of each entry: alone, and after a creation of
// each schema.
func goldenStreams(entries domain.Table) [][]goldenEvent {
	const price = `"price":{"minor":450,"currency":"EUR"}`
	created := goldenEvent{domain.TypeOrderCreated, 2,
		`{"customerId":"ada","currency":"EUR","reference":"A-1","items":[{"sku":"tea","name":"Tea","quantity":2,` + price + `}]}`}
	added := goldenEvent{domain.TypeOrderItemAdded, 2, `{"item":{"sku":"jam","name":"Jam","quantity":3,` + price + `}}`}
	historic := goldenEvent{domain.TypeOrderCreated, 1,
		`{"customerId":"bob","reference":"B-1","items":[{"sku":"tea","name":"Tea","quantity":2,"price":1.005}]}`}
	streams := [][]goldenEvent{
		{created, added, {domain.TypeOrderConfirmed, 2, `{}`}, {domain.TypeOrderCancelled, 2, `{"reason":"no"}`}, added},
		{historic, {domain.TypeOrderCancelled, 1, `{"reason":"late"}`}},
		{created, created},
		{created, {"OrderPainted", 2, `{}`}},
		{created, {domain.TypeOrderConfirmed, 3, `{}`}},
		{created, {domain.TypeOrderConfirmed, 2, `{"more":1}`}},
		{created, {domain.TypeOrderItemAdded, 2, `{"item":{"sku":"x","name":"X","quantity":1,"price":{"minor":1,"currency":"USD"}}}`}},
		{created, {domain.TypeOrderItemAdded, 2, `{"item":{"sku":"x","name":"X","quantity":9000000000000000000,` + price + `}}`}},
	}
	for _, e := range entries {
		sample := goldenEvent{e.Type, e.Schema, e.Sample}
		streams = append(streams, []goldenEvent{sample}, []goldenEvent{created, sample}, []goldenEvent{historic, sample})
	}
	return streams
}
