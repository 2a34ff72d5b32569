// Package simulation is a world in memory for the seeded simulation of cmd/web: both stores, which keep the contracts of the real ones, the
// faults that befall them, and a page as a browser has it. Only tests import it.
package simulation

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"headway/eventstore"
	"headway/fault"
)

// Log is an event store in memory: the whole contract of eventstore.Store, and durable as long as the Log is. StoredAt strictly grows over
// all of it. Its feed names a move once and at once, unless Shown says otherwise.
type Log struct {
	// Shown, if it is set, says after which times the feed names a move: none of them may be negative, and there must be one. It is called
	// under the log's lock.
	Shown func() []time.Duration

	id        string // its identity
	mu        sync.Mutex
	records   []eventstore.Record            // in the order of storing
	streams   map[eventstore.StreamID][]int  // where in records each version is
	events    map[string]eventstore.StreamID // by event id
	snapshots map[eventstore.StreamID]eventstore.Snapshot
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
		id: uuid.NewString(), streams: map[eventstore.StreamID][]int{}, events: map[string]eventstore.StreamID{},
		snapshots: map[eventstore.StreamID]eventstore.Snapshot{},
	}
}

// LogStore is what a log is opened as.
type LogStore interface {
	eventstore.Store
	eventstore.Snapshots
}

// Copy is the same log as it is now, in another place: what it is after a backup of this moment was put back.
func (l *Log) Copy() *Log {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := NewLog()
	c.id, c.Shown = l.id, l.Shown
	c.records, c.feed, c.coming = slices.Clone(l.records), slices.Clone(l.feed), slices.Clone(l.coming)
	c.events, c.snapshots = maps.Clone(l.events), maps.Clone(l.snapshots)
	for id, at := range l.streams {
		c.streams[id] = slices.Clone(at)
	}
	return c
}

// Open is one more handle on the log, as another process has it. The clock says when its events are stored; nil means time.Now.
func (l *Log) Open(clock func() time.Time) LogStore {
	if clock == nil {
		clock = time.Now
	}
	return &logHandle{Log: l, clock: clock}
}

// Plant stores records behind the store's back, as they are: each the next version of its order, stored after all before it. Without a
// version or a time it is given those.
func (l *Log) Plant(records ...eventstore.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range records {
		r.Data = bytes.Clone(r.Data)
		if r.Version == 0 {
			r.Version = len(l.streams[r.Stream]) + 1
		}
		if n := len(l.records); r.StoredAt.IsZero() && n > 0 {
			r.StoredAt = l.records[n-1].StoredAt.Add(time.Microsecond)
		}
		l.add(r)
	}
}

// add is called under the lock.
func (l *Log) add(r eventstore.Record) {
	l.streams[r.Stream] = append(l.streams[r.Stream], len(l.records))
	l.records = append(l.records, r)
	if r.EventID != "" {
		l.events[r.EventID] = r.Stream
	}
	head := eventstore.Head{Stream: r.Stream, Version: r.Version, At: r.StoredAt}
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

var _ LogStore = (*logHandle)(nil)

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
	ctx context.Context, id eventstore.StreamID, expect int, m eventstore.Metadata, events ...eventstore.NewEvent,
) ([]eventstore.Record, error) {
	records, err := eventstore.Records(id, expect, m, events)
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
	if head+len(records) > eventstore.MaxStreamEvents {
		return nil, eventstore.StreamIsFull(head)
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

// repeat is the answer to a command whose stream is not where it expects: its own first result, if it has one.
func (l *Log) repeat(id eventstore.StreamID, expect int, m eventstore.Metadata) ([]eventstore.Record, error) {
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
func (l *Log) stream(id eventstore.StreamID, after int) []eventstore.Record {
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
		r.EventID = eventstore.HistoricEventID(r.Stream.Key(), r.Version)
	}
	return r
}

// head is the newest record of an order that exists, as a head.
func (l *Log) head(id eventstore.StreamID) eventstore.Head {
	all := l.streams[id]
	r := l.records[all[len(all)-1]]
	return eventstore.Head{Stream: id, Version: r.Version, At: r.StoredAt}
}

// Read is eventstore.Store's.
func (h *logHandle) Read(ctx context.Context, id eventstore.StreamID, after int) ([]eventstore.Record, error) {
	if err := h.enter(ctx); err != nil {
		return nil, err
	}
	defer h.mu.Unlock()
	return h.stream(id, after), nil
}

// Heads is eventstore.Store's.
func (h *logHandle) Heads(ctx context.Context, ids ...eventstore.StreamID) ([]eventstore.Head, error) {
	if err := h.enter(ctx); err != nil {
		return nil, err
	}
	defer h.mu.Unlock()
	var heads []eventstore.Head
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b eventstore.StreamID) int { return strings.Compare(a.Key(), b.Key()) })
	for _, id := range slices.Compact(ids) {
		if len(h.streams[id]) > 0 {
			heads = append(heads, h.head(id))
		}
	}
	return heads, nil
}

