package sqlite

import (
	"context"
	"fmt"
	"strings"

	"headway/projections"
)

// sumPage is one page of sums: what is asked, and what is found. Their table has words, and a full-text index of these.
type sumPage struct {
	of                  sumTable
	column              sortColumn                // before the id
	index               string                    // that has it; none for the id
	value               func(projections.Sum) any // of the column
	text                string
	limit               int
	cursor, fingerprint string

	rows    []projections.Sum
	next    string
	total   int
	isExact bool
}

// find finds the page. Up to a few matches are found by the full-text index and sorted; more are dense, and the index of the sort is
// walked.
func (p *sumPage) find(ctx context.Context, s *Store) error {
	var after sortValue
	var id string
	if p.cursor != "" {
		into := []any{after.of(p.column), &id}
		if p.column.name == "id" {
			into = into[1:]
		}
		if err := projections.DecodeCursor(p.cursor, p.fingerprint, into...); err != nil {
			return err
		}
	}
	words := projections.Words(p.text)
	p.isExact = true
	if p.text != "" && len(words) == 0 {
		return nil // a text without a letter or digit matches nothing
	}
	return s.snapshot(ctx, func(tx reader) error {
		from, conditions := p.of.from(), []condition{}
		if len(words) > 0 {
			from = fmt.Sprintf(` FROM %[1]s_fts AS f CROSS JOIN %[1]s AS s ON s.no = f.rowid`, p.of.name)
			conditions = append(conditions, condition{p.of.name + `_fts MATCH ?`, []any{match(words)}})
		}
		filter, args := where(conditions)
		var n int
		err := tx.QueryRowContext(ctx, fmt.Sprintf(`SELECT count(*) FROM (SELECT 1%s%s LIMIT %d)`, from, filter, projections.ExactTotal+1), args...).Scan(&n)
		if err != nil {
			return err
		}
		p.total, p.isExact = min(n, projections.ExactTotal), n <= projections.ExactTotal
		if n > projections.ExactTotal {
			from, conditions = p.of.from(), nil
			if p.index != "" {
				from += ` INDEXED BY ` + p.index
			}
			for _, word := range words {
				conditions = append(conditions, condition{`instr(' ' || s.words, ?)`, []any{" " + word}})
			}
		}
		if p.cursor != "" {
			conditions = append(conditions, p.after(after, id))
		}
		filter, args = where(conditions)
		p.rows, err = p.of.read(ctx, tx, fmt.Sprintf(`%s%s ORDER BY %s LIMIT %d`, from, filter, p.order(), p.limit+1), args...)
		if err != nil || len(p.rows) <= p.limit {
			return err
		}
		p.rows = p.rows[:p.limit]
		last := p.rows[p.limit-1]
		values := []any{last.Key()}
		if p.column.name != "id" {
			values = []any{p.value(last), last.Key()}
		}
		p.next = projections.EncodeCursor(p.fingerprint, values...)
		return nil
	})
}

func (p *sumPage) order() string {
	parts := []string{`s.` + p.column.name}
	if p.column.desc {
		parts[0] += ` DESC`
	}
	if p.column.name != "id" {
		parts = append(parts, `s.id`)
	}
	return strings.Join(parts, ", ")
}

// after is the rows after the one of the cursor. The first comparison is the range of the index.
func (p *sumPage) after(value sortValue, id string) condition {
	sign := `>`
	if p.column.desc {
		sign = `<`
	}
	if p.column.name == "id" {
		return condition{`s.id ` + sign + ` ?`, []any{id}}
	}
	v := any(value.number)
	if p.column.text {
		v = value.text
	}
	return condition{fmt.Sprintf(`s.%[1]s %[2]s= ? AND (s.%[1]s %[2]s ? OR s.id > ?)`, p.column.name, sign), []any{v, v, id}}
}

// sumsAs are sums of one kind.
func sumsAs[R projections.Sum](sums []projections.Sum) []R {
	var rows []R
	for _, sum := range sums {
		if r, ok := sum.(R); ok {
			rows = append(rows, r)
		}
	}
	return rows
}
