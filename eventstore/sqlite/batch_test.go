package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	driver "modernc.org/sqlite"

	"headway/eventstore"
	"headway/fault"
	"headway/internal/sqlitefile"
)

// The tests of this file are inside, to say exactly which commands share a transaction.

// newWriter is a writer without its goroutine: the test calls answer.
func newWriter(t *testing.T) *writer {
	t.Helper()
	w := &writer{path: filepath.Join(t.TempDir(), "events.db"), clock: time.Now}
	if err := errors.Join(sqlitefile.Create(w.path), w.connect()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.disconnect(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func metadata() eventstore.Metadata {
	id := uuid.NewString()
	return eventstore.Metadata{CausationID: id, CorrelationID: id, CommandHash: id, Timestamp: time.Unix(1e9, 0)}
}

// stream is an order's.
func stream(id string) eventstore.StreamID {
	return eventstore.StreamID{Category: eventstore.FirstCategory, ID: id}
}

func newCommand(t *testing.T, id eventstore.StreamID, expect int, m eventstore.Metadata, reasons ...string) *command {
	t.Helper()
	var events []eventstore.NewEvent
	for _, reason := range reasons {
		events = append(events, eventstore.NewEvent{Type: "OrderCancelled", Schema: 2, Data: []byte(`{"reason":"` + reason + `"}`)})
	}
	c, err := new(Store).command(id, expect, m, events)
	if err != nil {
		t.Fatal(err)
	}
	c.ended = func() error { return nil }
	return c
}

// answersOf runs one transaction.
func answersOf(t *testing.T, w *writer, batch ...*command) []answer {
	t.Helper()
	w.answer(append([]*command(nil), batch...))
	answers := make([]answer, len(batch))
	for i, c := range batch {
		select {
		case answers[i] = <-c.answered:
		default:
			t.Fatalf("command %d has no answer", i)
		}
	}
	return answers
}

func checkLength(t *testing.T, w *writer, id eventstore.StreamID, want int) {
	t.Helper()
	db, err := sql.Open("sqlite", sqlitefile.Address(w.path, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n, newest int
	err = db.QueryRow(`SELECT count(*), coalesce(max(version), 0) FROM events WHERE aggregateId = ?`, id.Key()).Scan(&n, &newest)
	if err != nil || n != want || newest != want {
		t.Errorf("stream %s has %d events up to version %d, want %d (%v)", id, n, newest, want, err)
	}
}

// In one transaction, each command gets its own answer, and none touches another.
func TestNeighboursInOneTransaction(t *testing.T) {
	w := newWriter(t)
	w.clock = func() time.Time { return time.Unix(1.7e9, 0) } // stands still
	old := metadata()
	if got := answersOf(t, w, newCommand(t, stream("old"), 0, old, "x")); got[0].err != nil {
		t.Fatal(got[0].err)
	}
	ended := newCommand(t, stream("b"), 0, metadata(), "x")
	ended.ended = func() error { return context.Canceled }
	same := metadata()
	other := same
	other.CommandHash = "another"
	notAllowed := newCommand(t, stream("c"), 0, metadata(), "x", "y", "z")
	notAllowed.records[2].Metadata.Timestamp = time.Date(10_001, 1, 1, 0, 0, 0, 0, time.UTC)

	cases := []struct {
		command *command
		version int        // of the last record, or
		kind    fault.Kind // of the error, or
		err     error
	}{
		{command: newCommand(t, stream("a"), 0, metadata(), "x", "y"), version: 2},
		{command: newCommand(t, stream("old"), 0, metadata(), "x"), kind: fault.Conflict},
		{command: ended, err: context.Canceled},
		{command: notAllowed, kind: fault.Internal},
		{command: newCommand(t, stream("d"), 0, same, "x"), version: 1},
		{command: newCommand(t, stream("d"), 0, same, "x"), version: 1},
		{command: newCommand(t, stream("d"), 0, other, "x"), kind: fault.Invalid},
		{command: newCommand(t, stream("d"), 1, metadata(), "x", "y"), version: 3}, // follows what is not committed yet
		{command: newCommand(t, stream("old"), 9, old, "x"), version: 1},
		{command: newCommand(t, stream("e"), 0, metadata(), "x", "y"), version: 2},
	}
	var batch []*command
	for _, c := range cases {
		batch = append(batch, c.command)
	}
	for i, got := range answersOf(t, w, batch...) {
		c := cases[i]
		switch {
		case c.err != nil && !errors.Is(got.err, c.err),
			c.kind != 0 && fault.KindOf(got.err) != c.kind,
			(c.kind != 0 || c.command == notAllowed) && got.err == nil,
			c.version != 0 && (got.err != nil || got.records[len(got.records)-1].Version != c.version):
			t.Errorf("command %d got %d records, %v", i, len(got.records), got.err)
		}
	}
	for id, want := range map[eventstore.StreamID]int{stream("a"): 2, stream("b"): 0, stream("c"): 0, stream("d"): 3, stream("e"): 2, stream("old"): 1} {
		checkLength(t, w, id, want)
	}
	var backwards int
	err := w.conn.QueryRowContext(t.Context(), `SELECT count(*) FROM events AS a JOIN events AS b ON b.seq = a.seq + 1
		WHERE b.storedAt <= a.storedAt`).Scan(&backwards)
	if err != nil || backwards != 0 {
		t.Errorf("%d events are not stored after the one before them (%v)", backwards, err)
	}
}

// When the transaction fails, every command of it is Unavailable, nothing of it is stored, and the next transaction works.
func TestTransactionFails(t *testing.T) {
	large := strings.Repeat("x", 200_000)
	for name, spoil := range map[string]func(t *testing.T, w *writer) (mend func()){
		"the disk is full": func(t *testing.T, w *writer) func() {
			mustExec(t, w.conn, `PRAGMA max_page_count = 1`) // means: as many as there are; the next connection has no limit
			return func() {}
		},
		"another process keeps the file": func(t *testing.T, w *writer) func() {
			mustExec(t, w.conn, `PRAGMA busy_timeout = 10`)
			db, err := sql.Open("sqlite", sqlitefile.Address(w.path, ""))
			if err != nil {
				t.Fatal(err)
			}
			conn, err := db.Conn(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			mustExec(t, conn, `BEGIN IMMEDIATE`)
			return func() {
				if err := errors.Join(conn.Close(), db.Close()); err != nil {
					t.Error(err)
				}
			}
		},
		"the disk refuses the commit": func(t *testing.T, w *writer) func() {
			info, err := os.Stat(w.path + "-wal")
			if err != nil {
				t.Fatal(err)
			}
			signal.Ignore(syscall.SIGXFSZ)
			var before syscall.Rlimit
			err = syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before)
			tight := before
			tight.Cur = uint64(info.Size())
			if err := errors.Join(err, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &tight)); err != nil {
				t.Fatal(err)
			}
			return func() {
				if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
					t.Fatal(err)
				}
				signal.Reset(syscall.SIGXFSZ)
			}
		},
		"the connection is lost": func(t *testing.T, w *writer) func() {
			if err := w.conn.Close(); err != nil {
				t.Fatal(err)
			}
			return func() {}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWriter(t)
			if got := answersOf(t, w, newCommand(t, stream("old"), 0, metadata(), "x")); got[0].err != nil {
				t.Fatal(got[0].err)
			}
			mend := spoil(t, w)
			commands := []*command{
				newCommand(t, stream("a"), 0, metadata(), "x"), newCommand(t, stream("b"), 0, metadata(), large),
				newCommand(t, stream("old"), 0, metadata(), "a conflict that nobody may hear of"), newCommand(t, stream("c"), 0, metadata(), "x"),
			}
			for i, got := range answersOf(t, w, commands...) {
				if fault.KindOf(got.err) != fault.Unavailable || fault.Sentence(got.err) != unwritable {
					t.Errorf("command %d got %v", i, got.err)
				}
			}
			mend()
			for _, id := range []eventstore.StreamID{stream("a"), stream("b"), stream("c")} {
				checkLength(t, w, id, 0)
			}
			for i, got := range answersOf(t, w, commands[0], commands[1], commands[3]) {
				if got.err != nil {
					t.Errorf("command %d, sent again, got %v", i, got.err)
				}
			}
			checkLength(t, w, stream("b"), 1)
		})
	}
}

// A transaction that does not fit into the cache goes to the log before its end, is read back from there, and is stored whole.
func TestLargerThanTheCache(t *testing.T) {
	w := newWriter(t)
	mustExec(t, w.conn, `PRAGMA cache_size = 5`)
	var batch []*command
	for i := range 60 {
		id := stream(fmt.Sprint(i % 20))
		batch = append(batch, newCommand(t, id, i/20*2, metadata(), strings.Repeat("x", 9000), "y"))
	}
	for i, got := range answersOf(t, w, batch...) {
		if got.err != nil {
			t.Fatalf("command %d: %v", i, got.err)
		}
	}
	var check string
	if err := w.conn.QueryRowContext(t.Context(), `PRAGMA integrity_check`).Scan(&check); err != nil || check != "ok" {
		t.Errorf("the file is %s, %v", check, err)
	}
	for i := range 20 {
		checkLength(t, w, stream(fmt.Sprint(i)), 6)
	}
}

func mustExec(t *testing.T, conn *sql.Conn, query string) {
	t.Helper()
	if _, err := conn.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

// A Close waits for the commands that were accepted, however long the file is busy, and they are stored.
func TestCloseDrains(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	other, err := sql.Open("sqlite", sqlitefile.Address(path, ""))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := other.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, conn, `BEGIN IMMEDIATE`)
	var all sync.WaitGroup
	for i := range 5 {
		c := newCommand(t, stream("a"), i, metadata(), "x")
		if err := s.queue.put(c); err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			if got := <-c.answered; got.err != nil {
				t.Errorf("an accepted command got %v", got.err)
			}
		})
	}
	all.Go(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		select {
		case <-s.writer.stopped:
		default:
			t.Error("the writer still works after Close")
		}
	})
	for closed := false; !closed; time.Sleep(time.Millisecond) {
		s.queue.mu.Lock()
		closed = s.queue.closed
		s.queue.mu.Unlock()
	}
	mustExec(t, conn, `ROLLBACK`)
	all.Wait()
	if err := errors.Join(conn.Close(), other.Close()); err != nil {
		t.Error(err)
	}
	checkLength(t, &writer{path: path}, stream("a"), 5)
}

