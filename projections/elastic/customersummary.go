package elastic

import (
	"context"
	"encoding/json"

	"headway/domain"
	"headway/fault"
	"headway/projections"
)

// customers is the kind of index of the customers.
const customers = "customers"

// customerSummary keeps the customers.
func customerSummary() keeper {
	return customerOrders().keep(keeper{
		projection: projections.CustomerOrderSummary, rows: "customer-orders", sums: customers,
		fields: map[string]object{customers: customerFields()},
		sum:    read(func(d customerDoc) projections.Sum { return d.row() }), check: checkCustomers,
	})
}

func customerOrders() contributing[projections.CustomerOrder, customerOrderDoc] {
	return contributing[projections.CustomerOrder, customerOrderDoc]{
		fields: customerOrderFields(), doc: customerOrderDocOf, of: customerOrderDoc.contribution, ask: askCustomer(), sum: sumCustomer,
	}
}

func customerOrderFields() object {
	f := fieldKinds()
	return object{
		"status": f.word, "total": f.keptNumber, "total0": f.summed, "total1": f.summed, "total2": f.summed, "currency": f.word,
		"createdAt": f.number,
	}
}

func customerFields() object {
	f := fieldKinds()
	return object{
		"id": f.word, "counted": f.number, "orders": f.number, "created": f.keptNumber, "confirmed": f.keptNumber, "cancelled": f.keptNumber,
		"last": f.number, "spent": f.opaque, "words": f.found, "find": f.searched,
	}
}

type customerOrderDoc struct {
	contributionDoc
	Status    domain.Status `json:"status"`
	CreatedAt int64         `json:"createdAt"`
	amount
}

func customerOrderDocOf(of contributionDoc, c projections.CustomerOrder) customerOrderDoc {
	return customerOrderDoc{contributionDoc: of, Status: c.Status, CreatedAt: micros(c.CreatedAt), amount: amountOf(c.Total)}
}

func (d customerOrderDoc) contribution() projections.CustomerOrder {
	return projections.CustomerOrder{CustomerID: d.Key, Status: d.Status, Total: d.money(), CreatedAt: moment(d.CreatedAt)}
}

// customerDoc with none counted is a customer whose last order went: it stays, because a deleted document forgets its version.
type customerDoc struct {
	ID        string     `json:"id"`
	Counted   int        `json:"counted"`
	Orders    int        `json:"orders"`
	Created   int        `json:"created"`
	Confirmed int        `json:"confirmed"`
	Cancelled int        `json:"cancelled"`
	Last      int64      `json:"last"`
	Spent     []moneyDoc `json:"spent"`
	Words     []string   `json:"words"`
}

func customerDocOf(r projections.CustomerRow) customerDoc {
	return customerDoc{
		ID: r.ID, Counted: r.TotalOrders, Orders: r.TotalOrders, Created: r.Created, Confirmed: r.Confirmed, Cancelled: r.Cancelled,
		Last:  micros(r.LastOrderAt),
		Spent: moneyDocs(r.TotalSpent), Words: distinct(projections.Words(r.ID)),
	}
}

func (d customerDoc) row() projections.CustomerRow {
	return projections.CustomerRow{
		ID: d.ID, TotalOrders: d.Orders, Created: d.Created, Confirmed: d.Confirmed, Cancelled: d.Cancelled, LastOrderAt: moment(d.Last),
		TotalSpent: moneyOf(d.Spent),
	}
}

// askCustomer asks what a customer's row is made of.
func askCustomer() object {
	return object{
		"status": object{"terms": object{"field": ofContribution + "status", "size": 10}},
		"spent": object{
			"filter": object{"bool": object{"must_not": object{"term": object{ofContribution + "status": domain.Cancelled}}}},
			"aggs":   object{"currency": sumByCurrency(ofContribution)},
		},
		// Not a maximum: that is floating point, too.
		"last": object{"top_hits": object{
			"size": 1, "sort": []object{{ofContribution + "createdAt": "desc"}}, "_source": []string{ofContribution + "createdAt"},
		}},
	}
}

func sumCustomer(id string, n int, answers json.RawMessage) (any, error) {
	var told struct {
		Status struct {
			Buckets []struct {
				Key      domain.Status `json:"key"`
				DocCount int           `json:"doc_count"`
			} `json:"buckets"`
		} `json:"status"`
		Spent struct {
			Currency sums `json:"currency"`
		} `json:"spent"`
		Last searchAnswer `json:"last"`
	}
	if err := json.Unmarshal(answers, &told); err != nil {
		return nil, err
	}
	r := projections.CustomerRow{ID: id, TotalOrders: n, TotalSpent: told.Spent.Currency.money()}
	for _, status := range told.Status.Buckets {
		switch status.Key {
		case domain.Created:
			r.Created = status.DocCount
		case domain.Confirmed:
			r.Confirmed = status.DocCount
		case domain.Cancelled:
			r.Cancelled = status.DocCount
		}
	}
	last, err := documents[customerOrderDoc](told.Last.Hits.Hits)
	if err != nil {
		return nil, err
	}
	for _, d := range last {
		r.LastOrderAt = moment(d.CreatedAt)
	}
	return customerDocOf(r), nil
}

// Customer is projections.Reader's.
func (s *Store) Customer(ctx context.Context, id string) (projections.CustomerRow, error) {
	row, found, err := sumOf[projections.CustomerRow](ctx, s, customerSummary(), id)
	if err == nil && !found {
		err = fault.Errorf(fault.NotFound, "No order of this customer has arrived.")
	}
	if err != nil {
		return projections.CustomerRow{}, err
	}
	return row, nil
}

func checkCustomers(ctx context.Context, s *Store, differ differ) error {
	return eachDocument(ctx, s, customers, func(d customerDoc) {
		differ(d.ID, "words", distinct(projections.Words(d.ID)), d.Words)
	})
}

// Customers is projections.Reader's.
func (s *Store) Customers(ctx context.Context, q projections.CustomerQuery) (projections.CustomerPage, error) {
	q, err := q.Checked()
	if err != nil {
		return projections.CustomerPage{}, err
	}
	by, desc := q.Sort.By()
	page := sumPage[customerDoc]{kind: customers, desc: desc, text: q.Text, limit: q.Limit, cursor: q.Cursor, fingerprint: q.Fingerprint()}
	page.id = func(d customerDoc) string { return d.ID }
	switch by {
	case "orders":
		page.field, page.value = "orders", func(d customerDoc) any { return int64(d.Orders) }
	case "last":
		page.field, page.value = "last", func(d customerDoc) any { return d.Last }
	}
	if err := page.find(ctx, s); err != nil {
		return projections.CustomerPage{}, err
	}
	found := projections.CustomerPage{Next: page.next, Total: page.total, TotalIsExact: page.isExact}
	for _, d := range page.docs {
		found.Rows = append(found.Rows, d.row())
	}
	return found, nil
}
