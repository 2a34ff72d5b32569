package sqlite

import (
	"context"
	"fmt"
	"strings"

	"headway/projections"
)

// customerSort is the column before the id, and the index that has it.
func customerSort(s projections.Sort) (column sortColumn, index string) {
	by, desc := s.By()
	switch by {
	case "customer":
		return sortColumn{name: "id", desc: desc, text: true}, ""
	case "orders":
		return sortColumn{name: "orders", desc: desc}, "customers_orders"
	}
	return sortColumn{name: "last", desc: desc}, "customers_last"
}

// Customers is projections.Reader's. Up to a few matches are found by the full-text index and sorted; more are dense, and the index of the
// sort is walked.
func (s *Store) Customers(ctx context.Context, q projections.CustomerQuery) (projections.CustomerPage, error) {
	q, err := q.Checked()
	if err != nil {
		return projections.CustomerPage{}, err
	}
	column, index := customerSort(q.Sort)
	var number int64
	var text, id string
	if q.Cursor != "" {
		into := []any{&number, &id}
		if column.text {
			into = []any{&text, &id}
		}
		if err := projections.DecodeCursor(q.Cursor, q.Fingerprint(), into...); err != nil {
			return projections.CustomerPage{}, err
		}
	}
	words := projections.Words(q.Text)
	page := projections.CustomerPage{TotalIsExact: true}
	if q.Text != "" && len(words) == 0 {
		return page, nil // a text without a letter or digit matches nothing
	}
	err = s.snapshot(ctx, func(tx reader) error {
		from, conditions := ` FROM customers AS c`, []condition{}
		if len(words) > 0 {
			from = ` FROM customers_fts AS f CROSS JOIN customers AS c ON c.no = f.rowid`
			conditions = append(conditions, condition{`customers_fts MATCH ?`, []any{match(words)}})
		}
		filter, args := where(conditions)
		var n int
		err := tx.QueryRowContext(ctx, fmt.Sprintf(`SELECT count(*) FROM (SELECT 1%s%s LIMIT %d)`, from, filter, projections.ExactTotal+1), args...).Scan(&n)
		if err != nil {
			return err
		}
		page.Total, page.TotalIsExact = min(n, projections.ExactTotal), n <= projections.ExactTotal
		if n > projections.ExactTotal {
			from, conditions = ` FROM customers AS c`, nil
			if index != "" {
				from += ` INDEXED BY ` + index
			}
			for _, word := range words {
				conditions = append(conditions, condition{`instr(' ' || c.words, ?)`, []any{" " + word}})
			}
		}
		if q.Cursor != "" {
			conditions = append(conditions, afterCustomer(column, number, id))
		}
		filter, args = where(conditions)
		rows, err := tx.QueryContext(ctx, fmt.Sprintf(`SELECT %s%s%s ORDER BY %s LIMIT %d`, customerColumns, from, filter,
			orderBy(column), q.Limit+1), args...)
		if page.Rows, err = collect(rows, err, scanCustomer); err != nil {
			return err
		}
		if len(page.Rows) > q.Limit {
			page.Rows = page.Rows[:q.Limit]
			last := page.Rows[q.Limit-1]
			page.Next = projections.EncodeCursor(q.Fingerprint(), customerKey(column, last), last.ID)
		}
		return addSpent(ctx, tx, page.Rows)
	})
	if err != nil {
		return projections.CustomerPage{}, err
	}
	return page, nil
}

func customerKey(c sortColumn, r projections.CustomerRow) any {
	switch c.name {
	case "orders":
		return int64(r.TotalOrders)
	case "last":
		return micros(r.LastOrderAt)
	}
	return r.ID
}

func orderBy(c sortColumn) string {
	parts := []string{`c.` + c.name}
	if c.desc {
		parts[0] += ` DESC`
	}
	if c.name != "id" {
		parts = append(parts, `c.id`)
	}
	return strings.Join(parts, ", ")
}

// afterCustomer is the rows after the one of the cursor. The first comparison is the range of the index.
func afterCustomer(c sortColumn, number int64, id string) condition {
	sign := `>`
	if c.desc {
		sign = `<`
	}
	if c.name == "id" {
		return condition{`c.id ` + sign + ` ?`, []any{id}}
	}
	return condition{fmt.Sprintf(`c.%[1]s %[2]s= ? AND (c.%[1]s %[2]s ? OR c.id > ?)`, c.name, sign), []any{number, number, id}}
}
