package elastic

import (
	"context"
	"encoding/json"

	"headway/domain"
	"headway/projections"
)

// days is the kind of index of what people did on each day.
const days = "days"

// activity keeps what people did.
func activity() keeper {
	return acts().keep(keeper{
		projection: projections.Activity, rows: actsKind, sums: days, fields: map[string]object{days: dayFields()},
		sum: read(func(d dayDoc) projections.Sum { return d.row() }),
	})
}

const actsKind = "activity-orders"

func acts() contributing[projections.Act, actDoc] {
	f := fieldKinds()
	return contributing[projections.Act, actDoc]{
		fields: object{"act": f.number, "type": f.word, "at": f.number}, doc: actDocOf, of: actDoc.contribution,
		ask: object{"types": object{"terms": object{"field": ofContribution + "type", "size": maxTypes}}}, sum: sumDay,
	}
}

const maxTypes = 250 // of events that one day can have

func dayFields() object {
	f := fieldKinds()
	return object{"id": f.word, "counted": f.number, "types": f.opaque}
}

// actDoc is an event; its version is the order's.
type actDoc struct {
	contributionDoc
	Act  int    `json:"act"` // the event's version
	Type string `json:"type"`
	At   int64  `json:"at"`
}

func actDocOf(of contributionDoc, a projections.Act) actDoc {
	return actDoc{contributionDoc: of, Act: a.Version, Type: a.Type, At: micros(a.At)}
}

func (d actDoc) contribution() projections.Act {
	_, who := projections.SplitDayKey(d.Key)
	return projections.Act{Who: who, OrderID: d.Order, Version: d.Act, Type: d.Type, At: moment(d.At)}
}

type dayDoc struct {
	ID      string    `json:"id"`
	Counted int       `json:"counted"`
	Types   []typeDoc `json:"types"`
}

type typeDoc struct {
	Type string `json:"type"`
	N    int    `json:"n"`
}

func (d dayDoc) row() projections.DayRow {
	r := projections.DayRow{ByType: map[string]int{}}
	r.Day, r.Who = projections.SplitDayKey(d.ID)
	for _, t := range d.Types {
		r.ByType[t.Type] = t.N
	}
	return r
}

func sumDay(key string, n int, answers json.RawMessage) (any, error) {
	var told struct {
		Types struct {
			Buckets []struct {
				Key      string `json:"key"`
				DocCount int    `json:"doc_count"`
			} `json:"buckets"`
		} `json:"types"`
	}
	err := json.Unmarshal(answers, &told)
	d := dayDoc{ID: key, Counted: n}
	for _, b := range told.Types.Buckets {
		d.Types = append(d.Types, typeDoc{b.Key, b.DocCount})
	}
	return d, err
}

// Activity is projections.Reader's: the events are asked of the orders that they are in.
func (s *Store) Activity(ctx context.Context, q projections.ActivityQuery) (projections.ActivityPage, error) {
	q, err := q.Checked()
	if err != nil {
		return projections.ActivityPage{}, err
	}
	day := projections.DayKey(q.Who, q.Day)
	filter := []object{{"term": object{ofContribution + "key": day}}}
	if q.Cursor != "" {
		var at, version int64
		var id domain.OrderID
		if err := projections.DecodeCursor(q.Cursor, q.Fingerprint(), &at, (*string)(&id), &version); err != nil {
			return projections.ActivityPage{}, err
		}
		filter = append(filter, actsAfter(at, id, version))
	}
	var page projections.ActivityPage
	if len(day) > maxTerm/3 { // in bytes, each of which may become three
		page.Cut(q)
		return page, nil
	}
	err = s.ask(ctx, func(ctx context.Context, t targets) error {
		answer, err := s.search(ctx, s.names.alias(actsKind), object{
			"size": 0, "track_total_hits": false,
			"query": object{"nested": object{"path": "contributions", "query": object{"bool": object{"filter": filter}}}},
			"aggs": object{"contributions": object{"nested": object{"path": "contributions"}, "aggs": object{
				"day": object{"filter": object{"bool": object{"filter": filter}}, "aggs": object{"newest": object{"top_hits": object{
					"size": q.Limit + 1, "sort": []object{
						{ofContribution + "at": "desc"}, {ofContribution + "order": "asc"}, {ofContribution + "act": "desc"},
					},
				}}}},
			}}},
		})
		if err != nil {
			return err
		}
		var told struct {
			Contributions struct {
				Day struct {
					Newest searchAnswer `json:"newest"`
				} `json:"day"`
			} `json:"contributions"`
		}
		if err := json.Unmarshal(answer.Aggregations, &told); err != nil {
			return err
		}
		found, err := documents[actDoc](told.Contributions.Day.Newest.Hits.Hits)
		if err != nil {
			return err
		}
		for _, d := range found {
			page.Acts = append(page.Acts, d.contribution())
		}
		sums, err := s.sumsOf(ctx, t, activity(), []string{day})
		if sum, there := sums[day].(projections.DayRow); there {
			page.ByType = sum.ByType
		}
		return err
	})
	if err != nil {
		return projections.ActivityPage{}, err
	}
	page.Cut(q)
	return page, nil
}

// actsAfter is the events after the one of a cursor.
func actsAfter(at int64, id domain.OrderID, version int64) object {
	same := func(field string, value any) object { return object{"term": object{ofContribution + field: value}} }
	beyond := func(field, sign string, value any) object {
		return object{"range": object{ofContribution + field: object{sign: value}}}
	}
	all := func(conditions ...object) object { return object{"bool": object{"filter": conditions}} }
	return object{"bool": object{"minimum_should_match": 1, "should": []object{
		beyond("at", "lt", at), all(same("at", at), beyond("order", "gt", id)),
		all(same("at", at), same("order", id), beyond("act", "lt", version)),
	}}}
}
