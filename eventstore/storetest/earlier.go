package storetest

import (
	"maps"
	"testing"

	"headway/eventstore"
	"headway/fault"
)

// earlier has two followers who are at different places go on from one cursor: what either of them has not seen is named there.
func earlier(t *testing.T, p Place) {
	s := p.Open(t, nil)
	want := map[eventstore.StreamID]int{}
	move := func() map[eventstore.StreamID]int {
		news := map[eventstore.StreamID]int{}
		for range 3 {
			id := newStream()
			if _, err := s.Append(t.Context(), id, 0, newCommand(), added("tea")); err != nil {
				t.Fatal(err)
			}
			news[id], want[id] = 1, 1
		}
		return news
	}
	behind := follow(t, s, "", 2, move())
	late := move()
	ahead := follow(t, s, "", 2, maps.Clone(want))
	for _, both := range [][2]eventstore.Cursor{{behind, ahead}, {ahead, behind}, {behind, behind}} {
		joined, err := s.Earlier(order, both[0], both[1])
		if err != nil {
			t.Fatal(err)
		}
		follow(t, s, joined, 2, late)
	}
	fresh := move()
	joined, err := s.Earlier(order, ahead, ahead)
	if err != nil {
		t.Fatal(err)
	}
	follow(t, s, joined, 2, fresh)
	for _, both := range [][2]eventstore.Cursor{{"", ahead}, {ahead, ""}} {
		if joined, err := s.Earlier(order, both[0], both[1]); err != nil || joined != "" {
			t.Errorf("nothing is earlier than the beginning: %q, %v", joined, err)
		}
	}
	for _, both := range [][2]eventstore.Cursor{{"nonsense", ahead}, {ahead, "nonsense"}} {
		_, err := s.Earlier(order, both[0], both[1])
		checkField(t, err, fault.Malformed, "cursor")
	}
}
