package sqlite

import (
	"context"
	"database/sql"

	"headway/projections"
)

// activity keeps what people did.
func activity() keeper {
	return contributing[projections.Act]{table: "activity_orders", change: changeDay}.keep(keeper{
		projection: projections.Activity, schema: activitySchema, sums: sumTable{"days", readDays}, check: checkDays,
	})
}

const activitySchema = `
CREATE TABLE acts (
	day     TEXT    NOT NULL,
	at      INTEGER NOT NULL,
	id      TEXT    NOT NULL,
	version INTEGER NOT NULL,
	type    TEXT    NOT NULL,
	who     TEXT    NOT NULL,
	PRIMARY KEY (day, at DESC, id, version DESC)
) STRICT, WITHOUT ROWID;
CREATE TABLE days (id TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE day_types (day TEXT NOT NULL, type TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (day, type)) STRICT, WITHOUT ROWID;
`

// changeDay changes what a person did on a day.
func changeDay(w *write, day string, changes []change[projections.Act]) (err error) {
	n, byType := int64(0), map[string]int64{}
	for _, c := range changes {
		n += c.times
		byType[c.of.Type] += c.times
		if c.times < 0 {
			err = w.exec(`DELETE FROM acts WHERE day = ? AND at = ? AND id = ? AND version = ?`, day, micros(c.of.At), string(c.of.OrderID), c.of.Version)
		} else {
			err = w.exec(`INSERT INTO acts (day, at, id, version, type, who) VALUES (?, ?, ?, ?, ?, ?)`,
				day, micros(c.of.At), string(c.of.OrderID), c.of.Version, c.of.Type, c.of.Who)
		}
		if err != nil {
			return err
		}
	}
	if err := w.exec(`INSERT INTO days (id, n) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET n = n + ?2`, day, n); err != nil {
		return err
	}
	for eventType, n := range byType {
		if n == 0 {
			continue
		}
		err := w.exec(`INSERT INTO day_types (day, type, n) VALUES (?1, ?2, ?3) ON CONFLICT (day, type) DO UPDATE SET n = n + ?3`, day, eventType, n)
		if err != nil {
			return err
		}
	}
	if n >= 0 {
		return nil
	}
	if err := w.exec(`DELETE FROM day_types WHERE day = ? AND n = 0`, day); err != nil {
		return err
	}
	return w.exec(`DELETE FROM days WHERE id = ? AND n = 0`, day)
}

func readDays(ctx context.Context, tx reader, from string, args ...any) ([]projections.Sum, error) {
	rows, err := tx.QueryContext(ctx, `SELECT s.id`+from, args...)
	keys, err := collect(rows, err, scanText)
	if err != nil {
		return nil, err
	}
	counts, err := byType(ctx, tx, keys...)
	found := make([]projections.DayRow, len(keys))
	for i, key := range keys {
		found[i].Day, found[i].Who = projections.SplitDayKey(key)
		found[i].ByType = counts[key]
	}
	return anySums(found), err
}

// byType counts the events of days by their types.
func byType(ctx context.Context, tx reader, days ...string) (map[string]map[string]int, error) {
	counts := make(map[string]map[string]int, len(days))
	rows, err := tx.QueryContext(ctx, `SELECT day, type, n FROM day_types WHERE day IN (SELECT value FROM json_each(?))`, list(days))
	_, err = collect(rows, err, func(rows *sql.Rows) (n int, err error) {
		var day, eventType string
		if err := rows.Scan(&day, &eventType, &n); err != nil {
			return n, err
		}
		if counts[day] == nil {
			counts[day] = map[string]int{}
		}
		counts[day][eventType] = n
		return n, nil
	})
	return counts, err
}

func checkDays(ctx context.Context, s *Store, differ differ) error {
	return s.compare(ctx, differ, "n", `SELECT id, coalesce(a.n, 'none'), coalesce(d.n, 'none')
		FROM (SELECT day AS id, count(*) AS n FROM acts GROUP BY day) AS a FULL JOIN days AS d USING (id) WHERE a.n IS NOT d.n`)
}

// Activity is projections.Reader's.
func (s *Store) Activity(ctx context.Context, q projections.ActivityQuery) (projections.ActivityPage, error) {
	q, err := q.Checked()
	if err != nil {
		return projections.ActivityPage{}, err
	}
	day := projections.DayKey(q.Who, q.Day)
	conditions := []condition{{`day = ?`, []any{day}}}
	if q.Cursor != "" {
		var at, version int64
		var id string
		if err := projections.DecodeCursor(q.Cursor, q.Fingerprint(), &at, &id, &version); err != nil {
			return projections.ActivityPage{}, err
		}
		conditions = append(conditions, condition{
			`at <= ? AND (at < ? OR id > ? OR id = ? AND version < ?)`, []any{at, at, id, id, version},
		})
	}
	var page projections.ActivityPage
	err = s.snapshot(ctx, func(tx reader) error {
		filter, args := where(conditions)
		rows, err := tx.QueryContext(ctx, `SELECT who, id, version, type, at FROM acts`+filter+` ORDER BY at DESC, id, version DESC LIMIT ?`,
			append(args, q.Limit+1)...)
		page.Acts, err = collect(rows, err, func(rows *sql.Rows) (a projections.Act, err error) {
			var at int64
			err = rows.Scan(&a.Who, &a.OrderID, &a.Version, &a.Type, &at)
			a.At = moment(at)
			return a, err
		})
		if err != nil {
			return err
		}
		counts, err := byType(ctx, tx, day)
		page.ByType = counts[day]
		return err
	})
	if err != nil {
		return projections.ActivityPage{}, err
	}
	page.Cut(q)
	return page, nil
}
