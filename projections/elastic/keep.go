package elastic

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"headway/domain"
	"headway/fault"
	"headway/projections"
)

// keeper is how this engine keeps one projection.
type keeper struct {
	projection string
	rows       string            // the kind of index of its rows, each under its order's id
	sums       string            // and of its sums, each under the hash of its key; empty if it does not add up
	fields     map[string]object // of each kind
	write      func(ctx context.Context, s *Store, t targets, rows []projections.Row) error
	row        func(source json.RawMessage) (projections.Row, error)
	sum        func(source json.RawMessage) (projections.Sum, error)
	// check compares the fields that are made from others with them.
	check func(ctx context.Context, s *Store, differ differ) error
}

// differ reports what is not as it should be.
type differ func(id, field string, want, got any)

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
			return fault.Errorf(fault.Internal, "The distributed read store does not keep %s.", p.Name)
		}
	}
	return nil
}

// kinds are its indices, which are only right together: sums are of the rows.
func (k keeper) kinds() group {
	if k.sums == "" {
		return group{k.rows}
	}
	return group{k.rows, k.sums}
}

// external is the version that the document of a row at a version of its order has, or that of a sum of rows whose versions add up to it:
// the one place where it is computed. Elasticsearch compares it, and takes no lower one.
func external(version int64) int64 { return version }

// versionOf is the version of the order's row in a document.
func versionOf(external int64) int { return int(external) }

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

// Rows is projections.Store's.
func (s *Store) Rows(ctx context.Context, projection string, ids ...domain.OrderID) (map[domain.OrderID]projections.Row, error) {
	k, err := keeperOf(projection)
	if err != nil {
		return nil, err
	}
	rows := make(map[domain.OrderID]projections.Row, len(ids))
	err = s.with(ctx, func(t targets) error {
		found, err := s.fetch(ctx, t[k.rows].index, keysOf(ids), true)
		if err != nil {
			return err
		}
		for _, f := range found {
			if rows[domain.OrderID(f.ID)], err = k.row(f.Source); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// Versions is projections.Reader's.
func (s *Store) Versions(ctx context.Context, projection string, ids ...domain.OrderID) (map[domain.OrderID]int, error) {
	k, err := keeperOf(projection)
	if err != nil {
		return nil, err
	}
	versions := make(map[domain.OrderID]int, len(ids))
	err = s.ask(ctx, func(ctx context.Context, t targets) error {
		found, err := s.fetch(ctx, t[k.rows].index, keysOf(ids), false)
		for _, d := range found {
			versions[domain.OrderID(d.ID)] = versionOf(d.Version)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return versions, nil
}

// EachRow is projections.Reader's.
func (s *Store) EachRow(ctx context.Context, projection string, f func(projections.Row) error) error {
	k, err := keeperOf(projection)
	if err != nil {
		return err
	}
	return each(ctx, s, k.rows, object{"match_all": object{}}, k.row, f)
}

// summing is how a projection is kept that adds up; NotFound if it does not.
func summing(projection string) (keeper, error) {
	k, err := keeperOf(projection)
	if err == nil && k.sums == "" {
		err = fault.Errorf(fault.NotFound, "There are no sums of %s.", projection)
	}
	return k, err
}

// counted leaves out the sums to which no order adds any more.
func counted() object { return object{"range": object{"counted": object{"gt": 0}}} }

// EachSum is projections.Reader's.
func (s *Store) EachSum(ctx context.Context, projection string, f func(projections.Sum) error) error {
	k, err := summing(projection)
	if err != nil {
		return err
	}
	return each(ctx, s, k.sums, counted(), k.sum, f)
}

// Sums is projections.Reader's.
func (s *Store) Sums(ctx context.Context, projection string, keys ...string) (map[string]projections.Sum, error) {
	k, err := summing(projection)
	if err != nil {
		return nil, err
	}
	all := make(map[string]projections.Sum, len(keys))
	err = s.with(ctx, func(t targets) error {
		all, err = s.sumsOf(ctx, t, k, keys)
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

func (s *Store) sumsOf(ctx context.Context, t targets, k keeper, keys []string) (map[string]projections.Sum, error) {
	hashes := make([]string, len(keys))
	for i, key := range keys {
		hashes[i] = sumKey(key)
	}
	found, err := s.fetch(ctx, t[k.sums].index, hashes, true)
	if err != nil {
		return nil, err
	}
	all := make(map[string]projections.Sum, len(found))
	for _, f := range found {
		var d struct {
			Counted int `json:"counted"`
		}
		if err := json.Unmarshal(f.Source, &d); err != nil {
			return nil, err
		}
		if d.Counted == 0 {
			continue
		}
		sum, err := k.sum(f.Source)
		if err != nil {
			return nil, err
		}
		all[sum.Key()] = sum
	}
	return all, nil
}

// sumOf is one sum of a kind, for a page; not found if there is none.
func sumOf[R projections.Sum](ctx context.Context, s *Store, k keeper, key string) (row R, found bool, err error) {
	err = s.ask(ctx, func(ctx context.Context, t targets) error {
		sums, err := s.sumsOf(ctx, t, k, []string{key})
		row, found = sums[key].(R)
		return err
	})
	return row, found, err
}

// read reads documents of one kind as what they are of.
func read[D, R any](of func(D) R) func(json.RawMessage) (R, error) {
	return func(source json.RawMessage) (row R, err error) {
		var d D
		if err = json.Unmarshal(source, &d); err == nil {
			row = of(d)
		}
		return row, err
	}
}

// eachDocument calls f with every document of a kind.
func eachDocument[D any](ctx context.Context, s *Store, kind string, f func(d D)) error {
	return each(ctx, s, kind, object{"match_all": object{}}, read(func(d D) D { return d }), func(d D) error { f(d); return nil })
}

// same reports what is not the same.
func (s *Store) same(report func(projections.Difference)) differ {
	return func(id, field string, want, got any) {
		if !reflect.DeepEqual(want, got) {
			report(projections.Difference{
				Projection: searchIndex, ID: id, Field: field, Want: fmt.Sprintf("%q", want), Got: fmt.Sprintf("%q", got),
			})
		}
	}
}
