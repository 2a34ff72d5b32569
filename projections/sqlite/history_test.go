package sqlite_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"headway/fault"
	"headway/projections/history"
	"headway/projections/history/historytest"
	"headway/projections/sqlite"
)

func openHistory(t *testing.T, path string) *sqlite.History {
	t.Helper()
	h, err := sqlite.OpenHistory(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func TestHistoryKeepsItsContract(t *testing.T) {
	historytest.Run(t, func(t *testing.T) func(*testing.T) history.Store {
		path := filepath.Join(t.TempDir(), "history.db")
		return func(t *testing.T) history.Store { return openHistory(t, path) }
	})
}

func TestTheHistoryLiesBesideItsReadStore(t *testing.T) {
	for read, want := range map[string]string{
		"read.db":                  "history.db",
		"/var/lib/headway/read.db": "/var/lib/headway/history.db",
		"/var/lib/rows.db":         "/var/lib/rows-history.db",
		"/var/lib/rows":            "/var/lib/rows-history",
		"/var/lib/a.read.db":       "/var/lib/a.read-history.db",
	} {
		if got := sqlite.HistoryPath(filepath.FromSlash(read)); filepath.ToSlash(got) != want {
			t.Errorf("%s: %s, not %s", read, got, want)
		}
	}
}

func TestTheFileOfAHistoryIsItsOwnersAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	h := openHistory(t, path)
	if err := h.Put(t.Context(), history.Hour, history.Bucket{At: time.Unix(0, 0)}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", filepath.Base(name), info, err)
		}
	}
}

func TestAHistoryThatWasDeletedBeginsAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	h := openHistory(t, path)
	if err := h.Put(t.Context(), history.Hour, history.Bucket{At: time.Unix(0, 0)}); err != nil {
		t.Fatal(err)
	}
	h.Close()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	got, err := openHistory(t, path).Buckets(t.Context(), history.Hour, time.Unix(0, 0), time.Unix(1, 0))
	if err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

// What other programs and newer ones keep is left as it is.
func TestAHistoryOfSomebodyElseIsRefusedUntouched(t *testing.T) {
	for name, c := range map[string]struct {
		make func(t *testing.T, path string)
		says string
	}{
		"another program's": {func(t *testing.T, path string) { raw(t, path, `CREATE TABLE a (x)`) }, "not a history"},
		"a read store":      {func(t *testing.T, path string) { open(t, path).Close() }, "not a history"},
		"no database":       {func(t *testing.T, path string) { write(t, path, strings.Repeat("no database at all ", 100)) }, "not a history"},
		"a newer layout": {func(t *testing.T, path string) {
			openHistory(t, path).Close()
			raw(t, path, `PRAGMA user_version = 99`)
		}, "newer Headway"},
	} {
		path := filepath.Join(t.TempDir(), "history.db")
		c.make(t, path)
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = sqlite.OpenHistory(t.Context(), path)
		if fault.KindOf(err) != fault.Refused || err == nil || !strings.Contains(fault.Sentence(err), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
			t.Errorf("%s was changed; %v", name, err)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A file of every layout there ever was is opened, and goes on. What is written here was made by that layout, and stays as it is.
func TestHistoriesOfEveryLayoutGoOn(t *testing.T) {
	for layout, statements := range [][]string{
		1: {
			`PRAGMA application_id = 1214543720`,
			`CREATE TABLE buckets (step TEXT NOT NULL, at INTEGER NOT NULL, bucket TEXT NOT NULL, PRIMARY KEY (step, at)) STRICT, WITHOUT ROWID`,
			`INSERT INTO buckets VALUES ('minute', 1793610000, '{"events":[{"type":"OrderCreated","schema":2,"n":40}],` +
				`"projections":{"order_list":{"lagEvents":3,"lagMs":1500,"rate":12.5,"holds":1,"batchMs":8}}}')`,
			`INSERT INTO buckets VALUES ('hour', 1793610000, '{"events":[]}')`,
			`PRAGMA user_version = 1`,
		},
	} {
		if statements == nil {
			continue
		}
		path := filepath.Join(t.TempDir(), "history.db")
		raw(t, path, statements...)
		h := openHistory(t, path)
		at := time.Unix(1793610000, 0).UTC()
		kept := history.Bucket{At: at}
		kept.Count(history.EventType{Name: "OrderCreated", Schema: 2}, 40)
		kept.See("order_list", history.Sample{LagEvents: 3, Lag: 1500 * time.Millisecond, Rate: 12.5, Holds: 1, Batch: 8 * time.Millisecond})
		next := history.Bucket{At: at.Add(time.Minute)}
		if err := h.Put(t.Context(), history.Minute, next); err != nil {
			t.Fatal(err)
		}
		for step, want := range map[history.Step][]history.Bucket{history.Minute: {kept, next}, history.Hour: {{At: at}}} {
			if got, err := h.Buckets(t.Context(), step, at, at.Add(time.Hour)); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("layout %d, %s: %+v, not %+v; %v", layout, step, got, want, err)
			}
		}
	}
}
