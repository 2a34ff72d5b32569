package sqlitefile_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"sync"
	"testing"

	_ "modernc.org/sqlite"

	"headway/internal/sqlitefile"
)

// A file is made once, for its owner alone, and several may switch it to its log at once; a file that is not there is not made by opening
// it.
func TestAFileIsMadeAndOpened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a ?file.db")
	db, err := sql.Open("sqlite", sqlitefile.Address(path, ""))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Ping(); err == nil {
		t.Error("a file that is not there was opened")
	}
	for range 2 {
		if err := sqlitefile.Create(path); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			db, err := sql.Open("sqlite", sqlitefile.Address(path, "immediate"))
			if err != nil {
				t.Error(err)
				return
			}
			defer db.Close()
			conn, err := db.Conn(context.Background())
			if err == nil {
				defer conn.Close()
				err = sqlitefile.UseLog(context.Background(), conn)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
