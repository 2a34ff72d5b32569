package elastic_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"headway/domain"
	"headway/fault"
	"headway/projections"
	"headway/projections/elastic"
)

// faults stands between a store and its node.
type faults struct {
	away atomic.Bool
	sent atomic.Int64
	mu   sync.Mutex
	fate func(r *http.Request) injected      // of a request; nil is no injected
	item func(index, id string) (status int) // of one item of a bulk, which is not written then, while the others are; 0 writes it
}

// injected is what becomes of a request; the zero injected is none.
type injected struct {
	status int   // the answer, instead of the node's; nothing is applied
	lost   error // the caller has this in place of an answer
	unsent bool  // and the node never had the request; else it applied it
}

// weather draws faults for the requests as they come: the seed says which. Of a hundred requests so many have one.
func weather(t *testing.T, seed uint64, requests int) *faults {
	t.Helper()
	t.Logf("seed %d", seed)
	draw := rand.New(rand.NewPCG(seed, seed)) // the same every time
	f := &faults{}
	f.fate = func(*http.Request) injected {
		if draw.IntN(100) >= requests {
			return injected{}
		}
		return []injected{
			{status: http.StatusTooManyRequests}, {status: http.StatusServiceUnavailable}, {lost: io.ErrUnexpectedEOF}, {lost: context.DeadlineExceeded},
			{lost: context.DeadlineExceeded, unsent: true},
		}[draw.IntN(5)]
	}
	f.item = func(string, string) int {
		if draw.IntN(100) >= 3 {
			return 0
		}
		return []int{http.StatusTooManyRequests, http.StatusServiceUnavailable}[draw.IntN(2)]
	}
	return f
}

// seeds are those of a test that takes choices: one that stays, and in a soak as many others.
func seeds(n int) []uint64 {
	if os.Getenv("HEADWAY_SOAK") == "" {
		return []uint64{4}
	}
	all := make([]uint64, n)
	for i := range all {
		all[i] = rand.Uint64()
	}
	return all
}

// calm ends all faults.
func (f *faults) calm() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away.Store(false)
	f.fate, f.item = nil, nil
}

func (f *faults) RoundTrip(r *http.Request) (*http.Response, error) {
	f.sent.Add(1)
	if f.away.Load() {
		return nil, errors.New("connection refused")
	}
	f.mu.Lock()
	var now injected
	if f.fate != nil {
		now = f.fate(r)
	}
	items := f.item != nil && r.URL.Path == "/_bulk"
	f.mu.Unlock()
	switch {
	case now.status != 0:
		return answerOf(now.status, []byte(`{}`)), nil
	case now.unsent:
		return nil, now.lost
	}
	next := http.DefaultTransport.RoundTrip
	if items {
		next = f.bulk
	}
	response, err := next(r)
	if err == nil && now.lost != nil {
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		return nil, now.lost
	}
	return response, err
}

func answerOf(status int, body []byte) *http.Response {
	return &http.Response{
		StatusCode: status, Header: http.Header{"X-Elastic-Product": {"Elasticsearch"}, "Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(body)),
	}
}

// bulk keeps some items back, and puts their statuses into the answer for the others.
func (f *faults) bulk(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var send bytes.Buffer
	var kept []json.RawMessage // of each item; nil is sent
	lines := bytes.SplitAfter(body, []byte{'\n'})
	f.mu.Lock()
	for i := 0; i < len(lines) && len(lines[i]) > 0; i++ {
		var action map[string]struct {
			Index string `json:"_index"`
			ID    string `json:"_id"`
		}
		if err := json.Unmarshal(lines[i], &action); err != nil {
			f.mu.Unlock()
			return nil, err
		}
		operation := lines[i]
		if _, deletes := action["delete"]; !deletes {
			i++
			operation = slices.Concat(operation, lines[i])
		}
		for name, at := range action {
			status := 0
			if f.item != nil {
				status = f.item(at.Index, at.ID)
			}
			if status == 0 {
				kept = append(kept, nil)
				send.Write(operation)
				continue
			}
			kept = append(kept, fmt.Appendf(nil, `{%q:{"_index":%q,"_id":%q,"status":%d,"error":{"type":"a_type","reason":"a reason"}}}`,
				name, at.Index, at.ID, status))
		}
	}
	f.mu.Unlock()
	var answer struct {
		Errors bool              `json:"errors"`
		Items  []json.RawMessage `json:"items"`
	}
	if send.Len() > 0 {
		r = r.Clone(r.Context())
		r.Body, r.ContentLength = io.NopCloser(&send), int64(send.Len())
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil || response.StatusCode != http.StatusOK {
			return response, err
		}
		defer response.Body.Close()
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			return nil, err
		}
	}
	for i, told := range kept {
		if told != nil {
			answer.Errors, answer.Items = true, slices.Insert(answer.Items, i, told)
		}
	}
	whole, err := json.Marshal(answer)
	return answerOf(http.StatusOK, whole), err
}

