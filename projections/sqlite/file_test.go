package sqlite_test

import (
	"bytes"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"headway/fault"
	"headway/projections"
	"headway/projections/sqlite"
)

func open(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// raw runs statements on a file as somebody with a shell would.
func raw(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func TestTheFileIsItsOwnersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "read.db")
	s := open(t, path)
	fill(t, s, 10)
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", filepath.Base(name), info.Mode(), err)
		}
	}
}

func TestRowsOfAnotherSchemaAreThrownAwayAndThatIsSaid(t *testing.T) {
	for _, version := range []string{"0", "2", "77"} {
		path := filepath.Join(t.TempDir(), "read.db")
		s := open(t, path)
		fill(t, s, 10)
		s.Close()
		raw(t, path, `PRAGMA user_version = `+version, `CREATE TABLE "of another ""time""" (x)`)
		var log bytes.Buffer
		again, err := sqlite.Open(path, sqlite.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		page, err := again.Orders(t.Context(), projections.OrderQuery{})
		if err != nil || page.Total != 0 || !strings.Contains(log.String(), "another schema") {
			t.Errorf("version %s: %d rows, %v, log %q", version, page.Total, err, log.String())
		}
		fill(t, again, 10)
		again.Close()
		if page, err := open(t, path).Orders(t.Context(), projections.OrderQuery{Text: "a"}); err != nil || page.Total != 10 {
			t.Errorf("version %s: afterwards it is a store like any other: %d rows, %v", version, page.Total, err)
		}
	}
}

func TestAFileThatIsSomethingElseIsRefusedUntouched(t *testing.T) {
	dir := t.TempDir()
	database := filepath.Join(dir, "notes.db")
	raw(t, database, `CREATE TABLE notes (x)`)
	text := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(text, bytes.Repeat([]byte("not a database "), 100), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{database, text} {
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = sqlite.Open(path, sqlite.Options{})
		if e, ok := errors.AsType[*fault.Error](err); !ok || e.Kind != fault.Refused || !strings.Contains(e.Message, filepath.Base(path)) {
			t.Errorf("%s: %v", filepath.Base(path), err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s changed, %v", filepath.Base(path), err)
		}
	}
	if _, err := sqlite.Open(filepath.Join(dir, "no", "such", "folder.db"), sqlite.Options{}); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a folder that is not there: %v", err)
	}
}

func TestTwoProcessesMayWriteOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "read.db")
	a, b := open(t, path), open(t, path)
	done := make(chan struct{})
	go func() {
		defer close(done)
		fill(t, a, 600)
	}()
	fill(t, b, 600)
	<-done
	page, err := a.Orders(t.Context(), projections.OrderQuery{})
	if err != nil || page.Total != 600 {
		t.Errorf("both wrote the same 600 orders: %d, %v", page.Total, err)
	}
	checked(t, b)
}

// checked expects these differences of a self-check, each as "id field".
func checked(t *testing.T, s *sqlite.Store, want ...string) {
	t.Helper()
	var got []string
	if err := s.Check(t.Context(), func(d projections.Difference) { got = append(got, d.ID+" "+d.Field) }); err != nil {
		t.Fatal(err)
	}
	for _, w := range want {
		if !strings.Contains(strings.Join(got, "\n"), w) {
			t.Errorf("the check names %q, not %q", got, w)
		}
	}
	if len(want) == 0 && len(got) > 0 {
		t.Errorf("the check names %q, and nothing is wrong", got)
	}
}

func TestACheckNamesWhatIsDerivedWrongly(t *testing.T) {
	for _, c := range []struct{ rule, statement, want string }{
		{"the words of reference, id and customer", `UPDATE orders SET head = 'x' WHERE no = (SELECT max(no) FROM orders)`, " head"},
		{"what begins as the reference", `UPDATE orders SET begins = 'x' WHERE no = (SELECT max(no) FROM orders)`, " begins"},
		{"the index of words", `UPDATE orders SET words = words || ' more' WHERE no = (SELECT max(no) FROM orders)`, "orders_fts index"},
		{"the index of statuses", `UPDATE orders SET status = 'cancelled' WHERE no = (SELECT min(no) FROM orders WHERE status = 'created')`,
			"orders_fts index"},
		{"a row that left the index of words", `DELETE FROM orders WHERE no = (SELECT max(no) FROM orders)`, "orders_fts index"},
		{"the count of a status", `UPDATE tally SET n = n + 1 WHERE status = 'created'`, "created tally"},
		{"a status that is not counted", `DELETE FROM tally WHERE status = 'created'`, "created tally"},
		{"a status that no order has", `DELETE FROM orders WHERE status = 'cancelled'`, "cancelled tally"},
		{"how many orders are in a sum", `UPDATE spent SET n = n + 1 WHERE currency = 'EUR'`, " EUR n"},
		{"a sum that is gone", `DELETE FROM spent WHERE currency = 'EUR'`, " EUR n"},
		{"a sum without orders", `INSERT INTO spent (customer, currency, n, high, low) VALUES ('nobody', 'EUR', 0, 0, 0)`, "nobody EUR n"},
		{"the words of a customer", `UPDATE customers SET words = 'x' WHERE no = 3`, " words"},
	} {
		path := filepath.Join(t.TempDir(), "read.db")
		s := open(t, path)
		fill(t, s, 100)
		checked(t, s)
		raw(t, path, c.statement)
		t.Log(c.rule)
		checked(t, s, c.want)
	}
}
