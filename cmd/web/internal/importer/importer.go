// Package importer makes the orders of a file what the file says, and waits until they are in the lists. It must never overrule what
// people have done to an order since, nor store a command of the same file twice.
package importer

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"headway/cmd/web/internal/csvimport"
	"headway/cmd/web/internal/plan"
	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/internal/waiting"
	"headway/orders"
	"headway/projections"
	"headway/projections/runner"
)

// User is who has done everything that an import does.
const User = "import"

const (
	arrivalPoll     = 20 * time.Millisecond
	arrivalPatience = 30 * time.Second // without any row arriving
	leaseLooked     = time.Second      // while another process projects
)

// Importer brings orders into the stores. All fields are required, but for Codec, whose zero value is ready.
type Importer struct {
	Events    eventstore.Store
	Read      projections.Store
	Codec     domain.Codec
	Clock     func() time.Time
	Projector *runner.Projector // steps while no server projects
}

// Report is what Store did.
type Report struct {
	Imported  int                   // orders that were not there
	Finished  int                   // orders that were there in part
	Unchanged int                   // orders that were there
	LeftOut   int                   // orders with a bad line
	Bad       []csvimport.LineError // in the order of lines

	rows map[domain.OrderID]int // the version that AwaitRows waits for
}

// Store stores what is missing of the orders and calls done, never twice at once, after each. bad are the mistakes of the file; an order
// that the store refuses becomes one more. Unavailable if it could not come to the end: the same again then goes on.
func (im Importer) Store(ctx context.Context, placed []csvimport.Order, bad []csvimport.LineError, done func()) (Report, error) {
	report := Report{Bad: bad, LeftOut: leftOut(bad), rows: map[domain.OrderID]int{}}
	plans := make([]plan.Plan, len(placed))
	for i, o := range placed {
		plans[i] = planOf(o)
	}
	run := plan.Runner{
		Orders: orders.Handler{Events: im.Events, Codec: im.Codec}, Namespace: plan.Namespace("import"), Correlation: uuid.NewString(),
		// one a run
	}
	err := run.Run(ctx, plans, func(o plan.Outcome) {
		done()
		if o.Version > 0 {
			report.rows[o.OrderID] = o.Version
		}
		switch {
		case o.Err != nil:
			report.Bad = append(report.Bad, refusal(placed[o.Index], o))
			report.LeftOut++
		case o.Stored == 0:
			report.Unchanged++
		case o.Stored < len(plans[o.Index].Steps):
			report.Finished++
		default:
			report.Imported++
		}
	})
	if err != nil {
		return report, interrupted(err)
	}
	slices.SortStableFunc(report.Bad, func(a, b csvimport.LineError) int { return a.Line - b.Line })
	return report, nil
}

// interrupted says how to go on after an import that could not end.
func interrupted(err error) error {
	reason := "It was stopped."
	if _, ours := errors.AsType[*fault.Error](err); ours {
		reason = fault.Sentence(err)
	}
	return &fault.Error{Kind: fault.Unavailable, Cause: err,
		Message: "The import did not end: " + reason + " Run it again; it goes on where it was."}
}

// planOf is the commands that make the order what the file says.
func planOf(o csvimport.Order) plan.Plan {
	l := plan.Plan{Name: o.Create.Reference, Steps: []plan.Step{{Command: o.Create, At: o.PlacedAt, User: User}}}
	switch o.Status {
	case domain.Confirmed:
		l.Steps = append(l.Steps, plan.Step{Command: domain.ConfirmOrder{}, At: o.StatusAt, User: User})
	case domain.Cancelled:
		l.Steps = append(l.Steps, plan.Step{Command: domain.CancelOrder{Reason: o.Reason}, At: o.StatusAt, User: User})
	case domain.Created:
	}
	return l
}

// refusal says, beside the order's first line, why the store did not take the order as the file has it.
func refusal(o csvimport.Order, out plan.Outcome) csvimport.LineError {
	e := csvimport.LineError{Line: o.Lines[0], Order: o.Create.Reference, Field: "order", Reason: fault.Sentence(out.Err)}
	switch kind := fault.KindOf(out.Err); {
	case out.Version == 0 && kind == fault.Invalid:
		e.Reason = "The order was imported before with other content, which is kept."
	case out.Version > 0 && kind == fault.Conflict:
		e.Field, e.Reason = "status", "Others have changed the order since it was imported; it is left as it is."
	case out.Version > 0:
		e.Field = "status"
	}
	return e
}

// leftOut counts the orders that have a bad line.
func leftOut(bad []csvimport.LineError) int {
	placed := map[string]bool{}
	for _, e := range bad {
		if e.Order != "" {
			placed[e.Order] = true
		}
	}
	return len(placed)
}

// AwaitRows waits until every projection has each order of the report at its version or higher, or holds it. A running server projects;
// without one, this process does. It gives up with Unavailable when nothing arrives any more.
func (im Importer) AwaitRows(ctx context.Context, report Report) error {
	defer im.Projector.Release(context.WithoutCancel(ctx))
	if err := im.await(ctx, report.rows); err != nil {
		return interrupted(err)
	}
	return nil
}

func (im Importer) await(ctx context.Context, want map[domain.OrderID]int) error {
	missing := map[string]map[domain.OrderID]int{}
	for _, projection := range projections.All() {
		missing[projection.Name] = maps.Clone(want)
	}
	var looked time.Time
	patience := im.Clock().Add(arrivalPatience)
	for before := -1; ; {
		left := 0
		for name, placed := range missing {
			if err := dropArrived(ctx, im.Read, name, placed); err != nil {
				return err
			}
			left += len(placed)
		}
		switch {
		case left == 0:
			return nil
		case left != before:
			before, patience = left, im.Clock().Add(arrivalPatience)
		case im.Clock().After(patience):
			noun := "rows"
			if left == 1 {
				noun = "row"
			}
			return fault.Errorf(fault.Unavailable, "All orders are stored, but %d %s did not arrive in the lists.", left, noun)
		}
		if _, standsBy := im.Projector.StandsBy(); !standsBy || im.Clock().Sub(looked) >= leaseLooked {
			looked = im.Clock()
			if _, err := im.Projector.Step(ctx); err != nil && fault.KindOf(err) != fault.Conflict { // a server has just begun
				return err
			}
		}
		if err := waiting.Pause(ctx, arrivalPoll); err != nil {
			return err
		}
	}
}

// dropArrived removes the orders that a projection has at their version, or holds.
func dropArrived(ctx context.Context, read projections.Store, projection string, placed map[domain.OrderID]int) error {
	for ids := range slices.Chunk(slices.Collect(maps.Keys(placed)), eventstore.MaxPage) {
		rows, err := read.Rows(ctx, projection, ids...)
		if err != nil {
			return err
		}
		for id, row := range rows {
			if row.At() >= placed[id] {
				delete(placed, id)
			}
		}
		if len(rows) == len(ids) {
			continue
		}
		holds, err := read.Holds(ctx, projection, ids...)
		if err != nil {
			return err
		}
		for _, h := range holds {
			delete(placed, h.OrderID)
		}
	}
	return nil
}
