package runner_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/orders"
	"headway/projections"
	"headway/projections/runner"
	"headway/projections/runnertest"
)

func TestRowsOfAnotherProcessAreToldAsTheyArrive(t *testing.T) {
	several(t, 3, func(t *testing.T, w *world, all []*process) {
		for i := range 12 {
			id := w.Create("ada", "", 500)
			if i%2 == 0 { // one of the processes knows at once
				all[i/2%3].Nudge(eventstore.Head{Stream: orders.StreamOf(id), Version: 1})
			}
			began := time.Now()
			for n, p := range all {
				if got := p.WaitFor(t.Context(), id, 1); len(got) != len(projections.All()) || time.Since(began) > 2*time.Second {
					t.Errorf("process %d knows of %v after %v", n, got, time.Since(began))
				}
			}
			time.Sleep(4230 * time.Millisecond) // at another place between two polls
			synctest.Wait()
			for n, p := range all {
				if told := p.versionsOf(projections.OrderList, id); !slices.Equal(told, []int{1}) {
					t.Errorf("process %d told of the row once: %v", n, told)
				}
				want := []int{1}
				if n > 0 {
					want = []int{1, 1, 1}
				}
				if told := p.versionsOf(projections.CustomerOrderSummary, id); !slices.Equal(told, want) {
					t.Errorf("process %d told of the contribution %v, and of the sum when it must be there: %v", n, want, told)
				}
			}
		}
	})
}

func TestAHoldOfAnotherProcessIsTold(t *testing.T) {
	several(t, 2, func(t *testing.T, w *world, all []*process) {
		sick := w.Create("ada", "A-1", 500)
		w.Raw(sick, 2, "OrderEaten", `{}`)
		time.Sleep(6 * time.Second)
		synctest.Wait()
		bob := all[1]
		bob.mu.Lock()
		if len(bob.held) != len(projections.All()) || bob.held[0].OrderID != sick || bob.held[0].Version != 2 {
			t.Errorf("it is told once of each projection: %+v", bob.held)
		}
		bob.mu.Unlock()
		before := len(bob.asked())
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(bob.asked()) - before; n > 0 {
			t.Errorf("and its row is waited for no more: %d reads in a minute", n)
		}
	})
}

