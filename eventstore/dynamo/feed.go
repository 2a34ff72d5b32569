package dynamo

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"headway/eventstore"
)

// The bounds of one page of the feed, beside its limit.
const (
	maxSwept   = 10_000 // keys that one page looks back over; the next page goes on
	auditPages = 16     // pages of the table that one page of the feed looks at; the next goes on
	auditPage  = 1000   // heads
)

// Feed is eventstore.Store's. A follower begins with a walk over the table of heads, strongly consistent, and then reads the index of
// moves, all slices as one sequence, up to TipDelay ago. An index shows entries late and out of order, and clocks differ, so every
// OverlapEvery the last OverlapWindow is read again, and what this follower acknowledged already is dropped: by asking for the page after a
// cursor it acknowledges what came before it. What came later than that, or never, is found by the audit: every AuditEvery the walk is done
// again for the orders that moved since the last.
//
// The cursor carries all of this, so a restart loses nothing; only what was delivered lately is remembered by the process alone, and
// delivered again after a restart. A cursor stays as it is while nothing moves.
func (s *Store) Feed(
	ctx context.Context, category string, part eventstore.Part, after eventstore.Cursor, limit int,
) ([]eventstore.Head, eventstore.Cursor, error) {
	bounded, leave, err := s.reading(ctx)
	if err != nil {
		return nil, "", err
	}
	defer leave()
	at := s.clock() // with a monotonic part, so that passes come in time although a clock is set
	now := at.UnixMicro()
	f := follower{
		store: s, category: category, part: part, clock: at, now: now, limit: pageSize(limit), at: map[eventstore.StreamID]int{},
	}
	if _, _, err := opened(oldFeedCursor, after); err == nil {
		after = "" // who has it walks once
	}
	if after == "" {
		settled := now - s.windows.OverlapWindow.Microseconds()
		f.place = feedPlace{position: momentKey(settled), settled: settled, auditing: now}
	} else if f.place, err = s.parseFeed(category, after); err != nil {
		return nil, "", err
	}
	began := f.place
	if after != "" {
		f.looked = s.deliveries.looked(f.place.page)
	}
	if err := f.recognise(bounded); err != nil {
		return nil, "", readFailed(ctx, err)
	}
	var failed error
	for _, step := range []func(context.Context) error{f.first, f.lookBack, f.tip, f.audit} {
		if err := step(bounded); err != nil {
			failed = err
		}
	}
	if failed != nil && len(f.heads) == 0 { // else what was read is news, and the next page fails, too, or does not
		return nil, "", readFailed(ctx, failed)
	}
	if after != "" && f.place == began && len(f.heads) == 0 {
		s.deliveries.look(began.page, at, f.looked)
		return nil, after, nil
	}
	f.place.page = rand.Uint64() //nolint:gosec // a name for a page is no secret
	s.deliveries.add(f.place.page, began.page, f.heads, at, f.looked, s.windows.OverlapWindow+2*s.windows.OverlapEvery)
	return f.heads, s.feedCursor(f.place), nil
}

// follower makes one page.
type follower struct {
	store    *Store
	category string
	part     eventstore.Part
	clock    time.Time
	now      int64 // the same in microseconds
	limit    int
	place    feedPlace
	heads    []eventstore.Head
	at       map[eventstore.StreamID]int // where in heads an order is
	known    map[eventstore.StreamID]int // versions this follower acknowledged; nil until it is needed
	looked
}

func (f *follower) full() bool { return len(f.heads) >= f.limit }

// deliver adds a head; an order that is there already is named once, at its newest.
func (f *follower) deliver(h eventstore.Head) {
	if i, twice := f.at[h.Stream]; twice {
		if f.heads[i].Version < h.Version {
			f.heads[i] = h
		}
		return
	}
	f.at[h.Stream] = len(f.heads)
	f.heads = append(f.heads, h)
	if h.At.After(f.place.last.At) {
		f.place.last = h
	}
}

// recognise finds out whether the log is that of the cursor: whether it still has the last event that the follower passed. It asks when the
// process has not looked at this cursor before, and as often as the feed looks back.
func (f *follower) recognise(ctx context.Context) error {
	last := f.place.last
	if last.Version == 0 || !f.back.IsZero() && f.clock.Sub(f.back) < f.store.windows.OverlapEvery {
		return nil
	}
	out, err := f.store.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: aws.String(f.store.events), ConsistentRead: aws.Bool(true), ProjectionExpression: aws.String("storedAt"),
		Key: item{aggregateID: text(last.Stream.Key()), version: number(int64(last.Version))},
	})
	if err != nil {
		return err
	}
	stored := fields{item: out.Item}
	if len(out.Item) == 0 || stored.number("storedAt") != last.At.UnixMicro() {
		return eventstore.OtherLog()
	}
	return nil
}

