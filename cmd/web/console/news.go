package console

import (
	"encoding/json"
	"log/slog"
	"sync"
	"sync/atomic"

	"headway/cmd/web/console/wire"
	"headway/domain"
	"headway/eventstore"
	"headway/live"
	"headway/orders"
	"headway/projections"
)

// The bounds of the news.
const (
	maxKnownHeads = 10_000 // newest heads that are remembered; beyond, all are forgotten, which costs nothing but a repeated frame
	maxNewRows    = 10_000 // rows that wait to be rendered; of one more, pages are told only that there was news
)

// news is what was stored and projected and is not shown yet. Whoever brings it never waits: rows are kept, the newest of each order, until
// the publisher takes them.
type news struct {
	hub     *live.Hub
	log     *slog.Logger
	wake    chan struct{}
	stirred atomic.Bool // something moved or arrived since the states were last looked at

	mu    sync.Mutex
	heads map[domain.OrderID]int
	moves map[domain.OrderID]bool // orders that have moved and are not shown yet
	rows  map[rowKey]projections.Row
	order []rowKey // of rows, oldest first
}

type rowKey struct {
	projection string
	order      domain.OrderID
}

func newNews(hub *live.Hub, log *slog.Logger) *news {
	return &news{
		hub: hub, log: log, wake: make(chan struct{}, 1),
		heads: map[domain.OrderID]int{}, moves: map[domain.OrderID]bool{}, rows: map[rowKey]projections.Row{},
	}
}

type headFrame struct {
	Type    string         `json:"type"`
	ID      domain.OrderID `json:"id"`
	Version int            `json:"version"`
	At      *string        `json:"at"`
}

// moved tells that an order's head is now at least this. It is told by the append and again by the feed, which also knows what other
// processes stored; a head that is known says nothing.
func (n *news) moved(h eventstore.Head) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.heads[orders.IDOf(h.Stream)] >= h.Version {
		return
	}
	if len(n.heads) >= maxKnownHeads {
		clear(n.heads)
	}
	n.heads[orders.IDOf(h.Stream)] = h.Version
	n.stirred.Store(true)
	id := string(orders.IDOf(h.Stream))
	n.publish([]string{"orders", "order:" + id}, "head/"+id, func() any {
		return headFrame{"head", orders.IDOf(h.Stream), h.Version, wire.Time(h.At)}
	})
	if len(n.moves) >= maxNewRows {
		n.hub.Publish(live.Message{Topics: []string{"order:" + id}, Key: "row/order/" + id})
		return
	}
	n.moves[orders.IDOf(h.Stream)] = true // the order page needs no projection: it follows while the read store is away
	n.stir()
}

// held tells pages to read themselves again: the order's version is what it was, but its stamp says why from now on.
func (n *news) held(h projections.Hold) {
	n.stirred.Store(true)
	id := string(h.OrderID)
	n.hub.Publish(live.Message{Topics: []string{"orders", "customers", "order:" + id, "projections"}, Key: "hold/" + id})
}

func (n *news) stir() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

func (n *news) headOf(id domain.OrderID, atLeast int) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return max(n.heads[id], atLeast)
}

// publish makes a body only if somebody watches; otherwise the hub learns that there was news.
func (n *news) publish(topics []string, key string, body func() any) {
	m := live.Message{Topics: topics, Key: key}
	for _, topic := range topics {
		if !n.hub.Watched(topic) {
			continue
		}
		data, err := json.Marshal(body())
		if err != nil {
			n.log.Error("frame not encoded", "key", key, "error", err)
		}
		m.Body = data
		break
	}
	n.hub.Publish(m)
}

func (n *news) movedAll(heads []eventstore.Head) {
	for _, h := range heads {
		n.moved(h)
	}
}

// arrived keeps the rows that a projection has written, for run. It never blocks.
func (n *news) arrived(projection string, rows []projections.Row) {
	n.stirred.Store(true)
	n.mu.Lock()
	for _, row := range rows {
		key := rowKey{projection, row.Order()}
		if _, waiting := n.rows[key]; !waiting {
			if len(n.order) >= maxNewRows {
				id := string(row.Order())
				n.hub.Publish(live.Message{Topics: []string{"orders", "customers", "order:" + id}, Key: "row/" + projection + "/" + id})
				continue
			}
			n.order = append(n.order, key)
		}
		n.rows[key] = row
	}
	n.mu.Unlock()
	n.stir()
}

// take hands over what waits to be shown: the orders that have moved, and the rows, oldest first.
func (n *news) take() (moves map[domain.OrderID]bool, rows map[rowKey]projections.Row, order []rowKey) {
	n.mu.Lock()
	defer n.mu.Unlock()
	moves, rows, order = n.moves, n.rows, n.order
	n.moves, n.rows, n.order = map[domain.OrderID]bool{}, map[rowKey]projections.Row{}, nil
	return moves, rows, order
}
