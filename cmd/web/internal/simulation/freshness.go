package simulation

import (
	"maps"
	"slices"
	"time"

	"headway/projections"
)

// What a page knows of its freshness: static/freshness.js in Go, because a browser cannot run in a bubble of simulated time. The names are
// its names. That both judge alike is shown by static/simulated.test.mjs, which gives the frames that simulated pages got to the script.

const (
	customers   = projections.CustomerOrderSummary
	silentAfter = 12_000 // ms
	clockStep   = 5_000  // ms
	maxNew      = 1_000
)

// Frame is what a page is told: by the server, or by itself (page, connecting, closed, wake, tick).
type Frame struct {
	Type       string   `json:"type"`
	Projection string   `json:"projection,omitempty"`
	ID         string   `json:"id,omitempty"`
	Version    int64    `json:"version,omitempty"`
	Head       int64    `json:"head,omitempty"`
	HTML       string   `json:"-"`
	Seq        string   `json:"seq,omitempty"`
	Build      string   `json:"build,omitempty"`
	State      string   `json:"state,omitempty"`
	Stamp      string   `json:"stamp,omitempty"`
	Items      []Item   `json:"items,omitempty"`
	Lists      []List   `json:"lists,omitempty"`
	Counts     string   `json:"counts,omitempty"`
	Beyond     *int64   `json:"beyond,omitempty"`
	Fresh      []string `json:"fresh,omitempty"`
	Wall       int64    `json:"wall,omitempty"`    // of tick
	Drawn      string   `json:"drawn,omitempty"`   // of row: the state of its stamp
	Created    *int64   `json:"created,omitempty"` // of row
}

// Item is a live element as the page knows it.
type Item struct {
	Projection string `json:"projection"`
	ID         string `json:"id"`
	Version    int64  `json:"version"`
	Head       int64  `json:"head"`
	State      string `json:"state,omitempty"` // as the server drew it; empty is undefined
	Left       bool   `json:"left,omitempty"`
	behindAt   *int64
}

// List is the stamp of a list.
type List struct {
	Projection string `json:"projection"`
	State      string `json:"state"`
}

type itemKey struct{ projection, id string }

// State is the state of freshness.js, changed in place.
type State struct {
	build, since, link   string
	answered, resync     bool
	contact, last, drift *int64
	items                map[itemKey]Item
	lists                map[string]string
	counts               string
	beyond               *int64
	fresh                []string
}

// NewState is the state before the first frame.
func NewState() *State {
	return &State{link: "none", items: map[itemKey]Item{}, lists: map[string]string{}}
}

// Next takes a frame at a monotonic time in milliseconds.
func (s *State) Next(f Frame, at int64) {
	now := at
	if s.last != nil {
		now = max(*s.last, at)
		if now-*s.last > silentAfter {
			s.sleep()
		}
	}
	s.last = &now
	switch f.Type {
	case "page":
		s.shown(f, now)
	case "connecting":
		s.answered = s.link == "none" && s.answered
		s.link = "connecting"
	case "closed":
		s.link, s.answered, s.contact = "closed", false, nil
	case "wake":
		s.sleep()
	case "tick":
		s.tick(f, now)
	case "hello":
		s.link = "open"
		if s.contact == nil {
			s.contact = &now
		}
	default:
		if s.open() {
			s.hear(f, now)
		}
	}
}

func (s *State) open() bool { return s.link == "open" || s.link == "live" }

func (s *State) sleep() {
	if s.link != "none" {
		s.link = "stale"
	}
	s.answered, s.contact = false, nil
}

func (s *State) hear(f Frame, now int64) {
	if f.Type == "resync" {
		s.resync, s.answered, s.contact = true, false, &now
		return
	}
	if !slices.Contains([]string{"beat", "row", "head", "projection"}, f.Type) {
		return
	}
	s.contact = &now
	if !s.resync && f.Seq != "" {
		s.since = f.Seq
	}
	switch f.Type {
	case "beat":
		s.link, s.answered = "live", !s.resync
	case "row":
		s.row(f, now)
	case "head":
		s.headed(f, f.Version, now)
	case "projection":
		s.lists[f.ID] = f.Stamp
	}
}

func (s *State) shown(f Frame, now int64) {
	items := map[itemKey]Item{}
	for _, item := range f.Items {
		key := itemKey{item.Projection, item.ID}
		old, had := s.items[key]
		if item.Head = max(item.Head, item.Version, old.Head); item.Projection == customers {
			item.Head = item.Version
		}
		if item.State == "" && had {
			item.State = old.State
		}
		item.behindAt = nil
		if item.Head > item.Version {
			item.behindAt = &now
			if old.behindAt != nil {
				item.behindAt = old.behindAt
			}
		}
		items[key] = item
	}
	for _, list := range f.Lists {
		if list.State != "" {
			s.lists[list.Projection] = list.State
		}
	}
	first := s.link == "none"
	s.items = items
	if s.build == "" {
		s.build = f.Build
	}
	if f.Seq != "" {
		s.since = f.Seq
	}
	s.resync = false
	s.answered = first || s.answered
	if first || s.open() {
		s.contact = &now
	}
	s.counts, s.beyond = f.Counts, f.Beyond
	s.fresh = slices.Clone(f.Fresh)
}

