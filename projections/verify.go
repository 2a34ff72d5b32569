package projections

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/orders"
)

// The bounds of a verification.
const (
	MaxDifferences = 1000 // differences a report names; more are counted only
	verifyPage     = 500  // orders held at once
	settled        = 4    // looks in a row at the same wrong sums, after which they are not merely late
)

// VerifyOptions of a verification. The zero options wait for nothing.
type VerifyOptions struct {
	Wait  time.Duration    // how long missing and late rows may take to arrive; the CLI gives 30 s
	Poll  time.Duration    // how often they are looked for; 0 means 250 ms
	Clock func() time.Time // nil means time.Now
}

// Report is what a verification found.
type Report struct {
	Orders      int // in the log
	Events      int // of those orders
	Rows        int // of all projections, compared with the log
	Customers   int
	Holds       []Hold // orders set aside, each confirmed by the domain; they are no difference
	Differences []Difference
	Unnamed     int // differences beyond MaxDifferences
}

// Clean tells whether every row equals the fold of its stream.
func (r Report) Clean() bool { return len(r.Differences) == 0 }

// Difference is one field of one row that is not what the log says.
type Difference struct {
	Projection string // or the name of what a store derives
	ID         string // of the order or customer
	Field      string // empty: the whole row
	Want, Got  string // as text; "nothing" for a row that is not there
}

// String is the difference as a sentence.
func (d Difference) String() string {
	field := d.Field
	if field == "" {
		field = "row"
	}
	return fmt.Sprintf("%s %s: the %s should be %s and is %s.", d.Projection, d.ID, field, d.Want, d.Got)
}

const nothing = "nothing"

// SelfChecker is a read store that keeps more than rows, such as indexes of its own, and can compare that with its rows.
type SelfChecker interface {
	// Check reports each difference; its error is a failure to look.
	Check(ctx context.Context, report func(Difference)) error
}

// Verify compares every row with a fold by domain.Order, which shares nothing with the projections but the codec, at the row's own version.
// So it is right beside a running projector; what is merely missing or late is looked for again until Wait is over. The error is a store's or
// the context's; differences are in the report. Memory holds a page of orders, a sum for each customer, and what is late.
func Verify(ctx context.Context, events eventstore.Store, read Store, codec domain.Codec, opts VerifyOptions) (Report, error) {
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	if opts.Poll == 0 {
		opts.Poll = 250 * time.Millisecond
	}
	v := &verification{
		ctx: ctx, events: events, read: read, codec: codec, opts: opts, until: opts.Clock().Add(opts.Wait),
		sums: map[string]CustomerRow{}, late: map[lateRow]eventstore.Head{},
	}
	for _, step := range []func() error{v.orders, v.strangers, v.wait, v.customers, v.derived} {
		if err := step(); err != nil {
			return v.report, err
		}
	}
	return v.report, nil
}

type verification struct {
	ctx    context.Context
	events eventstore.Store
	read   Store
	codec  domain.Codec
	opts   VerifyOptions
	until  time.Time
	report Report
	sums   map[string]CustomerRow // by the log, at the versions of the contributions
	late   map[lateRow]eventstore.Head
}

// lateRow is a row that has not arrived at the head that the walk saw.
type lateRow struct {
	projection string
	id         domain.OrderID
}

func (v *verification) differ(d Difference) {
	if len(v.report.Differences) >= MaxDifferences {
		v.report.Unnamed++
		return
	}
	v.report.Differences = append(v.report.Differences, d)
}

// orders walks the log and compares the rows of each order.
func (v *verification) orders() error {
	var cursor eventstore.Cursor
	for {
		heads, next, _, err := v.events.Walk(v.ctx, orders.Category, cursor, verifyPage)
		if err != nil {
			return err
		}
		if err := v.page(heads); err != nil {
			return err
		}
		if next == "" {
			return nil
		}
		cursor = next
	}
}

func (v *verification) page(heads []eventstore.Head) error {
	ids := make([]domain.OrderID, len(heads))
	for i, h := range heads {
		ids[i] = orders.IDOf(h.Stream)
	}
	rows, holds, err := v.rows(ids)
	if err != nil {
		return err
	}
	for _, h := range heads {
		v.report.Orders++
		v.report.Events += h.Version
		// The rows were read first, so the stream holds at least what they were made of.
		records, err := v.events.Read(v.ctx, h.Stream, 0)
		if err != nil {
			return err
		}
		for _, name := range Names() {
			v.order(name, h, records, rows[name][orders.IDOf(h.Stream)], holds[lateRow{name, orders.IDOf(h.Stream)}])
		}
	}
	return nil
}

