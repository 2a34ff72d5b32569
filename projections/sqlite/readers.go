package sqlite

import (
	"context"
	"database/sql"
	"sync"

	"headway/internal/sqlitefile"
)

// The bounds of what reads.
const (
	MaxReaders     = 4   // connections that read; who comes later waits in turn
	KeptStatements = 128 // that stay prepared; any other is prepared each time
)

// reader is a view of the file.
type reader interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// readers are the connections that read. The first statements that come stay prepared: to prepare one of a page takes as long as to run it.
type readers struct {
	*sql.DB
	turns  chan struct{} // one for each connection that is in use; the pool itself serves those who wait in no order
	mu     sync.Mutex
	kept   map[string]*sql.Stmt // nil until it is prepared
	wanted []string             // are to be prepared
}

func openReaders(path string) (*readers, error) {
	db, err := sql.Open("sqlite", sqlitefile.Address(path, "deferred", "query_only(1)", "cache_size(-3000)"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(MaxReaders)
	db.SetMaxIdleConns(MaxReaders)
	return &readers{DB: db, turns: make(chan struct{}, MaxReaders), kept: map[string]*sql.Stmt{}}, nil
}

// snapshot gives one consistent view of the file to read, to those who wait in the order in which they came.
func (s *Store) snapshot(ctx context.Context, read func(tx reader) error) error {
	select {
	case s.readers.turns <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.readers.turns }()
	s.readers.prepare(ctx)
	tx, err := s.readers.BeginTx(ctx, nil)
	if err == nil {
		err = read(view{tx, s.readers})
		_ = tx.Rollback() // nothing was written
	}
	return failed(ctx, err)
}

// readAll reads the rows of one query.
func readAll[T any](ctx context.Context, s *Store, one func(*sql.Rows) (T, error), query string, args ...any) (all []T, err error) {
	err = s.snapshot(ctx, func(tx reader) error {
		rows, err := tx.QueryContext(ctx, query, args...)
		all, err = collect(rows, err, one)
		return err
	})
	return all, err
}

// view is a transaction that only reads.
type view struct {
	tx *sql.Tx
	of *readers
}

// QueryContext is sql.Tx's.
func (v view) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if stmt := v.of.statement(query); stmt != nil {
		return v.tx.StmtContext(ctx, stmt).QueryContext(ctx, args...)
	}
	return v.tx.QueryContext(ctx, query, args...)
}

// QueryRowContext is sql.Tx's.
func (v view) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if stmt := v.of.statement(query); stmt != nil {
		return v.tx.StmtContext(ctx, stmt).QueryRowContext(ctx, args...)
	}
	return v.tx.QueryRowContext(ctx, query, args...)
}

// statement is the prepared one, or nil, and then it will be prepared if there is room.
func (r *readers) statement(query string) *sql.Stmt {
	r.mu.Lock()
	defer r.mu.Unlock()
	stmt, known := r.kept[query]
	if !known && len(r.kept) < KeptStatements {
		r.kept[query] = nil
		r.wanted = append(r.wanted, query)
	}
	return stmt
}

// prepare prepares what was asked for since. It takes a connection, so whoever calls it must hold none. What cannot be prepared says so to
// whoever asks for it.
func (r *readers) prepare(ctx context.Context) {
	r.mu.Lock()
	wanted := r.wanted
	r.wanted = nil
	r.mu.Unlock()
	for _, query := range wanted {
		stmt, err := r.PrepareContext(ctx, query)
		r.mu.Lock()
		if r.kept[query] = stmt; err != nil {
			delete(r.kept, query)
		}
		r.mu.Unlock()
	}
}
