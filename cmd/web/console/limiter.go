package console

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"

	"headway/fault"
	"headway/static"
)

// The bounds of what is worked on at once. Whoever waits for a place holds a connection, and a small body at most.
const (
	MaxRequests    = 128                   // at once
	MaxLargeBodies = 16                    // at once, of more than smallBody or of unknown length
	smallBody      = 16 << 10              // bytes; taken apart, a body takes about 25 times as much
	limiterWait    = 5 * time.Second       // for a place; then 503
	pageHold       = 50 * time.Millisecond // that a page may keep others waiting
)

// limiter has room for so many at once. Those who wait get their places in the order in which they came.
type limiter chan struct{}

// acquire waits for a place; false if there was none in time.
func (l limiter) acquire(ctx context.Context) bool {
	select {
	case l <- struct{}{}: // as nearly always
		return true
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, limiterWait)
	defer cancel()
	select {
	case l <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (l limiter) release() { <-l }

// pageLimiter has a place for each processor, because pages from files hardly wait for anything else: more at once are all late, some of them very,
// and take more memory. Pages that wait for a network need none.
func pageLimiter() limiter { return make(limiter, max(2, runtime.GOMAXPROCS(0))) }

// acquireBriefly waits for a place for at most pageHold, which done ends. Who takes longer, for a heavy search or a slow reader, goes on without one: they
// keep nobody waiting. A nil limiter limits nothing.
func (l limiter) acquireBriefly(ctx context.Context) (done func(), ok bool) {
	if l == nil {
		return func() {}, true
	}
	if !l.acquire(ctx) {
		return nil, false
	}
	release := sync.OnceFunc(l.release)
	late := time.AfterFunc(pageHold, release)
	return func() { late.Stop(); release() }, true
}

// limited bounds the memory of all requests together. A body is read to its end before the request gets its place, so that slow senders keep
// nobody waiting but those who send large bodies, too. The live view and the static files have bounds of their own, and who asks whether the server
// lives is not kept waiting.
func (s *Server) limited(next http.Handler) http.Handler {
	all, large := make(limiter, MaxRequests), make(limiter, MaxLargeBodies)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.Path; p == "/live" || p == "/healthz" || strings.HasPrefix(p, static.Prefix) {
			next.ServeHTTP(w, r)
			return
		}
		if r.ContentLength < 0 || r.ContentLength > smallBody {
			if !large.acquire(r.Context()) {
				s.fail(w, r, tooBusy())
				return
			}
			defer large.release()
		}
		if r.ContentLength != 0 {
			r.Body = readAhead(r.Body)
		}
		if !all.acquire(r.Context()) {
			s.fail(w, r, tooBusy())
			return
		}
		defer all.release()
		next.ServeHTTP(w, r)
	})
}

func tooBusy() error {
	return fault.Errorf(fault.Unavailable, "There is too much to do at the moment. Asking again is safe.")
}

// readAhead is a body that has been read; whoever reads it gets the error at its place.
func readAhead(body io.ReadCloser) io.ReadCloser {
	data, err := io.ReadAll(body)
	rest := io.Reader(bytes.NewReader(data))
	if err != nil {
		rest = io.MultiReader(rest, failing{err})
	}
	return struct {
		io.Reader
		io.Closer
	}{rest, body}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
