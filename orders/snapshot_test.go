package orders_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/eventstore/sqlite"
	"headway/fault"
	"headway/orders"
)

// often takes a snapshot at each third version.
var often = orders.SnapshotPolicy{Every: 3, Longer: -1}

func executeOften(ctx context.Context, s log, req orders.Request) (orders.Result, error) {
	return (orders.Handler{Events: s}).WithSnapshots(s, often).Execute(ctx, req)
}

// grownOften is an order at version 3, with a snapshot.
func grownOften(t *testing.T, s log) domain.OrderID {
	t.Helper()
	made, err := executeOften(t.Context(), s, createRequest())
	for head := 1; head < 3 && err == nil; head++ {
		_, err = executeOften(t.Context(), s, request(made.OrderID, head, domain.AddItem{Item: tea(1)}))
	}
	if err != nil {
		t.Fatal(err)
	}
	checkSnapshotAt(t, s, made.OrderID, 3)
	return made.OrderID
}

func checkSnapshotAt(t *testing.T, s eventstore.Snapshots, id domain.OrderID, want int) {
	t.Helper()
	if got, err := s.LoadSnapshot(context.WithoutCancel(t.Context()), orders.StreamOf(id)); err != nil || got.Version != want {
		t.Errorf("the snapshot is of version %d, %v; want %d", got.Version, err, want)
	}
}

// snapshotsFail is a store that has no luck with snapshots.
type snapshotsFail struct {
	log
	load, save func(context.Context) error // nil works
}

func (s snapshotsFail) LoadSnapshot(ctx context.Context, id eventstore.StreamID) (eventstore.Snapshot, error) {
	if s.load != nil {
		return eventstore.Snapshot{}, s.load(ctx)
	}
	return s.log.LoadSnapshot(ctx, id)
}

func (s snapshotsFail) SaveSnapshot(ctx context.Context, snapshot eventstore.Snapshot, invalid int) error {
	if s.save != nil {
		return s.save(ctx)
	}
	return s.log.SaveSnapshot(ctx, snapshot, invalid)
}

