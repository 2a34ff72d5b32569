package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"headway/fault"
	"headway/projections"
)

// answers is a node that answers bulks as a function of the ids it is sent.
type answers struct {
	bulks [][]string
	sizes []int
	at    []time.Time
	say   func(n int, ids []string) (status int, items []int, err error)
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var ids []string
	for line := range bytes.Lines(body) {
		var action struct {
			Index *struct {
				ID string `json:"_id"`
			} `json:"index"`
		}
		if json.Unmarshal(line, &action) == nil && action.Index != nil {
			ids = append(ids, action.Index.ID)
		}
	}
	a.bulks, a.sizes, a.at = append(a.bulks, ids), append(a.sizes, len(body)), append(a.at, time.Now())
	status, items, err := a.say(len(a.bulks), ids)
	if err != nil {
		return nil, err
	}
	var told []string
	for i, s := range items {
		failure := ""
		if s >= 300 {
			failure = `,"error":{"type":"a_type","reason":"a reason"}`
		}
		told = append(told, fmt.Sprintf(`{"index":{"_id":%q,"status":%d%s}}`, ids[i], s, failure))
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"X-Elastic-Product": {"Elasticsearch"}, "Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(`{"errors":true,"items":[` + strings.Join(told, ",") + `]}`)),
	}, nil
}

func all(status int, n int) []int {
	statuses := make([]int, n)
	for i := range statuses {
		statuses[i] = status
	}
	return statuses
}

// bulkOf writes items to a node that answers so, and says when it came back.
func bulkOf(t *testing.T, a *answers, items []item) error {
	t.Helper()
	c, err := newClient("http://node.invalid", Options{HTTPClient: &http.Client{Transport: a}, Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return c.bulk(t.Context(), items, false)
}

func someItems(n int, doc any) []item {
	var items []item
	for i := range n {
		items = append(items, item{index: "an-index", id: fmt.Sprint("id-", i), version: 1, doc: doc})
	}
	return items
}

func TestABulkReadsTheStatusOfEveryItem(t *testing.T) {
	for _, c := range []struct {
		rule     string
		statuses []int // of the first answer; everything is taken afterwards
		again    string
		kind     fault.Kind // of the error; -1 for none
		names    string
	}{
		{"created and replaced items are done", []int{201, 200, 201}, "", -1, ""},
		{"an item that is there in a newer version is done", []int{201, 409, 201}, "", -1, ""},
		{"an item that the node is too busy for is sent again, alone", []int{201, 429, 201}, "id-1", -1, ""},
		{"so is one whose shard is away", []int{503, 201, 429}, "id-0 id-2", -1, ""},
		{"an item that cannot be stored is an error that names it", []int{201, 201, 400}, "", fault.Internal, "id-2"},
		{"a missing index is an error", []int{201, 404, 201}, "", fault.Unavailable, "id-1"},
	} {
		synctest.Test(t, func(t *testing.T) {
			a := &answers{say: func(n int, ids []string) (int, []int, error) {
				if n == 1 {
					return 200, c.statuses, nil
				}
				return 200, all(201, len(ids)), nil
			}}
			err := (&Store{}).failed(t.Context(), bulkOf(t, a, someItems(3, object{"a": 1})))
			var again string
			for _, ids := range a.bulks[1:] {
				again += strings.Join(ids, " ")
			}
			if again != c.again {
				t.Errorf("%s: sent again %q, want %q", c.rule, again, c.again)
			}
			if c.kind < 0 && err != nil || c.kind >= 0 && (fault.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.names)) {
				t.Errorf("%s: %v", c.rule, err)
			}
		})
	}
}

func TestABulkIsBoundedInItemsBytesAndTries(t *testing.T) {
	fine := func(_ int, ids []string) (int, []int, error) { return 200, all(201, len(ids)), nil }
	a := &answers{say: fine}
	if err := bulkOf(t, a, someItems(2*MaxBulkItems+1, object{})); err != nil || len(a.bulks) != 3 || len(a.bulks[0]) != MaxBulkItems {
		t.Errorf("%d bulks, %v", len(a.bulks), err)
	}
	a = &answers{say: fine}
	if err := bulkOf(t, a, someItems(20, object{"text": strings.Repeat("a", MaxBulkBytes/6)})); err != nil || len(a.bulks) < 4 {
		t.Errorf("%d bulks, %v", len(a.bulks), err)
	}
	for i, size := range a.sizes {
		if size > MaxBulkBytes {
			t.Errorf("bulk %d has %d bytes", i, size)
		}
	}
	for rule, busyNode := range map[string]func(int, []string) (int, []int, error){
		"items":    func(_ int, ids []string) (int, []int, error) { return 200, all(429, len(ids)), nil },
		"requests": func(int, []string) (int, []int, error) { return 503, nil, nil },
	} {
		synctest.Test(t, func(t *testing.T) {
			a := &answers{say: busyNode}
			err := (&Store{}).failed(t.Context(), bulkOf(t, a, someItems(3, object{})))
			if fault.KindOf(err) != fault.Unavailable || len(a.bulks) != bulkAttempts {
				t.Errorf("%s: %d tries, %v", rule, len(a.bulks), err)
			}
			for i := range a.at[1:] {
				wait, most := a.at[i+1].Sub(a.at[i]), min(retryFirst<<i, retryAtMost)
				if wait < most/2 || wait > most {
					t.Errorf("%s: the wait before try %d is %v, of %v at most", rule, i+2, wait, most)
				}
			}
		})
	}
}

func TestABulkOnANodeThatIsNowAndThenBusyLosesNoItem(t *testing.T) {
	for seed := range int64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewSource(seed))
			stored := map[string]int{}
			a := &answers{say: func(_ int, ids []string) (int, []int, error) {
				if random.Intn(10) == 0 {
					return 429, nil, nil
				}
				statuses := make([]int, len(ids))
				for i, id := range ids {
					statuses[i] = []int{201, 200, 409, 429, 503}[random.Intn(5)]
					if statuses[i] < 429 {
						stored[id]++
					}
				}
				return 200, statuses, nil
			}}
			items := someItems(50, object{})
			err := bulkOf(t, a, items)
			for _, i := range items {
				if n := stored[i.id]; n > 1 || n == 0 && err == nil {
					t.Errorf("seed %d: %s was taken %d times, %v", seed, i.id, n, err)
				}
			}
		})
	}
}

