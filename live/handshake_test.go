package live_test

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"headway/live"
)

func listen(t *testing.T, hub *live.Hub) (*httptest.Server, string) {
	t.Helper()
	web := httptest.NewServer(hub)
	t.Cleanup(func() {
		_ = hub.Shutdown(context.Background())
		web.Close()
	})
	return web, web.URL
}

func dialAt(origin string, web *httptest.Server) (*websocket.Conn, int, error) {
	header := http.Header{}
	if origin != "" {
		header.Set("Origin", origin)
	}
	conn, answer, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(web.URL, "http")+"/live", header)
	if answer == nil {
		return conn, 0, err
	}
	_ = answer.Body.Close()
	return conn, answer.StatusCode, err
}

func TestOnlyAPageOfThisConsoleMayConnect(t *testing.T) {
	type handshake struct {
		rule, host string
		tls        bool
		allowed    []string
		origins    []string
		want       bool
	}
	for _, test := range []handshake{
		{"the same origin", "good.example:8080", false, nil, []string{"http://good.example:8080"}, true},
		{"the scheme's own port may be left out", "good.example:80", false, nil, []string{"http://good.example"}, true},
		{"of TLS too", "good.example", true, nil, []string{"https://good.example:443"}, true},
		{"host names have no case", "Good.Example", false, nil, []string{"http://good.example"}, true},
		{"an IPv6 address", "[::1]:8080", false, nil, []string{"http://[::1]:8080"}, true},
		{"an allowed origin, behind a proxy", "10.0.0.7:8080", false, []string{"https://good.example"}, []string{"https://good.example"}, true},
		{"absent", "good.example", false, nil, nil, false},
		{"empty", "good.example", false, nil, []string{""}, false},
		{"null", "good.example", false, nil, []string{"null"}, false},
		{"another port", "good.example:8080", false, nil, []string{"http://good.example:8081"}, false},
		{"no port where there is one", "good.example:8080", false, nil, []string{"http://good.example"}, false},
		{"the other scheme's own port", "good.example:443", false, nil, []string{"http://good.example"}, false},
		{"another scheme", "good.example", false, nil, []string{"https://good.example"}, false},
		{"another scheme under TLS", "good.example", true, nil, []string{"http://good.example"}, false},
		{"a look-alike that goes on", "good.example", true, nil, []string{"https://good.example.evil"}, false},
		{"a look-alike that begins before", "good.example", true, nil, []string{"https://evilgood.example"}, false},
		{"a subdomain", "good.example", true, nil, []string{"https://a.good.example"}, false},
		{"a user in front", "good.example", true, nil, []string{"https://good.example@evil.example"}, false},
		{"a path behind", "good.example", false, nil, []string{"http://good.example/"}, false},
		{"a port after the port", "good.example:8080", false, nil, []string{"http://good.example:8080:80"}, false},
		{"two origins", "good.example", false, nil, []string{"http://good.example", "http://evil.example"}, false},
		{"two in one header", "good.example", false, nil, []string{"http://good.example http://evil.example"}, false},
		{"no host", "", false, nil, []string{"http://"}, false},
		{"not on the list, though the same host", "good.example", true, []string{"https://other.example"}, []string{"https://good.example"}, false},
		{"a look-alike of the list", "10.0.0.7", false, []string{"https://good.example"}, []string{"https://good.example.evil"}, false},
		{"null is not on any list", "10.0.0.7", false, []string{"https://good.example"}, []string{"null"}, false},
		{"another scheme than the list's", "10.0.0.7", false, []string{"https://good.example"}, []string{"http://good.example"}, false},
	} {
		t.Run(test.rule, func(t *testing.T) {
			hub := live.New(live.Options{Origins: test.allowed})
			scheme := map[bool]string{false: "http", true: "https"}[test.tls]
			r := httptest.NewRequest(http.MethodGet, scheme+"://placeholder.example/live", nil)
			r.Host = test.host
			r.Header["Origin"] = test.origins
			w := httptest.NewRecorder()
			hub.ServeHTTP(w, r)
			// Not a websocket's handshake, so one that passes the check is answered 400.
			if got := w.Code != http.StatusForbidden; got != test.want {
				t.Fatalf("Origin %q at Host %q answered %d", test.origins, test.host, w.Code)
			}
		})
	}
}

