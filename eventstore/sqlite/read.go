package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"time"

	"headway/domain"
	"headway/eventstore"
)

// columns of a record, in the order in which scanRecord takes them.
const columns = `seq, aggregateId, version, eventId, eventType, schemaVersion, storedAt, timestamp, causationId, correlationId, userId,
	seenVersion, commandHash, data`

type readStatements struct {
	stream, heads, moved, newest          *sql.Stmt
	walkStart, walk, all, byType, related *sql.Stmt
}

func (r *readStatements) prepare(ctx context.Context, db *sql.DB) error {
	const head = `(SELECT max(version) FROM events AS h WHERE h.aggregateId = `
	for _, p := range []struct {
		to  **sql.Stmt
		sql string
	}{
		{&r.stream, `SELECT ` + columns + ` FROM events WHERE aggregateId = ? AND version > ? ORDER BY version`},
		{&r.heads, `SELECT 0, e.aggregateId, e.version, e.storedAt FROM json_each(?) AS j CROSS JOIN events AS e
			ON e.aggregateId = j.value AND e.version = ` + head + `j.value)`},
		{&r.moved, `SELECT seq, aggregateId, version, storedAt FROM events WHERE seq > ? ORDER BY seq LIMIT ?`},
		{&r.newest, `SELECT coalesce(max(seq), 0) FROM events`},
		{&r.walkStart, `SELECT count(*), coalesce(max(seq), 0) FROM events INDEXED BY firsts WHERE version = 1`},
		{&r.walk, `SELECT f.seq, e.aggregateId, e.version, e.storedAt FROM events AS f INDEXED BY firsts CROSS JOIN events AS e
			ON e.aggregateId = f.aggregateId AND e.version = ` + head + `f.aggregateId)
			WHERE f.version = 1 AND f.seq > ? AND f.seq <= ? ORDER BY f.seq LIMIT ?`},
		{&r.all, `SELECT ` + columns + ` FROM events WHERE seq < ? ORDER BY seq DESC LIMIT ?`},
		{&r.byType, `SELECT ` + columns + ` FROM events INDEXED BY types WHERE eventType = ? AND seq < ? ORDER BY seq DESC LIMIT ?`},
		{&r.related, `SELECT ` + columns + ` FROM events INDEXED BY correlations
			WHERE correlationId = ? AND seq < ? ORDER BY seq DESC LIMIT ?`},
	} {
		stmt, err := db.PrepareContext(ctx, p.sql)
		if err != nil {
			return err
		}
		*p.to = stmt
	}
	return nil
}

// Read is eventstore.Store's.
func (s *Store) Read(ctx context.Context, id domain.OrderID, after int) ([]eventstore.Record, error) {
	records, err := queryRecords(ctx, s.read.stream, string(id), after)
	if err != nil {
		return nil, readFailed(ctx, err)
	}
	return records, nil
}

// Heads is eventstore.Store's. An order that is named twice is answered once.
func (s *Store) Heads(ctx context.Context, ids ...domain.OrderID) ([]eventstore.Head, error) {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	var heads []eventstore.Head
	for chunk := range slices.Chunk(slices.Compact(ids), headsPerQuery) {
		list, err := json.Marshal(chunk)
		if err != nil {
			return nil, err
		}
		found, err := queryHeads(ctx, s.read.heads, string(list))
		if err != nil {
			return nil, readFailed(ctx, err)
		}
		for _, h := range found {
			heads = append(heads, h.Head)
		}
	}
	return heads, nil
}

// Moved is eventstore.Store's: a page of the log in the order of commits, which has no holes because there is one writer at a time. A cursor
// that lies beyond the end is of another file, or of this one before a backup was put back: it is Malformed.
func (s *Store) Moved(
	ctx context.Context, after eventstore.Cursor, limit int,
) ([]eventstore.Head, eventstore.Cursor, error) {
	seq, err := feedCursor.parse(after, 0)
	if err != nil {
		return nil, "", err
	}
	page, err := queryHeads(ctx, s.read.moved, seq, pageSize(limit))
	if err != nil {
		return nil, "", readFailed(ctx, err)
	}
	if len(page) == 0 {
		var newest int64
		if err := s.read.newest.QueryRowContext(ctx).Scan(&newest); err != nil {
			return nil, "", readFailed(ctx, err)
		}
		if seq > newest {
			return nil, "", notOurs()
		}
		return nil, feedCursor.at(seq), nil
	}
	at := make(map[domain.OrderID]int, len(page))
	var heads []eventstore.Head
	for _, h := range page { // ascending, so the last one of an order is its newest
		if i, seen := at[h.OrderID]; seen {
			heads[i] = h.Head
			continue
		}
		at[h.OrderID] = len(heads)
		heads = append(heads, h.Head)
	}
	return heads, feedCursor.at(page[len(page)-1].seq), nil
}