// Every commit is synced: the settings that make SQLite do it hold on the connection that writes, and readers cannot write.
func TestConnections(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "events.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for pragma, want := range map[string]string{
		"synchronous": "2", "journal_mode": "wal", "fullfsync": "1", "checkpoint_fullfsync": "1", "busy_timeout": "5000",
		"journal_size_limit": "67108864", "wal_autocheckpoint": "4000", "query_only": "0",
	} {
		var got string
		if err := s.writer.conn.QueryRowContext(t.Context(), `PRAGMA `+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("the writer's %s is %s, want %s (%v)", pragma, got, want, err)
		}
	}
	if runtime.GOOS == "linux" && !driver.FdatasyncEnabled() {
		t.Error("a commit waits for more than what it needs to be read again")
	}
	if _, err := s.readers.Exec(`INSERT INTO events (aggregateId, version, eventType, schemaVersion) VALUES ('a', 1, 'x', 2)`); err == nil {
		t.Error("a reader wrote")
	}
}

// A transaction and the queue are bounded, in commands and in bytes, and the queue says no at once.
func TestQueue(t *testing.T) {
	big := func() *command { return &command{bytes: MaxBatchBytes/2 + 1} }
	for name, c := range map[string]struct {
		next  func() *command
		fit   int // commands the queue takes
		batch int // commands the first transaction takes
	}{
		"small commands": {func() *command { return &command{bytes: 1} }, MaxQueue, MaxBatch},
		"big commands":   {big, MaxQueueBytes / (MaxBatchBytes/2 + 1), 2},
	} {
		t.Run(name, func(t *testing.T) {
			q := newQueue()
			for i := range c.fit {
				if err := q.put(c.next()); err != nil {
					t.Fatalf("command %d: %v", i, err)
				}
			}
			if err := q.put(c.next()); fault.KindOf(err) != fault.Unavailable || fault.Sentence(err) != queueIsFull {
				t.Errorf("one more got %v", err)
			}
			if got := len(q.take()); got != c.batch {
				t.Errorf("the first transaction takes %d, want %d", got, c.batch)
			}
			if err := q.put(c.next()); err != nil {
				t.Errorf("with room again: %v", err)
			}
			q.close()
			if err := q.put(c.next()); fault.Sentence(err) != storeIsClosed {
				t.Errorf("a closed queue answers %v", err)
			}
			left := c.fit - c.batch + 1
			for batch := q.take(); len(batch) > 0; batch = q.take() {
				left -= len(batch)
			}
			if left != 0 || q.bytes != 0 {
				t.Errorf("after closing, %d commands and %d bytes are left", left, q.bytes)
			}
		})
	}
}
