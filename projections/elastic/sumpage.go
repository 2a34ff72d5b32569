package elastic

import (
	"context"

	"headway/projections"
)

// sumPage is one page of sums: what is asked, and what is found by one search. Their documents have their key as id, and find.
type sumPage[D any] struct {
	kind                string
	field               string      // that is sorted by before the id; empty if by the id alone
	value               func(D) any // of the field: a string or an int64
	desc                bool
	id                  func(D) string
	text                string
	limit               int
	cursor, fingerprint string

	docs    []D
	next    string
	total   int
	isExact bool
}

func (p *sumPage[D]) find(ctx context.Context, s *Store) error {
	direction := "asc"
	if p.desc {
		direction = "desc"
	}
	sort := []object{{"id": direction}}
	if p.field != "" {
		sort = []object{{p.field: direction}, {"id": "asc"}}
	}
	after, err := p.after()
	if err != nil {
		return err
	}
	words := projections.Words(p.text)
	p.isExact = true
	if p.text != "" && len(words) == 0 {
		return nil // a text without a letter or digit matches nothing
	}
	body := object{
		"size": p.limit + 1, "track_total_hits": projections.ExactTotal + 1, "sort": sort,
		"query": object{"bool": object{"filter": append(hasWords(words), counted())}},
	}
	if after != nil {
		body["search_after"] = after
	}
	return s.ask(ctx, func(ctx context.Context, _ targets) error {
		answer, err := s.search(ctx, s.names.alias(p.kind), body)
		if err != nil {
			return err
		}
		p.total, p.isExact = total(answer)
		if p.docs, err = documents[D](answer.Hits.Hits); err != nil || len(p.docs) <= p.limit {
			return err
		}
		p.docs = p.docs[:p.limit]
		last := p.docs[p.limit-1]
		values := []any{p.id(last)}
		if p.field != "" {
			values = []any{p.value(last), p.id(last)}
		}
		p.next = projections.EncodeCursor(p.fingerprint, values...)
		return nil
	})
}

// after is the sort values of the row where the page before ended; nil on the first page.
func (p *sumPage[D]) after() ([]any, error) {
	if p.cursor == "" {
		return nil, nil
	}
	var text, id string
	var number int64
	if p.field == "" {
		err := projections.DecodeCursor(p.cursor, p.fingerprint, &id)
		return []any{id}, err
	}
	var none D
	if _, isText := p.value(none).(string); isText {
		err := projections.DecodeCursor(p.cursor, p.fingerprint, &text, &id)
		return []any{text, id}, err
	}
	err := projections.DecodeCursor(p.cursor, p.fingerprint, &number, &id)
	return []any{number, id}, err
}
