package sqlite

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/bits"
	"slices"

	"headway/domain"
	"headway/projections"
)

// contributing is how a projection is kept that adds up. A table has all that an order contributes, as one text, at the order's version;
// the sums are in tables of the projection's own. From each sum goes what its orders added as they are stored, and what they add now comes
// to it, in the transaction that replaces it: so a sum costs the same however many orders it has, and is right at every commit.
type contributing[C projections.Contribution] struct {
	table string
	// change changes the sum of a key. It may change none by two changes that take each other away.
	change func(w *write, key string, changes []change[C]) error
}

// change is a contribution that comes to a sum, or goes from it.
type change[C projections.Contribution] struct {
	order domain.OrderID
	of    C
	times int64 // 1 or -1
}

// keep fills in how the orders are kept.
func (c contributing[C]) keep(k keeper) keeper {
	k.table, k.columns, k.scan, k.write = c.table, contributedColumns, anyRow(scanContributed[C]), c.write
	k.schema = fmt.Sprintf(contributedSchema, c.table) + k.schema
	return k
}

const contributedColumns = `id, version, status, lines, storedAt, total, currency, contributions`

const contributedSchema = `
CREATE TABLE %s (
	id            TEXT    PRIMARY KEY,
	version       INTEGER NOT NULL,
	status        TEXT    NOT NULL,
	lines         INTEGER NOT NULL,
	storedAt      INTEGER NOT NULL,
	total         INTEGER NOT NULL,
	currency      TEXT    NOT NULL,
	contributions TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
`

func scanContributed[C projections.Contribution](rows *sql.Rows) (r projections.Contributed[C], err error) {
	var stored int64
	var contributions sql.RawBytes
	err = rows.Scan(&r.ID, &r.Version, &r.Status, &r.Lines, &stored, &r.Total.Minor, &r.Total.Currency, &contributions)
	r.StoredAt = moment(stored)
	if err == nil {
		err = json.Unmarshal(contributions, &r.Contributions)
	}
	return r, err
}

func (c contributing[C]) write(w *write, all []projections.Row) error {
	rows, err := rowsOf[projections.Contributed[C]](all)
	if err != nil {
		return err
	}
	known := make(map[domain.OrderID]projections.Contributed[C], len(rows))
	for chunk := range slices.Chunk(rows, idsPerQuery) {
		stmt, err := w.prepared(`SELECT ` + contributedColumns + ` FROM ` + c.table +
			` WHERE id IN (SELECT value FROM json_each(?))`)
		if err != nil {
			return err
		}
		stored, err := stmt.QueryContext(w.ctx, list(idsOf(chunk)))
		found, err := collect(stored, err, scanContributed[C])
		if err != nil {
			return err
		}
		for _, r := range found {
			known[r.ID] = r
		}
	}
	changes := map[string][]change[C]{}
	for _, r := range rows {
		old, found := known[r.ID]
		if found && !isNewer(r, old.Version) {
			continue
		}
		gone, come := old.Changes(r)
		for _, of := range gone {
			changes[of.Key()] = append(changes[of.Key()], change[C]{r.ID, of, -1})
		}
		for _, of := range come {
			changes[of.Key()] = append(changes[of.Key()], change[C]{r.ID, of, 1})
		}
		text, err := json.Marshal(r.Contributions)
		if err != nil {
			return err
		}
		err = w.exec(`INSERT INTO `+c.table+` (`+contributedColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET version = excluded.version, status = excluded.status, lines = excluded.lines, storedAt = excluded.storedAt, total = excluded.total,
				currency = excluded.currency, contributions = excluded.contributions`,
			string(r.ID), r.Version, string(r.Status), r.Lines, micros(r.StoredAt), r.Total.Minor, string(r.Total.Currency), string(text))
		if err != nil {
			return err
		}
		known[r.ID] = r
	}
	for _, key := range slices.Sorted(maps.Keys(changes)) {
		if err := c.change(w, key, changes[key]); err != nil {
			return err
		}
	}
	return nil
}

// sum is how many amounts there are, and the sums of their upper and lower 32 bits: 2³¹ of them fit, and one can be taken away again.
type sum struct{ n, high, low int64 }

// add adds an amount that is not negative, or takes it away.
func (s *sum) add(amount, times int64) {
	s.n, s.high, s.low = s.n+times, s.high+times*(amount>>32), s.low+times*(amount&math.MaxUint32)
}

// halves is high << 32 + low, or the largest int64 if that does not fit. Neither is negative.
func halves(high, low int64) int64 {
	if high>>31 != 0 {
		return math.MaxInt64
	}
	sum, carry := bits.Add64(uint64(high)<<32, uint64(low), 0)
	if carry != 0 || sum > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(sum)
}

// idsOf are the orders of rows.
func idsOf[R projections.Row](rows []R) []domain.OrderID {
	ids := make([]domain.OrderID, len(rows))
	for i, r := range rows {
		ids[i] = r.Order()
	}
	return ids
}