// isKnown tells whether the follower acknowledged this move or a later one of the same order.
func (f *follower) isKnown(h eventstore.Head) bool {
	if f.known == nil {
		f.known = f.store.deliveries.known(f.place.page)
	}
	return f.known[h.Stream] >= h.Version
}

// moves reads a range of the index of moves.
func (f *follower) moves(ctx context.Context, after, until string, want int, yield func(key string, h eventstore.Head) bool) error {
	r := keyRange{
		table: f.store.heads, index: feedIndex, hash: slice, sort: movedAt, after: after, until: until,
		partition: func(n int) types.AttributeValue { return number(sliceNumber(f.category, n)) }, part: f.part,
	}
	return f.store.merge(ctx, r, want, func(i item) (bool, error) {
		if !ofKey(f.category, i) { // a slice of another category may have the same number
			return true, nil
		}
		h, err := headIn(f.category, i)
		if err != nil {
			return false, err
		}
		return yield(moveKey(h.At.UnixMicro(), h.Stream), h), nil
	})
}

// first is the walk that a follower begins with.
func (f *follower) first(ctx context.Context) error {
	if f.place.audited > 0 || f.place.auditing == 0 {
		return nil
	}
	for f.place.auditing > 0 && !f.full() {
		if err := f.auditOnce(ctx, "", int32(f.limit-len(f.heads))); err != nil {
			return err
		}
	}
	return nil
}

// lookBack reads again what moved lately.
func (f *follower) lookBack(ctx context.Context) error {
	p, w := &f.place, f.store.windows
	if f.full() || p.swept == "" && f.clock.Sub(f.back) < w.OverlapEvery {
		return nil
	}
	fresh := p.swept == ""
	from, began := p.swept, p.sweeping
	if fresh {
		from, began = momentKey(p.settled), f.now
	}
	seen, more := 0, false
	err := f.moves(ctx, from, p.position, maxSwept/4, func(key string, h eventstore.Head) bool {
		if f.full() || seen == maxSwept {
			more = true
			return false
		}
		seen++
		from = key
		if !f.isKnown(h) {
			f.deliver(h)
		}
		return true
	})
	if err != nil {
		return err
	}
	if more {
		p.swept, p.sweeping = from, began
		return nil
	}
	f.back = f.clock
	p.swept, p.sweeping = "", 0
	if !fresh || seen > 0 { // else there was nothing to look back over, and the cursor may stay as it is
		p.settled = max(p.settled, began-w.OverlapWindow.Microseconds())
	}
	return nil
}

// tip reads what moved since the last page. Once it was read to its end, there is nothing to be had before TipDelay has passed again,
// however often a follower is nudged.
func (f *follower) tip(ctx context.Context) error {
	delay := f.store.windows.TipDelay
	if f.full() || f.clock.Sub(f.ahead) < delay {
		return nil
	}
	ended := true
	err := f.moves(ctx, f.place.position, momentKey(f.now-delay.Microseconds()), f.limit-len(f.heads), func(key string, h eventstore.Head) bool {
		if f.full() {
			ended = false
			return false
		}
		f.place.position = key
		if h.At.UnixMicro() > f.place.audited || !f.isKnown(h) { // an audit names what moved just before it
			f.deliver(h)
		}
		return true
	})
	if err == nil && ended {
		f.ahead = f.clock
	}
	return err
}

// audit finds in the table itself what the index never showed, a few pages at a time.
func (f *follower) audit(ctx context.Context) error {
	p := &f.place
	if p.auditing == 0 && f.now-p.audited >= f.store.windows.AuditEvery.Microseconds() {
		p.auditing, p.walked = f.now, ""
	}
	for range auditPages {
		if p.auditing == 0 || p.audited == 0 || f.full() {
			return nil
		}
		if err := f.auditOnce(ctx, momentKey(p.audited-f.store.late().Microseconds()), auditPage); err != nil {
			return err
		}
	}
	return nil
}

// late is how much older than an audit the moves may be that are committed after it looked: clocks differ, and an append takes its time.
func (s *Store) late() time.Duration { return s.windows.MaxSkew + AppendTimeout }

// auditOnce looks at one page of the table.
func (f *follower) auditOnce(ctx context.Context, since string, look int32) error {
	p := &f.place
	heads, next, err := f.store.scan(ctx, f.category, p.walked, since, look)
	if err != nil {
		return err
	}
	for _, h := range heads {
		if !f.part.Has(eventstore.SliceOf(h.Stream)) || f.isKnown(h) {
			continue
		}
		if f.full() {
			return nil // the next page goes on after the last one that was taken
		}
		f.deliver(h)
		p.walked = h.Stream.Key()
	}
	p.walked = next
	if next == "" {
		p.audited, p.auditing = p.auditing, 0
	}
	return nil
}
