package domain_test

import (
	"encoding/json"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"

	"headway/domain"
)

// lineAdded is an event of a common kind and size: 270 bytes.
func lineAdded() domain.OrderItemAdded {
	return domain.OrderItemAdded{Item: domain.Item{
		SKU: "SKU-1004", Name: "Widget, checked by the operator" + strings.Repeat("; checked by the operator", 6), Quantity: 2, Price: usd(1999),
	}}
}

// BenchmarkDecode compares the codec with the plain decoder that the tests hold it to, and with libraries that find the fields of structs
// by reflection, check less, and do not say where a fault is.
func BenchmarkDecode(b *testing.B) {
	eventType, schema, data, err := domain.Codec{}.Encode(lineAdded())
	if err != nil {
		b.Fatal(err)
	}
	raw := domain.Raw{EventType: eventType, SchemaVersion: schema, Data: data}
	want := lineAdded()
	only := func(facts []domain.Event, err error) (domain.Event, error) {
		if err != nil {
			return nil, err
		}
		return facts[0], nil
	}
	for _, c := range []struct {
		who    string
		decode func() (domain.Event, error)
	}{
		{"own", func() (domain.Event, error) { return only(domain.Codec{}.Decode(raw)) }},
		{"by-maps", func() (domain.Event, error) { return only(domain.DecodeByMaps(domain.Codec{}, raw)) }},
		{"encoding-json", func() (domain.Event, error) {
			var e domain.OrderItemAdded
			err := json.Unmarshal(data, &e)
			return e, err
		}},
		{"json-v2", func() (domain.Event, error) {
			var e domain.OrderItemAdded
			err := jsonv2.Unmarshal(data, &e, jsonv2.RejectUnknownMembers(true))
			return e, err
		}},
	} {
		b.Run(c.who, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if e, err := c.decode(); err != nil || e != want {
					b.Fatal(e, err)
				}
			}
		})
	}
}

// BenchmarkEncode compares the codec with the least: the standard library, and no check of the size.
func BenchmarkEncode(b *testing.B) {
	event := lineAdded()
	b.Run("own", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, _, _, err := (domain.Codec{}).Encode(event); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(event); err != nil {
				b.Fatal(err)
			}
		}
	})
}
