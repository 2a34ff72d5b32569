package sqlite

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"

	"headway/domain"
	"headway/fault"
	"headway/projections"
)

// productSummary keeps the products.
func productSummary() keeper {
	return contributing[projections.ProductOrder]{table: "product_orders", change: changeProduct}.keep(keeper{
		projection: projections.ProductSummary, schema: productSchema, sums: products(), check: checkProducts,
	})
}

// A product has a row of each currency it was ordered in: how many orders there are, the cancelled included, how many without them, the
// value of these in two halves, and how it was ordered last. product_times has how each order ordered it last, to find the last of all when
// one goes. The quantity is in two halves, too.
const productSchema = `
CREATE TABLE products (
	no       INTEGER PRIMARY KEY,
	id       TEXT    NOT NULL UNIQUE,
	name     TEXT    NOT NULL,
	orders   INTEGER NOT NULL,
	high     INTEGER NOT NULL,
	low      INTEGER NOT NULL,
	quantity INTEGER NOT NULL AS (iif(high + (low >> 32) > 0x7fffffff, 0x7fffffffffffffff, (high + (low >> 32) << 32) + (low & 0xffffffff))),
	last     INTEGER NOT NULL,
	words    TEXT    NOT NULL
) STRICT;
CREATE INDEX products_last     ON products (last DESC, id);
CREATE INDEX products_orders   ON products (orders DESC, id);
CREATE INDEX products_quantity ON products (quantity DESC, id);
CREATE INDEX products_name     ON products (name, id);
CREATE TABLE product_currencies (
	product  TEXT    NOT NULL,
	currency TEXT    NOT NULL,
	total    INTEGER NOT NULL,
	n        INTEGER NOT NULL,
	high     INTEGER NOT NULL,
	low      INTEGER NOT NULL,
	minor    INTEGER NOT NULL AS (iif(high + (low >> 32) > 0x7fffffff, 0x7fffffffffffffff, (high + (low >> 32) << 32) + (low & 0xffffffff))),
	at       INTEGER NOT NULL DEFAULT 0,
	lastOrder TEXT   NOT NULL DEFAULT '',
	line     INTEGER NOT NULL DEFAULT 0,
	name     TEXT    NOT NULL DEFAULT '',
	price    INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (product, currency)
) STRICT, WITHOUT ROWID;
CREATE TABLE product_times (
	product   TEXT    NOT NULL,
	currency  TEXT    NOT NULL,
	at        INTEGER NOT NULL,
	lastOrder TEXT    NOT NULL,
	line      INTEGER NOT NULL,
	name      TEXT    NOT NULL,
	price     INTEGER NOT NULL,
	PRIMARY KEY (product, currency, at, lastOrder, line)
) STRICT, WITHOUT ROWID;
CREATE VIRTUAL TABLE products_fts USING fts5 (
	words, content='products', content_rowid='no', tokenize='ascii', detail='none', columnsize=0, prefix='1 2 3 4 5 6 7 8 9 10 11 12'
);
`

func products() sumTable { return sumTable{"products", readProducts} }

func readProducts(ctx context.Context, tx reader, from string, args ...any) ([]projections.Sum, error) {
	rows, err := tx.QueryContext(ctx, `SELECT s.id, s.orders, s.quantity`+from, args...)
	found, err := collect(rows, err, func(rows *sql.Rows) (r projections.ProductRow, err error) {
		err = rows.Scan(&r.SKU, &r.Orders, &r.Quantity)
		return r, err
	})
	if err != nil {
		return nil, err
	}
	at, ids := make(map[string]int, len(found)), make([]string, len(found))
	for i, r := range found {
		at[r.SKU], ids[i] = i, r.SKU
	}
	rows, err = tx.QueryContext(ctx, `SELECT product, currency, n, minor, at, lastOrder, line, name, price FROM product_currencies
		WHERE product IN (SELECT value FROM json_each(?)) ORDER BY product, currency`, list(ids))
	_, err = collect(rows, err, func(rows *sql.Rows) (last projections.LastOrdered, err error) {
		var product string
		var n int
		var value domain.Money
		var moved int64
		err = rows.Scan(&product, &value.Currency, &n, &value.Minor, &moved, &last.Order, &last.Line, &last.Name, &last.Price.Minor)
		last.At, last.Price.Currency = moment(moved), value.Currency
		if i, ok := at[product]; ok && err == nil {
			found[i].Lasts = append(found[i].Lasts, last)
			if n > 0 {
				found[i].Value = append(found[i].Value, value)
			}
		}
		return last, err
	})
	return anySums(found), err
}

