package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"headway/domain"
	"headway/projections"
)

// How a page is found. Up to fewMatches matches are counted by their numbers and sorted here, by these or as short candidates: exact, and
// quick whatever the sort. Of more, an index that has the order asked for is followed until the page is full, and a count stops at
// ExactTotal. For a text by creation that is the full-text index itself, because rows are numbered by when they were created. Any other
// order of a part of the orders is found by walking the index of the sort and asking each row whether it matches; if the matches lie far
// from its beginning, whether its number is among those of all matches, for which no row is read.
const fewMatches = projections.ExactTotal

// candidate is a match as short as sorting needs it.
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

// orderSearch is one query of orders while it is answered.
type orderSearch struct {
	ctx    context.Context
	tx     reader
	q      projections.OrderQuery
	words  []string
	ranked bool
	sort   orderSort
	after  *place // the cursor; nil on the first page

	isCrowded bool // whether there are numbers of a crowded second
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

func (o *orderSearch) answer(page *projections.OrderPage) error {
	beyond, err := o.countRows(` FROM orders WHERE no >= ?`, []any{int64(crowded)}, 1)
	if err != nil {
		return err
	}
	o.isCrowded = beyond > 0
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

// few finds the page of few matches. In the order of creation their numbers tell which rows to read, unless some come first because they
// begin as the text does.
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

// nearest finds the page in the order of creation by the numbers of all matches: it reads the rows that it shows, and those of the same
// seconds as the cursor and the last of them.
func (o *orderSearch) nearest(page *projections.OrderPage, numbers []int64) error {
	slices.SortFunc(numbers, func(a, b int64) int { return cmp.Compare(secondOf(a), secondOf(b)) })
	desc, after := o.sort.columns[0].desc, o.afterUnbegun()
	if desc {
		slices.Reverse(numbers)
	}
	second := func(i int) int64 { return secondOf(numbers[i]) }
	wanted := o.q.Limit + 1
	if after != nil {
		edge := secondAt(moment(after.keys[0].number))
		numbers = slices.DeleteFunc(numbers, func(no int64) bool { at := secondOf(no); return desc && at > edge || !desc && at < edge })
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

func (o *orderSearch) read(query string, args []any) ([]found, error) {
	rows, err := o.tx.QueryContext(o.ctx, query, args...)
	return collect(rows, err, func(rows *sql.Rows) (found, error) {
		row, err := scanOrder(rows)
		return found{OrderRow: row}, err
	})
}