// rows reads what the projections have of orders, a page at most.
func (v *verification) rows(ids []domain.OrderID) (map[string]map[domain.OrderID]Row, map[lateRow]*Hold, error) {
	rows, held := map[string]map[domain.OrderID]Row{}, map[lateRow]*Hold{}
	if len(ids) == 0 {
		return rows, held, nil
	}
	for _, name := range Names() {
		var err error
		if rows[name], err = v.read.Rows(v.ctx, name, ids...); err != nil {
			return nil, nil, err
		}
		holds, err := v.read.Holds(v.ctx, name, ids...)
		if err != nil {
			return nil, nil, err
		}
		for i, h := range holds {
			held[lateRow{name, h.OrderID}] = &holds[i]
		}
	}
	return rows, held, nil
}

// order compares one order's row in one projection.
func (v *verification) order(name string, head eventstore.Head, records []eventstore.Record, row Row, hold *Hold) {
	if row != nil {
		v.report.Rows++
		o, ok := v.row(name, row, records)
		if !ok {
			return
		}
		if name == CustomerOrderSummary {
			addTo(v.sums, o)
		}
	}
	late := lateRow{name, orders.IDOf(head.Stream)}
	switch {
	case hold != nil && heldDifference(v.codec, *hold, versionOf(row), records) == nil:
		v.report.Holds = append(v.report.Holds, *hold)
	case hold != nil || versionOf(row) < head.Version:
		v.late[late] = head
	}
}

func versionOf(row Row) int {
	if row == nil {
		return 0
	}
	return row.At()
}

// row compares a row with the order at the row's version; not ok if there is no such version.
func (v *verification) row(name string, row Row, records []eventstore.Record) (o domain.Order, ok bool) {
	at, id := row.At(), string(row.Order())
	if at < 1 || at > len(records) {
		v.differ(Difference{name, id, "version", fmt.Sprintf("from 1 to %d", len(records)), fmt.Sprint(at)})
		return o, false
	}
	stream := orders.Fold(v.codec, records[:at])
	if stream.Hold != nil { // the row claims an event that cannot be applied
		v.differ(Difference{name, id, "version", fmt.Sprint(stream.Hold.Version - 1), fmt.Sprint(at)})
		return o, false
	}
	v.compare(name, row, stream.Order, records[at-1])
	return stream.Order, true
}

// heldDifference asks the domain whether it, too, cannot apply that event; nil if so.
func heldDifference(codec domain.Codec, h Hold, at int, records []eventstore.Record) *Difference {
	d := &Difference{
		Projection: h.Projection, ID: string(h.OrderID), Field: "hold", Want: nothing,
		Got: fmt.Sprintf("a hold at version %d with the row at version %d", h.Version, at),
	}
	whole := orders.Fold(codec, records)
	switch {
	case whole.Hold == nil:
		return d
	case whole.Hold.Version != h.Version || at != whole.Order.Version:
		d.Want = fmt.Sprintf("a hold at version %d with the row at version %d", whole.Hold.Version, whole.Order.Version)
		return d
	}
	return nil
}

// addTo adds an order of the log to the sum of its customer.
func addTo(sums map[string]CustomerRow, o domain.Order) {
	sum := sums[o.CustomerID]
	sum.ID = o.CustomerID
	sums[o.CustomerID] = sum.Plus(Contribution{
		ID: o.ID, CustomerID: o.CustomerID, Status: o.Status, Total: o.Total, CreatedAt: o.CreatedAt,
	})
}

