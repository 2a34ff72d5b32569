package console

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/a-h/templ"

	"headway/cmd/web/console/wire"
	"headway/domain"
	"headway/live"
	"headway/orders"
	"headway/projections"
	"headway/views"
)

// How often the sockets are told what the projections do, if that has changed: while orders move or something is amiss, and while nothing
// happens. A look costs a distributed log some requests, so none is made while nobody follows.
const (
	stateGap = 500 * time.Millisecond
	quietGap = 2 * time.Second
)

// publisher renders the news and the states of the projections once, for all sockets that follow them.
type publisher struct {
	news      *news
	hub       *live.Hub
	commands  orders.Handler
	read      projections.Reader
	timeline  timeline
	freshness *freshness
	sequence  *rowSequence
	zone      *time.Location
	clock     func() time.Time
	log       *slog.Logger
}

type rowFrame struct {
	Type       string            `json:"type"`
	Projection string            `json:"projection"`
	ID         string            `json:"id"`
	Version    int64             `json:"version"`
	Head       int               `json:"head"`
	HTML       string            `json:"html"`
	Actions    wire.FrameActions `json:"actions,omitempty"`
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

// run renders and publishes rows as they arrive, until ctx ends.
func (p *publisher) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.news.wake:
			p.flush(ctx)
		}
	}
}

func (p *publisher) flush(ctx context.Context) {
	moves, rows, order := p.news.take()
	for _, key := range order {
		p.row(ctx, key.projection, rows[key])
		moves[key.order] = true // its timeline says when the row arrived
	}
	for id := range moves {
		p.orderFragment(ctx, id)
	}
}

func (p *publisher) row(ctx context.Context, projection string, row projections.Row) {
	id, version := row.Order(), row.At()
	topic := "order:" + string(id)
	switch row := row.(type) {
	case projections.OrderRow:
		head := p.news.headOf(id, version)
		p.news.publish([]string{"orders", topic}, "row/"+projection+"/"+string(id), func() any {
			stamp := projections.Stamp{Version: version, Head: head, State: projections.StampCurrent}
			if head > version {
				stamp.State, stamp.Behind.Events = projections.StampBehind, head-version
			}
			return rowFrame{"row", projection, string(id), int64(version), head,
				p.render(ctx, views.OrderRowLive(views.OrderRow{Row: row, Stamp: stamp, Zone: p.zone})), nil}
		})
	case projections.Contributor:
		// For the receipts of this order; nothing on a page has this id in this projection.
		p.news.publish([]string{topic}, "row/"+projection+"/"+string(id), func() any {
			return rowFrame{"row", projection, string(id), int64(version), p.news.headOf(id, version), "", nil}
		})
		if projection == projections.CustomerOrderSummary {
			for _, customer := range row.Keys() {
				p.customerRow(ctx, customer)
			}
		}
	}
}

// orderFragment tells those who look at the order what it is now.
func (p *publisher) orderFragment(ctx context.Context, id domain.OrderID) {
	topic, key := "order:"+string(id), "row/order/"+string(id)
	if !p.hub.Watched(topic) {
		p.hub.Publish(live.Message{Topics: []string{topic}, Key: key})
		return
	}
	stream, err := p.commands.Load(ctx, id)
	if err != nil {
		p.log.Warn("order not shown live", "order", id, "error", err)
		p.hub.Publish(live.Message{Topics: []string{topic}, Key: key}) // pages fetch it themselves
		return
	}
	p.news.publish([]string{topic}, key, func() any {
		return rowFrame{"row", "order", string(id), int64(stream.Head()), stream.Head(),
			p.render(ctx, views.OrderBodyLive(p.timeline.body(stream))),
			wire.FrameActions(actionsOf(stream))}
	})
}

// customerRow tells the lists of customers.
func (p *publisher) customerRow(ctx context.Context, customer string) {
	topics, key := []string{"customers"}, "row/customer/"+customer
	if !p.hub.Watched("customers") {
		p.hub.Publish(live.Message{Topics: topics, Key: key})
		return
	}
	version := p.sequence.next()
	row, err := p.read.Customer(ctx, customer)
	if err != nil {
		p.hub.Publish(live.Message{Topics: topics, Key: key})
		return
	}
	p.news.publish(topics, key, func() any {
		return rowFrame{"row", projections.CustomerOrderSummary, customer, int64(version), version,
			p.render(ctx, views.CustomerRowLive(views.CustomerRow{Row: row, Version: version, Head: version, Zone: p.zone})), nil}
	})
}

// state tells what a projection does now.
func (p *publisher) state(ctx context.Context, c views.ProjectionCard) {
	p.news.publish([]string{"projections"}, "projection/"+c.Name, func() any {
		return projectionFrame{"projection", c.Name, string(c.State), string(c.Stamp.State), c.Share, wire.LagOf(c.Lag), c.Reason,
			p.render(ctx, views.ProjectionCardLive(c))}
	})
}

func (p *publisher) render(ctx context.Context, c templ.Component) string {
	var out bytes.Buffer
	if err := c.Render(ctx, &out); err != nil {
		p.log.Error("fragment not rendered", "error", err)
		return ""
	}
	return out.String()
}

// tellStates tells the sockets about projections whose state has changed, until ctx ends.
func (p *publisher) tellStates(ctx context.Context) {
	tick := time.NewTicker(stateGap)
	defer tick.Stop()
	told := map[string]views.ProjectionCard{}
	var looked time.Time
	quiet := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !p.hub.Watched("projections") || quiet && !p.news.stirred.Load() && p.clock().Sub(looked) < quietGap {
			continue
		}
		p.news.stirred.Store(false)
		looked, quiet = p.clock(), true
		for _, c := range p.freshness.cards(ctx) {
			quiet = quiet && c.State == views.Running && c.Lag.Events == 0 && c.Holds == 0
			last := told[c.Name]
			told[c.Name] = c
			last.HeartbeatAt, last.Lag.Age, last.Stamp.Behind.Age = c.HeartbeatAt, c.Lag.Age, c.Stamp.Behind.Age // always new, no news
			if last != c {
				p.state(ctx, c)
			}
		}
	}
}

// rowSequence gives the version that a customer's row has not: microseconds by this process's clock, each later than the one before. A row
// that is read after next has everything that was written before it.
type rowSequence struct {
	clock func() time.Time

	mu   sync.Mutex
	last int
}

func (s *rowSequence) next() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last+1, int(s.clock().UnixMicro()))
	return s.last
}
