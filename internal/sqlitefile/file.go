// Package sqlitefile is how a SQLite file of ours is made and opened. Only engines use it.
package sqlitefile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"headway/internal/waiting"
)

// BusyTimeout is how long a transaction waits for another process.
const BusyTimeout = 5 * time.Second

// Address is the file as the driver wants it, never created by it: a store that vanished is not an empty one. lock is when a transaction
// takes its lock: deferred, immediate, or as the driver does if it is empty.
func Address(path, lock string, pragmas ...string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	values := url.Values{"mode": {"rw"}}
	if lock != "" {
		values.Set("_txlock", lock)
	}
	values.Add("_pragma", "busy_timeout("+strconv.FormatInt(BusyTimeout.Milliseconds(), 10)+")")
	for _, p := range pragmas {
		values.Add("_pragma", p)
	}
	return (&url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: values.Encode()}).String()
}

// Create makes an empty file that only its owner can read; its write-ahead log inherits that. A file that exists is not even opened:
// closing it would drop the locks that another handle of this process has on it.
func Create(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// UseLog switches to the write-ahead log. The switch ignores the busy timeout, so two processes that open a new file at once may need to
// ask again.
func UseLog(ctx context.Context, conn *sql.Conn) error {
	var mode string
	var err error
	for wait := time.Millisecond; wait < BusyTimeout/2; wait *= 2 {
		if err = conn.QueryRowContext(ctx, `PRAGMA journal_mode = WAL`).Scan(&mode); !HasCode(err, codes.SQLITE_BUSY) {
			break
		}
		if err := waiting.Pause(ctx, wait); err != nil {
			return err
		}
	}
	if err == nil && !strings.EqualFold(mode, "wal") {
		err = fmt.Errorf("journal mode is %q, not wal", mode)
	}
	return err
}

// HasCode tells whether an error is SQLite's with this primary result code.
func HasCode(err error, code int) bool {
	e, ok := errors.AsType[*driver.Error](err)
	return ok && e.Code()&0xff == code
}
