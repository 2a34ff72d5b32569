// Package verify is the second fold of everything: it compares every row with the fold of its stream by domain.Order, which shares nothing
// with the projections but the codec.
package verify

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
	"headway/internal/waiting"
	"headway/orders"
	"headway/projections"
)

// The bounds of a verification.
const (
	MaxDifferences = 1000 // differences a report names; more are counted only
	verifyPage     = 500  // orders held at once
	settled        = 4    // looks in a row at the same wrong sums, after which they are not merely late
)

// Options of a verification. The zero options wait for nothing.
type Options struct {
	Wait  time.Duration    // how long missing and late rows may take to arrive; the CLI gives 30 s
	Poll  time.Duration    // how often they are looked for; 0 means 250 ms
	Clock func() time.Time // nil means time.Now
}

// Report is what a verification found.
type Report struct {
	Orders      int                // in the log
	Events      int                // of those orders
	Rows        int                // of all projections, compared with the log
	Sums        map[string]int     // of contributions, by projection, compared with the log
	Holds       []projections.Hold // orders set aside, each confirmed by the domain; they are no difference
	Differences []projections.Difference
	Unnamed     int // differences beyond MaxDifferences
}

// Clean tells whether every row equals the fold of its stream.
func (r Report) Clean() bool { return len(r.Differences) == 0 }

const nothing = "nothing"

// Run compares every row with a fold by domain.Order, which shares nothing with the projections but the codec, at the row's own version.
// So it is right beside a running projector; what is merely missing or late is looked for again until Wait is over. The error is a store's
// or the context's; differences are in the report. Memory holds a page of orders, every sum, and what is late.
func Run(ctx context.Context, events eventstore.Store, read projections.Store, codec domain.Codec, opts Options) (Report, error) {
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	if opts.Poll == 0 {
		opts.Poll = 250 * time.Millisecond
	}
	v := &verification{
		ctx: ctx, events: events, read: read, codec: codec, opts: opts, until: opts.Clock().Add(opts.Wait),
		sums: sums{}, late: map[lateRow]eventstore.Head{}, report: Report{Sums: map[string]int{}},
	}
	for _, step := range []func() error{v.orders, v.orphans, v.wait, v.contributions, v.derived} {
		if err := step(); err != nil {
			return v.report, err
		}
	}
	return v.report, nil
}

type verification struct {
	ctx    context.Context
	events eventstore.Store
	read   projections.Store
	codec  domain.Codec
	opts   Options
	until  time.Time
	report Report
	sums   sums // by the log, at the versions of the contributions
	late   map[lateRow]eventstore.Head
}

// lateRow is a row that has not arrived at the head that the walk saw.
type lateRow struct {
	projection string
	id         domain.OrderID
}

func named(projection, id, field, want, got string) projections.Difference {
	return projections.Difference{Projection: projection, ID: id, Field: field, Want: want, Got: got}
}

func (v *verification) differ(d projections.Difference) {
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
		for _, p := range projections.All() {
			v.order(p, h, records, rows[p.Name][orders.IDOf(h.Stream)], holds[lateRow{p.Name, orders.IDOf(h.Stream)}])
		}
	}
	return nil
}

// rows reads what the projections have of orders, a page at most.
func (v *verification) rows(ids []domain.OrderID) (map[string]map[domain.OrderID]projections.Row, map[lateRow]*projections.Hold, error) {
	rows, held := map[string]map[domain.OrderID]projections.Row{}, map[lateRow]*projections.Hold{}
	if len(ids) == 0 {
		return rows, held, nil
	}
	for _, projection := range projections.All() {
		var err error
		if rows[projection.Name], err = v.read.Rows(v.ctx, projection.Name, ids...); err != nil {
			return nil, nil, err
		}
		holds, err := v.read.Holds(v.ctx, projection.Name, ids...)
		if err != nil {
			return nil, nil, err
		}
		for i, h := range holds {
			held[lateRow{projection.Name, h.OrderID}] = &holds[i]
		}
	}
	return rows, held, nil
}

