package readtest

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/projections"
	"headway/projections/runner"
)

// swap replaces the lease, which must succeed.
func (s *subject) swap(old, lease projections.Lease) projections.Lease {
	s.t.Helper()
	if err := s.SwapLease(s.t.Context(), old, lease); err != nil {
		s.t.Fatal(err)
	}
	return lease
}

func isConflict(err error) bool { return err != nil && fault.KindOf(err) == fault.Conflict }

func lease(t *testing.T, s *subject) {
	if l, err := s.Lease(t.Context()); err != nil || l != (projections.Lease{}) {
		t.Errorf("at first nobody has the lease: %+v, %v", l, err)
	}
	const takers = 8
	var all sync.WaitGroup
	errs := make([]error, takers)
	for i := range takers {
		all.Go(func() {
			errs[i] = s.SwapLease(t.Context(), projections.Lease{}, projections.Lease{Holder: fmt.Sprint("taker ", i), Epoch: 1})
		})
	}
	all.Wait()
	held, err := s.Lease(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, err := range errs {
		if won := held.Holder == fmt.Sprint("taker ", i); won && err != nil || !won && !isConflict(err) {
			t.Errorf("of those who take it at once, one gets it, and the others a conflict: taker %d got %v, %+v has it", i, err, held)
		}
	}
	renewed := s.swap(held, projections.Lease{Holder: held.Holder, Epoch: 1, Renewals: 1})
	if err := s.SwapLease(t.Context(), held, projections.Lease{Holder: "eve", Epoch: 2}); !isConflict(err) {
		t.Errorf("nobody takes a lease that has been renewed since they read it: %v", err)
	}
	if l, err := s.Lease(t.Context()); err != nil || l != renewed {
		t.Errorf("what was refused changes nothing: %+v, %v", l, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.open()
	if l, err := s.Lease(t.Context()); err != nil || l != renewed {
		t.Errorf("the lease is kept: %+v, %v", l, err)
	}
	if states, err := s.States(t.Context()); err != nil || len(states) != 0 {
		t.Errorf("a lease is no projection's state: %v, %v", states, err)
	}
}

func epochs(t *testing.T, s *subject) {
	first := s.swap(projections.Lease{}, projections.Lease{Holder: "ada", Epoch: 5})
	order, hold := anOrder(1), projections.Hold{Key: projections.KeyOf(projections.OrderList), OrderID: orderID(2), Version: 1,
		Reason: "It broke.", Since: start}
	state := projections.State{
		Key: projections.KeyOf(projections.OrderList), Phase: projections.Running, HeartbeatAt: start, Holder: "ada", Epoch: 5,
	}
	s.write(projections.Batch{Key: projections.KeyOf(projections.OrderList), Epoch: 5, Rows: []projections.Row{order},
		Holds: []projections.Hold{hold}, Checkpoint: "c-1"})
	if err := s.Beat(t.Context(), state); err != nil {
		t.Fatal(err)
	}
	want := state
	want.Checkpoint, want.Epoch = "c-1", 0
	unchanged := func(rule string) {
		t.Helper()
		if s.place.Settle != nil {
			s.place.Settle(t)
		}
		states, err := s.States(t.Context())
		if err != nil || states[projections.KeyOf(projections.OrderList)] != want {
			t.Errorf("%s: the state is\n%+v, want\n%+v; %v", rule, states[projections.KeyOf(projections.OrderList)], want, err)
		}
		held, err := s.Holds(t.Context(), "")
		if err != nil || !reflect.DeepEqual(held, []projections.Hold{hold}) {
			t.Errorf("%s: the holds are %+v, %v", rule, held, err)
		}
	}
	unchanged("the holder's writes are stored")

	s.swap(first, projections.Lease{Holder: "bob", Epoch: 6})
	late := order
	late.Version, late.Reference = 2, "late"
	other := hold
	other.OrderID = orderID(3)
	beat := state
	beat.Reason, beat.HeartbeatAt = "I am still here.", start.Add(time.Hour)
	for rule, write := range map[string]func() error{
		"a stale checkpoint": func() error {
			return s.Write(t.Context(), projections.Batch{Key: projections.KeyOf(projections.OrderList), Epoch: 5, After: "c-1", Checkpoint: "c-2"})
		},
		"a stale hold": func() error {
			return s.Write(t.Context(), projections.Batch{Key: projections.KeyOf(projections.OrderList), Epoch: 5, Holds: []projections.Hold{other}})
		},
		"a stale release": func() error {
			return s.Write(t.Context(), projections.Batch{Key: projections.KeyOf(projections.OrderList), Epoch: 5,
				Released: []domain.OrderID{hold.OrderID}})
		},
		"a stale batch": func() error {
			return s.Write(t.Context(), projections.Batch{
				Key: projections.KeyOf(projections.OrderList), Epoch: 5, After: "c-1", Checkpoint: "c-2", Rows: []projections.Row{late},
				Holds: []projections.Hold{other},
			})
		},
		"a stale state": func() error { return s.Beat(t.Context(), beat) },
		"a checkpoint that does not continue the stored one": func() error {
			return s.Write(t.Context(), projections.Batch{Key: projections.KeyOf(projections.OrderList), Epoch: 6, After: "c-0", Checkpoint: "c-2"})
		},
	} {
		if err := write(); !isConflict(err) {
			t.Errorf("%s is a conflict: %v", rule, err)
		}
		unchanged(rule)
	}
	rows, err := s.OrderRows(t.Context(), order.ID)
	if got := rows[order.ID]; err != nil || !reflect.DeepEqual(got, order) && !reflect.DeepEqual(got, late) {
		t.Errorf("a stale row changes nothing or moves its order forward: %+v, %v", got, err)
	}
	beat.Holder, beat.Epoch = "bob", 6
	if err := s.Beat(t.Context(), beat); err != nil {
		t.Errorf("the new holder's state is stored: %v", err)
	}
	s.write(projections.Batch{
		Key: projections.KeyOf(projections.OrderList), Epoch: 6, After: "c-1", Checkpoint: "c-2", Released: []domain.OrderID{hold.OrderID},
		Holds: []projections.Hold{other},
	})
	want, hold = beat, other
	want.Checkpoint, want.Epoch = "c-2", 0
	unchanged("the new holder's writes are stored")
}

// quiet is a log in which nothing happens.
type quiet struct{ eventstore.Store }

func (quiet) Feed(
	context.Context, string, eventstore.Part, eventstore.Cursor, int,
) ([]eventstore.Head, eventstore.Cursor, error) {
	return nil, "end", nil
}

func takeover(t *testing.T, s *subject) {
	now := start
	contender := func() *runner.Projector {
		return runner.New(quiet{}, s, runner.Options{Clock: func() time.Time { return now }})
	}
	ada, bob, eve := contender(), contender(), contender()
	step := func(all ...*runner.Projector) {
		t.Helper()
		for _, p := range all {
			if _, err := p.Step(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	expect := func(rule string, holder *runner.Projector) {
		t.Helper()
		for name, p := range map[string]*runner.Projector{"ada": ada, "bob": bob, "eve": eve} {
			if _, standsBy := p.StandsBy(); standsBy == (p == holder) {
				t.Errorf("%s, but %s stands by: %v", rule, name, standsBy)
			}
		}
	}
	step(ada, bob, eve)
	expect("the first to come has the lease", ada)
	first, err := s.Lease(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if holder, _ := bob.StandsBy(); holder != first.Holder {
		t.Errorf("the others know who has it: %q, not %q", holder, first.Holder)
	}
	for range 30 {
		now = now.Add(time.Second)
		step(ada, bob, eve)
	}
	expect("who renews it keeps it", ada)

	for range 8 {
		now = now.Add(time.Second)
		step(bob, eve)
	}
	expect("a lease that stood still for 8 s is not taken", ada)
	now = now.Add(2 * time.Second)
	step(bob, eve)
	if _, standsBy := bob.StandsBy(); standsBy {
		t.Error("after 10 s it is")
	}
	if _, standsBy := eve.StandsBy(); !standsBy {
		t.Error("by one alone: it has changed since")
	}
	second, err := s.Lease(t.Context())
	if err != nil || second.Epoch <= first.Epoch {
		t.Errorf("the epoch grows: %+v after %+v, %v", second, first, err)
	}
	step(ada)
	expect("whoever comes back late stands by", bob)

	fresh := contender()
	now = now.Add(time.Hour)
	step(fresh)
	if _, standsBy := fresh.StandsBy(); !standsBy {
		t.Error("only the time counts in which a process itself has seen the lease stand still")
	}
	step(bob)
	expect("a holder that was away while nobody took the lease has it", bob)
	bob.Release(t.Context())
	step(eve)
	expect("a lease that was given back is taken at once", eve)
	third, err := s.Lease(t.Context())
	if err != nil || third.Epoch <= second.Epoch {
		t.Errorf("and the epoch grows: %+v after %+v, %v", third, second, err)
	}
	left := runner.New(quiet{}, s, runner.Options{Clock: func() time.Time { return now }, Alone: true})
	step(left)
	if _, standsBy := left.StandsBy(); standsBy {
		t.Error("who is alone takes what was left over at once")
	}
}
