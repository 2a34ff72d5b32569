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
	"headway/fault"
)

// The columns of a record whose order is known, and of one on a page, in the order in which a scan takes them.
const (
	columns = `version, eventId, eventType, schemaVersion, storedAt, timestamp, causationId, correlationId, userId, seenVersion,
		commandHash, data`
	pageColumns = `seq, aggregateId, ` + columns
)

type readStatements struct {
	many, heads, moved, newest            *sql.Stmt
	walkStart, walk, all, byType, related *sql.Stmt
}

func (r *readStatements) prepare(ctx context.Context, db *sql.DB) error {
	const head = `(SELECT max(version) FROM events AS h WHERE h.aggregateId = `
	for _, p := range []struct {
		to  **sql.Stmt
		sql string
	}{
		{&r.many, `SELECT j.key, e.version, e.eventType, e.schemaVersion, e.storedAt, e.timestamp, e.data FROM json_each(?) AS j CROSS JOIN events AS e
			ON e.aggregateId = j.value ->> 0 AND e.version > j.value ->> 1 LIMIT ?`}, // in the order of the list, then of the index
		{&r.heads, `SELECT 0, e.aggregateId, e.version, e.storedAt FROM json_each(?) AS j CROSS JOIN events AS e
			ON e.seq = (SELECT seq FROM events AS h WHERE h.aggregateId = j.value ORDER BY h.version DESC LIMIT 1)`}, // seq is the rowid, which the index has
		{&r.moved, `SELECT seq, aggregateId, version, storedAt FROM events WHERE seq > ? ORDER BY seq LIMIT ?`},
		{&r.newest, `SELECT coalesce(max(seq), 0) FROM events`},
		{&r.walkStart, `SELECT count(*), coalesce(max(seq), 0) FROM events INDEXED BY firsts WHERE version = 1`},
		{&r.walk, `SELECT f.seq, e.aggregateId, e.version, e.storedAt FROM events AS f INDEXED BY firsts CROSS JOIN events AS e
			ON e.aggregateId = f.aggregateId AND e.version = ` + head + `f.aggregateId)
			WHERE f.version = 1 AND f.seq > ? AND f.seq <= ? ORDER BY f.seq LIMIT ?`},
		{&r.all, `SELECT ` + pageColumns + ` FROM events WHERE seq < ? ORDER BY seq DESC LIMIT ?`},
		{&r.byType, `SELECT ` + pageColumns + ` FROM events INDEXED BY types WHERE eventType = ? AND seq < ? ORDER BY seq DESC LIMIT ?`},
		{&r.related, `SELECT ` + pageColumns + ` FROM events INDEXED BY correlations
			WHERE correlationId = ?1 AND correlationId <> causationId AND seq < ?2
			UNION ALL SELECT ` + pageColumns + ` FROM events INDEXED BY commands WHERE causationId = ?1 AND correlationId = ?1 AND seq < ?2
			ORDER BY seq DESC LIMIT ?3`},
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
	records, err := s.streams.read(ctx, id, after)
	if err != nil {
		return nil, readFailed(ctx, err)
	}
	return records, nil
}

// ReadMany is eventstore.ManyReader's.
func (s *Store) ReadMany(ctx context.Context, after []eventstore.Head, limit int) ([]eventstore.Record, error) {
	asked := make([][2]any, len(after))
	for i, h := range after {
		asked[i] = [2]any{h.OrderID, h.Version}
	}
	list, err := json.Marshal(asked)
	if err != nil {
		return nil, err
	}
	rows, err := s.read.many.QueryContext(ctx, string(list), pageSize(limit))
	if err != nil {
		return nil, readFailed(ctx, err)
	}
	defer rows.Close()
	var records []eventstore.Record
	var r eventstore.Record
	var order int
	var stored, timestamp int64
	to := []any{&order, &r.Version, &r.EventType, &r.SchemaVersion, &stored, &timestamp, &r.Data}
	for rows.Next() {
		if err := rows.Scan(to...); err != nil {
			return nil, readFailed(ctx, err)
		}
		r.OrderID, r.StoredAt, r.Metadata.Timestamp = after[order].OrderID, time.UnixMicro(stored).UTC(), time.UnixMicro(timestamp).UTC()
		records = append(records, r)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, readFailed(ctx, err)
	}
	return records, nil
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
	limit = pageSize(limit)
	page, err := queryHeads(ctx, s.read.moved, seq-1, limit+1) // with the event of the cursor
	switch {
	case err != nil:
		return nil, "", readFailed(ctx, err)
	case len(page) == 0 && seq > 0:
		return nil, "", notOurs()
	case len(page) > 0 && page[0].seq == seq:
		page = page[1:]
	}
	if len(page) == 0 {
		return nil, feedCursor.at(seq), nil
	}
	page = page[:min(len(page), limit)]
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
	scan := pageScan()
	var records []eventstore.Record
	more := false
	for rows.Next() {
		if len(records) == limit {
			more = true
			break
		}
		r, err := scan.record(rows)
		if err != nil {
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
	return records, kind.at(scan.seq), nil
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
	return fault.Unreachable(err, unreadable)
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

// scanAll takes the records of one order.
func scanAll(rows *sql.Rows, id domain.OrderID) ([]eventstore.Record, error) {
	defer rows.Close()
	scan := orderScan(id)
	var records []eventstore.Record
	for rows.Next() {
		r, err := scan.record(rows)
		if err != nil {
			return nil, err
		}
		if len(records) == cap(records) {
			records = slices.Grow(records, max(1, len(records))) // a long stream is copied less often than by append alone
		}
		records = append(records, r)
	}
	return records, errors.Join(rows.Err(), rows.Close())
}

// scan takes the columns of records. It says once for all rows where each column goes.
type scan struct {
	to                     []any
	r                      eventstore.Record
	seq, stored, timestamp int64
}

func orderScan(id domain.OrderID) *scan {
	s := &scan{r: eventstore.Record{OrderID: id}}
	r, m := &s.r, &s.r.Metadata
	s.to = []any{
		&r.Version, &r.EventID, &r.EventType, &r.SchemaVersion, &s.stored, &s.timestamp, (*string)(&m.CausationID), &m.CorrelationID,
		&m.UserID, &m.SeenVersion, &m.CommandHash, &r.Data,
	}
	return s
}

func pageScan() *scan {
	s := orderScan("")
	s.to = append([]any{&s.seq, (*string)(&s.r.OrderID)}, s.to...)
	return s
}

func (s *scan) record(rows *sql.Rows) (eventstore.Record, error) {
	if err := rows.Scan(s.to...); err != nil {
		return eventstore.Record{}, err
	}
	r := s.r
	r.StoredAt, r.Metadata.Timestamp = time.UnixMicro(s.stored).UTC(), time.UnixMicro(s.timestamp).UTC()
	if r.EventID == "" {
		r.EventID = domain.HistoricEventID(r.OrderID, r.Version)
	}
	return r, nil
}
