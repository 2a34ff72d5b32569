package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"time"

	"headway/domain"
	"headway/fault"
	"headway/internal/sqlitefile"
)

const (
	applicationID = 0x48647772 // "Hdwr" in the header of the file
	rowsVersion   = 3          // to be raised when projections.Words cuts or folds in another way, or rows get other numbers
)

// schemaVersion is the user_version of a file whose rows this program can use. It follows the schema by itself; rows of another one are
// made again.
func schemaVersion() int {
	return int(crc32.ChecksumIEEE(fmt.Appendf(nil, "%d %s", rowsVersion, versionedBy())) >> 1) // positive, as an int32
}

// schema is of all tables: those of the projections, which their keepers describe, and these.
//
// Times are microseconds since 1970; the zero time is year 1, so that nothing is NULL. There are no triggers: one of them alone makes every
// INSERT flush the full-text index.
func schema() (all string) {
	for _, k := range keepers() {
		all += k.schema
	}
	return all + stateSchema
}

const stateSchema = `
CREATE TABLE projections (
	name        TEXT    NOT NULL,
	generation  INTEGER NOT NULL,
	part        INTEGER NOT NULL,
	phase       TEXT    NOT NULL DEFAULT '',
	reason      TEXT    NOT NULL DEFAULT '',
	heartbeatAt INTEGER NOT NULL DEFAULT -62135596800000000,
	rate        REAL    NOT NULL DEFAULT 0,
	checkpoint  TEXT    NOT NULL DEFAULT '',
	holder      TEXT    NOT NULL DEFAULT '',
	PRIMARY KEY (name, generation, part)
) STRICT, WITHOUT ROWID;
CREATE TABLE lease (
	one      INTEGER PRIMARY KEY CHECK (one = 1),
	holder   TEXT    NOT NULL,
	epoch    INTEGER NOT NULL,
	renewals INTEGER NOT NULL,
	logEpoch INTEGER NOT NULL
) STRICT;
INSERT INTO lease VALUES (1, '', 0, 0, 0);
CREATE TABLE holds (
	projection TEXT    NOT NULL,
	generation INTEGER NOT NULL,
	part       INTEGER NOT NULL,
	id         TEXT    NOT NULL,
	version    INTEGER NOT NULL,
	reason     TEXT    NOT NULL,
	since      INTEGER NOT NULL,
	PRIMARY KEY (projection, generation, part, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX holds_oldest ON holds (since, projection, id);
`

// prepare makes the schema in an empty file; it reads no row of any other. Rows of another schema are thrown away, which dropped tells:
// they can be made again. A file that is not a read store is refused untouched.
func prepare(ctx context.Context, conn *sql.Conn, path string) (dropped bool, err error) {
	application, _, tables, err := inspect(ctx, conn)
	if err != nil {
		return false, err
	}
	if application != applicationID && (application != 0 || tables != 0) {
		return false, fault.Errorf(fault.Refused, "%s is not a read store of Headway.", path)
	}
	if err := sqlitefile.UseLog(ctx, conn); err != nil {
		return false, err
	}
	if _, err := conn.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		return false, err
	}
	application, version, tables, err := inspect(ctx, conn) // another process may have been faster
	if err == nil && (application != applicationID || version != schemaVersion()) {
		if err = dropAll(ctx, conn); err == nil {
			_, err = conn.ExecContext(ctx, schema()+fmt.Sprintf(`PRAGMA application_id = %d; PRAGMA user_version = %d;`,
				applicationID, schemaVersion()))
		}
		dropped = tables > 0
	}
	if err == nil {
		_, err = conn.ExecContext(ctx, `COMMIT`)
	}
	if err != nil {
		_, undo := conn.ExecContext(ctx, `ROLLBACK`)
		return false, errors.Join(err, undo)
	}
	return dropped, nil
}

func inspect(ctx context.Context, conn *sql.Conn) (application, version, tables int, err error) {
	err = conn.QueryRowContext(ctx, `SELECT (SELECT application_id FROM pragma_application_id),
		(SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)`).Scan(&application, &version, &tables)
	return application, version, tables, err
}

// executor is a connection, or a transaction.
type executor interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// dropAll empties the file: virtual tables first, which take their own tables with them.
func dropAll(ctx context.Context, conn executor) error {
	for _, kind := range []struct{ which, drop string }{
		{`type = 'table' AND sql LIKE 'CREATE VIRTUAL%'`, `DROP TABLE "%s"`},
		{`type = 'view'`, `DROP VIEW "%s"`},
		{`type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'`, `DROP TABLE "%s"`},
	} {
		rows, err := conn.QueryContext(ctx, fmt.Sprintf(`SELECT name FROM sqlite_schema WHERE %s`, kind.which))
		names, err := collect(rows, err, scanText)
		if err != nil {
			return err
		}
		for _, name := range names {
			if _, err := conn.ExecContext(ctx, fmt.Sprintf(kind.drop, strings.ReplaceAll(name, `"`, `""`))); err != nil {
				return err
			}
		}
	}
	return nil
}

// collect reads all rows with one, and closes them.
func collect[T any](rows *sql.Rows, err error, one func(*sql.Rows) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := one(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

func scanText(rows *sql.Rows) (text string, err error) {
	err = rows.Scan(&text)
	return text, err
}

// region is a part of the numbers of rows. It has so many bits for the places of each second of the years 1 to 9999, and in each place a
// number for each status.
type region struct {
	base     int64
	slotBits int
}

const (
	slotBits    = 8 // of a second's places among its neighbours: the full-text index keeps differences of numbers, which are shorter the less room there is
	crowdedBits = 16
	statusBits  = 2
	crowded     = 1 << 62      // where the numbers begin of rows that find no place in their second, as in an import that knows the days alone
	yearOne     = -62135596800 // in seconds since 1970
)

func uncrowded() region { return region{0, slotBits} }

func regions() []region { return []region{uncrowded(), {crowded, crowdedBits}} }

// first is the first number of a second.
func (r region) first(second int64) int64 { return r.base + second<<(r.slotBits+statusBits) }

// secondAt is the second in which an order was created. Seconds are positive.
func secondAt(created time.Time) int64 { return created.Unix() - yearOne + 1 }

// secondOf is the second that a number has.
func secondOf(no int64) int64 {
	if no >= crowded {
		return (no - crowded) >> (crowdedBits + statusBits)
	}
	return no >> (slotBits + statusBits)
}

// inPlace is the number of a row with this status in the place of another number.
func inPlace(no int64, status domain.Status) int64 {
	return no>>statusBits<<statusBits + int64(slices.Index(domain.Statuses(), status)+1)
}

// statusAt is the status that a number has.
func statusAt(no int64) domain.Status {
	if i := no & (1<<statusBits - 1); i > 0 {
		return domain.Statuses()[i-1]
	}
	return ""
}

func micros(t time.Time) int64 { return t.UnixMicro() }

func moment(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