// Whatever becomes of snapshots, a command is stored and answered, after SnapshotTimeout for each at most.
func TestSnapshotsNeverFailACommand(t *testing.T) {
	fails := func(context.Context) error { return errors.New("no luck") }
	hangs := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for name, c := range map[string]struct {
		load, save func(context.Context) error
		most       time.Duration
	}{
		"looking fails": {fails, nil, 0}, "looking hangs": {hangs, nil, orders.SnapshotTimeout},
		"saving fails": {nil, fails, 0}, "saving hangs": {nil, hangs, orders.SnapshotTimeout},
		"all hangs": {hangs, hangs, 2 * orders.SnapshotTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "events.db")
			synctest.Test(t, func(t *testing.T) {
				s, err := sqlite.Open(path, sqlite.Options{})
				if err != nil {
					t.Fatal(err)
				}
				id := grownOften(t, s)
				unlucky := snapshotsFail{s, c.load, c.save}
				for head := 3; head < 7; head++ {
					began := time.Now()
					result, err := executeOften(t.Context(), unlucky, request(id, head, domain.AddItem{Item: tea(1)}))
					if err != nil || result.Version != head+1 || time.Since(began) > c.most {
						t.Errorf("at version %d the answer is version %d, %v, after %v", head, result.Version, err, time.Since(began))
					}
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A snapshot is saved although the caller left when the events were stored.
func TestSnapshotOfACallerWhoLeft(t *testing.T) {
	s := openStore(t)
	id := grownOften(t, s)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	for head := 3; head < 6; head++ {
		leaving := leaves{s, leave}
		if head < 5 {
			leaving.leave = func() {}
		}
		if _, err := executeOften(ctx, leaving, request(id, head, domain.AddItem{Item: tea(1)})); err != nil {
			t.Fatal(err)
		}
	}
	if ctx.Err() == nil {
		t.Error("the caller is still there")
	}
	checkSnapshotAt(t, s, id, 6)
}

// leaves is a store whose caller is gone when the events are stored.
type leaves struct {
	log
	leave func()
}

func (l leaves) Append(
	ctx context.Context, id eventstore.StreamID, expect int, m eventstore.Metadata, events ...eventstore.NewEvent,
) ([]eventstore.Record, error) {
	defer l.leave()
	return l.log.Append(ctx, id, expect, m, events...)
}

// A held order has no snapshot; a held order whose snapshot lies before the hold is held all the same.
func TestSnapshotBeforeAHold(t *testing.T) {
	s := openStore(t)
	id := grownOften(t, s)
	if _, err := s.Append(t.Context(), orders.StreamOf(id), 3, eventstore.Metadata{CausationID: string(commandID())}, created()...); err != nil {
		t.Fatal(err)
	}
	_, err := executeOften(t.Context(), s, request(id, 4, domain.ConfirmOrder{}))
	checkError(t, err, fault.Refused, "")
	if !strings.Contains(fault.Sentence(err), "held at version 4") {
		t.Errorf("the sentence is %q", fault.Sentence(err))
	}
	handler := orders.Handler{Events: s}.WithSnapshots(s, often)
	held, err := handler.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := handler.Snapshot(held); ok {
		t.Error("there is a snapshot of a held order")
	}
	if _, ok := handler.Snapshot(orders.Stream{}); ok {
		t.Error("there is a snapshot of no order")
	}
}

// Every byte of a snapshot counts, and so do its order and version.
func TestBrokenSnapshots(t *testing.T) {
	s := openStore(t)
	whole, err := s.LoadSnapshot(t.Context(), orders.StreamOf(grownOften(t, s)))
	if err != nil {
		t.Fatal(err)
	}
	handler := orders.Handler{Events: s}.WithSnapshots(s, often)
	if _, err := handler.OrderIn(whole); err != nil {
		t.Fatal(err)
	}
	check := func(what string, change func(*eventstore.Snapshot)) {
		t.Helper()
		broken := whole
		broken.Data = slices.Clone(whole.Data)
		change(&broken)
		if o, err := handler.OrderIn(broken); err == nil {
			t.Errorf("%s: %+v", what, o)
		}
	}
	for i := range whole.Data {
		check("a flipped bit", func(s *eventstore.Snapshot) { s.Data[i] ^= 1 })
		check("cut off", func(s *eventstore.Snapshot) { s.Data = s.Data[:i] })
	}
	check("too long", func(s *eventstore.Snapshot) { s.Data = append(s.Data, 0) })
	check("another order", func(s *eventstore.Snapshot) { s.Stream = orders.StreamOf("x") })
	check("another version", func(s *eventstore.Snapshot) { s.Version++ })
}

// The largest order that one can have fits, with usual texts and a command for each event; one with texts that nobody can compress does
// not, and neither does one that is large before it is compressed.
func TestSnapshotSizes(t *testing.T) {
	for name, c := range map[string]struct {
		name func() string
		fits bool
	}{
		"usual":        {func() string { return "Tea" }, true},
		"noise":        {func() string { return string(commandID()) + string(commandID()) }, false},
		"many repeats": {func() string { return strings.Repeat("Tea ", domain.MaxEventBytes/4/100) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			order, records := domain.Order{ID: "x", Version: domain.MaxOrderEvents}, make([]eventstore.Record, domain.MaxOrderEvents)
			for i := range records {
				records[i] = eventstore.Record{Stream: orders.StreamOf("x"), Version: i + 1, EventID: string(commandID())}
				records[i].Metadata.CausationID = string(commandID())
				item := tea(int64(i))
				item.Name = c.name()
				order.Items = append(order.Items, item)
			}
			s, ok := (orders.Handler{}).Snapshot(orders.Stream{Order: order, Records: records})
			if ok != c.fits || (ok && len(s.Data) > eventstore.MaxSnapshotBytes) {
				t.Errorf("a snapshot of %d bytes is taken: %t", len(s.Data), ok)
			}
			t.Logf("%d bytes", len(s.Data))
		})
	}
}
