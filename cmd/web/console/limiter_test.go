package console

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Pages get their places in the order in which they came, as many at once as there are places, and none keeps the others waiting for longer
// than pageHold.
func TestPagesAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pages, began := make(limiter, 2), time.Now()
		var mu sync.Mutex
		var got []string
		ask := func(name string, work time.Duration) {
			go func() {
				done, ok := pages.acquireBriefly(t.Context())
				if !ok {
					t.Errorf("%s has no place", name)
					return
				}
				mu.Lock()
				got = append(got, fmt.Sprint(name, " after ", time.Since(began)))
				mu.Unlock()
				time.Sleep(work) // of the bubble: it takes no time
				done()
				done() // once is enough, twice does no harm
			}()
			synctest.Wait()
		}
		ask("a heavy one", time.Minute)
		ask("a quick one", 3*time.Millisecond)
		ask("the next", 70*time.Millisecond)
		ask("another", time.Millisecond)
		ask("the last", time.Millisecond)
		time.Sleep(time.Hour) // of the bubble, for the longest to end
		synctest.Wait()
		want := []string{"a heavy one after 0s", "a quick one after 0s", "the next after 3ms", "another after 50ms", "the last after 51ms"}
		if !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		if len(pages) != 0 {
			t.Errorf("%d places are never given back", len(pages))
		}
	})
}

// A crowd of requests takes a bounded amount of memory: beyond the bounds they wait for a place, and then are told to come again. Those who
// send slowly hold up nobody but others with large bodies.
func TestRequestsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, busy := &Server{log: slog.New(slog.DiscardHandler)}, make(chan struct{})
		h := s.limited(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if r.URL.Path == "/busy" {
				<-busy
			}
		}))
		send := func(path string, body io.Reader, length int64) (status int, took time.Duration) {
			r := httptest.NewRequest(http.MethodPost, path, body)
			r.ContentLength = length
			r.Header.Set("Accept", "application/json")
			w, began := httptest.NewRecorder(), time.Now()
			h.ServeHTTP(w, r)
			if w.Code == http.StatusServiceUnavailable && w.Header().Get("Retry-After") == "" {
				t.Error("nobody says when to come again")
			}
			return w.Code, time.Since(began)
		}
		want := func(rule, path string, length int, status int, after time.Duration) {
			t.Helper()
			if got, took := send(path, strings.NewReader(strings.Repeat("x", length)), int64(length)); got != status || took != after {
				t.Errorf("%s: %d after %s, want %d after %s", rule, got, took, status, after)
			}
		}
		slow, sent := io.Pipe()
		for range MaxRequests + 10 {
			go send("/orders", slow, 100)
		}
		for range MaxLargeBodies {
			go send("/orders", slow, -1)
		}
		synctest.Wait()
		want("slow senders keep nobody waiting", "/orders", smallBody, 200, 0)
		want("but those with large bodies, too", "/orders", smallBody+1, 503, limiterWait)
		_ = sent.Close()
		synctest.Wait()
		want("who has sent everything gives the place back", "/orders", smallBody+1, 200, 0)

		for range MaxRequests {
			go send("/busy", strings.NewReader(""), 0)
		}
		synctest.Wait()
		want("one more than the bound waits, and is told to come again", "/orders", 0, 503, limiterWait)
		want("that the server lives is said at once", "/healthz", 0, 200, 0)
		close(busy)
		synctest.Wait()
		want("and then everybody has a place", "/orders", 0, 200, 0)
	})
}
