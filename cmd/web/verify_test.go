package main

import (
	"database/sql"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"headway/cmd/web/console/wire"
)

// A row that somebody has changed by hand is named with its field, and the exit says so, in words and as JSON.
func TestVerifyNamesDifferences(t *testing.T) {
	dir := t.TempDir()
	if _, stderr, code := webHere(t, cleanFile(4), "import", "-", "--data", dir); code != 0 {
		t.Fatal(stderr)
	}
	stdout, stderr, code := webHere(t, nil, "verify", "--data", dir)
	if code != 0 || stdout != "Every row matches the log: 4 orders with 7 events, 16 rows, 4 customers, 4 products, 1 day.\n" || stderr != "" {
		t.Errorf("untouched: exit %d: %s%s", code, stdout, stderr)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "read.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`UPDATE orders SET reference = 'nobody''s' WHERE reference = 'C-00002'`); err != nil {
		t.Fatal(err)
	}
	stdout, _, code = webHere(t, nil, "verify", "--data", dir)
	if code != 1 || !strings.Contains(stdout, "reference") || !strings.Contains(stdout, "C-00002") || !strings.Contains(stdout, "nobody's") {
		t.Errorf("changed: exit %d: %s", code, stdout)
	}
	stdout, _, code = webHere(t, nil, "verify", "--json", "--data", dir)
	var report wire.Verification
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		t.Fatalf("%v: %s", err, stdout)
	}
	if code != 1 || report.Clean || len(report.Differences) == 0 || report.Orders != 4 || report.Events != 7 {
		t.Errorf("changed: exit %d: %+v", code, report)
	}
	found := false
	for _, d := range report.Differences {
		found = found || d.Projection == "order_list" && d.Field == "reference" && strings.Contains(d.Want, "C-00002")
	}
	if !found {
		t.Errorf("the reference is not among %+v", report.Differences)
	}
}

// Nothing at all is clean, and its lists are empty, not null.
func TestVerifyEmptyStore(t *testing.T) {
	stdout, stderr, code := webHere(t, nil, "verify", "--json", "--data", t.TempDir())
	if code != 0 || !strings.Contains(stdout, `"clean":true`) || !strings.Contains(stdout, `"differences":[]`) || !strings.Contains(stdout, `"holds":[]`) {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
}
