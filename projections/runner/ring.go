package runner

import (
	"slices"

	"headway/eventstore"
)

// The bounds of the ring. Who is further behind reads the store.
const (
	MaxRingMoves = 10_000
	maxRingPages = 1000
)

// page is one answer of the feed: the orders that moved after a cursor, and the cursor after them.
type page struct {
	after, next eventstore.Cursor
	heads       []eventstore.Head
	anew        bool // the cursor was not of this log: its feed begins here
	otherLog    bool // another log gave the cursor, or this one before it was put back
}

// ring keeps the newest pages, each after the one before.
type ring struct {
	pages []page // oldest first
	moves int    // in all of them
	end   eventstore.Cursor
}

func (r *ring) add(p page) {
	r.pages, r.moves, r.end = append(r.pages, p), r.moves+len(p.heads), p.next
	for len(r.pages) > 1 && (r.moves > MaxRingMoves || len(r.pages) > maxRingPages) {
		r.moves -= len(r.pages[0].heads)
		r.pages[0] = page{}
		r.pages = r.pages[1:]
	}
}

// after is the page after a cursor; more is false at the end of the ring, ok is false if the cursor is not in it.
func (r *ring) after(at eventstore.Cursor) (p page, more, ok bool) {
	if at == r.end {
		return page{after: at, next: at}, false, true
	}
	for _, p := range slices.Backward(r.pages) {
		if p.after == at {
			return p, true, true
		}
	}
	return page{}, false, false
}
