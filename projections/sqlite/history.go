package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	codes "modernc.org/sqlite/lib"

	"headway/fault"
	"headway/internal/sqlitefile"
	"headway/projections/history"
)

const (
	historyID    = 0x48647768 // "Hdwh" in the header of the file
	historyConns = 2          // one that writes once a minute, and one that reads meanwhile
)

// historySteps lead from one layout to the next; their number is the layout, the file's user_version. A step that was once released is
// never changed: what is kept cannot be made again.
//
// at is seconds since 1970; bucket is what history.Encode says.
func historySteps() []string {
	return []string{
		`CREATE TABLE buckets (
			step   TEXT    NOT NULL,
			at     INTEGER NOT NULL,
			bucket TEXT    NOT NULL,
			PRIMARY KEY (step, at)
		) STRICT, WITHOUT ROWID`,
	}
}

// History is a history.Store on one SQLite file. Several processes may use the file.
type History struct{ db *sql.DB }

var _ history.Store = (*History)(nil)

// HistoryPath is where the history of a read store lies: beside it, as history.db if that is read.db.
func HistoryPath(read string) string {
	folder, name := filepath.Split(read)
	if name == "read.db" {
		return folder + "history.db"
	}
	extension := filepath.Ext(name)
	return folder + strings.TrimSuffix(name, extension) + "-history" + extension
}

// OpenHistory opens the file, or makes it, readable by its owner only, and brings it to today's layout. Refused if the file is something
// else, is damaged, or belongs to a newer Headway.
func OpenHistory(ctx context.Context, path string) (*History, error) {
	if err := sqlitefile.Create(path); err != nil {
		return nil, fault.Unreachable(err, "The history %s cannot be created.", path)
	}
	db, err := sql.Open("sqlite", sqlitefile.Address(path, "immediate", "synchronous(full)"))
	if err == nil {
		db.SetMaxOpenConns(historyConns)
		if err = prepareHistory(ctx, db, path); err == nil {
			return &History{db}, nil
		}
		err = errors.Join(err, db.Close())
	}
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return nil, e
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case sqlitefile.HasCode(err, codes.SQLITE_NOTADB):
		return nil, &fault.Error{Kind: fault.Refused, Message: path + " is not a history of Headway.", Cause: err}
	case sqlitefile.HasCode(err, codes.SQLITE_CORRUPT):
		return nil, &fault.Error{
			Kind: fault.Refused, Message: path + " is damaged. Delete it: what was counted is lost, and nothing else.", Cause: err,
		}
	}
	return nil, fault.Unreachable(err, "The history %s cannot be opened.", path)
}

// prepareHistory takes the steps that the file lacks.
func prepareHistory(ctx context.Context, db *sql.DB, path string) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if application, _, tables, err := inspect(ctx, conn); err != nil {
		return err
	} else if application != historyID && (application != 0 || tables != 0) {
		return fault.Errorf(fault.Refused, "%s is not a history of Headway.", path)
	}
	if err := sqlitefile.UseLog(ctx, conn); err != nil {
		return err
	}
	tx, err := conn.BeginTx(ctx, nil) // from here on no other process changes it
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after the commit it is nothing
	var layout int
	if err := tx.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&layout); err != nil {
		return err
	}
	steps := historySteps()
	if layout > len(steps) {
		return fault.Errorf(fault.Refused, "%s belongs to a newer Headway: its layout is %d, and this one knows %d.", path, layout, len(steps))
	}
	for _, step := range steps[layout:] {
		if _, err := tx.ExecContext(ctx, step); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA application_id = %d; PRAGMA user_version = %d`, historyID, len(steps))); err != nil {
		return err
	}
	return tx.Commit()
}

// Close is history.Store's.
func (h *History) Close() error { return h.db.Close() }

// Put is history.Store's.
func (h *History) Put(ctx context.Context, step history.Step, buckets ...history.Bucket) error {
	if err := history.CheckPut(step, buckets); err != nil {
		return err
	}
	return failed(ctx, h.put(ctx, step, buckets))
}

func (h *History) put(ctx context.Context, step history.Step, buckets []history.Bucket) error {
	tx, err := h.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after the commit it is nothing
	insert, err := tx.PrepareContext(ctx, `INSERT INTO buckets (step, at, bucket) VALUES (?, ?, ?)
		ON CONFLICT (step, at) DO UPDATE SET bucket = excluded.bucket`)
	if err != nil {
		return err
	}
	defer insert.Close()
	for _, b := range buckets {
		text, err := history.Encode(b)
		if err != nil {
			return err
		}
		if _, err := insert.ExecContext(ctx, string(step), b.At.Unix(), string(text)); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// Buckets is history.Store's.
func (h *History) Buckets(ctx context.Context, step history.Step, from, to time.Time) ([]history.Bucket, error) {
	rows, err := h.db.QueryContext(ctx, `SELECT at, bucket FROM buckets WHERE step = ? AND at >= ? AND at < ? ORDER BY at LIMIT ?`,
		string(step), history.Seconds(from), history.Seconds(to), history.MaxBuckets)
	all, err := collect(rows, err, func(rows *sql.Rows) (history.Bucket, error) {
		var at int64
		var text []byte
		if err := rows.Scan(&at, &text); err != nil {
			return history.Bucket{}, err
		}
		return history.Decode(time.Unix(at, 0), text)
	})
	return all, failed(ctx, err)
}

// Forget is history.Store's.
func (h *History) Forget(ctx context.Context, step history.Step, before time.Time) error {
	_, err := h.db.ExecContext(ctx, `DELETE FROM buckets WHERE step = ? AND at < ?`, string(step), history.Seconds(before))
	return failed(ctx, err)
}
