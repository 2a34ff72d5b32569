package orderstest

import (
	"context"
	"testing"

	"headway/domain"
	"headway/eventstore"
	"headway/orders"
)

// Append appends facts to an order behind the back of the rules, with the metadata as it is; CausationID is required.
func Append(
	t testing.TB, s eventstore.Store, id domain.OrderID, expect int, m eventstore.Metadata, facts ...domain.Event,
) []eventstore.Record {
	t.Helper()
	events, err := orders.Encode(domain.Codec{}, facts...)
	if err != nil {
		t.Fatal(err)
	}
	records, err := s.Append(context.Background(), orders.StreamOf(id), expect, m, events...)
	if err != nil {
		t.Fatal(err)
	}
	return records
}
