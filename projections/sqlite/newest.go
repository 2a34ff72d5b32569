package sqlite

import (
	"fmt"
	"slices"
)

// newest finds the page by the full-text index alone, whose rows lie in the order of creation, region by region: newest first or oldest
// first, and rank by rank.
func (o *orderSearch) newest() ([]found, error) {
	words := match(o.words, o.q.Statuses...)
	if !o.ranked {
		return o.inOrder(0, words, o.after, o.q.Limit+1)
	}
	isBegun, err := o.isBegun()
	if err != nil {
		return nil, err
	}
	if !isBegun {
		return o.inOrder(anyMatch, words, o.afterUnbegun(), o.q.Limit+1)
	}
	exact, begun := `"`+beginning(o.words)+`"`, `"`+beginning(o.words)+`"*`
	var all []found
	for rank, query := range []string{
		`(` + words + `) AND ` + exact, `(` + words + `) AND (` + begun + ` NOT ` + exact + `)`, `(` + words + `) NOT ` + begun,
	} {
		missing, after := o.q.Limit+1-len(all), o.after
		if missing <= 0 || after != nil && after.rank > int64(rank) {
			continue
		}
		if after != nil && after.rank < int64(rank) {
			after = nil
		}
		more, err := o.inOrder(int64(rank), query, after, missing)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// isBegun tells whether any reference or id begins as the text does, if the page is to show those first.
func (o *orderSearch) isBegun() (bool, error) {
	if !o.ranked {
		return false, nil
	}
	n, err := o.countRows(` FROM orders_fts WHERE orders_fts MATCH ?`, []any{`"` + beginning(o.words) + `"*`}, 1)
	return n > 0, err
}

// afterUnbegun is the cursor where nothing comes first any more.
func (o *orderSearch) afterUnbegun() *place {
	if o.after != nil && o.ranked && o.after.rank < anyMatch {
		return nil
	}
	return o.after
}

// inOrder finds the first matches after a place.
func (o *orderSearch) inOrder(rank int64, query string, after *place, limit int) ([]found, error) {
	var all []found
	for _, r := range o.regions() {
		rows, err := o.inRegion(r, rank, query, after, limit)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	return o.sorted(all, limit), nil
}

// inRegion finds those of one region, and a few too many. The rows of one second lie in no order, so its last second is read to the end.
func (o *orderSearch) inRegion(r region, rank int64, query string, after *place, limit int) ([]found, error) {
	desc := o.sort.columns[0].desc
	conditions := append([]condition{{`orders_fts MATCH ?`, []any{query}}}, o.numbersIn(r, `f.rowid`)...)
	direction := ``
	if desc {
		direction = ` DESC`
	}
	if after != nil {
		second := secondAt(moment(after.keys[0].number))
		if desc {
			conditions = append(conditions, condition{`f.rowid < ?`, []any{r.first(second + 1)}})
		} else {
			conditions = append(conditions, condition{`f.rowid >= ?`, []any{r.first(second)}})
		}
	}
	filter, args := where(append(conditions, o.created()...))
	rows, err := o.tx.QueryContext(o.ctx, fmt.Sprintf(`SELECT %s FROM orders_fts AS f CROSS JOIN orders AS o ON o.no = f.rowid%s
		ORDER BY f.rowid%s`, orderColumns, filter, direction), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []found
	for rows.Next() {
		row, err := scanOrder(rows)
		if err != nil {
			return nil, err
		}
		f := found{row, rank}
		if after != nil && o.compare(o.placeOf(f), *after) <= 0 {
			continue
		}
		if len(all) >= limit && secondAt(all[len(all)-1].CreatedAt) != secondAt(f.CreatedAt) {
			break
		}
		if all = append(all, f); len(all) > 4*limit {
			all = o.sorted(all, limit) // what still comes is of its last second
		}
	}
	return all, rows.Err()
}

func (o *orderSearch) sorted(all []found, limit int) []found {
	slices.SortFunc(all, func(a, b found) int { return o.compare(o.placeOf(a), o.placeOf(b)) })
	return all[:min(len(all), limit)]
}
