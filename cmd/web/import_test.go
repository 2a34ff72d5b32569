package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"headway/cmd/web/internal/csvimport"
	"headway/cmd/web/internal/importer"
	"headway/cmd/web/internal/plan"
	"headway/domain"
	"headway/eventstore"
	"headway/eventstore/sqlite"
	"headway/orders"
)

// cleanFile has that many orders of two lines, the second lines all at the end: of four orders one is created, two are
// confirmed, one is cancelled.
func cleanFile(orders int) []byte {
	var b bytes.Buffer
	b.WriteString(csvimport.Header() + "\n")
	began := time.Date(2025, 1, 1, 8, 0, 0, 0, time.UTC)
	for line := range 2 {
		for i := range orders {
			at := began.Add(time.Duration(i) * time.Minute)
			later := at.Add(time.Hour).Format(time.RFC3339)
			end := [...]string{"created,,", "confirmed," + later + ",", "confirmed," + later + ",", "cancelled," + later + ",ordered twice"}[i%4]
			fmt.Fprintf(&b, "C-%05d,%s,Customer %d,EUR,SKU-%d,Product %d,%d,%d.50,%s\n",
				i, at.Format(time.RFC3339), i%50, i%97, i%97, 1+i%9, 1+line+i%40, end)
		}
	}
	return b.Bytes()
}

// cleanEvents is how many events a clean file makes; the number of orders is a multiple of four.
func cleanEvents(orders int) int { return orders / 4 * 7 }

// webHere runs a command of the program in this process.
func webHere(t *testing.T, stdin []byte, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, nil, bytes.NewReader(stdin), &out, &errs)
	return out.String(), errs.String(), code
}

