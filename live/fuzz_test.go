package live

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// Whatever is published, the frame that goes out is JSON: the object that was published with the hub's own seq, or nothing if it was no
// object.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{}`, " {\t} ", "\v{}", `{"type":"row","id":"a","html":"<b>\u2028</b>"}`, `{"seq":"hub.7"}`, `{"a":{"seq":1}}`, `[]`, `{}{}`, `{"a":1,}`, `"{}"`, ``, `null`, "{\"\xff\":1}",
	} {
		f.Add([]byte(seed), uint64(7))
	}
	f.Fuzz(func(t *testing.T, body []byte, n uint64) {
		var published, sent map[string]json.RawMessage // a number may have more digits than any type of Go's
		isObject := json.Unmarshal(bytes.TrimSpace(body), &published) == nil && published != nil
		open, ok := openObject(body)
		if ok != (isObject && len(bytes.TrimSpace(body)) <= maxBody) {
			t.Fatalf("%q is an object: %t, and taken for one: %t", body, isObject, ok)
		}
		if !ok {
			return
		}
		out := closeObject(open, formatSeq("hub", n))
		if err := json.Unmarshal(out, &sent); err != nil {
			t.Fatalf("%q goes out as %q: %v", body, out, err)
		}
		published["seq"] = json.RawMessage(strconv.Quote(formatSeq("hub", n)))
		if !reflect.DeepEqual(sent, published) {
			t.Fatalf("%q goes out as %q", body, out)
		}
		var both []map[string]json.RawMessage
		if joined := join([]*frame{{n: n, body: out}, {n: n, body: out}}); json.Unmarshal(joined, &both) != nil || len(both) != 2 {
			t.Fatalf("two of %q go out as %q", out, joined)
		}
	})
}

// An origin that may open the live view is, taken apart as an address, exactly the scheme, host and port that the request came to.
func FuzzOrigin(f *testing.F) {
	for _, seed := range [][2]string{
		{"http://good.example:8080", "good.example:8080"}, {"http://good.example", "good.example:80"}, {"http://[::1]:8080", "[::1]:8080"},
		{"http://good.example.evil", "good.example"}, {"http://good.example@evil", "good.example"}, {"null", "null"}, {"", ""}, {"http://", ""},
		{"http://good.example:80:80", "good.example"}, {"HTTP://Good.Example", "good.example"}, {"http://good.example/", "good.example/"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, origin, host string) {
		r := &http.Request{Host: host, Header: http.Header{"Origin": {origin}}}
		if !sameOrigin(r, nil) {
			return
		}
		if allowed := []string{"https://console.example"}; sameOrigin(r, allowed) != (canonicalOrigin(origin) == allowed[0]) {
			t.Fatalf("%q is measured by the host although there is a list", origin)
		}
		from, err := url.Parse(origin)
		to, asked := url.Parse("http://" + host)
		if err != nil || asked != nil { // no browser sends it: what cannot be taken apart must at least be letter by letter the same
			if !strings.EqualFold(strings.TrimSuffix(origin, ":80"), strings.TrimSuffix("http://"+host, ":80")) {
				t.Fatalf("%q may open what is asked at %q", origin, host)
			}
			return
		}
		port := func(u *url.URL) string {
			if u.Port() == "" {
				return "80"
			}
			return u.Port()
		}
		if !strings.EqualFold(from.Scheme, "http") || !strings.EqualFold(from.Hostname(), to.Hostname()) || port(from) != port(to) {
			t.Fatalf("%q may open what is asked at %q", origin, host)
		}
	})
}
