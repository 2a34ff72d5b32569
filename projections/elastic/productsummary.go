package elastic

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"headway/domain"
	"headway/fault"
	"headway/projections"
)

// products is the kind of index of the products.
const products = "products"

// productSummary keeps the products.
func productSummary() keeper {
	return productOrders().keep(keeper{
		projection: projections.ProductSummary, rows: "product-orders", sums: products, fields: map[string]object{products: productFields()},
		sum: read(func(d productDoc) projections.Sum { return d.row() }), check: checkProducts,
	})
}

func productOrders() contributing[projections.ProductOrder, productOrderDoc] {
	return contributing[projections.ProductOrder, productOrderDoc]{
		fields: productOrderFields(), doc: productOrderDocOf, of: productOrderDoc.contribution, ask: askProduct(), sum: sumProduct,
	}
}

func productOrderFields() object {
	f := fieldKinds()
	return object{
		"cancelled": f.flag, "lines": f.keptNumber, "quantity": f.keptNumber, "quantity0": f.summed, "quantity1": f.summed, "quantity2": f.summed,
		"total": f.keptNumber, "total0": f.summed, "total1": f.summed, "total2": f.summed, "currency": f.word,
		"at": f.number, "line": f.number, "name": f.kept, "price": f.keptNumber,
	}
}

func productFields() object {
	f := fieldKinds()
	return object{
		"id": f.word, "counted": f.number, "name": f.word, "orders": f.number, "quantity": f.number, "last": f.number, "value": f.opaque,
		"lasts": f.opaque,
		"words": f.found, "find": f.searched,
	}
}

// productOrderDoc is what an order adds to a product; its amount is the value.
type productOrderDoc struct {
	contributionDoc
	IsCancelled bool   `json:"cancelled"`
	Lines       int    `json:"lines"`
	Quantity    int64  `json:"quantity"`
	Quantity0   int64  `json:"quantity0"`
	Quantity1   int64  `json:"quantity1"`
	Quantity2   int64  `json:"quantity2"`
	At          int64  `json:"at"`
	Line        int    `json:"line"`
	Name        string `json:"name"`
	Price       int64  `json:"price"`
	amount
}

func productOrderDocOf(of contributionDoc, p projections.ProductOrder) productOrderDoc {
	quantity := amountOf(domain.Money{Minor: p.Quantity})
	return productOrderDoc{
		contributionDoc: of, IsCancelled: p.IsCancelled, Lines: p.Lines, Quantity: quantity.Total, Quantity0: quantity.Total0,
		Quantity1: quantity.Total1,
		Quantity2: quantity.Total2, At: micros(p.Last.At), Line: p.Last.Line, Name: p.Last.Name, Price: p.Last.Price.Minor,
		amount: amountOf(p.Value),
	}
}

func (d productOrderDoc) contribution() projections.ProductOrder {
	return projections.ProductOrder{
		SKU: d.Key, IsCancelled: d.IsCancelled, Lines: d.Lines, Quantity: d.Quantity, Value: d.money(), Last: d.last(),
	}
}

func (d productOrderDoc) last() projections.LastOrdered {
	return projections.LastOrdered{
		At: moment(d.At), Order: d.Order, Line: d.Line, Name: d.Name, Price: domain.Money{Minor: d.Price, Currency: d.Currency},
	}
}

// productDoc with none counted is a product whose last order went.
type productDoc struct {
	ID       string     `json:"id"`
	Counted  int        `json:"counted"`
	Name     string     `json:"name"`
	Orders   int        `json:"orders"`
	Quantity int64      `json:"quantity"`
	Last     int64      `json:"last"`
	Value    []moneyDoc `json:"value"`
	Lasts    []lastDoc  `json:"lasts"`
	Words    []string   `json:"words"`
}

type lastDoc struct {
	At    int64          `json:"at"`
	Order domain.OrderID `json:"order"`
	Line  int            `json:"line"`
	Name  string         `json:"name"`
	Price moneyDoc       `json:"price"`
}

func productDocOf(r projections.ProductRow, counted int) productDoc {
	last := r.Last()
	d := productDoc{
		ID: r.SKU, Counted: counted, Name: last.Name, Orders: r.Orders, Quantity: r.Quantity, Last: micros(last.At), Value: moneyDocs(r.Value),
		Words: productWords(r.SKU, last.Name),
	}
	for _, l := range r.Lasts {
		d.Lasts = append(d.Lasts, lastDoc{micros(l.At), l.Order, l.Line, l.Name, moneyDoc{l.Price.Currency, l.Price.Minor}})
	}
	return d
}

