package demo

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"headway/cmd/web/internal/plan"
	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/orders"
	"headway/projections"
)

// The bounds of the traffic.
const (
	MaxTraffic = 600    // commands a minute
	maxOrders  = 20_000 // after which nothing new is ordered
)

// Shop is the demo on its stores. All fields are required, but for Codec, whose zero value is ready, and Traffic.
type Shop struct {
	Events  eventstore.Store
	Read    projections.Reader
	Codec   domain.Codec
	Clock   func() time.Time
	Log     *slog.Logger
	Traffic int // commands a minute after the history, at most MaxTraffic; 0 for none
}

// Run tells the history, unless the store has one or something else, and then goes on with it at the pace of
// Traffic, until ctx ends. It may run while pages are served; what goes wrong is logged.
func (s Shop) Run(ctx context.Context) {
	began := s.Clock()
	stored, err := fill(ctx, s.Events, s.Codec, began)
	if err != nil {
		if ctx.Err() == nil {
			s.Log.Error("the demo's history is not complete; it is finished at the next start", "error", err)
		}
		return
	}
	if stored > 0 {
		s.Log.Info("the demo's history is told", "commands", stored, "took", s.Clock().Sub(began).Round(time.Millisecond))
	}
	if s.Traffic == 0 {
		return
	}
	tick := time.NewTicker(time.Minute / time.Duration(min(s.Traffic, MaxTraffic)))
	defer tick.Stop()
	rng := rand.New(rand.NewPCG(uint64(began.UnixNano()), seed)) //nolint:gosec // another story at every start; no secret
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			// Somebody else may have been faster, as in life.
			if err := s.command(ctx, rng); err != nil && ctx.Err() == nil && fault.KindOf(err) != fault.Conflict {
				s.Log.Warn("a command of the demo failed", "error", err)
			}
		}
	}
}

// fill stores what is missing of the history and tells how many commands that were. A store that holds only other
// orders is left alone.
func fill(ctx context.Context, store eventstore.Store, codec domain.Codec, now time.Time) (int, error) {
	runner := newRunner(store, codec)
	missing, err := missingPlans(ctx, runner, history(now))
	if err != nil || len(missing) == 0 {
		return 0, err
	}
	stored := 0
	err = runner.Run(ctx, missing, func(o plan.Outcome) { stored += o.Stored })
	return stored, err
}

// IsTold tells whether Run has nothing of the history to tell, as far as the store can say.
func (s Shop) IsTold(ctx context.Context) bool {
	missing, err := missingPlans(ctx, newRunner(s.Events, s.Codec), history(s.Clock()))
	return err == nil && len(missing) == 0
}

func newRunner(store eventstore.Store, codec domain.Codec) plan.Runner {
	return plan.Runner{Orders: orders.Handler{Events: store, Codec: codec}, Namespace: plan.Namespace("demo")}
}

// missingPlans are those of which a step is not stored; none if the store holds only other orders.
func missingPlans(ctx context.Context, runner plan.Runner, plans []plan.Plan) ([]plan.Plan, error) {
	heads := map[domain.OrderID]int{}
	ids := make([]domain.OrderID, len(plans))
	for i, l := range plans {
		ids[i] = runner.OrderID(l)
	}
	for i := 0; i < len(ids); i += eventstore.MaxPage {
		found, err := runner.Orders.Events.Heads(ctx, orders.StreamsOf(ids[i:min(i+eventstore.MaxPage, len(ids))])...)
		if err != nil {
			return nil, err
		}
		for _, h := range found {
			heads[orders.IDOf(h.Stream)] = h.Version
		}
	}
	var missing []plan.Plan
	for i, l := range plans {
		if heads[ids[i]] < len(l.Steps) {
			missing = append(missing, l)
		}
	}
	if len(missing) == len(plans) {
		if all, _, _, err := runner.Orders.Events.Walk(ctx, orders.Category, "", 1); err != nil || len(all) > 0 {
			return nil, err
		}
	}
	return missing, nil
}

// command is one thing that a member of staff does now: a new order, or a step on an open one.
func (s Shop) command(ctx context.Context, rng *rand.Rand) error {
	request := orders.Request{
		CommandID: orders.NewCommandID(), UserID: actor(rng), Timestamp: s.Clock(),
	}
	choice := rng.IntN(100)
	open, err := s.Read.Orders(ctx, projections.OrderQuery{Statuses: []domain.Status{domain.Created}, Limit: projections.PageSize})
	if err != nil {
		return err
	}
	if choice < 40 || len(open.Rows) == 0 {
		_, _, total, err := s.Events.Walk(ctx, orders.Category, "", 1)
		if err != nil || total >= maxOrders {
			return err
		}
		request.Command = createOrder(rng, referenceOf(total))
	} else {
		stream, err := (orders.Handler{Events: s.Events, Codec: s.Codec}).Load(ctx, open.Rows[rng.IntN(len(open.Rows))].ID)
		if err != nil || stream.Hold != nil || stream.Order.Status != domain.Created {
			return err
		}
		request.OrderID, request.Expect = stream.Order.ID, stream.Head()
		request.Command = next(rng, choice, stream.Order)
	}
	_, err = (orders.Handler{Events: s.Events, Codec: s.Codec}).Execute(ctx, request)
	return err
}

// next is what happens next to an open order.
func next(rng *rand.Rand, choice int, o domain.Order) domain.Command {
	switch {
	case choice < 60 && len(o.Items) < 12:
		return domain.AddItem{Item: item(rng, o.Currency)}
	case choice < 67:
		return domain.AddNote{Text: notes[rng.IntN(len(notes))]}
	case choice < 93:
		return domain.ConfirmOrder{}
	}
	return domain.CancelOrder{Reason: reasons[rng.IntN(len(reasons))]}
}
