package live

import "fmt"

// audience is the clients that watch the same topics: they are told the same, so each message is made once for all of them.
type audience struct {
	name    string
	topics  map[string]bool
	clients []*client // each knows its place
	told    uint64    // the newest frame they were woken for
}

// seat gives a client to the audience of its topics.
func (h *Hub) seat(c *client, topics []string) {
	name := fmt.Sprintf("%q", topics)
	a := h.audiences[name]
	if a == nil {
		a = &audience{name: name, topics: make(map[string]bool, len(topics))}
		h.audiences[name] = a
		for _, topic := range topics {
			a.topics[topic] = true
			if h.watchers[topic] == nil {
				h.watchers[topic] = map[*audience]bool{}
			}
			h.watchers[topic][a] = true
		}
	}
	c.audience, c.place = a, len(a.clients)
	a.clients = append(a.clients, c)
}

// unseat takes a client out of its audience; one that nobody is left in is forgotten.
func (h *Hub) unseat(c *client) {
	a := c.audience
	if a == nil {
		return
	}
	last := len(a.clients) - 1
	a.clients[c.place] = a.clients[last]
	a.clients[c.place].place = c.place
	a.clients[last] = nil
	a.clients = a.clients[:last]
	c.audience = nil
	if last > 0 {
		return
	}
	delete(h.audiences, a.name)
	for topic := range a.topics {
		delete(h.watchers[topic], a)
		if len(h.watchers[topic]) == 0 {
			delete(h.watchers, topic)
		}
	}
}

// batch is a message that was made for an audience; who is at the same place is sent the same.
type batch struct {
	audience *audience
	from, to uint64
	frame    *frame // nil if nothing concerns them
	rest     uint64 // where the next message begins
}

// batchOf is what the clients of an audience that lack everything from a frame on are sent now.
func (h *Hub) batchOf(a *audience, from uint64) batch {
	for _, b := range h.batches {
		if b.audience == a && b.from == from && b.to == h.ring.n {
			return b
		}
	}
	b := batch{audience: a, from: from, to: h.ring.n}
	var frames []*frame
	switch frames, b.rest = h.ring.batch(a.topics, from); len(frames) {
	case 0:
	case 1:
		b.frame = frames[0]
	default:
		b.frame = &frame{parts: frames}
	}
	h.batches[h.made%len(h.batches)] = b
	h.made++
	return b
}
