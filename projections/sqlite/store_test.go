package sqlite_test

import (
	"path/filepath"
	"testing"

	"headway/projections"
	"headway/projections/readtest"
	"headway/projections/sqlite"
)

func TestStoreKeepsItsContract(t *testing.T) {
	readtest.Run(t, func(t *testing.T) readtest.Place {
		path := filepath.Join(t.TempDir(), "read.db")
		return readtest.Place{Open: func(t *testing.T) projections.Store {
			t.Helper()
			s, err := sqlite.Open(path, sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}}
	})
}