// Walk is eventstore.Store's, oldest order first. Orders made after its start are not seen, so a walk ends however many there are.
func (s *Store) Walk(
	ctx context.Context, after eventstore.Cursor, limit int,
) ([]eventstore.Head, eventstore.Cursor, int, error) {
	place, err := parseWalk(after)
	if err != nil {
		return nil, "", 0, err
	}
	if after == "" {
		if err := s.read.walkStart.QueryRowContext(ctx).Scan(&place.total, &place.until); err != nil {
			return nil, "", 0, readFailed(ctx, err)
		}
	}
	page, err := queryHeads(ctx, s.read.walk, place.seq, place.until, pageSize(limit))
	if err != nil {
		return nil, "", 0, readFailed(ctx, err)
	}
	var heads []eventstore.Head
	for _, h := range page {
		heads = append(heads, h.Head)
		place.seq = h.seq
	}
	if len(page) < pageSize(limit) || place.seq >= place.until {
		return heads, "", place.total, nil
	}
	return heads, place.cursor(), place.total, nil
}

// ByType is eventstore.Store's.
func (s *Store) ByType(
	ctx context.Context, eventType string, before eventstore.Cursor, limit int,
) ([]eventstore.Record, eventstore.Cursor, error) {
	if eventType == "" {
		return s.backwards(ctx, typeCursor, before, limit, s.read.all)
	}
	return s.backwards(ctx, typeCursor, before, limit, s.read.byType, eventType)
}

// ByCorrelation is eventstore.Store's.
func (s *Store) ByCorrelation(
	ctx context.Context, id string, before eventstore.Cursor, limit int,
) ([]eventstore.Record, eventstore.Cursor, error) {
	return s.backwards(ctx, correlationCursor, before, limit, s.read.related, id)
}

// backwards reads one page of records, newest first. One record more than asked for tells whether there is another page.
func (s *Store) backwards(
	ctx context.Context, kind cursorKind, before eventstore.Cursor, limit int, stmt *sql.Stmt, args ...any,
) ([]eventstore.Record, eventstore.Cursor, error) {
	seq, err := kind.parse(before, math.MaxInt64)
	if err != nil {
		return nil, "", err
	}
	limit = pageSize(limit)
	rows, err := stmt.QueryContext(ctx, append(args, seq, limit+1)...)
	if err != nil {
		return nil, "", readFailed(ctx, err)
	}
	defer rows.Close()
	var records []eventstore.Record
	more := false
	for rows.Next() {
		if len(records) == limit {
			more = true
			break
		}
		var r eventstore.Record
		if seq, err = scanRecord(rows, &r); err != nil {
			return nil, "", readFailed(ctx, err)
		}
		records = append(records, r)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, "", readFailed(ctx, err)
	}
	if !more {
		return records, "", nil
	}
	return records, kind.at(seq), nil
}

func pageSize(limit int) int {
	if limit <= 0 {
		return eventstore.MaxPage
	}
	return min(limit, eventstore.MaxPage)
}

// readFailed is the context's error if the context ended, else Unavailable.
func readFailed(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	return domain.Unreachable(err, unreadable)
}

// place is a head with the seq by which its page goes on.
type place struct {
	eventstore.Head
	seq int64
}

func queryHeads(ctx context.Context, stmt *sql.Stmt, args ...any) ([]place, error) {
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var places []place
	for rows.Next() {
		var p place
		var at int64
		if err := rows.Scan(&p.seq, (*string)(&p.OrderID), &p.Version, &at); err != nil {
			return nil, err
		}
		p.At = time.UnixMicro(at).UTC()
		places = append(places, p)
	}
	return places, errors.Join(rows.Err(), rows.Close())
}

func queryRecords(ctx context.Context, stmt *sql.Stmt, args ...any) ([]eventstore.Record, error) {
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	return scanAll(rows)
}

func scanAll(rows *sql.Rows) ([]eventstore.Record, error) {
	defer rows.Close()
	var records []eventstore.Record
	for rows.Next() {
		var r eventstore.Record
		if _, err := scanRecord(rows, &r); err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, errors.Join(rows.Err(), rows.Close())
}

func scanRecord(rows *sql.Rows, r *eventstore.Record) (seq int64, err error) {
	var stored, timestamp int64
	m := &r.Metadata
	err = rows.Scan(&seq, (*string)(&r.OrderID), &r.Version, &r.EventID, &r.EventType, &r.SchemaVersion, &stored, &timestamp,
		(*string)(&m.CausationID), &m.CorrelationID, &m.UserID, &m.SeenVersion, &m.CommandHash, &r.Data)
	r.StoredAt, m.Timestamp = time.UnixMicro(stored).UTC(), time.UnixMicro(timestamp).UTC()
	if r.EventID == "" {
		r.EventID = domain.HistoricEventID(r.OrderID, r.Version)
	}
	return seq, err
}
