package simulation

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"headway/domain"
	"headway/fault"
	"headway/projections"
)

// Table is a read store in memory: the whole contract of projections.Store, and durable as long as the Table is. A batch is written in
// steps, as a store without transactions writes it, and after any of them it may end: rows one by one, the sums of customers, holds, the
// checkpoint. What customers must be summed again is kept until they are.
type Table struct {
	mu     sync.Mutex
	tables map[string]*table // by projection
	words  map[domain.OrderID]orderWords
	holds  map[heldOrder]projections.Hold
	states map[projections.Key]projections.State
	lease  projections.Lease
}

// table is what is kept of one projection.
type table struct {
	projections.Projection
	rows    map[domain.OrderID]projections.Row
	sums    map[string]projections.Sum
	unadded map[string]bool // keys of sums that have to be added up again
}

// orderWords are what search finds an order by.
type orderWords struct {
	all  []string
	keys []string // the reference and the id
}

type heldOrder struct {
	projections.Key
	id domain.OrderID
}

// NewTable is an empty read store.
func NewTable() *Table {
	t := &Table{
		tables: map[string]*table{}, words: map[domain.OrderID]orderWords{}, holds: map[heldOrder]projections.Hold{},
		states: map[projections.Key]projections.State{},
	}
	for _, p := range projections.All() {
		t.tables[p.Name] = &table{p, map[domain.OrderID]projections.Row{}, map[string]projections.Sum{}, map[string]bool{}}
	}
	return t
}

// Open is one more handle on the rows, as another process has it.
func (r *Table) Open() projections.Store { return &rowsHandle{Table: r} }

// rowsHandle is a Table as one process has it.
type rowsHandle struct {
	*Table
	closed bool // guarded by the rows' lock
}

var _ projections.Store = (*rowsHandle)(nil)

// enter takes the lock, if the handle is open and the context has not ended; leaving is the caller's.
func (h *rowsHandle) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return fault.Errorf(fault.Unavailable, "The read store is closed.")
	}
	return nil
}

// Close is projections.Store's.
func (h *rowsHandle) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	return nil
}

// Write is projections.Store's.
func (h *rowsHandle) Write(ctx context.Context, b projections.Batch) error {
	return h.writeUpTo(ctx, b, -1)
}

// writeUpTo does the first steps of a batch, all if steps is negative.
func (h *rowsHandle) writeUpTo(ctx context.Context, b projections.Batch, steps int) error {
	if _, err := h.of(ctx, b.Projection); err != nil {
		return err
	}
	defer h.mu.Unlock()
	if b.Epoch < h.lease.Epoch {
		return projections.Stale()
	}
	if !b.Continues(h.states[b.Key].Checkpoint) {
		return projections.Moved()
	}
	for i, step := range h.steps(b) {
		if i == steps {
			break
		}
		step()
	}
	return nil
}

func (r *Table) steps(b projections.Batch) []func() {
	var do []func()
	t := r.tables[b.Projection]
	for _, row := range b.Rows {
		do = append(do, func() { r.put(t, row) })
	}
	do = append(do, t.add, func() {
		for _, hold := range b.Holds {
			r.holds[heldOrder{b.Key, hold.OrderID}] = hold
		}
		for _, id := range b.Released {
			delete(r.holds, heldOrder{b.Key, id})
		}
	})
	if b.Checkpoint != "" {
		do = append(do, func() {
			state := r.states[b.Key]
			state.Key, state.Checkpoint = b.Key, b.Checkpoint
			r.states[b.Key] = state
		})
	}
	return do
}

// put keeps a row that is newer than the one that is there.
func (r *Table) put(t *table, row projections.Row) {
	old, found := t.rows[row.Order()]
	if found && row.At() <= old.At() {
		return
	}
	t.rows[row.Order()] = unshared(row)
	for _, version := range []projections.Row{old, row} {
		if adds, ok := version.(projections.Contributor); ok {
			for _, key := range adds.Keys() {
				t.unadded[key] = true
			}
		}
	}
	if row, ok := row.(projections.OrderRow); ok {
		r.words[row.ID] = orderWords{
			all:  slices.Concat(projections.Words(row.Reference), projections.Words(string(row.ID)), projections.Words(row.CustomerID), row.Words),
			keys: []string{projections.JoinedWords(row.Reference), projections.JoinedWords(string(row.ID))},
		}
	}
}

// unshared is a row that shares no memory with another that somebody may change.
func unshared(row projections.Row) projections.Row {
	if r, ok := row.(projections.OrderRow); ok {
		r.Words = slices.Clone(r.Words)
		return r
	}
	return row
}

