package sqlite_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"headway/eventstore"
	"headway/eventstore/sqlite"
	"headway/fault"
)

func metadata() eventstore.Metadata {
	id := uuid.NewString()
	return eventstore.Metadata{CausationID: id, CorrelationID: id, CommandHash: id}
}

func appendTo(tb testing.TB, s *sqlite.Store, id eventstore.StreamID, expect int) []eventstore.Record {
	tb.Helper()
	records, err := s.Append(context.Background(), id, expect, metadata(), orderCreated())
	must(tb, err)
	return records
}

// Nobody but its owner can read the store's files.
func TestFilesAreTheOwners(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "events.db"), sqlite.Options{})
	appendTo(t, s, stream("a"), 0)
	release, err := sqlite.LockDir(dir)
	must(t, err)
	defer release()
	files, err := os.ReadDir(dir)
	must(t, err)
	if len(files) != 4 { // the file, its log, the log's index, the lock
		t.Errorf("the folder holds %v", files)
	}
	for _, f := range files {
		info, err := f.Info()
		must(t, err)
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has the mode %o", f.Name(), mode)
		}
	}
}

// A path is a path, whatever is in it.
func TestOddPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), `a b?mode=memory&c#d%20é'"`)
	must(t, os.Mkdir(dir, 0o700))
	path := filepath.Join(dir, "events?.db")
	s := open(t, path, sqlite.Options{})
	appendTo(t, s, stream("a"), 0)
	must(t, s.Close())
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		t.Errorf("the file is not where it should be: %v, %v", info, err)
	}
	t.Chdir(dir)
	records, err := open(t, "events?.db", sqlite.Options{}).Read(t.Context(), stream("a"), 0)
	if err != nil || len(records) != 1 {
		t.Errorf("by its relative path the store holds %d events, %v", len(records), err)
	}
}

// A closed store has moved its log into the file and holds nothing open.
func TestCloseLetsGo(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "events.db"), sqlite.Options{})
	appendTo(t, s, stream("a"), 0)
	readAll(t, s)
	must(t, s.Close())
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("the folder holds %v, %v", files, err)
	}
	descriptors, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("this system does not list open files")
	}
	for _, d := range descriptors {
		if target, err := os.Readlink(filepath.Join("/proc/self/fd", d.Name())); err == nil && strings.HasPrefix(target, dir) {
			t.Errorf("%s is still open", target)
		}
	}
}

// Many that open a new file at the same time all get it, whole.
func TestOpenAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.db")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			s, err := sqlite.Open(path, sqlite.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := s.Append(context.Background(), stream(uuid.NewString()), 0, metadata(), orderCreated()); err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if _, _, total, err := open(t, path, sqlite.Options{}).Walk(t.Context(), order, "", 1); err != nil || total != 8 {
		t.Errorf("the file holds %d streams, %v", total, err)
	}
}

// A file that is not this program's event store is refused with a sentence, and stays as it is.
func TestRefusedFiles(t *testing.T) {
	for name, c := range map[string]struct {
		make     func(t *testing.T, path string)
		kind     fault.Kind
		sentence string
	}{
		"text": {func(t *testing.T, path string) {
			must(t, os.WriteFile(path, []byte(strings.Repeat("id,sku,quantity\n", 500)), 0o600))
		}, fault.Refused, "is not an event store of Headway"},
		"a database of another program": {func(t *testing.T, path string) {
			db := raw(t, path)
			execSQL(t, db, `CREATE TABLE events (id INTEGER)`)
			must(t, db.Close())
		}, fault.Refused, "is not an event store of Headway"},
		"a newer event store": {func(t *testing.T, path string) {
			must(t, open(t, path, sqlite.Options{}).Close())
			db := raw(t, path)
			execSQL(t, db, `PRAGMA user_version = 4`)
			must(t, db.Close())
		}, fault.Refused, "was written by a newer Headway"},
		"a folder": {func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) }, fault.Unavailable, "cannot be opened"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "events.db")
			c.make(t, path)
			before, _ := os.ReadFile(path)
			s, err := sqlite.Open(path, sqlite.Options{})
			if err == nil {
				must(t, s.Close())
			}
			if sentence := fault.Sentence(err); fault.KindOf(err) != c.kind || !strings.Contains(sentence, c.sentence) {
				t.Errorf("got %v", err)
			}
			if after, _ := os.ReadFile(path); string(after) != string(before) {
				t.Error("the file was changed")
			}
		})
	}
	t.Run("a folder that is missing", func(t *testing.T) {
		_, err := sqlite.Open(filepath.Join(t.TempDir(), "missing", "events.db"), sqlite.Options{})
		if fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.Sentence(err), "cannot be created") {
			t.Errorf("got %v", err)
		}
	})
}

