package dynamo

import (
	"sync"
	"time"

	"headway/eventstore"
)

// maxRemembered is how many delivered heads a process remembers; what it forgets it may deliver twice.
const maxRemembered = 200_000

// deliveries remembers what the pages of the feed held. Each page knows the one before it, so a cursor stands for everything that its own
// follower acknowledged, and for nothing that another did. The zero deliveries is ready to use.
type deliveries struct {
	mu     sync.Mutex
	pages  map[uint64]*page
	oldest []uint64
	heads  int
}

type page struct {
	before *page
	heads  []eventstore.Head
	made   time.Time
	looked
}

// looked is when a follower last read the index to its end; zero if that is not known.
type looked struct {
	back  time.Time // over the overlap
	ahead time.Time // at the tip
}

// add remembers a page that is made now, and forgets those that are older than keep or too many.
func (d *deliveries) add(id, before uint64, heads []eventstore.Head, now time.Time, at looked, keep time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pages == nil {
		d.pages = map[uint64]*page{}
	}
	d.put(id, &page{before: d.pages[before], heads: append([]eventstore.Head(nil), heads...), made: now, looked: at})
	for len(d.oldest) > 1 {
		p := d.pages[d.oldest[0]]
		if now.Sub(p.made) < keep && d.heads+len(d.oldest) <= maxRemembered {
			return
		}
		delete(d.pages, d.oldest[0])
		d.oldest = d.oldest[1:]
		d.heads -= len(p.heads)
		p.heads, p.before = nil, nil // the pages after it hold on to it
	}
}

func (d *deliveries) put(id uint64, p *page) {
	d.pages[id] = p
	d.oldest = append(d.oldest, id)
	d.heads += len(p.heads)
}

// looked is when the follower at a page last looked.
func (d *deliveries) looked(id uint64) looked {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p := d.pages[id]; p != nil {
		return p.looked
	}
	return looked{}
}

// look notes when the follower at a page looked, and found nothing.
func (d *deliveries) look(id uint64, now time.Time, at looked) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pages == nil {
		d.pages = map[uint64]*page{}
	}
	if p := d.pages[id]; p != nil {
		p.looked = at
		return
	}
	d.put(id, &page{made: now, looked: at})
}

// known is the newest version of each stream that was delivered on the way to a page, as far as it is remembered.
func (d *deliveries) known(id uint64) map[eventstore.StreamID]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	known := map[eventstore.StreamID]int{}
	for p := d.pages[id]; p != nil; p = p.before {
		for _, h := range p.heads {
			known[h.Stream] = max(known[h.Stream], h.Version)
		}
	}
	return known
}