// compare names each field in which a row is not its order.
func (v *verification) compare(name string, row Row, o domain.Order, last eventstore.Record) {
	differ := func(field string, want, got any) {
		if w, g := show(want), show(got); w != g {
			v.differ(Difference{name, string(o.ID), field, w, g})
		}
	}
	switch r := row.(type) {
	case OrderRow:
		differ("id", o.ID, r.ID)
		differ("reference", o.Reference, r.Reference)
		differ("customerId", o.CustomerID, r.CustomerID)
		differ("status", o.Status, r.Status)
		differ("itemCount", len(o.Items), r.ItemCount)
		differ("total", o.Total, r.Total)
		differ("createdAt", o.CreatedAt, r.CreatedAt)
		differ("confirmedAt", o.ConfirmedAt, r.ConfirmedAt)
		differ("cancelledAt", o.CancelledAt, r.CancelledAt)
		differ("storedAt", last.StoredAt, r.StoredAt)
		differ("words", wordsOf(o.Items), strings.Join(r.Words, " "))
	case Contribution:
		differ("id", o.ID, r.ID)
		differ("customerId", o.CustomerID, r.CustomerID)
		differ("status", o.Status, r.Status)
		differ("total", o.Total, r.Total)
		differ("createdAt", o.CreatedAt, r.CreatedAt)
		differ("storedAt", last.StoredAt, r.StoredAt)
	}
}

// show is a value as text, the same for equal values.
func show(value any) string {
	switch v := value.(type) {
	case time.Time:
		if v.IsZero() {
			return nothing
		}
		return v.UTC().Format(time.RFC3339Nano)
	case domain.Money:
		return fmt.Sprintf("%d %s", v.Minor, v.Currency)
	case []domain.Money:
		texts := make([]string, len(v))
		for i, m := range v {
			texts[i] = show(m)
		}
		return cmp.Or(strings.Join(texts, ", "), nothing)
	case string:
		return fmt.Sprintf("%q", v)
	}
	return fmt.Sprint(value)
}

// wordsOf collects the words of lines, each once, the first MaxRowWords that come.
func wordsOf(items []domain.Item) string {
	seen := map[string]bool{}
	for _, item := range items {
		for _, word := range slices.Concat(Words(item.SKU), Words(item.Name)) {
			if len(seen) < MaxRowWords {
				seen[word] = true
			}
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(seen)), " ")
}

