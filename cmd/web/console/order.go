package console

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/a-h/templ"

	"headway/cmd/web/console/input"
	"headway/cmd/web/console/wire"
	"headway/domain"
	"headway/fault"
	"headway/orders"
	"headway/projections"
	"headway/views"
)

const (
	maxJSONTrail = 1000                   // newest events that the order's JSON carries
	receiptWait  = 300 * time.Millisecond // how long a page waits for the projections before it shows an honest stamp
)

// order is GET /orders/{id}: folded from the stream, so that people always read their own write, whatever the read store does.
func (s *Server) order(r *http.Request, q *input.Query) (answer, error) {
	id, err := input.OrderID(r)
	if err != nil {
		return answer{}, err
	}
	at, isAt := q.Number("at")
	after := q.After(id)
	if err := q.Err(); err != nil {
		return answer{}, err
	}
	stream, err := s.commands.Load(r.Context(), id)
	if err != nil {
		return answer{}, err
	}
	if isAt && (at < 1 || at > stream.Head()) {
		return answer{}, fault.Errorf(fault.NotFound, "Order %s has no version %d; its versions are 1 to %d.", id, at, stream.Head())
	}
	if after > stream.Head() {
		return answer{}, fault.MalformedField("after", "Order %s has no version %d yet.", id, after)
	}
	if isAt {
		return s.orderAt(stream, at), nil
	}
	if after > 0 {
		s.waitFor(r.Context(), id, after)
	}
	m := s.orderPage(r.Context(), stream)
	m.Receipt = s.pageReceipt(r.Context(), stream, after)
	stamps := map[string]wire.Stamp{}
	if input.WantsJSON(r) {
		for _, projection := range projections.All() {
			stamps[projection.Name] = wire.StampOf(s.freshness.rowStamp(r.Context(), projection.Name, stream.Records[len(stream.Records)-1]))
		}
	}
	return s.orderAnswer(stream, m, stamps), nil
}

func (s *Server) orderAnswer(stream orders.Stream, m views.OrderPage, stamps map[string]wire.Stamp) answer {
	id := m.Body.Order.ID
	return answer{
		title: "Order " + views.OrderName{ID: id, Reference: m.Body.Order.Reference}.String(), nav: views.NavOrders,
		watch: []string{"order:" + string(id), "projections"},
		page:  func(f views.Frame) templ.Component { return views.Order(f, m) },
		json: func() any {
			trail := stream.Records[max(len(stream.Records)-maxJSONTrail, 0):]
			return wire.OrderPage{
				Order: wire.OrderOf(m.Body.Order), Version: m.Body.Order.Version, Head: stream.Head(), Stamps: stamps,
				Events: wire.EventsOf(s.codec, trail), Actions: wire.Actions(actionsOf(stream)),
			}
		},
	}
}

// orderAt is the order as of a version, with what that version changed.
func (s *Server) orderAt(stream orders.Stream, at int) answer {
	before := orders.Fold(s.codec, stream.Records[:at-1])
	then := orders.Fold(s.codec, stream.Records[:at])
	changes := views.Changes(before.Order, then.Order)
	m := views.OrderPage{
		Body: s.timeline.body(then), At: &views.TimeTravel{Version: at, Head: stream.Head(), Changes: changes},
	}
	m.Body.Head, m.Body.At = stream.Head(), at
	return answer{
		title: "Order " + views.OrderName{ID: m.Body.Order.ID, Reference: then.Order.Reference}.String(), nav: views.NavOrders,
		page: func(f views.Frame) templ.Component { return views.Order(f, m) },
		json: func() any {
			return wire.OrderPage{
				Order: wire.OrderOf(m.Body.Order), Version: then.Order.Version, Head: stream.Head(), Stamps: map[string]wire.Stamp{},
				Events: wire.EventsOf(s.codec, then.Records[max(len(then.Records)-maxJSONTrail, 0):]), Actions: wire.Actions(actionsOf(stream)),
				At: &at, Changes: &changes,
			}
		},
	}
}

// orderPage is the order at its head, with the form of each command.
func (s *Server) orderPage(ctx context.Context, stream orders.Stream) views.OrderPage {
	m := views.OrderPage{Body: s.timeline.body(stream)}
	for _, c := range commands() {
		m.Forms = append(m.Forms, c.formOn(stream))
	}
	if slices.ContainsFunc(m.Forms, views.Form.SuggestsProducts) {
		m.Products = s.suggested(ctx)
	}
	for i := range m.Forms {
		m.Forms[i].Suggested = len(m.Products) > 0
	}
	return m
}

// pageReceipt says where a version has arrived: the one just stored, else the head.
func (s *Server) pageReceipt(ctx context.Context, stream orders.Stream, after int) *views.Receipt {
	version := after
	if after == 0 {
		version = stream.Head()
	}
	r := stream.Records[version-1]
	receipt := &views.Receipt{OrderID: orders.IDOf(r.Stream), Version: version, Stored: after > 0, At: r.StoredAt}
	for _, projection := range projections.All() {
		tick := views.Tick{Projection: projection.Name, Arrived: s.freshness.rowVersion(ctx, projection.Name, orders.IDOf(r.Stream)) >= version,
			Took: -1}
		if !tick.Arrived {
			tick.Stamp = s.freshness.rowStamp(ctx, projection.Name, r)
			tick.Arrived = tick.Stamp.State == projections.StampCurrent
		}
		if took, ok := s.timeline.took(projection.Name, r); ok {
			tick.Took = took
		}
		receipt.Ticks = append(receipt.Ticks, tick)
	}
	return receipt
}

// waitFor gives the projections a moment to arrive at a version. Whether they did, the stamps say.
func (s *Server) waitFor(ctx context.Context, id domain.OrderID, version int) {
	ctx, cancel := context.WithTimeout(ctx, receiptWait)
	defer cancel()
	_ = s.projector.WaitFor(ctx, id, version)
}