// The release of a hold moves no order, so that nothing but a look at the holds tells of it.
func TestAHoldThatAnotherProcessReleasesIsTold(t *testing.T) {
	w := newWorld(t)
	sick := w.Create("ada", "A-1", 500)
	ada, bob := w.process(runner.Options{Clock: w.Clock}), w.process(runner.Options{Clock: w.Clock})
	w.Step(ada.Projector)
	w.Step(bob.Projector)
	w.Raw(sick, 2, "OrderEaten", `{}`)
	for range 10 {
		w.Now = w.Now.Add(time.Second)
		w.Step(ada.Projector)
		w.Step(bob.Projector)
	}
	if told := bob.versionsOf(projections.OrderList, sick); !slices.Equal(told, []int{1}) {
		t.Fatalf("while it is held its row is at version 1; told are %v", told)
	}
	row := w.Row(sick)
	row.Version = 2 // by a process whose code can read it
	err := w.Read.Write(t.Context(), projections.Batch{
		Key: projections.KeyOf(projections.OrderList), Epoch: w.Epoch(), Rows: []projections.Row{row}, Released: []domain.OrderID{sick},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Now = w.Now.Add(6 * time.Second)
	w.Step(bob.Projector)
	if told := bob.versionsOf(projections.OrderList, sick); !slices.Equal(told, []int{1, 2}) {
		t.Errorf("once it is released its row is told; told are %v", told)
	}
}

func TestARowThatNeverComesIsForgotten(t *testing.T) {
	several(t, 2, func(t *testing.T, w *world, all []*process) {
		bob := all[1]
		bob.Nudge(eventstore.Head{Stream: orders.StreamOf(domain.OrderID("11111111-1111-5111-8111-111111111111")), Version: 7})
		time.Sleep(3 * time.Second)
		synctest.Wait()
		soon := len(bob.asked())
		projected := len(projections.All())
		if soon < 10*projected || soon > 20*projected {
			t.Errorf("the projections were read %d times in the first 3 s, five times a second each", soon)
		}
		time.Sleep(57 * time.Second)
		synctest.Wait()
		if n := len(bob.asked()) - soon; n < 50*projected || n > 60*projected {
			t.Errorf("and then %d times in 57 s, once a second each", n)
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		before := len(bob.asked())
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(bob.asked()) - before; n > 0 {
			t.Errorf("after 5 minutes it is forgotten: %d reads in another", n)
		}
	})
}

func TestWhatIsWaitedForIsBounded(t *testing.T) {
	w := newWorld(t)
	w.Now = time.Now()
	holder, bob := w.process(runner.Options{Clock: w.Clock}), w.process(runner.Options{Clock: w.Clock})
	w.Step(holder.Projector)
	heads := make([]eventstore.Head, runner.MaxExpected+1000)
	for i := range heads {
		heads[i] = eventstore.Head{Stream: orders.StreamOf(domain.OrderID(fmt.Sprintf("%08d-1111-5111-8111-111111111111", i))), Version: 1}
	}
	for range 2 {
		bob.Nudge(heads[:runner.MaxNudges]...)
		w.Step(bob.Projector)
		heads = heads[1000:]
	}
	read := map[domain.OrderID]int{}
	for range 60 {
		w.Step(bob.Projector)
		w.Now = w.Now.Add(50 * time.Millisecond)
	}
	for _, ids := range bob.asked() {
		if len(ids) > projections.BatchOrders {
			t.Errorf("one read is of %d orders", len(ids))
		}
		for _, id := range ids {
			read[id]++
		}
	}
	if n := len(bob.asked()); n != len(projections.All())*62 {
		t.Errorf("however many are waited for, a pass reads one batch of each projection that does not come: %d reads of 62 passes", n)
	}
	if len(read) != runner.MaxExpected {
		t.Errorf("%d orders are waited for, each in its turn", len(read))
	}
}

func TestABacklogThatArrivesIsToldInOnePass(t *testing.T) {
	w := newWorld(t)
	holder, bob := w.process(runner.Options{Clock: w.Clock}), w.process(runner.Options{Clock: w.Clock})
	w.Step(holder.Projector)
	w.Step(bob.Projector)
	for range 3 * projections.BatchOrders / 2 {
		w.Create("ada", "", 500)
	}
	w.Step(holder.Projector)
	w.Step(bob.Projector)
	if n := len(bob.rows); n != len(projections.All())*3*projections.BatchOrders/2 {
		t.Errorf("%d rows are told", n)
	}
}

func TestAnOrderThatMovesFasterThanItsRowIsNewsToo(t *testing.T) {
	w := newWorld(t)
	holder, bob := w.process(runner.Options{Clock: w.Clock}), w.process(runner.Options{Clock: w.Clock})
	id := w.Create("ada", "", 500)
	w.Step(holder.Projector)
	for version := 1; version < 10; version++ {
		w.Do(id, version, domain.AddItem{Item: runnertest.Line(1)})
		w.Step(bob.Projector)
		w.Step(holder.Projector)
	}
	want := []int{1, 2, 3, 4, 5, 6, 7, 8, 9}
	if told := bob.versionsOf(projections.OrderList, id); !slices.Equal(told, want) {
		t.Errorf("its row is always one behind; told are %v", told)
	}
	if told := holder.versionsOf(projections.OrderList, id); !slices.Equal(told, append(want, 10)) {
		t.Errorf("the holder tells %v", told)
	}
}

func TestAReadStoreThatComesBackIsFollowedAgain(t *testing.T) {
	several(t, 2, func(t *testing.T, w *world, all []*process) {
		ada, bob := all[0], all[1]
		ada.away(gone())
		bob.away(gone())
		id := w.Create("ada", "", 500)
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		ada.away(nil)
		bob.away(nil)
		time.Sleep(time.Minute) // no backoff is longer than half of it
		synctest.Wait()
		for n, p := range all {
			for _, projection := range projections.All() { // whoever writes the rows now
				if told := slices.Compact(p.versionsOf(projection.Name, id)); !slices.Equal(told, []int{1}) {
					t.Errorf("process %d told of %s: %v", n, projection.Name, told)
				}
			}
		}
	})
}

func TestAWaitForIsAnsweredByTheRowsOfAnotherProcess(t *testing.T) {
	several(t, 2, func(t *testing.T, w *world, all []*process) {
		ada, bob := all[0], all[1]
		id := w.Create("ada", "", 500)
		ada.Nudge(eventstore.Head{Stream: orders.StreamOf(id), Version: 1})
		synctest.Wait()
		began := time.Now()
		got := bob.WaitFor(t.Context(), id, 1) // it was there before he asked
		if len(got) != len(projections.All()) || time.Since(began) > 0 || !got[projections.OrderList].At.IsZero() {
			t.Errorf("%v after %v", got, time.Since(began))
		}
	})
}

// What arrives while a process starts is told to the pages that it serves meanwhile: to the sums, too, that are behind the list.
func TestWhatArrivesWhileAProcessStartsIsTold(t *testing.T) {
	w := newWorld(t)
	ada := runner.New(w.Events, w.Read, runner.Options{Clock: w.Clock})
	if _, err := ada.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	told := map[string]int{}
	bob := runner.New(w.Events, w.Read, runner.Options{Clock: w.Clock, OnRows: func(name string, rows []projections.Row) {
		told[name] += len(rows)
	}})
	bob.Begin(t.Context())
	w.Create("ada", "A-1", 500)
	for _, p := range []*runner.Projector{ada, bob} {
		if _, err := p.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if told[projections.OrderList] != 1 || told[projections.CustomerOrderSummary] != 1 {
		t.Errorf("told were %v", told)
	}
}
