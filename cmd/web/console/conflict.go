package console

import (
	"context"

	"github.com/a-h/templ"

	"headway/cmd/web/console/input"
	"headway/cmd/web/console/wire"
	"headway/domain"
	"headway/fault"
	"headway/orders"
	"headway/views"
)

// maxSince is how many events a conflict tells about; older ones are counted.
const maxSince = 100

// conflict answers a command whose order has moved: what happened since, by whom, what the same command would give now, and one press to go
// on.
func (s *Server) conflict(ctx context.Context, in *input.Body, c command, req orders.Request, cause error) error {
	stream, err := s.commands.Load(ctx, req.OrderID)
	if err != nil {
		return err
	}
	head, seen := stream.Head(), req.Seen
	if seen == 0 {
		seen = req.Expect
	}
	since := stream.Records[min(seen, head):]
	earlier := max(len(since)-maxSince, 0)
	since = since[earlier:]

	redecided := domain.Action{Allowed: true}
	if _, err := orders.Decide(stream, req.Command); err != nil {
		redecided = domain.Action{Reason: fault.Sentence(err)}
	}
	m := views.ConflictPage{
		Order: views.OrderName{ID: req.OrderID, Reference: stream.Order.Reference}, Seen: seen, Head: head, Earlier: earlier,
		Changes: views.Changes(orders.Fold(s.codec, stream.Records[:min(seen, head)]).Order, stream.Order), Redecided: redecided,
	}
	for _, r := range since {
		m.Since = append(m.Since, s.timeline.entry(r, stream.Order.Reference))
	}
	// A new command id, because it is a new wish; the version first seen stays, because it is the evidence. The order must have it.
	m.Form = c.formOn(stream)
	m.Form.Seen, m.Form.Typed, m.Form.Action.Action, m.Form.Open = min(seen, head), in.AllTyped(), redecided, true
	return &pageError{
		err:      cause,
		conflict: &wire.Conflict{Seen: seen, Head: head, Since: wire.EventsOf(s.codec, since), Redecided: wire.ActionOf(redecided)},
		answer: answer{title: "The order moved", nav: views.NavOrders,
			page: func(f views.Frame) templ.Component { return views.Conflict(f, m) }},
	}
}
