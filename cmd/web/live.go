package main

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"

	"github.com/a-h/templ"

	"headway/cmd/web/internal/wire"
	"headway/domain"
	"headway/eventstore"
	"headway/live"
	"headway/orders"
	"headway/projections"
	"headway/views"
)

// The bounds of the bridge.
const (
	maxKnownHeads = 10_000 // newest heads it remembers; beyond, it forgets them all, which costs nothing but a repeated frame
	maxNewRows    = 10_000 // rows that wait to be rendered; of one more, pages are told only that there was news
)

// bridge brings what is stored and what is projected to the sockets. The projector never waits for it: rows are kept, the newest of each
// order, until run renders them.
type bridge struct {
	s    *server
	wake chan struct{}
	news atomic.Bool // something moved or arrived since the states were last looked at

	mu    sync.Mutex
	heads map[domain.OrderID]int
	moves map[domain.OrderID]bool // orders that have moved and are not shown yet
	rows  map[rowKey]projections.Row
	order []rowKey // of rows, oldest first
	last  int      // moment
}

type rowKey struct {
	projection string
	order      domain.OrderID
}

func newBridge(s *server) *bridge {
	return &bridge{
		s: s, wake: make(chan struct{}, 1), heads: map[domain.OrderID]int{}, moves: map[domain.OrderID]bool{}, rows: map[rowKey]projections.Row{},
	}
}

// announcing is the event store of a running server: each append wakes the projector and tells the sockets that the order has moved.
type announcing struct {
	eventstore.Store
	appended func(eventstore.Record)
}

func (a announcing) Append(
	ctx context.Context, id eventstore.StreamID, expect int, m eventstore.Metadata, events ...eventstore.NewEvent,
) ([]eventstore.Record, error) {
	records, err := a.Store.Append(ctx, id, expect, m, events...)
	if err == nil && len(records) > 0 && id.Category == orders.Category {
		a.appended(records[len(records)-1])
	}
	return records, err
}

type headFrame struct {
	Type    string         `json:"type"`
	ID      domain.OrderID `json:"id"`
	Version int            `json:"version"`
	At      *string        `json:"at"`
}

type rowFrame struct {
	Type       string          `json:"type"`
	Projection string          `json:"projection"`
	ID         string          `json:"id"`
	Version    int64           `json:"version"`
	Head       int             `json:"head"`
	HTML       string          `json:"html"`
	Actions    *domain.Actions `json:"actions,omitempty"`
}

type projectionFrame struct {
	Type   string   `json:"type"`
	ID     string   `json:"id"`
	State  string   `json:"state"`
	Stamp  string   `json:"stamp"`
	Share  float64  `json:"share"`
	Lag    wire.Lag `json:"lag"`
	Reason string   `json:"reason"`
	HTML   string   `json:"html"`
}

// moved tells that an order's head is now at least this. It is told by the append and again by the feed, which also knows what other
// processes stored; a head that is known says nothing.
func (b *bridge) moved(h eventstore.Head) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.heads[orders.IDOf(h.Stream)] >= h.Version {
		return
	}
	if len(b.heads) >= maxKnownHeads {
		clear(b.heads)
	}
	b.heads[orders.IDOf(h.Stream)] = h.Version
	b.news.Store(true)
	id := string(orders.IDOf(h.Stream))
	b.publish([]string{"orders", "order:" + id}, "head/"+id, func() any {
		return headFrame{"head", orders.IDOf(h.Stream), h.Version, wire.Time(h.At)}
	})
	if len(b.moves) >= maxNewRows {
		b.s.hub.Publish(live.Message{Topics: []string{"order:" + id}, Key: "row/order/" + id})
		return
	}
	b.moves[orders.IDOf(h.Stream)] = true // the order page needs no projection: it follows while the read store is away
	b.stir()
}

// held tells pages to read themselves again: the order's version is what it was, but its stamp says why from now on.
func (b *bridge) held(h projections.Hold) {
	b.news.Store(true)
	id := string(h.OrderID)
	b.s.hub.Publish(live.Message{Topics: []string{"orders", "customers", "order:" + id, "projections"}, Key: "hold/" + id})
}

func (b *bridge) stir() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *bridge) headOf(id domain.OrderID, atLeast int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(b.heads[id], atLeast)
}

// publish makes a body only if somebody watches; otherwise the hub learns that there was news.
func (b *bridge) publish(topics []string, key string, body func() any) {
	m := live.Message{Topics: topics, Key: key}
	for _, topic := range topics {
		if !b.s.hub.Watched(topic) {
			continue
		}
		data, err := json.Marshal(body())
		if err != nil {
			b.s.log.Error("frame not encoded", "key", key, "error", err)
		}
		m.Body = data
		break
	}
	b.s.hub.Publish(m)
}

func (b *bridge) movedAll(heads []eventstore.Head) {
	for _, h := range heads {
		b.moved(h)
	}
}