// ReadMany is eventstore.Store's.
func (h *logHandle) ReadMany(ctx context.Context, after []eventstore.Head, limit int) ([]eventstore.Record, error) {
	if err := h.enter(ctx); err != nil {
		return nil, err
	}
	defer h.mu.Unlock()
	var records []eventstore.Record
	for _, head := range after {
		records = append(records, h.stream(head.Stream, head.Version)...)
	}
	return records[:min(len(records), pageSize(limit))], nil
}

// Feed is eventstore.Store's.
func (h *logHandle) Feed(
	ctx context.Context, category string, part eventstore.Part, after eventstore.Cursor, limit int,
) ([]eventstore.Head, eventstore.Cursor, error) {
	at, err := h.numbers("f", after, 0, 0) // in the feed, and the mark of what was named last
	if err != nil {
		return nil, "", err
	}
	if err := h.enter(ctx); err != nil {
		return nil, "", err
	}
	defer h.mu.Unlock()
	h.show(time.Now())
	if at[0] > len(h.feed) || at[1] != h.mark(at[0]) {
		return nil, "", eventstore.OtherLog()
	}
	seen := map[eventstore.StreamID]int{}
	var heads []eventstore.Head
	for ; at[0] < len(h.feed) && len(heads) < pageSize(limit); at[0]++ {
		moved := h.feed[at[0]]
		if moved.Stream.Category != category || !part.Has(eventstore.SliceOf(moved.Stream)) {
			continue
		}
		i, again := seen[moved.Stream]
		switch {
		case !again:
			seen[moved.Stream] = len(heads)
			heads = append(heads, moved)
		case moved.Version > heads[i].Version:
			heads[i] = moved
		}
	}
	at[1] = h.mark(at[0])
	return heads, h.cursor("f", at...), nil
}

// mark tells what the feed named before a place from what it could have named there.
func (l *Log) mark(at int) int {
	if at == 0 {
		return 0
	}
	last := l.feed[at-1]
	return int(crc32.ChecksumIEEE(fmt.Append(nil, last.Stream, last.Version, last.At.UnixMicro())))
}

// Earlier is eventstore.Store's.
func (h *logHandle) Earlier(_ string, a, b eventstore.Cursor) (eventstore.Cursor, error) {
	first, err := h.numbers("f", a, 0, 0)
	if err != nil {
		return "", err
	}
	second, err := h.numbers("f", b, 0, 0)
	if err != nil {
		return "", err
	}
	if first[0] <= second[0] {
		return a, nil
	}
	return b, nil
}

// Walk is eventstore.Store's, oldest order first; those made after its start are not seen.
func (h *logHandle) Walk(
	ctx context.Context, category string, after eventstore.Cursor, limit int,
) ([]eventstore.Head, eventstore.Cursor, int, error) {
	at, err := h.numbers("w", after, 0, 0, 0) // in records, until where, the total
	if err != nil {
		return nil, "", 0, err
	}
	if err := h.enter(ctx); err != nil {
		return nil, "", 0, err
	}
	defer h.mu.Unlock()
	if after == "" {
		at[1] = len(h.records)
		for id := range h.streams {
			if id.Category == category {
				at[2]++
			}
		}
	}
	if at[1] > len(h.records) || at[0] > at[1] {
		return nil, "", 0, notOurs()
	}
	var heads []eventstore.Head
	for ; at[0] < at[1] && len(heads) < pageSize(limit); at[0]++ {
		if r := h.records[at[0]]; r.Version == 1 && r.Stream.Category == category {
			heads = append(heads, h.head(r.Stream))
		}
	}
	if at[0] >= at[1] {
		return heads, "", at[2], nil
	}
	return heads, h.cursor("w", at...), at[2], nil
}

