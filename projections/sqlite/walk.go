package sqlite

import (
	"fmt"
	"slices"
	"strings"
)

// How far an index is walked before something else is tried.
const (
	firstAsked = 500     // rows, after which it is seen whether to ask more
	askedRows  = 3000    // rows at most
	triedNames = 4       // words of a search that may be names of customers
	namedRows  = 100_000 // orders of customers with one name
)

// way is an index that has the order of the sort, what it says itself of whether a row matches, and what its rows have to be asked besides.
type way struct {
	index  string
	within []condition
	rest   []condition
}

func (o *orderSearch) way() way {
	customer, dates, status, words := o.customer(), o.created(), hasStatus(o.q.Statuses), o.hasWords()
	numbers := o.numbers(`o.no`)
	switch {
	case o.sort.index == "orders_by_customer":
		return way{o.sort.index, append(customer, numbers...), slices.Concat(dates, status, words)}
	case o.sort.index == "orders_by_status":
		return way{o.sort.index, append(status, numbers...), slices.Concat(customer, dates, words)}
	case o.sort.index != byCreated:
		return way{o.sort.index, numbers, slices.Concat(customer, dates, status, words)}
	case o.q.Customer != "":
		return way{"orders_customer", slices.Concat(customer, dates, status), words}
	case len(o.q.Statuses) == 1:
		return way{"orders_status", append([]condition{{`o.status = ?`, []any{string(o.q.Statuses[0])}}}, dates...), words}
	}
	return way{byCreated, dates, append(status, words...)}
}

// walk follows an index until the page is full.
func (o *orderSearch) walk(w way) (rows []found, err error) {
	for _, s := range o.segments() {
		missing := o.q.Limit + 1 - len(rows)
		if missing <= 0 {
			break
		}
		s.conditions = append(s.conditions, w.within...)
		more, err := o.walkRange(w, s, missing)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// segment is a part of a sort that one index range holds. Segments follow each other in the order of the sort.
type segment struct {
	equal      int // so many columns are fixed by conditions
	conditions []condition
}

// segments says which ranges follow the cursor: first the rows that share all its sort values, then those that share all but the last,
// and so on. Each is a pure range of the index, however deep the page is.
func (o *orderSearch) segments() []segment {
	columns, after := o.sort.columns, o.after
	if after == nil {
		return split(segment{}, columns[0], nil)
	}
	var all []segment
	for equal := len(columns); equal >= 0; equal-- {
		s := segment{equal: equal}
		for i, c := range columns[:equal] {
			s.conditions = append(s.conditions, condition{`o.` + c.name + ` = ?`, []any{after.keys[i].of(c)}})
		}
		if equal == len(columns) {
			s.conditions = append(s.conditions, condition{`o.id > ?`, []any{after.id}})
			all = append(all, s)
			continue
		}
		beyond := columns[equal]
		if beyond.values != nil {
			all = append(all, split(s, beyond, &after.keys[equal].text)...)
			continue
		}
		sign := ` > ?`
		if beyond.desc {
			sign = ` < ?`
		}
		s.conditions = append(s.conditions, condition{`o.` + beyond.name + sign, []any{after.keys[equal].of(beyond)}})
		all = append(all, s)
	}
	return all
}

// split makes a segment for each value after one, if the values are few: an index then serves both directions.
func split(s segment, c sortColumn, after *string) []segment {
	if c.values == nil {
		return []segment{s}
	}
	values := slices.Clone(c.values)
	if c.desc {
		slices.Reverse(values)
	}
	var all []segment
	for _, v := range values {
		if after != nil && (v == *after || (v > *after) == c.desc) {
			continue
		}
		part := segment{equal: s.equal + 1, conditions: slices.Clone(s.conditions)}
		part.conditions = append(part.conditions, condition{`o.` + c.name + ` = ?`, []any{v}})
		all = append(all, part)
	}
	return all
}

// walkRange finds the first matches in a range. So many rows are asked as make a page likely, going by the first.
func (o *orderSearch) walkRange(w way, s segment, limit int) ([]found, error) {
	within, args := where(s.conditions)
	from := ` FROM orders AS o INDEXED BY ` + w.index + within
	order := ` ORDER BY ` + o.order(s.equal)
	if len(w.rest) == 0 {
		return o.read(`SELECT `+orderColumns+from+order+` LIMIT ?`, append(args, limit))
	}
	rest, more := where(w.rest)
	var rows []found
	for before, asked := 0, firstAsked; ; before, asked = asked, askedRows {
		next, err := o.read(fmt.Sprintf(`SELECT %s FROM (SELECT o.no AS walked%s%s LIMIT ? OFFSET ?) CROSS JOIN orders AS o ON o.no = walked%s LIMIT ?`,
			orderColumns, from, order, rest), slices.Concat(args, []any{asked - before, before}, more, []any{limit - len(rows)}))
		rows = append(rows, next...)
		if err != nil || len(rows) == limit {
			return rows, err
		}
		if n, err := o.countRows(from, args, asked+1); err != nil || n <= asked {
			return rows, err
		}
		if len(rows)*askedRows < limit*asked {
			break
		}
	}
	far, err := o.far(w)
	if err != nil {
		return nil, err
	}
	within, args = where(append(s.conditions, far...))
	return o.read(`SELECT `+orderColumns+` FROM orders AS o INDEXED BY `+w.index+within+order+` LIMIT ?`, append(args, limit))
}

// far tells matches apart that lie far from the beginning of a range: by their numbers, which are gathered first. By customer, those who
// have a name lie together, so only their orders are walked.
func (o *orderSearch) far(w way) ([]condition, error) {
	if o.sort.index == "orders_by_customer" {
		names, err := o.names()
		if err != nil {
			return nil, err
		}
		if len(names) > 0 {
			return append([]condition{named(names)}, w.rest...), nil
		}
	}
	no, from, args := o.briefly(o.q.Statuses)
	return []condition{{`o.no IN (SELECT ` + no + from + `)`, args}}, nil
}

// names are the words that no order has but by its customer: as many orders have one as there are of customers who are named so.
func (o *orderSearch) names() (names []string, err error) {
	for _, word := range o.words[:min(len(o.words), triedNames)] {
		filter, args := where([]condition{named([]string{word})})
		theirs, err := o.countRows(` FROM orders AS o INDEXED BY orders_by_customer`+filter, args, namedRows+1)
		if err != nil {
			return nil, err
		}
		if theirs == 0 || theirs > namedRows {
			continue
		}
		all, err := o.countRows(` FROM orders_fts WHERE orders_fts MATCH ?`, []any{match([]string{word})}, theirs+1)
		if err != nil {
			return nil, err
		}
		if all == theirs {
			names = append(names, word)
		}
	}
	return names, nil
}

// named are the orders of customers whose name has these words.
func named(words []string) condition {
	return condition{`o.customer IN (SELECT c.id FROM customers_fts AS f CROSS JOIN customers AS c ON c.no = f.rowid WHERE customers_fts MATCH ?)`,
		[]any{match(words)}}
}

// order is an ORDER BY, without the columns that are the same in all rows.
func (o *orderSearch) order(equal int) string {
	var order []string
	for _, c := range o.sort.columns[equal:] {
		by := `o.` + c.name
		if c.desc {
			by += ` DESC`
		}
		order = append(order, by)
	}
	return strings.Join(append(order, `o.id`), `, `)
}
