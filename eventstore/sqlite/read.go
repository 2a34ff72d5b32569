package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"headway/eventstore"
	"headway/fault"
)

// The columns of a record whose stream is known, and of one on a page, in the order in which a scan takes them.
const (
	columns = `version, eventId, eventType, schemaVersion, storedAt, timestamp, causationId, correlationId, userId, seenVersion,
		commandHash, keyId, data`
	pageColumns = `seq, category, aggregateId, ` + columns
	headColumns = `category, aggregateId, version, storedAt`
)

// readStatements are one for each question. A category is asked for as it is stored: see categoryOf.
type readStatements struct {
	many, heads, moved, newest *sql.Stmt

	// Of the first category, and of another, whose events are few beside its.
	first, other listings
	byType       *sql.Stmt
	related      *sql.Stmt
}

// listings of a category.
type listings struct{ walkStart, walk, all *sql.Stmt }

func (r *readStatements) prepare(ctx context.Context, db *sql.DB) error {
	walk := func(index, where string) string {
		return `SELECT f.seq, '', e.category, e.aggregateId, e.version, e.storedAt FROM events AS f INDEXED BY ` + index + ` CROSS JOIN events AS e
			ON e.aggregateId = f.aggregateId AND e.version = (SELECT max(version) FROM events AS h WHERE h.aggregateId = f.aggregateId)
			WHERE f.version = 1 AND ` + where + ` AND f.seq > ? AND f.seq <= ? ORDER BY f.seq LIMIT ?`
	}
	for _, p := range []struct {
		to  **sql.Stmt
		sql string
	}{
		{&r.many, `SELECT j.key, ` + columns + ` FROM json_each(?) AS j CROSS JOIN events AS e
			ON e.aggregateId = j.value ->> 0 AND e.version > j.value ->> 1 AND e.category = j.value ->> 2 LIMIT ?`}, // in the order of the list, then of the index
		{&r.heads, `SELECT 0, '', e.category, e.aggregateId, e.version, e.storedAt FROM json_each(?) AS j CROSS JOIN events AS e
			ON e.seq = (SELECT seq FROM events AS h WHERE h.aggregateId = j.value ->> 0 ORDER BY h.version DESC LIMIT 1) AND e.category = j.value ->> 1`}, // seq is the rowid, which the index has
		{&r.moved, `SELECT seq, eventId, ` + headColumns + ` FROM events WHERE seq > ? ORDER BY seq LIMIT ?`},
		{&r.newest, `SELECT coalesce(max(seq), 0) FROM events`},
		{&r.first.walkStart, `SELECT count(*), coalesce(max(seq), 0) FROM events INDEXED BY firsts WHERE version = 1 AND category = ''`},
		{&r.first.walk, walk("firsts", "f.category = ''")},
		{&r.first.all, `SELECT ` + pageColumns + ` FROM events WHERE category = '' AND seq < ? ORDER BY seq DESC LIMIT ?`},
		{&r.other.walkStart, `SELECT count(*), coalesce(max(seq), 0) FROM events INDEXED BY others WHERE category = ? AND category <> '' AND version = 1`},
		{&r.other.walk, walk("others", "f.category = ? AND f.category <> ''")},
		{&r.other.all, `SELECT ` + pageColumns + ` FROM events INDEXED BY others WHERE category = ? AND category <> '' AND seq < ? ORDER BY seq DESC LIMIT ?`},
		{&r.byType, `SELECT ` + pageColumns + ` FROM events INDEXED BY types WHERE eventType = ? AND category = ? AND seq < ? ORDER BY seq DESC LIMIT ?`},
		{&r.related, `SELECT ` + pageColumns + ` FROM events INDEXED BY correlations
			WHERE correlationId = ?1 AND correlationId <> causationId AND category = ?2 AND seq < ?3
			UNION ALL SELECT ` + pageColumns + ` FROM events INDEXED BY commands WHERE causationId = ?1 AND correlationId = ?1 AND category = ?2 AND seq < ?3
			ORDER BY seq DESC LIMIT ?4`},
	} {
		stmt, err := db.PrepareContext(ctx, p.sql)
		if err != nil {
			return err
		}
		*p.to = stmt
	}
	return nil
}

// of are the listings of a category, with what they are asked for first.
func (r *readStatements) of(category string) (listings, []any) {
	if category == eventstore.FirstCategory {
		return r.first, nil
	}
	return r.other, []any{category}
}

