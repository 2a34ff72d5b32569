// Command poison writes an event that nobody can apply straight into an event store's file, as a broken program would, so that the
// browser tests can look at an order that is held: poison DATA-FOLDER ORDER-ID.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "poison:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("want a data folder and an order id, not %q", args)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(args[0], "events.db")+"?mode=rw&_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, `INSERT INTO events (aggregateId, version, eventType, schemaVersion, data)
		SELECT aggregateId, max(version) + 1, 'OrderTeleported', 7, '{"to":"<b>Mars</b>"}' FROM events WHERE aggregateId = ?`, args[1])
	return err
}
