package faultydisk_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"headway/internal/faultydisk"
)

var disks = sync.OnceValues(faultydisk.Install)

func open(t *testing.T, folder, synchronous string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(folder, "x.db")+"?_pragma=journal_mode(wal)&_pragma=synchronous("+synchronous+")")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

func insert(t *testing.T, db *sql.DB) {
	t.Helper()
	if _, err := db.Exec(`CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY); INSERT INTO t DEFAULT VALUES`); err != nil {
		t.Fatal(err)
	}
}

func rows(t *testing.T, folder string) (n int) {
	t.Helper()
	if err := open(t, folder, "full").QueryRow(`SELECT count(*) FROM t`).Scan(&n); err != nil {
		return -1
	}
	return n
}

func diskOf(t *testing.T, folder string) *faultydisk.Disk {
	t.Helper()
	d, err := disks()
	if err != nil {
		t.Fatal(err)
	}
	return d.At(folder)
}

// The operation that is to fail does, with SQLite's own code, once or until it is mended; half of a write is there if that is asked for.
func TestFault(t *testing.T) {
	folder := t.TempDir()
	disk := diskOf(t, folder)
	db := open(t, folder, "full")
	insert(t, db)
	for name, c := range map[string]struct {
		fault faultydisk.Fault
		code  int
	}{
		"a write":  {faultydisk.Fault{N: 1, Kinds: faultydisk.Write, Files: faultydisk.Log}, lib.SQLITE_IOERR_WRITE},
		"half one": {faultydisk.Fault{N: 1, Kinds: faultydisk.Write, Files: faultydisk.Log, Half: true}, lib.SQLITE_IOERR_WRITE},
		"no room":  {faultydisk.Fault{N: 1, Kinds: faultydisk.Write, Full: true, Stays: true}, lib.SQLITE_FULL},
		"a sync":   {faultydisk.Fault{N: 1, Kinds: faultydisk.Sync}, lib.SQLITE_IOERR_FSYNC},
	} {
		before := rows(t, folder)
		disk.Break(c.fault)
		_, err := db.Exec(`INSERT INTO t DEFAULT VALUES`)
		if e, ok := errors.AsType[*driver.Error](err); !ok || e.Code() != c.code {
			t.Errorf("%s: %v, want code %d", name, err, c.code)
		}
		if hit := disk.Mend(); hit == 0 {
			t.Errorf("%s: nothing failed", name)
		}
		insert(t, db)
		if after := rows(t, folder); after != before+1 {
			t.Errorf("%s: %d rows, then %d", name, before, after)
		}
	}
	disk.Break(faultydisk.Fault{N: 1 << 20})
	insert(t, db)
	if n := disk.Count(); n == 0 {
		t.Error("nothing was counted")
	}
	if hit := disk.Mend(); hit != 0 {
		t.Error("a fault that did not begin was hit")
	}
}

// A power cut keeps what was synced, whatever the seed; of what was not, not always everything; and what a failed sync has lost, no later
// sync brings back.
func TestPowerCut(t *testing.T) {
	const seeds = 20
	least := func(disk *faultydisk.Disk) int {
		n := 1 << 20
		for seed := range uint64(seeds) {
			after := t.TempDir()
			if err := disk.Cut(seed).Put(after); err != nil {
				t.Fatal(err)
			}
			n = min(n, rows(t, after))
		}
		return n
	}
	folder := t.TempDir()
	disk := diskOf(t, folder)
	db := open(t, folder, "full")
	insert(t, db)
	insert(t, db)
	if n := least(disk); n != 2 {
		t.Errorf("with syncs, as few as %d rows are left of 2", n)
	}
	if _, err := db.Exec(`PRAGMA synchronous = OFF`); err != nil {
		t.Fatal(err)
	}
	insert(t, db)
	if n := least(disk); n != 2 {
		t.Errorf("of one row more without a sync, as few as %d are left", n)
	}
	disk.Break(faultydisk.Fault{N: 1, Kinds: faultydisk.Sync, Files: faultydisk.Log, Half: true})
	for range 20 {
		insert(t, db)
	}
	if _, err := db.Exec(`PRAGMA synchronous = FULL; PRAGMA wal_checkpoint`); err == nil {
		t.Log("SQLite does not tell that a checkpoint failed")
	}
	if disk.Mend() == 0 {
		t.Fatal("no sync failed")
	}
	insert(t, db) // and is synced
	if n := least(disk); n == 24 {
		t.Error("a later sync has brought back what an earlier one lost")
	}
}
