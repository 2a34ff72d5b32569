package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"headway/domain"
	"headway/projections"
)

// How a page is found. Up to fewMatches matches are fetched as short candidates, and counted and sorted here: exact, and quick whatever the sort.
// Of more, an index that has the order asked for is followed until the page is full, and a count stops at ExactTotal. For a text by creation that is
// the full-text index itself, because rows are numbered by when they were created. Any other order of a part of the orders is found by walking
// the index of the sort and asking each row whether it matches; if the matches lie far from its beginning, whether its number is among those of all
// matches, for which no row is read.
const (
	fewMatches = projections.ExactTotal
	firstAsked = 500     // rows, after which it is seen whether to ask more
	askedRows  = 3000    // rows at most
	enoughSeen = 100     // of a status that was not asked for, where matches are many
	triedNames = 4       // words of a search that may be names of customers
	namedRows  = 100_000 // orders of customers with one name
)

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

const byCreated = "orders_created"

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
	return orderSort{byCreated, []sortColumn{{name: "createdAt", desc: desc}}}
}

// candidate is a match as short as counting and sorting need it.
type candidate struct {
	no int64
	place
}

// found is a match on its page.
type found struct {
	projections.OrderRow
	rank int64 // of anyMatch in a ranked query; 0 if it is not ranked
}

