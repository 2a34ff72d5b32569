package views

import (
	"strconv"
	"time"

	"github.com/a-h/templ"

	"headway/projections"
)

// rowBytes is about how long a row is.
const rowBytes = 1 << 10

// OrderRowLive is one order of a list: a live element of projection order_list.
func OrderRowLive(m OrderRow) templ.Component { return orderRows([]OrderRow{m}) }

func orderRows(rows []OrderRow) templ.Component { return written(rows, (*markup).orderRow) }

// written is a row after the other.
func written[R any](rows []R, one func(*markup, R)) templ.Component {
	b := make(markup, 0, len(rows)*rowBytes)
	for _, m := range rows {
		one(&b, m)
	}
	return b
}

func (b *markup) orderRow(m OrderRow) {
	id := string(m.Row.ID)
	b.add(`<tr data-live="`, projections.OrderList)
	b.add(`" data-id="`, id)
	b.add(`" data-version="`, strconv.Itoa(m.Row.Version))
	b.add(`" data-head="`, strconv.Itoa(max(m.Stamp.Head, m.Row.Version)))
	b.add(`"><th scope="row" class="col-reference"><a href="`, string(orderHref(m.Row.ID)))
	b.add(`" title="`, id)
	b.add(`">`, OrderName{m.Row.ID, m.Row.Reference}.String())
	b.add(`</a></th><td class="col-customer" title="`, m.Row.CustomerID)
	b.add(`">`, m.Row.CustomerID)
	b.put(`</td><td class="col-status">`)
	b.status(m.Row.Status)
	b.add(`</td><td class="col-items number">`, number(m.Row.ItemCount))
	b.put(`</td><td class="col-total number">`)
	b.amount(m.Row.Total.String())
	b.put(`</td><td class="col-created">`)
	b.when(m.Row.CreatedAt, m.Zone, shapeMinute)
	b.put(`</td><td class="col-stamp">`)
	b.stamp(projections.OrderList, m.Stamp)
	b.put(`</td></tr>`)
}

// CustomerRowLive is one customer of the list: a live element of projection customer_order_summary.
func CustomerRowLive(m CustomerRow) templ.Component { return customerRows([]CustomerRow{m}) }

func customerRows(rows []CustomerRow) templ.Component { return written(rows, (*markup).customerRow) }

func (b *markup) customerRow(m CustomerRow) {
	b.add(`<tr data-live="`, projections.CustomerOrderSummary)
	b.add(`" data-id="`, m.Row.ID)
	b.add(`" data-version="`, strconv.Itoa(m.Version))
	b.add(`" data-head="`, strconv.Itoa(max(m.Head, m.Version)))
	b.add(`"><th scope="row" class="col-customer"><a href="`, string(customerHref(m.Row.ID)))
	b.add(`">`, m.Row.ID)
	b.add(`</a></th><td class="col-count col-orders number">`, number(m.Row.TotalOrders))
	b.add(`</td><td class="col-count number">`, number(m.Row.Created))
	b.add(`</td><td class="col-count number">`, number(m.Row.Confirmed))
	b.add(`</td><td class="col-count number">`, number(m.Row.Cancelled))
	b.put(`</td><td class="col-total number">`)
	b.amounts(m.Row.TotalSpent)
	b.put(`</td><td class="col-created">`)
	b.when(m.Row.LastOrderAt, m.Zone, shapeMinute)
	b.put(`</td></tr>`)
}

// eventRows are events of several orders.
func eventRows(list []TimelineEntry, zone *time.Location) templ.Component {
	return written(list, func(b *markup, h TimelineEntry) { b.eventRow(h, zone) })
}

func (b *markup) eventRow(h TimelineEntry, zone *time.Location) {
	b.put(`<tr><td class="col-time">`)
	b.when(h.StoredAt, zone, shapeSecond)
	b.add(`</td><td class="col-reference"><a href="`, string(nameHref(h.Order)))
	b.add(`">`, h.Order.String())
	b.add(`</a></td><td class="col-version number"><a href="`, string(eventHref(h.Order.ID, h.Version)))
	b.add(`"><span aria-hidden="true">v</span><span class="visually-hidden">version </span>`, strconv.Itoa(h.Version))
	b.add(`</a></td><td class="col-sentence">`, Sentence(h))
	b.put(` `)
	if evidence := Evidence(h); evidence != "" {
		b.add(`<span class="evidence">`, evidence)
		b.put(`</span>`)
	}
	b.add(`</td><td class="col-type"><span class="type" data-type="`, nodeType(h))
	b.add(`">`, h.Type)
	b.add(`</span> <span class="schema">schema `, strconv.Itoa(h.Schema))
	b.put(`</span></td></tr>`)
}
