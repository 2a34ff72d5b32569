package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elastic/elastic-transport-go/v8/elastictransport"
	"github.com/elastic/go-elasticsearch/v8/esapi"

	"headway/fault"
	"headway/internal/waiting"
	"headway/projections"
)

// The bounds of the traffic with the node.
const (
	MaxInFlight  = 32               // requests at once; others wait for their turn
	MaxAnswer    = 256 << 20        // bytes of one answer
	AskTimeout   = 5 * time.Second  // of what a page asks, repetitions and the wait for a turn included
	ReadTimeout  = 10 * time.Second // of one other request
	BulkTimeout  = 30 * time.Second // of one bulk request
	DialTimeout  = 3 * time.Second
	readAttempts = 4 // of one request that is not a bulk
	retryFirst   = 200 * time.Millisecond
	retryAtMost  = 30 * time.Second

	unreachable = "The read store cannot be reached at the moment. Trying again is safe."
)

// object is JSON on its way out.
type object = map[string]any

// client sends requests one by one: bounded in number, time and size, repeated while the node is merely busy, and refused at once while
// it is known to be away. Every request may be repeated: none adds anything by being sent twice.
type client struct {
	transport *elastictransport.Client
	idle      func()
	turns     turn // with room for several
	breaker   *breaker
	closed    atomic.Bool
}

func newClient(address string, o Options) (*client, error) {
	node, err := url.Parse(strings.TrimRight(address, "/"))
	if err != nil {
		return nil, err
	}
	c := &client{turns: make(turn, MaxInFlight), breaker: &breaker{clock: o.Clock}}
	var transport http.RoundTripper
	if o.HTTPClient != nil {
		transport, c.idle = clientTransport{o.HTTPClient}, func() {} // the connections are the caller's
	} else {
		t := &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: DialTimeout, KeepAlive: 15 * time.Second}).DialContext,
			TLSHandshakeTimeout: DialTimeout, MaxConnsPerHost: MaxInFlight, MaxIdleConnsPerHost: MaxInFlight, IdleConnTimeout: time.Minute,
			ForceAttemptHTTP2: true,
		}
		transport, c.idle = t, t.CloseIdleConnections
	}
	c.transport, err = elastictransport.NewClient(
		elastictransport.WithURLs(node), elastictransport.WithUserAgent(userAgent()), elastictransport.WithTransport(genuine{transport}),
		elastictransport.WithDisableRetry(),
	)
	return c, err
}

// userAgent is what the library's own client calls itself. That client is not used: it brings the typed API, which took longer to build
// than the rest of the program.
func userAgent() string {
	version := strings.TrimPrefix(runtime.Version(), "go")
	return fmt.Sprintf("go-elasticsearch/%s (%s %s; Go %s)", esapi.Version, runtime.GOOS, runtime.GOARCH, version)
}

// clientTransport sends by a caller's client, whatever it does with redirects and time.
type clientTransport struct{ client *http.Client }

func (t clientTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r.RequestURI = ""
	return t.client.Do(r)
}

// genuine checks the product: it takes no success from what is not Elasticsearch, a page of a proxy or another product. No request is
// sent for that, so a node that serves the core alone will do.
type genuine struct{ next http.RoundTripper }

func (g genuine) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := g.next.RoundTrip(r)
	if err == nil && response.StatusCode < http.StatusMultipleChoices && response.Header.Get("X-Elastic-Product") != "Elasticsearch" {
		_ = response.Body.Close() // nobody reads it
		return nil, errForeign
	}
	return response, err
}

func (c *client) close() {
	if !c.closed.Swap(true) {
		c.idle()
	}
}

var (
	errClosed  = errors.New("the store is closed")
	errAway    = errors.New("the node did not answer lately, and is not asked again yet")
	errForeign = errors.New("the answer does not say that it is Elasticsearch's")
)

// answerError is an answer of the node that is not a success.
type answerError struct {
	Status int
	Type   string
	Reason string
}

func (e *answerError) Error() string {
	return fmt.Sprintf("elasticsearch answered %d: %s: %.500s", e.Status, e.Type, e.Reason)
}

// busy tells whether the same request may succeed a moment later.
func busy(status int) bool {
	return status == http.StatusTooManyRequests || status >= http.StatusBadGateway && status <= http.StatusGatewayTimeout
}

// hasStatus tells whether the node answered with a status.
func hasStatus(err error, status int) bool {
	e, ok := errors.AsType[*answerError](err)
	return ok && e.Status == status
}

// call sends one request, with a body as JSON or none, and reads the answer into a value. It repeats a request that the node was too busy
// for.
func (c *client) call(ctx context.Context, ask request, body, into any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	var err error
	for attempt := range readAttempts {
		if attempt > 0 {
			if err := waiting.Pause(ctx, retryWait(attempt)); err != nil {
				return err
			}
		}
		var answer []byte
		if answer, err = c.send(ctx, ReadTimeout, ask, text); err == nil {
			if into == nil {
				return nil
			}
			return json.Unmarshal(answer, into)
		}
		if ctx.Err() != nil || !worthRepeating(err) {
			return err
		}
	}
	return err
}

// worthRepeating tells whether the same request may succeed a moment later. One that took all its time is not repeated: the caller has
// waited long enough.
func worthRepeating(err error) bool {
	if e, ok := errors.AsType[*answerError](err); ok {
		return busy(e.Status)
	}
	for _, final := range []error{errClosed, errAway, errForeign, context.DeadlineExceeded} {
		if errors.Is(err, final) {
			return false
		}
	}
	return true
}

