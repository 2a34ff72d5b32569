// Package simulation is a world in memory for the seeded simulation of cmd/web: both stores, which keep the contracts of the real ones, the
// faults that befall them, and a page as a browser has it. Only tests import it.
package simulation

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
)

// Log is an event store in memory: the whole contract of eventstore.Store, and durable as long as the Log is. StoredAt strictly grows over all
// of it. Its feed names a move once and at once, unless Shown says otherwise.
type Log struct {
	// Shown, if it is set, says after which times the feed names a move: none of them may be negative, and there must be one. It is called
	// under the log's lock.
	Shown func() []time.Duration

	mu        sync.Mutex
	records   []eventstore.Record       // in the order of storing
	streams   map[domain.OrderID][]int  // where in records each version is
	events    map[string]domain.OrderID // by event id
	snapshots map[domain.OrderID]eventstore.Snapshot
	feed      []eventstore.Head // as far as it is shown; a cursor is a place in it
	coming    []showing         // what it will show
}

// showing is a move that the feed will name at a time.
type showing struct {
	head eventstore.Head
	at   time.Time
}

// NewLog is an empty log.
func NewLog() *Log {
	return &Log{
		streams: map[domain.OrderID][]int{}, events: map[string]domain.OrderID{}, snapshots: map[domain.OrderID]eventstore.Snapshot{},
	}
}

// Open is one more handle on the log, as another process has it. The clock says when its events are stored; nil means time.Now.
func (l *Log) Open(clock func() time.Time) eventstore.Store {
	if clock == nil {
		clock = time.Now
	}
	return &logHandle{Log: l, clock: clock}
}

// Plant stores records behind the store's back, as they are: each the next version of its order, stored after all before it. Without a version or
// a time it is given those.
func (l *Log) Plant(records ...eventstore.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range records {
		r.Data = bytes.Clone(r.Data)
		if r.Version == 0 {
			r.Version = len(l.streams[r.OrderID]) + 1
		}
		if n := len(l.records); r.StoredAt.IsZero() && n > 0 {
			r.StoredAt = l.records[n-1].StoredAt.Add(time.Microsecond)
		}
		l.add(r)
	}
}

// add is called under the lock.
func (l *Log) add(r eventstore.Record) {
	l.streams[r.OrderID] = append(l.streams[r.OrderID], len(l.records))
	l.records = append(l.records, r)
	if r.EventID != "" {
		l.events[r.EventID] = r.OrderID
	}
	head := eventstore.Head{OrderID: r.OrderID, Version: r.Version, At: r.StoredAt}
	if l.Shown == nil {
		l.feed = append(l.feed, head)
		return
	}
	for _, after := range l.Shown() {
		l.coming = append(l.coming, showing{head, time.Now().Add(after)})
	}
}

// show moves what is due into the feed.
func (l *Log) show(now time.Time) {
	due := slices.DeleteFunc(slices.Clone(l.coming), func(s showing) bool { return s.at.After(now) })
	l.coming = slices.DeleteFunc(l.coming, func(s showing) bool { return !s.at.After(now) })
	slices.SortStableFunc(due, func(a, b showing) int { return a.at.Compare(b.at) })
	for _, s := range due {
		l.feed = append(l.feed, s.head)
	}
}

// logHandle is a Log as one process has it.
type logHandle struct {
	*Log
	clock  func() time.Time
	closed bool // guarded by the log's lock
}

var _ eventstore.Store = (*logHandle)(nil)

// enter takes the lock, if the handle is open and the context has not ended; leaving is the caller's.
func (h *logHandle) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return fault.Errorf(fault.Unavailable, "The event store is closed.")
	}
	return nil
}

// Close is eventstore.Store's.
func (h *logHandle) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	return nil
}

// Append is eventstore.Store's.
func (h *logHandle) Append(
	ctx context.Context, id domain.OrderID, expect int, m eventstore.Metadata, events ...domain.Event,
) ([]eventstore.Record, error) {
	records, err := encoded(id, expect, m, events)
	if err != nil {
		return nil, err
	}
	if err := h.enter(ctx); err != nil {
		return nil, err
	}
	defer h.mu.Unlock()
	head := len(h.streams[id])
	if head != expect {
		return h.repeat(id, expect, records[0].Metadata)
	}
	if head+len(records) > domain.MaxOrderEvents {
		return nil, fault.Errorf(fault.TooLarge, "An order can have at most %d events; this one has %d.", domain.MaxOrderEvents, head)
	}
	for _, r := range records {
		switch holder, used := h.events[r.EventID]; {
		case used && holder == id:
			return h.repeat(id, expect, r.Metadata)
		case used:
			return nil, eventstore.OtherContent()
		}
	}
	now := h.clock().UTC().Truncate(time.Microsecond)
	for i := range records {
		stored := now
		if n := len(h.records); n > 0 && !stored.After(h.records[n-1].StoredAt) {
			stored = h.records[n-1].StoredAt.Add(time.Microsecond)
		}
		records[i].StoredAt = stored
		kept := records[i]
		kept.Data = bytes.Clone(kept.Data)
		h.add(kept)
	}
	return records, nil
}