// productWords are those that a product is found by.
func productWords(sku, name string) []string {
	return distinct(slices.Concat(projections.Words(sku), projections.Words(name)))
}

func (d productDoc) row() projections.ProductRow {
	r := projections.ProductRow{SKU: d.ID, Orders: d.Orders, Quantity: d.Quantity, Value: moneyOf(d.Value)}
	for _, l := range d.Lasts {
		price := domain.Money{Minor: l.Price.Minor, Currency: l.Price.Currency}
		r.Lasts = append(r.Lasts, projections.LastOrdered{At: moment(l.At), Order: l.Order, Line: l.Line, Name: l.Name, Price: price})
	}
	return r
}

// askProduct asks what a product's row is made of.
func askProduct() object {
	ofQuantity := func(part string) object { return object{"sum": object{"field": ofContribution + "quantity" + part}} }
	return object{
		"live": object{"filter": object{"term": object{ofContribution + "cancelled": false}}, "aggs": object{
			"currency": sumByCurrency(ofContribution), "total0": ofQuantity("0"), "total1": ofQuantity("1"), "total2": ofQuantity("2"),
		}},
		"lasts": object{"terms": object{"field": ofContribution + "currency", "size": maxCurrencies}, "aggs": object{
			"last": object{"top_hits": object{"size": 1, "sort": []object{
				{ofContribution + "at": "desc"}, {ofContribution + "order": "desc"}, {ofContribution + "line": "desc"},
			}}},
		}},
	}
}

func sumProduct(sku string, n int, answers json.RawMessage) (any, error) {
	var told struct {
		Live struct {
			DocCount int  `json:"doc_count"`
			Currency sums `json:"currency"`
			parts
		} `json:"live"`
		Lasts struct {
			Buckets []struct {
				Last searchAnswer `json:"last"`
			} `json:"buckets"`
		} `json:"lasts"`
	}
	if err := json.Unmarshal(answers, &told); err != nil {
		return nil, err
	}
	r := projections.ProductRow{SKU: sku, Orders: told.Live.DocCount, Quantity: told.Live.minor(), Value: told.Live.Currency.money()}
	for _, b := range told.Lasts.Buckets {
		docs, err := documents[productOrderDoc](b.Last.Hits.Hits)
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			r.Lasts = append(r.Lasts, d.last())
		}
	}
	slices.SortFunc(r.Lasts, byCurrency)
	return productDocOf(r, n), nil
}

func byCurrency(a, b projections.LastOrdered) int {
	return cmp.Compare(a.Price.Currency, b.Price.Currency)
}

func checkProducts(ctx context.Context, s *Store, differ differ) error {
	return eachDocument(ctx, s, products, func(d productDoc) {
		differ(d.ID, "words", productWords(d.ID, d.Name), d.Words)
	})
}

// Product is projections.Reader's.
func (s *Store) Product(ctx context.Context, sku string) (projections.ProductRow, error) {
	row, found, err := sumOf[projections.ProductRow](ctx, s, productSummary(), sku)
	if err == nil && !found {
		err = fault.Errorf(fault.NotFound, "No order of this product has arrived.")
	}
	return row, err
}

// Products is projections.Reader's.
func (s *Store) Products(ctx context.Context, q projections.ProductQuery) (projections.ProductPage, error) {
	q, err := q.Checked()
	if err != nil {
		return projections.ProductPage{}, err
	}
	by, desc := q.Sort.By()
	page := sumPage[productDoc]{kind: products, desc: desc, text: q.Text, limit: q.Limit, cursor: q.Cursor, fingerprint: q.Fingerprint()}
	page.id = func(d productDoc) string { return d.ID }
	switch by {
	case "name":
		page.field, page.value = "name", func(d productDoc) any { return d.Name }
	case "orders":
		page.field, page.value = "orders", func(d productDoc) any { return int64(d.Orders) }
	case "quantity":
		page.field, page.value = "quantity", func(d productDoc) any { return d.Quantity }
	case "last":
		page.field, page.value = "last", func(d productDoc) any { return d.Last }
	}
	if err := page.find(ctx, s); err != nil {
		return projections.ProductPage{}, err
	}
	found := projections.ProductPage{Next: page.next, Total: page.total, TotalIsExact: page.isExact}
	for _, d := range page.docs {
		found.Rows = append(found.Rows, d.row())
	}
	return found, nil
}
