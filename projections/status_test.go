package projections_test

import (
	"fmt"
	"testing"
	"time"

	"headway/domain"
	"headway/orders"
	"headway/projections"
)

func TestStampsOfRows(t *testing.T) {
	now := start.Add(time.Hour)
	status := func(state projections.Phase, reason string) projections.Status {
		return projections.Status{Name: projections.OrderList, State: state, Reason: reason}
	}
	running := status(projections.Running, "")
	held := &projections.Hold{Version: 5, Reason: "Unknown event type “OrderEaten”."}
	for _, c := range []struct {
		rule          string
		version, head int
		age           time.Duration
		status        projections.Status
		hold          *projections.Hold
		state         projections.StampState
		words         string
	}{
		{"at its head it is current", 7, 7, 0, running, nil, projections.StampCurrent, "current"},
		{"at its head it is current, even if the projection is paused", 7, 7, 0, status(projections.Paused, ""), nil,
			projections.StampCurrent, "current"},
		{"behind a running projection", 5, 7, 1400 * time.Millisecond, running, nil, projections.StampBehind, "2 events behind, 1.4 s"},
		{"one event", 6, 7, 38 * time.Millisecond, running, nil, projections.StampBehind, "1 event behind, 38 ms"},
		{"no row yet", 0, 3, 12 * time.Second, running, nil, projections.StampBehind, "3 events behind, 12 s"},
		{"an import under way", 0, 1234, 12 * time.Second, running, nil, projections.StampBehind, "1,234 events behind, 12 s"},
		{"a clock that steps back has no negative age", 6, 7, -time.Second, running, nil, projections.StampBehind, "1 event behind"},
		{"a long time", 6, 7, 3 * time.Hour, running, nil, projections.StampBehind, "1 event behind, 3 h"},
		{"paused", 6, 7, time.Minute, status(projections.Paused, "Paused by an administrator since 14:02."), nil,
			projections.StampPaused, "paused by an administrator since 14:02"},
		{"held", 4, 7, time.Minute, running, held, projections.StampHeld, "held at version 5: Unknown event type “OrderEaten”"},
		{"held says more than paused", 4, 7, time.Minute, status(projections.Paused, ""), held,
			projections.StampHeld, "held at version 5: Unknown event type “OrderEaten”"},
		{"a hold that the row has passed says nothing", 6, 7, time.Second, running, held, projections.StampBehind, "1 event behind, 1.0 s"},
		{"rebuilding", 6, 7, time.Minute, status(projections.Rebuilding, "Rebuilding, 61 %."), nil,
			projections.StampRebuilding, "rebuilding, 61 %"},
		{"stalled", 6, 7, time.Minute, status(projections.Stalled, "No heartbeat for 14 s."), nil,
			projections.StampStalled, "stalled: no heartbeat for 14 s"},
		{"the read store is away", 6, 7, time.Minute, status(projections.Unreachable, "The read store cannot be reached."), nil,
			projections.StampUnknown, "unknown: the read store cannot be reached"},
		{"the head could not be learned: unknown, never current", 7, 0, 0, running, nil, projections.StampUnknown,
			"unknown: the event store did not say how far this order is"},
		{"a projection of which nothing is known", 6, 7, 0, projections.Status{}, nil, projections.StampUnknown, "unknown"},
	} {
		s := projections.StampRow(c.version, c.head, now.Add(-c.age), now, c.status, c.hold)
		if s.State != c.state || s.Words() != c.words || s.Version != c.version || s.Head != c.head {
			t.Errorf("%s: %+v says %q, want %s, %q", c.rule, s, s.Words(), c.state, c.words)
		}
		if c.state == projections.StampCurrent && (s.Reason != "" || s.Behind != projections.Lag{}) {
			t.Errorf("%s: current has no reason and no lag: %+v", c.rule, s)
		}
	}
}

func TestStampsOfLists(t *testing.T) {
	for _, c := range []struct {
		rule   string
		status projections.Status
		state  projections.StampState
		words  string
	}{
		{"nothing missing", projections.Status{State: projections.Running, LagIsExact: true}, projections.StampCurrent, "current"},
		{"nothing missing, though a store failed a moment ago",
			projections.Status{State: projections.Running, LagIsExact: true, Reason: "It is tried again."}, projections.StampCurrent, "current"},
		{"a lag that is not known is not current", projections.Status{State: projections.Running}, projections.StampBehind, "behind"},
		{"behind", projections.Status{State: projections.Running, LagIsExact: true, Lag: projections.Lag{Events: 12, Age: 90 * time.Second}},
			projections.StampBehind, "12 events behind, 90 s"},
		{"paused with nothing missing is paused: it does not follow", projections.Status{State: projections.Paused, LagIsExact: true},
			projections.StampPaused, "paused"},
		{"stalled", projections.Status{State: projections.Stalled, Reason: "It has not started yet."}, projections.StampStalled,
			"stalled: it has not started yet"},
		{"no contact", projections.Status{State: projections.Unreachable, Reason: "No contact for 12 s."}, projections.StampUnknown,
			"unknown: no contact for 12 s"},
		{"nothing known", projections.Status{}, projections.StampUnknown, "unknown"},
	} {
		s := projections.StampList(c.status)
		if s.State != c.state || s.Words() != c.words || s.Version != 0 || s.Head != 0 {
			t.Errorf("%s: %+v says %q, want %s, %q", c.rule, s, s.Words(), c.state, c.words)
		}
	}
}

