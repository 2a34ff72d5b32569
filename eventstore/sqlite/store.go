package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"headway/eventstore"
	"headway/fault"
	"headway/internal/sqlitefile"
)

// The bounds of one store.
const (
	MaxBatch      = 128      // commands one transaction holds
	MaxBatchBytes = 4 << 20  // event data after which a transaction takes no further command
	MaxQueue      = 1024     // commands that wait for the writer; one more is Unavailable
	MaxQueueBytes = 64 << 20 // event data that waits for the writer; more is Unavailable
	MaxReaders    = 8        // connections that read
	StreamReaders = 8        // further ones, that read one stream each; one who finds none idle waits
	headsPerQuery = 1000
	writerCache   = 8 << 20  // bytes of pages that the writer may add to what all connections of the process keep together
	readerCache   = 1 << 20  // the same of each reader
	walLimit      = 64 << 20 // bytes the log file may keep after a checkpoint

	checkpointPages = 4000 // pages of the log after which a commit moves it into the file: 16 MB
)

// What a person reads when the store cannot do it.
const (
	unreadable    = "The event store cannot be read at the moment. Trying again is safe."
	unwritable    = "The event store cannot be written at the moment. Sending the same command again is safe."
	storeIsClosed = "The event store is closed."
	queueIsFull   = "The event store has too much to do at the moment. Sending the same command again is safe."
)

// Options of a store. The zero Options are ready to use.
type Options struct {
	Clock func() time.Time // says when an event is stored; nil means time.Now
}

// Store is an eventstore.Store on one SQLite file. StoredAt strictly grows over the whole file, so that the order of commits is the
// order of time. A Close answers what was accepted first.
type Store struct {
	queue   *queue
	writer  *writer
	readers *sql.DB
	read    readStatements
	streams *streams
	heads   heads
	log     string // the log's identity

	snapshot *sql.Stmt // finds one

	closing sync.Once
	closed  error
}

var (
	_ eventstore.Store     = (*Store)(nil)
	_ eventstore.Snapshots = (*Store)(nil)
)

// Open opens the file, or makes it, readable by its owner only. It refuses a file that is not an event store, and one that a newer
// Headway wrote. What an interrupted process left behind is on the disk, durably, when Open returns.
func Open(path string, options Options) (*Store, error) {
	if options.Clock == nil {
		options.Clock = time.Now
	}
	if err := sqlitefile.Create(path); err != nil {
		return nil, fault.Unreachable(err, "The event store %s cannot be created.", path)
	}
	w := &writer{path: path, clock: options.Clock, stopped: make(chan struct{})}
	if err := w.connect(); err != nil {
		return nil, err
	}
	s := &Store{queue: newQueue(), writer: w}
	if err := s.openReaders(path); err != nil {
		return nil, errors.Join(err, w.disconnect())
	}
	go w.run(s.queue)
	return s, nil
}

func (s *Store) openReaders(path string) error {
	db, err := sql.Open("sqlite", sqlitefile.Address(path, "", "query_only(1)", fmt.Sprintf("cache_size(-%d)", readerCache>>10)))
	if err == nil {
		db.SetMaxOpenConns(MaxReaders)
		db.SetMaxIdleConns(MaxReaders)
		s.readers = db
		err = s.read.prepare(context.Background(), db)
	}
	if err == nil {
		s.snapshot, err = db.PrepareContext(context.Background(), findSnapshot)
	}
	if err == nil {
		err = db.QueryRowContext(context.Background(), `SELECT id FROM log`).Scan(&s.log)
	}
	if err == nil {
		s.streams, err = openStreams(path)
	}
	if err != nil {
		err = errors.Join(err, closeIfOpen(db))
		return fault.Unreachable(err, "The event store %s cannot be read.", path)
	}
	return nil
}

func closeIfOpen(db *sql.DB) error {
	if db == nil {
		return nil
	}
	return db.Close()
}

// Close takes no further commands, answers those it has taken, and lets go of the file. Closing twice is allowed.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.queue.close()
		<-s.writer.stopped
		// The writer is the last to leave: the last connection moves the log into the file.
		s.closed = errors.Join(s.readers.Close(), s.streams.close(), s.writer.disconnect())
	})
	if s.closed != nil {
		return fault.Unreachable(s.closed, "The event store could not be closed cleanly.")
	}
	return nil
}

// Append is eventstore.Store's. It waits until the transaction that holds the command is on the disk; so do its conflicts. The context
// counts until the command joins a transaction: the context's error means that nothing was stored.
func (s *Store) Append(
	ctx context.Context, id eventstore.StreamID, expect int, m eventstore.Metadata, events ...eventstore.NewEvent,
) ([]eventstore.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c, err := s.command(id, expect, m, events)
	if err != nil {
		return nil, err
	}
	c.ended = ctx.Err
	if err := s.queue.put(c); err != nil {
		return nil, err
	}
	answer := <-c.answered
	return answer.records, answer.err
}

// command makes the records, outside of any transaction.
func (s *Store) command(id eventstore.StreamID, expect int, m eventstore.Metadata, events []eventstore.NewEvent) (*command, error) {
	records, err := eventstore.Records(id, expect, m, events)
	if err != nil {
		return nil, err
	}
	c := &command{stream: id, expect: expect, metadata: records[0].Metadata, records: records, answered: make(chan answer, 1)}
	for _, r := range records {
		c.bytes += len(r.Data)
	}
	return c, nil
}
