package dynamo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/orders"
	"headway/projections"
	"headway/projections/runner"
	readstore "headway/projections/sqlite"
	"headway/projections/verify"
)

// lag hides entries of the feed's index, as one does that is behind: those of some orders, and, with a seed, each for a time of its own, so
// that they come in another order than they were made; and some for ever.
type lag struct {
	mu     sync.Mutex
	hidden map[eventstore.StreamID]bool

	seed  uint64
	clock func() time.Time // of the time that most is in
	most  time.Duration    // that an entry is late; 0: none is
	never float64          // the share of entries that never come
	over  bool             // only those are hidden that never come

	shown     map[string]bool
	newest    string // key that was shown
	reordered int    // entries that were shown after a newer one
}

func (l *lag) hide(ids ...eventstore.StreamID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hidden = map[eventstore.StreamID]bool{}
	for _, id := range ids {
		l.hidden[id] = true
	}
}

// end ends the lag: what is not missing for ever is shown.
func (l *lag) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
}

// missing tells whether an entry never comes, and how late it is if it does.
func (l *lag) missing(id eventstore.StreamID, key string) (never bool, late time.Duration) {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(key))
	draw := rand.New(rand.NewPCG(l.seed, sum.Sum64())) // the same every time
	never = draw.Float64() < l.never
	return never || l.hidden[id], time.Duration(draw.Float64() * float64(l.most))
}

// hides tells whether an entry is not shown now.
func (l *lag) hides(id eventstore.StreamID, key string) bool {
	never, late := l.missing(id, key)
	if never || l.most == 0 {
		return never
	}
	micros, err := microsOf(key)
	if err != nil || !l.over && l.clock().Before(time.UnixMicro(micros).Add(late)) {
		return true
	}
	if l.shown == nil {
		l.shown = map[string]bool{}
	}
	if !l.shown[key] && key < l.newest {
		l.reordered++
	}
	l.shown[key], l.newest = true, max(l.newest, key)
	return false
}

// change takes the hidden entries out of an answer.
func (l *lag) change(operation, asked, answer string) string {
	if operation != "Query" || !strings.Contains(asked, feedIndex) {
		return answer
	}
	var page map[string]json.RawMessage
	var items []map[string]map[string]string
	if json.Unmarshal([]byte(answer), &page) != nil || json.Unmarshal(page["Items"], &items) != nil {
		return answer
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	shown := []map[string]map[string]string{}
	for _, i := range items {
		if !l.hides(stream(i[aggregateID]["S"]), i[movedAt]["S"]) {
			shown = append(shown, i)
		}
	}
	text, err := json.Marshal(shown)
	if err != nil {
		return answer
	}
	page["Items"] = text
	changed, err := json.Marshal(page)
	if err != nil {
		return answer
	}
	return string(changed)
}

// field is a load and what it has made: orders that are the writers' own, and the rows that a projector makes of them.
type field struct {
	store  *Store
	wire   *wire
	index  *lag
	read   *readstore.Store
	orders []domain.OrderID
	heads  map[domain.OrderID]eventstore.Head
	mu     sync.Mutex
}

// The size of a load.
const (
	fieldWriters = 8
	fieldOrders  = 8 // of each writer, one after the other
)

func newField(t *testing.T, l *lag, options Options) *field {
	t.Helper()
	f := &field{index: l, wire: &wire{change: l.change}, heads: map[domain.OrderID]eventstore.Head{}}
	options.Client = f.wire
	f.store = open(t, options)
	var err error
	f.read, err = readstore.Open(filepath.Join(t.TempDir(), "rows.db"), readstore.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, f.read.Close()) })
	for range fieldWriters * fieldOrders {
		f.orders = append(f.orders, orders.IDOf(newStream()))
	}
	return f
}

// move moves one order on.
func (f *field) move(ctx context.Context, id domain.OrderID) error {
	f.mu.Lock()
	expect := f.heads[id].Version
	f.mu.Unlock()
	line := domain.Item{SKU: "tea", Name: "Tea", Quantity: 1, Price: domain.Money{Minor: 450, Currency: "EUR"}}
	var fact domain.Event = domain.OrderItemAdded{Item: line}
	if expect == 0 {
		fact = domain.OrderCreated{CustomerID: "customer " + string(id[:1]), Currency: "EUR", Items: []domain.Item{line}}
	}
	events, err := orders.Encode(domain.Codec{}, fact)
	if err != nil {
		return err
	}
	records, err := f.store.Append(ctx, orders.StreamOf(id), expect, newCommand(), events...)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.heads[id] = eventstore.Head{Stream: orders.StreamOf(id), Version: expect + 1, At: records[0].StoredAt}
	return nil
}

// round lets every writer move one order of its own: share of the load has passed. So there are orders that moved last at any time of it.
func (f *field) round(t *testing.T, share float64) {
	t.Helper()
	errs := make([]error, fieldWriters)
	var all sync.WaitGroup
	for w := range fieldWriters {
		all.Go(func() {
			errs[w] = f.move(t.Context(), f.orders[w*fieldOrders+min(int(share*fieldOrders), fieldOrders-1)])
		})
	}
	all.Wait()
	must(t, errors.Join(errs...))
}

// behind is the orders that have a row older than their head: those the index has shown or will show, and those whose move it never shows.
func (f *field) behind(t *testing.T) (late, missing []domain.OrderID) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, projection := range projections.All() {
		rows, err := f.read.Rows(t.Context(), projection.Name, f.orders...)
		must(t, err)
		for _, id := range f.orders {
			h := f.heads[id]
			if row := rows[id]; h.Version == 0 || row != nil && row.At() >= h.Version {
				continue
			}
			f.index.mu.Lock()
			never, _ := f.index.missing(h.Stream, moveKey(h.At.UnixMicro(), h.Stream))
			f.index.mu.Unlock()
			if never {
				missing = append(missing, id)
			} else {
				late = append(late, id)
			}
		}
	}
	return late, missing
}

