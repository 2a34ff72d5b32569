package elastic

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"headway/domain"
	"headway/projections"
)

// orders is the kind of index of the order list.
const orders = "orders"

// orderList keeps the order list; what its pages ask is in orders.go.
func orderList() keeper {
	return keeper{
		projection: projections.OrderList, rows: orders, fields: map[string]object{orders: orderFields()}, write: writeOrders,
		row: read(func(d orderDoc) projections.Row { return d.row() }), check: checkOrders,
	}
}

// orderFields has in find the words of head and words; those are made by projections.Words, as the words of a query are, and nothing
// analyzes them.
func orderFields() object {
	f := fieldKinds()
	return object{
		"id": f.word, "reference": f.kept, "customer": f.word, "status": f.word, "items": f.number, "total": f.number, "total0": f.summed,
		"total1": f.summed, "total2": f.summed, "currency": f.word, "createdAt": f.number, "confirmedAt": f.keptNumber,
		"cancelledAt": f.keptNumber,
		"version":     f.keptNumber, "storedAt": f.keptNumber, "refKey": f.searched, "idKey": f.searched, "head": f.found, "words": f.found,
		"find": f.searched,
	}
}

type orderDoc struct {
	ID          domain.OrderID `json:"id"`
	Reference   string         `json:"reference"`
	Customer    string         `json:"customer"`
	Status      domain.Status  `json:"status"`
	Items       int            `json:"items"`
	CreatedAt   int64          `json:"createdAt"`
	ConfirmedAt int64          `json:"confirmedAt"`
	CancelledAt int64          `json:"cancelledAt"`
	Version     int            `json:"version"`
	StoredAt    int64          `json:"storedAt"`
	RefKey      string         `json:"refKey"`
	IDKey       string         `json:"idKey"`
	Head        []string       `json:"head"`
	Words       []string       `json:"words"`
	amount
}

// headOf is the words of an order that are not those of its lines.
func headOf(r projections.OrderRow) []string {
	return distinct(slices.Concat(projections.Words(r.Reference), projections.Words(string(r.ID)), projections.Words(r.CustomerID)))
}

func orderDocOf(r projections.OrderRow) orderDoc {
	return orderDoc{
		ID: r.ID, Reference: r.Reference, Customer: r.CustomerID, Status: r.Status, Items: r.ItemCount, amount: amountOf(r.Total),
		CreatedAt: micros(r.CreatedAt), ConfirmedAt: micros(r.ConfirmedAt), CancelledAt: micros(r.CancelledAt), Version: r.Version,
		StoredAt: micros(r.StoredAt), RefKey: projections.JoinedWords(r.Reference), IDKey: projections.JoinedWords(string(r.ID)),
		Head: headOf(r), Words: r.Words,
	}
}

func (d orderDoc) row() projections.OrderRow {
	return projections.OrderRow{
		ID: d.ID, Reference: d.Reference, CustomerID: d.Customer, Status: d.Status, ItemCount: d.Items, Total: d.money(),
		CreatedAt: moment(d.CreatedAt), ConfirmedAt: moment(d.ConfirmedAt), CancelledAt: moment(d.CancelledAt), Version: d.Version,
		StoredAt: moment(d.StoredAt), Words: d.Words,
	}
}

func writeOrders(ctx context.Context, s *Store, t targets, all []projections.Row) error {
	rows, err := rowsOf[projections.OrderRow](all)
	if err != nil {
		return err
	}
	items := make([]item, len(rows))
	for i, r := range rows {
		items[i] = item{index: t[orders].index, id: string(r.ID), order: r.ID, version: external(int64(r.Version)), doc: orderDocOf(r)}
	}
	return s.client.bulk(ctx, items, true)
}

// OrderRows is projections.Reader's.
func (s *Store) OrderRows(ctx context.Context, ids ...domain.OrderID) (map[domain.OrderID]projections.OrderRow, error) {
	rows := make(map[domain.OrderID]projections.OrderRow, len(ids))
	err := s.ask(ctx, func(ctx context.Context, t targets) error {
		found, err := s.fetch(ctx, t[orders].index, keysOf(ids), true)
		if err != nil {
			return err
		}
		for _, f := range found {
			var d orderDoc
			if err := json.Unmarshal(f.Source, &d); err != nil {
				return err
			}
			rows[d.ID] = d.row()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// statusCounts asks how many match under each status.
func statusCounts() object {
	filters := object{}
	for _, status := range domain.Statuses() {
		filters[string(status)] = object{"term": object{"status": status}}
	}
	return object{"filters": object{"filters": filters}}
}

type statusBuckets struct {
	Buckets map[domain.Status]struct {
		DocCount int `json:"doc_count"`
	} `json:"buckets"`
}

// Totals is projections.Reader's.
func (s *Store) Totals(ctx context.Context, from, to time.Time) (projections.Totals, error) {
	totals := projections.Totals{ByStatus: noStatus()}
	err := s.ask(ctx, func(ctx context.Context, t targets) error {
		body := object{"size": 0, "track_total_hits": false, "aggs": object{
			"status": statusCounts(),
			"value": object{
				"filter": object{"bool": object{
					"filter":   object{"range": object{"createdAt": object{"gte": micros(from), "lt": micros(to)}}},
					"must_not": object{"term": object{"status": domain.Cancelled}},
				}},
				"aggs": object{"currency": sumByCurrency("")},
			},
		}}
		answer, err := s.search(ctx, s.names.alias(orders), body)
		if err != nil {
			return err
		}
		var told struct {
			Status statusBuckets `json:"status"`
			Value  struct {
				Currency sums `json:"currency"`
			} `json:"value"`
		}
		if err := json.Unmarshal(answer.Aggregations, &told); err != nil {
			return err
		}
		for status, b := range told.Status.Buckets {
			totals.ByStatus[status] = b.DocCount
		}
		totals.Value = told.Value.Currency.money()
		return nil
	})
	if err != nil {
		return projections.Totals{}, err
	}
	return totals, nil
}

func noStatus() map[domain.Status]int {
	counts := map[domain.Status]int{}
	for _, status := range domain.Statuses() {
		counts[status] = 0
	}
	return counts
}

func checkOrders(ctx context.Context, s *Store, differ differ) error {
	return eachDocument(ctx, s, orders, func(d orderDoc) {
		want := orderDocOf(d.row())
		differ(string(d.ID), "refKey", want.RefKey, d.RefKey)
		differ(string(d.ID), "idKey", want.IDKey, d.IDKey)
		differ(string(d.ID), "head", want.Head, d.Head)
		differ(string(d.ID), "total", fmt.Sprint(want.amount), fmt.Sprint(d.amount))
	})
}