// add adds up again what has to be.
func (t *table) add() {
	if t.Contributions == nil {
		return
	}
	for key := range t.unadded {
		delete(t.sums, key)
	}
	for _, row := range t.rows {
		t.Contributions.Add(t.sums, row, func(key string) bool { return t.unadded[key] })
	}
	clear(t.unadded)
}

// Beat is projections.Store's.
func (h *rowsHandle) Beat(ctx context.Context, state projections.State) error {
	if err := h.enter(ctx); err != nil {
		return err
	}
	defer h.mu.Unlock()
	if state.Epoch < h.lease.Epoch {
		return projections.Stale()
	}
	state.Checkpoint, state.Epoch = h.states[state.Key].Checkpoint, 0
	h.states[state.Key] = state
	return nil
}

// Discard is projections.Store's.
func (h *rowsHandle) Discard(ctx context.Context, epoch int64) error {
	if err := h.enter(ctx); err != nil {
		return err
	}
	defer h.mu.Unlock()
	if epoch < h.lease.Epoch {
		return projections.Stale()
	}
	clear(h.words)
	clear(h.holds)
	clear(h.states)
	for _, t := range h.tables {
		clear(t.rows)
		clear(t.sums)
		clear(t.unadded)
	}
	return nil
}

// Lease is projections.Store's.
func (h *rowsHandle) Lease(ctx context.Context) (projections.Lease, error) {
	if err := h.enter(ctx); err != nil {
		return projections.Lease{}, err
	}
	defer h.mu.Unlock()
	return h.lease, nil
}

// SwapLease is projections.Store's.
func (h *rowsHandle) SwapLease(ctx context.Context, old, lease projections.Lease) error {
	if err := h.enter(ctx); err != nil {
		return err
	}
	defer h.mu.Unlock()
	if h.lease != old {
		return projections.Stale()
	}
	h.lease = lease
	return nil
}

// of is enter for one projection; NotFound if there is no such.
func (h *rowsHandle) of(ctx context.Context, projection string) (*table, error) {
	t, found := h.tables[projection] // it never changes
	if !found {
		_, err := projections.Named(projection)
		return nil, err
	}
	return t, h.enter(ctx)
}

// Rows is projections.Store's.
func (h *rowsHandle) Rows(ctx context.Context, projection string, ids ...domain.OrderID) (map[domain.OrderID]projections.Row, error) {
	t, err := h.of(ctx, projection)
	if err != nil {
		return nil, err
	}
	defer h.mu.Unlock()
	found := map[domain.OrderID]projections.Row{}
	for _, id := range ids {
		if row, there := t.rows[id]; there {
			found[id] = unshared(row)
		}
	}
	return found, nil
}

// Versions is projections.Reader's.
func (h *rowsHandle) Versions(ctx context.Context, projection string, ids ...domain.OrderID) (map[domain.OrderID]int, error) {
	rows, err := h.Rows(ctx, projection, ids...)
	if err != nil {
		return nil, err
	}
	versions := map[domain.OrderID]int{}
	for id, row := range rows {
		versions[id] = row.At()
	}
	return versions, nil
}

// OrderRows is projections.Reader's.
func (h *rowsHandle) OrderRows(ctx context.Context, ids ...domain.OrderID) (map[domain.OrderID]projections.OrderRow, error) {
	rows, err := h.Rows(ctx, projections.OrderList, ids...)
	if err != nil {
		return nil, err
	}
	found := map[domain.OrderID]projections.OrderRow{}
	for id, row := range rows {
		if row, ok := row.(projections.OrderRow); ok {
			found[id] = row
		}
	}
	return found, nil
}

// each calls f with a copy of what is there now, in the order of ids.
func each[K cmp.Ordered, R any](ctx context.Context, h *rowsHandle, projection string, of func(t *table) map[K]R, f func(R) error) error {
	t, err := h.of(ctx, projection)
	if err != nil {
		return err
	}
	all := maps.Clone(of(t))
	h.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if err := f(all[id]); err != nil {
			return err
		}
	}
	return nil
}

// EachRow is projections.Reader's.
func (h *rowsHandle) EachRow(ctx context.Context, projection string, f func(projections.Row) error) error {
	return each(ctx, h, projection, func(t *table) map[domain.OrderID]projections.Row { return t.rows }, func(row projections.Row) error {
		return f(unshared(row))
	})
}