// verify wants every row to match the log.
func (f *field) verify(t *testing.T) {
	t.Helper()
	report, err := verify.Run(t.Context(), f.store, f.read, domain.Codec{}, verify.Options{})
	if err != nil || !report.Clean() || report.Orders != len(f.heads) || len(report.Holds) > 0 {
		t.Errorf("the verification says %+v, %v", report, err)
	}
}

// stepped is a clock that goes as a test says, and a little by itself, so that no two moments are the same.
type stepped struct {
	mu sync.Mutex
	at time.Time
}

func (c *stepped) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(10 * time.Microsecond)
	return c.at
}

func (c *stepped) step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// The index lags up to 90 s, in another order, and never shows some moves: once the lag ends, one pass that looks back brings every row to
// its order's head, and one audit those whose move never came. The windows are the store's own; the clock is the test's.
func TestOnePassAfterTheLag(t *testing.T) {
	const most, step = 90 * time.Second, 5 * time.Second
	for _, seed := range seeds(t, 5) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			clock := &stepped{at: time.Now()}
			options := newPlace(t).options
			options.Windows, options.Clock = Windows{}, clock.now
			f := newField(t, &lag{seed: seed, most: most, never: 0.1, clock: clock.now}, options)
			p := runner.New(f.store, f.read, runner.Options{Clock: clock.now})
			stepOn := func(d time.Duration) {
				t.Helper()
				clock.step(d)
				_, err := p.Step(t.Context())
				must(t, err)
			}
			stepOn(0)
			f.index.hide(orders.StreamOf(f.orders[0])) // one at least never comes
			const rounds = int(2 * time.Minute / step)
			for n := range rounds {
				f.round(t, float64(n)/float64(rounds))
				stepOn(step)
			}
			late, _ := f.behind(t)
			if len(late) == 0 || f.index.reordered == 0 {
				t.Errorf("before the end of the lag %d rows are behind, and %d moves came after newer ones: it is no lag", len(late), f.index.reordered)
			}
			f.index.end()
			stepOn(f.store.windows.OverlapEvery)
			still, missing := f.behind(t)
			if len(still) > 0 || len(missing) == 0 {
				t.Errorf("one pass after the lag %d rows are behind, and %d whose move never came", len(still), len(missing))
			}
			stepOn(f.store.windows.AuditEvery)
			if late, missing := f.behind(t); len(late)+len(missing) > 0 {
				t.Errorf("after an audit %d rows are behind, and %d whose move never came", len(late), len(missing))
			}
			f.verify(t)
			t.Logf("seed %d: %d of %d moves came after newer ones; when the lag ended %d rows were behind; after one pass %d, all of moves that never came; after an audit none",
				seed, f.index.reordered, len(f.index.shown), len(late), len(missing))
		})
	}
}

// The same as it is in life: the projector runs beside the writers, by the clock of the machine. In a soak the times are the stated ones,
// but for the hour between two audits.
func TestLagInRealTime(t *testing.T) {
	t.Parallel()
	load, most, pace, poll := 2*time.Second, 900*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
	windows := Windows{TipDelay: 20 * time.Millisecond, OverlapEvery: 100 * time.Millisecond, OverlapWindow: 6 * time.Second, AuditEvery: 6 * time.Second}
	if soak() {
		load, most, pace, poll, windows = 2*time.Minute, 90*time.Second, time.Second, time.Second, Windows{AuditEvery: 5 * time.Minute}
	}
	seed := seeds(t, 1)[0]
	options := newPlace(t).options
	options.Windows = windows
	f := newField(t, &lag{seed: seed, most: most, never: 0.1, clock: time.Now}, options)
	f.index.hide(orders.StreamOf(f.orders[0]))
	ctx, cancel := context.WithCancel(t.Context())
	p := runner.New(f.store, f.read, runner.Options{Poll: poll, Alone: true})
	var running sync.WaitGroup
	running.Go(func() {
		if err := p.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	defer running.Wait()
	defer cancel()

	began := time.Now()
	rounds := 0
	for ; time.Since(began) < load; rounds++ {
		f.round(t, time.Since(began).Seconds()/load.Seconds())
		time.Sleep(pace) // a writer's, not the test's
	}
	late, _ := f.behind(t)
	f.index.end()
	ended := time.Now()
	after := func(rule string, arrived func(late, missing []domain.OrderID) bool) time.Duration {
		t.Helper()
		for {
			if arrived(f.behind(t)) {
				return time.Since(ended).Round(time.Millisecond)
			}
			if time.Since(ended) > 2*f.store.windows.AuditEvery+time.Minute {
				t.Fatalf("it does not come: %s", rule)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	converged := after("a row of every move that the index shows", func(late, _ []domain.OrderID) bool { return len(late) == 0 })
	_, missing := f.behind(t)
	all := after("a row of every move", func(late, missing []domain.OrderID) bool { return len(late)+len(missing) == 0 })
	f.verify(t)
	t.Logf("seed %d: %d moves, %d after newer ones, up to %v late; when the lag ended %d rows were behind; %v later none that was shown, %d that were not; %v later none (overlap every %v over %v, audit every %v)",
		seed, rounds*fieldWriters, f.index.reordered, most, len(late), converged, len(missing), all,
		f.store.windows.OverlapEvery, f.store.windows.OverlapWindow, f.store.windows.AuditEvery)
}
