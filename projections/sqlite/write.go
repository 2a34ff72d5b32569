package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"headway/domain"
	"headway/eventstore"
	"headway/projections"
)

// Write is projections.Store's: one transaction, so that after a crash the batch is there or it is not.
func (s *Store) Write(ctx context.Context, b projections.Batch) error {
	return s.fenced(ctx, b.Epoch, func(w *write) error { return w.batch(b) })
}

// Beat is projections.Store's.
func (s *Store) Beat(ctx context.Context, state projections.State) error {
	return s.fenced(ctx, state.Epoch, func(w *write) error {
		return w.exec(`INSERT INTO projections (name, generation, part, phase, reason, heartbeatAt, rate, holder) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (name, generation, part) DO UPDATE SET phase = excluded.phase, reason = excluded.reason, heartbeatAt = excluded.heartbeatAt,
				rate = excluded.rate, holder = excluded.holder`,
			state.Projection, state.Generation, state.Part, string(state.Phase), state.Reason, micros(state.HeartbeatAt), state.Rate, state.Holder)
	})
}

// fenced is a transaction of whoever has the lease, or had it in no older epoch. When the context ends, it is undone between two
// statements: a statement that could itself be interrupted costs a goroutine each.
func (s *Store) fenced(ctx context.Context, epoch int64, do func(w *write) error) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.turn }()
	if err := s.statements.prepare(ctx, s.writer); err != nil {
		return failed(ctx, err)
	}
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return failed(ctx, err)
	}
	w := &write{ctx: context.WithoutCancel(ctx), tx: tx, kept: s.statements, own: map[string]*sql.Stmt{}, tally: map[domain.Status]int{}, next: map[int64]int64{}}
	var newer bool
	if newer, err = w.one(`SELECT 1 FROM lease WHERE epoch > ?`, []any{epoch}, new(int)); newer {
		err = projections.Stale()
	}
	if err == nil {
		err = do(w)
	}
	if err != nil {
		return failed(ctx, errors.Join(err, tx.Rollback()))
	}
	err = tx.Commit()
	s.mover.committed()
	return failed(ctx, err)
}

// Discard is projections.Store's: one transaction. A batch of an older epoch is refused from then on.
func (s *Store) Discard(ctx context.Context, epoch int64) error {
	return s.fenced(ctx, epoch, func(w *write) error {
		var l projections.Lease
		if _, err := w.one(`SELECT holder, epoch, renewals, logEpoch FROM lease`, nil, &l.Holder, &l.Epoch, &l.Renewals, &l.LogEpoch); err != nil {
			return err
		}
		err := dropAll(w.ctx, w.tx)
		if err == nil {
			_, err = w.tx.ExecContext(w.ctx, schema())
		}
		if err == nil {
			_, err = w.tx.ExecContext(w.ctx, `UPDATE lease SET holder = ?, epoch = ?, renewals = ?, logEpoch = ?`, l.Holder, l.Epoch, l.Renewals, l.LogEpoch)
		}
		return err
	})
}

// Lease is projections.Store's.
func (s *Store) Lease(ctx context.Context) (l projections.Lease, err error) {
	err = s.snapshot(ctx, func(tx reader) error {
		return tx.QueryRowContext(ctx, `SELECT holder, epoch, renewals, logEpoch FROM lease`).Scan(&l.Holder, &l.Epoch, &l.Renewals, &l.LogEpoch)
	})
	return l, err
}

// SwapLease is projections.Store's.
func (s *Store) SwapLease(ctx context.Context, old, lease projections.Lease) error {
	result, err := s.writer.ExecContext(ctx, `UPDATE lease SET holder = ?, epoch = ?, renewals = ?, logEpoch = ?
		WHERE holder = ? AND epoch = ? AND renewals = ? AND logEpoch = ?`,
		lease.Holder, lease.Epoch, lease.Renewals, lease.LogEpoch, old.Holder, old.Epoch, old.Renewals, old.LogEpoch)
	if err != nil {
		return failed(ctx, err)
	}
	swapped, err := result.RowsAffected()
	if err == nil && swapped == 0 {
		return projections.Stale()
	}
	return failed(ctx, err)
}

// statements are prepared for every transaction from the one after that which used them first. Preparing takes the connection, so it is
// done between transactions. They close with their connection.
type statements map[string]*sql.Stmt

func (s statements) prepare(ctx context.Context, db *sql.DB) error {
	for query, stmt := range s {
		if stmt != nil {
			continue
		}
		stmt, err := db.PrepareContext(ctx, query)
		if err != nil {
			return err
		}
		s[query] = stmt
	}
	return nil
}

// write is one transaction of the writer. It holds the lock from its beginning, so that what it reads stays true until its end.
type write struct {
	ctx   context.Context
	tx    *sql.Tx
	kept  statements
	own   map[string]*sql.Stmt  // as this transaction uses them
	tally map[domain.Status]int // how the number of orders in each status changes
	next  map[int64]int64       // the next free place of a second in a region, by its first number, where that is known
}

func (w *write) prepared(query string) (*sql.Stmt, error) {
	if stmt, ok := w.own[query]; ok {
		return stmt, nil
	}
	if stmt := w.kept[query]; stmt != nil {
		w.own[query] = w.tx.StmtContext(w.ctx, stmt)
		return w.own[query], nil
	}
	stmt, err := w.tx.PrepareContext(w.ctx, query)
	if err == nil {
		w.own[query], w.kept[query] = stmt, nil
	}
	return stmt, err
}

func (w *write) exec(query string, args ...any) error {
	stmt, err := w.prepared(query)
	if err == nil {
		_, err = stmt.ExecContext(w.ctx, args...)
	}
	return err
}

// insert stores one row and answers its number.
func (w *write) insert(query string, args ...any) (no int64, err error) {
	stmt, err := w.prepared(query)
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(w.ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}

// one reads the first row of an answer; found is false if there is none.
func (w *write) one(query string, args []any, into ...any) (found bool, err error) {
	stmt, err := w.prepared(query)
	if err != nil {
		return false, err
	}
	err = stmt.QueryRowContext(w.ctx, args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func (w *write) batch(b projections.Batch) error {
	k, err := keeperOf(b.Projection)
	if err != nil {
		return err
	}
	if err := k.write(w, b.Rows); err != nil {
		return err
	}
	for _, h := range b.Holds {
		if err := w.exec(`INSERT OR REPLACE INTO holds (projection, generation, part, id, version, reason, since) VALUES (?, ?, ?, ?, ?, ?, ?)`,
			b.Projection, b.Generation, b.Part, string(h.OrderID), h.Version, h.Reason, micros(h.Since)); err != nil {
			return err
		}
	}
	for _, id := range b.Released {
		if err := w.exec(`DELETE FROM holds WHERE projection = ? AND generation = ? AND part = ? AND id = ?`,
			b.Projection, b.Generation, b.Part, string(id)); err != nil {
			return err
		}
	}
	if b.Checkpoint == "" {
		return nil
	}
	var stored string
	if _, err := w.one(`SELECT checkpoint FROM projections WHERE name = ? AND generation = ? AND part = ?`,
		[]any{b.Projection, b.Generation, b.Part}, &stored); err != nil {
		return err
	}
	if !b.Continues(eventstore.Cursor(stored)) {
		return projections.Moved()
	}
	return w.exec(`INSERT INTO projections (name, generation, part, checkpoint) VALUES (?, ?, ?, ?)
		ON CONFLICT (name, generation, part) DO UPDATE SET checkpoint = excluded.checkpoint`, b.Projection, b.Generation, b.Part, string(b.Checkpoint))
}
