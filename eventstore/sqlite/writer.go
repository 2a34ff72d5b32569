package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"time"

	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"headway/eventstore"
	"headway/fault"
	"headway/internal/sqlitefile"
)

// writer owns the only connection that writes. Its goroutine runs one transaction for each batch of commands, so that many commands
// share one sync of the disk.
type writer struct {
	path    string
	clock   func() time.Time
	stopped chan struct{} // closed when run has returned

	db   *sql.DB
	conn *sql.Conn // nil after a failure, until the next batch connects again; closing it takes back what was not committed
	do   writeStatements
}

// writeStatements are what the writer does. What every command needs goes to the driver itself.
type writeStatements struct {
	begin, commit, lastStored, insert *directStatement
	savepoint, release, rollbackTo    *directStatement
	head, repeats, byID, keep         *sql.Stmt
	toClose                           []func() error
}

func (d *writeStatements) prepare(ctx context.Context, conn *sql.Conn) error {
	for _, p := range []struct {
		to  **directStatement
		sql string
	}{
		{&d.begin, `BEGIN IMMEDIATE`},
		{&d.commit, `COMMIT`},
		{&d.savepoint, `SAVEPOINT command`},
		{&d.release, `RELEASE command`},
		{&d.rollbackTo, `ROLLBACK TO command`},
		{&d.lastStored, `SELECT coalesce((SELECT storedAt FROM events ORDER BY seq DESC LIMIT 1), 0)`},
		{&d.insert, `INSERT INTO events (aggregateId, category, version, eventId, eventType, schemaVersion, storedAt, timestamp, causationId,
			correlationId, userId, seenVersion, commandHash, keyId, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`},
	} {
		stmt, err := prepareDirectly(ctx, conn, p.sql)
		if err != nil {
			return err
		}
		*p.to, d.toClose = stmt, append(d.toClose, stmt.Close)
	}
	for _, p := range []struct {
		to  **sql.Stmt
		sql string
	}{
		{&d.head, `SELECT coalesce(max(version), 0) FROM events WHERE aggregateId = ?`},
		{&d.byID, `SELECT coalesce(max(aggregateId), '') FROM events WHERE causationId = ? AND eventId = ?`},
		{&d.keep, keepSnapshot},
		{&d.repeats, `SELECT ` + columns + ` FROM events INDEXED BY commands WHERE aggregateId = ? AND causationId = ? ORDER BY version`},
	} {
		stmt, err := conn.PrepareContext(ctx, p.sql)
		if err != nil {
			return err
		}
		*p.to, d.toClose = stmt, append(d.toClose, stmt.Close)
	}
	return nil
}

// close has to come before the connection's: a statement of a sql.Conn that stays open keeps the file open and its lock held.
func (d *writeStatements) close() error {
	var errs []error
	for _, stop := range d.toClose {
		errs = append(errs, stop())
	}
	*d = writeStatements{}
	return errors.Join(errs...)
}

// connect opens the connection, makes the schema in a new file, and refuses a file that is not ours.
func (w *writer) connect() error {
	ctx := context.Background()
	// As SQLite is built wherever there is fdatasync: a commit waits for data and size of the log, and not for the time it was changed. It is
	// the process's.
	if _, err := driver.Fdatasync(true); err != nil && !errors.Is(err, driver.ErrFdatasyncUnavailable) {
		return fault.Unreachable(err, "The event store %s cannot be opened.", w.path)
	}
	// Keys are random, so a write touches pages all over the indexes: the cache keeps them. A batch changes more pages than the default lets
	// a savepoint keep in memory: without temp_store each of them would go to a file. The longer the log may grow, the less often is a page
	// that many commits change moved into the file.
	db, err := sql.Open("sqlite", sqlitefile.Address(w.path, "", "synchronous(FULL)", "fullfsync(1)", "checkpoint_fullfsync(1)",
		"temp_store(MEMORY)",
		fmt.Sprintf("cache_size(-%d)", writerCache>>10), fmt.Sprintf("wal_autocheckpoint(%d)", checkpointPages)))
	if err != nil {
		return fault.Unreachable(err, "The event store %s cannot be opened.", w.path)
	}
	conn, err := db.Conn(ctx)
	if err == nil {
		w.db, w.conn = db, conn
		if err = prepareFile(ctx, conn, w.path); err == nil {
			err = w.do.prepare(ctx, conn)
		}
		if err == nil {
			return nil
		}
	}
	err = errors.Join(err, w.disconnect(), db.Close())
	if e, ok := errors.AsType[*driver.Error](err); ok && e.Code()&0xff == codes.SQLITE_NOTADB {
		return &fault.Error{Kind: fault.Refused, Message: w.path + notHeadways, Cause: err}
	}
	if _, ours := errors.AsType[*fault.Error](err); ours {
		return err
	}
	return fault.Unreachable(err, "The event store %s cannot be opened.", w.path)
}

func (w *writer) disconnect() error {
	if w.conn == nil {
		return nil
	}
	err := errors.Join(w.do.close(), w.conn.Close(), w.db.Close())
	w.db, w.conn = nil, nil
	return err
}

// run writes batches until the queue is closed and empty.
func (w *writer) run(q *queue) {
	defer close(w.stopped)
	for batch := q.take(); len(batch) > 0; batch = q.take() {
		w.answer(batch)
		runtime.Gosched() // whoever was just answered may join the next transaction
	}
}

