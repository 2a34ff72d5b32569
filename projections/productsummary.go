package projections

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/orders"
)

// ProductSummary is the projection of one row a SKU.
const ProductSummary = "product_summary"

func productSummary() Projection {
	return adding[ProductOrder, ProductRow]{noun: "product", apply: applyProduct, want: wantProduct, plus: ProductRow.Plus}.declare(Projection{
		Name: ProductSummary, Short: "products", Generation: 1,
	})
}

// ProductOrder is what an order adds to a product: all its lines of that SKU.
type ProductOrder struct {
	SKU         string       `json:"sku"`
	IsCancelled bool         `json:"cancelled,omitempty"` // the order is; what was ordered last is known from it all the same
	Lines       int          `json:"lines"`               // 0: there are none any more
	Quantity    int64        `json:"quantity"`
	Value       domain.Money `json:"value"`
	Last        LastOrdered  `json:"last"`
}

// LastOrdered is the line by which something was ordered last: of all lines the greatest by (At, Order, Line).
type LastOrdered struct {
	At    time.Time      `json:"at"` // business time of the event that added it
	Order domain.OrderID `json:"order"`
	Line  int            `json:"line"` // of the order, from 0
	Name  string         `json:"name"`
	Price domain.Money   `json:"price"`
}

// Compare orders lines by when they were ordered.
func (l LastOrdered) Compare(o LastOrdered) int {
	return cmp.Or(l.At.Compare(o.At), cmp.Compare(l.Order, o.Order), cmp.Compare(l.Line, o.Line))
}

// Key is the SKU.
func (p ProductOrder) Key() string { return p.SKU }

// Counts is Contribution's.
func (p ProductOrder) Counts() bool { return p.Lines > 0 }

// Fields is Contribution's.
func (p ProductOrder) Fields() []Field {
	of := " of " + p.SKU
	return []Field{
		{"cancelled" + of, p.IsCancelled}, {"lines" + of, p.Lines}, {"quantity" + of, p.Quantity}, {"value" + of, p.Value},
		{"lastOrderedAt" + of, p.Last.At},
		{"line" + of, p.Last.Line}, {"name" + of, p.Last.Name}, {"price" + of, p.Last.Price},
	}
}

// ProductRow is the sum of what orders add to a product.
type ProductRow struct {
	SKU      string
	Orders   int            // without the cancelled
	Quantity int64          // of those; the largest number if it does not fit
	Value    []domain.Money // of those, by currency, in the order of their codes
	Lasts    []LastOrdered  // by the currency of the price, in the order of their codes; of the cancelled orders, too
}

// Key is the SKU.
func (r ProductRow) Key() string { return r.SKU }

// Last is how the product was ordered last, in any currency.
func (r ProductRow) Last() (last LastOrdered) {
	for i, l := range r.Lasts {
		if i == 0 || l.Compare(last) > 0 {
			last = l
		}
	}
	return last
}

// LastPrices is the price it was ordered at last in each currency, in the order of their codes.
func (r ProductRow) LastPrices() []domain.Money {
	prices := make([]domain.Money, len(r.Lasts))
	for i, l := range r.Lasts {
		prices[i] = l.Price
	}
	return prices
}

// Fields is Sum's.
func (r ProductRow) Fields() []Field {
	last := r.Last()
	return []Field{
		{"name", last.Name}, {"orders", r.Orders}, {"quantity", r.Quantity}, {"value", r.Value}, {"lastPrice", r.LastPrices()},
		{"lastOrderedAt", last.At},
	}
}

// Plus adds what one order contributes, and shares no memory with the row. Adding in any order gives the same.
func (r ProductRow) Plus(p ProductOrder) ProductRow {
	r.SKU = p.SKU
	at, found := slices.BinarySearchFunc(r.Lasts, p.Last, func(a,
		b LastOrdered) int {
		return cmp.Compare(a.Price.Currency, b.Price.Currency)
	})
	r.Lasts = slices.Clone(r.Lasts)
	if !found {
		r.Lasts = slices.Insert(r.Lasts, at, p.Last)
	} else if p.Last.Compare(r.Lasts[at]) > 0 {
		r.Lasts[at] = p.Last
	}
	if p.IsCancelled {
		return r
	}
	r.Orders++
	r.Value = AddMoney(r.Value, p.Value)
	if r.Quantity > math.MaxInt64-p.Quantity {
		r.Quantity = math.MaxInt64
	} else {
		r.Quantity += p.Quantity
	}
	return r
}

func applyProduct(row Contributed[ProductOrder], record eventstore.Record, facts []domain.Event) []ProductOrder {
	all, items := row.Contributions, itemsOf(facts...)
	for i, item := range items {
		all = addProduct(all, item, LastOrdered{
			At: record.Metadata.Timestamp.UTC(), Order: row.ID, Line: row.Lines - len(items) + i, Name: item.Name, Price: item.Price,
		})
	}
	for i := range all {
		all[i].IsCancelled = row.Status == domain.Cancelled
	}
	return all
}

// addProduct adds a line to what an order adds to products, by SKU. The totals fit, because that of the order does.
func addProduct(all []ProductOrder, item domain.Item, line LastOrdered) []ProductOrder {
	at, found := slices.BinarySearchFunc(all, item.SKU, func(p ProductOrder, sku string) int { return strings.Compare(p.SKU, sku) })
	if !found {
		all = slices.Insert(all, at, ProductOrder{SKU: item.SKU, Value: domain.Money{Currency: item.Price.Currency}, Last: line})
	}
	p := &all[at]
	p.Lines++
	p.Quantity += item.Quantity
	p.Value.Minor += item.Price.Minor * item.Quantity
	if line.Compare(p.Last) > 0 {
		p.Last = line
	}
	return all
}

// wantProduct goes through the order's states one by one: a line is of the event after which it is there.
func wantProduct(codec domain.Codec, stream orders.Stream) (all []ProductOrder) {
	lines := map[string][]LastOrdered{}
	var order domain.Order
	for _, r := range stream.Records {
		before := len(order.Items)
		if err := orders.ApplyRecord(codec, &order, r); err != nil {
			break // it is the stream's hold
		}
		for i, item := range order.Items[before:] {
			lines[item.SKU] = append(lines[item.SKU], LastOrdered{r.Metadata.Timestamp.UTC(), order.ID, before + i, item.Name, item.Price})
		}
	}
	for sku, its := range lines {
		p := ProductOrder{SKU: sku, IsCancelled: stream.Order.Status == domain.Cancelled, Lines: len(its),
			Last: slices.MaxFunc(its, LastOrdered.Compare)}
		p.Value.Currency = stream.Order.Currency
		for _, l := range its {
			quantity := stream.Order.Items[l.Line].Quantity
			p.Quantity += quantity
			p.Value.Minor += l.Price.Minor * quantity
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b ProductOrder) int { return strings.Compare(a.SKU, b.SKU) })
	return all
}
