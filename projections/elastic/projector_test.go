package elastic_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"headway/domain"
	"headway/eventstore"
	eventsqlite "headway/eventstore/sqlite"
	"headway/fault"
	"headway/orders"
	"headway/projections"
	"headway/projections/elastic"
	"headway/projections/runner"
	"headway/projections/verify"
)

// The whole of it: a log, a projector, and a node with faults under it.

// patience is how long a test waits for what comes much sooner, or never.
const patience = 90 * time.Second

// shop is a log that orders come to.
type shop struct {
	t        *testing.T
	events   eventstore.Store
	commands int
	versions map[domain.OrderID]int
}

func newShop(t *testing.T) *shop {
	t.Helper()
	events, err := eventsqlite.Open(filepath.Join(t.TempDir(), "events.db"), eventsqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { events.Close() })
	return &shop{t: t, events: events, versions: map[domain.OrderID]int{}}
}

var tea = domain.Item{SKU: "TEA-1", Name: "Crème brûlée", Quantity: 2, Price: domain.Money{Minor: 350, Currency: "EUR"}}

func (s *shop) tell(id domain.OrderID, c domain.Command) domain.OrderID {
	s.t.Helper()
	s.commands++
	result, err := (orders.Handler{Events: s.events, Codec: domain.Codec{}}).Execute(s.t.Context(), orders.Request{
		CommandID: domain.CommandID(uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, s.commands)).String()), OrderID: id, Command: c,
		Expect: s.versions[id], UserID: "ada", Timestamp: time.Now(),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.versions[result.OrderID]++
	return result.OrderID
}

// create makes an order; there are five customers.
func (s *shop) create() domain.OrderID {
	s.t.Helper()
	n := s.commands
	return s.tell("", domain.CreateOrder{
		CustomerID: fmt.Sprint("customer-", n%5), Currency: "EUR", Reference: fmt.Sprint("A-", n), Items: []domain.Item{tea},
	})
}

// verify expects every row, and everything that is made from rows, to be what the log says.
func (s *shop) verify(read *elastic.Store) {
	s.t.Helper()
	report, err := verify.Run(s.t.Context(), s.events, read, domain.Codec{}, verify.Options{})
	err = errors.Join(err, read.Check(s.t.Context(), func(d projections.Difference) { report.Differences = append(report.Differences, d) }))
	if err != nil || !report.Clean() || report.Orders != len(s.versions) || report.Rows+len(report.Holds) != len(projections.All())*len(s.versions) {
		s.t.Errorf("of %d orders: %+v, %v", len(s.versions), report, err)
	}
}

// lookout watches rows from beside, again and again until it is ended: no version of a row goes back, and no customer's sum.
func lookout(t *testing.T, read projections.Reader, ids []domain.OrderID) (end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() {
		newest, counted := map[string]map[domain.OrderID]int{}, map[string]int{}
		looks := 0
		for ; ctx.Err() == nil; looks++ {
			for _, projection := range projections.All() {
				versions, err := read.Versions(ctx, projection.Name, ids...)
				if err != nil && ctx.Err() == nil {
					t.Error(err)
				}
				for id, was := range newest[projection.Name] {
					if err == nil && versions[id] < was {
						t.Errorf("the row of %s in %s went back from %d to %d", id, projection.Name, was, versions[id])
					}
				}
				if err == nil {
					newest[projection.Name] = versions
				}
			}
			page, err := read.Customers(ctx, projections.CustomerQuery{})
			if err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			for _, row := range page.Rows {
				if row.TotalOrders < counted[row.ID] {
					t.Errorf("the sum of %s went back from %d orders to %d", row.ID, counted[row.ID], row.TotalOrders)
				}
				counted[row.ID] = row.TotalOrders
			}
			select {
			case <-ctx.Done():
			case <-time.After(30 * time.Millisecond):
			}
		}
		t.Logf("%d looks from beside", looks)
	})
	end = sync.OnceFunc(func() { cancel(); watching.Wait() })
	t.Cleanup(end)
	return end
}

func TestAProjectorOnANodeWithFaultsEndsWithRowsThatVerify(t *testing.T) {
	for _, seed := range seeds(5) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { faultyProjector(t, seed) })
	}
}