func through(f *faults) *http.Client { return &http.Client{Transport: f} }

// contribution is what an order adds to a customer.
type contribution struct {
	projections.CustomerOrder
	ID       domain.OrderID
	Version  int
	StoredAt time.Time
	Before   []string // customers that it added to before
}

func contributionOf(n, version int, customer string, before ...string) contribution {
	return contribution{
		ID: domain.OrderID(fmt.Sprintf("%08x-0000-5000-8000-000000000000", n)), Version: version, StoredAt: time.UnixMicro(int64(version)).UTC(),
		Before: before, CustomerOrder: projections.CustomerOrder{
			CustomerID: customer, Status: domain.Statuses()[version%3], CreatedAt: time.UnixMicro(int64(n)).UTC(),
			Total: domain.Money{Minor: int64(1000*n + version), Currency: "EUR"},
		},
	}
}

func (c contribution) row() projections.Row {
	r := projections.Contributed[projections.CustomerOrder]{ID: c.ID, Version: c.Version, StoredAt: c.StoredAt, Total: c.Total}
	for _, customer := range c.Before {
		if customer != c.CustomerID {
			r.Contributions = append(r.Contributions, projections.CustomerOrder{CustomerID: customer})
		}
	}
	r.Contributions = append(r.Contributions, c.CustomerOrder)
	return r
}

func write(ctx context.Context, s projections.Store, its ...contribution) error {
	b := projections.Batch{Key: projections.KeyOf(projections.CustomerOrderSummary)}
	for _, c := range its {
		b.Rows = append(b.Rows, c.row())
	}
	return s.Write(ctx, b)
}

// sums expects every sum to be that of the contributions as these are stored.
func sums(t *testing.T, s projections.Store, orders int) {
	t.Helper()
	n := 0
	want, got := map[string]projections.Sum{}, map[string]projections.Sum{}
	p, err := projections.Named(projections.CustomerOrderSummary)
	err = errors.Join(err,
		s.EachRow(t.Context(), p.Name, func(row projections.Row) error {
			n++
			p.Contributions.Add(want, row, nil)
			return nil
		}),
		s.EachSum(t.Context(), p.Name, func(sum projections.Sum) error { got[sum.Key()] = sum; return nil }))
	if err != nil || n != orders || !reflect.DeepEqual(got, want) {
		t.Errorf("of %d orders there are %d; the customers are\n%+v, want\n%+v; %v", orders, n, got, want, err)
	}
}

func TestFaultsOfTheNodeLoseNothingAndMoveNothingBack(t *testing.T) {
	for _, seed := range seeds(5) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { faultyWrites(t, seed) })
	}
}

