package sqlite

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"headway/eventstore"
	"headway/fault"
)

func kept(id eventstore.StreamID, version int) *command {
	return &command{
		ended: func() error { return nil }, stream: id, answered: make(chan answer, 1),
		snapshot: &eventstore.Snapshot{Stream: id, Version: version, Data: []byte("x")},
	}
}

// Snapshots share a transaction with commands, and neither is in the other's way: each has its own answer.
func TestSnapshotsInABatch(t *testing.T) {
	w := newWriter(t)
	m := metadata()
	answers := answersOf(t, w, kept(stream("a"), 7), newCommand(t, stream("a"), 0, m, "x"), kept(stream("a"), 5), newCommand(t, stream("a"), 0, metadata(), "y"), kept(stream("b"), 1))
	for i, want := range []fault.Kind{0, 0, 0, fault.Conflict, 0} {
		if err := answers[i].err; (err != nil) != (want != 0) || (err != nil && fault.KindOf(err) != want) {
			t.Errorf("answer %d is %v", i, err)
		}
	}
	var version, all int
	if err := w.conn.QueryRowContext(t.Context(), `SELECT (SELECT version FROM snapshots WHERE aggregateId = 'a'), count(*) FROM snapshots`).
		Scan(&version, &all); err != nil || version != 7 || all != 2 {
		t.Errorf("there are %d snapshots, and that of a is at %d, %v", all, version, err)
	}
}

// A file from before there were snapshots has them once it is opened; one whose snapshots are all gone is as good.
func TestFileWithoutSnapshots(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.db")
	s, err := Open(path, Options{Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.writer.conn.ExecContext(t.Context(), `DROP TABLE snapshots`); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if s, err = Open(path, Options{}); err != nil {
			t.Fatal(err)
		}
		found, err := s.LoadSnapshot(t.Context(), stream("a"))
		if err != nil || found.Version != 0 {
			t.Errorf("there is version %d, %v", found.Version, err)
		}
		err = s.SaveSnapshot(t.Context(), eventstore.Snapshot{Stream: stream("a"), Version: 3, Data: []byte("x")}, 0)
		if found, again := s.LoadSnapshot(t.Context(), stream("a")); err != nil || again != nil || found.Version != 3 {
			t.Errorf("there is version %d, %v", found.Version, errors.Join(err, again))
		}
		_, err = s.writer.conn.ExecContext(t.Context(), `DELETE FROM snapshots`)
		if err = errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
	}
}
