package sqlite_test

import (
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

// layout1 is what a file was before layout 2.
const layout1 = `
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
CREATE INDEX correlations ON events (correlationId);
CREATE INDEX ids ON events (eventId) WHERE eventId <> '';
CREATE TRIGGER events_follow BEFORE INSERT ON events
WHEN NEW.version <> 1 + coalesce((SELECT max(version) FROM events WHERE aggregateId = NEW.aggregateId), 0)
	OR NEW.seq NOT IN (-1, 1 + coalesce((SELECT max(seq) FROM events), 0))
BEGIN SELECT RAISE(ABORT, 'an event follows the newest one of its order, and seq is given by the database'); END;
CREATE TRIGGER events_differ BEFORE INSERT ON events
WHEN NEW.eventId <> '' AND EXISTS (SELECT 1 FROM events WHERE eventId = NEW.eventId AND eventId <> '')
BEGIN SELECT RAISE(ABORT, 'an event id stands for one event'); END;
CREATE TRIGGER events_stay BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'a stored event never changes'); END;
CREATE TRIGGER events_last BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'a stored event is kept for ever'); END;
PRAGMA application_id = 1214543737;
PRAGMA user_version = 1;
`

// A file of the older layout goes on where it was: every event is as before and seen by every path, and commands that it holds are recognised.
func TestOlderLayout(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.db")
	db := raw(t, path)
	execSQL(t, db, layout1)
	var all []eventstore.Record
	at := time.Unix(1.7e9, 0).UTC()
	for i, correlation := range []string{"", "a request", "a request"} {
		m := metadata()
		m.Timestamp, m.UserID = at, "ada"
		if correlation != "" {
			m.CorrelationID = correlation
		}
		at = at.Add(time.Second)
		all = append(all, eventstore.Record{
			Stream: stream("a"), Version: i + 1, EventID: eventstore.EventID(m.CausationID, 0), EventType: "OrderConfirmed", SchemaVersion: 2,
			StoredAt: at, Data: []byte("{ }"), Metadata: m,
		})
	}
	(&place{path}).Plant(t, all...)
	execSQL(t, db, `INSERT INTO events (aggregateId, version, eventType, schemaVersion) VALUES ('by hand', 1, 'x', 1)`)

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
		if got := readAll(t, s); len(got) != 4 {
			t.Errorf("the list holds %v", got)
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
	}
	var layout, indexes int
	must(t, db.QueryRow(`SELECT user_version, (SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND name = 'ids') FROM pragma_user_version`).
		Scan(&layout, &indexes))
	if layout != 2 || indexes != 0 {
		t.Errorf("the layout is %d, with %d old indexes", layout, indexes)
	}
	s := open(t, path, sqlite.Options{})
	if got := appendTo(t, s, stream("a"), 3); got[0].Version != 4 {
		t.Errorf("the next event is %v", got)
	}
}

// No event takes the id of another: not of the same command, and not without naming a command. Correlated with its own command or with another,
// an event is found, also when it was written by hand.
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

// Whichever operation on the disk fails while an older file is brought up to date: the error is a sentence, and the next attempt finds every event
// and goes on.
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
			if layout != 2 || whole != "ok" {
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