// encoded are the records of a command, as far as they can be made before it is stored.
func encoded(id domain.OrderID, expect int, m eventstore.Metadata, events []domain.Event) ([]eventstore.Record, error) {
	switch {
	case m.CausationID == "" || len(events) == 0:
		return nil, fault.Errorf(fault.Internal, "An append needs the id of its command, and an event.")
	case len(events) > eventstore.MaxAppend:
		return nil, fault.Errorf(fault.TooLarge, "One command can store at most %d events, not %d.", eventstore.MaxAppend, len(events))
	}
	m.Timestamp = m.Timestamp.UTC().Truncate(time.Microsecond)
	var records []eventstore.Record
	for i, event := range events {
		eventType, data, err := domain.Codec{}.Encode(event)
		if err != nil {
			return nil, err
		}
		if len(data) > domain.MaxEventBytes {
			return nil, fault.Errorf(fault.TooLarge, "One event can hold at most %d KiB.", domain.MaxEventBytes>>10)
		}
		records = append(records, eventstore.Record{
			EventID: eventstore.EventID(m.CausationID, i), OrderID: id, Version: expect + i + 1, EventType: eventType,
			SchemaVersion: domain.SchemaVersion, Data: data, Metadata: m,
		})
	}
	return records, nil
}

// repeat is the answer to a command whose stream is not where it expects: its own first result, if it has one.
func (l *Log) repeat(id domain.OrderID, expect int, m eventstore.Metadata) ([]eventstore.Record, error) {
	var mine []eventstore.Record
	for _, r := range l.stream(id, 0) {
		if r.Metadata.CausationID == m.CausationID {
			mine = append(mine, r)
		}
	}
	switch {
	case len(mine) == 0:
		return nil, eventstore.MovedOn(expect, len(l.streams[id]))
	case mine[0].Metadata.CommandHash != m.CommandHash:
		return nil, eventstore.OtherContent()
	}
	return mine, nil
}

// stream copies an order's records after a version.
func (l *Log) stream(id domain.OrderID, after int) []eventstore.Record {
	var records []eventstore.Record
	all := l.streams[id]
	for _, i := range all[min(max(after, 0), len(all)):] {
		records = append(records, copied(l.records[i]))
	}
	return records
}

func copied(r eventstore.Record) eventstore.Record {
	r.Data = bytes.Clone(r.Data)
	if r.EventID == "" {
		r.EventID = domain.HistoricEventID(r.OrderID, r.Version)
	}
	return r
}

// head is the newest record of an order that exists, as a head.
func (l *Log) head(id domain.OrderID) eventstore.Head {
	all := l.streams[id]
	r := l.records[all[len(all)-1]]
	return eventstore.Head{OrderID: id, Version: r.Version, At: r.StoredAt}
}

// Read is eventstore.Store's.
func (h *logHandle) Read(ctx context.Context, id domain.OrderID, after int) ([]eventstore.Record, error) {
	if err := h.enter(ctx); err != nil {
		return nil, err
	}
	defer h.mu.Unlock()
	return h.stream(id, after), nil
}

// Heads is eventstore.Store's.
func (h *logHandle) Heads(ctx context.Context, ids ...domain.OrderID) ([]eventstore.Head, error) {
	if err := h.enter(ctx); err != nil {
		return nil, err
	}
	defer h.mu.Unlock()
	var heads []eventstore.Head
	ids = slices.Clone(ids)
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		if len(h.streams[id]) > 0 {
			heads = append(heads, h.head(id))
		}
	}
	return heads, nil
}

// Moved is eventstore.Store's.
func (h *logHandle) Moved(ctx context.Context, after eventstore.Cursor, limit int) ([]eventstore.Head, eventstore.Cursor, error) {
	at, err := numbers("f1.", after, 0)
	if err != nil {
		return nil, "", err
	}
	if err := h.enter(ctx); err != nil {
		return nil, "", err
	}
	defer h.mu.Unlock()
	h.show(time.Now())
	if at[0] > len(h.feed) {
		return nil, "", notOurs()
	}
	page := h.feed[at[0]:min(at[0]+pageSize(limit), len(h.feed))]
	seen := map[domain.OrderID]int{}
	var heads []eventstore.Head
	for _, moved := range page {
		i, again := seen[moved.OrderID]
		switch {
		case !again:
			seen[moved.OrderID] = len(heads)
			heads = append(heads, moved)
		case moved.Version > heads[i].Version:
			heads[i] = moved
		}
	}
	return heads, cursor("f1.", at[0]+len(page)), nil
}