// EachSum is projections.Reader's. A sum is never changed.
func (h *rowsHandle) EachSum(ctx context.Context, projection string, f func(projections.Sum) error) error {
	return each(ctx, h, projection, func(t *table) map[string]projections.Sum { return t.sums }, f)
}

// Sums is projections.Reader's.
func (h *rowsHandle) Sums(ctx context.Context, projection string, keys ...string) (map[string]projections.Sum, error) {
	t, err := h.of(ctx, projection)
	if err != nil {
		return nil, err
	}
	defer h.mu.Unlock()
	if t.Contributions == nil {
		return nil, fault.Errorf(fault.NotFound, "There are no sums of %s.", projection)
	}
	found := map[string]projections.Sum{}
	for _, key := range keys {
		if sum, there := t.sums[key]; there {
			found[key] = sum
		}
	}
	return found, nil
}

// Customer is projections.Reader's.
func (h *rowsHandle) Customer(ctx context.Context, id string) (projections.CustomerRow, error) {
	sums, err := h.Sums(ctx, projections.CustomerOrderSummary, id)
	if err != nil {
		return projections.CustomerRow{}, err
	}
	row, found := sums[id].(projections.CustomerRow)
	if !found {
		return row, fault.Errorf(fault.NotFound, "No order of this customer has arrived.")
	}
	row.TotalSpent = slices.Clone(row.TotalSpent)
	return row, nil
}

// Totals is projections.Reader's.
func (h *rowsHandle) Totals(ctx context.Context, from, to time.Time) (projections.Totals, error) {
	totals := projections.Totals{ByStatus: none()}
	err := h.EachRow(ctx, projections.OrderList, func(row projections.Row) error {
		r, _ := row.(projections.OrderRow)
		totals.ByStatus[r.Status]++
		if r.Status != domain.Cancelled && !r.CreatedAt.Before(from) && r.CreatedAt.Before(to) {
			totals.Value = projections.AddMoney(totals.Value, r.Total)
		}
		return nil
	})
	return totals, err
}

// none counts no order of any status.
func none() map[domain.Status]int {
	counts := map[domain.Status]int{}
	for _, status := range domain.Statuses() {
		counts[status] = 0
	}
	return counts
}

// States is projections.Reader's.
func (h *rowsHandle) States(ctx context.Context) (map[projections.Key]projections.State, error) {
	if err := h.enter(ctx); err != nil {
		return nil, err
	}
	defer h.mu.Unlock()
	return maps.Clone(h.states), nil
}

// Holds is projections.Reader's.
func (h *rowsHandle) Holds(ctx context.Context, projection string, ids ...domain.OrderID) ([]projections.Hold, error) {
	if err := h.enter(ctx); err != nil {
		return nil, err
	}
	defer h.mu.Unlock()
	var holds []projections.Hold
	for _, hold := range h.holds {
		if (projection == "" || hold.Projection == projection) && (len(ids) == 0 || slices.Contains(ids, hold.OrderID)) {
			holds = append(holds, hold)
		}
	}
	slices.SortFunc(holds, func(a, b projections.Hold) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Projection, b.Projection), cmp.Compare(a.OrderID, b.OrderID))
	})
	return holds[:min(len(holds), projections.MaxHolds)], nil
}

// place is where a row stands in a sort: what a cursor holds.
type place struct {
	rank   int64
	text   string
	number int64
	id     string
}

func (p *place) values() []any { return []any{&p.rank, &p.text, &p.number, &p.id} }

// compare orders two places; only the ids and ranks never descend.
func (p place) compare(o place, textDescends, numberDescends bool) int {
	text, number := strings.Compare(p.text, o.text), cmp.Compare(p.number, o.number)
	if textDescends {
		text = -text
	}
	if numberDescends {
		number = -number
	}
	return cmp.Or(cmp.Compare(p.rank, o.rank), text, number, strings.Compare(p.id, o.id))
}