func faultyProjector(t *testing.T, seed uint64) {
	const orders = 40
	shop, name, f := newShop(t), prefix(t), weather(t, seed, 4)
	random := rand.New(rand.NewPCG(seed, 2))
	ids := make([]domain.OrderID, 0, orders)
	for range orders / 2 {
		ids = append(ids, shop.create())
	}
	beside := open(t, elastic.Options{Prefix: name})
	end := lookout(t, beside, slices.Clone(ids))
	read := open(t, elastic.Options{Prefix: name, HTTPClient: through(f)})
	p := runner.New(shop.events, read, runner.Options{})
	steps, failures := 0, 0
	step := func() {
		steps++
		if _, err := p.Step(t.Context()); err != nil {
			failures++
			if fault.KindOf(err) != fault.Unavailable {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond) // the breaker's wait is real
		}
	}
	for n := range orders / 2 {
		ids = append(ids, shop.create())
		shop.tell(ids[random.IntN(len(ids))], domain.AddItem{Item: tea})
		f.away.Store(n == 8 || n == 9) // for a while
		step()
	}
	f.away.Store(false)
	for tries := 0; ; tries++ {
		before := failures
		if step(); failures == before {
			break
		}
		if tries > 50 {
			t.Fatal("the projector does not get through")
		}
	}
	t.Logf("%d of %d steps failed, of %d requests", failures, steps, f.sent.Load())
	f.calm()
	end()
	shop.verify(read)
	page, err := read.Orders(t.Context(), projections.OrderQuery{Text: "creme"})
	if err != nil || page.Total != orders {
		t.Errorf("%d orders, %v", page.Total, err)
	}
}

