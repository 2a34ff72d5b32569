package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"headway/domain"
	"headway/fault"
	"headway/projections"
)

// keeper is how this engine keeps one projection.
type keeper struct {
	projection string
	schema     string // of its tables
	table      string // of the orders' rows; it has their id and version
	columns    string // of it, as scan takes them
	scan       func(*sql.Rows) (projections.Row, error)
	write      func(w *write, rows []projections.Row) error
	// check compares what is made from rows with them; nil if nothing is.
	check func(ctx context.Context, s *Store, differ differ) error
	sums  sumTable // none for a projection that does not add up
}

// sumTable is where the sums of a projection are; the key of each is its id.
type sumTable struct {
	name string
	// read reads those of a FROM clause in which the table is s.
	read func(ctx context.Context, tx reader, from string, args ...any) ([]projections.Sum, error)
}

// from is the table as read takes it.
func (t sumTable) from() string { return ` FROM ` + t.name + ` AS s` }

// differ reports what is not as it should be.
type differ func(id, field, want, got string)

// keepers lists what this engine keeps.
func keepers() []keeper {
	return []keeper{orderList(), customerSummary(), productSummary(), activity()}
}

// keeperOf is how a projection is kept; NotFound if there is no such projection.
func keeperOf(projection string) (keeper, error) {
	for _, k := range keepers() {
		if k.projection == projection {
			return k, nil
		}
	}
	_, err := projections.Named(projection)
	return keeper{}, err
}

// unkept is an error for a projection that is declared and that this engine does not keep.
func unkept() error {
	for _, p := range projections.All() {
		if k, err := keeperOf(p.Name); err != nil || k.projection == "" {
			return fault.Errorf(fault.Internal, "The embedded read store does not keep %s.", p.Name)
		}
	}
	return nil
}

// rowsOf are rows of one kind.
func rowsOf[R projections.Row](rows []projections.Row) ([]R, error) {
	all := make([]R, 0, len(rows))
	for _, row := range rows {
		r, ok := row.(R)
		if !ok {
			return nil, fault.Errorf(fault.Internal, "The read store cannot keep a %T.", row)
		}
		all = append(all, r)
	}
	return all, nil
}

// anyRow scans rows of one kind as any.
func anyRow[R projections.Row](scan func(*sql.Rows) (R, error)) func(*sql.Rows) (projections.Row, error) {
	return func(rows *sql.Rows) (projections.Row, error) { return scan(rows) }
}

// isNewer tells whether a row is to replace the one of its order that has the stored version: the one place where versions of rows are
// compared.
func isNewer(row projections.Row, stored int) bool { return row.At() > stored }

// Rows is projections.Store's.
func (s *Store) Rows(ctx context.Context, projection string, ids ...domain.OrderID) (map[domain.OrderID]projections.Row, error) {
	k, err := keeperOf(projection)
	if err != nil {
		return nil, err
	}
	return byID(ctx, s, ids, k.byIDs(), k.scan)
}

// byIDs is the query of the rows of some orders.
func (k keeper) byIDs() string {
	return `SELECT ` + k.columns + ` FROM ` + k.table + ` WHERE id IN (SELECT value FROM json_each(?))`
}

// byID reads the rows that exist of these orders.
func byID[R projections.Row](
	ctx context.Context, s *Store, ids []domain.OrderID, query string, scan func(*sql.Rows) (R, error),
) (map[domain.OrderID]R, error) {
	found := make(map[domain.OrderID]R, len(ids))
	for len(ids) > 0 {
		chunk := ids[:min(len(ids), idsPerQuery)]
		ids = ids[len(chunk):]
		page, err := readAll(ctx, s, scan, query, list(chunk))
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			found[r.Order()] = r
		}
	}
	return found, nil
}