// ByType is eventstore.Store's.
func (h *logHandle) ByType(
	ctx context.Context, category, eventType string, before eventstore.Cursor, limit int,
) ([]eventstore.Record, eventstore.Cursor, error) {
	return h.backwards(ctx, "t", before, limit, func(r eventstore.Record) bool {
		return r.Stream.Category == category && (eventType == "" || r.EventType == eventType)
	})
}

// ByCorrelation is eventstore.Store's.
func (h *logHandle) ByCorrelation(
	ctx context.Context, category, id string, before eventstore.Cursor, limit int,
) ([]eventstore.Record, eventstore.Cursor, error) {
	return h.backwards(ctx, "c", before, limit, func(r eventstore.Record) bool {
		return r.Stream.Category == category && r.Metadata.CorrelationID == id
	})
}

// backwards is a page of those records that match, newest first.
func (h *logHandle) backwards(
	ctx context.Context, kind string, before eventstore.Cursor, limit int, matches func(eventstore.Record) bool,
) ([]eventstore.Record, eventstore.Cursor, error) {
	at, err := h.numbers(kind, before, -1)
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
			return records, h.cursor(kind, i+1), nil
		}
		records = append(records, copied(h.records[i]))
	}
	return records, "", nil
}

// LoadSnapshot is eventstore.Snapshots'.
func (h *logHandle) LoadSnapshot(ctx context.Context, id eventstore.StreamID) (eventstore.Snapshot, error) {
	if err := h.enter(ctx); err != nil {
		return eventstore.Snapshot{}, err
	}
	defer h.mu.Unlock()
	s := h.snapshots[id]
	s.Data = bytes.Clone(s.Data)
	return s, nil
}

// SaveSnapshot is eventstore.Snapshots'.
func (h *logHandle) SaveSnapshot(ctx context.Context, s eventstore.Snapshot, invalid int) error {
	if len(s.Data) > eventstore.MaxSnapshotBytes {
		return eventstore.SnapshotTooLarge(s)
	}
	if err := h.enter(ctx); err != nil {
		return err
	}
	defer h.mu.Unlock()
	if kept := h.snapshots[s.Stream]; kept.Version > s.Version && kept.Version != invalid {
		return nil
	}
	s.Data = bytes.Clone(s.Data)
	h.snapshots[s.Stream] = s
	return nil
}

func pageSize(limit int) int {
	if limit <= 0 {
		return eventstore.MaxPage
	}
	return min(limit, eventstore.MaxPage)
}

// cursor is a place of numbers in a listing of the log.
func (l *Log) cursor(kind string, at ...int) eventstore.Cursor { return cursorOf(kind, l.id, at) }

func cursorOf(kind, log string, at []int) eventstore.Cursor {
	parts := []string{kind, log}
	for _, n := range at {
		parts = append(parts, strconv.Itoa(n))
	}
	return eventstore.Cursor(strings.Join(parts, "."))
}

// numbers reads what cursor wrote; an empty cursor is the start.
func (l *Log) numbers(kind string, c eventstore.Cursor, start ...int) ([]int, error) {
	if c == "" {
		return start, nil
	}
	parts := strings.Split(string(c), ".")
	if len(parts) != len(start)+2 {
		return nil, notOurs()
	}
	at := make([]int, len(start))
	for i, text := range parts[2:] {
		if _, err := fmt.Sscan(text, &at[i]); err != nil || at[i] < 0 {
			return nil, notOurs()
		}
	}
	switch {
	case parts[0] != kind || cursorOf(kind, parts[1], at) != c:
		return nil, notOurs()
	case parts[1] != l.id:
		return nil, eventstore.OtherLog()
	}
	return at, nil
}

func notOurs() error {
	return fault.MalformedField("cursor", "This place in the list is not one that this store gave out.")
}
