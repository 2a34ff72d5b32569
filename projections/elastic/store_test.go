package elastic_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"headway/projections"
	"headway/projections/elastic"
	"headway/projections/readtest"
)

// node is the address of a real Elasticsearch.
func node(t testing.TB) string {
	t.Helper()
	address := os.Getenv("HEADWAY_TEST_ELASTICSEARCH")
	if address == "" {
		t.Fatal("HEADWAY_TEST_ELASTICSEARCH is not set: run the tests by make test, which starts an Elasticsearch, or set it to the URL of one.")
	}
	return strings.TrimSuffix(address, "/")
}

// ask sends a request to the node, as somebody with a shell would.
func ask(t testing.TB, method, path, body string, into any) {
	t.Helper()
	request, err := http.NewRequest(method, node(t)+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %s %v", method, path, response.StatusCode, answer, err)
	}
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			t.Fatal(err)
		}
	}
}

// prefix is the beginning of the names of one test, which are deleted after it.
func prefix(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("t%x", rand.Uint64())
	node(t)
	t.Cleanup(func() {
		var there map[string]any
		if ask(t, http.MethodGet, "/"+name+"-*", "", &there); len(there) > 0 {
			ask(t, http.MethodDelete, "/"+strings.Join(slices.Collect(maps.Keys(there)), ","), "", nil)
		}
		var templates struct {
			All []struct {
				Name string `json:"name"`
			} `json:"index_templates"`
		}
		ask(t, http.MethodGet, "/_index_template", "", &templates)
		for _, template := range templates.All {
			if strings.HasPrefix(template.Name, name+"-") { // with at least one, a pattern finds all
				ask(t, http.MethodDelete, "/_index_template/"+name+"-*", "", nil)
				break
			}
		}
	})
	return name
}

func open(t testing.TB, o elastic.Options) *elastic.Store {
	t.Helper()
	o.URL = node(t)
	s, err := elastic.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func settle(t testing.TB, prefix string) {
	t.Helper()
	ask(t, http.MethodPost, "/"+prefix+"-*/_refresh", "", nil)
}

func TestStoreKeepsItsContract(t *testing.T) {
	readtest.Run(t, func(t *testing.T) readtest.Place {
		name := prefix(t)
		return readtest.Place{
			Open:   func(t *testing.T) projections.Store { return open(t, elastic.Options{Prefix: name}) },
			Settle: func(t *testing.T) { settle(t, name) },
		}
	})
}