// order compares one order's row in one projection.
func (v *verification) order(p projections.Projection, head eventstore.Head, records []eventstore.Record, row projections.Row,
	hold *projections.Hold) {
	if row != nil {
		v.report.Rows++
		stream, ok := v.row(p, row, records)
		if !ok {
			return
		}
		v.sums.add(p, v.codec, stream, nil)
	}
	late := lateRow{p.Name, orders.IDOf(head.Stream)}
	switch {
	case hold != nil && heldDifference(v.codec, *hold, versionOf(row), records) == nil:
		v.report.Holds = append(v.report.Holds, *hold)
	case hold != nil || versionOf(row) < head.Version:
		v.late[late] = head
	}
}

func versionOf(row projections.Row) int {
	if row == nil {
		return 0
	}
	return row.At()
}

// row compares a row with the order at the row's version; not ok if there is no such version.
func (v *verification) row(p projections.Projection, row projections.Row, records []eventstore.Record) (stream orders.Stream, ok bool) {
	at, id := row.At(), string(row.Order())
	if at < 1 || at > len(records) {
		v.differ(named(p.Name, id, "version", fmt.Sprintf("from 1 to %d", len(records)), fmt.Sprint(at)))
		return stream, false
	}
	stream = orders.Fold(v.codec, records[:at])
	if stream.Hold != nil { // the row claims an event that cannot be applied
		v.differ(named(p.Name, id, "version", fmt.Sprint(stream.Hold.Version-1), fmt.Sprint(at)))
		return stream, false
	}
	v.compare(p, row, stream)
	return stream, true
}

