package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"headway/domain"
	"headway/projections"
)

// How a page is found. Up to fewMatches matches are fetched as short candidates by the most selective index, and are counted and
// sorted here: exact, and quick whatever the sort. More than that are dense: the index of the sort is walked, and each row asked whether
// it matches, which finds a page after few rows; a count stops at ExactTotal.
const fewMatches = projections.ExactTotal

// orderSort is a way to sort: the columns before the id, which breaks ties, and the index that has them in this order.
type orderSort struct {
	index   string
	columns []sortColumn
}

type sortColumn struct {
	name   string
	desc   bool
	text   bool     // a string, not a number
	values []string // all values that there are, ascending, if they are few
}

func sortOf(s projections.Sort) orderSort {
	by, desc := s.By()
	switch {
	case by == "total" && desc:
		return orderSort{"orders_by_totaldesc", []sortColumn{{name: "currency", text: true}, {name: "total", desc: true}}}
	case by == "total":
		return orderSort{"orders_by_total", []sortColumn{{name: "currency", text: true}, {name: "total"}}}
	case by == "customer":
		return orderSort{"orders_by_customer", []sortColumn{{name: "customer", desc: desc, text: true}}}
	case by == "status":
		return orderSort{"orders_by_status", []sortColumn{{name: "status", desc: desc, text: true, values: []string{"cancelled", "confirmed", "created"}}}}
	case by == "items" && desc:
		return orderSort{"orders_by_itemsdesc", []sortColumn{{name: "items", desc: true}}}
	case by == "items":
		return orderSort{"orders_by_items", []sortColumn{{name: "items"}}}
	}
	return orderSort{"orders_created", []sortColumn{{name: "createdAt", desc: desc}}}
}

// candidate is a match as short as counting and sorting need it.
type candidate struct {
	no      int64
	id      string
	status  domain.Status
	rank    int64 // 0 exact, 1 prefix of reference or id, 2 any other; 0 if the query is not ranked
	created int64
	keys    []any // the sort columns, string or int64
}

// orderSearch is one query of orders while it is answered.
type orderSearch struct {
	ctx    context.Context
	tx     *sql.Tx
	q      projections.OrderQuery
	words  []string
	key    string // the words of the query as one text
	ranked bool
	sort   orderSort
	after  []any // the cursor: rank (if ranked), sort columns, id; nil on the first page
}

// Orders is projections.Reader's.
func (s *Store) Orders(ctx context.Context, q projections.OrderQuery) (projections.OrderPage, error) {
	o, err := newOrderSearch(q)
	if err != nil {
		return projections.OrderPage{}, err
	}
	page := projections.OrderPage{ByStatus: map[domain.Status]int{}}
	for _, status := range domain.Statuses() {
		page.ByStatus[status] = 0
	}
	if o.q.Text != "" && len(o.words) == 0 {
		page.TotalIsExact = true
		return page, nil // a text without a letter or digit matches nothing
	}
	err = s.snapshot(ctx, func(tx *sql.Tx) error {
		o.ctx, o.tx = ctx, tx
		return o.answer(&page)
	})
	if err != nil {
		return projections.OrderPage{}, err
	}
	return page, nil
}

func newOrderSearch(q projections.OrderQuery) (*orderSearch, error) {
	q, err := q.Checked()
	if err != nil {
		return nil, err
	}
	words := projections.Words(q.Text)
	o := &orderSearch{q: q, words: words, key: strings.Join(words, " "), ranked: q.Ranked(), sort: sortOf(q.Sort)}
	if o.ranked {
		o.sort = sortOf("-created")
	}
	if q.Cursor == "" {
		return o, nil
	}
	return o, o.readCursor()
}

// readCursor takes the place where the page before ended.
func (o *orderSearch) readCursor() error {
	var rank int64
	var id string
	into := []any{}
	if o.ranked {
		into = append(into, &rank)
	}
	for _, c := range o.sort.columns {
		if c.text {
			into = append(into, new(string))
		} else {
			into = append(into, new(int64))
		}
	}
	into = append(into, &id)
	if err := projections.DecodeCursor(o.q.Cursor, o.q.Fingerprint(), into...); err != nil {
		return err
	}
	for _, v := range into {
		switch v := v.(type) {
		case *string:
			o.after = append(o.after, *v)
		case *int64:
			o.after = append(o.after, *v)
		}
	}
	return nil
}

