package sqlite_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"headway/eventstore"
	"headway/eventstore/sqlite"
	"headway/fault"
	"headway/internal/faultydisk"
)

// olderTable is what a file was of before layout 3, but for what layout 2 changed.
const olderTable = `
CREATE TABLE events (
	seq           INTEGER PRIMARY KEY CHECK (seq > 0),
	aggregateId   TEXT    NOT NULL,
	version       INTEGER NOT NULL,
	eventId       TEXT    NOT NULL DEFAULT '',
	eventType     TEXT    NOT NULL,
	schemaVersion INTEGER NOT NULL,
	storedAt      INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER))
	              CHECK (storedAt BETWEEN 0 AND 253402300799999999),
	timestamp     INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000000 AS INTEGER))
	              CHECK (timestamp BETWEEN -62135596800000000 AND 253402300799999999),
	causationId   TEXT    NOT NULL DEFAULT '',
	correlationId TEXT    NOT NULL DEFAULT '',
	userId        TEXT    NOT NULL DEFAULT '',
	seenVersion   INTEGER NOT NULL DEFAULT 0,
	commandHash   TEXT    NOT NULL DEFAULT '',
	data          ANY,
	UNIQUE (aggregateId, version)
) STRICT;
CREATE UNIQUE INDEX firsts ON events (seq) WHERE version = 1;
CREATE INDEX types ON events (eventType);
CREATE TRIGGER events_stay BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'a stored event never changes'); END;
CREATE TRIGGER events_last BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'a stored event is kept for ever'); END;
PRAGMA application_id = 1214543737;
`

const layout1 = olderTable + `
CREATE INDEX correlations ON events (correlationId);
CREATE INDEX ids ON events (eventId) WHERE eventId <> '';
CREATE TRIGGER events_follow BEFORE INSERT ON events
WHEN NEW.version <> 1 + coalesce((SELECT max(version) FROM events WHERE aggregateId = NEW.aggregateId), 0)
	OR NEW.seq NOT IN (-1, 1 + coalesce((SELECT max(seq) FROM events), 0))
BEGIN SELECT RAISE(ABORT, 'an event follows the newest one of its order, and seq is given by the database'); END;
CREATE TRIGGER events_differ BEFORE INSERT ON events
WHEN NEW.eventId <> '' AND EXISTS (SELECT 1 FROM events WHERE eventId = NEW.eventId AND eventId <> '')
BEGIN SELECT RAISE(ABORT, 'an event id stands for one event'); END;
PRAGMA user_version = 1;
`

const layout2 = olderTable + `
CREATE INDEX commands ON events (causationId, eventId);
CREATE INDEX correlations ON events (correlationId) WHERE correlationId <> causationId;
CREATE TRIGGER events_follow BEFORE INSERT ON events
WHEN NEW.version <> 1 + coalesce((SELECT max(version) FROM events WHERE aggregateId = NEW.aggregateId), 0)
	OR NEW.seq <> -1 AND NEW.seq <> 1 + coalesce((SELECT max(seq) FROM events), 0) -- it is -1 here if none was given
	OR NEW.eventId <> '' AND (EXISTS (SELECT 1 FROM events WHERE causationId = NEW.causationId AND eventId = NEW.eventId)
		OR NEW.causationId = '' AND EXISTS (SELECT 1 FROM events WHERE eventId = NEW.eventId))
BEGIN SELECT RAISE(ABORT, 'an event follows the newest one of its order, its id is new, and seq is given by the database'); END;
PRAGMA user_version = 2;
`

// A file of an older layout goes on where it was: no event is touched, every one is seen by every path, and commands that it holds are
// recognised. It is as a new file is from then on.
func TestOlderLayouts(t *testing.T) {
	for name, layout := range map[string]string{"layout 1": layout1, "layout 2": layout2} {
		t.Run(name, func(t *testing.T) { testOlderLayout(t, layout) })
	}
}

