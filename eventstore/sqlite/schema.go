package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"

	"headway/fault"
	"headway/internal/sqlitefile"
)

const (
	applicationID = 0x48647779 // "Hdwy" in the header of the file
	schemaVersion = 3          // user_version
	notHeadways   = " is not an event store of Headway."
)

// The only truth is the table events; log names it, and snapshots can be emptied at any time. seq is the order of commits. What a person
// writes into it by hand is seen by every reader, as long as it follows the stream. storedAt and timestamp are microseconds since 1970;
// their bounds are what a date on the wire can say.
//
// events_follow also keeps INSERT OR REPLACE, which fires no DELETE trigger, from changing history. It is one trigger because each costs
// every insert.
const schema = `
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
	category      TEXT    NOT NULL DEFAULT '',
	keyId         TEXT    NOT NULL DEFAULT '',
	UNIQUE (aggregateId, version)
) STRICT;
CREATE INDEX types ON events (eventType);
CREATE TRIGGER events_stay BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'a stored event never changes'); END;
CREATE TRIGGER events_last BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'a stored event is kept for ever'); END;
` + commandIndex + followTrigger + categoryIndex

// categoryIndex keeps the categories apart. The first one's name is not stored, and its events are in no index for it, because they are
// most. firsts has the first event of each stream of it, others every event of the others. log is the log's identity; parent is the log
// that it was moved from. keyId names, one day, the key by which the personal data of an event is encrypted.
const categoryIndex = `
CREATE UNIQUE INDEX firsts ON events (seq) WHERE version = 1 AND category = '';
CREATE INDEX others ON events (category, seq) WHERE category <> '';
CREATE TABLE log (
	one    INTEGER PRIMARY KEY CHECK (one = 1),
	id     TEXT NOT NULL,
	parent TEXT NOT NULL DEFAULT ''
) STRICT;
INSERT INTO log (one, id) VALUES (1, lower(hex(randomblob(16))));
`

// commandIndex finds events by their command, and is the only index besides that of streams whose keys come in no order: each of those is
// one page more for a commit to write. An event's id follows from its command's, so that one index says whether either is known. Who names
// no command may name no event id that is stored anywhere; that is searched for. Events correlated with their own command need no entry in
// correlations.
const commandIndex = `
CREATE INDEX commands ON events (causationId, eventId);
CREATE INDEX correlations ON events (correlationId) WHERE correlationId <> causationId;
`

// followTrigger guards an insert.
const followTrigger = `
CREATE TRIGGER events_follow BEFORE INSERT ON events
WHEN NEW.version <> 1 + coalesce((SELECT max(version) FROM events WHERE aggregateId = NEW.aggregateId), 0)
	OR NEW.seq <> -1 AND NEW.seq <> 1 + coalesce((SELECT max(seq) FROM events), 0) -- it is -1 here if none was given
	OR NEW.eventId <> '' AND (EXISTS (SELECT 1 FROM events WHERE causationId = NEW.causationId AND eventId = NEW.eventId)
		OR NEW.causationId = '' AND EXISTS (SELECT 1 FROM events WHERE eventId = NEW.eventId))
BEGIN SELECT RAISE(ABORT, 'an event follows the newest one of its order, its id is new, and seq is given by the database'); END;
`

// fromLayout1 makes the indexes of an older file anew. No event is touched. The first files of that layout had no index of ids.
const fromLayout1 = `
DROP INDEX correlations;
DROP INDEX IF EXISTS ids;
` + commandIndex

// fromLayout2 knew one category, and no log from another. Its first files guarded an insert by two triggers. No event is touched.
const fromLayout2 = `
DROP TRIGGER IF EXISTS events_follow;
DROP TRIGGER IF EXISTS events_differ;
ALTER TABLE events ADD COLUMN category TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN keyId TEXT NOT NULL DEFAULT '';
DROP INDEX firsts;
` + followTrigger + categoryIndex

// prepareFile makes the schema in an empty file, brings that of an older one up to date, refuses what is not ours, and makes durable what
// an interrupted process left in the log: it may have been written without a sync, and readers see it from now on.
func prepareFile(ctx context.Context, conn *sql.Conn, path string) error {
	layout, err := inspect(ctx, conn, path)
	if err != nil {
		return err
	}
	err = sqlitefile.UseLog(ctx, conn)
	if err == nil {
		_, err = conn.ExecContext(ctx, fmt.Sprintf(`PRAGMA journal_size_limit = %d`, walLimit))
	}
	if err != nil {
		return err
	}
	if layout < schemaVersion {
		if err := makeSchema(ctx, conn, path); err != nil {
			return err
		}
	}
	if _, err := conn.ExecContext(ctx, snapshotSchema); err != nil {
		return err
	}
	return rewriteLog(ctx, conn, path+"-wal")
}

// rewriteLog makes the log durable as it is. A sync alone would not: after one that has failed the system holds that what it could not
// write is on the disk, and the next one works. Moving the log into the file would be worse, because of a log with a gap only the older
// part counts. So every byte is written again, and synced. The transaction keeps others from writing meanwhile.
func rewriteLog(ctx context.Context, conn *sql.Conn, path string) error {
	if _, err := conn.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		return err
	}
	err := rewrite(path)
	_, undo := conn.ExecContext(ctx, `ROLLBACK`)
	return errors.Join(err, undo)
}

func rewrite(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	buffer := make([]byte, 1<<18)
	for offset := int64(0); err == nil; {
		var n int
		if n, err = f.ReadAt(buffer, offset); n > 0 {
			if _, failed := f.WriteAt(buffer[:n], offset); failed != nil {
				return failed
			}
			offset += int64(n)
		}
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	return f.Sync()
}

// inspect tells the number of the file's layout, 0 of an empty file; it changes nothing.
func inspect(ctx context.Context, conn *sql.Conn, path string) (layout int, err error) {
	var application, version, tables int
	err = conn.QueryRowContext(ctx, `SELECT (SELECT application_id FROM pragma_application_id),
		(SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)`).Scan(&application, &version, &tables)
	switch {
	case err != nil:
		return 0, err
	case application == 0 && version == 0 && tables == 0:
		return 0, nil
	case application != applicationID:
		return 0, fault.Errorf(fault.Refused, "%s%s", path, notHeadways)
	case version > schemaVersion:
		return 0, fault.Errorf(fault.Refused,
			"%s was written by a newer Headway (its layout is %d, this program knows %d). Use that version.", path, version, schemaVersion)
	}
	return version, nil
}

// makeSchema is one transaction, whether the file is empty or older.
func makeSchema(ctx context.Context, conn *sql.Conn, path string) error {
	if _, err := conn.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		return err
	}
	layout, err := inspect(ctx, conn, path) // another process may have been faster
	changes := map[int]string{0: schema + snapshotSchema, 1: fromLayout1 + fromLayout2, 2: fromLayout2}[layout]
	if err == nil && changes != "" {
		_, err = conn.ExecContext(ctx, changes+fmt.Sprintf(`PRAGMA application_id = %d; PRAGMA user_version = %d;`, applicationID, schemaVersion))
	}
	if err == nil {
		_, err = conn.ExecContext(ctx, `COMMIT`)
	}
	if err != nil {
		_, undo := conn.ExecContext(ctx, `ROLLBACK`)
		return errors.Join(err, undo)
	}
	return nil
}
