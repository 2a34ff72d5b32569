package elastic

import (
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// wire is a node that keeps the request it was sent, and says yes.
type wire struct{ sent *http.Request }

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.sent = r
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"X-Elastic-Product": {"Elasticsearch"}}, Body: io.NopCloser(strings.NewReader(`{}`)),
	}, nil
}

func TestWhatTheNodeIsAsked(t *testing.T) {
	node := &wire{}
	c, err := newClient("https://ada:hush-8d1f@node.invalid/search//", Options{HTTPClient: &http.Client{Transport: node}, Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	const bulkQuery = "?filter_path=items.*.status,items.*.error"
	for _, asked := range []struct {
		ask  request
		body string // "" is none
		want string
	}{
		{bulkRequest(false), "{}\n", "POST /_bulk" + bulkQuery},
		{bulkRequest(true), "{}\n", "POST /_bulk" + bulkQuery + "&refresh=true"},
		{searchRequest("a b"), "{}", "POST /a%20b/_search?allow_partial_search_results=false"},
		{searchRequest(""), "{}", "POST /_search?allow_partial_search_results=false"},
		{multiGetRequest("a", true), "{}", "POST /a/_mget?_source=true"},
		{multiGetRequest("a", false), "{}", "POST /a/_mget?_source=false"},
		{getRequest("a", "beat:1?#%"), "", "GET /a/_doc/beat:1%3F%23%25?"},
		{putRequest("a", "beat:1?#%", nil), "{}", "PUT /a/_doc/beat:1%3F%23%25?op_type=create"},
		{putRequest("a", "b", &revision{SeqNo: 0, PrimaryTerm: 3}), "{}", "PUT /a/_doc/b?if_primary_term=3&if_seq_no=0"},
		{openPointRequest("a"), "", "POST /a/_pit?keep_alive=5m"},
		{closePointRequest, "{}", "DELETE /_pit?"},
		{refreshRequest("a"), "", "POST /a/_refresh?"},
		{describeRequest([]string{"a", "b"}), "", "GET /a,b?allow_no_indices=true&ignore_unavailable=true"},
		{createRequest("a"), "", "PUT /a?"},
		{readyRequest("a"), "", "GET /_cluster/health/a?timeout=10000ms&wait_for_active_shards=1"},
		{aliasesRequest, "{}", "POST /_aliases?"},
		{getTemplateRequest("a"), "", "GET /_index_template/a?"},
		{putTemplateRequest("a"), "{}", "PUT /_index_template/a?"},
	} {
		var body []byte
		kind := ""
		if asked.body != "" {
			body, kind = []byte(asked.body), "application/json"
		}
		if strings.Contains(asked.want, "_bulk") {
			kind = "application/x-ndjson"
		}
		if _, err := c.send(t.Context(), ReadTimeout, asked.ask, body); err != nil {
			t.Fatal(err)
		}
		method, rest, _ := strings.Cut(asked.want, " ")
		path, query, _ := strings.Cut(rest, "?")
		at, parameters := node.sent.URL, strings.NewReplacer("%2C", ",", "%2A", "*").Replace(node.sent.URL.Query().Encode())
		if node.sent.Method != method || at.EscapedPath() != "/search"+path || parameters != query || at.Scheme+at.Host != "httpsnode.invalid" {
			t.Errorf("%s: sent %s %s", asked.want, node.sent.Method, at.Redacted())
		}
		if h := node.sent.Header; h.Get("Content-Type") != kind || node.sent.ContentLength != int64(len(body)) {
			t.Errorf("%s: sent %d bytes of %q", asked.want, node.sent.ContentLength, h.Get("Content-Type"))
		}
		if user, password, _ := node.sent.BasicAuth(); user != "ada" || password != "hush-8d1f" {
			t.Errorf("%s: sent by %q", asked.want, user)
		}
		told := node.sent.UserAgent()
		if !strings.HasPrefix(told, "go-elasticsearch/8.") || !strings.HasSuffix(told, " ("+runtime.GOOS+" "+runtime.GOARCH+"; Go "+
			strings.TrimPrefix(runtime.Version(), "go")+")") || node.sent.Header.Get("X-Elastic-Client-Meta") != "" {
			t.Errorf("%s: sent as %q, %v", asked.want, told, node.sent.Header)
		}
	}
}
