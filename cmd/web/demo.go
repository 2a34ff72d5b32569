package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"headway/domain"
	"headway/eventstore"
	"headway/projections"
)

// The bounds of the demo's traffic.
const (
	maxDemoTraffic = 600    // commands a minute
	maxDemoOrders  = 20_000 // after which nothing new is ordered
)

// checkDemo is Invalid if the traffic asked for is not a number of commands a minute that the demo makes.
func (s Settings) checkDemo() error {
	if s.DemoTraffic < 0 || s.DemoTraffic > maxDemoTraffic {
		return domain.Errorf(domain.Invalid, "--demo-traffic must be from 0 to %d commands a minute, not %d.", maxDemoTraffic, s.DemoTraffic)
	}
	return nil
}

// runDemo tells the demo's history, unless the store has one or something else, and then goes on with it at the pace of
// DemoTraffic, until ctx ends. It may run while pages are served; what goes wrong is logged.
func (a *App) runDemo(ctx context.Context) {
	began := a.Clock()
	stored, err := fillDemo(ctx, a.Events, a.Codec, began)
	if err != nil {
		if ctx.Err() == nil {
			a.Log.Error("the demo's history is not complete; it is finished at the next start", "error", err)
		}
		return
	}
	if stored > 0 {
		a.Log.Info("the demo's history is told", "commands", stored, "took", a.Clock().Sub(began).Round(time.Millisecond))
	}
	if a.Settings.DemoTraffic == 0 {
		return
	}
	tick := time.NewTicker(time.Minute / time.Duration(min(a.Settings.DemoTraffic, maxDemoTraffic)))
	defer tick.Stop()
	rng := rand.New(rand.NewPCG(uint64(began.UnixNano()), demoSeed)) //nolint:gosec // another story at every start; no secret
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			// Somebody else may have been faster, as in life.
			if err := a.demoCommand(ctx, rng); err != nil && ctx.Err() == nil && domain.KindOf(err) != domain.Conflict {
				a.Log.Warn("a command of the demo failed", "error", err)
			}
		}
	}
}

// fillDemo stores what is missing of the demo's history and tells how many commands that were. A store that holds only other
// orders is left alone.
func fillDemo(ctx context.Context, store eventstore.Store, codec domain.Codec, now time.Time) (int, error) {
	doer := planner{Store: store, Codec: codec, Namespace: namespaceOf("demo")}
	missing, err := missingPlans(ctx, doer, demoHistory(now))
	if err != nil || len(missing) == 0 {
		return 0, err
	}
	if len(missing) == demoOrders {
		if heads, _, _, err := store.Walk(ctx, "", 1); err != nil || len(heads) > 0 {
			return 0, err
		}
	}
	stored := 0
	err = doer.run(ctx, missing, func(o outcome) { stored += o.Stored })
	return stored, err
}

// missingPlans are those of which a step is not stored.
func missingPlans(ctx context.Context, doer planner, plans []plan) ([]plan, error) {
	heads := map[domain.OrderID]int{}
	ids := make([]domain.OrderID, len(plans))
	for i, l := range plans {
		ids[i] = doer.orderID(l)
	}
	for i := 0; i < len(ids); i += eventstore.MaxPage {
		found, err := doer.Store.Heads(ctx, ids[i:min(i+eventstore.MaxPage, len(ids))]...)
		if err != nil {
			return nil, err
		}
		for _, h := range found {
			heads[h.OrderID] = h.Version
		}
	}
	var missing []plan
	for i, l := range plans {
		if heads[ids[i]] < len(l.Steps) {
			missing = append(missing, l)
		}
	}
	return missing, nil
}

// demoCommand is one thing that a member of staff does now: a new order, or a step on an open one.
func (a *App) demoCommand(ctx context.Context, rng *rand.Rand) error {
	request := eventstore.Request{
		CommandID: domain.CommandID(uuid.NewString()), UserID: demoActor(rng), Timestamp: a.Clock(),
	}
	choice := rng.IntN(100)
	open, err := a.Read.Orders(ctx, projections.OrderQuery{Statuses: []domain.Status{domain.Created}, Limit: projections.PageSize})
	if err != nil {
		return err
	}
	if choice < 40 || len(open.Rows) == 0 {
		_, _, total, err := a.Events.Walk(ctx, "", 1)
		if err != nil || total >= maxDemoOrders {
			return err
		}
		request.Command = demoCreate(rng, demoReference(total))
	} else {
		stream, err := eventstore.Load(ctx, a.Events, a.Codec, open.Rows[rng.IntN(len(open.Rows))].ID)
		if err != nil || stream.Hold != nil || stream.Order.Status != domain.Created {
			return err
		}
		request.OrderID, request.Expect = stream.Order.ID, stream.Head()
		request.Command = demoStep(rng, choice, stream.Order)
	}
	_, err = eventstore.Execute(ctx, a.Events, a.Codec, request)
	return err
}

// demoStep is what happens next to an open order.
func demoStep(rng *rand.Rand, choice int, o domain.Order) domain.Command {
	switch {
	case choice < 60 && len(o.Items) < 12:
		return domain.AddItem{Item: demoItem(rng, o.Currency)}
	case choice < 93:
		return domain.ConfirmOrder{}
	}
	return domain.CancelOrder{Reason: demoReasons[rng.IntN(len(demoReasons))]}
}