// anyMatch is the last rank: 0 is the exact reference or id, 1 a prefix of them.
const anyMatch = 2

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
	tx     reader
	q      projections.OrderQuery
	words  []string
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
	page := projections.NoOrders()
	if o.q.Text != "" && len(o.words) == 0 {
		return page, nil // a text without a letter or digit matches nothing
	}
	err = s.snapshot(ctx, func(tx reader) error {
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
	o := &orderSearch{q: q, words: projections.Words(q.Text), ranked: q.Ranked(), sort: sortOf(q.Sort)}
	if o.ranked {
		o.sort = sortOf("-created")
	}
	if first := &o.sort.columns[0]; first.name == "status" && len(q.Statuses) > 0 {
		first.values = nil
		for _, status := range q.Statuses {
			first.values = append(first.values, string(status))
		}
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

// placeOf is where a match stands.
func (o *orderSearch) placeOf(f found) place {
	p := place{rank: f.rank, id: string(f.ID)}
	for _, c := range o.sort.columns {
		var v sortValue
		switch c.name {
		case "createdAt":
			v.number = micros(f.CreatedAt)
		case "currency":
			v.text = string(f.Total.Currency)
		case "total":
			v.number = f.Total.Minor
		case "customer":
			v.text = f.CustomerID
		case "status":
			v.text = string(f.Status)
		case "items":
			v.number = int64(f.ItemCount)
		}
		p.keys = append(p.keys, v)
	}
	return p
}

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

func (o *orderSearch) answer(page *projections.OrderPage) error {
	n, text, err := o.count(page.ByStatus)
	if err != nil {
		return err
	}
	if n <= fewMatches && o.indexed() {
		page.Total = n
		rows, err := o.walk(o.way())
		if err != nil {
			return err
		}
		o.fill(page, rows)
		return nil
	}
	if n <= fewMatches {
		numbers, err := parsed(text)
		if err != nil {
			return err
		}
		o.tell(numbers, true, page.ByStatus)
		numbers = slices.DeleteFunc(numbers, func(no int64) bool { return !o.asksFor(statusAt(no)) })
		page.Total = len(numbers)
		return o.few(page, numbers)
	}
	if len(o.q.Statuses) > 0 {
		n = 0
		for _, status := range o.q.Statuses {
			n += page.ByStatus[status].N
			if !page.ByStatus[status].IsExact {
				n = projections.ExactTotal + 1
			}
		}
	}
	if total := projections.CountTo(n, projections.ExactTotal); !total.IsExact {
		page.Total, page.TotalIsExact = total.N, false
		rows, err := o.dense()
		if err != nil {
			return err
		}
		o.fill(page, rows)
		return nil
	}
	page.Total = n
	if _, text, err = o.first(o.q.Statuses); err != nil {
		return err
	}
	numbers, err := parsed(text)
	if err != nil {
		return err
	}
	return o.few(page, numbers)
}

// indexed tells whether one index has both the order of the page and the statuses of all matches: that of a customer's orders.
func (o *orderSearch) indexed() bool {
	return o.q.Customer != "" && len(o.words) == 0 && len(o.q.Statuses) == 0 && o.sort.index == byCreated
}

func (o *orderSearch) asksFor(status domain.Status) bool {
	return len(o.q.Statuses) == 0 || slices.Contains(o.q.Statuses, status)
}

// fill takes the first rows as the page, and makes the cursor if there are more.
func (o *orderSearch) fill(page *projections.OrderPage, rows []found) {
	if len(rows) > o.q.Limit {
		rows = rows[:o.q.Limit]
		last := o.placeOf(rows[len(rows)-1])
		page.Next = projections.EncodeCursor(o.q.Fingerprint(), o.cursor(&last)...)
	}
	for _, f := range rows {
		page.Rows = append(page.Rows, f.OrderRow)
	}
}

// few finds the page of few matches. In the order of creation their numbers tell which rows to read, unless some come first because they begin as the text does.
func (o *orderSearch) few(page *projections.OrderPage, numbers []int64) error {
	if o.sort.index == byCreated {
		begun, err := o.isBegun()
		if err != nil {
			return err
		}
		if !begun {
			return o.nearest(page, numbers)
		}
	}
	matches, err := o.candidates(numbers)
	if err != nil {
		return err
	}
	if o.after != nil {
		matches = slices.DeleteFunc(matches, func(c candidate) bool { return o.compare(c.place, *o.after) <= 0 })
	}
	slices.SortFunc(matches, func(a, b candidate) int { return o.compare(a.place, b.place) })
	matches = matches[:min(len(matches), o.q.Limit+1)]
	numbers = make([]int64, len(matches))
	for i, c := range matches {
		numbers[i] = c.no
	}
	rows, err := o.numbered(numbers)
	for i := range rows {
		rows[i].rank = matches[i].rank
	}
	o.fill(page, rows)
	return err
}

// nearest finds the page in the order of creation by the numbers of all matches: it reads the rows that it shows, and those of the same seconds as the
// cursor and the last of them.
func (o *orderSearch) nearest(page *projections.OrderPage, numbers []int64) error {
	slices.Sort(numbers)
	desc, after := o.sort.columns[0].desc, o.afterUnbegun()
	if desc {
		slices.Reverse(numbers)
	}
	second := func(i int) int64 { return numbers[i] >> secondBits }
	wanted := o.q.Limit + 1
	if after != nil {
		edge := firstNo(moment(after.keys[0].number)) >> secondBits
		numbers = slices.DeleteFunc(numbers, func(no int64) bool { at := no >> secondBits; return desc && at > edge || !desc && at < edge })
		for i := 0; i < len(numbers) && second(i) == edge; i++ {
			wanted++
		}
	}
	for wanted < len(numbers) && second(wanted) == second(wanted-1) {
		wanted++
	}
	rows, err := o.numbered(numbers[:min(wanted, len(numbers))])
	if o.ranked {
		for i := range rows {
			rows[i].rank = anyMatch
		}
	}
	if after != nil {
		rows = slices.DeleteFunc(rows, func(f found) bool { return o.compare(o.placeOf(f), *after) <= 0 })
	}
	slices.SortFunc(rows, func(a, b found) int { return o.compare(o.placeOf(a), o.placeOf(b)) })
	o.fill(page, rows)
	return err
}

// numbered reads the rows with these numbers, in their order.
func (o *orderSearch) numbered(numbers []int64) ([]found, error) {
	text, err := json.Marshal(numbers)
	if err != nil {
		return nil, err
	}
	return o.read(`SELECT `+orderColumns+` FROM json_each(?) AS j CROSS JOIN orders AS o ON o.no = j.value ORDER BY j.key`, []any{string(text)})
}

// candidates reads the matches with these numbers.
func (o *orderSearch) candidates(numbers []int64) ([]candidate, error) {
	text, err := json.Marshal(numbers)
	if err != nil {
		return nil, err
	}
	columns := []string{`o.no`, `o.begins`, `o.id`}
	for _, c := range o.sort.columns {
		columns = append(columns, `o.`+c.name)
	}
	rows, err := o.tx.QueryContext(o.ctx, fmt.Sprintf(`SELECT %s FROM json_each(?) AS j CROSS JOIN orders AS o ON o.no = j.value`,
		strings.Join(columns, `, `)), string(text))
	return collect(rows, err, func(rows *sql.Rows) (c candidate, err error) {
		var begins string
		c.keys = make([]sortValue, len(o.sort.columns))
		into := []any{&c.no, &begins, &c.id}
		for i, column := range o.sort.columns {
			into = append(into, c.keys[i].of(column))
		}
		err = rows.Scan(into...)
		if o.ranked {
			c.rank = o.rankOf(begins)
		}
		return c, err
	})
}

// rankOf says how well a match matches, by its reference and its id.
func (o *orderSearch) rankOf(begins string) int64 {
	rank, asked := int64(anyMatch), beginning(o.words)
	for token := range strings.SplitSeq(begins, " ") {
		switch {
		case token == asked:
			return 0
		case strings.HasPrefix(token, asked):
			rank = 1
		}
	}
	return rank
}

// dense finds the page of many matches, and one match more if there is one.
func (o *orderSearch) dense() ([]found, error) {
	if o.byText() && o.sort.index == byCreated {
		return o.newest()
	}
	return o.walk(o.way())
}

// byText tells whether the full-text index finds the matches. A customer's own orders are fewer than those that have a word, as a rule.
func (o *orderSearch) byText() bool { return len(o.words) > 0 && o.q.Customer == "" }

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
	var all []condition
	if !o.q.From.IsZero() {
		all = append(all, condition{no + ` >= ?`, []any{firstNo(o.q.From)}})
	}
	if !o.q.To.IsZero() {
		all = append(all, condition{no + ` < ?`, []any{firstNo(o.q.To.Add(time.Second))}})
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

// count counts the matches of every status together, until they are more than few. If they are few, it answers their numbers; else byStatus says how many
// there are of each status that was asked for. Of any other it says that there are at least so many: several words that seldom meet would have to be
// looked for again from end to end, so that only some of those that were found are looked at.
func (o *orderSearch) count(byStatus map[domain.Status]projections.Count) (n int, numbers string, err error) {
	if len(o.words) == 0 && o.q.Customer == "" && len(o.created()) == 0 {
		if n, err := o.kept(byStatus); err != nil || n > fewMatches {
			return n, "", err
		}
	}
	if o.indexed() {
		if n, err = o.statuses(byStatus); err != nil || n <= fewMatches {
			return n, "", err
		}
	} else if n, numbers, err = o.first(nil); err != nil || n <= fewMatches {
		return n, numbers, err
	}
	if len(o.words) > 1 {
		found, err := parsed(numbers)
		if err != nil {
			return 0, "", err
		}
		o.tell(found, false, byStatus)
	}
	for _, status := range domain.Statuses() {
		limit := enoughSeen
		if slices.Contains(o.q.Statuses, status) {
			limit = projections.ExactTotal
		} else if len(o.words) > 1 {
			continue
		}
		_, from, args := o.briefly([]domain.Status{status})
		of, err := o.countRows(from, args, limit+1)
		if err != nil {
			return 0, "", err
		}
		byStatus[status] = projections.CountTo(of, limit)
	}
	return n, "", nil
}

// statuses counts the matches of each status in the index alone, until they are more than few in all.
func (o *orderSearch) statuses(byStatus map[domain.Status]projections.Count) (sum int, err error) {
	from, args := o.matches(nil)
	return o.counts(`SELECT status, count(*) FROM (SELECT o.status AS status`+from+` LIMIT ?) GROUP BY status`, append(args, fewMatches+1),
		func(status domain.Status, n int) { byStatus[status] = projections.Count{N: n, IsExact: true} })
}

// tell says how many of each status these numbers are: of all matches, or of the first, and then there are at least so many.
func (o *orderSearch) tell(numbers []int64, all bool, byStatus map[domain.Status]projections.Count) {
	n := map[domain.Status]int{}
	for _, no := range numbers {
		n[statusAt(no)]++
	}
	for _, status := range domain.Statuses() {
		byStatus[status] = projections.Count{N: n[status], IsExact: all}
		if !all {
			byStatus[status] = projections.Count{N: min(n[status], enoughSeen)}
		}
	}
}

// kept is how many orders there are in all, and says how many of each status.
func (o *orderSearch) kept(byStatus map[domain.Status]projections.Count) (sum int, err error) {
	return o.counts(`SELECT status, n FROM tally`, nil,
		func(status domain.Status, n int) { byStatus[status] = projections.CountTo(n, projections.ExactTotal) })
}

// counts reads how many there are of each status, and adds them up.
func (o *orderSearch) counts(query string, args []any, of func(status domain.Status, n int)) (sum int, err error) {
	rows, err := o.tx.QueryContext(o.ctx, query, args...)
	_, err = collect(rows, err, func(rows *sql.Rows) (n int, err error) {
		var status domain.Status
		err = rows.Scan(&status, &n)
		of(status, n)
		sum += n
		return n, err
	})
	return sum, err
}

// briefly is the FROM and WHERE of all matches, and the number of one. Of a text at any time no row has to be looked at.
func (o *orderSearch) briefly(statuses []domain.Status) (no, from string, args []any) {
	if o.byText() && len(o.created()) == 0 {
		return `rowid`, ` FROM orders_fts WHERE orders_fts MATCH ?`, []any{match(o.words, statuses...)}
	}
	from, args = o.matches(statuses)
	return `o.no`, from, args
}

// first is the numbers of the first matches, as many as are few and one more: in one text, because each row of an answer costs as much as to find a match.
func (o *orderSearch) first(statuses []domain.Status) (n int, numbers string, err error) {
	no, from, args := o.briefly(statuses)
	err = o.tx.QueryRowContext(o.ctx, fmt.Sprintf(`SELECT count(*), json_group_array(no) FROM (SELECT %s AS no%s LIMIT ?)`, no, from),
		append(args, fewMatches+1)...).Scan(&n, &numbers)
	return n, numbers, err
}

// parsed is the numbers of such a text.
func parsed(text string) (numbers []int64, err error) {
	err = json.Unmarshal([]byte(text), &numbers)
	return numbers, err
}

func (o *orderSearch) countRows(from string, args []any, limit int) (n int, err error) {
	err = o.tx.QueryRowContext(o.ctx, fmt.Sprintf(`SELECT count(*) FROM (SELECT 1%s LIMIT ?)`, from), append(args, limit)...).Scan(&n)
	return n, err
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

// far tells matches apart that lie far from the beginning of a range: by their numbers, which are gathered first. By customer, those who have a name lie
// together, so only their orders are walked.
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

func (o *orderSearch) read(query string, args []any) ([]found, error) {
	rows, err := o.tx.QueryContext(o.ctx, query, args...)
	return collect(rows, err, func(rows *sql.Rows) (found, error) {
		row, err := scanOrder(rows)
		return found{OrderRow: row}, err
	})
}

// newest finds the page by the full-text index alone, whose rows lie in the order of creation: newest first or oldest first, and rank by rank.
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

// inOrder finds the first matches after a place. The rows of one second lie in no order, so its last second is read to the end, and sorted.
func (o *orderSearch) inOrder(rank int64, query string, after *place, limit int) ([]found, error) {
	desc := o.sort.columns[0].desc
	conditions := append([]condition{{`orders_fts MATCH ?`, []any{query}}}, o.numbers(`f.rowid`)...)
	direction := ``
	if desc {
		direction = ` DESC`
	}
	if after != nil {
		second := moment(after.keys[0].number)
		if desc {
			conditions = append(conditions, condition{`f.rowid < ?`, []any{firstNo(second.Add(time.Second))}})
		} else {
			conditions = append(conditions, condition{`f.rowid >= ?`, []any{firstNo(second)}})
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
		if len(all) >= limit && firstNo(all[len(all)-1].CreatedAt) != firstNo(f.CreatedAt) {
			break
		}
		all = append(all, f)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b found) int { return o.compare(o.placeOf(a), o.placeOf(b)) })
	return all[:min(len(all), limit)], nil
}