// strangers finds rows of orders that the log does not have.
func (v *verification) strangers() error {
	for _, name := range Names() {
		var ids []domain.OrderID
		ask := func() error {
			heads, err := v.events.Heads(v.ctx, orders.StreamsOf(ids)...)
			known := map[domain.OrderID]bool{}
			for _, h := range heads {
				known[orders.IDOf(h.Stream)] = true
			}
			for _, id := range ids {
				if err == nil && !known[id] {
					v.differ(Difference{name, string(id), "", nothing, "there"})
				}
			}
			ids = ids[:0]
			return err
		}
		each := func(row Row) error {
			if ids = append(ids, row.Order()); len(ids) < verifyPage {
				return nil
			}
			return ask()
		}
		var err error
		switch name {
		case OrderList:
			err = v.read.EachOrder(v.ctx, func(r OrderRow) error { return each(r) })
		case CustomerOrderSummary:
			err = v.read.EachContribution(v.ctx, func(c Contribution) error { return each(c) })
		}
		if err == nil && len(ids) > 0 {
			err = ask()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// wait looks for the late rows until they are there or the time is over; a row that arrived is compared.
func (v *verification) wait() error {
	for len(v.late) > 0 {
		last := !v.rest()
		if err := v.lookAgain(last); err != nil || last {
			if err == nil {
				err = v.ctx.Err()
			}
			return err
		}
	}
	return nil
}

// rest waits for the next look; false when the time is over.
func (v *verification) rest() bool {
	if !v.opts.Clock().Before(v.until) {
		return false
	}
	pause(v.ctx, v.opts.Poll, nil)
	return v.ctx.Err() == nil
}

// lookAgain takes the late rows that have arrived, or are rightly held by now, off the list; the last time it names the others.
func (v *verification) lookAgain(last bool) error {
	for chunk := range slices.Chunk(slices.SortedFunc(maps.Keys(v.late), lateRow.compare), verifyPage) {
		ids := make([]domain.OrderID, len(chunk))
		for i, late := range chunk {
			ids[i] = late.id
		}
		rows, holds, err := v.rows(ids)
		if err != nil {
			return err
		}
		for _, late := range chunk {
			if err := v.lookAgainAt(late, rows[late.projection][late.id], holds[late], last); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l lateRow) compare(m lateRow) int {
	return cmp.Or(cmp.Compare(l.projection, m.projection), cmp.Compare(l.id, m.id))
}

func (v *verification) lookAgainAt(late lateRow, row Row, hold *Hold, last bool) error {
	head := v.late[late]
	if hold == nil && versionOf(row) < head.Version && !last {
		return nil
	}
	records, err := v.events.Read(v.ctx, orders.StreamOf(late.id), 0)
	if err != nil {
		return err
	}
	switch {
	case hold != nil:
		d := heldDifference(v.codec, *hold, versionOf(row), records)
		switch {
		case d == nil:
			v.report.Holds = append(v.report.Holds, *hold)
		case last:
			v.differ(*d)
		default:
			return nil
		}
	case row == nil:
		v.differ(Difference{late.projection, string(late.id), "", fmt.Sprintf("there, at version %d", head.Version), nothing})
	case row.At() < head.Version:
		v.differ(Difference{late.projection, string(late.id), "version", fmt.Sprintf("at least %d", head.Version), fmt.Sprint(row.At())})
	default:
		v.row(late.projection, row, records)
	}
	delete(v.late, late)
	return nil
}

// customers compares the sums. A customer whose orders moved meanwhile is summed again.
func (v *verification) customers() error {
	wrong := map[string]bool{}
	seen := map[string]bool{}
	err := v.read.EachCustomer(v.ctx, func(r CustomerRow) error {
		v.report.Customers++
		seen[r.ID] = true
		if len(customerDifferences(v.sums[r.ID], &r)) > 0 {
			wrong[r.ID] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	for id := range v.sums {
		if !seen[id] {
			wrong[id] = true
		}
	}
	clear(v.sums)
	var found []Difference
	for same := 0; len(wrong) > 0 && same < settled; {
		before := found
		if found, err = v.sumAgain(wrong); err != nil {
			return err
		}
		same++
		if !slices.Equal(before, found) {
			same = 1
		}
		if len(wrong) > 0 && same < settled && !v.rest() {
			break
		}
	}
	for _, d := range found {
		v.differ(d)
	}
	return v.ctx.Err()
}

// sumAgain sums the contributions of some customers by the log, takes those that are right off the list, and names the differences of the
// others.
func (v *verification) sumAgain(wrong map[string]bool) ([]Difference, error) {
	sums := map[string]CustomerRow{}
	err := v.read.EachContribution(v.ctx, func(c Contribution) error {
		// A customer id that was changed by hand is not to hide an order: the log says whose it is.
		records, err := v.events.Read(v.ctx, orders.StreamOf(c.ID), 0)
		if err != nil || len(records) == 0 {
			return err
		}
		o := orders.Fold(v.codec, records[:max(0, min(c.Version, len(records)))]).Order
		if wrong[o.CustomerID] && o.Exists() {
			addTo(sums, o)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var found []Difference
	for _, id := range slices.Sorted(maps.Keys(wrong)) {
		row, err := v.read.Customer(v.ctx, id)
		got := &row
		if fault.KindOf(err) == fault.NotFound {
			got = nil
		} else if err != nil {
			return nil, err
		}
		differences := customerDifferences(sums[id], got)
		if len(differences) == 0 {
			delete(wrong, id)
		}
		found = append(found, differences...)
	}
	return found, nil
}

// customerDifferences compares a customer's row with the sum by the log; no orders in the log mean that there should be no row.
func customerDifferences(want CustomerRow, got *CustomerRow) []Difference {
	switch {
	case got == nil && want.TotalOrders == 0:
		return nil
	case got == nil:
		return []Difference{{CustomerOrderSummary, want.ID, "", fmt.Sprintf("there, with %d orders", want.TotalOrders), nothing}}
	case want.TotalOrders == 0:
		return []Difference{{CustomerOrderSummary, got.ID, "", nothing, "there"}}
	}
	var found []Difference
	for _, f := range []struct {
		name      string
		want, got any
	}{
		{"totalOrders", want.TotalOrders, got.TotalOrders},
		{"created", want.Created, got.Created},
		{"confirmed", want.Confirmed, got.Confirmed},
		{"cancelled", want.Cancelled, got.Cancelled},
		{"totalSpent", want.TotalSpent, got.TotalSpent},
		{"lastOrderAt", want.LastOrderAt, got.LastOrderAt},
	} {
		if w, g := show(f.want), show(f.got); w != g {
			found = append(found, Difference{CustomerOrderSummary, want.ID, f.name, w, g})
		}
	}
	return found
}

// derived asks the store about what it keeps beside the rows.
func (v *verification) derived() error {
	checker, ok := v.read.(SelfChecker)
	if !ok {
		return nil
	}
	return checker.Check(v.ctx, v.differ)
}
