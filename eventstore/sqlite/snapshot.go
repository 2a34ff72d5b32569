package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"headway/eventstore"
)

// Snapshots lie beside the events, in the same file, so that a backup holds both of one moment. They are no part of the layout that is
// numbered: a file without them gets the table when it is opened, and an older Headway does not look at it.
const snapshotSchema = `CREATE TABLE IF NOT EXISTS snapshots (
	aggregateId TEXT    PRIMARY KEY,
	version     INTEGER NOT NULL,
	data        BLOB    NOT NULL
) STRICT;
`

const (
	findSnapshot = `SELECT version, data FROM snapshots WHERE aggregateId = ?`
	keepSnapshot = `INSERT INTO snapshots (aggregateId, version, data) VALUES (?, ?, ?) ON CONFLICT (aggregateId)
		DO UPDATE SET version = excluded.version, data = excluded.data WHERE version <= excluded.version OR version = ?`
)

// LoadSnapshot is eventstore.Snapshots'.
func (s *Store) LoadSnapshot(ctx context.Context, id eventstore.StreamID) (eventstore.Snapshot, error) {
	found := eventstore.Snapshot{Stream: id}
	err := s.snapshot.QueryRowContext(ctx, id.Key()).Scan(&found.Version, &found.Data)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return eventstore.Snapshot{}, nil
	case err != nil:
		return eventstore.Snapshot{}, readFailed(ctx, err)
	}
	return found, nil
}

// SaveSnapshot is eventstore.Snapshots'. The snapshot shares a transaction with the commands that wait beside it. A context that ends is
// not waited for: the snapshot may be saved all the same.
func (s *Store) SaveSnapshot(ctx context.Context, snapshot eventstore.Snapshot, invalid int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(snapshot.Data) > eventstore.MaxSnapshotBytes {
		return eventstore.SnapshotTooLarge(snapshot)
	}
	c := &command{
		ended: ctx.Err, stream: snapshot.Stream, bytes: len(snapshot.Data), answered: make(chan answer, 1),
		snapshot: &snapshot, invalid: invalid,
	}
	if err := s.queue.put(c); err != nil {
		return err
	}
	select {
	case answer := <-c.answered:
		return answer.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// keep adds a snapshot to the transaction.
func (w *writer) keep(ctx context.Context, s *eventstore.Snapshot, invalid int) error {
	_, err := w.do.keep.ExecContext(ctx, s.Stream.Key(), s.Version, s.Data, invalid)
	return err
}
