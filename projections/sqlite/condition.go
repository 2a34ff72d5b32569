package sqlite

import (
	"slices"
	"strings"

	"headway/domain"
)

// condition is a part of a WHERE clause with its arguments.
type condition struct {
	sql  string
	args []any
}

func where(conditions []condition) (string, []any) {
	if len(conditions) == 0 {
		return " WHERE 1", nil
	}
	all := joined(conditions, " AND ")
	return " WHERE " + all.sql, all.args
}

func joined(conditions []condition, by string) (all condition) {
	var parts []string
	for _, c := range conditions {
		parts = append(parts, c.sql)
		all.args = append(all.args, c.args...)
	}
	all.sql = strings.Join(parts, by)
	return all
}

// match is the full-text query of all words as prefixes, and of one of the statuses if there are any. Words are letters and digits
// alone, so nothing in them is syntax.
func match(words []string, statuses ...domain.Status) string {
	var parts []string
	for _, word := range words {
		parts = append(parts, `"`+word+`"*`)
	}
	if len(statuses) > 0 {
		var either []string
		for _, status := range statuses {
			either = append(either, `"`+statusToken(status)+`"`)
		}
		parts = append(parts, `(`+strings.Join(either, ` OR `)+`)`)
	}
	return strings.Join(parts, ` AND `)
}

// hasWords asks a row whether each word begins one of its words.
func (o *orderSearch) hasWords() []condition {
	var all []condition
	for _, word := range o.words {
		all = append(all, condition{`(instr(' ' || o.head, ?) OR instr(' ' || o.words, ?))`, []any{" " + word, " " + word}})
	}
	return all
}

func (o *orderSearch) created() []condition {
	var all []condition
	if !o.q.From.IsZero() {
		all = append(all, condition{`o.createdAt >= ?`, []any{micros(o.q.From)}})
	}
	if !o.q.To.IsZero() {
		all = append(all, condition{`o.createdAt < ?`, []any{micros(o.q.To)}})
	}
	return all
}

// numbers are the rows that can lie in the time asked for, as far as their numbers say.
func (o *orderSearch) numbers(no string) []condition {
	if o.q.From.IsZero() && o.q.To.IsZero() {
		return nil
	}
	var either []condition
	for _, r := range o.regions() {
		all := joined(o.numbersIn(r, no), ` AND `)
		either = append(either, condition{`(` + all.sql + `)`, all.args})
	}
	if len(either) == 1 {
		return either
	}
	all := joined(either, ` OR `)
	numbers := []condition{{`(` + all.sql + `)`, all.args}}
	if !o.q.From.IsZero() { // which the full-text index can use, as it cannot use either
		numbers = append(numbers, condition{no + ` >= ?`, []any{uncrowded().first(secondAt(o.q.From))}})
	}
	return numbers
}

// regions are those that have numbers.
func (o *orderSearch) regions() []region {
	if o.isCrowded {
		return regions()
	}
	return regions()[:1]
}

// numbersIn are those of one region.
func (o *orderSearch) numbersIn(r region, no string) []condition {
	var all []condition
	if !o.q.From.IsZero() {
		all = append(all, condition{no + ` >= ?`, []any{r.first(secondAt(o.q.From))}})
	}
	if !o.q.To.IsZero() {
		all = append(all, condition{no + ` < ?`, []any{r.first(secondAt(o.q.To) + 1)}})
	}
	switch {
	case r.base == crowded:
		all = append(all, condition{no + ` >= ?`, []any{r.base}})
	case o.isCrowded:
		all = append(all, condition{no + ` < ?`, []any{int64(crowded)}})
	}
	return all
}

func (o *orderSearch) customer() []condition {
	if o.q.Customer == "" {
		return nil
	}
	return []condition{{`o.customer = ?`, []any{o.q.Customer}}}
}

func hasStatus(statuses []domain.Status) []condition {
	if len(statuses) == 0 {
		return nil
	}
	return []condition{{`o.status IN (SELECT value FROM json_each(?))`, []any{list(statuses)}}}
}

// matches is the FROM and WHERE that find all matches.
func (o *orderSearch) matches(statuses []domain.Status) (string, []any) {
	dates := o.created()
	if o.byText() {
		conditions := append([]condition{{`orders_fts MATCH ?`, []any{match(o.words, statuses...)}}}, o.numbers(`f.rowid`)...)
		filter, args := where(append(conditions, dates...))
		return ` FROM orders_fts AS f CROSS JOIN orders AS o ON o.no = f.rowid` + filter, args
	}
	index := byCreated
	status := hasStatus(statuses)
	switch {
	case o.q.Customer != "":
		index = "orders_customer"
	case len(statuses) > 0:
		index = "orders_status"
	}
	filter, args := where(slices.Concat(o.customer(), status, dates, o.hasWords()))
	return ` FROM orders AS o INDEXED BY ` + index + filter, args
}