func (o *orderSearch) answer(page *projections.OrderPage) error {
	from, args, err := o.matches(nil)
	if err != nil {
		return err
	}
	few, err := o.atMost(fewMatches, from, args)
	if err != nil {
		return err
	}
	if few {
		matches, err := o.candidates(from, args)
		if err != nil {
			return err
		}
		for _, c := range matches {
			page.ByStatus[c.status]++
		}
		o.total(page)
		return o.cut(page, slices.DeleteFunc(matches, func(c candidate) bool {
			return len(o.q.Statuses) > 0 && !slices.Contains(o.q.Statuses, c.status)
		}))
	}
	if page.ByStatus, err = o.counts(); err != nil {
		return err
	}
	o.total(page)
	if len(o.q.Statuses) == 0 || !page.TotalIsExact {
		return o.walk(page)
	}
	// The statuses asked for are rare: a walk could be long.
	if from, args, err = o.matches(o.q.Statuses); err != nil {
		return err
	}
	matches, err := o.candidates(from, args)
	if err != nil {
		return err
	}
	return o.cut(page, matches)
}

// total adds up the statuses that were asked for, and caps what is not exact.
func (o *orderSearch) total(page *projections.OrderPage) {
	page.TotalIsExact = true
	for status, n := range page.ByStatus {
		if len(o.q.Statuses) == 0 || slices.Contains(o.q.Statuses, status) {
			page.Total += n
		}
		page.ByStatus[status] = min(n, projections.ExactTotal)
	}
	if page.Total > projections.ExactTotal {
		page.Total, page.TotalIsExact = projections.ExactTotal, false
	}
}

// condition is a part of a WHERE clause with its arguments.
type condition struct {
	sql  string
	args []any
}

func where(conditions []condition) (string, []any) {
	var parts []string
	var args []any
	for _, c := range conditions {
		parts = append(parts, c.sql)
		args = append(args, c.args...)
	}
	if len(parts) == 0 {
		return " WHERE 1", nil
	}
	return " WHERE " + strings.Join(parts, " AND "), args
}

