package elastic_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"headway/domain"
	"headway/projections"
	"headway/projections/elastic"
)

// faults stands between a store and its node.
type faults struct {
	away atomic.Bool
	sent atomic.Int64
	// fate says what becomes of a request: it is answered with a status before it is applied, or its answer is lost after it; nil is no
	// fault.
	fate func(r *http.Request) (status int, lose bool)
	mu   sync.Mutex
}

func (f *faults) RoundTrip(r *http.Request) (*http.Response, error) {
	f.sent.Add(1)
	if f.away.Load() {
		return nil, errors.New("connection refused")
	}
	var status int
	var lose bool
	if f.fate != nil {
		f.mu.Lock()
		status, lose = f.fate(r)
		f.mu.Unlock()
	}
	if status != 0 {
		return &http.Response{
			StatusCode: status, Header: http.Header{"X-Elastic-Product": {"Elasticsearch"}}, Body: io.NopCloser(strings.NewReader(`{}`)),
		}, nil
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && lose {
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		return nil, io.ErrUnexpectedEOF
	}
	return response, err
}

func through(f *faults) *http.Client { return &http.Client{Transport: f} }

func contribution(n, version int, customer string) projections.Contribution {
	return projections.Contribution{
		ID: domain.OrderID(fmt.Sprintf("%08x-0000-5000-8000-000000000000", n)), CustomerID: customer, Status: domain.Statuses()[version%3],
		Total: domain.Money{Minor: int64(1000*n + version), Currency: "EUR"}, CreatedAt: time.UnixMicro(int64(n)).UTC(), Version: version,
		StoredAt: time.UnixMicro(int64(version)).UTC(),
	}
}

func write(ctx context.Context, s projections.Store, its ...projections.Contribution) error {
	b := projections.Batch{Projection: projections.CustomerOrderSummary}
	for _, c := range its {
		b.Rows = append(b.Rows, c)
	}
	return s.Write(ctx, b)
}

// sums expects the rows of all customers to be the sums of their contributions as these are stored.
func sums(t *testing.T, s projections.Store, orders int) {
	t.Helper()
	var all []projections.Contribution
	want, got := map[string]projections.CustomerRow{}, map[string]projections.CustomerRow{}
	err := errors.Join(
		s.EachContribution(t.Context(), func(c projections.Contribution) error { all = append(all, c); return nil }),
		s.EachCustomer(t.Context(), func(r projections.CustomerRow) error { got[r.ID] = r; return nil }))
	for _, c := range all {
		want[c.CustomerID] = projections.SumCustomer(c.CustomerID, all...)
	}
	if err != nil || len(all) != orders || !reflect.DeepEqual(got, want) {
		t.Errorf("of %d contributions there are %d; the customers are\n%+v, want\n%+v; %v", orders, len(all), got, want, err)
	}
}

func TestFaultsOfTheNodeLoseNothingAndMoveNothingBack(t *testing.T) {
	name := prefix(t)
	random := rand.New(rand.NewSource(4))
	f := &faults{}
	s := open(t, elastic.Options{Prefix: name, HTTPClient: through(f)})
	f.fate = func(*http.Request) (int, bool) {
		switch n := random.Intn(100); {
		case n < 10:
			return []int{429, 503}[n%2], false
		case n < 20:
			return 0, true
		}
		return 0, false
	}
	const orders, versions = 12, 5
	var deliveries []projections.Contribution
	for n := range orders {
		for v := range versions {
			deliveries = append(deliveries, contribution(n, v+1, fmt.Sprint("c-", n%4)))
		}
	}
	random.Shuffle(len(deliveries), func(i, j int) { deliveries[i], deliveries[j] = deliveries[j], deliveries[i] })
	for len(deliveries) > 0 {
		n := min(len(deliveries), 1+random.Intn(8))
		for tries := 0; ; tries++ { // as a loop of the projector does
			err := write(t.Context(), s, deliveries[:n]...)
			if err == nil {
				break
			}
			if domain.KindOf(err) != domain.Unavailable || tries > 50 {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond) // the breaker's wait is real
		}
		deliveries = deliveries[n:]
	}
	f.fate = nil
	sums(t, s, orders)
	err := s.EachContribution(t.Context(), func(c projections.Contribution) error {
		if c.Version != versions {
			return fmt.Errorf("%s is at %d", c.ID, c.Version)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A crash leaves contributions that are as new as the log, and sums that are not; nobody writes those contributions again.
func TestACrashBetweenContributionsAndSumsIsMendedByWhoeverWritesNext(t *testing.T) {
	name := prefix(t)
	for crashAfter := range int64(8) {
		f := &faults{}
		s := open(t, elastic.Options{Prefix: name, HTTPClient: through(f)})
		if err := write(t.Context(), s, contribution(100, 1, "ada")); err != nil {
			t.Fatal(err)
		}
		var dead atomic.Bool
		begun := f.sent.Load()
		f.fate = func(*http.Request) (int, bool) {
			if f.sent.Load() > begun+crashAfter {
				dead.Store(true)
			}
			if dead.Load() {
				return http.StatusUnauthorized, false
			}
			return 0, false
		}
		n := int(crashAfter)
		moved := []projections.Contribution{contribution(0, n+2, fmt.Sprint("c-", n%2)), contribution(n+1, 1, "ada")}
		crashed := write(t.Context(), s, moved...) != nil
		s.Close()

		next := open(t, elastic.Options{Prefix: name})
		there, err := next.Versions(t.Context(), projections.CustomerOrderSummary, moved[0].ID, moved[1].ID)
		if err != nil {
			t.Fatal(err)
		}
		// As a loop does: what is there is not written again.
		var missing []projections.Row
		for _, c := range moved {
			if there[c.ID] < c.Version {
				missing = append(missing, c)
			}
		}
		t.Logf("after %d requests: crashed %v, %d of 2 contributions missing", crashAfter, crashed, len(missing))
		err = next.Write(t.Context(), projections.Batch{
			Projection: projections.CustomerOrderSummary, Rows: missing, Checkpoint: "after",
		})
		if err != nil {
			t.Fatal(err)
		}
		sums(t, next, n+3)
	}
}

func TestAStoreWhoseNodeIsAwaySaysSoAndAsksSeldom(t *testing.T) {
	name := prefix(t)
	f := &faults{}
	f.away.Store(true)
	var ahead atomic.Int64
	s := open(t, elastic.Options{Prefix: name, HTTPClient: through(f), Clock: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }})
	ctx := t.Context()
	id := domain.OrderID("00000001-0000-5000-8000-000000000000")
	calls := map[string]func() error{
		"Orders":    func() error { _, err := s.Orders(ctx, projections.OrderQuery{}); return err },
		"OrderRows": func() error { _, err := s.OrderRows(ctx, id); return err },
		"Customers": func() error { _, err := s.Customers(ctx, projections.CustomerQuery{}); return err },
		"Customer":  func() error { _, err := s.Customer(ctx, "ada"); return err },
		"Totals":    func() error { _, err := s.Totals(ctx, time.Time{}, time.Now()); return err },
		"States":    func() error { _, err := s.States(ctx); return err },
		"Holds":     func() error { _, err := s.Holds(ctx, ""); return err },
		"Versions":  func() error { _, err := s.Versions(ctx, projections.OrderList, id); return err },
		"Rows":      func() error { _, err := s.Rows(ctx, projections.OrderList, id); return err },
		"EachOrder": func() error { return s.EachOrder(ctx, func(projections.OrderRow) error { return nil }) },
		"Write":     func() error { return write(ctx, s, contribution(1, 1, "ada")) },
		"Beat":      func() error { return s.Beat(ctx, projections.State{Projection: projections.OrderList}) },
		"checkpoint": func() error {
			return s.Write(ctx, projections.Batch{Projection: projections.OrderList, Checkpoint: "c"})
		},
	}
	for _, known := range []bool{false, true} { // before its indices were ever seen, and after
		for name, call := range calls {
			if err := call(); domain.KindOf(err) != domain.Unavailable || domain.Sentence(err) == "" {
				t.Errorf("%s, indices known %v: %v", name, known, err)
			}
		}
		before := f.sent.Load()
		for range 1000 {
			if err := calls["Orders"](); domain.KindOf(err) != domain.Unavailable {
				t.Error(err)
			}
		}
		if n := f.sent.Load() - before; n > 10 {
			t.Errorf("of 1000 requests %d reached a node that was away", n)
		}
		f.away.Store(false)
		ahead.Add(int64(time.Minute))
		for name, call := range calls {
			if err := call(); err != nil && (name != "Customer" || domain.KindOf(err) != domain.NotFound) {
				t.Errorf("%s, when the node is back: %v", name, err)
			}
		}
		f.away.Store(true)
	}
}

func TestManyProcessesMayMakeTheIndicesAtOnce(t *testing.T) {
	name := prefix(t)
	const processes = 6
	var all sync.WaitGroup
	errs := make([]error, processes)
	for i := range processes {
		all.Go(func() {
			s, err := elastic.Open(t.Context(), elastic.Options{URL: node(t), Prefix: name})
			if err == nil {
				defer s.Close()
				err = write(t.Context(), s, contribution(i, 1, "ada"))
			}
			errs[i] = err
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	sums(t, open(t, elastic.Options{Prefix: name}), processes)
	var there map[string]any
	if ask(t, http.MethodGet, "/"+name+"-*", "", &there); len(there) != 5 {
		t.Errorf("there are %d indices, and 5 kinds of them", len(there))
	}
}

func TestALostIndexIsMadeAgainAndForgetsItsCheckpoint(t *testing.T) {
	for _, lost := range []string{"contributions", "customers"} {
		name := prefix(t)
		s := open(t, elastic.Options{Prefix: name})
		batch := projections.Batch{
			Projection: projections.CustomerOrderSummary, Rows: []projections.Row{contribution(1, 3, "ada")}, Checkpoint: "c-1",
		}
		if err := s.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		if err := s.Write(t.Context(), projections.Batch{Projection: projections.OrderList, Checkpoint: "c-2"}); err != nil {
			t.Fatal(err)
		}
		var there map[string]any
		ask(t, http.MethodGet, "/"+name+"-"+lost+"-*", "", &there)
		for index := range there {
			ask(t, http.MethodDelete, "/"+index, "", nil)
		}
		batch.Rows[0] = contribution(1, 2, "ada")
		if err := s.Write(t.Context(), batch); lost == "contributions" && domain.KindOf(err) != domain.Unavailable {
			t.Errorf("%s: a write to an index that is gone is Unavailable, and makes none: %v", lost, err)
		}
		if _, err := s.Customer(t.Context(), "ada"); err == nil {
			_, err = s.Customer(t.Context(), "ada")
			t.Errorf("%s: a customer of an index that is gone: %v", lost, err)
		}
		again := open(t, elastic.Options{Prefix: name})
		states, err := again.States(t.Context())
		if err != nil || states[projections.CustomerOrderSummary].Checkpoint != "" || states[projections.OrderList].Checkpoint != "c-2" {
			t.Errorf("%s: a checkpoint is of the indices it was written with: %+v, %v", lost, states, err)
		}
		if err := again.Write(t.Context(), batch); err != nil {
			t.Errorf("%s: %v", lost, err)
		}
		sums(t, again, 1)
	}
}

func TestIndicesThatAreNotOursAreRefusedUntouched(t *testing.T) {
	for rule, spoil := range map[string]func(t *testing.T, name string){
		"an index in the place of an alias": func(t *testing.T, name string) {
			ask(t, http.MethodPut, "/"+name+"-orders", `{}`, nil)
		},
		"mappings of another Headway": func(t *testing.T, name string) {
			open(t, elastic.Options{Prefix: name}).Close()
			ask(t, http.MethodPut, "/"+name+"-orders/_mapping", `{"_meta":{"schema":1,"hash":"another"}}`, nil)
		},
		"a newer Headway": func(t *testing.T, name string) {
			open(t, elastic.Options{Prefix: name}).Close()
			ask(t, http.MethodPut, "/"+name+"-orders/_mapping", `{"_meta":{"schema":2,"hash":"another"}}`, nil)
		},
		"two indices behind one alias": func(t *testing.T, name string) {
			open(t, elastic.Options{Prefix: name}).Close()
			ask(t, http.MethodPut, "/"+name+"-orders-v1-1", `{"aliases":{"`+name+`-orders":{}}}`, nil)
		},
	} {
		name := prefix(t)
		spoil(t, name)
		if _, err := elastic.Open(t.Context(), elastic.Options{URL: node(t), Prefix: name}); domain.KindOf(err) != domain.Refused {
			t.Errorf("%s: %v", rule, err)
		}
	}
	for rule, o := range map[string]elastic.Options{
		"no address": {}, "another scheme": {URL: "ftp://127.0.0.1"}, "capitals in the prefix": {URL: "http://127.0.0.1:1", Prefix: "Headway"},
		"a pattern as prefix": {URL: "http://127.0.0.1:1", Prefix: "a*"},
	} {
		if _, err := elastic.Open(t.Context(), o); domain.KindOf(err) != domain.Refused {
			t.Errorf("%s: %v", rule, err)
		}
	}
}

func TestAnOlderSchemaMakesNewIndicesBehindTheSameAliases(t *testing.T) {
	name := prefix(t)
	s := open(t, elastic.Options{Prefix: name})
	if err := write(t.Context(), s, contribution(1, 7, "ada")); err != nil {
		t.Fatal(err)
	}
	ask(t, http.MethodPut, "/"+name+"-customers/_mapping", `{"_meta":{"schema":0,"hash":"old"}}`, nil)
	again := open(t, elastic.Options{Prefix: name})
	if _, err := again.Customer(t.Context(), "ada"); domain.KindOf(err) != domain.NotFound {
		t.Errorf("rows of another schema are not shown: %v", err)
	}
	if err := write(t.Context(), again, contribution(1, 2, "ada")); err != nil {
		t.Fatal(err)
	}
	sums(t, again, 1)
}

func TestSumsAreExactAboveWhatFloatingPointHolds(t *testing.T) {
	s := open(t, elastic.Options{Prefix: prefix(t)})
	var its []projections.Contribution
	var want int64
	for n, minor := range []int64{1 << 62, 1<<53 + 1, 1<<53 + 3, 1, 7, 1<<42 - 1, 1<<21 - 1, 1 << 21} {
		c := contribution(n, 3, "ada")
		c.Total.Minor, c.Status, c.CreatedAt = minor, domain.Created, time.UnixMicro(-62_000_000_000_000_001+int64(n)).UTC()
		its, want = append(its, c), want+minor
	}
	if err := write(t.Context(), s, its...); err != nil {
		t.Fatal(err)
	}
	row, err := s.Customer(t.Context(), "ada")
	if err != nil || !reflect.DeepEqual(row.TotalSpent, []domain.Money{{Minor: want, Currency: "EUR"}}) || want > math.MaxInt64-1<<61 ||
		!row.LastOrderAt.Equal(its[len(its)-1].CreatedAt) {
		t.Errorf("%+v, want %d; %v", row, want, err)
	}
}

func TestACheckNamesWhatIsDerivedWronglyAndDriftsOfMappings(t *testing.T) {
	name := prefix(t)
	s := open(t, elastic.Options{Prefix: name})
	row := projections.OrderRow{
		ID: "00000001-0000-5000-8000-000000000000", Reference: "A-1", CustomerID: "ada", Status: domain.Created, Version: 1, Words: []string{"tea"},
	}
	if err := s.Write(t.Context(), projections.Batch{Projection: projections.OrderList, Rows: []projections.Row{row}}); err != nil {
		t.Fatal(err)
	}
	if err := write(t.Context(), s, contribution(1, 1, "ada")); err != nil {
		t.Fatal(err)
	}
	check := func() (names []string) {
		if err := s.Check(t.Context(), func(d projections.Difference) { names = append(names, d.ID+" "+d.Field) }); err != nil {
			t.Fatal(err)
		}
		return names
	}
	if names := check(); len(names) > 0 {
		t.Fatalf("nothing is wrong, and the check names %q", names)
	}
	var doc struct {
		Source map[string]json.RawMessage `json:"_source"`
	}
	ask(t, http.MethodGet, "/"+name+"-orders/_doc/"+string(row.ID), "", &doc)
	doc.Source["refKey"], doc.Source["total1"] = json.RawMessage(`"x"`), json.RawMessage(`5`)
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(doc.Source); err != nil {
		t.Fatal(err)
	}
	ask(t, http.MethodPut, "/"+name+"-orders/_doc/"+string(row.ID), body.String(), nil)
	ask(t, http.MethodPut, "/"+name+"-customers/_mapping", `{"dynamic":true,"properties":{"stray":{"type":"keyword"}}}`, nil)
	got := strings.Join(check(), "\n")
	for _, want := range []string{" refKey", " total", " dynamic", " stray"} {
		if !strings.Contains(got, want) {
			t.Errorf("the check names %q, not %q", got, want)
		}
	}
}
