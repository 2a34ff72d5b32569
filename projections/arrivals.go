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

// arrivals remembers recent arrivals, the newest orders first to stay.
type arrivals struct {
	mu     sync.Mutex
	recent map[domain.OrderID]map[string][]Arrival
	queue  []domain.OrderID // oldest first
	news   chan struct{}    // closed at the next arrival
}

func newArrivals() *arrivals {
	return &arrivals{recent: map[domain.OrderID]map[string][]Arrival{}, news: make(chan struct{})}
}

func (a *arrivals) add(projection string, rows []Row, at time.Time) {
	if len(rows) == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range rows {
		id := r.Order()
		if a.recent[id] == nil {
			a.recent[id] = map[string][]Arrival{}
			a.queue = append(a.queue, id)
		}
		all := append(a.recent[id][projection], Arrival{Version: r.At(), At: at})
		a.recent[id][projection] = all[max(0, len(all)-maxArrivedEach):]
	}
	for len(a.queue) > maxArrivedOrders {
		delete(a.recent, a.queue[0])
		a.queue = a.queue[1:]
	}
	close(a.news)
	a.news = make(chan struct{})
}

// of answers which projections are known to have the version, and what to wait on for more.
func (a *arrivals) of(id domain.OrderID, version int) (map[string]Arrival, <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	found := map[string]Arrival{}
	for projection, all := range a.recent[id] {
		for i, arrival := range all {
			if arrival.Version < version {
				continue
			}
			if i == 0 && len(all) == maxArrivedEach && arrival.Version > version {
				arrival.At = time.Time{} // it was there earlier, who knows when
			}
			found[projection] = arrival
			break
		}
	}
	return found, a.news
}

// has tells whether a projection is known to have the version.
func (a *arrivals) has(projection string, id domain.OrderID, version int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := a.recent[id][projection]
	return len(all) > 0 && all[len(all)-1].Version >= version
}

// forget makes nothing known to be there in a projection.
func (a *arrivals) forget(projection string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, of := range a.recent {
		delete(of, projection)
	}
}

// Arrivals says which projections have the version now, as far as this projector brought it there not long ago.
func (p *Projector) Arrivals(id domain.OrderID, version int) map[string]Arrival {
	found, _ := p.arrivals.of(id, version)
	return found
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
