package projections

import (
	"context"
	"errors"
	"math"
	"time"

	"headway/domain"
	"headway/eventstore"
)

// The bounds of a look.
const (
	MaxLagOrders = 1000             // orders that moved since the checkpoint; with more the lag is a lower bound
	StalledAfter = 10 * time.Second // a heartbeat older than this is none
	maxAgeReads  = 20               // orders whose oldest missing event is looked up; of the others the newest counts
)

// Status is a projection as the stores tell it, not as it says of itself: the lag is counted from the log and the rows.
type Status struct {
	Name        string
	State       Phase
	Reason      string // a sentence; empty if there is nothing to say
	Lag         Lag
	LagIsExact  bool // else it is at least that, or, when unreachable, not known
	Rate        float64
	HeartbeatAt time.Time         // zero if there was none
	Holder      string            // the process whose heartbeat it was
	Cursor      eventstore.Cursor // empty if there is none: then it is behind by the whole log
	Holds       []Hold            // oldest first, at most MaxHolds
}

// Look asks both stores about every projection, in the order of Names. A store that does not answer is a state, not an error; the only error
// is the context's.
func Look(ctx context.Context, events eventstore.Store, read Reader, now time.Time) ([]Status, error) {
	states, err := read.States(ctx)
	var all []Status
	for _, name := range Names() {
		if err != nil {
			all = append(all, Status{Name: name, State: Unreachable, Reason: "The read store cannot be reached."})
			continue
		}
		s := statusOf(name, states[name], now)
		if s.Holds, err = read.Holds(ctx, name); err != nil {
			s.State, s.Reason = Unreachable, "The read store cannot be reached."
		} else {
			s.look(ctx, events, read, now)
		}
		all, err = append(all, s), nil
	}
	return all, ctx.Err()
}

// statusOf judges what a projection says of itself by its heartbeat.
func statusOf(name string, state State, now time.Time) Status {
	s := Status{
		Name: name, State: state.Phase, Reason: state.Reason, Rate: state.Rate, HeartbeatAt: state.HeartbeatAt, Holder: state.Holder,
		Cursor: state.Checkpoint,
	}
	switch silence := now.Sub(state.HeartbeatAt); {
	case state.HeartbeatAt.IsZero():
		s.State, s.Reason, s.Rate = Stalled, "It has not started yet.", 0
	case silence > StalledAfter:
		s.State, s.Reason, s.Rate = Stalled, "No heartbeat for "+Span(silence)+".", 0
	}
	return s
}

// look counts the lag; without the event store it is not known.
func (s *Status) look(ctx context.Context, events eventstore.Store, read Reader, now time.Time) {
	l := lagCount{ctx: ctx, events: events, read: read, name: s.Name, now: now}
	var err error
	if s.LagIsExact, err = l.count(s.Cursor); err != nil {
		s.State, s.Reason, s.LagIsExact = Unreachable, reasonUnreachable(err), false
	}
	s.Lag = l.lag
}

func reasonUnreachable(err error) string {
	if e, ok := errors.AsType[*storeError](err); ok {
		return "The " + e.store + " cannot be reached."
	}
	return "Something went wrong."
}

// lagCount adds up what a projection has not applied of the orders that moved since its checkpoint.
type lagCount struct {
	ctx     context.Context
	events  eventstore.Store
	read    Reader
	name    string
	now     time.Time
	lag     Lag
	reads   int
	counted map[domain.OrderID]int // up to which version an order is applied or counted
}

func (l *lagCount) count(cursor eventstore.Cursor) (exact bool, err error) {
	l.counted = map[domain.OrderID]int{}
	for {
		heads, next, err := l.events.Moved(l.ctx, cursor, MaxLagOrders)
		if domain.KindOf(err) == domain.Malformed && cursor != "" {
			cursor = "" // of another log: all of this one is missing
			continue
		}
		switch {
		case err != nil:
			return false, eventsFailed(err)
		case len(heads) == 0:
			return true, nil
		case len(l.counted) >= MaxLagOrders:
			return false, nil
		}
		if err := l.add(heads); err != nil {
			return false, err
		}
		cursor = next
	}
}

func (l *lagCount) add(heads []eventstore.Head) error {
	if err := l.place(heads); err != nil {
		return err
	}
	for _, h := range heads {
		at := l.counted[h.OrderID]
		if h.Version <= at {
			continue
		}
		l.lag.Events += h.Version - at
		l.counted[h.OrderID] = h.Version
		since := h.At
		if l.reads < maxAgeReads {
			l.reads++
			records, err := l.events.Read(l.ctx, h.OrderID, at)
			if err != nil {
				return eventsFailed(err)
			}
			if len(records) > 0 {
				since = records[0].StoredAt
			}
		}
		l.lag.Age = max(l.lag.Age, l.now.Sub(since))
	}
	return nil
}

// place learns where the rows of orders are that were not met before. Those that are held wait for a person: they are shown as holds
// and are no lag.
func (l *lagCount) place(heads []eventstore.Head) error {
	var ids []domain.OrderID
	for _, h := range heads {
		if _, met := l.counted[h.OrderID]; !met {
			ids = append(ids, h.OrderID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	versions, err := l.read.Versions(l.ctx, l.name, ids...)
	if err != nil {
		return readFailed(err)
	}
	holds, err := l.read.Holds(l.ctx, l.name, ids...)
	if err != nil {
		return readFailed(err)
	}
	for _, id := range ids {
		l.counted[id] = versions[id]
	}
	for _, h := range holds {
		l.counted[h.OrderID] = math.MaxInt
	}
	return nil
}