// What the node says of one row is a matter of that row: its order is held, by the version that its row would have had, and every other
// goes on, in both projections. Once the row can be kept, whoever runs the projections next tries it again.
func TestARowThatTheNodeNeverTakesHoldsItsOrderAndNothingElse(t *testing.T) {
	for kind, held := range map[string]string{"orders": projections.OrderList, "customer-orders": projections.CustomerOrderSummary} {
		t.Run(kind, func(t *testing.T) {
			shop, name, f := newShop(t), prefix(t), &faults{}
			read := open(t, elastic.Options{Prefix: name, HTTPClient: through(f)})
			var ids []domain.OrderID
			for range 12 {
				ids = append(ids, shop.create())
			}
			poison, refusals := ids[5], 0
			f.item = func(index, id string) int {
				if id != string(poison) || !strings.HasPrefix(index, name+"-"+kind) {
					return 0
				}
				refusals++
				return http.StatusBadRequest
			}
			p := runner.New(shop.events, read, runner.Options{Alone: true})
			step := func(p *runner.Projector) {
				t.Helper()
				if _, err := p.Step(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			step(p)
			for _, id := range ids {
				shop.tell(id, domain.AddItem{Item: tea})
			}
			step(p)
			step(p)
			holds, err := read.Holds(t.Context(), "")
			if err != nil || len(holds) != 1 || holds[0].Projection != held || holds[0].OrderID != poison || holds[0].Version != 1 {
				t.Fatalf("one order is held: %+v, %v", holds, err)
			}
			for _, projection := range projections.All() {
				versions, err := read.Versions(t.Context(), projection.Name, ids...)
				for _, id := range ids {
					want := 2
					if id == poison && projection.Name == held {
						want = 0
					}
					if err != nil || versions[id] != want {
						t.Errorf("%s is at %d in %s, want %d; %v", id, versions[id], projection.Name, want, err)
					}
				}
			}
			if refusals > 2 {
				t.Errorf("the row was sent %d times", refusals)
			}
			sums(t, read, len(ids)-map[bool]int{true: 1}[held == projections.CustomerOrderSummary])

			var there map[string]any // no order moves, and no feed names this one again
			ask(t, http.MethodGet, "/"+name+"-holds", "", &there)
			for index := range there {
				ask(t, http.MethodDelete, "/"+index, "", nil)
			}
			for tries := 0; ; tries++ {
				holds, err = read.Holds(t.Context(), "")
				if err == nil && len(holds) == 1 && holds[0].OrderID == poison {
					break
				}
				if tries == 5 {
					t.Fatalf("a hold that was lost comes back: %+v, %v", holds, err)
				}
				_, _ = p.Step(t.Context()) // the first ones find out what was lost
			}
			p.Release(t.Context())

			f.calm()
			step(runner.New(shop.events, read, runner.Options{Alone: true}))
			if holds, err := read.Holds(t.Context(), ""); err != nil || len(holds) > 0 {
				t.Errorf("the hold goes with its reason: %+v, %v", holds, err)
			}
			shop.verify(read)
		})
	}
}

// Whatever is deleted under a running projector is made again, whether or not an order moves; whoever looks makes it known.
func TestIndicesDeletedUnderARunningProjectorAreMadeAgain(t *testing.T) {
	shop, name := newShop(t), prefix(t)
	read := open(t, elastic.Options{Prefix: name})
	var ids []domain.OrderID
	for range 10 {
		ids = append(ids, shop.create())
	}
	p := runner.New(shop.events, read, runner.Options{Alone: true, Poll: 100 * time.Millisecond, Beat: 300 * time.Millisecond})
	ctx, stop := context.WithCancel(t.Context())
	running := make(chan struct{})
	go func() {
		defer close(running)
		if err := p.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	defer func() { stop(); <-running }()

	// arrived waits until every row is there, asking as pages do.
	arrived := func(rule string) {
		t.Helper()
		began := time.Now()
		for why := ""; ; time.Sleep(20 * time.Millisecond) {
			if time.Since(began) > patience {
				t.Fatalf("%s: after %v it is not mended: %s", rule, patience, why)
			}
			why = ""
			for _, projection := range projections.All() {
				if versions, err := read.Versions(t.Context(), projection.Name, ids...); err != nil || !maps.Equal(versions, shop.versions) {
					why += fmt.Sprintf("%s has %d of %d rows, %v. ", projection.Name, len(versions), len(ids), err)
				}
			}
			_, err := read.Holds(t.Context(), "")
			customers, err2 := read.Customers(t.Context(), projections.CustomerQuery{})
			states, err3 := read.States(t.Context())
			if err := errors.Join(err, err2, err3); err != nil || customers.Total != 5 {
				why += fmt.Sprintf("there are %d customers, %v. ", customers.Total, err)
			}
			for _, projection := range projections.All() {
				if states[projection.Key()].Checkpoint == "" || states[projection.Key()].HeartbeatAt.IsZero() {
					why += projection.Name + " has no checkpoint or no heartbeat. "
				}
			}
			if why == "" {
				t.Logf("%s: mended after %v", rule, time.Since(began).Round(time.Millisecond))
				return
			}
		}
	}
	arrived("at first")
	for _, c := range []struct {
		rule, kinds string // all of them if empty
		moving      bool
	}{
		{"the orders, while nothing moves", "orders", false},
		{"the orders, while orders move", "orders", true},
		{"what adds up", "customer-orders", false},
		{"the sums", "customers", false},
		{"the holds", "holds", false},
		{"the states, with the lease and the checkpoints", "states", false},
		{"everything but the templates", "", true},
		{"everything, as on a node that came back empty", "", false},
	} {
		path := "/" + name + "-" + c.kinds + "*"
		var there map[string]any
		ask(t, http.MethodGet, path, "", &there)
		if len(there) == 0 {
			t.Fatalf("%s: nothing is there", c.rule)
		}
		if strings.HasSuffix(c.rule, "empty") {
			ask(t, http.MethodDelete, "/_index_template/"+name+"-*", "", nil)
		}
		ask(t, http.MethodDelete, "/"+strings.Join(slices.Collect(maps.Keys(there)), ","), "", nil)
		if c.moving {
			for _, id := range ids {
				shop.tell(id, domain.AddItem{Item: tea})
			}
		}
		arrived(c.rule)
		shop.verify(read)
	}
}

// What one pass over a batch asks of the node does not grow with the batch.
func TestABatchIsAFewRequestsHoweverManyOrders(t *testing.T) {
	shop, f := newShop(t), &faults{}
	read := open(t, elastic.Options{Prefix: prefix(t), HTTPClient: through(f)})
	p := runner.New(shop.events, read, runner.Options{Alone: true})
	step := func() int64 {
		t.Helper()
		before := f.sent.Load()
		if _, err := p.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		return f.sent.Load() - before
	}
	step()
	idle := step()
	shop.create()
	one := step() - idle
	for range 100 {
		shop.create()
	}
	many := step() - idle
	t.Logf("a step in which nothing moved: %d requests (the lease, and all states); one order: %d more; 100 orders: %d more", idle, one, many)
	if most := int64(10 * len(projections.All())); many != one || one > most {
		t.Errorf("a batch of one order is %d requests, one of 100 is %d, of %d at most", one, many, most)
	}
}
