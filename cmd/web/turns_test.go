package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A crowd of requests takes a bounded amount of memory: beyond the bounds they wait for their turn, and then are told to come again. Those who
// send slowly hold up nobody but others with large bodies.
func TestRequestsWaitTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, busy := &server{log: slog.New(slog.DiscardHandler)}, make(chan struct{})
		h := s.inTurn(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
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
		want("but those with large bodies, too", "/orders", smallBody+1, 503, turnWait)
		_ = sent.Close()
		synctest.Wait()
		want("who has sent everything gives the turn back", "/orders", smallBody+1, 200, 0)

		for range MaxRequests {
			go send("/busy", strings.NewReader(""), 0)
		}
		synctest.Wait()
		want("one more than the bound waits, and is told to come again", "/orders", 0, 503, turnWait)
		want("that the server lives is said at once", "/healthz", 0, 200, 0)
		close(busy)
		synctest.Wait()
		want("and then everybody has a turn", "/orders", 0, 200, 0)
	})
}
