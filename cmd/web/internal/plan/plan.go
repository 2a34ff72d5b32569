// Package plan carries out commands that are known beforehand, such as those of an import or of the demo's history: several orders at
// once, and each command once however often it is run. It must never write but through eventstore.Execute, nor change an order that
// others have changed since.
package plan

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/orders"
)

// atOnce is how many orders are written at once: enough that each commit of the store carries several commands.
const atOnce = 16

// Plan is the life of one order as it is known beforehand. The ids of its commands derive from its name, so that a plan that
// was carried out, wholly or in part, is only finished by carrying it out again.
type Plan struct {
	Name  string // unique within the namespace
	Steps []Step // the first one creates
}

// Step is one command. Its kind is unique within its plan, except for added items, which are numbered.
type Step struct {
	Command domain.Command
	At      time.Time // business time
	User    string
}

// Outcome is what became of one plan.
type Outcome struct {
	Index   int // of the plan
	OrderID domain.OrderID
	Version int // of the last step that is stored; 0 if none is
	Stored  int // steps that were not stored before
	Err     error
}

// Runner carries out plans. It never changes an order that others have changed since: their work wins.
type Runner struct {
	Orders      orders.Handler
	Namespace   uuid.UUID
	Correlation string // of every command; empty means each command's own id
}

// Run carries out all plans, several at once, in their order as far as that goes, and calls done, never twice at once, with each
// outcome. A plan that fails does not stop the others; a store that is away and the end of ctx do, with their error.
func (p Runner) Run(ctx context.Context, plans []Plan, done func(Outcome)) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	next := make(chan int)
	var workers sync.WaitGroup
	var mu sync.Mutex
	for range atOnce {
		workers.Go(func() {
			for i := range next {
				o := p.carryOut(ctx, plans[i])
				o.Index = i
				if fatal := ctx.Err() != nil || fault.KindOf(o.Err) == fault.Unavailable; o.Err != nil && fatal {
					stop(o.Err)
					return
				}
				mu.Lock()
				done(o)
				mu.Unlock()
			}
		})
	}
feed:
	for i := range plans {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	workers.Wait()
	return context.Cause(ctx)
}

// CommandIDs are the ids of a plan's steps.
func (p Runner) CommandIDs(l Plan) []domain.CommandID {
	ids := make([]domain.CommandID, len(l.Steps))
	seen := map[string]int{}
	for i, s := range l.Steps {
		kind := s.Command.Kind()
		name := l.Name + "\x00" + kind
		if n := seen[kind]; n > 0 {
			name += "\x00" + strconv.Itoa(n)
		}
		seen[kind]++
		ids[i] = domain.CommandID(uuid.NewSHA1(p.Namespace, []byte(name)).String())
	}
	return ids
}

// OrderID is the order that a plan makes.
func (p Runner) OrderID(l Plan) domain.OrderID { return orders.OrderIDFor(p.CommandIDs(l)[0]) }

func (p Runner) carryOut(ctx context.Context, l Plan) Outcome {
	ids := p.CommandIDs(l)
	o := Outcome{OrderID: orders.OrderIDFor(ids[0])}
	for i, s := range l.Steps {
		request := orders.Request{
			CommandID: ids[i], OrderID: o.OrderID, Command: s.Command, Expect: o.Version,
			UserID: s.User, CorrelationID: p.Correlation, Timestamp: s.At,
		}
		result, err := p.Orders.Execute(ctx, request)
		if fault.KindOf(err) == fault.Conflict {
			if request.Expect, err = p.ownHead(ctx, o.OrderID, s.User, err); err == nil {
				result, err = p.Orders.Execute(ctx, request)
			}
		}
		if err != nil {
			o.Err = err
			return o
		}
		o.Version = result.Version
		if !result.Repeat {
			o.Stored++
		}
	}
	return o
}

// ownHead is the head of an order that nobody but user has changed, as when a newer file has a later status; else conflict.
func (p Runner) ownHead(ctx context.Context, id domain.OrderID, user string, conflict error) (int, error) {
	records, err := p.Orders.Events.Read(ctx, orders.StreamOf(id), 0)
	if err != nil {
		return 0, err
	}
	if slices.ContainsFunc(records, func(r eventstore.Record) bool { return r.Metadata.UserID != user }) {
		return 0, conflict
	}
	return len(records), nil
}

// Namespace is a fixed namespace for the command ids of one purpose.
func Namespace(purpose string) uuid.UUID {
	return uuid.NewSHA1(uuid.MustParse("0e0f4bb3-55c5-5a53-8a4c-2f6f4f1f3a77"), []byte(purpose))
}