// arrived keeps the rows that a projection has written, for run. It never blocks.
func (b *bridge) arrived(projection string, rows []projections.Row) {
	b.news.Store(true)
	b.mu.Lock()
	for _, row := range rows {
		key := rowKey{projection, row.Order()}
		if _, waiting := b.rows[key]; !waiting {
			if len(b.order) >= maxNewRows {
				id := string(row.Order())
				b.s.hub.Publish(live.Message{Topics: []string{"orders", "customers", "order:" + id}, Key: "row/" + projection + "/" + id})
				continue
			}
			b.order = append(b.order, key)
		}
		b.rows[key] = row
	}
	b.mu.Unlock()
	b.stir()
}

// run renders and publishes rows as they arrive, until ctx ends.
func (b *bridge) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.wake:
			b.flush(ctx)
		}
	}
}

func (b *bridge) flush(ctx context.Context) {
	b.mu.Lock()
	moves, rows, order := b.moves, b.rows, b.order
	b.moves, b.rows, b.order = map[domain.OrderID]bool{}, map[rowKey]projections.Row{}, nil
	b.mu.Unlock()
	for _, key := range order {
		b.row(ctx, key.projection, rows[key])
		moves[key.order] = true // its timeline says when the row arrived
	}
	for id := range moves {
		b.orderFragment(ctx, id)
	}
}

func (b *bridge) row(ctx context.Context, projection string, row projections.Row) {
	id, version := row.Order(), row.At()
	topic := "order:" + string(id)
	switch row := row.(type) {
	case projections.OrderRow:
		head := b.headOf(id, version)
		b.publish([]string{"orders", topic}, "row/order_list/"+string(id), func() any {
			stamp := projections.Stamp{Version: version, Head: head, State: projections.StampCurrent}
			if head > version {
				stamp.State, stamp.Behind.Events = projections.StampBehind, head-version
			}
			return rowFrame{"row", projection, string(id), int64(version), head,
				b.render(ctx, views.OrderRowLive(views.OrderRow{Row: row, Stamp: stamp, Zone: b.s.zone})), nil}
		})
	case projections.Contribution:
		// For the receipts of this order; nothing on a page has this id in this projection.
		b.publish([]string{topic}, "row/customer_order_summary/"+string(id), func() any {
			return rowFrame{"row", projection, string(id), int64(version), b.headOf(id, version), "", nil}
		})
		b.customerRow(ctx, row.CustomerID)
	}
}

// orderFragment tells those who look at the order what it is now.
func (b *bridge) orderFragment(ctx context.Context, id domain.OrderID) {
	topic, key := "order:"+string(id), "row/order/"+string(id)
	if !b.s.hub.Watched(topic) {
		b.s.hub.Publish(live.Message{Topics: []string{topic}, Key: key})
		return
	}
	stream, err := b.s.commands.Load(ctx, id)
	if err != nil {
		b.s.log.Warn("order not shown live", "order", id, "error", err)
		b.s.hub.Publish(live.Message{Topics: []string{topic}, Key: key}) // pages fetch it themselves
		return
	}
	actions := actionsOf(stream)
	b.publish([]string{topic}, key, func() any {
		return rowFrame{"row", "order", string(id), int64(stream.Head()), stream.Head(), b.render(ctx, views.OrderBodyLive(b.s.body(stream))), &actions}
	})
}

// moment stands for the version that a customer's row has not: microseconds by this process's clock, each later than the one before. A row that is read
// after the moment was taken has everything that was written before it.
func (b *bridge) moment() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = max(b.last+1, int(b.s.clock().UnixMicro()))
	return b.last
}

// customerRow tells the lists of customers.
func (b *bridge) customerRow(ctx context.Context, customer string) {
	topics, key := []string{"customers"}, "row/customer/"+customer
	if !b.s.hub.Watched("customers") {
		b.s.hub.Publish(live.Message{Topics: topics, Key: key})
		return
	}
	version := b.moment()
	row, err := b.s.read.Customer(ctx, customer)
	if err != nil {
		b.s.hub.Publish(live.Message{Topics: topics, Key: key})
		return
	}
	b.publish(topics, key, func() any {
		return rowFrame{"row", projections.CustomerOrderSummary, customer, int64(version), version,
			b.render(ctx, views.CustomerRowLive(views.CustomerRow{Row: row, Version: version, Head: version, Zone: b.s.zone})), nil}
	})
}

// state tells what a projection does now.
func (b *bridge) state(ctx context.Context, c views.ProjectionCard) {
	b.publish([]string{"projections"}, "projection/"+c.Name, func() any {
		return projectionFrame{"projection", c.Name, string(c.State), string(c.Stamp.State), c.Share, wire.LagOf(c.Lag), c.Reason,
			b.render(ctx, views.ProjectionCardLive(c))}
	})
}

func (b *bridge) render(ctx context.Context, c templ.Component) string {
	var out bytes.Buffer
	if err := c.Render(ctx, &out); err != nil {
		b.s.log.Error("fragment not rendered", "error", err)
		return ""
	}
	return out.String()
}