func TestABulkThatIsTooLargeForSomethingBetweenIsSentInHalves(t *testing.T) {
	taken := map[string]int{}
	most := 3
	a := &answers{say: func(_ int, ids []string) (int, []int, error) {
		if len(ids) > most || slices.Contains(ids, "id-13") {
			return http.StatusRequestEntityTooLarge, nil, nil
		}
		for _, id := range ids {
			taken[id]++
		}
		return 200, all(201, len(ids)), nil
	}}
	if err := bulkOf(t, a, someItems(13, object{})); err != nil || len(taken) != 13 || slices.Max(slices.Collect(maps.Values(taken))) > 1 {
		t.Errorf("each is taken once: %v, %v", taken, err)
	}
	items := someItems(14, object{})
	items[13].order = "an order"
	err := bulkOf(t, a, items)
	if refusal, ok := errors.AsType[*projections.RejectedRow](err); !ok || refusal.OrderID != "an order" {
		t.Errorf("what is too large alone is refused: %v", err)
	}
	a.say = func(_ int, ids []string) (int, []int, error) {
		return 200, all(http.StatusRequestEntityTooLarge, len(ids)), nil
	}
	if err := bulkOf(t, a, items[13:]); !errors.As(err, new(*projections.RejectedRow)) {
		t.Errorf("and what the node says so of: %v", err)
	}
}

func TestTheBreakerAsksANodeThatIsAwaySeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := true
		a := &answers{say: func(_ int, ids []string) (int, []int, error) {
			if away {
				return 0, nil, errors.New("connection refused")
			}
			return 200, all(201, len(ids)), nil
		}}
		c, err := newClient("http://node.invalid", Options{HTTPClient: &http.Client{Transport: a}, Clock: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		const asked = 1200 // every 0.1 s for two minutes
		for range asked {
			if err := c.bulk(t.Context(), someItems(1, object{}), false); err == nil {
				t.Fatal("a node that is away took an item")
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := len(a.bulks); n < 20 || n > 80 {
			t.Errorf("of %d requests %d reached a node that was away", asked, n)
		}
		away = false
		time.Sleep(breakerAtMost)
		for range 10 {
			if err := c.bulk(t.Context(), someItems(1, object{}), false); err != nil {
				t.Errorf("the node is back: %v", err)
			}
		}
	})
}

func TestARequestThatItsCallerGaveUpIsNoFailureOfTheNode(t *testing.T) {
	b := &breaker{clock: time.Now}
	c := &client{turns: make(turn, 1), breaker: b}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 * breakerAfter {
		if _, err := c.send(ended, ReadTimeout, refreshRequest("an-index"), nil); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if err := b.allows(); err != nil {
		t.Error("the breaker is open")
	}
}