// allEvents reads the event store of a data folder.
func allEvents(t *testing.T, dir string) map[domain.OrderID]orders.Stream {
	t.Helper()
	store, err := sqlite.Open(filepath.Join(dir, "events.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	streams := map[domain.OrderID]orders.Stream{}
	for cursor := eventstore.Cursor(""); ; {
		heads, next, _, err := store.Walk(t.Context(), orders.Category, cursor, eventstore.MaxPage)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range heads {
			if streams[orders.IDOf(h.Stream)], err = (orders.Handler{Events: store, Codec: domain.Codec{}}).Load(t.Context(), orders.IDOf(h.Stream)); err != nil {
				t.Fatal(err)
			}
		}
		if next == "" {
			return streams
		}
		cursor = next
	}
}

func importedOrder(t *testing.T, dir, reference string) orders.Stream {
	t.Helper()
	for _, s := range allEvents(t, dir) {
		if s.Order.Reference == reference {
			return s
		}
	}
	t.Fatalf("there is no order %s", reference)
	return orders.Stream{}
}

// expectedImport is what a person read in testdata/messy.csv, as far as an event store tells it.
type expectedImport struct {
	Orders []struct {
		Reference, Customer, Status, PlacedAt, StatusAt, Reason, Total string
		Items                                                          []struct{}
	}
	BadLines []struct{ Line int }
}

func readExpected(t *testing.T) expectedImport {
	t.Helper()
	data, err := os.ReadFile("../../testdata/messy.expected.json")
	if err != nil {
		t.Fatal(err)
	}
	var expected expectedImport
	if err := json.Unmarshal(data, &expected); err != nil {
		t.Fatal(err)
	}
	return expected
}

// The command stores the orders that a person read in the messy file, with the file's times and "import" as the user, lists the
// bad lines, and says by its exit that there were some.
func TestImportMessyFile(t *testing.T) {
	dir, expected := t.TempDir(), readExpected(t)
	stdout, stderr, code := webHere(t, nil, "import", "../../testdata/messy.csv", "--data", dir)
	if code != 1 || stdout != "12 orders imported, 0 finished, 0 there already, 11 left out.\n" {
		t.Errorf("exit %d: %s", code, stdout)
	}
	if !strings.HasPrefix(stderr, "12 bad lines:\n") {
		t.Errorf("it does not list 12 bad lines: %s", stderr)
	}
	for _, e := range expected.BadLines {
		if want := fmt.Sprintf("  line %d", e.Line); !strings.Contains(stderr, want) {
			t.Errorf("it does not say: %s", want)
		}
	}
	var got, want []string
	for _, s := range allEvents(t, dir) {
		o := s.Order
		statusAt := ""
		for _, at := range []time.Time{o.ConfirmedAt, o.CancelledAt} {
			if !at.IsZero() {
				statusAt = at.Format(time.RFC3339)
			}
		}
		got = append(got, fmt.Sprintf("%s by %s: %s %s %s, %q, %s, %d items", o.Reference, o.CustomerID,
			o.CreatedAt.Format(time.RFC3339), o.Status, statusAt, o.CancelReason, o.Total, len(o.Items)))
		for _, r := range s.Records {
			if r.Metadata.UserID != importer.User {
				t.Errorf("%s version %d is by %q", o.Reference, r.Version, r.Metadata.UserID)
			}
		}
	}
	slices.Sort(got)
	for _, o := range expected.Orders {
		want = append(want, fmt.Sprintf("%s by %s: %s %s %s, %q, %s, %d items", o.Reference, o.Customer, o.PlacedAt, o.Status, o.StatusAt,
			o.Reason, o.Total, len(o.Items)))
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("stored orders are\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	if stdout, _, code = webHere(t, nil, "import", "../../testdata/messy.csv", "--data", dir); code != 1 ||
		stdout != "0 orders imported, 0 finished, 12 there already, 11 left out.\n" {
		t.Errorf("the second run: exit %d: %s", code, stdout)
	}
	if stdout, stderr, code := webHere(t, nil, "verify", "--data", dir); code != 0 {
		t.Errorf("verify: exit %d: %s%s", code, stdout, stderr)
	}
}

// A thousand orders from standard input are stored and projected when the command returns; how long that took is printed.
func TestImportThousand(t *testing.T) {
	const orders = 1000
	dir := t.TempDir()
	began := time.Now()
	stdout, stderr, code := webHere(t, cleanFile(orders), "import", "-", "--data", dir)
	t.Logf("%d orders, %d events, stored and projected in %s", orders, cleanEvents(orders), time.Since(began).Round(time.Millisecond))
	if code != 0 || stderr != "" || !strings.HasPrefix(stdout, "1000 orders imported") {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
	events := 0
	for _, s := range allEvents(t, dir) {
		events += len(s.Records)
	}
	if events != cleanEvents(orders) {
		t.Errorf("%d events are stored, not %d", events, cleanEvents(orders))
	}
	if stdout, stderr, code := webHere(t, nil, "verify", "--data", dir); code != 0 { // every row was there without waiting
		t.Errorf("verify: exit %d: %s%s", code, stdout, stderr)
	}
}

// A newer file may say what has happened to an order since; what it says differently about the past is not taken, and what people
// have done since is left alone.
func TestImportNewerFile(t *testing.T) {
	dir := t.TempDir()
	steps := []struct {
		rule, line string
		code       int
		says       string
		status     domain.Status
	}{
		{"an open order is imported", "N-1,2025-01-01,Ada,EUR,T-1,Tea,1,1.00,created,,", 0, "1 order imported", domain.Created},
		{"it is confirmed by a newer file", "N-1,2025-01-01,Ada,EUR,T-1,Tea,1,1.00,confirmed,2025-01-02,", 0, "1 finished", domain.Confirmed},
		{"it is cancelled by one newer still", "N-1,2025-01-01,Ada,EUR,T-1,Tea,1,1.00,cancelled,2025-01-03,late", 0, "1 finished", domain.Cancelled},
		{"a cancelled order stays so", "N-1,2025-01-01,Ada,EUR,T-1,Tea,1,1.00,cancelled,2025-01-03,late", 0, "1 there already", domain.Cancelled},
		{"another price is not taken", "N-1,2025-01-01,Ada,EUR,T-1,Tea,1,2.00,created,,", 1, "line 2, order N-1, order: ", domain.Cancelled},
	}
	for _, s := range steps {
		stdout, stderr, code := webHere(t, []byte(csvimport.Header()+"\n"+s.line+"\n"), "import", "-", "--data", dir)
		if o := importedOrder(t, dir, "N-1").Order; code != s.code || !strings.Contains(stdout+stderr, s.says) || o.Status != s.status {
			t.Errorf("%s: it is %s, exit %d: %s%s", s.rule, o.Status, code, stdout, stderr)
		}
	}

	line := "N-2,2025-01-01,Ada,EUR,T-1,Tea,1,1.00,"
	webHere(t, []byte(csvimport.Header()+"\n"+line+"created,,\n"), "import", "-", "--data", dir)
	store, err := sqlite.Open(filepath.Join(dir, "events.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	add := plan.Plan{Name: "by hand", Steps: []plan.Step{{Command: domain.AddItem{Item: domain.Item{
		SKU: "T-2", Name: "Tea", Quantity: 1, Price: domain.Money{Minor: 1, Currency: "EUR"}}}, At: time.Now(), User: "operator"}}}
	request := orders.Request{
		CommandID: plan.Runner{}.CommandIDs(add)[0], OrderID: importedOrder(t, dir, "N-2").Order.ID, Command: add.Steps[0].Command,
		Expect: 1, UserID: "operator", Timestamp: time.Now(),
	}
	if _, err := (orders.Handler{Events: store, Codec: domain.Codec{}}).Execute(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	_, stderr, code := webHere(t, []byte(csvimport.Header()+"\n"+line+"confirmed,2025-01-02,\n"), "import", "-", "--data", dir)
	if o := importedOrder(t, dir, "N-2").Order; code != 1 || o.Status != domain.Created || !strings.Contains(stderr, "Others have changed") {
		t.Errorf("an order that a person has changed: it is %s, exit %d: %s", o.Status, code, stderr)
	}
}

// A file that is not there, or is too large, imports nothing and says so.
func TestImportFileErrors(t *testing.T) {
	if _, stderr, code := webHere(t, nil, "import", "no-such-file.csv", "--data", t.TempDir()); code != 1 || !strings.Contains(stderr, "no-such-file.csv") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	huge := filepath.Join(t.TempDir(), "huge.csv")
	if err := os.WriteFile(huge, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, csvimport.MaxBytes+1); err != nil { // a hole: it takes no space
		t.Fatal(err)
	}
	if _, stderr, code := webHere(t, nil, "import", huge, "--data", t.TempDir()); code != 1 || !strings.Contains(stderr, "at most 64 MiB") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
