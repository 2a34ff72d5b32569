package console

import (
	"slices"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/orders"
	"headway/projections"
	"headway/projections/runner"
	"headway/views"
)

// maxTimeline is how many events an order's page shows; the rest are counted, and on /orders/{id}/events.
const maxTimeline = 200

// timeline tells the events of orders as pages do.
type timeline struct {
	codec     domain.Codec
	zone      *time.Location
	positions func(id domain.OrderID, version int) map[string]runner.Position // when rows arrived there
}

// body is the part of the page that every viewer shares.
func (t timeline) body(stream orders.Stream) views.OrderBody {
	b := views.OrderBody{Order: stream.Order, Head: stream.Head(), Zone: t.zone}
	b.Order.ID = orders.IDOf(stream.Records[0].Stream) // also when not even the first event can be read
	if h := stream.Hold; h != nil {
		r := stream.Records[h.Version-stream.Records[0].Version]
		b.Hold = &views.Held{Version: h.Version, Type: r.EventType, Schema: r.SchemaVersion, Reason: h.Reason, Raw: string(r.Data)}
	}
	b.Earlier = max(len(stream.Records)-maxTimeline, 0)
	for _, r := range slices.Backward(stream.Records[b.Earlier:]) {
		b.Timeline = append(b.Timeline, t.entry(r, stream.Order.Reference))
	}
	return b
}

// entry is a record as pages tell it.
func (t timeline) entry(r eventstore.Record, reference string) views.TimelineEntry {
	h := views.TimelineEntry{
		EventID: r.EventID, Order: views.OrderName{ID: orders.IDOf(r.Stream), Reference: reference}, Version: r.Version,
		Type: r.EventType, Schema: r.SchemaVersion,
		StoredAt: r.StoredAt, BusinessAt: r.Metadata.Timestamp, UserID: r.Metadata.UserID, Causation: r.Metadata.CausationID,
		Correlation: r.Metadata.CorrelationID, Seen: r.Metadata.SeenVersion,
	}
	if facts, err := t.codec.Decode(orders.RawOf(r)); err == nil {
		h.Facts = facts
	}
	for _, projection := range projections.All() {
		if took, ok := t.took(projection.Name, r); ok {
			h.Arrivals = append(h.Arrivals, views.Arrival{Projection: projection.Name, Took: took})
		}
	}
	return h
}

// took is how long after its append an event was in a projection's row; false if that is not known any more.
func (t timeline) took(projection string, r eventstore.Record) (time.Duration, bool) {
	return tookOf(t.positions(orders.IDOf(r.Stream), r.Version)[projection], r)
}

func tookOf(p runner.Position, r eventstore.Record) (time.Duration, bool) {
	if p.At.IsZero() {
		return 0, false
	}
	return max(p.At.Sub(r.StoredAt), 0), true
}