// categoryOf is a stream's category as it is stored: nothing for the first, whose events are most.
func categoryOf(id eventstore.StreamID) string { return storedCategory(id.Category) }

func storedCategory(category string) string {
	if category == eventstore.FirstCategory {
		return ""
	}
	return category
}

// streamOf is the stream of a stored event.
func streamOf(category, key string) eventstore.StreamID {
	if category == "" {
		return eventstore.StreamID{Category: eventstore.FirstCategory, ID: key}
	}
	return eventstore.StreamID{Category: category, ID: strings.TrimPrefix(key, category+"#")}
}

// Read is eventstore.Store's.
func (s *Store) Read(ctx context.Context, id eventstore.StreamID, after int) ([]eventstore.Record, error) {
	records, err := s.streams.read(ctx, id, after)
	if err != nil {
		return nil, readFailed(ctx, err)
	}
	return records, nil
}

// ReadMany is eventstore.Store's.
func (s *Store) ReadMany(ctx context.Context, after []eventstore.Head, limit int) ([]eventstore.Record, error) {
	asked := make([][3]any, len(after))
	for i, h := range after {
		asked[i] = [3]any{h.Stream.Key(), h.Version, categoryOf(h.Stream)}
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
	var which int
	scan := streamScan(eventstore.StreamID{})
	scan.to = append([]any{&which}, scan.to...)
	var records []eventstore.Record
	for rows.Next() {
		r, err := scan.record(rows)
		if err != nil {
			return nil, readFailed(ctx, err)
		}
		r.Stream = after[which].Stream
		records = append(records, withID(r))
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, readFailed(ctx, err)
	}
	return records, nil
}

// Feed is eventstore.Store's: a page of the log in the order of commits, which has no holes because there is one writer at a time. Events
// of other categories and parts are passed over, and the cursor passes them, too. A cursor whose event is not there, or is another one, is
// of another log, or of this one before a backup was put back: it is OtherLog.
func (s *Store) Feed(
	ctx context.Context, category string, part eventstore.Part, after eventstore.Cursor, limit int,
) ([]eventstore.Head, eventstore.Cursor, error) {
	place, err := parseFeed(s.log, after)
	if err != nil {
		return nil, "", err
	}
	limit = pageSize(limit)
	var heads []eventstore.Head
	at := map[eventstore.StreamID]int{}
	for {
		page, err := queryHeads(ctx, s.read.moved, place.seq-1, limit+1) // with the event of the cursor
		if err != nil {
			return nil, "", readFailed(ctx, err)
		}
		if place.seq > 0 {
			if len(page) == 0 || page[0].seq != place.seq || page[0].mark() != place.mark {
				return nil, "", eventstore.OtherLog()
			}
			page = page[1:]
		}
		page = page[:min(len(page), limit)]
		for _, h := range page { // ascending, so the last one of a stream is its newest
			if h.Stream.Category != category || part.Of > 1 && !part.Has(eventstore.SliceOf(h.Stream)) {
				continue
			}
			if i, seen := at[h.Stream]; seen {
				heads[i] = h.Head
				continue
			}
			at[h.Stream] = len(heads)
			heads = append(heads, h.Head)
		}
		if len(page) > 0 {
			last := page[len(page)-1]
			place = feedPlace{last.seq, last.mark()}
		}
		if len(heads) > 0 || len(page) < limit {
			return heads, place.cursor(s.log), nil
		}
	}
}

// Walk is eventstore.Store's, oldest stream first. Streams made after its start are not seen, so a walk ends however many there are.
func (s *Store) Walk(
	ctx context.Context, category string, after eventstore.Cursor, limit int,
) ([]eventstore.Head, eventstore.Cursor, int, error) {
	place, err := parseWalk(s.log, after)
	if err != nil {
		return nil, "", 0, err
	}
	ask, args := s.read.of(category)
	if after == "" {
		if err := ask.walkStart.QueryRowContext(ctx, args...).Scan(&place.total, &place.until); err != nil {
			return nil, "", 0, readFailed(ctx, err)
		}
	}
	page, err := queryHeads(ctx, ask.walk, append(args, place.seq, place.until, pageSize(limit))...)
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
	return heads, place.cursor(s.log), place.total, nil
}

// ByType is eventstore.Store's.
func (s *Store) ByType(
	ctx context.Context, category, eventType string, before eventstore.Cursor, limit int,
) ([]eventstore.Record, eventstore.Cursor, error) {
	if eventType == "" {
		ask, args := s.read.of(category)
		return s.backwards(ctx, typeCursor, before, limit, ask.all, args...)
	}
	return s.backwards(ctx, typeCursor, before, limit, s.read.byType, eventType, storedCategory(category))
}

// ByCorrelation is eventstore.Store's.
func (s *Store) ByCorrelation(
	ctx context.Context, category, id string, before eventstore.Cursor, limit int,
) ([]eventstore.Record, eventstore.Cursor, error) {
	return s.backwards(ctx, correlationCursor, before, limit, s.read.related, id, storedCategory(category))
}

// backwards reads one page of records, newest first. One record more than asked for tells whether there is another page.
func (s *Store) backwards(
	ctx context.Context, kind cursorKind, before eventstore.Cursor, limit int, stmt *sql.Stmt, args ...any,
) ([]eventstore.Record, eventstore.Cursor, error) {
	seq, err := kind.parse(s.log, before, math.MaxInt64)
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
		r.Stream = streamOf(scan.category, scan.key)
		records = append(records, withID(r))
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, "", readFailed(ctx, err)
	}
	if !more {
		return records, "", nil
	}
	return records, kind.at(s.log, scan.seq), nil
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

// place is a head with the seq by which its page goes on, and the id of its event where that is asked for.
type place struct {
	eventstore.Head
	seq     int64
	eventID string
}

// mark tells the event from any other that could be at its place.
func (p place) mark() string { return markOf(p.eventID, p.At.UnixMicro()) }

func queryHeads(ctx context.Context, stmt *sql.Stmt, args ...any) ([]place, error) {
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var places []place
	for rows.Next() {
		var p place
		var category, key string
		var at int64
		if err := rows.Scan(&p.seq, &p.eventID, &category, &key, &p.Version, &at); err != nil {
			return nil, err
		}
		p.Stream, p.At = streamOf(category, key), time.UnixMicro(at).UTC()
		places = append(places, p)
	}
	return places, errors.Join(rows.Err(), rows.Close())
}

// scanAll takes the records of one stream.
func scanAll(rows *sql.Rows, id eventstore.StreamID) ([]eventstore.Record, error) {
	defer rows.Close()
	scan := streamScan(id)
	var records []eventstore.Record
	for rows.Next() {
		r, err := scan.record(rows)
		if err != nil {
			return nil, err
		}
		if len(records) == cap(records) {
			records = slices.Grow(records, max(1, len(records))) // a long stream is copied less often than by append alone
		}
		records = append(records, withID(r))
	}
	return records, errors.Join(rows.Err(), rows.Close())
}

// scan takes the columns of records. It says once for all rows where each column goes.
type scan struct {
	to                     []any
	r                      eventstore.Record
	category, key          string
	seq, stored, timestamp int64
}

func streamScan(id eventstore.StreamID) *scan {
	s := &scan{r: eventstore.Record{Stream: id}}
	r, m := &s.r, &s.r.Metadata
	s.to = []any{
		&r.Version, &r.EventID, &r.EventType, &r.SchemaVersion, &s.stored, &s.timestamp, &m.CausationID, &m.CorrelationID,
		&m.UserID, &m.SeenVersion, &m.CommandHash, &m.KeyID, &r.Data,
	}
	return s
}

func pageScan() *scan {
	s := streamScan(eventstore.StreamID{})
	s.to = append([]any{&s.seq, &s.category, &s.key}, s.to...)
	return s
}

func (s *scan) record(rows *sql.Rows) (eventstore.Record, error) {
	if err := rows.Scan(s.to...); err != nil {
		return eventstore.Record{}, err
	}
	r := s.r
	r.StoredAt, r.Metadata.Timestamp = time.UnixMicro(s.stored).UTC(), time.UnixMicro(s.timestamp).UTC()
	return r, nil
}

// withID is a record with the id that an event has which was stored without one.
func withID(r eventstore.Record) eventstore.Record {
	if r.EventID == "" {
		r.EventID = eventstore.HistoricEventID(r.Stream.Key(), r.Version)
	}
	return r
}
