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
	keys    []sortValue
}

// sortValue is the value of a sort column: text or number, the other is empty.
type sortValue struct {
	text   string
	number int64
}

// place is where a match stands in the sort: what a cursor holds.
type place struct {
	rank int64 // in a ranked query
	keys []sortValue
	id   string
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
	after  *place // the cursor; nil on the first page
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
	o.after = &place{keys: make([]sortValue, len(o.sort.columns))}
	if err := projections.DecodeCursor(q.Cursor, q.Fingerprint(), o.cursor(o.after)...); err != nil {
		return nil, err
	}
	return o, nil
}

// cursor is the values of a place that a cursor of this query holds, to be read from it or into it.
func (o *orderSearch) cursor(p *place) []any {
	var values []any
	if o.ranked {
		values = append(values, &p.rank)
	}
	for i, c := range o.sort.columns {
		values = append(values, p.keys[i].of(c))
	}
	return append(values, &p.id)
}

// of is the half of the value that a column uses.
func (v *sortValue) of(c sortColumn) any {
	if c.text {
		return &v.text
	}
	return &v.number
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
	rows, err := o.tx.QueryContext(o.ctx, fmt.Sprintf(`SELECT %s%s`, o.columns(), from), args...)
	return collect(rows, err, o.scanCandidate)
}

// columns are those of a candidate, in the order in which scanCandidate takes them.
func (o *orderSearch) columns() string {
	columns := []string{`o.no`, `o.id`, `o.status`, `o.createdAt`, `o.refKey`}
	for _, c := range o.sort.columns {
		columns = append(columns, `o.`+c.name)
	}
	return strings.Join(columns, `, `)
}

func (o *orderSearch) scanCandidate(rows *sql.Rows) (c candidate, err error) {
	var refKey string
	c.keys = make([]sortValue, len(o.sort.columns))
	into := []any{&c.no, &c.id, &c.status, &c.created, &refKey}
	for i, column := range o.sort.columns {
		into = append(into, c.keys[i].of(column))
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

func (c candidate) place() place { return place{rank: c.rank, keys: c.keys, id: c.id} }

// compare orders two places.
func (o *orderSearch) compare(a, b place) int {
	if n := cmp.Compare(a.rank, b.rank); n != 0 {
		return n
	}
	for i, c := range o.sort.columns {
		n := cmp.Or(strings.Compare(a.keys[i].text, b.keys[i].text), cmp.Compare(a.keys[i].number, b.keys[i].number))
		if c.desc {
			n = -n
		}
		if n != 0 {
			return n
		}
	}
	return strings.Compare(a.id, b.id)
}

// cut sorts the matches and takes the page after the cursor.
func (o *orderSearch) cut(page *projections.OrderPage, matches []candidate) error {
	if o.after != nil {
		matches = slices.DeleteFunc(matches, func(c candidate) bool { return o.compare(c.place(), *o.after) <= 0 })
	}
	slices.SortFunc(matches, func(a, b candidate) int { return o.compare(a.place(), b.place()) })
	return o.fill(page, matches)
}

// fill reads the rows of the first matches, and makes the cursor if there are more than a page.
func (o *orderSearch) fill(page *projections.OrderPage, matches []candidate) error {
	if len(matches) > o.q.Limit {
		matches = matches[:o.q.Limit]
		last := matches[len(matches)-1].place()
		page.Next = projections.EncodeCursor(o.q.Fingerprint(), o.cursor(&last)...)
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
	for rank := range int64(3) {
		switch {
		case o.after == nil || rank > o.after.rank:
			all = append(all, o.ranges(rank, nil, o.hasRank(rank))...)
		case rank == o.after.rank:
			all = append(all, o.ranges(rank, o.after, o.hasRank(rank))...)
		}
	}
	return all
}

func (o *orderSearch) ranges(rank int64, after *place, conditions []condition) []segment {
	columns := o.sort.columns
	if after == nil {
		return split(segment{rank: rank, conditions: conditions}, columns[0], nil)
	}
	var all []segment
	for equal := len(columns); equal >= 0; equal-- {
		s := segment{rank: rank, equal: equal, conditions: slices.Clone(conditions)}
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
		if few { // the indexes of references and ids answer it, and no other is to be tried first
			rest, more := where(conditions)
			from := ` FROM (SELECT o.no AS found FROM orders AS o` + filter + `) CROSS JOIN orders AS o ON o.no = found` + rest
			return o.read(from, append(args, more...), s, limit)
		}
	}
	text, args := where(append(conditions, o.hasWords()...))
	return o.read(` FROM orders AS o INDEXED BY `+index+text, args, s, limit)
}

func (o *orderSearch) read(from string, args []any, s segment, limit int) ([]candidate, error) {
	var order []string
	for _, c := range o.sort.columns[s.equal:] {
		by := `o.` + c.name
		if c.desc {
			by += ` DESC`
		}
		order = append(order, by)
	}
	rows, err := o.tx.QueryContext(o.ctx, fmt.Sprintf(`SELECT %s%s ORDER BY %s LIMIT %d`, o.columns(), from,
		strings.Join(append(order, `o.id`), `, `), limit), args...)
	return collect(rows, err, o.scanCandidate)
}
