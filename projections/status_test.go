package projections_test

import (
	"testing"
	"time"

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