// heldDifference asks the domain whether it, too, cannot apply that event; nil if so.
func heldDifference(codec domain.Codec, h projections.Hold, at int, records []eventstore.Record) *projections.Difference {
	d := &projections.Difference{
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

// compare names each field in which a row is not its order.
func (v *verification) compare(p projections.Projection, row projections.Row, stream orders.Stream) {
	for _, d := range differences(p.Name, string(stream.Order.ID), p.Want(v.codec, stream).Fields(), row.Fields()) {
		v.differ(d)
	}
}

// differences names the fields that are not what they should be.
func differences(projection, id string, want, got []projections.Field) (found []projections.Difference) {
	values := make(map[string]string, len(got))
	for _, f := range got {
		values[f.Name] = show(f.Value)
	}
	for _, f := range want {
		value := values[f.Name]
		if want := show(f.Value); want != value {
			found = append(found, named(projection, id, f.Name, want, cmp.Or(value, nothing)))
		}
		delete(values, f.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		found = append(found, named(projection, id, name, nothing, values[name]))
	}
	return found
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

// orphans finds rows of orders that the log does not have.
func (v *verification) orphans() error {
	for _, p := range projections.All() {
		var ids []domain.OrderID
		ask := func() error {
			heads, err := v.events.Heads(v.ctx, orders.StreamsOf(ids)...)
			known := map[domain.OrderID]bool{}
			for _, h := range heads {
				known[orders.IDOf(h.Stream)] = true
			}
			for _, id := range ids {
				if err == nil && !known[id] {
					v.differ(named(p.Name, string(id), "", nothing, "there"))
				}
			}
			ids = ids[:0]
			return err
		}
		err := v.read.EachRow(v.ctx, p.Name, func(row projections.Row) error {
			if ids = append(ids, row.Order()); len(ids) < verifyPage {
				return nil
			}
			return ask()
		})
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
	return waiting.Pause(v.ctx, v.opts.Poll) == nil
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

func (v *verification) lookAgainAt(late lateRow, row projections.Row, hold *projections.Hold, last bool) error {
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
		v.differ(named(late.projection, string(late.id), "", fmt.Sprintf("there, at version %d", head.Version), nothing))
	case row.At() < head.Version:
		v.differ(named(late.projection, string(late.id), "version", fmt.Sprintf("at least %d", head.Version), fmt.Sprint(row.At())))
	default:
		p, err := projections.Named(late.projection)
		if err != nil {
			return err
		}
		v.row(p, row, records)
	}
	delete(v.late, late)
	return nil
}

// sums are what contributions add up to by the log, by projection and key.
type sums map[string]map[string]projections.Sum

// add adds an order to the sums of its keys; only to these, unless it is nil.
func (s sums) add(p projections.Projection, codec domain.Codec, stream orders.Stream, only func(key string) bool) {
	if p.Contributions == nil || !stream.Order.Exists() {
		return
	}
	if s[p.Name] == nil {
		s[p.Name] = map[string]projections.Sum{}
	}
	p.Contributions.Add(s[p.Name], p.Want(codec, stream), only)
}

// contributions compares the sums of every projection that has any.
func (v *verification) contributions() error {
	for _, p := range projections.All() {
		if p.Contributions == nil {
			continue
		}
		if err := v.sumsOf(p); err != nil {
			return err
		}
	}
	return v.ctx.Err()
}

// sumsOf compares the sums of a projection. One whose orders moved meanwhile is added up again.
func (v *verification) sumsOf(p projections.Projection) error {
	wrong, seen, want := map[string]bool{}, map[string]bool{}, v.sums[p.Name]
	err := v.read.EachSum(v.ctx, p.Name, func(s projections.Sum) error {
		v.report.Sums[p.Name]++
		seen[s.Key()] = true
		if len(sumDifferences(p, s.Key(), want[s.Key()], s)) > 0 {
			wrong[s.Key()] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	for key := range want {
		if !seen[key] {
			wrong[key] = true
		}
	}
	delete(v.sums, p.Name)
	var found []projections.Difference
	for same := 0; len(wrong) > 0 && same < settled; {
		before := found
		if found, err = v.sumAgain(p, wrong); err != nil {
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
	return nil
}

// sumAgain adds up some sums by the log, takes those that are right off the list, and names the differences of the others.
func (v *verification) sumAgain(p projections.Projection, wrong map[string]bool) ([]projections.Difference, error) {
	want := sums{}
	err := v.read.EachRow(v.ctx, p.Name, func(row projections.Row) error {
		// A key that was changed by hand is not to hide an order: the log says what it adds to.
		records, err := v.events.Read(v.ctx, orders.StreamOf(row.Order()), 0)
		if err != nil || len(records) == 0 {
			return err
		}
		stream := orders.Fold(v.codec, records[:max(0, min(row.At(), len(records)))])
		want.add(p, v.codec, stream, func(key string) bool { return wrong[key] })
		return nil
	})
	if err != nil {
		return nil, err
	}
	keys := slices.Sorted(maps.Keys(wrong))
	got, err := v.read.Sums(v.ctx, p.Name, keys...)
	if err != nil {
		return nil, err
	}
	var found []projections.Difference
	for _, key := range keys {
		differ := sumDifferences(p, key, want[p.Name][key], got[key])
		if len(differ) == 0 {
			delete(wrong, key)
		}
		found = append(found, differ...)
	}
	return found, nil
}

// sumDifferences compares a sum with that by the log; one to which no order of the log adds should not be there.
func sumDifferences(p projections.Projection, key string, want, got projections.Sum) []projections.Difference {
	switch {
	case got == nil && want == nil:
		return nil
	case got == nil:
		return []projections.Difference{named(p.Name, key, "", "there", nothing)}
	case want == nil:
		return []projections.Difference{named(p.Name, key, "", nothing, "there")}
	}
	return differences(p.Name, key, want.Fields(), got.Fields())
}

// derived asks the store about what it keeps beside the rows.
func (v *verification) derived() error {
	checker, ok := v.read.(projections.SelfChecker)
	if !ok {
		return nil
	}
	return checker.Check(v.ctx, v.differ)
}
