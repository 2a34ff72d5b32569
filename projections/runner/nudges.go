package runner

import (
	"sync"

	"headway/domain"
	"headway/eventstore"
	"headway/orders"
)

// nudges is a bounded set of orders to look at. Its channel has a token when the set may have something in it.
type nudges struct {
	wake    chan struct{}
	mu      sync.Mutex
	waiting map[domain.OrderID]eventstore.Head
}

func newNudges() *nudges {
	return &nudges{wake: make(chan struct{}, 1), waiting: map[domain.OrderID]eventstore.Head{}}
}

func (n *nudges) add(heads []eventstore.Head) {
	n.mu.Lock()
	for _, h := range heads {
		old, known := n.waiting[orders.IDOf(h.Stream)]
		if known && old.Version >= h.Version || !known && len(n.waiting) >= MaxNudges {
			continue
		}
		n.waiting[orders.IDOf(h.Stream)] = h
	}
	n.mu.Unlock()
	n.poke()
}

// poke wakes whoever waits, though there may be nothing in the set.
func (n *nudges) poke() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// drain empties the set.
func (n *nudges) drain() []eventstore.Head {
	n.mu.Lock()
	defer n.mu.Unlock()
	heads := make([]eventstore.Head, 0, len(n.waiting))
	for _, h := range n.waiting {
		heads = append(heads, h)
	}
	clear(n.waiting)
	return heads
}
