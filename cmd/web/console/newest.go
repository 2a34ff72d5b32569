package console

import (
	"context"
	"slices"
	"sync"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/orders"
)

// The bounds of counting the newest events.
const (
	countedEvents = eventstore.MaxPage
	countedAnew   = 10 * time.Second // what was read longer ago is read again: an index may have shown an event late
)

// countedEvent is an event as far as pages count it.
type countedEvent struct {
	order     domain.OrderID
	version   int
	eventType string
	schema    int
	storedAt  time.Time
}

// newestEvents remembers what is counted of the newest events. The log only grows, so a page reads the first few and knows the others.
// It is safe for concurrent use.
type newestEvents struct {
	mu   sync.Mutex
	list []countedEvent // newest first; not changed, but replaced
	read time.Time      // when it was read as a whole
}

// count is the newest events of the log, newest first, at most countedEvents. first are the newest of them as they were read just now:
// eventsPerPage, or all that there are.
func (n *newestEvents) count(ctx context.Context, events eventstore.Store, first []eventstore.Record, now time.Time) ([]countedEvent, error) {
	if list := n.known(countedOf(first), now); list != nil {
		return list, nil
	}
	all, _, err := events.ByType(ctx, orders.Category, "", "", countedEvents)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list, n.read = countedOf(all), now
	return n.list, nil
}

// known is what follows from the first and from what was read before; nil if that does not reach up to them.
func (n *newestEvents) known(first []countedEvent, now time.Time) []countedEvent {
	if len(first) < eventsPerPage {
		return first
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	last := first[len(first)-1]
	at := slices.IndexFunc(n.list, func(e countedEvent) bool { return e.order == last.order && e.version == last.version })
	switch {
	case at < 0 || now.Sub(n.read) >= countedAnew:
		return nil
	case at < len(first)-1: // else nothing is new, or another page has read more meanwhile
		list := slices.Concat(first, n.list[at+1:])
		n.list = list[:min(len(list), countedEvents)]
	}
	return n.list
}

func countedOf(records []eventstore.Record) []countedEvent {
	list := make([]countedEvent, len(records))
	for i, r := range records {
		list[i] = countedEvent{orders.IDOf(r.Stream), r.Version, r.EventType, r.SchemaVersion, r.StoredAt}
	}
	return list
}