// Orders is projections.Reader's.
func (h *rowsHandle) Orders(ctx context.Context, q projections.OrderQuery) (projections.OrderPage, error) {
	q, err := q.Checked()
	if err != nil {
		return projections.OrderPage{}, err
	}
	var after place
	if q.Cursor != "" {
		if err := projections.DecodeCursor(q.Cursor, q.Fingerprint(), after.values()...); err != nil {
			return projections.OrderPage{}, err
		}
	}
	page := projections.NoOrders()
	if err := h.enter(ctx); err != nil {
		return projections.OrderPage{}, err
	}
	defer h.mu.Unlock()
	asked, key := projections.Words(q.Text), projections.JoinedWords(q.Text)
	byStatus := none()
	var found []placedOrder
	for _, row := range h.tables[projections.OrderList].rows {
		r, _ := row.(projections.OrderRow)
		words := h.words[r.ID]
		if q.Text != "" && !begin(asked, words.all) || !matches(q, r) {
			continue
		}
		byStatus[r.Status]++
		if len(q.Statuses) == 0 || slices.Contains(q.Statuses, r.Status) {
			found = append(found, placedOrder{r, orderPlace(q, r, words.keys, key)})
		}
	}
	for status, n := range byStatus {
		page.ByStatus[status] = projections.CountTo(n, projections.ExactTotal)
	}
	page.Total, page.TotalIsExact = min(len(found), projections.ExactTotal), len(found) <= projections.ExactTotal
	by, descends := q.Sort.By()
	order := func(a, b place) int {
		return a.compare(b, descends && by != "total", descends || q.Ranked())
	}
	found, page.Next = cut(found, q.Limit, q.Cursor, after, q.Fingerprint(), order, func(r placedOrder) place { return r.at })
	for _, r := range found {
		r.Words = slices.Clone(r.Words)
		page.Rows = append(page.Rows, r.OrderRow)
	}
	return page, nil
}

// placedOrder is a row with its place in a sort.
type placedOrder struct {
	projections.OrderRow
	at place
}

// matches tells whether a row is of the customer and the time that are asked for.
func matches(q projections.OrderQuery, r projections.OrderRow) bool {
	return (q.Customer == "" || r.CustomerID == q.Customer) && (q.From.IsZero() || !r.CreatedAt.Before(q.From)) &&
		(q.To.IsZero() || r.CreatedAt.Before(q.To))
}

// begin tells whether each word that is asked for begins one of the words; none begins none.
func begin(asked, words []string) bool {
	for _, word := range asked {
		if !slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, word) }) {
			return false
		}
	}
	return len(asked) > 0
}

func orderPlace(q projections.OrderQuery, r projections.OrderRow, keys []string, key string) place {
	p := place{id: string(r.ID)}
	switch by, _ := q.Sort.By(); by {
	case "total":
		p.text, p.number = string(r.Total.Currency), r.Total.Minor
	case "customer":
		p.text = r.CustomerID
	case "status":
		p.text = string(r.Status)
	case "items":
		p.number = int64(r.ItemCount)
	default:
		p.number = r.CreatedAt.UnixMicro()
	}
	if q.Ranked() {
		p.rank = rank(keys, key)
	}
	return p
}

// rank is 0 for the exact reference or id, 1 for the beginning of one, 2 for any other.
func rank(keys []string, key string) int64 {
	switch {
	case slices.Contains(keys, key):
		return 0
	case slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, key) }):
		return 1
	}
	return 2
}

// cut sorts what was found and takes the page after a place.
func cut[R any](
	found []R, limit int, cursor string, after place, fingerprint string, order func(a, b place) int, at func(R) place,
) (rows []R, next string) {
	if cursor != "" {
		found = slices.DeleteFunc(found, func(r R) bool { return order(at(r), after) <= 0 })
	}
	slices.SortFunc(found, func(a, b R) int { return order(at(a), at(b)) })
	if len(found) <= limit {
		return found, ""
	}
	last := at(found[limit-1])
	return found[:limit], projections.EncodeCursor(fingerprint, last.values()...)
}

// Customers is projections.Reader's.
func (h *rowsHandle) Customers(ctx context.Context, q projections.CustomerQuery) (projections.CustomerPage, error) {
	q, err := q.Checked()
	if err != nil {
		return projections.CustomerPage{}, err
	}
	var after place
	if q.Cursor != "" {
		if err := projections.DecodeCursor(q.Cursor, q.Fingerprint(), after.values()...); err != nil {
			return projections.CustomerPage{}, err
		}
	}
	asked := projections.Words(q.Text)
	var found []projections.CustomerRow
	err = h.EachSum(ctx, projections.CustomerOrderSummary, func(sum projections.Sum) error {
		r, _ := sum.(projections.CustomerRow)
		r.TotalSpent = slices.Clone(r.TotalSpent)
		if q.Text == "" || begin(asked, projections.Words(r.ID)) {
			found = append(found, r)
		}
		return nil
	})
	if err != nil {
		return projections.CustomerPage{}, err
	}
	page := projections.CustomerPage{Total: min(len(found), projections.ExactTotal), TotalIsExact: len(found) <= projections.ExactTotal}
	by, descends := q.Sort.By()
	order := func(a, b place) int { return a.compare(b, descends, descends) }
	page.Rows, page.Next = cut(found, q.Limit, q.Cursor, after, q.Fingerprint(), order, func(r projections.CustomerRow) place {
		p := place{id: r.ID}
		switch by {
		case "customer":
			p.text = r.ID
		case "orders":
			p.number = int64(r.TotalOrders)
		default:
			p.number = r.LastOrderAt.UnixMicro()
		}
		return p
	})
	return page, nil
}

