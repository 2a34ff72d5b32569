package console

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"headway/cmd/web/console/wire"
	"headway/domain"
	"headway/eventstore"
	"headway/orders"
	"headway/projections"
	"headway/projections/runner"
	"headway/views"
)

// statusWait is how long a page waits to learn how the projections are; then that is unknown, and the page shows what needs no projection.
const statusWait = 2500 * time.Millisecond

// freshness is how current the projections and their rows are.
type freshness struct {
	events  eventstore.Store
	read    projections.Reader
	monitor *runner.Monitor
	total   rowCount
	zone    *time.Location
	clock   func() time.Time
}

type statusesKey struct{}

// statuses asks how the projections are; of one request it asks once.
func (f *freshness) statuses(ctx context.Context) []projections.Status {
	once, _ := ctx.Value(statusesKey{}).(func() []projections.Status)
	if once != nil {
		return once()
	}
	ctx, cancel := context.WithTimeout(ctx, statusWait)
	defer cancel()
	statuses, _ := f.monitor.Look(ctx, f.clock()) // the error is the context's: nobody waits for the answer
	return statuses
}

// sharingStatuses makes statuses within ctx the same.
func (f *freshness) sharingStatuses(ctx context.Context) context.Context {
	return context.WithValue(ctx, statusesKey{}, sync.OnceValue(func() []projections.Status { return f.statuses(ctx) }))
}

func (f *freshness) status(ctx context.Context, projection string) projections.Status {
	for _, st := range f.statuses(ctx) {
		if st.Name == projection {
			return st
		}
	}
	return projections.Status{Name: projection, State: projections.Unreachable}
}

// cards is what each projection does now, in the order in which pages show them.
func (f *freshness) cards(ctx context.Context) []views.ProjectionCard {
	return wire.ListOf(f.statuses(ctx), func(st projections.Status) views.ProjectionCard {
		return views.ProjectionCard{
			Name: st.Name, State: views.ProjectionState(st.State), Reason: st.Reason, Stamp: projections.StampList(st), Share: f.share(ctx, st),
			Lag: st.Lag, Rate: st.Rate, HeartbeatAt: st.HeartbeatAt, Holds: len(st.Holds), Zone: f.zone,
		}
	})
}

// share is how much of the log a projection has applied, from 0 to 1, as far as a bar of two pixels can show it: what it lacks is
// compared with the rows of the order list, because no engine counts its events.
func (f *freshness) share(ctx context.Context, st projections.Status) float64 {
	if st.State == projections.Unreachable || st.Cursor == "" {
		return 0
	}
	if st.Lag.Events == 0 {
		return 1
	}
	n := f.total.count(ctx, f.read, f.clock())
	return float64(n) / float64(n+st.Lag.Events)
}

// The bounds of counting rows.
const (
	countAgain = time.Minute            // a count is good for so long
	countWait  = 100 * time.Millisecond // a page does not wait longer for one
	countTakes = 30 * time.Second       // nor does a count
)

// rowCount is about how many orders the list has.
type rowCount struct {
	mu   sync.Mutex
	n    int           // as of the last count; 0 before the first
	at   time.Time     // when that began
	done chan struct{} // closed at its end
}

