package elastic_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"headway/fault"
	"headway/projections/elastic"
	"headway/projections/history"
	"headway/projections/history/historytest"
)

func openHistory(t *testing.T, prefix string) *elastic.History {
	t.Helper()
	h, err := elastic.OpenHistory(t.Context(), elastic.Options{URL: node(t), Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func TestHistoryKeepsItsContract(t *testing.T) {
	historytest.Run(t, func(t *testing.T) func(*testing.T) history.Store {
		name := prefix(t)
		return func(t *testing.T) history.Store { return openHistory(t, name) }
	})
}

// A history whose index is deleted is made again, by its own mapping and never by that of a mere write.
func TestAHistoryThatWasDeletedBeginsAnew(t *testing.T) {
	name := prefix(t)
	h := openHistory(t, name)
	one := history.Bucket{At: time.Unix(0, 0).UTC()}
	if err := h.Put(t.Context(), history.Hour, one); err != nil {
		t.Fatal(err)
	}
	ask(t, http.MethodDelete, "/"+name+"-history", "", nil)
	if err := h.Put(t.Context(), history.Hour, one); err == nil || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a write into an index that is lost: %v", err)
	}
	if err := h.Put(t.Context(), history.Minute, one); err != nil {
		t.Fatal(err)
	}
	got, err := h.Buckets(t.Context(), history.Hour, time.Unix(0, 0), time.Unix(1, 0))
	if err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	var mapped map[string]struct {
		Mappings struct {
			Dynamic string `json:"dynamic"`
		} `json:"mappings"`
	}
	if ask(t, http.MethodGet, "/"+name+"-history/_mapping", "", &mapped); mapped[name+"-history"].Mappings.Dynamic != "strict" {
		t.Errorf("%+v", mapped)
	}
}

func TestAHistoryOfSomebodyElseIsRefused(t *testing.T) {
	for says, mapping := range map[string]string{
		"not Headway's":  `{"properties": {"a": {"type": "keyword"}}}`,
		"newer Headway":  `{"_meta": {"layout": 2}}`,
		"did not make":   `{"_meta": {"layout": 1, "hash": "another"}}`,
		"not Headway's.": `{"_meta": {"schema": 1}}`,
	} {
		name := prefix(t)
		ask(t, http.MethodPut, "/"+name+"-history", `{"mappings": `+mapping+`}`, nil)
		_, err := elastic.OpenHistory(t.Context(), elastic.Options{URL: node(t), Prefix: name})
		if err == nil || fault.KindOf(err) != fault.Refused || !strings.Contains(fault.Sentence(err), says) {
			t.Errorf("%s: %v", mapping, err)
		}
	}
}

func TestANodeThatIsAwayIsNoErrorOfAHistory(t *testing.T) {
	h, err := elastic.OpenHistory(t.Context(), elastic.Options{URL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if _, err := h.Buckets(t.Context(), history.Minute, time.Time{}, time.Now()); fault.KindOf(err) != fault.Unavailable {
		t.Error(err)
	}
}