// Walk is eventstore.Store's, oldest order first; those made after its start are not seen.
func (h *logHandle) Walk(ctx context.Context, after eventstore.Cursor, limit int) ([]eventstore.Head, eventstore.Cursor, int, error) {
	at, err := numbers("w1.", after, 0, 0, 0) // in records, until where, the total
	if err != nil {
		return nil, "", 0, err
	}
	if err := h.enter(ctx); err != nil {
		return nil, "", 0, err
	}
	defer h.mu.Unlock()
	if after == "" {
		at[1], at[2] = len(h.records), len(h.streams)
	}
	if at[1] > len(h.records) || at[0] > at[1] {
		return nil, "", 0, notOurs()
	}
	var heads []eventstore.Head
	for ; at[0] < at[1] && len(heads) < pageSize(limit); at[0]++ {
		if r := h.records[at[0]]; r.Version == 1 {
			heads = append(heads, h.head(r.OrderID))
		}
	}
	if at[0] >= at[1] {
		return heads, "", at[2], nil
	}
	return heads, cursor("w1.", at...), at[2], nil
}

// ByType is eventstore.Store's.
func (h *logHandle) ByType(
	ctx context.Context, eventType string, before eventstore.Cursor, limit int,
) ([]eventstore.Record, eventstore.Cursor, error) {
	return h.backwards(ctx, "t1.", before, limit, func(r eventstore.Record) bool { return eventType == "" || r.EventType == eventType })
}

// ByCorrelation is eventstore.Store's.
func (h *logHandle) ByCorrelation(
	ctx context.Context, id string, before eventstore.Cursor, limit int,
) ([]eventstore.Record, eventstore.Cursor, error) {
	return h.backwards(ctx, "c1.", before, limit, func(r eventstore.Record) bool { return r.Metadata.CorrelationID == id })
}

// backwards is a page of those records that match, newest first.
func (h *logHandle) backwards(
	ctx context.Context, kind string, before eventstore.Cursor, limit int, matches func(eventstore.Record) bool,
) ([]eventstore.Record, eventstore.Cursor, error) {
	at, err := numbers(kind, before, -1)
	if err != nil {
		return nil, "", err
	}
	if err := h.enter(ctx); err != nil {
		return nil, "", err
	}
	defer h.mu.Unlock()
	if at[0] < 0 {
		at[0] = len(h.records)
	}
	var records []eventstore.Record
	for i := min(at[0], len(h.records)) - 1; i >= 0; i-- {
		if !matches(h.records[i]) {
			continue
		}
		if len(records) == pageSize(limit) {
			return records, cursor(kind, i+1), nil
		}
		records = append(records, copied(h.records[i]))
	}
	return records, "", nil
}

// LoadSnapshot is eventstore.Store's.
func (h *logHandle) LoadSnapshot(ctx context.Context, id domain.OrderID) (eventstore.Snapshot, error) {
	if err := h.enter(ctx); err != nil {
		return eventstore.Snapshot{}, err
	}
	defer h.mu.Unlock()
	s := h.snapshots[id]
	s.Data = bytes.Clone(s.Data)
	return s, nil
}

// SaveSnapshot is eventstore.Store's.
func (h *logHandle) SaveSnapshot(ctx context.Context, s eventstore.Snapshot, useless int) error {
	if len(s.Data) > eventstore.MaxSnapshotBytes {
		return eventstore.SnapshotTooLarge(s)
	}
	if err := h.enter(ctx); err != nil {
		return err
	}
	defer h.mu.Unlock()
	if kept := h.snapshots[s.OrderID]; kept.Version > s.Version && kept.Version != useless {
		return nil
	}
	s.Data = bytes.Clone(s.Data)
	h.snapshots[s.OrderID] = s
	return nil
}

func pageSize(limit int) int {
	if limit <= 0 {
		return eventstore.MaxPage
	}
	return min(limit, eventstore.MaxPage)
}

// cursor is a place of numbers in a listing.
func cursor(kind string, at ...int) eventstore.Cursor {
	texts := make([]string, len(at))
	for i, n := range at {
		texts[i] = strconv.Itoa(n)
	}
	return eventstore.Cursor(kind + strings.Join(texts, "."))
}

// numbers reads what cursor wrote; an empty cursor is the start.
func numbers(kind string, c eventstore.Cursor, start ...int) ([]int, error) {
	if c == "" {
		return start, nil
	}
	texts := strings.Split(strings.TrimPrefix(string(c), kind), ".")
	at := make([]int, len(texts))
	for i, text := range texts {
		if _, err := fmt.Sscan(text, &at[i]); err != nil || at[i] < 0 {
			return nil, notOurs()
		}
	}
	if len(at) != len(start) || cursor(kind, at...) != c {
		return nil, notOurs()
	}
	return at, nil
}

func notOurs() error {
	return fault.MalformedField("cursor", "This place in the list is not one that this store gave out.")
}