// count is the newest count that is there in time.
func (c *rowCount) count(ctx context.Context, read projections.Reader, now time.Time) int {
	c.mu.Lock()
	if c.done == nil || now.Sub(c.at) >= countAgain {
		done := make(chan struct{})
		c.at, c.done = now, done
		ctx := context.WithoutCancel(ctx) // others use it, too
		go func() {
			defer close(done)
			ctx, cancel := context.WithTimeout(ctx, countTakes)
			defer cancel()
			totals, err := read.Totals(ctx, now, now)
			if err != nil {
				return
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			c.n = 0
			for _, n := range totals.ByStatus {
				c.n += n
			}
		}()
	}
	done := c.done
	c.mu.Unlock()
	wait := time.NewTimer(countWait)
	defer wait.Stop()
	select {
	case <-done:
	case <-wait.C:
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

func (f *freshness) bars(ctx context.Context) []views.Bar {
	return wire.ListOf(f.cards(ctx), func(c views.ProjectionCard) views.Bar {
		return views.Bar{Projection: c.Name, Share: c.Share, Stamp: views.Stamp{Projection: c.Name, Stamp: c.Stamp}}
	})
}

// listStamp is the stamp of a whole list or summary: the projection's own.
func (f *freshness) listStamp(ctx context.Context, projection string) views.Stamp {
	return views.Stamp{Projection: projection, Stamp: projections.StampList(f.status(ctx, projection))}
}

// customerStamps is the stamp of each customer's sums: the projection's own, but held where an order of theirs is, because its later events
// are missing from the sums. all is the stamp of the whole list; of gives one customer's.
func (f *freshness) customerStamps(ctx context.Context) (all views.Stamp, of func(customer string) projections.Stamp) {
	all = f.listStamp(ctx, projections.CustomerOrderSummary)
	own, held := all.Stamp, map[string]projections.Stamp{}
	holds := f.status(ctx, projections.CustomerOrderSummary).Holds
	if len(holds) > 0 && own.State == projections.StampCurrent {
		rows, _ := f.read.OrderRows(ctx, wire.ListOf(holds, func(h projections.Hold) domain.OrderID { return h.OrderID })...)
		for _, h := range slices.Backward(holds) { // the oldest is named
			held[rows[h.OrderID].CustomerID] = projections.Stamp{
				State: projections.StampHeld, Reason: fmt.Sprintf("Held: order %s at version %d: %s", h.OrderID, h.Version, h.Reason),
			}
		}
		all.State, all.Reason = projections.StampHeld, fmt.Sprintf("Held: %d of the orders; the sums of their customers lack events.", len(holds))
	}
	return all, func(customer string) projections.Stamp {
		if stamp, ok := held[customer]; ok {
			return stamp
		}
		return own
	}
}

// rowStamps compares the rows of one page with the heads of their orders, and says why some are behind, by one read of each.
func (f *freshness) rowStamps(ctx context.Context, rows []projections.OrderRow) []projections.Stamp {
	stamps := make([]projections.Stamp, len(rows))
	if len(rows) == 0 {
		return stamps
	}
	ids := wire.ListOf(rows, func(r projections.OrderRow) domain.OrderID { return r.ID })
	status := f.status(ctx, projections.OrderList)
	heads, failed := f.events.Heads(ctx, orders.StreamsOf(ids)...) // without heads the stamps are unknown, which is the truth
	newest := make(map[domain.OrderID]eventstore.Head, len(heads))
	for _, h := range heads {
		newest[orders.IDOf(h.Stream)] = h
	}
	var holds map[domain.OrderID]*projections.Hold
	if slices.ContainsFunc(rows, func(r projections.OrderRow) bool { return r.Version < newest[r.ID].Version }) {
		holds = f.holds(ctx, projections.OrderList, ids...) // of a row that is current a hold says nothing
	}
	for i, r := range rows {
		head, known := newest[r.ID]
		if !known && failed == nil {
			stamps[i] = projections.StampLost(r.Version)
			continue
		}
		stamps[i] = projections.StampRow(r.Version, head.Version, head.At, f.clock(), status, holds[r.ID])
	}
	return stamps
}

// rowStamp is the stamp of one order in one projection; head is its newest record.
func (f *freshness) rowStamp(ctx context.Context, projection string, head eventstore.Record) projections.Stamp {
	versions, err := f.read.Versions(ctx, projection, orders.IDOf(head.Stream))
	if err != nil {
		return projections.Stamp{Head: head.Version, State: projections.StampUnknown, Reason: problemOf(err).message,
			Behind: projections.Lag{Age: max(0, f.clock().Sub(head.StoredAt))}}
	}
	hold := f.holds(ctx, projection, orders.IDOf(head.Stream))[orders.IDOf(head.Stream)]
	return projections.StampRow(versions[orders.IDOf(head.Stream)], head.Version, head.StoredAt, f.clock(), f.status(ctx, projection), hold)
}

// rowVersion is where a projection is in an order; 0 if it has no row or cannot be asked.
func (f *freshness) rowVersion(ctx context.Context, projection string, id domain.OrderID) int {
	versions, _ := f.read.Versions(ctx, projection, id)
	return versions[id]
}

func (f *freshness) holds(ctx context.Context, projection string, ids ...domain.OrderID) map[domain.OrderID]*projections.Hold {
	holds := map[domain.OrderID]*projections.Hold{}
	list, _ := f.read.Holds(ctx, projection, ids...) // without it, a held row is shown as behind
	for _, h := range list {
		holds[h.OrderID] = &h
	}
	return holds
}
