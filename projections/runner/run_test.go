package runner_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"headway/eventstore"
	"headway/orders"
	"headway/projections"
	"headway/projections/runner"
	"headway/projections/runnertest"
)

// running is a projector that runs on a clock that only tests move.
type running struct {
	*world
	*runner.Projector
	store *failing
	stop  context.CancelFunc
	done  chan error

	mu   sync.Mutex
	told []projections.State
	rows []projections.Row
}

func (r *running) states() []projections.State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.told)
}

// run starts a projector in a bubble of its own time.
func run(t *testing.T, f func(t *testing.T, r *running)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{runnertest.At(t, time.Now())}
		ctx, stop := context.WithCancel(t.Context())
		r := &running{world: w, store: &failing{Store: w.Read}, stop: stop, done: make(chan error, 1)}
		r.Projector = runner.New(w.Events, r.store, runner.Options{
			OnState: func(s projections.State) { r.mu.Lock(); defer r.mu.Unlock(); r.told = append(r.told, s) },
			OnRows: func(_ string, rows []projections.Row) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.rows = append(r.rows, rows...)
			},
		})
		go func() { r.done <- r.Run(ctx) }()
		synctest.Wait()
		f(t, r)
		stop()
		if err := <-r.done; err != nil {
			t.Errorf("a graceful end is no error: %v", err)
		}
	})
}

func TestANudgeIsAppliedWithoutWaiting(t *testing.T) {
	run(t, func(t *testing.T, r *running) {
		id := r.Create("ada", "A-1", 500)
		before := time.Now()
		r.Nudge(eventstore.Head{Stream: orders.StreamOf(id), Version: 1, At: before})
		got := r.WaitFor(t.Context(), id, 1)
		if len(got) != len(projections.All()) || time.Since(before) != 0 {
			t.Errorf("%v after %v", got, time.Since(before))
		}
	})
}

func TestTheFeedFindsWhatNobodyTold(t *testing.T) {
	run(t, func(t *testing.T, r *running) {
		id := r.Create("ada", "A-1", 500)
		before := time.Now()
		if got := r.WaitFor(t.Context(), id, 1); len(got) != len(projections.All()) || time.Since(before) > time.Second {
			t.Errorf("%v after %v", got, time.Since(before))
		}
	})
}

func TestAQuietProjectorBeats(t *testing.T) {
	run(t, func(t *testing.T, r *running) {
		time.Sleep(20 * time.Second)
		synctest.Wait()
		for _, projection := range projections.All() {
			states, err := r.Read.States(t.Context())
			if silence := time.Since(states[projection.Key()].HeartbeatAt); err != nil || silence > 3*time.Second || states[projection.Key()].Phase != projections.Running {
				t.Errorf("%s was silent for %v: %+v, %v", projection.Name, silence, states[projection.Key()], err)
			}
		}
		if n := len(r.states()); n < 8*len(projections.All()) || n > 15*len(projections.All()) {
			t.Errorf("%d states were told in 20 s by all projections", n)
		}
		statuses, err := runner.Look(t.Context(), r.Events, r.Read, time.Now())
		if err != nil || projections.StampList(statuses[0]).State != projections.StampCurrent {
			t.Errorf("a quiet store is current, not stalled: %+v, %v", statuses, err)
		}
	})
}

func TestFailuresAreRetriedLessAndLess(t *testing.T) {
	run(t, func(t *testing.T, r *running) {
		var mu sync.Mutex
		var tries []time.Time
		r.store.set(func(method string) error {
			mu.Lock()
			defer mu.Unlock()
			if method == "Rows" {
				tries = append(tries, time.Now())
			}
			return gone()
		})
		id := r.Create("ada", "A-1", 500)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		mu.Lock()
		n, last := len(tries), tries[len(tries)-1]
		mu.Unlock()
		if all := len(projections.All()); n < all*120 || n > all*260 || time.Since(last) > 5*time.Second {
			t.Errorf("%d tries of all projections in 10 minutes, the last %v ago", n, time.Since(last))
		}
		told := r.states()
		if s := told[len(told)-1]; !strings.Contains(s.Reason, "The read store cannot be reached") || time.Since(s.HeartbeatAt) > 3*time.Second {
			t.Errorf("the state says so, and beats: %+v", s)
		}
		r.store.set(nil)
		before := time.Now()
		if got := r.WaitFor(t.Context(), id, 1); len(got) != len(projections.All()) || time.Since(before) > 6*time.Second {
			t.Errorf("it comes back by itself: %v after %v", got, time.Since(before))
		}
		time.Sleep(3 * time.Second)
		if holds, err := r.Read.Holds(t.Context(), ""); err != nil || len(holds) > 0 {
			t.Errorf("nothing was held: %v, %v", holds, err)
		}
		if states, err := r.Read.States(t.Context()); err != nil || states[projections.KeyOf(projections.OrderList)].Reason != "" {
			t.Errorf("and there is nothing to complain of: %+v, %v", states, err)
		}
	})
}

func TestAProjectionThatFailsDoesNotStopTheOther(t *testing.T) {
	run(t, func(t *testing.T, r *running) {
		r.store.setWrite(func(b projections.Batch) error {
			if b.Projection == projections.OrderList {
				return gone()
			}
			return nil
		})
		id := r.Create("ada", "A-1", 500)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		got := r.WaitFor(ctx, id, 1)
		if _, there := got[projections.OrderList]; there || got[projections.CustomerOrderSummary].Version != 1 {
			t.Errorf("arrived: %v", got)
		}
		if _, err := r.Read.Customer(t.Context(), "ada"); err != nil {
			t.Error(err)
		}
	})
}

func TestTheRateIsOfTheLastTenSeconds(t *testing.T) {
	run(t, func(t *testing.T, r *running) {
		for range 20 {
			r.Create("ada", "A-1", 500)
		}
		time.Sleep(4 * time.Second)
		synctest.Wait()
		states, err := r.Read.States(t.Context())
		if rate := states[projections.KeyOf(projections.OrderList)].Rate; err != nil || rate < 2 || rate > 20 {
			t.Errorf("20 events a moment ago are a rate of %v, %v", rate, err)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		states, err = r.Read.States(t.Context())
		if rate := states[projections.KeyOf(projections.OrderList)].Rate; err != nil || rate != 0 {
			t.Errorf("and long after that of %v, %v", rate, err)
		}
	})
}