// Versions is projections.Reader's.
func (s *Store) Versions(ctx context.Context, projection string, ids ...domain.OrderID) (map[domain.OrderID]int, error) {
	k, err := keeperOf(projection)
	if err != nil {
		return nil, err
	}
	versions := make(map[domain.OrderID]int, len(ids))
	for len(ids) > 0 {
		chunk := ids[:min(len(ids), idsPerQuery)]
		ids = ids[len(chunk):]
		_, err := readAll(ctx, s, func(rows *sql.Rows) (version int, err error) {
			var id domain.OrderID
			err = rows.Scan(&id, &version)
			versions[id] = version
			return version, err
		}, `SELECT id, version FROM `+k.table+` WHERE id IN (SELECT value FROM json_each(?))`, list(chunk))
		if err != nil {
			return nil, err
		}
	}
	return versions, nil
}

// EachRow is projections.Reader's.
func (s *Store) EachRow(ctx context.Context, projection string, f func(projections.Row) error) error {
	k, err := keeperOf(projection)
	if err != nil {
		return err
	}
	return each(f, func(r projections.Row) string { return string(r.Order()) }, func(after *string) ([]projections.Row, error) {
		return readAll(ctx, s, k.scan, `SELECT `+k.columns+` FROM `+k.table+allAfter, after, rowsPerStep)
	})
}

// allAfter goes through a table by id. An id may be empty in a row that somebody wrote by hand.
const allAfter = ` WHERE ?1 IS NULL OR id > ?1 ORDER BY id LIMIT ?2`

// each pages through a table by id, so that no transaction is held while f works.
func each[R any](f func(R) error, id func(R) string, page func(after *string) ([]R, error)) error {
	for after := (*string)(nil); ; {
		rows, err := page(after)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := f(r); err != nil {
				return err
			}
		}
		if len(rows) < rowsPerStep {
			return nil
		}
		last := id(rows[len(rows)-1])
		after = &last
	}
}

// summing is how a projection is kept that adds up; NotFound if it does not.
func summing(projection string) (keeper, error) {
	k, err := keeperOf(projection)
	if err == nil && k.sums.read == nil {
		err = fault.Errorf(fault.NotFound, "There are no sums of %s.", projection)
	}
	return k, err
}

// EachSum is projections.Reader's.
func (s *Store) EachSum(ctx context.Context, projection string, f func(projections.Sum) error) error {
	k, err := summing(projection)
	if err != nil {
		return err
	}
	return each(f, projections.Sum.Key, func(after *string) (page []projections.Sum, err error) {
		err = s.snapshot(ctx, func(tx reader) error {
			page, err = k.sums.read(ctx, tx, k.sums.from()+allAfter, after, rowsPerStep)
			return err
		})
		return page, err
	})
}

// Sums is projections.Reader's.
func (s *Store) Sums(ctx context.Context, projection string, keys ...string) (map[string]projections.Sum, error) {
	k, err := summing(projection)
	if err != nil {
		return nil, err
	}
	found := make(map[string]projections.Sum, len(keys))
	for len(keys) > 0 {
		chunk := keys[:min(len(keys), idsPerQuery)]
		keys = keys[len(chunk):]
		err := s.snapshot(ctx, func(tx reader) error {
			sums, err := k.sums.read(ctx, tx, k.sums.from()+` WHERE id IN (SELECT value FROM json_each(?))`, list(chunk))
			for _, sum := range sums {
				found[sum.Key()] = sum
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// sumOf is one sum of a kind; not found if there is none.
func sumOf[R projections.Sum](ctx context.Context, s *Store, projection, key string) (row R, found bool, err error) {
	sums, err := s.Sums(ctx, projection, key)
	if err == nil {
		row, found = sums[key].(R)
	}
	return row, found, err
}

// anySums are sums of one kind as any.
func anySums[R projections.Sum](rows []R) []projections.Sum {
	sums := make([]projections.Sum, len(rows))
	for i, r := range rows {
		sums[i] = r
	}
	return sums
}

// versionedBy is what makes rows of this program's kind: its schema, and the generations of the projections.
func versionedBy() (text string) {
	for _, p := range projections.All() {
		text += fmt.Sprintln(p.Name, p.Generation)
	}
	return text + schema()
}