// match is the full-text query of all words as prefixes, and of one of the statuses if there are any. Words are letters and digits
// alone, so nothing in them is syntax.
func match(table string, words []string, statuses ...domain.Status) condition {
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
	return condition{table + ` MATCH ?`, []any{strings.Join(parts, ` AND `)}}
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

// joined is the full-text index with the rows it finds.
const joined = ` FROM orders_fts AS f CROSS JOIN orders AS o ON o.no = f.rowid`

// matches is the FROM and WHERE that find all matches by the index that leaves the fewest rows to look at.
func (o *orderSearch) matches(statuses []domain.Status) (string, []any, error) {
	dates, hasWords := o.created(), o.hasWords()
	index := ``
	switch {
	case o.q.Customer != "":
		index = ` INDEXED BY orders_customer`
	case len(o.words) > 0:
		byText, err := o.textIsRarer(dates)
		if err != nil {
			return "", nil, err
		}
		if byText {
			filter, args := where(append(dates, match("orders_fts", o.words, statuses...)))
			return joined + filter, args, nil
		}
		index = ` INDEXED BY orders_created`
	case len(statuses) > 0:
		index = ` INDEXED BY orders_status`
	}
	filter, args := where(slices.Concat(o.customer(), dates, hasStatus(statuses), hasWords))
	return ` FROM orders AS o` + index + filter, args, nil
}

// textIsRarer tells whether fewer rows have the words than lie in the time asked for.
func (o *orderSearch) textIsRarer(dates []condition) (bool, error) {
	if len(dates) == 0 {
		return true, nil
	}
	const many = 20 * fewMatches
	filter, args := where(dates)
	dated, err := o.count(` FROM orders AS o INDEXED BY orders_created`+filter, args, many)
	if err != nil {
		return false, err
	}
	filter, args = where([]condition{match("orders_fts", o.words)})
	texted, err := o.count(` FROM orders_fts`+filter, args, many)
	return texted <= dated, err
}

// atMost tells whether a FROM and WHERE find no more than n rows.
func (o *orderSearch) atMost(n int, from string, args []any) (bool, error) {
	count, err := o.count(from, args, n+1)
	return count <= n, err
}

// count counts rows, and stops at a limit.
func (o *orderSearch) count(from string, args []any, limit int) (n int, err error) {
	err = o.tx.QueryRowContext(o.ctx, fmt.Sprintf(`SELECT count(*) FROM (SELECT 1%s LIMIT %d)`, from, limit), args...).Scan(&n)
	return n, err
}

// candidates reads all matches.
func (o *orderSearch) candidates(from string, args []any) ([]candidate, error) {
	columns := `o.no, o.id, o.status, o.createdAt, o.refKey`
	for _, c := range o.sort.columns {
		columns += `, o.` + c.name
	}
	rows, err := o.tx.QueryContext(o.ctx, `SELECT `+columns+from, args...)
	return collect(rows, err, o.scanCandidate)
}

func (o *orderSearch) scanCandidate(rows *sql.Rows) (c candidate, err error) {
	var refKey string
	c.keys = make([]any, len(o.sort.columns))
	into := []any{&c.no, &c.id, &c.status, &c.created, &refKey}
	for i := range c.keys {
		into = append(into, &c.keys[i])
	}
	err = rows.Scan(into...)
	if o.ranked {
		c.rank = o.rankOf(refKey, c.id)
	}
	return c, err
}

// rankOf says how well a match matches: 0 is the exact reference or id, 1 the beginning of one, 2 any other.
func (o *orderSearch) rankOf(refKey, id string) int64 {
	idKey := strings.ReplaceAll(id, "-", " ")
	switch {
	case refKey == o.key || idKey == o.key:
		return 0
	case strings.HasPrefix(refKey, o.key) || strings.HasPrefix(idKey, o.key):
		return 1
	}
	return 2
}

// place is the sort values of a match: what a cursor holds.
func (o *orderSearch) place(c candidate) []any {
	var place []any
	if o.ranked {
		place = append(place, c.rank)
	}
	return append(append(place, c.keys...), c.id)
}

// compare orders two places.
func (o *orderSearch) compare(a, b []any) int {
	ranks := len(a) - len(o.sort.columns) - 1
	for i := range a {
		var n int
		switch v := a[i].(type) {
		case int64:
			n = cmp.Compare(v, b[i].(int64))
		case string:
			n = strings.Compare(v, b[i].(string))
		}
		if column := i - ranks; column >= 0 && column < len(o.sort.columns) && o.sort.columns[column].desc {
			n = -n
		}
		if n != 0 {
			return n
		}
	}
	return 0
}

// cut sorts the matches and takes the page after the cursor.
func (o *orderSearch) cut(page *projections.OrderPage, matches []candidate) error {
	if o.after != nil {
		matches = slices.DeleteFunc(matches, func(c candidate) bool { return o.compare(o.place(c), o.after) <= 0 })
	}
	slices.SortFunc(matches, func(a, b candidate) int { return o.compare(o.place(a), o.place(b)) })
	return o.fill(page, matches)
}

// fill reads the rows of the first matches, and makes the cursor if there are more than a page.
func (o *orderSearch) fill(page *projections.OrderPage, matches []candidate) error {
	if len(matches) > o.q.Limit {
		matches = matches[:o.q.Limit]
		page.Next = projections.EncodeCursor(o.q.Fingerprint(), o.place(matches[len(matches)-1])...)
	}
	var ids []string
	for _, c := range matches {
		ids = append(ids, c.id)
	}
	rows, err := o.tx.QueryContext(o.ctx, `SELECT `+orderColumns+` FROM json_each(?) AS j CROSS JOIN orders AS o ON o.id = j.value
		ORDER BY j.key`, list(ids))
	page.Rows, err = collect(rows, err, scanOrder)
	return err
}

// counts says how many match under each status, each up to one more than ExactTotal.
func (o *orderSearch) counts() (map[domain.Status]int, error) {
	counts := map[domain.Status]int{}
	for _, status := range domain.Statuses() {
		var from string
		var args []any
		switch dates := o.created(); {
		case o.q.Customer != "":
			from, args = where(slices.Concat(o.customer(), dates, hasStatus([]domain.Status{status}), o.hasWords()))
			from = ` FROM orders AS o INDEXED BY orders_customer` + from
		case len(o.words) > 0 && len(dates) == 0:
			from, args = where([]condition{match("orders_fts", o.words, status)})
			from = ` FROM orders_fts AS f` + from
		case len(o.words) > 0:
			from, args = where(append(dates, match("orders_fts", o.words, status)))
			from = joined + from
		default:
			from, args = where(append(dates, condition{`o.status = ?`, []any{string(status)}}))
			from = ` FROM orders AS o INDEXED BY orders_status` + from
		}
		n, err := o.count(from, args, projections.ExactTotal+1)
		if err != nil {
			return nil, err
		}
		counts[status] = n
	}
	return counts, nil
}

// walk follows the index of the sort until the page is full.
func (o *orderSearch) walk(page *projections.OrderPage) error {
	var found []candidate
	for _, from := range o.segments() {
		missing := o.q.Limit + 1 - len(found)
		if missing <= 0 {
			break
		}
		more, err := o.walkSegment(from, missing)
		if err != nil {
			return err
		}
		found = append(found, more...)
	}
	return o.fill(page, found)
}

// segment is a part of a sort that one index range holds. Segments follow each other in the order of the sort.
type segment struct {
	rank       int64
	equal      int // so many columns are fixed by conditions
	conditions []condition
}

// segments says which ranges follow the cursor: first the rows that share all its sort values, then those that share all but the last,
// and so on. Each is a pure range of the index, however deep the page is.
func (o *orderSearch) segments() []segment {
	if !o.ranked {
		return o.ranges(0, o.after, nil)
	}
	var all []segment
	first := int64(0)
	if o.after != nil {
		first = o.after[0].(int64)
	}
	for rank := max(first, 0); rank <= 2; rank++ {
		after := o.after
		if after != nil {
			after = after[1:]
		}
		if rank != first {
			after = nil
		}
		all = append(all, o.ranges(rank, after, o.hasRank(rank))...)
	}
	return all
}

func (o *orderSearch) ranges(rank int64, after []any, conditions []condition) []segment {
	columns := o.sort.columns
	if after == nil {
		return split(segment{rank: rank, conditions: conditions}, columns[0], "")
	}
	var all []segment
	for equal := len(columns); equal >= 0; equal-- {
		s := segment{rank: rank, equal: equal, conditions: slices.Clone(conditions)}
		for i, c := range columns[:equal] {
			s.conditions = append(s.conditions, condition{`o.` + c.name + ` = ?`, []any{after[i]}})
		}
		if equal == len(columns) {
			s.conditions = append(s.conditions, condition{`o.id > ?`, []any{after[equal]}})
			all = append(all, s)
			continue
		}
		beyond := columns[equal]
		if beyond.values != nil {
			all = append(all, split(s, beyond, after[equal].(string))...)
			continue
		}
		sign := ` > ?`
		if beyond.desc {
			sign = ` < ?`
		}
		s.conditions = append(s.conditions, condition{`o.` + beyond.name + sign, []any{after[equal]}})
		all = append(all, s)
	}
	return all
}

// split makes a segment for each value after one, if the values are few: an index then serves both directions.
func split(s segment, c sortColumn, after string) []segment {
	if c.values == nil {
		return []segment{s}
	}
	values := slices.Clone(c.values)
	if c.desc {
		slices.Reverse(values)
	}
	var all []segment
	for _, v := range values {
		if after != "" && (v == after || (v > after) == c.desc) {
			continue
		}
		part := segment{rank: s.rank, equal: s.equal + 1, conditions: slices.Clone(s.conditions)}
		part.conditions = append(part.conditions, condition{`o.` + c.name + ` = ?`, []any{v}})
		all = append(all, part)
	}
	return all
}

// hasRank says which rows have a rank, as rankOf does.
func (o *orderSearch) hasRank(rank int64) []condition {
	id := strings.Join(o.words, "-")
	const end = "\U0010FFFF" // after every other character
	exact := condition{`(o.refKey = ? OR o.id = ?)`, []any{o.key, id}}
	prefix := condition{`((o.refKey >= ? AND o.refKey < ?) OR (o.id >= ? AND o.id < ?))`, []any{o.key, o.key + end, id, id + end}}
	not := func(c condition) condition { return condition{`NOT ` + c.sql, c.args} }
	switch rank {
	case 0:
		return []condition{exact}
	case 1:
		return []condition{prefix, not(exact)}
	}
	return []condition{not(prefix)}
}

func (o *orderSearch) walkSegment(s segment, limit int) ([]candidate, error) {
	conditions := slices.Concat(s.conditions, o.customer(), o.created(), hasStatus(o.q.Statuses))
	index := o.sort.index
	if o.sort.index == "orders_created" {
		switch {
		case o.q.Customer != "":
			index = "orders_customer"
		case len(o.q.Statuses) == 1:
			index = "orders_status"
			conditions = slices.Concat(s.conditions, o.created(), []condition{{`o.status = ?`, []any{string(o.q.Statuses[0])}}})
		}
	}
	if o.ranked && s.rank < 2 {
		filter, args := where(o.hasRank(s.rank)[:1])
		few, err := o.atMost(fewMatches, ` FROM orders AS o`+filter, args)
		if err != nil {
			return nil, err
		}
		if few { // the indexes of references and ids answer it
			text, args := where(conditions)
			return o.read(` FROM orders AS o`+text, args, s, limit)
		}
	}
	text, args := where(append(conditions, o.hasWords()...))
	return o.read(` FROM orders AS o INDEXED BY `+index+text, args, s, limit)
}

func (o *orderSearch) read(from string, args []any, s segment, limit int) ([]candidate, error) {
	columns, order := `o.no, o.id, o.status, o.createdAt, o.refKey`, ``
	for i, c := range o.sort.columns {
		columns += `, o.` + c.name
		if i < s.equal {
			continue
		}
		order += `o.` + c.name
		if c.desc {
			order += ` DESC`
		}
		order += `, `
	}
	rows, err := o.tx.QueryContext(o.ctx, fmt.Sprintf(`SELECT %s%s ORDER BY %so.id LIMIT %d`, columns, from, order, limit), args...)
	return collect(rows, err, o.scanCandidate)
}
