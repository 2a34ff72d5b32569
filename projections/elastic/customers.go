package elastic

import (
	"context"

	"headway/projections"
)

// Customers is projections.Reader's: one search.
func (s *Store) Customers(ctx context.Context, q projections.CustomerQuery) (projections.CustomerPage, error) {
	q, err := q.Checked()
	if err != nil {
		return projections.CustomerPage{}, err
	}
	by, desc := q.Sort.By()
	field := map[string]string{"customer": "id", "orders": "orders", "last": "last"}[by]
	direction := "asc"
	if desc {
		direction = "desc"
	}
	sort := []object{{field: direction}}
	if field != "id" {
		sort = append(sort, object{"id": "asc"})
	}
	var after []any
	if q.Cursor != "" {
		var number int64
		var id string
		if field == "id" {
			err = projections.DecodeCursor(q.Cursor, q.Fingerprint(), &id)
			after = []any{id}
		} else {
			err = projections.DecodeCursor(q.Cursor, q.Fingerprint(), &number, &id)
			after = []any{number, id}
		}
		if err != nil {
			return projections.CustomerPage{}, err
		}
	}
	words := projections.Words(q.Text)
	page := projections.CustomerPage{TotalIsExact: true}
	if q.Text != "" && len(words) == 0 {
		return page, nil // a text without a letter or digit matches nothing
	}
	body := object{
		"size": q.Limit + 1, "track_total_hits": projections.ExactTotal + 1, "sort": sort,
		"query": object{"bool": object{"filter": append(hasWords(words), hasOrders())}},
	}
	if after != nil {
		body["search_after"] = after
	}
	err = s.ask(ctx, func(ctx context.Context, _ targets) error {
		answer, err := s.search(ctx, s.names.alias(customers), body)
		if err != nil {
			return err
		}
		page.Total, page.TotalIsExact = total(answer)
		docs, err := documents[customerDoc](answer.Hits.Hits)
		if err != nil {
			return err
		}
		for _, d := range docs[:min(len(docs), q.Limit)] {
			page.Rows = append(page.Rows, d.row())
		}
		if len(docs) > q.Limit {
			page.Next = projections.EncodeCursor(q.Fingerprint(), customerPlace(field, docs[q.Limit-1])...)
		}
		return nil
	})
	if err != nil {
		return projections.CustomerPage{}, err
	}
	return page, nil
}

// customerPlace is the sort values of a row: what a cursor holds.
func customerPlace(field string, d customerDoc) []any {
	switch field {
	case "orders":
		return []any{int64(d.Orders), d.ID}
	case "last":
		return []any{d.Last, d.ID}
	}
	return []any{d.ID}
}
