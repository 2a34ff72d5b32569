package console

import (
	"bytes"
	"io"
	"net/http"
	"strings"

	"headway/static"
)

// limited bounds the memory of all requests together. A body is read to its end before the request gets its place, so that slow senders
// keep nobody waiting but those who send large bodies, too. The live view and the static files have bounds of their own, and who asks
// whether the server lives is not kept waiting.
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
