// Package sqlite is the embedded read store: rows, search, holds, checkpoints and states in one file, one transaction a batch.
//
// The file is synced seldom (synchronous = NORMAL): a power cut may lose the last batches, each whole, with the checkpoint it carries.
// That is enough, because a checkpoint is never newer than its rows and rows are made again from the log.
package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	codes "modernc.org/sqlite/lib"

	"headway/fault"
	"headway/internal/sqlitefile"
	"headway/projections"
)

// The bounds of one store.
const (
	MaxSameSecond = 1<<slotBits + 1<<crowdedBits // orders created in one second; one more is held
	idsPerQuery   = 500                          // orders one query names
	writerCache   = 8 << 20                      // bytes of pages that writing may add to what all connections of the process keep together
	logPages      = 16_000                       // of the write-ahead log, after which a commit moves it into the file: a rebuild writes the same pages again and again
	movedPages    = 4_000                        // of it, after which they are moved beside the commits
	rowsPerStep   = 1000                         // rows a walk over everything holds at once
	damaged       = " is damaged. Delete it: it is made again from the events."
	unreachable   = "The read store cannot be reached at the moment. Trying again is safe."
)

// Options of a store. The zero Options are ready to use.
type Options struct {
	Log *slog.Logger // told when rows of another schema are thrown away; nil means nobody is
}

// Store is a projections.Store on one SQLite file. Several processes may use the file; rows never move backwards whoever writes.
type Store struct {
	writer     *sql.DB       // one connection
	turn       chan struct{} // has a token while somebody writes
	statements statements    // of whoever writes
	mover      *mover
	readers    *readers
}

var _ projections.Store = (*Store)(nil)

// Open opens the file, or makes it, readable by its owner only. Rows of another schema are thrown away: the projector makes them again.
// Refused if the file is something else.
func Open(path string, options Options) (*Store, error) {
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if err := unkept(); err != nil {
		return nil, err
	}
	if err := sqlitefile.Create(path); err != nil {
		return nil, fault.Unreachable(err, "The read store %s cannot be created.", path)
	}
	s := &Store{turn: make(chan struct{}, 1), statements: statements{}}
	dropped, err := s.open(path)
	if err != nil {
		err = errors.Join(err, s.Close())
		if e, ok := errors.AsType[*fault.Error](err); ok {
			return nil, e
		}
		if sqlitefile.HasCode(err, codes.SQLITE_NOTADB) {
			return nil, &fault.Error{Kind: fault.Refused, Message: path + " is not a read store of Headway.", Cause: err}
		}
		if sqlitefile.HasCode(err, codes.SQLITE_CORRUPT) {
			return nil, &fault.Error{Kind: fault.Refused, Message: path + damaged, Cause: err}
		}
		return nil, fault.Unreachable(err, "The read store %s cannot be opened.", path)
	}
	if dropped {
		options.Log.Warn("the read store has another schema: its rows are made again", "path", path)
	}
	return s, nil
}

func (s *Store) open(path string) (dropped bool, err error) {
	s.writer, err = sql.Open("sqlite", sqlitefile.Address(path, "immediate", "synchronous(normal)",
		fmt.Sprintf("cache_size(-%d)", writerCache>>10),
		fmt.Sprintf("wal_autocheckpoint(%d)", logPages)))
	if err != nil {
		return false, err
	}
	s.writer.SetMaxOpenConns(1)
	conn, err := s.writer.Conn(context.Background())
	if err != nil {
		return false, err
	}
	defer conn.Close()
	if dropped, err = prepare(context.Background(), conn, path); err != nil {
		return false, err
	}
	if s.mover, err = newMover(path); err != nil {
		return false, err
	}
	s.readers, err = openReaders(path)
	return dropped, err
}

// Close lets go of the file. Closing twice is allowed.
func (s *Store) Close() error {
	var errs []error
	if s.mover != nil {
		errs = append(errs, s.mover.close())
	}
	if s.readers != nil {
		errs = append(errs, s.readers.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.Close()) // the last connection moves the log into the file
	}
	return errors.Join(errs...)
}

// failed says what a caller may know of an error: its own ended context, one of ours, or that the store cannot be reached.
func failed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*projections.RejectedRow](err); ok {
		return e
	}
	return fault.Unreachable(err, unreachable)
}

// list is a list of texts as one parameter, for json_each.
func list[T ~string](texts []T) string {
	b, err := json.Marshal(texts)
	if err != nil {
		return "[]" // strings always encode
	}
	return string(b)
}

// splitWords is the reverse of strings.Join(words, " "), nil for none.
func splitWords(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, " ")
}