// answer writes one batch and answers each command, none before the commit.
func (w *writer) answer(batch []*command) {
	joined := batch[:0]
	for _, c := range batch {
		if err := c.ended(); err != nil {
			c.answered <- answer{err: err}
			continue
		}
		joined = append(joined, c)
	}
	if len(joined) == 0 {
		return
	}
	answers, err := w.write(joined)
	if err != nil {
		err = w.giveUp(err)
	}
	for i, c := range joined {
		if err != nil {
			c.answered <- answer{err: err}
			continue
		}
		c.answered <- answers[i]
	}
}

// giveUp ends a failed transaction. The connection is not trusted after it: the next batch gets a new one.
func (w *writer) giveUp(cause error) error {
	return fault.Unreachable(errors.Join(cause, w.disconnect()), unwritable)
}

// write runs one transaction. An error means that nothing of the batch is known to be stored.
func (w *writer) write(batch []*command) ([]answer, error) {
	ctx := context.Background()
	if w.conn == nil {
		if err := w.connect(); err != nil {
			return nil, err
		}
	}
	if err := w.conn.Raw(func(any) error { return nil }); err != nil { // it is no longer ours
		return nil, err
	}
	if err := w.do.begin.exec(ctx); err != nil {
		return nil, err
	}
	last, err := w.do.lastStored.number(ctx) // the newest storedAt, whichever process wrote it
	if err != nil {
		return nil, err
	}
	answers := make([]answer, len(batch))
	for i, c := range batch {
		records, err := w.append(ctx, c, &last)
		if _, ours := errors.AsType[*fault.Error](err); err != nil && !ours {
			return nil, err
		}
		answers[i] = answer{records, err}
	}
	if err := w.do.commit.exec(ctx); err != nil {
		return nil, err
	}
	return answers, nil
}

// append adds one command to the transaction, or nothing. An error that is not a fault.Error is the transaction's.
//
// It asks nothing first: the table refuses an event that does not follow its stream, or whose id is known.
func (w *writer) append(ctx context.Context, c *command, last *int64) ([]eventstore.Record, error) {
	if c.snapshot != nil {
		return nil, w.keep(ctx, c.snapshot, c.invalid)
	}
	if c.expect+len(c.records) > eventstore.MaxStreamEvents {
		return w.refuse(ctx, c, nil)
	}
	several := len(c.records) > 1 // one that fails leaves nothing by itself
	if several {
		if err := w.do.savepoint.exec(ctx); err != nil {
			return nil, err
		}
	}
	now := w.clock().UnixMicro()
	stored := *last
	for i := range c.records {
		stored = max(now, stored+1)
		c.records[i].StoredAt = time.UnixMicro(stored).UTC()
		err := w.insert(ctx, &c.records[i])
		if err == nil {
			continue
		}
		if e, ok := errors.AsType[*driver.Error](err); !ok || e.Code()&0xff != codes.SQLITE_CONSTRAINT {
			return nil, err
		}
		if several {
			if err := errors.Join(w.do.rollbackTo.exec(ctx), w.do.release.exec(ctx)); err != nil {
				return nil, err
			}
		}
		return w.refuse(ctx, c, err)
	}
	if several {
		if err := w.do.release.exec(ctx); err != nil {
			return nil, err
		}
	}
	*last = stored
	return c.records, nil
}

func (w *writer) insert(ctx context.Context, r *eventstore.Record) error {
	m := &r.Metadata
	return w.do.insert.exec(ctx, r.Stream.Key(), categoryOf(r.Stream), int64(r.Version), r.EventID, r.EventType, int64(r.SchemaVersion),
		r.StoredAt.UnixMicro(),
		m.Timestamp.UnixMicro(), m.CausationID, m.CorrelationID, m.UserID, int64(m.SeenVersion), m.CommandHash, m.KeyID, r.Data)
}

// refuse says what is wrong with a command of which nothing is stored: its stream is elsewhere, there are too many events, its command id
// was used before, which its event ids show, or it has a value that the table does not allow. A repeat is not refused.
func (w *writer) refuse(ctx context.Context, c *command, cause error) ([]eventstore.Record, error) {
	var head int
	if err := w.do.head.QueryRowContext(ctx, c.stream.Key()).Scan(&head); err != nil {
		return nil, err
	}
	if head != c.expect {
		return w.repeat(ctx, c, head)
	}
	if head+len(c.records) > eventstore.MaxStreamEvents {
		return nil, eventstore.StreamIsFull(head)
	}
	var holder string
	if err := w.do.byID.QueryRowContext(ctx, c.metadata.CausationID, c.records[0].EventID).Scan(&holder); err != nil {
		return nil, err
	}
	switch holder {
	case "":
		return nil, &fault.Error{Kind: fault.Internal, Message: "The event store does not allow this event.", Cause: cause}
	case c.stream.Key():
		return w.repeat(ctx, c, head)
	}
	return nil, eventstore.OtherContent()
}

// repeat answers a command whose stream is not where it expects: its own first result, if it has one.
func (w *writer) repeat(ctx context.Context, c *command, head int) ([]eventstore.Record, error) {
	rows, err := w.do.repeats.QueryContext(ctx, c.stream.Key(), c.metadata.CausationID)
	if err != nil {
		return nil, err
	}
	records, err := scanAll(rows, c.stream)
	switch {
	case err != nil:
		return nil, err
	case len(records) == 0:
		return nil, eventstore.MovedOn(c.expect, head)
	case records[0].Metadata.CommandHash != c.metadata.CommandHash:
		return nil, eventstore.OtherContent()
	}
	return records, nil
}