// look is the status of the order list.
func (w *world) look() projections.Status {
	w.t.Helper()
	statuses, err := projections.Look(w.t.Context(), w.events, w.read, w.now)
	if err != nil || len(statuses) != len(projections.Names()) {
		w.t.Fatalf("%+v, %v", statuses, err)
	}
	return statuses[0]
}

func TestAProjectionThatNeverRanIsBehindByTheWholeLog(t *testing.T) {
	w := newWorld(t)
	id := w.create("ada", "A-1", 500)
	oldest := w.now
	w.do(id, 1, domain.ConfirmOrder{})
	w.create("ada", "A-2", 500)
	w.now = w.now.Add(5 * time.Second)
	s := w.look()
	if s.State != projections.Stalled || s.Lag.Events != 3 || s.Lag.Age != w.now.Sub(oldest) || !s.LagIsExact || s.Cursor != "" {
		t.Errorf("%+v", s)
	}
}

func TestLagIsCountedFromTheLogAndTheRows(t *testing.T) {
	w := newWorld(t)
	id := w.create("ada", "A-1", 500)
	w.step(w.projector())
	if s := w.look(); s.State != projections.Running || s.Lag != (projections.Lag{}) || !s.LagIsExact || s.Cursor == "" {
		t.Errorf("caught up: %+v", s)
	}
	w.do(id, 1, domain.AddItem{Item: line(1)})
	first := w.now
	w.do(id, 2, domain.AddItem{Item: line(1)})
	w.create("bob", "A-2", 1)
	if s := w.look(); s.Lag.Events != 3 || s.Lag.Age != w.now.Sub(first) || !s.LagIsExact {
		t.Errorf("three events, the oldest missing one counts: %+v", s)
	}
	// A row that is ahead of the checkpoint, as after a nudge, is not behind.
	p := w.projector()
	rows, err := w.read.Rows(t.Context(), projections.OrderList, id)
	if err != nil {
		t.Fatal(err)
	}
	records, err := w.events.Read(t.Context(), orders.StreamOf(id), 1)
	if err != nil {
		t.Fatal(err)
	}
	row, _, err := projections.FoldOrderList(domain.Codec{}, rows[id].(projections.OrderRow), records)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.read.Write(t.Context(), projections.Batch{Projection: projections.OrderList, Epoch: w.epoch(), Rows: []projections.Row{row}}); err != nil {
		t.Fatal(err)
	}
	if s := w.look(); s.Lag.Events != 1 {
		t.Errorf("one event: %+v", s)
	}
	w.step(p)
	w.now = w.now.Add(projections.StalledAfter)
	if s := w.look(); s.State != projections.Running || s.Lag.Events != 0 {
		t.Errorf("a heartbeat is good for a while: %+v", s)
	}
	w.now = w.now.Add(time.Second)
	if s := w.look(); s.State != projections.Stalled || s.Reason != "No heartbeat for 11 s." || s.Rate != 0 {
		t.Errorf("and then the projection is stalled: %+v", s)
	}
}

func TestLagIsExactUpToABound(t *testing.T) {
	w := newWorld(t)
	for i := range projections.MaxLagOrders {
		w.create("ada", fmt.Sprint("A-", i), 1)
	}
	if s := w.look(); s.Lag.Events != projections.MaxLagOrders || !s.LagIsExact {
		t.Errorf("up to the bound it is exact: %+v, %v", s.Lag, s.LagIsExact)
	}
	w.create("ada", "one more", 1)
	if s := w.look(); s.Lag.Events != projections.MaxLagOrders || s.LagIsExact {
		t.Errorf("beyond it is a lower bound: %+v, %v", s.Lag, s.LagIsExact)
	}
}

func TestAStoreThatIsAwayIsAStateNotAnError(t *testing.T) {
	w := newWorld(t)
	w.create("ada", "A-1", 500)
	w.step(w.projector())
	w.events.Close()
	if s := w.look(); s.State != projections.Unreachable || s.LagIsExact || s.Reason != "The event store cannot be reached." {
		t.Errorf("%+v", s)
	}
	w.read.Close()
	if s := w.look(); s.State != projections.Unreachable || s.LagIsExact || s.Reason != "The read store cannot be reached." ||
		projections.StampList(s).State != projections.StampUnknown {
		t.Errorf("%+v", s)
	}
}
