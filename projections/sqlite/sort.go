package sqlite

import (
	"cmp"
	"strings"

	"headway/projections"
)

// orderSort is a way to sort: the columns before the id, which breaks ties, and the index that has them in this order.
type orderSort struct {
	index   string
	columns []sortColumn
}

type sortColumn struct {
	name   string
	desc   bool
	text   bool     // a string, not a number
	values []string // all values that there are, ascending, if they are few
}

const byCreated = "orders_created"

func sortOf(s projections.Sort) orderSort {
	by, desc := s.By()
	switch {
	case by == "total" && desc:
		return orderSort{"orders_by_totaldesc", []sortColumn{{name: "currency", text: true}, {name: "total", desc: true}}}
	case by == "total":
		return orderSort{"orders_by_total", []sortColumn{{name: "currency", text: true}, {name: "total"}}}
	case by == "customer":
		return orderSort{"orders_by_customer", []sortColumn{{name: "customer", desc: desc, text: true}}}
	case by == "status":
		return orderSort{"orders_by_status", []sortColumn{{name: "status", desc: desc, text: true, values: []string{"cancelled", "confirmed", "created"}}}}
	case by == "items" && desc:
		return orderSort{"orders_by_itemsdesc", []sortColumn{{name: "items", desc: true}}}
	case by == "items":
		return orderSort{"orders_by_items", []sortColumn{{name: "items"}}}
	}
	return orderSort{byCreated, []sortColumn{{name: "createdAt", desc: desc}}}
}

// sortValue is the value of a sort column: text or number, the other is empty.
type sortValue struct {
	text   string
	number int64
}

// place is where a match stands in the sort: what a cursor holds.
type place struct {
	rank int64 // in a ranked query
	keys []sortValue
	id   string
}

// cursor is the values of a place that a cursor of this query holds, to be read from it or into it.
func (o *orderSearch) cursor(p *place) []any {
	var values []any
	if o.ranked {
		values = append(values, &p.rank)
	}
	for i, c := range o.sort.columns {
		values = append(values, p.keys[i].of(c))
	}
	return append(values, &p.id)
}

// of is the half of the value that a column uses.
func (v *sortValue) of(c sortColumn) any {
	if c.text {
		return &v.text
	}
	return &v.number
}

// placeOf is where a match stands.
func (o *orderSearch) placeOf(f found) place {
	p := place{rank: f.rank, id: string(f.ID)}
	for _, c := range o.sort.columns {
		var v sortValue
		switch c.name {
		case "createdAt":
			v.number = micros(f.CreatedAt)
		case "currency":
			v.text = string(f.Total.Currency)
		case "total":
			v.number = f.Total.Minor
		case "customer":
			v.text = f.CustomerID
		case "status":
			v.text = string(f.Status)
		case "items":
			v.number = int64(f.ItemCount)
		}
		p.keys = append(p.keys, v)
	}
	return p
}

// compare orders two places.
func (o *orderSearch) compare(a, b place) int {
	if n := cmp.Compare(a.rank, b.rank); n != 0 {
		return n
	}
	for i, c := range o.sort.columns {
		n := cmp.Or(strings.Compare(a.keys[i].text, b.keys[i].text), cmp.Compare(a.keys[i].number, b.keys[i].number))
		if c.desc {
			n = -n
		}
		if n != 0 {
			return n
		}
	}
	return strings.Compare(a.id, b.id)
}