func (s *State) tick(f Frame, now int64) {
	drift := f.Wall - now
	step := int64(0)
	if s.drift != nil {
		step = max(drift-*s.drift, *s.drift-drift)
	}
	silent := s.open() && (s.contact == nil || now-*s.contact > silentAfter)
	if step > clockStep || silent {
		s.sleep()
	}
	s.drift = &drift
}

// IsNewer is isNewer of freshness.js.
func (s *State) IsNewer(f Frame) bool {
	item, shown := s.items[itemKey{f.Projection, f.ID}]
	return shown && (f.Version > item.Version || f.Projection == "order" && f.Version == item.Version)
}

// IsOlder is isOlder of freshness.js.
func (s *State) IsOlder(projection, id string, version int64, seq string) bool {
	item, shown := s.items[itemKey{projection, id}]
	return shown && (projection != customers || hubOf(seq) == hubOf(s.since)) && version < item.Version
}

func (s *State) row(f Frame, now int64) {
	key := itemKey{f.Projection, f.ID}
	item, shown := s.items[key]
	defer s.headed(f, f.Head, now)
	if !shown {
		s.count(f)
		return
	}
	if f.Version > item.Version {
		item.State, item.Left = f.Drawn, false
	}
	item.Version = max(item.Version, f.Version)
	item.Head = max(item.Head, f.Head, item.Version)
	switch {
	case item.Head <= item.Version:
		item.behindAt = nil
	case item.behindAt == nil:
		item.behindAt = &now
	}
	s.items[key] = item
}

func (s *State) count(f Frame) {
	if s.counts != "orders" || f.Projection != "order_list" {
		return
	}
	isNew := f.Version == 1 || f.Created == nil || s.beyond == nil || *f.Created > *s.beyond
	if !isNew || slices.Contains(s.fresh, f.ID) || len(s.fresh) >= maxNew {
		return
	}
	s.fresh = append(s.fresh, f.ID)
}

func (s *State) headed(f Frame, top, now int64) {
	for key, item := range s.items {
		if f.Projection == customers || item.ID != f.ID || item.Projection == customers || top <= item.Head {
			continue
		}
		if item.State == "unknown" {
			item.State = ""
		}
		item.Head = top
		if item.behindAt == nil {
			item.behindAt = &now
		}
		s.items[key] = item
	}
}

// Doubt is why nothing is sure at a time; empty if nothing is in doubt.
func (s *State) Doubt(now int64) string {
	switch {
	case s.resync:
		return "this page missed something and asks again"
	case !s.answered && s.link == "closed":
		return "no connection"
	case !s.answered:
		return "no answer yet"
	case s.contact == nil || now-*s.contact > silentAfter:
		return "no contact for 12 s"
	}
	return ""
}

// StampOf is the state of the stamp of a live element; empty if the page does not show it.
func (s *State) StampOf(projection, id string, now int64) string {
	item, shown := s.items[itemKey{projection, id}]
	causes := []string{"paused", "rebuilding", "stalled", "unknown"}
	list, hasList := s.lists[projection]
	switch {
	case !shown:
		return ""
	case s.Doubt(now) != "":
		return "unknown"
	case item.Left:
		return "unknown"
	case item.State == "held" || item.State == "unknown":
		return item.State
	case item.Head <= item.Version:
		return "current"
	case slices.Contains(causes, list):
		return list
	case !hasList && slices.Contains(causes, item.State):
		return item.State
	}
	return "behind"
}

// IsLive tells whether the page says that it is live.
func (s *State) IsLive(now int64) bool { return s.link == "live" && s.Doubt(now) == "" }

// LacksHeads is lacksHeads of freshness.js.
func (s *State) LacksHeads() bool {
	for _, item := range s.items {
		if item.State == "unknown" && !item.Left {
			return true
		}
	}
	return false
}

// IsStale tells whether the socket must be made anew.
func (s *State) IsStale() bool { return s.link == "stale" }

// Versions are the versions of the elements that are shown.
func (s *State) versions() map[itemKey]int64 {
	versions := map[itemKey]int64{}
	for key, item := range maps.All(s.items) {
		versions[key] = item.Version
	}
	return versions
}

// backoff is backoff of freshness.js; random lies in [0, 1).
func backoff(attempt int, random float64) time.Duration {
	longest := min(30_000, 500<<min(attempt, 10))
	return time.Duration((float64(longest)/2 + random*float64(longest)/2) * float64(time.Millisecond))
}