func faultyWrites(t *testing.T, seed uint64) {
	f := weather(t, seed, 8)
	random := rand.New(rand.NewPCG(seed, 1))
	s := open(t, elastic.Options{Prefix: prefix(t), HTTPClient: through(f)})
	const orders, versions = 12, 5
	var deliveries []contribution
	for n := range orders {
		for v := range versions {
			deliveries = append(deliveries, contributionOf(n, v+1, fmt.Sprint("c-", n%4)))
		}
	}
	random.Shuffle(len(deliveries), func(i, j int) { deliveries[i], deliveries[j] = deliveries[j], deliveries[i] })
	for len(deliveries) > 0 {
		n := min(len(deliveries), 1+random.IntN(8))
		for tries := 0; ; tries++ { // as a loop of the projector does
			err := write(t.Context(), s, deliveries[:n]...)
			if err == nil {
				break
			}
			if fault.KindOf(err) != fault.Unavailable || tries > 50 {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond) // the breaker's wait is real
		}
		deliveries = deliveries[n:]
	}
	f.calm()
	sums(t, s, orders)
	err := s.EachRow(t.Context(), projections.CustomerOrderSummary, func(row projections.Row) error {
		if row.At() != versions {
			return fmt.Errorf("%s is at %d", row.Order(), row.At())
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
		if err := write(t.Context(), s, contributionOf(100, 1, "ada")); err != nil {
			t.Fatal(err)
		}
		var dead atomic.Bool
		begun := f.sent.Load()
		f.fate = func(*http.Request) (now injected) {
			if f.sent.Load() > begun+crashAfter {
				dead.Store(true)
			}
			if dead.Load() {
				now.status = http.StatusUnauthorized
			}
			return now
		}
		n := int(crashAfter)
		moved := []contribution{contributionOf(0, n+2, fmt.Sprint("c-", n%2), "c-0", "c-1"), contributionOf(n+1, 1, "ada")}
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
				missing = append(missing, c.row())
			}
		}
		t.Logf("after %d requests: crashed %v, %d of 2 contributions missing", crashAfter, crashed, len(missing))
		err = next.Write(t.Context(), projections.Batch{
			Key: projections.KeyOf(projections.CustomerOrderSummary), Rows: missing, Checkpoint: "after",
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
		"EachRow":   func() error { return s.EachRow(ctx, projections.OrderList, func(projections.Row) error { return nil }) },
		"Write":     func() error { return write(ctx, s, contributionOf(1, 1, "ada")) },
		"Beat":      func() error { return s.Beat(ctx, projections.State{Key: projections.KeyOf(projections.OrderList)}) },
		"checkpoint": func() error {
			return s.Write(ctx, projections.Batch{Key: projections.KeyOf(projections.OrderList), Checkpoint: "c"})
		},
	}
	for _, known := range []bool{false, true} { // before its indices were ever seen, and after
		for name, call := range calls {
			if err := call(); fault.KindOf(err) != fault.Unavailable || fault.Sentence(err) == "" {
				t.Errorf("%s, indices known %v: %v", name, known, err)
			}
		}
		before := f.sent.Load()
		for range 1000 {
			if err := calls["Orders"](); fault.KindOf(err) != fault.Unavailable {
				t.Error(err)
			}
		}
		if n := f.sent.Load() - before; n > 10 {
			t.Errorf("of 1000 requests %d reached a node that was away", n)
		}
		f.away.Store(false)
		ahead.Add(int64(time.Minute))
		if err := calls["Write"](); err != nil { // which takes its time to make indices; a page does not
			t.Errorf("Write, when the node is back: %v", err)
		}
		for name, call := range calls {
			if err := call(); err != nil && (name != "Customer" || fault.KindOf(err) != fault.NotFound) {
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
				err = write(t.Context(), s, contributionOf(i, 1, "ada"))
			}
			errs[i] = err
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	sums(t, open(t, elastic.Options{Prefix: name}), processes)
	kinds := 3 + 2*(len(projections.All())-1) // holds, states and the order list; every other projection has contributions and sums
	var there map[string]any
	if ask(t, http.MethodGet, "/"+name+"-*", "", &there); len(there) != kinds {
		t.Errorf("there are %d indices, and %d kinds of them", len(there), kinds)
	}
}

func TestALostIndexIsMadeAgainAndForgetsItsCheckpoint(t *testing.T) {
	for _, lost := range []string{"customer-orders", "customers"} {
		name := prefix(t)
		s := open(t, elastic.Options{Prefix: name})
		batch := projections.Batch{
			Key: projections.KeyOf(projections.CustomerOrderSummary), Rows: []projections.Row{contributionOf(1, 3, "ada").row()}, Checkpoint: "c-1",
		}
		if err := s.Write(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		if err := s.Write(t.Context(), projections.Batch{Key: projections.KeyOf(projections.OrderList), Checkpoint: "c-2"}); err != nil {
			t.Fatal(err)
		}
		var there map[string]any
		ask(t, http.MethodGet, "/"+name+"-"+lost+"-*", "", &there)
		for index := range there {
			ask(t, http.MethodDelete, "/"+index, "", nil)
		}
		batch.Rows[0] = contributionOf(1, 2, "ada").row()
		if err := s.Write(t.Context(), batch); lost == "customer-orders" && fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%s: a write to an index that is gone is Unavailable, and makes none: %v", lost, err)
		}
		if _, err := s.Customer(t.Context(), "ada"); err == nil {
			_, err = s.Customer(t.Context(), "ada")
			t.Errorf("%s: a customer of an index that is gone: %v", lost, err)
		}
		again := open(t, elastic.Options{Prefix: name})
		states, err := again.States(t.Context())
		if err != nil || states[projections.KeyOf(projections.CustomerOrderSummary)].Checkpoint != "" || states[projections.KeyOf(projections.OrderList)].Checkpoint != "c-2" {
			t.Errorf("%s: a checkpoint is of the indices it was written with: %+v, %v", lost, states, err)
		}
		if err := again.Write(t.Context(), batch); err != nil {
			t.Errorf("%s: %v", lost, err)
		}
		sums(t, again, 1)
	}
}

// An operator, or a disk that is full, has an index take no writes for a while.
func TestAnIndexThatTakesNoChangesIsWaitedFor(t *testing.T) {
	name := prefix(t)
	s := open(t, elastic.Options{Prefix: name})
	if err := write(t.Context(), s, contributionOf(1, 1, "ada")); err != nil {
		t.Fatal(err)
	}
	blocks := func(on bool) {
		ask(t, http.MethodPut, "/"+name+"-customer-orders/_settings", fmt.Sprintf(`{"index.blocks.write":%t}`, on), nil)
	}
	blocks(true)
	err := write(t.Context(), s, contributionOf(1, 2, "ada"))
	if fault.KindOf(err) != fault.Unavailable || fault.Sentence(err) != "The read store takes no changes at the moment." {
		t.Errorf("%s: %v", fault.Sentence(err), err)
	}
	if row, err := s.Customer(t.Context(), "ada"); err != nil || row.TotalOrders != 1 {
		t.Errorf("it still answers: %+v, %v", row, err)
	}
	blocks(false)
	if err := write(t.Context(), s, contributionOf(1, 2, "ada")); err != nil {
		t.Error(err)
	}
	sums(t, s, 1)
}

func TestIndicesThatAreNotOursAreRefusedUntouched(t *testing.T) {
	for rule, spoil := range map[string]func(t *testing.T, name string){
		"an index in the place of an alias": func(t *testing.T, name string) {
			ask(t, http.MethodPut, "/"+name+"-orders", `{}`, nil)
		},
		"a newer Headway": func(t *testing.T, name string) {
			open(t, elastic.Options{Prefix: name}).Close()
			ask(t, http.MethodPut, "/"+name+"-orders/_mapping", `{"_meta":{"schema":99,"hash":"another"}}`, nil)
		},
		"states whose mapping somebody changed": func(t *testing.T, name string) {
			open(t, elastic.Options{Prefix: name}).Close()
			ask(t, http.MethodPut, "/"+name+"-states/_mapping", `{"_meta":{"schema":2,"hash":"another"}}`, nil)
		},
		"two indices behind one alias": func(t *testing.T, name string) {
			open(t, elastic.Options{Prefix: name}).Close()
			ask(t, http.MethodPut, "/"+name+"-orders-v2-1", `{"aliases":{"`+name+`-orders":{}}}`, nil)
		},
	} {
		name := prefix(t)
		spoil(t, name)
		if _, err := elastic.Open(t.Context(), elastic.Options{URL: node(t), Prefix: name}); fault.KindOf(err) != fault.Refused {
			t.Errorf("%s: %v", rule, err)
		}
	}
	for rule, o := range map[string]elastic.Options{
		"no address": {}, "another scheme": {URL: "ftp://127.0.0.1"}, "capitals in the prefix": {URL: "http://127.0.0.1:1", Prefix: "Headway"},
		"a pattern as prefix": {URL: "http://127.0.0.1:1", Prefix: "a*"},
	} {
		if _, err := elastic.Open(t.Context(), o); fault.KindOf(err) != fault.Refused {
			t.Errorf("%s: %v", rule, err)
		}
	}
}

func TestAnotherSchemaMakesNewIndicesBehindTheSameAliases(t *testing.T) {
	for rule, meta := range map[string]string{
		"an older schema": `{"_meta":{"schema":0,"hash":"old"}}`, "another mapping of the same schema": `{"_meta":{"schema":2,"hash":"another"}}`,
	} {
		t.Run(rule, func(t *testing.T) { anotherSchema(t, meta) })
	}
}

func anotherSchema(t *testing.T, meta string) {
	name := prefix(t)
	s := open(t, elastic.Options{Prefix: name})
	if err := write(t.Context(), s, contributionOf(1, 7, "ada")); err != nil {
		t.Fatal(err)
	}
	ask(t, http.MethodPut, "/"+name+"-customers/_mapping", meta, nil)
	again := open(t, elastic.Options{Prefix: name})
	if _, err := again.Customer(t.Context(), "ada"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("rows of another schema are not shown: %v", err)
	}
	if err := write(t.Context(), again, contributionOf(1, 2, "ada")); err != nil {
		t.Fatal(err)
	}
	sums(t, again, 1)
}

// A node that came back empty has no templates, and makes an index of any form for the first write that is still under way.
func TestAnIndexThatAWriteMadeIsMadeAgain(t *testing.T) {
	for _, kind := range []string{"states", "holds"} {
		name := prefix(t)
		open(t, elastic.Options{Prefix: name}).Close()
		var there map[string]any
		ask(t, http.MethodGet, "/"+name+"-"+kind, "", &there)
		ask(t, http.MethodDelete, "/_index_template/"+name+"-*", "", nil)
		for index := range there {
			ask(t, http.MethodDelete, "/"+index, "", nil)
			ask(t, http.MethodPut, "/"+index+"/_doc/1", `{"stray":true}`, nil)
		}
		s := open(t, elastic.Options{Prefix: name})
		if err := write(t.Context(), s, contributionOf(1, 2, "ada")); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		sums(t, s, 1)
	}
}

func TestSumsAreExactAboveWhatFloatingPointHolds(t *testing.T) {
	s := open(t, elastic.Options{Prefix: prefix(t)})
	var its []contribution
	var want int64
	for n, minor := range []int64{1 << 62, 1<<53 + 1, 1<<53 + 3, 1, 7, 1<<42 - 1, 1<<21 - 1, 1 << 21} {
		c := contributionOf(n, 3, "ada")
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
	if err := s.Write(t.Context(), projections.Batch{Key: projections.KeyOf(projections.OrderList), Rows: []projections.Row{row}}); err != nil {
		t.Fatal(err)
	}
	if err := write(t.Context(), s, contributionOf(1, 1, "ada")); err != nil {
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

// What the node itself says of a row that it cannot keep: here a term that is too long for it.
func TestARowThatTheNodeCannotKeepIsRefusedByItsName(t *testing.T) {
	s := open(t, elastic.Options{Prefix: prefix(t)})
	var its []contribution
	for n := range 5 {
		its = append(its, contributionOf(n, 1, "ada"))
	}
	its[3].CustomerID = strings.Repeat("x", 40_000)
	refusal, ok := errors.AsType[*projections.RejectedRow](write(t.Context(), s, its...))
	if !ok || refusal.OrderID != its[3].ID || !strings.Contains(refusal.Error(), "document_parsing_exception") {
		t.Fatalf("the row is refused, with what the node said: %v", refusal)
	}
	if err := write(t.Context(), s, slices.Delete(its, 3, 4)...); err != nil {
		t.Fatal(err)
	}
	sums(t, s, len(its)-1)
}

// A field that no mapping has, and an index that nobody made, are refused: a mistake becomes an error and not a guess of the node.
func TestIndicesTakeNothingThatTheirTemplatesDoNotName(t *testing.T) {
	name := prefix(t)
	open(t, elastic.Options{Prefix: name})
	put := func(path, body string) (status int, answer string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, node(t)+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		said, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(said)
	}
	for _, kind := range []string{"orders", "customer-orders", "customers", "holds", "states"} {
		if status, said := put("/"+name+"-"+kind+"/_doc/1", `{"stray":1}`); status != http.StatusBadRequest || !strings.Contains(said, "strict") {
			t.Errorf("%s: a stray field: %d %s", kind, status, said)
		}
		if status, said := put("/"+name+"-"+kind+"-v2-another/_doc/1", `{}`); status != http.StatusNotFound {
			t.Errorf("%s: an index that nobody made: %d %s", kind, status, said)
		}
	}
}