// send sends one request once.
func (c *client) send(ctx context.Context, timeout time.Duration, ask request, body []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if c.closed.Load() {
		return nil, errClosed
	}
	if err := c.breaker.refuses(); err != nil { // nobody waits for a turn to hear that
		return nil, err
	}
	if err := c.turns.take(ctx); err != nil {
		return nil, err
	}
	defer c.turns.give()
	if err := c.breaker.allows(); err != nil {
		return nil, err
	}
	began := c.breaker.clock()
	answer, err := c.exchange(ctx, timeout, ask, body)
	_, answered := errors.AsType[*answerError](err)
	slow := errors.Is(ctx.Err(), context.DeadlineExceeded) && c.breaker.clock().Sub(began) >= breakerSlow
	switch {
	case err == nil || answered:
		c.breaker.succeeded()
	case ctx.Err() == nil || slow:
		c.breaker.failed(err)
	default:
		c.breaker.unknown()
	}
	return answer, err
}

func (c *client) exchange(ctx context.Context, timeout time.Duration, ask request, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	response, err := ask(reader).Do(ctx, c.transport)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }() // it has been read
	answer, err := io.ReadAll(io.LimitReader(response.Body, MaxAnswer+1))
	switch {
	case err != nil:
		return nil, err
	case len(answer) > MaxAnswer:
		return nil, fmt.Errorf("an answer is longer than %d bytes", MaxAnswer)
	case response.StatusCode >= http.StatusMultipleChoices:
		return nil, readAnswerError(response.StatusCode, answer)
	}
	return answer, nil
}

func readAnswerError(status int, answer []byte) error {
	e := &answerError{Status: status, Reason: string(answer)}
	var told struct{ Error cause }
	if json.Unmarshal(answer, &told) == nil && told.Error.Type != "" {
		e.Type, e.Reason = told.Error.Type, told.Error.String()
	}
	return e
}

// cause is an error as Elasticsearch tells it.
type cause struct {
	Type      string  `json:"type"`
	Reason    string  `json:"reason"`
	RootCause []cause `json:"root_cause"`
	CausedBy  *cause  `json:"caused_by"`
}

func (c cause) String() string {
	texts := []string{c.Type + ": " + c.Reason}
	for _, root := range c.RootCause {
		if root.Type != c.Type || root.Reason != c.Reason {
			texts = append(texts, root.String())
		}
	}
	if c.CausedBy != nil {
		texts = append(texts, "caused by "+c.CausedBy.String())
	}
	return strings.Join(texts, "; ")
}

// retryWait is how long to wait before an attempt, counted from 1.
func retryWait(attempt int) time.Duration {
	return waiting.Backoff{First: retryFirst, Most: retryAtMost}.EqualJitter(attempt, rand.Float64()) //nolint:gosec // jitter is no secret
}

func (s *Store) failed(ctx context.Context, err error) error { return failed(ctx, err, s.forget) }

// failed says what a caller may know of an error: its own ended context, one of ours, or that the store cannot be reached. It has the
// indices looked up again, by lost, if one of them is not there.
func failed(ctx context.Context, err error, lost func()) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if e, ok := errors.AsType[*projections.RejectedRow](err); ok {
		return e
	}
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e
	}
	e, ok := errors.AsType[*answerError](err)
	switch {
	case errors.Is(err, errForeign):
		return fault.Unreachable(err, "What answers at the address of the read store is not Elasticsearch.")
	case e != nil && e.Type == "cluster_block_exception": // an operator, or a disk that is full
		return fault.Unreachable(err, "The read store takes no changes at the moment.")
	case !ok || busy(e.Status):
		return fault.Unreachable(err, unreachable)
	case e.Status == http.StatusNotFound:
		lost()
		return fault.Unreachable(err, "The read store has lost an index. It is made again.")
	case e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden:
		return fault.Unreachable(err, "The read store does not let us in.")
	case e.Status >= http.StatusInternalServerError:
		return fault.Unreachable(err, unreachable)
	}
	return &fault.Error{Kind: fault.Internal, Message: "The read store refuses what it was asked.", Cause: err}
}

// The breaker's bounds.
const (
	breakerAfter  = 3 // failures in a row
	breakerAtMost = 5 * time.Second
	breakerSlow   = 2 * time.Second // a request that its caller gave up after that long has failed
)

// breaker keeps requests from a node that does not answer: after a few failures in a row all are refused at once, but for one from time
// to time that finds out whether the node is back.
type breaker struct {
	clock    func() time.Time
	mu       sync.Mutex
	failures int
	last     error // of the failures
	until    time.Time
}

// allows is nil for a request that may be sent.
func (b *breaker) allows() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.refusal(); err != nil {
		return err
	}
	if b.failures >= breakerAfter {
		b.until = b.clock().Add(BulkTimeout) // the others wait for what this one finds out
	}
	return nil
}

// refuses is the error of a request that would be refused, without its being one.
func (b *breaker) refuses() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refusal()
}

func (b *breaker) refusal() error {
	if b.failures < breakerAfter || !b.clock().Before(b.until) {
		return nil
	}
	return fmt.Errorf("%w: %w", errAway, b.last)
}

func (b *breaker) succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.last = 0, nil
}

func (b *breaker) failed(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.last = b.failures+1, err
	b.until = b.clock().Add(min(retryWait(b.failures-breakerAfter+1), breakerAtMost))
}

// unknown is a request that its caller gave up: the next one may find out.
func (b *breaker) unknown() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.until = b.clock()
}
