package runner_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"headway/domain"
	eventsqlite "headway/eventstore/sqlite"
	"headway/projections"
	"headway/projections/runner"
	"headway/projections/runnertest"
)

// restore puts another file in the place of the log, as a person does while no server runs.
func (w *world) restore(copied []byte) {
	w.T.Helper()
	path := filepath.Join(w.Dir, "events.db")
	if err := w.Events.Close(); err != nil {
		w.T.Fatal(err)
	}
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + end); err != nil && !os.IsNotExist(err) {
			w.T.Fatal(err)
		}
	}
	if copied != nil {
		if err := os.WriteFile(path, copied, 0o600); err != nil {
			w.T.Fatal(err)
		}
	}
	var err error
	if w.Events, err = eventsqlite.Open(path, eventsqlite.Options{}); err != nil {
		w.T.Fatal(err)
	}
}

// copyLog is the log as it is now, as a backup has it.
func (w *world) copyLog() []byte {
	w.T.Helper()
	path := filepath.Join(w.Dir, "events.db")
	if err := w.Events.Close(); err != nil { // which moves everything into the file
		w.T.Fatal(err)
	}
	copied, err := os.ReadFile(path)
	if err == nil {
		w.Events, err = eventsqlite.Open(path, eventsqlite.Options{})
	}
	if err != nil {
		w.T.Fatal(err)
	}
	return copied
}

// A log that was put back from a backup, begun anew, or exchanged is recognised at the next look, whatever its numbers say: every row is
// made again, none that is ahead stays, nothing is folded onto one, and what came between is projected.
func TestALogThatWasPutBack(t *testing.T) {
	for name, change := range map[string]func(w *world, backup []byte, kept domain.OrderID){
		"put back": func(w *world, backup []byte, _ domain.OrderID) { w.restore(backup) },
		"put back, and grown past the cursor with other events": func(w *world, backup []byte, kept domain.OrderID) {
			w.restore(backup)
			for i := range 8 {
				w.Do(kept, 1+i, domain.AddItem{Item: runnertest.Line(int64(10 + i))})
			}
			w.Create("eve", "NEW", 300)
		},
		"begun anew": func(w *world, _ []byte, _ domain.OrderID) {
			w.restore(nil)
			for range 9 {
				w.Create("eve", "", 300)
			}
		},
		"begun anew and empty": func(w *world, _ []byte, _ domain.OrderID) { w.restore(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			kept := w.Create("ada", "KEPT", 500)
			w.Step(w.Projector())
			backup := w.copyLog()
			w.Do(kept, 1, domain.AddItem{Item: runnertest.Line(4000)})
			lost := w.Create("ghost", "LOST", 700)
			w.Do(lost, 1, domain.ConfirmOrder{})
			first := w.Projector()
			w.Step(first)
			first.Release(t.Context())

			change(w, backup, kept)
			told := 0
			p := runner.New(w.Events, w.Read, runner.Options{
				Clock: func() time.Time { return w.Now }, Alone: true, OnPutBack: func(projections.Lease) { told++ },
			})
			w.Step(p)
			w.Step(p)
			if told != 1 {
				t.Errorf("it was told %d times", told)
			}
			if diffs := w.Verified(0); len(diffs) > 0 {
				t.Error(diffs)
			}
			if at := w.Versions(lost); at != 0 {
				t.Errorf("an order that the log has not is still there: %v", at)
			}
			if _, err := w.Read.Customer(t.Context(), "ghost"); err == nil {
				t.Error("a customer without an order is still there")
			}
			lease, err := w.Read.Lease(t.Context())
			if err != nil || lease.LogEpoch != 1 {
				t.Errorf("the lease is %+v, %v", lease, err)
			}
			// It is recognised once: the next process goes on.
			p.Release(t.Context())
			next := runner.New(w.Events, w.Read, runner.Options{Alone: true, OnPutBack: func(projections.Lease) { told++ }})
			w.Create("bob", "AFTER", 100)
			if w.Step(next) == 0 || told != 1 {
				t.Errorf("the next process began anew (told %d times)", told)
			}
			if diffs := w.Verified(0); len(diffs) > 0 {
				t.Error(diffs)
			}
		})
	}
}
