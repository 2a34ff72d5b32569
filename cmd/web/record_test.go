package main

import (
	"fmt"
	"path/filepath"
	"reflect"
	"testing"

	"headway/eventstore/sqlite"
	"headway/operations"
)

// What the command line did to the stores is on record, newest first, with how it went; orders know nothing of it.
func TestErrandsAreOnRecord(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{{"import", "-", "--data", dir}, {"import", "-", "--data", dir}, {"verify", "--data", dir}} {
		if _, stderr, code := webHere(t, cleanFile(4), args...); code != 0 {
			t.Fatal(args, stderr)
		}
	}
	log, err := sqlite.Open(filepath.Join(dir, "events.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	all, next, err := operations.List(t.Context(), log, operations.Filter{}, "", 0)
	if err != nil || next != "" {
		t.Fatal(next, err)
	}
	var got []string
	for _, o := range all {
		if o.What == operations.Import || o.What == operations.Verify {
			got = append(got, fmt.Sprintf("%s %s of %s by %s: %s to %s", o.What, o.Outcome, o.On, o.Who, o.Before, o.After))
		}
	}
	if want := []string{
		`verify done of all projections by command line:  to {"differences":0,"events":7,"holds":0,"orders":4,"rows":16}`,
		`import done of - by command line: {"badLines":0,"orders":4} to {"finished":0,"imported":0,"leftOut":0,"unchanged":4}`,
		`import done of - by command line: {"badLines":0,"orders":4} to {"finished":0,"imported":4,"leftOut":0,"unchanged":0}`,
	}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
	if stdout, _, code := webHere(t, nil, "verify", "--data", dir); code != 0 ||
		stdout != "Every row matches the log: 4 orders with 7 events, 16 rows, 4 customers, 4 products, 1 day.\n" {
		t.Errorf("exit %d: %s", code, stdout)
	}
}
