package console

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"headway/cmd/web/console/consoletest"
	"headway/cmd/web/console/wire"
	"headway/operations"
)

// The record is shown newest first, filtered, paged, one by one and as files; what cannot be asked is said beside its name.
func TestAudit(t *testing.T) {
	c := openConsole(t)
	c.Get("/audit").Wants(t, http.StatusOK, "Nothing is on record yet")
	r := operations.Recorder{Log: c.options.Events, Clock: time.Now}
	for _, start := range []operations.Start{
		{Who: "ada", What: operations.Import, On: "=cmd|orders.csv", Before: map[string]int{"orders": 3}}, {Who: "system", What: operations.Lease, On: "read store"},
	} {
		if err := r.Note(t.Context(), start, "well"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Ask(t.Context(), operations.Start{Who: "ada", What: operations.Verify, Reason: "<b>why</b>"}); err != nil {
		t.Fatal(err)
	}
	list := func(path string) wire.Operations { return consoletest.Decoded[wire.Operations](t, c.GetJSON(path)) }
	whats := func(o wire.Operations) (all []string) {
		for _, o := range o.Operations {
			all = append(all, o.Who+" "+o.What+" "+o.Outcome)
		}
		return all
	}
	for path, want := range map[string][]string{
		"/audit":                         {"ada verify asked", "system lease done", "ada import done"},
		"/audit?who=ada":                 {"ada verify asked", "ada import done"},
		"/audit?what=lease&outcome=done": {"system lease done"},
		"/audit?outcome=failed":          nil,
		"/audit?to=2001-01-01":           nil,
	} {
		if got := whats(list(path)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q", path, got)
		}
	}
	all := list("/audit").Operations
	if string(all[0].After) != "null" || string(all[1].After) != `"well"` || all[2].Reason != nil || all[2].ID != all[2].CorrelationID {
		t.Errorf("%+v", all)
	}
	one := consoletest.Decoded[wire.Operation](t, c.GetJSON("/audit/"+all[2].ID))
	if one.ID != all[2].ID || *one.At != *all[2].At || !strings.Contains(string(one.Before), `"orders": 3`) {
		t.Errorf("alone %+v", one)
	}
	c.Get("/audit/"+all[0].ID).Wants(t, http.StatusOK, "Verification", "asked, no end yet", "&lt;b&gt;why&lt;/b&gt;")
	c.Get("/audit").Wants(t, http.StatusOK, "Change of lease", "3 operations on this page", "=cmd|orders.csv")
	c.GetJSON("/audit/nothing").Wants(t, http.StatusNotFound)
	for _, name := range []string{"what", "outcome", "from", "to", "cursor", "more"} {
		c.GetJSON("/audit?"+name+"=x.y").Wants(t, http.StatusBadRequest, name)
	}
	rows, err := csv.NewReader(strings.NewReader(c.Get("/audit.csv").Body)).ReadAll()
	if err != nil || len(rows) != 4 || rows[0][4] != "on" || rows[3][4] != "'=cmd|orders.csv" {
		t.Errorf("%q, %v", rows, err)
	}
	lines := strings.Split(strings.TrimSpace(c.Get("/audit.ndjson?who=ada").Body), "\n")
	var last wire.Operation
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || len(lines) != 2 || last.What != "import" {
		t.Errorf("%q, %v", lines, err)
	}
}

// Whoever chooses in the demo whom to be is on record, by who they were.
func TestChoicesOfPersonAreOnRecord(t *testing.T) {
	c := openConsole(t, func(o *Options) { o.Demo = true })
	c.PostForm("/demo/staff", "staff", "viewer", "back", "/").Wants(t, http.StatusSeeOther)
	c.PostForm("/demo/staff", "staff", "nobody", "back", "/").Wants(t, http.StatusUnprocessableEntity)
	got := consoletest.Decoded[wire.Operations](t, c.GetJSON("/audit?what=demo-staff")).Operations
	if len(got) != 1 || got[0].Who != demoPerson || string(got[0].Before) != `"demo"` || string(got[0].After) != `"viewer"` {
		t.Errorf("%+v", got)
	}
}

// Whoever runs the projections from now on is on record.
func TestLeasesAreOnRecord(t *testing.T) {
	c := openConsole(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); c.s.Run(ctx) }()
	defer func() { stop(); <-ended }()
	deadline := time.Now().Add(10 * time.Second)
	for {
		got := consoletest.Decoded[wire.Operations](t, c.GetJSON("/audit?what=lease")).Operations
		if len(got) == 1 {
			if got[0].Who != "system" || got[0].Outcome != "done" || !strings.Contains(string(got[0].After), `"holder"`) {
				t.Errorf("%+v", got)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the lease is not on record")
		}
	}
}
