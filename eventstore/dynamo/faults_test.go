package dynamo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// wire is an HTTP client that can be made to behave badly. Every request is counted by its operation.
type wire struct {
	mu       sync.Mutex
	requests map[string]int
	injected func(operation string, n int) injected       // of the n-th request of an operation, from 1; nil means none
	ask      func(operation, asked string) string         // of a request; nil means none
	change   func(operation, asked, answer string) string // of an answer; nil means none
	late     sync.WaitGroup                               // requests that are still to arrive
}

// injected is what happens to one request.
type injected struct {
	unsent bool          // it never arrives
	lost   bool          // it is carried out, and its answer is lost
	late   time.Duration // it is carried out so long after its client has given it up
	failed error         // what the client is told without an answer; nil means that the connection broke
	status int           // it is not carried out, or with lost it is, and this is the answer
	body   string        // of that answer
}

func (f injected) err() error {
	if f.failed == nil {
		return syscall.ECONNRESET
	}
	return f.failed
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
	var f injected
	if w.injected != nil {
		f = w.injected(operation, w.requests[operation])
	}
	w.mu.Unlock()
	switch {
	case f.late > 0:
		w.later(r, asked, f.late)
		return nil, f.err()
	case f.unsent:
		return nil, f.err()
	case f.status != 0 && !f.lost:
		return answer(r, f), nil
	}
	if w.ask != nil {
		sent := w.ask(operation, string(asked))
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(sent)), int64(len(sent))
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
		return nil, f.err()
	case w.change != nil && res.StatusCode == http.StatusOK:
		body = []byte(w.change(operation, string(asked), string(body)))
		res.Header.Del("X-Amz-Crc32")
		res.ContentLength = int64(len(body))
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}

// later carries a request out when nobody waits for it any more.
func (w *wire) later(r *http.Request, asked []byte, after time.Duration) {
	r = r.Clone(context.WithoutCancel(r.Context()))
	r.Body = io.NopCloser(bytes.NewReader(asked))
	w.late.Add(1)
	time.AfterFunc(after, func() {
		defer w.late.Done()
		if res, err := http.DefaultClient.Do(r); err == nil {
			_ = res.Body.Close()
		}
	})
}

func answer(r *http.Request, f injected) *http.Response {
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
func refuses(code string, reasons ...string) injected {
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
	return injected{status: http.StatusBadRequest, body: string(text)}
}

// after is the same answer, but to a request that was carried out.
func (f injected) after() injected {
	f.lost = true
	return f
}

// faults by name.
func faults() map[string]injected {
	return map[string]injected{
		"the connection breaks before":              {unsent: true},
		"the answer is lost":                        {lost: true},
		"the time is over before":                   {unsent: true, failed: os.ErrDeadlineExceeded},
		"the time is over after":                    {lost: true, failed: os.ErrDeadlineExceeded},
		"it arrives when the time is over":          {late: 40 * time.Millisecond, failed: os.ErrDeadlineExceeded},
		"nobody is there":                           {unsent: true, failed: nobodyThere()},
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

func nobodyThere() error { return &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED} }

// chance is how likely one of some faults is.
type chance struct {
	of     float64
	faults []injected
}

// seeded draws faults for the requests as they come: the seed says which. What is lost or late is so only for the operations that write: an
// answer that a reader does not get is one that was not given.
func seeded(seed uint64, chances ...chance) func(string, int) injected {
	draw := rand.New(rand.NewPCG(seed, seed)) // the same every time
	return func(operation string, _ int) injected {
		x := draw.Float64()
		for _, c := range chances {
			if x -= c.of; x >= 0 {
				continue
			}
			f := c.faults[draw.IntN(len(c.faults))]
			if operation != "TransactWriteItems" && (f.lost || f.late > 0) {
				return injected{unsent: true}
			}
			return f
		}
		return injected{}
	}
}

// seeds are those of a test that takes choices: a few that stay, and in a soak as many others.
func seeds(t *testing.T, n int) []uint64 {
	t.Helper()
	if !soak() {
		return []uint64{1, 2}
	}
	all := make([]uint64, n)
	for i := range all {
		all[i] = rand.Uint64()
	}
	return all
}

// soak tells whether windows and outages have their full length.
func soak() bool { return os.Getenv("HEADWAY_SOAK") != "" }
