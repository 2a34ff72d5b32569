package console

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"headway/cmd/web/console/consoletest"
)

// Whatever is asked, the answer is one: never a 500, and never unavailable while the stores are not; JSON is JSON, a refusal has a sentence
// and a kind, and nothing that was sent is markup on a page.
func FuzzRequest(f *testing.F) {
	const id = "5f3c9d0e-6f0a-5a53-9c39-0b4f5a1c7e21"
	create := `{"commandId":"` + id + `","customerId":"<q>","currency":"EUR","items":[{"sku":"A","name":"<q>","quantity":1,"price":"1"}]}`
	for _, target := range []string{
		"/", "/orders?q=%3Cq%3E&status=created&sort=-total&from=2026-01-31", "/orders.json?cursor=WyIxIl0", "/orders?cursor=f1.1&customer=%3Cq%3E", "/orders/new?copy=" + id,
		"/orders/" + id + "?at=1&after=" + id + "@1", "/orders/" + id + "/events?before=2", "/orders/" + id + "/events/1.json", "/events?type=OrderCreated&before=t1.9&q=" + id,
		"/events/correlation/%3Cq%3E?before=c1.1", "/customers?q=%3Cq%3E&sort=last", "/customers/%3Cq%3E.json", "/products?q=%3Cq%3E&sort=last", "/products/%3Cq%3E.json", "/activity?who=%3Cq%3E&day=2026-01-31", "/projections/order_list", "/healthz", "/readyz", "/live", "/static/x",
		"//x/../orders", "/orders/..%2f..%2fetc", "/orders/%ff", "/%00", "/orders?%zz", "*", "/index.json", "/.json",
	} {
		f.Add(uint(0), target, uint(0), "", false)
		f.Add(uint(0), target, uint(0), "", true)
	}
	for _, target := range []string{"/orders", "/orders/" + id + "/items", "/orders/" + id + "/confirm", "/orders/" + id + "/cancel", "/orders/" + id + "/notes", "/theme", "/demo/staff", "/"} {
		f.Add(uint(1), target, uint(1), create, true)
		f.Add(uint(1), target, uint(1), `{"commandId":"`+id+`","expectedVersion":1,"reason":"<q>"}`, false)
		f.Add(uint(1), target, uint(2), "do=add-line&commandId="+id+"&customerId=%3Cq%3E&items[0].sku=%3Cq%3E&back=//evil&theme=dark", false)
	}
	h := newFuzzedServer(f)
	methods, types := []string{"GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS"}, []string{"", "application/json", "application/x-www-form-urlencoded", "text/plain"}
	f.Fuzz(func(t *testing.T, method uint, target string, media uint, body string, wantJSON bool) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return // net/http answers that
		}
		r := httptest.NewRequest(methods[method%uint(len(methods))], "/", strings.NewReader(body))
		r.URL, r.RequestURI, r.Host = u, target, "127.0.0.1:8080"
		r.Header.Set("Content-Type", types[media%uint(len(types))])
		if wantJSON {
			r.Header.Set("Accept", "application/json")
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		page := w.Body.String()
		if w.Code < 200 || w.Code >= 500 || len(page) > 4<<20 || strings.Contains(page, "<q>") || w.Header().Get("Content-Security-Policy") == "" {
			t.Fatalf("%s %q is answered with %d and %d bytes: %.300s", r.Method, target, w.Code, len(page), page)
		}
		if back := w.Header().Get("Location"); back != "" && (!strings.HasPrefix(back, "/") || strings.HasPrefix(back, "//")) {
			t.Fatalf("%s %q leads to %q", r.Method, target, back)
		}
		if !strings.Contains(w.Header().Get("Content-Type"), "json") {
			return
		}
		var problem consoletest.Problem
		if !json.Valid(w.Body.Bytes()) {
			t.Fatalf("%s %q is answered with what is no JSON: %.300s", r.Method, target, page)
		}
		if w.Code >= 400 && (json.Unmarshal(w.Body.Bytes(), &problem) != nil || problem.Status != w.Code || problem.Error.Kind == "" || problem.Error.Message == "") {
			t.Fatalf("%s %q is refused with %d %.300s", r.Method, target, w.Code, page)
		}
	})
}

// newFuzzedServer is a demo server on real stores, whose projections run.
func newFuzzedServer(f *testing.F) http.Handler {
	f.Helper()
	options := openStores(f)
	options.Demo = true
	s := New(options)
	if _, err := s.projector.Step(f.Context()); err != nil { // so that it is ready
		f.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(f.Context()))
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	f.Cleanup(func() {
		stop()
		running.Wait()
	})
	return s.Handler()
}

// A host that is taken for this machine is, with or without its port, localhost or an address of the loopback.
func FuzzHost(f *testing.F) {
	for _, seed := range []string{
		"localhost", "LocalHost:8080", "127.0.0.1:8080", "127.8.9.1", "[::1]:8080", "::1", "[::1]", "[::ffff:127.0.0.1]:1", "localhost.evil", "127.0.0.1.evil:80", "localhost:80:80",
		"evil@localhost", "[localhost]", "[::1%eth0]", "0.0.0.0", "", ":", "127.1", "localhost.", "0x7f.1", "127.0.0.1/x", "[[::1]]",
	} {
		f.Add(seed)
	}
	loopback := func(name string) bool {
		name, _, _ = strings.Cut(strings.Trim(name, "[]"), "%")
		return strings.EqualFold(name, "localhost") || net.ParseIP(name).IsLoopback()
	}
	f.Fuzz(func(t *testing.T, host string) {
		withoutPort := host[:max(strings.LastIndex(host, ":"), 0)]
		if IsLoopback(host) && !loopback(host) && !loopback(withoutPort) {
			t.Fatalf("%q is taken for this machine", host)
		}
	})
}

// A way back leads to a page of this console, however a browser reads it.
func FuzzBack(f *testing.F) {
	for _, seed := range []string{"/orders?q=a#b", "//evil", "/\\evil", "/\t/evil", "https://evil", "javascript:alert(1)", "", "/", "/%2f/evil", "/..//evil", "\x00/", "/\n/evil"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, back string) {
		to := backTo(back)
		// Browsers drop tabs and line ends, and take a backslash for a slash.
		read := strings.ReplaceAll(strings.Map(func(r rune) rune {
			if strings.ContainsRune("\t\r\n", r) {
				return -1
			}
			return r
		}, to), `\`, "/")
		if !strings.HasPrefix(read, "/") || strings.HasPrefix(read, "//") {
			t.Fatalf("%q leads to %q", back, to)
		}
	})
}
