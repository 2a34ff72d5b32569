package live

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

func TestParseWatch(t *testing.T) {
	many := `{"watch":["a` + strings.Repeat(`","a`, maxTopics) + `"]}`
	for _, test := range []struct {
		rule, text string
		topics     []string
		since      string
		code       int
	}{
		{"topics and a sequence", `{"watch":["orders","order:1"],"since":"h.7"}`, []string{"order:1", "orders"}, "h.7", 0},
		{"no sequence: from now", `{"watch":["orders"]}`, []string{"orders"}, "", 0},
		{"no topics: nothing any more", `{"watch":[]}`, []string{}, "", 0},
		{"a topic twice is one", `{"watch":["a","a"]}`, []string{"a"}, "", 0},
		{"no watch", `{"since":"h.7"}`, nil, "", websocket.CloseInvalidFramePayloadData},
		{"an unknown member", `{"watch":["a"],"also":1}`, nil, "", websocket.CloseInvalidFramePayloadData},
		{"a topic that is no text", `{"watch":[1]}`, nil, "", websocket.CloseInvalidFramePayloadData},
		{"something behind it", `{"watch":["a"]} {}`, nil, "", websocket.CloseInvalidFramePayloadData},
		{"a closing bracket behind it", `{"watch":["a"]}]`, nil, "", websocket.CloseInvalidFramePayloadData},
		{"an array", `[]`, nil, "", websocket.CloseInvalidFramePayloadData},
		{"null", `null`, nil, "", websocket.CloseInvalidFramePayloadData},
		{"nothing", ``, nil, "", websocket.CloseInvalidFramePayloadData},
		{"an empty topic", `{"watch":[""]}`, nil, "", websocket.ClosePolicyViolation},
		{"a topic too long", `{"watch":["` + strings.Repeat("x", maxTopic+1) + `"]}`, nil, "", websocket.ClosePolicyViolation},
		{"too many topics, even if repeated", many, nil, "", websocket.ClosePolicyViolation},
	} {
		t.Run(test.rule, func(t *testing.T) {
			w, err := parseWatch([]byte(test.text))
			why, _ := errors.AsType[refusal](err)
			if why.code != test.code || !slices.Equal(w.Watch, test.topics) || w.Since != test.since {
				t.Fatalf("%s gives %+v, %v", test.text, w, err)
			}
		})
	}
}

func FuzzWatch(f *testing.F) {
	for _, seed := range []string{
		`{"watch":["orders","order:0194","projections"],"since":"ABCDEFGHIJKL.42"}`,
		`{"watch":[]}`, `{"watch":null}`, `{"Watch":["a"],"watch":["b"]}`, `[{"watch":["a"]}]`, `{"watch":["\ud800"]}`, "\xff", ``,
		`{"watch":["a"]}x`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		w, err := parseWatch(data)
		if err != nil {
			why, ok := errors.AsType[refusal](err)
			if !ok || why.reason == "" || len(why.reason) > 123 || !utf8.ValidString(why.reason) {
				t.Fatalf("refused with %#v, want a code and a reason that fits a close frame", err)
			}
			return
		}
		if len(w.Watch) > maxTopics || slices.Contains(w.Watch, "") || !slices.IsSorted(w.Watch) {
			t.Fatalf("accepted %+v", w)
		}
		text, err := json.Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseWatch(text)
		if err != nil || !slices.Equal(again.Watch, w.Watch) || again.Since != w.Since {
			t.Fatalf("%s reads back as %+v, %v", text, again, err)
		}
	})
}

func FuzzSeq(f *testing.F) {
	for _, seed := range []string{"hub.0", "hub.18446744073709551615", "hub.18446744073709551616", "hub.-1", "hub.", "hub", ".1", "hub.1.2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, ok := parseSeq("hub", text)
		if !ok {
			return
		}
		if back, ok := parseSeq("hub", formatSeq("hub", n)); !ok || back != n {
			t.Fatalf("%q is %d, and back %d", text, n, back)
		}
		if !strings.HasPrefix(text, "hub.") {
			t.Fatalf("%q is not this hub's", text)
		}
	})
}
