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

// The bounds of what is worked on at once. Whoever waits for a turn holds a connection, and a small body at most.
const (
	MaxRequests    = 128                   // at once
	MaxLargeBodies = 16                    // at once, of more than smallBody or of unknown length
	smallBody      = 16 << 10              // bytes; taken apart, a body takes about 25 times as much
	turnWait       = 5 * time.Second       // for a turn; then 503
	pageTurn       = 50 * time.Millisecond // that a page may keep others waiting
)

// turns is room for so many.
type turns chan struct{}

// take waits for a turn; false if there was none in time.
func (t turns) take(ctx context.Context) bool {
	select {
	case t <- struct{}{}: // as nearly always
		return true
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, turnWait)
	defer cancel()
	select {
	case t <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (t turns) give() { <-t }

// pageTurns has a turn for each processor, because pages from files hardly wait for anything else: more at once are all late, some of them very, and take
// more memory. Pages that wait for a network need none.
func pageTurns() turns {
	return make(turns, max(2, runtime.GOMAXPROCS(0)))
}

// briefly waits for a turn of at most pageTurn, which done ends. Who takes longer, for a heavy search or a slow reader, goes on without one: they keep
// nobody waiting. Without turns there is nothing to wait for.
func (t turns) briefly(ctx context.Context) (done func(), ok bool) {
	if t == nil {
		return func() {}, true
	}
	if !t.take(ctx) {
		return nil, false
	}
	give := sync.OnceFunc(t.give)
	late := time.AfterFunc(pageTurn, give)
	return func() { late.Stop(); give() }, true
}

// inTurn bounds the memory of all requests together. A body is read to its end before the request gets its turn, so that slow senders keep
// nobody waiting but those who send large bodies, too. The live view and the static files have bounds of their own, and who asks whether the server
// lives is not kept waiting.
func (s *Server) inTurn(next http.Handler) http.Handler {
	all, large := make(turns, MaxRequests), make(turns, MaxLargeBodies)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.Path; p == "/live" || p == "/healthz" || strings.HasPrefix(p, static.Prefix) {
			next.ServeHTTP(w, r)
			return
		}
		if r.ContentLength < 0 || r.ContentLength > smallBody {
			if !large.take(r.Context()) {
				s.fail(w, r, tooBusy())
				return
			}
			defer large.give()
		}
		if r.ContentLength != 0 {
			r.Body = readAhead(r.Body)
		}
		if !all.take(r.Context()) {
			s.fail(w, r, tooBusy())
			return
		}
		defer all.give()
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