// Product is projections.Reader's.
func (h *rowsHandle) Product(ctx context.Context, sku string) (projections.ProductRow, error) {
	sums, err := h.Sums(ctx, projections.ProductSummary, sku)
	if err != nil {
		return projections.ProductRow{}, err
	}
	row, found := sums[sku].(projections.ProductRow)
	if !found {
		return row, fault.Errorf(fault.NotFound, "No order of this product has arrived.")
	}
	return unsharedProduct(row), nil
}

func unsharedProduct(r projections.ProductRow) projections.ProductRow {
	r.Value, r.Lasts = slices.Clone(r.Value), slices.Clone(r.Lasts)
	return r
}

// Products is projections.Reader's.
func (h *rowsHandle) Products(ctx context.Context, q projections.ProductQuery) (projections.ProductPage, error) {
	q, err := q.Checked()
	if err != nil {
		return projections.ProductPage{}, err
	}
	var after place
	if q.Cursor != "" {
		if err := projections.DecodeCursor(q.Cursor, q.Fingerprint(), after.values()...); err != nil {
			return projections.ProductPage{}, err
		}
	}
	asked := projections.Words(q.Text)
	var found []projections.ProductRow
	err = h.EachSum(ctx, projections.ProductSummary, func(sum projections.Sum) error {
		r, _ := sum.(projections.ProductRow)
		if q.Text == "" || begin(asked, slices.Concat(projections.Words(r.SKU), projections.Words(r.Last().Name))) {
			found = append(found, unsharedProduct(r))
		}
		return nil
	})
	if err != nil {
		return projections.ProductPage{}, err
	}
	page := projections.ProductPage{Total: min(len(found), projections.ExactTotal), TotalIsExact: len(found) <= projections.ExactTotal}
	by, descends := q.Sort.By()
	order := func(a, b place) int { return a.compare(b, descends, descends) }
	page.Rows, page.Next = cut(found, q.Limit, q.Cursor, after, q.Fingerprint(), order, func(r projections.ProductRow) place {
		p := place{id: r.SKU}
		switch by {
		case "sku":
			p.text = r.SKU
		case "name":
			p.text = r.Last().Name
		case "orders":
			p.number = int64(r.Orders)
		case "quantity":
			p.number = r.Quantity
		default:
			p.number = r.Last().At.UnixMicro()
		}
		return p
	})
	return page, nil
}

// Activity is projections.Reader's.
func (h *rowsHandle) Activity(ctx context.Context, q projections.ActivityQuery) (projections.ActivityPage, error) {
	q, err := q.Checked()
	if err != nil {
		return projections.ActivityPage{}, err
	}
	var at, version int64
	var id string
	if q.Cursor != "" {
		if err := projections.DecodeCursor(q.Cursor, q.Fingerprint(), &at, &id, &version); err != nil {
			return projections.ActivityPage{}, err
		}
	}
	newestFirst := func(a, b projections.Act) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.OrderID, b.OrderID), cmp.Compare(b.Version, a.Version))
	}
	last := projections.Act{OrderID: domain.OrderID(id), Version: int(version), At: time.UnixMicro(at)}
	var page projections.ActivityPage
	day := projections.DayKey(q.Who, q.Day)
	err = h.EachRow(ctx, projections.Activity, func(row projections.Row) error {
		r, _ := row.(projections.Contributed[projections.Act])
		for _, act := range r.Contributions {
			if act.Key() == day && (q.Cursor == "" || newestFirst(act, last) > 0) {
				page.Acts = append(page.Acts, act)
			}
		}
		return nil
	})
	if err != nil {
		return projections.ActivityPage{}, err
	}
	sums, err := h.Sums(ctx, projections.Activity, day)
	if err != nil {
		return projections.ActivityPage{}, err
	}
	if sum, found := sums[day].(projections.DayRow); found {
		page.ByType = maps.Clone(sum.ByType)
	}
	slices.SortFunc(page.Acts, newestFirst)
	page.Cut(q)
	return page, nil
}
