// Command lock keeps everybody else from writing to a read store's file, as another program may, until its standard input ends: lock
// DATA-FOLDER. It prints a line once it has the lock.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "lock:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("want a data folder, not %q", args)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(args[0], "read.db")+"?mode=rw&_pragma=busy_timeout(10000)&_txlock=exclusive")
	if err != nil {
		return err
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "locked")
	_, err = io.Copy(io.Discard, in)
	if rollback := tx.Rollback(); err == nil {
		err = rollback
	}
	return err
}
