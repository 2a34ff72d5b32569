package projections

import (
	"context"
	"sync"
	"time"

	"headway/domain"
)

// The bounds of what a projector remembers of arrivals.
const (
	maxArrivedOrders = 10_000
	maxArrivedEach   = 16 // of one order in one projection
)

// Arrival says that a projection has a version of an order, or a newer one.
type Arrival struct {
	Version int       // the version the row had when it arrived there
	At      time.Time // when the read store acknowledged the row; zero if that is not known any more
}

// arrivals remembers recent arrivals, the newest orders first to stay, and tells of them.
type arrivals struct {
	onRows  func(projection string, rows []Row) // may be nil
	telling sync.Mutex                          // what is told is told in the order in which it is remembered

	mu     sync.Mutex
	recent map[domain.OrderID]map[string]*history
	queue  []domain.OrderID // oldest first
	news   chan struct{}    // closed at the next arrival
}

// history is of one order in one projection.
type history struct {
	told  int       // the newest version
	known []Arrival // oldest first; none after forget
	asked bool      // the store was asked by itself,
	found int       // and had this version; 0: no row. That is no arrival: nobody was told
}

func newArrivals(onRows func(string, []Row)) *arrivals {
	return &arrivals{onRows: onRows, recent: map[domain.OrderID]map[string]*history{}, news: make(chan struct{})}
}

// tell remembers rows, and tells of them. One that is older than what was told of its order says nothing: what this process wrote, and what it
// saw of other processes, is told by several goroutines.
func (a *arrivals) tell(projection string, rows []Row, at time.Time) {
	a.telling.Lock()
	defer a.telling.Unlock()
	news := a.add(projection, rows, at)
	if len(news) > 0 && a.onRows != nil {
		a.onRows(projection, news)
	}
}

// add answers the rows that are as new as what was told, or newer.
func (a *arrivals) add(projection string, rows []Row, at time.Time) (news []Row) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range rows {
		h := a.history(projection, r.Order())
		if r.At() < h.told {
			continue
		}
		news, h.told = append(news, r), r.At()
		if n := len(h.known); n == 0 || h.known[n-1].Version < r.At() {
			h.known = append(h.known, Arrival{Version: r.At(), At: at})
			h.known = h.known[max(0, n+1-maxArrivedEach):]
		}
	}
	if len(news) > 0 {
		close(a.news)
		a.news = make(chan struct{})
	}
	return news
}

// history is what is remembered of an order from now on. Beyond the bound the oldest order is forgotten.
func (a *arrivals) history(projection string, id domain.OrderID) *history {
	if a.recent[id] == nil {
		a.recent[id] = map[string]*history{}
		a.queue = append(a.queue, id)
		if len(a.queue) > maxArrivedOrders {
			delete(a.recent, a.queue[0])
			a.queue = a.queue[1:]
		}
	}
	h := a.recent[id][projection]
	if h == nil {
		h = &history{}
		a.recent[id][projection] = h
	}
	return h
}

// learn remembers what the store said.
func (a *arrivals) learn(projection string, id domain.OrderID, version int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	h := a.history(projection, id)
	h.asked, h.found = true, version
}

// of answers which projections are known to have the version, and what to wait on for more.
func (a *arrivals) of(id domain.OrderID, version int) (map[string]Arrival, <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	found := map[string]Arrival{}
	for projection, h := range a.recent[id] {
		for i, arrival := range h.known {
			if arrival.Version < version {
				continue
			}
			if i == 0 && len(h.known) == maxArrivedEach && arrival.Version > version {
				arrival.At = time.Time{} // it was there earlier, who knows when
			}
			found[projection] = arrival
			break
		}
	}
	return found, a.news
}

// has tells whether a version has arrived in a projection.
func (a *arrivals) has(projection string, id domain.OrderID, version int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	h := a.recent[id][projection]
	return h != nil && len(h.known) > 0 && h.known[len(h.known)-1].Version >= version
}

// newest is the newest version that arrived in a projection or was found there, 0 if it was found to have no row.
func (a *arrivals) newest(projection string, id domain.OrderID) (version int, known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	h := a.recent[id][projection]
	switch {
	case h == nil:
		return 0, false
	case len(h.known) > 0:
		return h.known[len(h.known)-1].Version, true
	}
	return h.found, h.asked
}

// forget makes nothing known to be there in a projection. What was told stays told.
func (a *arrivals) forget(projection string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, of := range a.recent {
		if h := of[projection]; h != nil {
			h.known, h.asked = nil, false
		}
	}
}

// Arrivals says which projections have the version now, as far as this projector brought it there not long ago.
func (p *Projector) Arrivals(id domain.OrderID, version int) map[string]Arrival {
	found, _ := p.arrivals.of(id, version)
	return found
}

// Newest is the newest version that a projection has of an order as far as this process knows: it brings rows there itself, or sees them arrive. The
// read store is asked once for an order of which nothing is known; not for one that was made a moment ago, which has no row that could not have
// been seen. 0 if there is no row, or the store does not answer.
func (p *Projector) Newest(ctx context.Context, projection string, id domain.OrderID, justMade bool) int {
	version, known := p.arrivals.newest(projection, id)
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
	p.arrivals.learn(projection, id, version)
	return version
}

// WaitFor returns when every projection has the version, or when the context ends, with those that have it by then. A version that arrived
// long ago, or through another process, is found in the read store at the beginning of the wait, with a zero time.
func (p *Projector) WaitFor(ctx context.Context, id domain.OrderID, version int) map[string]Arrival {
	stored := map[string]Arrival{}
	asked := false
	for {
		found, news := p.arrivals.of(id, version)
		if len(found) < len(p.loops) && !asked {
			stored, asked = p.stored(ctx, id, version), true
			continue // what arrived meanwhile is known better
		}
		for projection, arrival := range stored {
			if _, known := found[projection]; !known {
				found[projection] = arrival
			}
		}
		if len(found) == len(p.loops) {
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
func (p *Projector) stored(ctx context.Context, id domain.OrderID, version int) map[string]Arrival {
	found := map[string]Arrival{}
	for _, l := range p.loops {
		versions, err := p.read.Versions(ctx, l.name, id)
		if err == nil && versions[id] >= version {
			found[l.name] = Arrival{Version: versions[id]}
		}
	}
	return found
}
