package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"headway/domain"
)

// openFile opens a SQLite file as durably as the event store does, on one connection, and believes nothing: it reads the settings back.
func openFile(ctx context.Context, path, schema string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	var mode string
	var level int
	_, err = db.ExecContext(ctx, schema)
	err = errors.Join(err, db.QueryRowContext(ctx, `PRAGMA journal_mode`).Scan(&mode), db.QueryRowContext(ctx, `PRAGMA synchronous`).Scan(&level))
	if err == nil && (mode != "wal" || level != 2) {
		err = fmt.Errorf("the bare file is not durable: journal_mode %s, synchronous %d", mode, level)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// table is the least that keeps streams: one table with one index, and no checks but its uniqueness.
type table struct {
	*sql.DB
	insert *sql.Stmt
	load   *sql.Stmt
	queue  chan *queued // to the group commit, if there is one
	mu     sync.Mutex
}

// queued is one append that a group commit is to take along.
type queued struct {
	rows []row
	done chan error
}

// row is an event on its way into the table.
type row struct {
	stream    string
	version   int
	eventType string
	data      []byte
}

func openTable(ctx context.Context, path string) (*table, error) {
	db, err := openFile(ctx, path, `CREATE TABLE events (seq INTEGER PRIMARY KEY, stream TEXT NOT NULL, version INTEGER NOT NULL,
		type TEXT NOT NULL, ts INTEGER NOT NULL, data BLOB NOT NULL, UNIQUE (stream, version))`)
	if err != nil {
		return nil, err
	}
	t := &table{DB: db}
	t.insert, err = db.PrepareContext(ctx, `INSERT INTO events (stream, version, type, ts, data) VALUES (?, ?, ?, ?, ?)`)
	if err == nil {
		t.load, err = db.PrepareContext(ctx, `SELECT version, type, data FROM events WHERE stream = ? ORDER BY version`)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return t, nil
}

// insertAll stores rows in a transaction of their own. A single INSERT is one.
func (t *table) insertAll(ctx context.Context, rows []row) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(rows) == 1 {
		return put(ctx, t.insert, rows[0])
	}
	return t.transaction(ctx, rows)
}

func (t *table) transaction(ctx context.Context, rows ...[]row) error {
	tx, err := t.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	insert := tx.StmtContext(ctx, t.insert)
	for _, some := range rows {
		for _, r := range some {
			if err := put(ctx, insert, r); err != nil {
				return err
			}
		}
	}
	return tx.Commit()
}

func put(ctx context.Context, insert *sql.Stmt, r row) error {
	_, err := insert.ExecContext(ctx, r.stream, r.version, r.eventType, time.Now().UnixNano(), r.data)
	return err
}

// join has the group commit store rows, and waits for it.
func (t *table) join(_ context.Context, rows []row) error {
	w := &queued{rows, make(chan error, 1)}
	t.queue <- w
	return <-w.done
}

// group starts the group commit: one transaction for all that wait.
func (t *table) group(ctx context.Context) (stop func()) {
	const most = 64
	t.queue = make(chan *queued, 256)
	var ended sync.WaitGroup
	ended.Go(func() {
		for first := range t.queue {
			batch := []*queued{first}
			runtime.Gosched() // whoever was just answered may join
			for more := true; more && len(batch) < most; {
				select {
				case w := <-t.queue:
					batch = append(batch, w)
				default:
					more = false
				}
			}
			rows := make([][]row, len(batch))
			for i, w := range batch {
				rows[i] = w.rows
			}
			err := t.transaction(ctx, rows...)
			for _, w := range batch {
				w.done <- err
			}
		}
	})
	return func() { close(t.queue); ended.Wait() }
}

// rowsOf encodes events as the event store does.
func rowsOf(id domain.OrderID, expect int, events ...domain.Event) ([]row, error) {
	rows := make([]row, len(events))
	for i, e := range events {
		eventType, _, data, err := domain.Codec{}.Encode(e)
		if err != nil {
			return nil, err
		}
		rows[i] = row{string(id), expect + i + 1, eventType, data}
	}
	return rows, nil
}

func (t *table) singly(ctx context.Context, workers int, add func(context.Context, []row) error) func(int) (int, error) {
	all, orders := life(), make(lives, workers)
	return func(worker int) (int, error) {
		id, expect, event := orders.next(worker, all)
		rows, err := rowsOf(id, expect, event)
		if err == nil {
			err = add(ctx, rows)
		}
		return 1, err
	}
}

func (t *table) wholly(ctx context.Context, add func(context.Context, []row) error) func(int) (int, error) {
	all := life()
	return func(int) (int, error) {
		rows, err := rowsOf(newOrder(), 0, all...)
		if err == nil {
			err = add(ctx, rows)
		}
		return len(all), err
	}
}
