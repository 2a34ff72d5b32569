package console

import (
	"context"
	"net/http"
	"time"

	"github.com/a-h/templ"

	"headway/cmd/web/console/input"
	"headway/cmd/web/console/wire"
	"headway/fault"
	"headway/projections"
	"headway/views"
)

const (
	suggestedProducts = 100 // that the form of a line suggests, those ordered last
	ordersOfProduct   = 20  // that a product's page shows

	suggestedWithin = 250 * time.Millisecond // else a form has no suggestions: it waits for nothing slow
)

// products is GET /products.
func (s *Server) products(r *http.Request, q *input.Query) (answer, error) {
	query := projections.ProductQuery{Text: q.Get("q"), Sort: q.Sort(projections.ProductSorts()...), Cursor: q.Get("cursor")}
	if err := q.Err(); err != nil {
		return answer{}, err
	}
	m := views.ProductsPage{
		Text: query.Text, Sort: query.Sort, Cursor: query.Cursor, Zone: s.zone,
		Stamp: s.freshness.listStamp(r.Context(), projections.ProductSummary), // before the rows: they must not lack what it says they have
	}
	a := answer{title: "Products", nav: views.NavProducts, watch: []string{"projections"},
		page: func(f views.Frame) templ.Component { return views.Products(f, m) }}
	page, err := s.read.Products(r.Context(), query)
	if err != nil && fault.KindOf(err) == fault.Malformed {
		return answer{}, err
	}
	if err != nil {
		return answer{}, s.listError(a, err, nil, &m.Problem)
	}
	m.Rows, m.Next, m.Total, m.TotalIsExact = page.Rows, page.Next, page.Total, page.TotalIsExact
	a.json = func() any {
		return wire.Products{
			Products: wire.ListOf(page.Rows, func(p projections.ProductRow) wire.Product { return wire.ProductOf(p, m.Stamp.Stamp) }),
			Next:     wire.OrNull(page.Next), Total: page.Total, TotalIsExact: page.TotalIsExact,
		}
	}
	return a, nil
}

// product is GET /products/{sku}: totals, and the newest orders that match the SKU.
func (s *Server) product(r *http.Request, q *input.Query) (answer, error) {
	if err := q.Err(); err != nil {
		return answer{}, err
	}
	sku := r.PathValue("sku")
	m := views.ProductPage{
		Stamp:     s.freshness.listStamp(r.Context(), projections.ProductSummary),
		ListStamp: s.freshness.listStamp(r.Context(), projections.OrderList),
	}
	var err error
	if m.Row, err = s.read.Product(r.Context(), sku); err != nil {
		return answer{}, err
	}
	page, err := s.read.Orders(r.Context(), projections.OrderQuery{Text: sku, Sort: "-created", Limit: ordersOfProduct})
	if err != nil {
		return answer{}, err
	}
	stamps := s.freshness.rowStamps(r.Context(), page.Rows)
	m.Orders, m.More = s.orderRows(page.Rows, stamps), page.Next != ""
	return answer{
		title: sku, nav: views.NavProducts, watch: []string{"orders", "projections"},
		page: func(f views.Frame) templ.Component { return views.Product(f, m) },
		json: func() any { return wire.ProductPage{Product: wire.ProductOf(m.Row, m.Stamp.Stamp)} },
	}, nil
}

// suggested are the products that the forms of lines suggest: a comfort, so without the read store there are none.
func (s *Server) suggested(ctx context.Context) []views.Suggestion {
	ctx, cancel := context.WithTimeout(ctx, suggestedWithin)
	defer cancel()
	page, err := s.read.Products(ctx, projections.ProductQuery{Limit: suggestedProducts})
	if err != nil {
		return nil
	}
	return views.SuggestionsOf(page.Rows)
}