func testOlderLayout(t *testing.T, layout string) {
	path := filepath.Join(t.TempDir(), "events.db")
	db := raw(t, path)
	execSQL(t, db, layout)
	var all []eventstore.Record
	at := time.Unix(1.7e9, 0).UTC()
	for i, correlation := range []string{"", "a request", "a request"} {
		m := metadata()
		m.Timestamp, m.UserID = at, "ada"
		if correlation != "" {
			m.CorrelationID = correlation
		}
		at = at.Add(time.Second)
		r := eventstore.Record{
			Stream: stream("a"), Version: i + 1, EventID: eventstore.EventID(m.CausationID, 0), EventType: "OrderConfirmed", SchemaVersion: 2,
			StoredAt: at, Data: []byte("{ }"), Metadata: m,
		}
		all = append(all, r)
		execSQL(t, db, `INSERT INTO events (aggregateId, version, eventId, eventType, schemaVersion, storedAt, timestamp, causationId,
			correlationId, userId, seenVersion, commandHash, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			"a", r.Version, r.EventID, r.EventType, r.SchemaVersion, r.StoredAt.UnixMicro(), m.Timestamp.UnixMicro(), m.CausationID,
			m.CorrelationID, m.UserID, m.SeenVersion, m.CommandHash, r.Data)
	}
	execSQL(t, db, `INSERT INTO events (aggregateId, version, eventType, schemaVersion) VALUES ('by hand#1', 1, 'x', 1)`)
	const columns = `seq, aggregateId, version, eventId, eventType, schemaVersion, storedAt, timestamp, causationId, correlationId, userId,
		seenVersion, commandHash, typeof(data), data`
	before := dump(t, db, `SELECT `+columns+` FROM events ORDER BY seq`)

	identity := ""
	for range 2 {
		s := open(t, path, sqlite.Options{})
		if got, err := s.Read(t.Context(), stream("a"), 0); err != nil || len(got) != 3 || got[0].EventID != all[0].EventID || string(got[2].Data) != "{ }" ||
			got[1].Metadata != all[1].Metadata || !got[2].StoredAt.Equal(all[2].StoredAt) {
			t.Errorf("the order is %v, %v", got, err)
		}
		for id, want := range map[string]int{all[0].Metadata.CorrelationID: 1, "a request": 2, "": 1, "nobody's": 0} {
			if got, _, err := s.ByCorrelation(t.Context(), order, id, "", 9); err != nil || len(got) != want {
				t.Errorf("%q correlates %v, %v", id, got, err)
			}
		}
		if got := readAll(t, s); len(got) != 4 || got[0].Stream != stream("by hand#1") {
			t.Errorf("the list holds %v", got)
		}
		if heads, _, total, err := s.Walk(t.Context(), order, "", 9); err != nil || total != 2 || len(heads) != 2 {
			t.Errorf("the walk sees %v of %d, %v", heads, total, err)
		}
		for _, old := range []eventstore.Cursor{"f1.0", "f1.3", "f1.900"} { // whoever has one begins anew
			if heads, _, err := s.Feed(t.Context(), order, eventstore.Whole, old, 9); err != nil || len(heads) != 2 {
				t.Errorf("after %s the feed names %v, %v", old, heads, err)
			}
		}
		first := all[0]
		got, err := s.Append(t.Context(), stream("a"), 7, first.Metadata, orderCreated())
		if err != nil || len(got) != 1 || got[0].Version != 1 || got[0].EventID != first.EventID {
			t.Errorf("a repeat got %v, %v", got, err)
		}
		if got, err := s.Append(t.Context(), stream("b"), 0, first.Metadata, orderCreated()); fault.KindOf(err) != fault.Invalid {
			t.Errorf("on another order it got %v, %v", got, err)
		}
		must(t, s.Close())
		var now, layout string
		must(t, db.QueryRow(`SELECT (SELECT id || '/' || parent FROM log), user_version FROM pragma_user_version`).Scan(&now, &layout))
		if layout != "3" || len(now) != 33 || identity != "" && now != identity {
			t.Errorf("the layout is %s, and the log %s, which was %s", layout, now, identity)
		}
		identity = now
	}
	if after := dump(t, db, `SELECT `+columns+` FROM events ORDER BY seq`); !slices.Equal(after, before) {
		t.Errorf("the events were\n%q\nand are\n%q", before, after)
	}
	fresh := filepath.Join(t.TempDir(), "events.db")
	must(t, open(t, fresh, sqlite.Options{}).Close())
	for what, query := range map[string]string{
		"objects": `SELECT type, name, iif(name = 'events', '', sql) FROM sqlite_schema ORDER BY type, name`,
		"columns": `SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_xinfo('events')`,
	} {
		if got, want := dump(t, db, query), dump(t, raw(t, fresh), query); !slices.Equal(got, want) {
			t.Errorf("its %s are\n%q\nand those of a new file\n%q", what, got, want)
		}
	}
	s := open(t, path, sqlite.Options{})
	if got := appendTo(t, s, stream("a"), 3); got[0].Version != 4 {
		t.Errorf("the next event is %v", got)
	}
	if got := appendTo(t, s, eventstore.StreamID{Category: "invoice", ID: "a"}, 0); got[0].Version != 1 {
		t.Errorf("the first event of another category is %v", got)
	}
	if got := readAll(t, s); len(got) != 5 {
		t.Errorf("the list holds %v", got)
	}
}

// dump is a line for each row.
func dump(t *testing.T, db *sql.DB, query string) (lines []string) {
	t.Helper()
	rows, err := db.Query(query)
	must(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	must(t, err)
	for rows.Next() {
		row := make([]any, len(columns))
		for i := range row {
			row[i] = new(any)
		}
		must(t, rows.Scan(row...))
		line := ""
		for _, value := range row {
			line += fmt.Sprintf("%v|", *value.(*any))
		}
		lines = append(lines, line)
	}
	must(t, rows.Err())
	return lines
}

// The name of another category is part of the key and a column of its own; that of the first is neither.
func TestCategoriesAsStored(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.db")
	s := open(t, path, sqlite.Options{})
	appendTo(t, s, stream("7"), 0)
	appendTo(t, s, eventstore.StreamID{Category: "invoice", ID: "7"}, 0)
	got := dump(t, raw(t, path), `SELECT aggregateId, category, keyId FROM events ORDER BY seq`)
	if !slices.Equal(got, []string{"7|||", "invoice#7|invoice||"}) {
		t.Errorf("stored are %q", got)
	}
}

// No event takes the id of another: not of the same command, and not without naming a command. Correlated with its own command or with
// another, an event is found, also when it was written by hand.
func TestCommandIndex(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.db")
	s := open(t, path, sqlite.Options{})
	stored := appendTo(t, s, stream("a"), 0)[0]
	db := raw(t, path)
	const row = `INSERT INTO events (aggregateId, version, eventType, schemaVersion, eventId, causationId, correlationId) VALUES `
	execSQL(t, db, row+`('b', 1, 'x', 2, 'own', 'c', 'c'), ('b', 2, 'x', 2, 'other', 'c', 'd'), ('b', 3, 'x', 2, 'none', '', ''), ('b', 4, 'x', 2, '', '', 'd')`)
	for _, again := range []string{`'own', 'c'`, `'other', ''`, `'none', ''`, `'` + stored.EventID + `', ''`, `'` + stored.EventID + `', '` + stored.Metadata.CausationID + `'`} {
		if _, err := db.Exec(row + `('d', 1, 'x', 2, ` + again + `, '')`); err == nil {
			t.Errorf("a second %s was stored", again)
		}
	}
	for id, want := range map[string][]int{"c": {1}, "d": {4, 2}, "": {3}, stored.Metadata.CorrelationID: {1}} {
		got, next, err := s.ByCorrelation(t.Context(), order, id, "", 1)
		var versions []int
		for must(t, err); len(got) > 0; got, next, err = s.ByCorrelation(t.Context(), order, id, next, 1) {
			must(t, err)
			versions = append(versions, got[0].Version)
			if next == "" {
				break
			}
		}
		if !slices.Equal(versions, want) {
			t.Errorf("%q correlates the versions %v, want %v", id, versions, want)
		}
	}
}

// Whichever operation on the disk fails while an older file is brought up to date: the error is a sentence, and the next attempt finds
// every event and goes on.
func TestEveryOperationOfAMigrationFails(t *testing.T) {
	const events = 60
	older := filepath.Join(t.TempDir(), "events.db")
	db := raw(t, older)
	execSQL(t, db, layout1)
	execSQL(t, db, `INSERT INTO events (aggregateId, version, eventId, eventType, schemaVersion, causationId, correlationId, data)
		WITH n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?)
		SELECT 'a', n, 'event ' || n, 'OrderConfirmed', 2, 'command ' || n, 'command ' || n, '{}' FROM n`, events)
	must(t, db.Close())
	file, err := os.ReadFile(older)
	must(t, err)
	tried := 0
	for how, broken := range faults() {
		for n, hit := 1+rand.IntN(faultydisk.Every()), 1; hit > 0 && !t.Failed(); n += faultydisk.Every() {
			path, disk, done := newPlace(t)
			must(t, os.WriteFile(path, file, 0o600))
			broken.N = n
			disk.Break(broken)
			s, err := sqlite.Open(path, sqlite.Options{})
			if err == nil {
				_ = s.Close() // what it says is another test's
			} else if fault.KindOf(err) != fault.Unavailable || fault.Sentence(err) == "" {
				t.Errorf("%s, operation %d: %v", how, n, err)
			}
			if hit = disk.Mend(); hit > 0 {
				tried++
			}
			if s, err = sqlite.Open(path, sqlite.Options{}); err != nil {
				t.Fatalf("%s, operation %d: with a disk that works again: %v", how, n, err)
			}
			if got, err := s.Read(t.Context(), stream("a"), 0); err != nil || len(got) != events || got[events-1].EventID != "event 60" {
				t.Errorf("%s, operation %d: %d events are there, %v", how, n, len(got), err)
			}
			if got, _, err := s.ByCorrelation(t.Context(), order, "command 7", "", 9); err != nil || len(got) != 1 || got[0].Version != 7 {
				t.Errorf("%s, operation %d: command 7 is %v, %v", how, n, got, err)
			}
			appendTo(t, s, stream("a"), events)
			must(t, s.Close())
			var layout int
			var whole string
			must(t, raw(t, path).QueryRow(`SELECT user_version, (SELECT integrity_check FROM pragma_integrity_check) FROM pragma_user_version`).Scan(&layout, &whole))
			if layout != 3 || whole != "ok" {
				t.Errorf("%s, operation %d: the layout is %d, the file is %s", how, n, layout, whole)
			}
			done()
		}
	}
	t.Logf("%d operations failed", tried)
	if tried < 20/faultydisk.Every() {
		t.Errorf("only %d operations failed", tried)
	}
}