// productChange is how a product changes in one currency.
type productChange struct {
	total int64 // orders, the cancelled included
	value sum   // of the others
	times map[projections.LastOrdered]int64
}

// changeProduct changes the row of a product, makes it, or deletes it with its last order.
func changeProduct(w *write, sku string, changes []change[projections.ProductOrder]) error {
	byCurrency, quantity := map[domain.Currency]*productChange{}, sum{}
	for _, c := range changes {
		in := byCurrency[c.of.Value.Currency]
		if in == nil {
			in = &productChange{times: map[projections.LastOrdered]int64{}}
			byCurrency[c.of.Value.Currency] = in
		}
		in.total += c.times
		in.times[c.of.Last] += c.times
		if !c.of.IsCancelled {
			in.value.add(c.of.Value.Minor, c.times)
			quantity.add(c.of.Quantity, c.times)
		}
	}
	for _, currency := range slices.Sorted(maps.Keys(byCurrency)) {
		if err := w.productCurrency(sku, currency, byCurrency[currency]); err != nil {
			return err
		}
	}
	return w.product(sku, quantity)
}

func (w *write) productCurrency(sku string, currency domain.Currency, c *productChange) error {
	err := w.exec(`INSERT INTO product_currencies (product, currency, total, n, high, low) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (product, currency) DO UPDATE SET total = total + excluded.total, n = n + excluded.n, high = high + excluded.high, low = low + excluded.low`,
		sku, string(currency), c.total, c.value.n, c.value.high, c.value.low)
	key := func(l projections.LastOrdered) []any {
		return []any{sku, string(currency), micros(l.At), string(l.Order), l.Line}
	}
	moved := false
	for last, n := range c.times {
		if err == nil && n < 0 {
			moved = true
			err = w.exec(`DELETE FROM product_times WHERE product = ? AND currency = ? AND at = ? AND lastOrder = ? AND line = ?`, key(last)...)
		}
	}
	for last, n := range c.times { // after those that went: a line may have another name now
		if err == nil && n > 0 {
			moved = true
			err = w.exec(`INSERT INTO product_times (product, currency, at, lastOrder, line, name, price) VALUES (?, ?, ?, ?, ?, ?, ?)`,
				append(key(last), last.Name, last.Price.Minor)...)
		}
	}
	if err != nil || !moved {
		return err
	}
	if c.total < 0 {
		if err := w.exec(`DELETE FROM product_currencies WHERE product = ? AND currency = ? AND total = 0`, sku, string(currency)); err != nil {
			return err
		}
	}
	return w.exec(`UPDATE product_currencies SET (at, lastOrder, line, name, price) = (SELECT at, lastOrder, line, name, price FROM product_times
		WHERE product = ?1 AND currency = ?2 ORDER BY at DESC, lastOrder DESC, line DESC LIMIT 1) WHERE product = ?1 AND currency = ?2`, sku, string(currency))
}

