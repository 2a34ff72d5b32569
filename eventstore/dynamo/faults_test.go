package dynamo

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// wire is an HTTP client that can be made to behave badly. Every request is counted by its operation.
type wire struct {
	mu       sync.Mutex
	requests map[string]int
	fault    func(operation string, n int) fault          // of the n-th request of an operation, from 1; nil means none
	change   func(operation, asked, answer string) string // of an answer; nil means none
}

// fault is what happens to one request.
type fault struct {
	unsent bool   // it never arrives
	lost   bool   // it is carried out, and its answer is lost
	status int    // it is not carried out, or with lost it is, and this is the answer
	body   string // of that answer
}

func (w *wire) Do(r *http.Request) (*http.Response, error) {
	operation := r.Header.Get("X-Amz-Target")
	operation = operation[strings.LastIndex(operation, ".")+1:]
	asked, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(asked))
	w.mu.Lock()
	if w.requests == nil {
		w.requests = map[string]int{}
	}
	w.requests[operation]++
	var f fault
	if w.fault != nil {
		f = w.fault(operation, w.requests[operation])
	}
	w.mu.Unlock()
	if f.unsent {
		return nil, syscall.ECONNRESET
	}
	if f.status != 0 && !f.lost {
		return answer(r, f), nil
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		return nil, err
	}
	switch {
	case f.lost && f.status != 0:
		return answer(r, f), nil
	case f.lost:
		return nil, syscall.ECONNRESET
	case w.change != nil && res.StatusCode == http.StatusOK:
		body = []byte(w.change(operation, string(asked), string(body)))
		res.Header.Del("X-Amz-Crc32")
		res.ContentLength = int64(len(body))
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}

func answer(r *http.Request, f fault) *http.Response {
	return &http.Response{
		StatusCode: f.status, Status: http.StatusText(f.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, ContentLength: int64(len(f.body)),
		Body: io.NopCloser(strings.NewReader(f.body)),
	}
}

// take gives the requests since the last take.
func (w *wire) take() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	requests := w.requests
	w.requests = nil
	return requests
}

// refuses is an error as the engine spells it.
func refuses(code string, reasons ...string) fault {
	body := map[string]any{"__type": "com.amazonaws.dynamodb.v20120810#" + code, "message": code}
	var list []map[string]string
	for _, r := range reasons {
		list = append(list, map[string]string{"Code": r})
	}
	if list != nil {
		body["CancellationReasons"] = list
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return fault{status: http.StatusBadRequest, body: string(text)}
}

// after is the same answer, but to a request that was carried out.
func (f fault) after() fault {
	f.lost = true
	return f
}

// faults by name.
func faults() map[string]fault {
	return map[string]fault{
		"the connection breaks before":              {unsent: true},
		"the answer is lost":                        {lost: true},
		"the engine fails":                          {status: http.StatusInternalServerError, body: `{"__type":"InternalServerError"}`},
		"the engine fails after it":                 {status: http.StatusInternalServerError, body: `{"__type":"InternalServerError"}`, lost: true},
		"the engine is away":                        {status: http.StatusServiceUnavailable},
		"a throttled request":                       refuses("ThrottlingException"),
		"a throttled table":                         refuses("ProvisionedThroughputExceededException"),
		"a throttled transaction":                   refuses("TransactionCanceledException", "None", "ThrottlingError"),
		"a throttled index":                         refuses("TransactionCanceledException", "ProvisionedThroughputExceeded", "None"),
		"another transaction":                       refuses("TransactionCanceledException", "TransactionConflict", "None"),
		"the same transaction":                      refuses("TransactionInProgressException"),
		"the same transaction, carried out":         refuses("TransactionInProgressException").after(),
		"a token of other bytes":                    refuses("IdempotentParameterMismatchException"),
		"a token of other bytes, carried out":       refuses("IdempotentParameterMismatchException").after(),
		"a condition that does not hold, and did":   refuses("TransactionCanceledException", "ConditionalCheckFailed", "None").after(),
		"a command that is there, and was not":      refuses("TransactionCanceledException", "None", "ConditionalCheckFailed").after(),
		"an event that is there, and was not":       refuses("TransactionCanceledException", "None", "None", "ConditionalCheckFailed").after(),
		"a condition that does not hold, and would": refuses("TransactionCanceledException", "ConditionalCheckFailed", "None"),
	}
}

// seeded draws faults: the seed says which, and is told when a test fails.
func seeded(t *testing.T, seed uint64, chances map[float64][]fault) func(string, int) fault {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("The seed was %d.", seed)
		}
	})
	draw := rand.New(rand.NewPCG(seed, seed)) // the same every time
	return func(string, int) fault {
		x := draw.Float64()
		for chance, list := range chances {
			if x < chance {
				return list[draw.IntN(len(list))]
			}
			x -= chance
		}
		return fault{}
	}
}