func TestTheHandshakeOverARealSocket(t *testing.T) {
	hub := live.New(live.Options{Connections: 1})
	web, url := listen(t, hub)
	for _, test := range []struct {
		rule, origin string
		want         int
	}{
		{"no origin is refused", "", http.StatusForbidden},
		{"null is refused", "null", http.StatusForbidden},
		{"another port is refused", url + "1", http.StatusForbidden},
		{"a look-alike is refused", url + ".evil.example", http.StatusForbidden},
		{"another scheme is refused", strings.Replace(url, "http", "https", 1), http.StatusForbidden},
		{"the page's own origin is let in", url, http.StatusSwitchingProtocols},
		{"one more than the bound is sent away", url, http.StatusServiceUnavailable},
	} {
		conn, status, _ := dialAt(test.origin, web)
		if status != test.want {
			t.Errorf("%s: %d, want %d", test.rule, status, test.want)
		}
		if conn != nil {
			defer func() { _ = conn.Close() }()
		}
	}
	if err := hub.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, status, _ := dialAt(url, web); status != http.StatusServiceUnavailable {
		t.Errorf("after shutdown: %d, want 503", status)
	}
}

func TestAFailedHandshakeTakesNoPlace(t *testing.T) {
	web, url := listen(t, live.New(live.Options{Connections: 1}))
	for range 3 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/live", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Origin", url)
		answer, err := web.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusBadRequest {
			t.Fatalf("a GET that is no handshake: %d, want 400", answer.StatusCode)
		}
	}
	conn, status, err := dialAt(url, web)
	if err != nil {
		t.Fatalf("%d %v, want the one place free", status, err)
	}
	_ = conn.Close()
}

func TestWhoBreaksTheRulesIsClosedWithACode(t *testing.T) {
	watches := func(n int) [][]byte { return bytesOf(n, `{"watch":["orders"]}`) }
	for _, test := range []struct {
		rule string
		kind int
		says [][]byte
		want int
	}{
		{"not JSON: 1007", websocket.TextMessage, bytesOf(1, `{"watch":`), websocket.CloseInvalidFramePayloadData},
		{"not UTF-8: 1007", websocket.TextMessage, bytesOf(1, "{\"watch\":[\"\xff\"]}"), websocket.CloseInvalidFramePayloadData},
		{"too many topics: 1008", websocket.TextMessage,
			bytesOf(1, `{"watch":[`+strings.Repeat(`"a",`, 64)+`"a"]}`), websocket.ClosePolicyViolation},
		{"too many messages: 1008", websocket.TextMessage, watches(1001), websocket.ClosePolicyViolation},
		{"not text: 1003", websocket.BinaryMessage, watches(1), websocket.CloseUnsupportedData},
		{"larger than 4 KiB: 1009", websocket.TextMessage, bytesOf(1, strings.Repeat(" ", 4097)), websocket.CloseMessageTooBig},
		{"much larger: 1009", websocket.TextMessage, bytesOf(1, strings.Repeat(" ", 60<<10)), websocket.CloseMessageTooBig},
	} {
		t.Run(test.rule, func(t *testing.T) {
			hub := live.New(live.Options{})
			web, url := listen(t, hub)
			conn, _, err := dialAt(url, web)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			for _, message := range test.says {
				if err := conn.WriteMessage(test.kind, message); err != nil {
					t.Fatal(err)
				}
			}
			p := &page{t: t, conn: conn}
			if code := p.closed(); code != test.want {
				t.Fatalf("close code %d, want %d", code, test.want)
			}
		})
	}
}

func bytesOf(n int, text string) [][]byte {
	list := make([][]byte, n)
	for i := range list {
		list[i] = bytes.Clone([]byte(text))
	}
	return list
}

var _ net.Listener = (*server)(nil)
