package runner

import (
	"context"
	"sync"
	"time"

	"headway/domain"
	"headway/projections"
)

// The bounds of what a projector remembers of positions.
const (
	maxPositionOrders = 10_000
	maxPositionsEach  = 16 // of one order in one projection
)

// Position says that a projection has a version of an order, or a newer one.
type Position struct {
	Version int       // the version the row had when it arrived there
	At      time.Time // when the read store acknowledged the row; zero if that is not known any more
}

// positions remembers where projections arrived lately, the newest orders first to stay, and tells of them.
type positions struct {
	onRows  func(projection string, rows []projections.Row) // may be nil
	telling sync.Mutex                                      // what is told is told in the order in which it is remembered

	mu     sync.Mutex
	recent map[domain.OrderID]map[string]*track
	queue  []domain.OrderID // oldest first
	news   chan struct{}    // closed at the next arrival
}

// track is where one projection came in one order.
type track struct {
	told  int        // the newest version
	known []Position // oldest first; none after forget
	asked bool       // the store was asked by itself,
	found int        // and had this version; 0: no row. That is no arrival: nobody was told
}

func newPositions(onRows func(string, []projections.Row)) *positions {
	return &positions{onRows: onRows, recent: map[domain.OrderID]map[string]*track{}, news: make(chan struct{})}
}

// tell remembers rows, and tells of them. One that is older than what was told of its order says nothing: what this process wrote, and what
// it saw of other processes, is told by several goroutines.
func (p *positions) tell(projection string, rows []projections.Row, at time.Time) {
	p.telling.Lock()
	defer p.telling.Unlock()
	news := p.add(projection, rows, at)
	if len(news) > 0 && p.onRows != nil {
		p.onRows(projection, news)
	}
}

// add answers the rows that are as new as what was told, or newer.
func (p *positions) add(projection string, rows []projections.Row, at time.Time) (news []projections.Row) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range rows {
		h := p.track(projection, r.Order())
		if r.At() < h.told {
			continue
		}
		news, h.told = append(news, r), r.At()
		if n := len(h.known); n == 0 || h.known[n-1].Version < r.At() {
			h.known = append(h.known, Position{Version: r.At(), At: at})
			h.known = h.known[max(0, n+1-maxPositionsEach):]
		}
	}
	if len(news) > 0 {
		close(p.news)
		p.news = make(chan struct{})
	}
	return news
}

// track is what is remembered of an order from now on. Beyond the bound the oldest order is forgotten.
func (p *positions) track(projection string, id domain.OrderID) *track {
	if p.recent[id] == nil {
		p.recent[id] = map[string]*track{}
		p.queue = append(p.queue, id)
		if len(p.queue) > maxPositionOrders {
			delete(p.recent, p.queue[0])
			p.queue = p.queue[1:]
		}
	}
	h := p.recent[id][projection]
	if h == nil {
		h = &track{}
		p.recent[id][projection] = h
	}
	return h
}

// learn remembers what the store said.
func (p *positions) learn(projection string, id domain.OrderID, version int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.track(projection, id)
	h.asked, h.found = true, version
}

// of answers which projections are known to have the version, and what to wait on for more.
func (p *positions) of(id domain.OrderID, version int) (map[string]Position, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := map[string]Position{}
	for projection, h := range p.recent[id] {
		for i, arrival := range h.known {
			if arrival.Version < version {
				continue
			}
			if i == 0 && len(h.known) == maxPositionsEach && arrival.Version > version {
				arrival.At = time.Time{} // it was there earlier, who knows when
			}
			found[projection] = arrival
			break
		}
	}
	return found, p.news
}

// has tells whether a version has arrived in a projection.
func (p *positions) has(projection string, id domain.OrderID, version int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.recent[id][projection]
	return h != nil && len(h.known) > 0 && h.known[len(h.known)-1].Version >= version
}

// newest is the newest version that arrived in a projection or was found there, 0 if it was found to have no row.
func (p *positions) newest(projection string, id domain.OrderID) (version int, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.recent[id][projection]
	switch {
	case h == nil:
		return 0, false
	case len(h.known) > 0:
		return h.known[len(h.known)-1].Version, true
	}
	return h.found, h.asked
}

// forget makes nothing known to be there in a projection. What was told stays told.
func (p *positions) forget(projection string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, of := range p.recent {
		if h := of[projection]; h != nil {
			h.known, h.asked = nil, false
		}
	}
}

// Positions says which projections have the version now, as far as this projector brought it there not long ago.
func (p *Projector) Positions(id domain.OrderID, version int) map[string]Position {
	found, _ := p.positions.of(id, version)
	return found
}

// Newest is the newest version that a projection has of an order as far as this process knows: it brings rows there itself, or sees them
// arrive. The read store is asked once for an order of which nothing is known; not for one that was made a moment ago, which has no row
// that could not have been seen. 0 if there is no row, or the store does not answer.
func (p *Projector) Newest(ctx context.Context, projection string, id domain.OrderID, justMade bool) int {
	version, known := p.positions.newest(projection, id)
	if known {
		return version
	}
	if !justMade {
		versions, err := p.read.Versions(ctx, projection, id)
		if err != nil {
			return 0
		}
		version = versions[id]
	}
	p.positions.learn(projection, id, version)
	return version
}

// WaitFor returns when every projection has the version, or when the context ends, with those that have it by then. A version that arrived
// long ago, or through another process, is found in the read store at the beginning of the wait, with a zero time.
func (p *Projector) WaitFor(ctx context.Context, id domain.OrderID, version int) map[string]Position {
	stored := map[string]Position{}
	asked := false
	for {
		found, news := p.positions.of(id, version)
		if len(found) < len(p.workers) && !asked {
			stored, asked = p.stored(ctx, id, version), true
			continue // what arrived meanwhile is known better
		}
		for projection, arrival := range stored {
			if _, known := found[projection]; !known {
				found[projection] = arrival
			}
		}
		if len(found) == len(p.workers) {
			return found
		}
		select {
		case <-ctx.Done():
			return found
		case <-news:
		}
	}
}

// stored asks the read store which projections have the version. A store that does not answer knows of none.
func (p *Projector) stored(ctx context.Context, id domain.OrderID, version int) map[string]Position {
	found := map[string]Position{}
	for _, l := range p.workers {
		versions, err := p.read.Versions(ctx, l.name, id)
		if err == nil && versions[id] >= version {
			found[l.name] = Position{Version: versions[id]}
		}
	}
	return found
}
