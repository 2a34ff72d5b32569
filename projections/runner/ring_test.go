package runner

import (
	"fmt"
	"testing"

	"headway/eventstore"
)

func cursor(n int) eventstore.Cursor { return eventstore.Cursor(fmt.Sprint("c", n)) }

func TestTheRingKeepsTheNewestPages(t *testing.T) {
	for _, c := range []struct {
		rule            string
		pages, each     int
		oldest, missing int // cursors that are in the ring, and are not any more
	}{
		{"a few pages are all there", 10, feedPage, 0, -1},
		{"so many moves, and no more", MaxRingMoves/feedPage + 3, feedPage, 3, 2},
		{"a page that is more than that stays alone", 3, MaxRingMoves + 1, 2, 1},
		{"pages without moves are bounded, too", maxRingPages + 5, 0, 5, 4},
	} {
		r := ring{end: cursor(0)}
		for n := range c.pages {
			r.add(page{after: cursor(n), next: cursor(n + 1), heads: make([]eventstore.Head, c.each)})
		}
		if p, more, ok := r.after(cursor(c.oldest)); !ok || !more || p.next != cursor(c.oldest+1) || len(p.heads) != c.each {
			t.Errorf("%s: after %s comes %+v, %v, %v", c.rule, cursor(c.oldest), p, more, ok)
		}
		if _, _, ok := r.after(cursor(c.missing)); ok {
			t.Errorf("%s: %s is still there", c.rule, cursor(c.missing))
		}
		if p, more, ok := r.after(cursor(c.pages)); !ok || more || p.next != cursor(c.pages) {
			t.Errorf("%s: at the end there is %+v, %v, %v", c.rule, p, more, ok)
		}
	}
}

// A tail that went back for somebody passes a cursor twice: who stands there goes on from the second time.
func TestACursorThatTheRingPassedTwice(t *testing.T) {
	r := ring{end: cursor(0)}
	for _, next := range []int{1, 2, 1, 3} {
		r.add(page{after: r.end, next: cursor(next)})
	}
	if p, more, ok := r.after(cursor(1)); !ok || !more || p.next != cursor(3) {
		t.Errorf("after c1 comes %+v, %v, %v", p, more, ok)
	}
}
