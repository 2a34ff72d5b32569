package demo

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"headway/cmd/web/internal/plan"
	"headway/domain"
	"headway/eventstore"
	"headway/eventstore/sqlite"
	"headway/orders"
	"headway/projections/runner"
	readsqlite "headway/projections/sqlite"
)

// The demo's past is one that the rules allow, lies in the past, and is the same every time.
func TestDemoHistory(t *testing.T) {
	now := time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)
	plans := history(now)
	if !reflect.DeepEqual(plans, history(now)) {
		t.Error("two histories differ")
	}
	runner := plan.Runner{Namespace: plan.Namespace("demo")}
	if a, b := runner.CommandIDs(plans[7]), runner.CommandIDs(history(now.Add(time.Hour))[7]); !reflect.DeepEqual(a, b) {
		t.Error("the command ids depend on the time of the start")
	}
	customers, currencies, users, statuses := map[string]int{}, map[domain.Currency]int{}, map[string]int{}, map[domain.Status]int{}
	ids := map[domain.CommandID]bool{}
	for _, l := range plans {
		var o domain.Order
		previous := now.AddDate(0, 0, -days-1)
		for i, s := range l.Steps {
			events, err := s.Command.Decide(o)
			if err != nil {
				t.Fatalf("%s step %d: %v", l.Name, i, err)
			}
			for _, e := range events {
				if err := o.Apply("x", o.Version+1, domain.Origin{At: s.At}, e); err != nil {
					t.Fatal(err)
				}
			}
			if s.At.After(now) || !s.At.After(previous) {
				t.Errorf("%s step %d is at %s, after %s", l.Name, i, s.At, previous)
			}
			previous = s.At
			users[s.User]++
			ids[runner.CommandIDs(l)[i]] = true
		}
		customers[o.CustomerID]++
		currencies[o.Currency]++
		statuses[o.Status]++
	}
	steps := users[operator] + users[operator2] + users[admin]
	if len(ids) != steps || users["viewer"] > 0 || len(users) != 3 {
		t.Errorf("%d command ids for %d steps by %v", len(ids), steps, users)
	}
	if len(plans) != told || len(customers) != 30 || len(currencies) < 4 {
		t.Errorf("%d orders, %d customers, currencies %v", len(plans), len(customers), currencies)
	}
	for status, least := range map[domain.Status]int{domain.Created: 60, domain.Confirmed: 1500, domain.Cancelled: 100} {
		if statuses[status] < least {
			t.Errorf("%d orders are %s, fewer than %d: %v", statuses[status], status, least, statuses)
		}
	}
	t.Logf("%d commands, %v, %v", steps, statuses, currencies)
}

// A history that was cut short is finished by the next start, and told only once.
func TestDemoIsFinished(t *testing.T) {
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "events.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	now := time.Now()
	ctx, stop := context.WithCancel(t.Context())
	if _, err := fill(ctx, newCutStore(store, 1500, stop), domain.Codec{}, now); err == nil {
		t.Fatal("the first start was not cut short")
	}
	shop := Shop{Events: store, Clock: time.Now}
	if shop.IsTold(t.Context()) {
		t.Error("what is missing is not announced")
	}
	began := time.Now()
	if _, err := fill(t.Context(), store, domain.Codec{}, now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	t.Logf("the rest took %s", time.Since(began))
	stored, err := fill(t.Context(), store, domain.Codec{}, now.Add(time.Hour))
	if err != nil || stored != 0 {
		t.Errorf("the third start stored %d commands, %v", stored, err)
	}
	if !shop.IsTold(t.Context()) {
		t.Error("it is announced again when nothing is missing")
	}
	runner := plan.Runner{Orders: orders.Handler{Events: store}, Namespace: plan.Namespace("demo")}
	for _, l := range history(now)[1400:1600] {
		records, err := store.Read(t.Context(), orders.StreamOf(runner.OrderID(l)), 0)
		if err != nil || len(records) != len(l.Steps) {
			t.Errorf("%s has %d events for %d steps, %v", l.Name, len(records), len(l.Steps), err)
		}
	}
}

// A store with orders of its own is not filled.
func TestDemoLeavesOthersAlone(t *testing.T) {
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "events.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	rng := rand.New(rand.NewPCG(1, 1))
	other := plan.Plan{Name: "mine", Steps: []plan.Step{{Command: createOrder(rng, "mine"), At: time.Now(), User: "local"}}}
	runner := plan.Runner{Orders: orders.Handler{Events: store}, Namespace: plan.Namespace("test")}
	if err := runner.Run(t.Context(), []plan.Plan{other}, func(o plan.Outcome) { err = o.Err }); err != nil {
		t.Fatal(err)
	}
	if stored, err := fill(t.Context(), store, domain.Codec{}, time.Now()); stored != 0 || err != nil {
		t.Errorf("%d commands, %v", stored, err)
	}
	if !(Shop{Events: store, Clock: time.Now}).IsTold(t.Context()) {
		t.Error("a history that is not told is announced")
	}
}

// Whatever the dice say, the rules allow the next step of an open order.
func TestDemoStep(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	create := createOrder(rng, "H-1")
	events, err := create.Decide(domain.Order{})
	if err != nil {
		t.Fatal(err)
	}
	var o domain.Order
	if err := o.Apply("x", 1, domain.Origin{At: time.Now()}, events[0]); err != nil {
		t.Fatal(err)
	}
	for choice := 40; choice < 100; choice++ {
		if _, err := next(rng, choice, o).Decide(o); err != nil {
			t.Errorf("%d: %v", choice, err)
		}
	}
}

// The traffic makes orders and moves open ones on, by staff who may write, each command allowed by the rules.
func TestDemoTraffic(t *testing.T) {
	dir := t.TempDir()
	events, err := sqlite.Open(filepath.Join(dir, "events.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	read, err := readsqlite.Open(filepath.Join(dir, "read.db"), readsqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	shop := Shop{Events: events, Read: read, Clock: time.Now, Log: slog.New(slog.DiscardHandler)}
	projector := runner.New(events, read, runner.Options{})
	rng := rand.New(rand.NewPCG(3, 3))
	for range 40 {
		if err := shop.command(t.Context(), rng); err != nil {
			t.Fatal(err)
		}
		if _, err := projector.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	records, _, err := events.ByType(t.Context(), orders.Category, "", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]int{}
	for _, r := range records {
		types[r.EventType]++
		if !slices.Contains([]string{operator, operator2, admin}, r.Metadata.UserID) {
			t.Errorf("%s is by %q", r.EventType, r.Metadata.UserID)
		}
	}
	if len(records) != 40 || len(types) != len(domain.EventTypes()) {
		t.Errorf("%d events: %v", len(records), types)
	}
}

// cutStore ends a context after a number of appends, as the end of a process would.
type cutStore struct {
	eventstore.Store
	left atomic.Int64
	cut  func()
}

func newCutStore(store eventstore.Store, appends int64, cut func()) *cutStore {
	c := &cutStore{Store: store, cut: cut}
	c.left.Store(appends)
	return c
}

func (c *cutStore) Append(
	ctx context.Context, id eventstore.StreamID, expect int, m eventstore.Metadata, events ...eventstore.NewEvent,
) ([]eventstore.Record, error) {
	if c.left.Add(-1) < 0 {
		c.cut()
	}
	return c.Store.Append(ctx, id, expect, m, events...)
}
