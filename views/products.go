package views

import (
	"time"

	"github.com/a-h/templ"

	"headway/projections"
)

// ProductsPage is GET /products.
type ProductsPage struct {
	Text         string
	Sort         projections.Sort
	Cursor       string
	Rows         []projections.ProductRow
	Next         string
	Total        int
	TotalIsExact bool
	Stamp        Stamp
	Problem      string
	Zone         *time.Location
}

// ProductPage is GET /products/{sku}.
type ProductPage struct {
	Row       projections.ProductRow
	Stamp     Stamp // of product_summary
	Orders    []OrderRow
	More      bool  // there are more orders than these
	ListStamp Stamp // of order_list, which Orders are read from
}

// Suggestion is a product that a line may be of: its name and its price in each currency are filled in where nothing was typed.
type Suggestion struct {
	SKU    string
	Name   string
	Prices map[string]string // by currency code, as they are typed
}

// SuggestionsOf are products as lines suggest them.
func SuggestionsOf(rows []projections.ProductRow) []Suggestion {
	all := make([]Suggestion, len(rows))
	for i, r := range rows {
		all[i] = Suggestion{r.SKU, r.Last().Name, map[string]string{}}
		for _, price := range r.LastPrices() {
			all[i].Prices[string(price.Currency)] = price.Decimal()
		}
	}
	return all
}

func productHref(sku string) templ.SafeURL { return templ.SafeURL("/products/" + nameSegment(sku)) }

func (m ProductsPage) sorted(column string) templ.SafeURL {
	return with("/products", "q", m.Text, "sort", string(nextSort(m.Sort, "-last", column, "orders", "quantity", "last")))
}

func (m ProductsPage) page(cursor string) templ.SafeURL {
	return with("/products", "q", m.Text, "sort", string(m.Sort), "cursor", cursor)
}

func productCount(m ProductsPage) string {
	if m.Total == 1 && m.TotalIsExact {
		return "1 product"
	}
	return atLeast(m.Total, m.TotalIsExact) + " products"
}
