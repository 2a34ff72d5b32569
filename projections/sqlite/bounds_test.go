package sqlite

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	driver "modernc.org/sqlite"

	"headway/projections"
)

// filled is a store whose writer has written so many bytes, in steps of a megabyte, each a transaction; after each, done is called.
func filled(t *testing.T, megabytes int, done func(s *Store, path string)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "read.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.writer.ExecContext(t.Context(), `CREATE TABLE filler (n INTEGER PRIMARY KEY, b BLOB)`); err != nil {
		t.Fatal(err)
	}
	for n := range megabytes {
		if _, err := s.writer.ExecContext(t.Context(), `INSERT OR REPLACE INTO filler VALUES (?, zeroblob(1 << 20))`, n%64); err != nil {
			t.Fatal(err)
		}
		done(s, path)
	}
}

// The log does not grow with what is written: once it has its pages, it is moved into the file and begun again.
func TestTheLogIsMovedIntoTheFile(t *testing.T) {
	const frame, batch = 4096 + 24, 300 * 4096 // a page in the log; what one transaction here writes at most
	var most int64
	filled(t, 3*logPages>>8, func(_ *Store, path string) {
		info, err := os.Stat(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, info.Size())
	})
	if most > logPages*frame+batch {
		t.Errorf("the log has grown to %d bytes; %d pages are %d", most, logPages, logPages*frame)
	}
	if most < logPages*frame/2 {
		t.Errorf("the log had at most %d bytes: the same pages are moved again and again", most)
	}
}

// Most of the log is moved beside the commits, so that the one which finds it at its full length has little left to do.
func TestTheLogIsMovedBesideTheCommits(t *testing.T) {
	const megabytes = 2 * movedPages >> 8
	n := 0
	filled(t, megabytes, func(s *Store, _ string) {
		if n++; n < megabytes {
			return
		}
		if log, moved, err := s.mover.checkpoint("NOOP"); err != nil || log-moved < 2*movedPages {
			t.Fatalf("%d of %d pages are moved, %v", moved, log, err)
		}
		if err := s.Beat(t.Context(), projections.State{Key: projections.KeyOf(projections.OrderList)}); err != nil {
			t.Fatal(err)
		}
		for began := time.Now(); ; {
			log, moved, err := s.mover.checkpoint("NOOP")
			if err != nil || time.Since(began) > 10*time.Second {
				t.Fatalf("%d of %d pages are moved, %v", moved, log, err)
			}
			if log-moved < movedPages {
				return
			}
		}
	})
}

// A log at its full length is left to the commit that waits for all of it, or it would grow as long as it is written.
func TestAFullLogIsLeftToTheCommit(t *testing.T) {
	for _, c := range []struct {
		log, moved int
		want       bool
	}{{movedPages - 1, 0, false}, {movedPages, 0, true}, {movedPages + 9, 10, false}, {logPages - 1, logPages / 2, true}, {logPages, 0, false}} {
		if got := due(c.log, c.moved); got != c.want {
			t.Errorf("%d of %d pages are moved, and more are: %t", c.moved, c.log, got)
		}
	}
}

// What writing keeps in memory does not grow with the file.
func TestTheWriterKeepsSoManyPages(t *testing.T) {
	most := 0
	filled(t, 4*writerCache>>20, func(s *Store, _ string) { most = max(most, cached(t, s.writer)) })
	// SQLite counts what belongs to a page, and a batch may exceed the cache while it is written.
	if limit := writerCache * 5 / 4; most > limit || most < writerCache/2 {
		t.Errorf("the writer keeps %d bytes of pages, and may keep %d", most, limit)
	}
}

// cached is how many bytes of pages the connection of a pool keeps.
func cached(t *testing.T, db *sql.DB) (bytes int) {
	t.Helper()
	conn, err := db.Conn(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Raw(func(c any) (err error) {
		bytes, _, err = c.(driver.DBStatus).Status(driver.DBStatusCacheUsed, false)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return bytes
}
