package sqlite

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"headway/domain"
	"headway/projections"
)

const enoughSeen = 100 // of a status that was not asked for, where matches are many

// count counts the matches of every status together, until they are more than few. If they are few, it answers their numbers; else byStatus
// says how many there are of each status that was asked for. Of any other it says that there are at least so many: several words that
// seldom meet would have to be looked for again from end to end, so that only some of those that were found are looked at.
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

// first is the numbers of the first matches, as many as are few and one more: in one text, because each row of an answer costs as much as
// to find a match.
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