// A stored event never changes, whoever asks, and streams have no gaps.
func TestHistoryStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.db")
	s := open(t, path, sqlite.Options{})
	want := append(appendTo(t, s, stream("a"), 0), appendTo(t, s, stream("a"), 1)...)
	db := raw(t, path)
	const row = ` INTO events (seq, aggregateId, version, eventType, schemaVersion) VALUES `
	for _, statement := range []string{
		`UPDATE events SET data = '{}' WHERE version = 2`, `UPDATE events SET userId = 'me'`,
		`DELETE FROM events`, `DELETE FROM events WHERE version = 2`,
		`INSERT OR REPLACE` + row + `(NULL, 'a', 2, 'x', 2)`, `REPLACE` + row + `(1, 'b', 1, 'x', 2)`,
		`INSERT OR REPLACE` + row + `(2, 'a', 3, 'x', 2)`,
		`INSERT` + row + `(NULL, 'a', 2, 'x', 2) ON CONFLICT DO UPDATE SET data = NULL`,
		`INSERT` + row + `(NULL, 'a', 4, 'x', 2)`, `INSERT` + row + `(NULL, 'b', 2, 'x', 2)`, `INSERT` + row + `(NULL, 'b', 0, 'x', 2)`,
		`INSERT` + row + `(9223372036854775807, 'b', 1, 'x', 2)`, `INSERT` + row + `(-7, 'b', 1, 'x', 2)`, `INSERT` + row + `(0, 'b', 1, 'x', 2)`,
	} {
		if _, err := db.Exec(statement); err == nil {
			t.Errorf("%s was allowed", statement)
		}
	}
	if got := readAll(t, s); len(got) != 2 || string(got[0].Data) != string(want[1].Data) || got[1].EventID != want[0].EventID {
		t.Errorf("history is now %v", got)
	}
}

func readAll(t *testing.T, s *sqlite.Store) []eventstore.Record {
	t.Helper()
	records, _, err := s.ByType(t.Context(), order, "", "", 0)
	must(t, err)
	return records
}

// What a person writes into the table by hand, however little or strange, is seen by every path.
func TestWrittenByHand(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.db")
	s := open(t, path, sqlite.Options{})
	appendTo(t, s, stream("a"), 0)
	_, cursor, err := s.Feed(t.Context(), order, eventstore.Whole, "", 9)
	must(t, err)
	db := raw(t, path)
	execSQL(t, db, `INSERT INTO events (aggregateId, version, eventType, schemaVersion) VALUES ('a', 2, 'Poison', -7)`)
	execSQL(t, db, `INSERT INTO events (aggregateId, version, eventType, schemaVersion, data) VALUES ('b', 1, '', 2, '{"text":1}'), ('b', 2, 'é', 2, 12),
		('b', 3, 'x', 2, x'00ff'), ('', 1, 'x', 9223372036854775807, 1.5)`)

	for id, want := range map[string][]string{"b": {`{"text":1}`, "12", "\x00\xff"}, "": {"1.5"}} {
		records, err := s.Read(t.Context(), stream(id), 0)
		must(t, err)
		for i, r := range records {
			if len(records) != len(want) || string(r.Data) != want[i] || r.EventID == "" || r.StoredAt.Year() < 2024 {
				t.Errorf("stream %q reads as %v", id, records)
			}
		}
	}
	heads, next, err := s.Feed(t.Context(), order, eventstore.Whole, cursor, 9)
	if err != nil || len(heads) != 3 || heads[0].Stream != stream("a") || heads[0].Version != 2 || heads[1].Version != 3 {
		t.Errorf("the feed names %v, %v", heads, err)
	}
	if heads, err := s.Heads(t.Context(), stream("a"), stream("b")); err != nil || len(heads) != 2 {
		t.Errorf("the heads are %v, %v", heads, err)
	}
	if heads, _, total, err := s.Walk(t.Context(), order, "", 9); err != nil || total != 3 || len(heads) != 3 {
		t.Errorf("the walk sees %v, %v", heads, err)
	}
	if records := readAll(t, s); len(records) != 6 {
		t.Errorf("the list holds %v", records)
	}
	if got := appendTo(t, s, stream("a"), 2); got[0].Version != 3 {
		t.Errorf("the next event is %v", got)
	}
	if heads, _, err := s.Feed(t.Context(), order, eventstore.Whole, next, 9); err != nil || len(heads) != 1 {
		t.Errorf("the feed goes on with %v, %v", heads, err)
	}
}

// A feed cursor from beyond the end, as after an older backup was put back, is refused and not waited for.
func TestFeedBeyondTheEnd(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "events.db"), sqlite.Options{})
	appendTo(t, s, stream("a"), 0)
	_, ahead, err := s.Feed(t.Context(), order, eventstore.Whole, "", 9)
	must(t, err)
	fresh := open(t, filepath.Join(t.TempDir(), "events.db"), sqlite.Options{})
	if _, _, err := fresh.Feed(t.Context(), order, eventstore.Whole, ahead, 9); fault.KindOf(err) != fault.Malformed {
		t.Errorf("got %v", err)
	}
}

// One server at a time works on a data folder; the second is told which one it is, and may have it afterwards.
func TestLockDir(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		release, err := sqlite.LockDir(dir)
		must(t, err)
		_, err = sqlite.LockDir(dir)
		if sentence := fault.Sentence(err); fault.KindOf(err) != fault.Refused ||
			!strings.HasPrefix(sentence, "Another server (process ") || !strings.Contains(sentence, dir) {
			t.Errorf("the second server got %v", err)
		}
		release()
	}
	if _, err := sqlite.LockDir(filepath.Join(dir, "missing")); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a missing folder got %v", err)
	}
}