// product brings the row of a product up with what its currencies say.
func (w *write) product(sku string, quantity sum) error {
	var no, high, low int64
	var was string
	found, err := w.one(`SELECT no, high, low, words FROM products WHERE id = ?`, []any{sku}, &no, &high, &low, &was)
	if err != nil {
		return err
	}
	var name string
	var last, orders int64
	isThere, err := w.one(`SELECT name, at, (SELECT sum(n) FROM product_currencies WHERE product = ?1) FROM product_currencies WHERE product = ?1
		ORDER BY at DESC, lastOrder DESC, line DESC LIMIT 1`, []any{sku}, &name, &last, &orders)
	if err != nil {
		return err
	}
	words := productWords(sku, name)
	if found && (!isThere || words != was) {
		if err := w.exec(`INSERT INTO products_fts (products_fts, rowid, words) VALUES ('delete', ?, ?)`, no, was); err != nil {
			return err
		}
	}
	if !isThere {
		return w.exec(`DELETE FROM products WHERE id = ?`, sku)
	}
	values := []any{name, orders, high + quantity.high, low + quantity.low, last, words, sku}
	if found {
		err = w.exec(`UPDATE products SET name = ?, orders = ?, high = ?, low = ?, last = ?, words = ? WHERE id = ?`, values...)
	} else {
		no, err = w.insert(`INSERT INTO products (name, orders, high, low, last, words, id) VALUES (?, ?, ?, ?, ?, ?, ?)`, values...)
	}
	if err != nil || found && words == was {
		return err
	}
	return w.exec(`INSERT INTO products_fts (rowid, words) VALUES (?, ?)`, no, words)
}

// productWords are those that a product is found by.
func productWords(sku, name string) string {
	return strings.Join(slices.Concat(projections.Words(sku), projections.Words(name)), " ")
}

func checkProducts(ctx context.Context, s *Store, differ differ) error {
	if err := s.compare(ctx, differ, "n", `SELECT product || ' ' || currency, coalesce(c.n, 'none'), coalesce(s.total, 'none')
		FROM (SELECT product, currency, count(*) AS n FROM product_times GROUP BY product, currency) AS c
		FULL JOIN product_currencies AS s USING (product, currency) WHERE c.n IS NOT s.total`); err != nil {
		return err
	}
	type row struct{ id, name, words string }
	return each(func(r row) error { differ(r.id, "words", productWords(r.id, r.name), r.words); return nil },
		func(r row) string { return r.id },
		func(after *string) ([]row, error) {
			return readAll(ctx, s, func(rows *sql.Rows) (r row, err error) {
				err = rows.Scan(&r.id, &r.name, &r.words)
				return r, err
			}, `SELECT id, name, words FROM products`+allAfter, after, rowsPerStep)
		})
}

// Product is projections.Reader's.
func (s *Store) Product(ctx context.Context, sku string) (projections.ProductRow, error) {
	row, found, err := sumOf[projections.ProductRow](ctx, s, projections.ProductSummary, sku)
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
	page := sumPage{of: products(), text: q.Text, limit: q.Limit, cursor: q.Cursor, fingerprint: q.Fingerprint()}
	product := func(sum projections.Sum) projections.ProductRow { r, _ := sum.(projections.ProductRow); return r }
	switch by {
	case "sku":
		page.column = sortColumn{name: "id", desc: desc, text: true}
	case "name":
		page.column, page.index = sortColumn{name: "name", desc: desc, text: true}, "products_name"
		page.value = func(sum projections.Sum) any { return product(sum).Last().Name }
	case "orders":
		page.column, page.index = sortColumn{name: "orders", desc: desc}, "products_orders"
		page.value = func(sum projections.Sum) any { return int64(product(sum).Orders) }
	case "quantity":
		page.column, page.index = sortColumn{name: "quantity", desc: desc}, "products_quantity"
		page.value = func(sum projections.Sum) any { return product(sum).Quantity }
	default:
		page.column, page.index = sortColumn{name: "last", desc: desc}, "products_last"
		page.value = func(sum projections.Sum) any { return micros(product(sum).Last().At) }
	}
	if err := page.find(ctx, s); err != nil {
		return projections.ProductPage{}, err
	}
	return projections.ProductPage{
		Rows: sumsAs[projections.ProductRow](page.rows), Next: page.next, Total: page.total, TotalIsExact: page.isExact,
	}, nil
}
