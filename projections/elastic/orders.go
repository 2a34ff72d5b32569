package elastic

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"headway/projections"
)

// maxTerm is how long a text can be that a field of this kind holds, in bytes. A customer's id is much shorter.
const maxTerm = 32766

// sortColumn is a field that is sorted by, and what a row has in it.
type sortColumn struct {
	field string
	desc  bool
	value func(orderDoc) any // string or int64
}

func (c sortColumn) object() object {
	if c.desc {
		return object{c.field: "desc"}
	}
	return object{c.field: "asc"}
}

// sortOf is the fields of a sort before the id, which breaks ties.
func sortOf(s projections.Sort) []sortColumn {
	by, desc := s.By()
	switch by {
	case "total":
		return []sortColumn{
			{"currency", false, func(d orderDoc) any { return string(d.Currency) }}, {"total", desc, func(d orderDoc) any { return d.Total }},
		}
	case "customer":
		return []sortColumn{{"customer", desc, func(d orderDoc) any { return d.Customer }}}
	case "status":
		return []sortColumn{{"status", desc, func(d orderDoc) any { return string(d.Status) }}}
	case "items":
		return []sortColumn{{"items", desc, func(d orderDoc) any { return int64(d.Items) }}}
	}
	return []sortColumn{{"createdAt", desc, func(d orderDoc) any { return d.CreatedAt }}}
}

// scores is how the ranks of a search are scored: 0 the exact reference or id, 1 the beginning of one, 2 any other. What is exact is a
// beginning, too.
var scores = [...]float64{3, 1, 0}

// Orders is projections.Reader's: one search.
func (s *Store) Orders(ctx context.Context, q projections.OrderQuery) (projections.OrderPage, error) {
	q, err := q.Checked()
	if err != nil {
		return projections.OrderPage{}, err
	}
	ranked, columns := q.Ranked(), sortOf(q.Sort)
	if ranked {
		columns = sortOf("-created")
	}
	after, err := readCursor(q, ranked, columns)
	if err != nil {
		return projections.OrderPage{}, err
	}
	words := projections.Words(q.Text)
	page := projections.NoOrders()
	if q.Text != "" && len(words) == 0 {
		return page, nil // a text without a letter or digit matches nothing
	}
	body := object{
		"size": q.Limit + 1, "track_total_hits": projections.ExactTotal + 1, "query": orderQuery(q, words, ranked),
		"sort": orderSort(ranked, columns), "aggs": object{"status": statusCounts()},
	}
	if len(q.Statuses) > 0 { // after the aggregation, which counts without them
		body["post_filter"] = object{"terms": object{"status": q.Statuses}}
	}
	if after != nil {
		body["search_after"] = after
	}
	err = s.ask(ctx, func(ctx context.Context, _ targets) error {
		answer, err := s.search(ctx, s.names.alias(orders), body)
		if err != nil {
			return err
		}
		return fillPage(&page, q, ranked, columns, answer)
	})
	if err != nil {
		return projections.OrderPage{}, err
	}
	return page, nil
}

// hasWords is every word as the beginning of a word.
func hasWords(words []string) []object {
	var all []object
	for _, word := range distinct(slices.Clone(words)) {
		all = append(all, object{"prefix": object{"find": object{"value": word}}})
	}
	return all
}

// orderQuery is what must match, and, if it is ranked, what scores.
func orderQuery(q projections.OrderQuery, words []string, ranked bool) object {
	filter := hasWords(words)
	switch {
	case len(q.Customer) > maxTerm/3: // in bytes, each of which may become three
		filter = append(filter, object{"match_none": object{}})
	case q.Customer != "":
		filter = append(filter, object{"term": object{"customer": q.Customer}})
	}
	created := object{}
	if !q.From.IsZero() {
		created["gte"] = micros(q.From)
	}
	if !q.To.IsZero() {
		created["lt"] = micros(q.To)
	}
	if len(created) > 0 {
		filter = append(filter, object{"range": object{"createdAt": created}})
	}
	query := object{"filter": filter}
	if ranked {
		key := strings.Join(words, " ")
		either := func(kind string) object {
			value := object{"value": key}
			return object{"bool": object{"should": []object{{kind: object{"refKey": value}}, {kind: object{"idKey": value}}}}}
		}
		query["should"] = []object{
			{"constant_score": object{"filter": either("term"), "boost": scores[0] - scores[1]}},
			{"constant_score": object{"filter": either("prefix"), "boost": scores[1]}},
		}
	}
	return object{"bool": query}
}

func orderSort(ranked bool, columns []sortColumn) []object {
	var sort []object
	if ranked {
		sort = append(sort, object{"_score": "desc"})
	}
	for _, c := range columns {
		sort = append(sort, c.object())
	}
	return append(sort, object{"id": "asc"})
}

// readCursor is the sort values of the row where the page before ended; nil on the first page.
func readCursor(q projections.OrderQuery, ranked bool, columns []sortColumn) ([]any, error) {
	if q.Cursor == "" {
		return nil, nil
	}
	var rank int64
	var id string
	var into, after []any
	if ranked {
		into = append(into, &rank)
	}
	for _, c := range columns {
		if _, text := c.value(orderDoc{}).(string); text {
			into = append(into, new(string))
		} else {
			into = append(into, new(int64))
		}
	}
	if err := projections.DecodeCursor(q.Cursor, q.Fingerprint(), append(into, &id)...); err != nil {
		return nil, err
	}
	if ranked {
		after = append(after, scores[min(max(rank, 0), int64(len(scores)-1))])
		into = into[1:]
	}
	for _, v := range into {
		switch v := v.(type) {
		case *string:
			after = append(after, *v)
		case *int64:
			after = append(after, *v)
		}
	}
	return append(after, id), nil
}

// fillPage reads the answer into a page.
func fillPage(page *projections.OrderPage, q projections.OrderQuery, ranked bool, columns []sortColumn, answer searchAnswer) error {
	var told struct {
		Status statusBuckets `json:"status"`
	}
	if err := json.Unmarshal(answer.Aggregations, &told); err != nil {
		return err
	}
	for status, b := range told.Status.Buckets {
		page.ByStatus[status] = projections.CountTo(b.DocCount, projections.ExactTotal)
	}
	page.Total, page.TotalIsExact = total(answer)
	hits := answer.Hits.Hits
	more := len(hits) > q.Limit
	hits = hits[:min(len(hits), q.Limit)]
	docs, err := documents[orderDoc](hits)
	if err != nil {
		return err
	}
	for _, d := range docs {
		page.Rows = append(page.Rows, d.row())
	}
	if !more {
		return nil
	}
	last := docs[len(docs)-1]
	var place []any
	if ranked {
		var score float64
		if err := json.Unmarshal(hits[len(hits)-1].Sort[0], &score); err != nil {
			return err
		}
		place = append(place, int64(slices.Index(scores[:], score)))
	}
	for _, c := range columns {
		place = append(place, c.value(last))
	}
	page.Next = projections.EncodeCursor(q.Fingerprint(), append(place, string(last.ID))...)
	return nil
}

// total is how many match, exact up to ExactTotal.
func total(answer searchAnswer) (n int, exact bool) {
	n = answer.Hits.Total.Value
	return min(n, projections.ExactTotal), n <= projections.ExactTotal
}
