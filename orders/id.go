package orders

import (
	"headway/domain"
	"headway/eventstore"
)

// Category is that of the streams of orders.
const Category = eventstore.FirstCategory

// StreamOf is the stream of an order.
func StreamOf(id domain.OrderID) eventstore.StreamID {
	return eventstore.StreamID{Category: Category, ID: string(id)}
}

// IDOf is the order of a stream.
func IDOf(stream eventstore.StreamID) domain.OrderID { return domain.OrderID(stream.ID) }

// StreamsOf are the streams of orders, in their order.
func StreamsOf(ids []domain.OrderID) []eventstore.StreamID {
	streams := make([]eventstore.StreamID, len(ids))
	for i, id := range ids {
		streams[i] = StreamOf(id)
	}
	return streams
}
