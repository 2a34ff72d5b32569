package live

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Options of a hub; the zero value works.
type Options struct {
	Build string // which build of the pages this server makes, as its hello says

	// Origins whose pages may connect, as browsers write them ("https://console.example"). Empty: exactly the scheme and host that
	// the request itself came to, which is right without a proxy that ends TLS and with the Host header checked before.
	Origins []string

	Connections int // at most so many at once; 0 means MaxConnections
}

// Message is news for everyone who watches one of its topics.
type Message struct {
	Topics []string
	// Key names what the news is about, like "row/order_list/ID". A newer message replaces an older one of the same key that a client
	// has not been sent yet. Empty replaces nothing.
	Key string
	// Body is a JSON object; the hub adds the member "seq". None (nobody watched, so nothing was rendered), one that is not an
	// object, or one larger than 256 KiB reaches pages as a resync: they fetch what they show.
	Body []byte
}

// Hub brings messages to the websockets that watch. It is safe for concurrent use. A client that has said what it has seen is sent
// every later message of its topics, or a newer one of the same key, or a resync.
type Hub struct {
	id       string
	build    json.RawMessage
	origins  []string
	limit    int
	upgrader websocket.Upgrader
	running  sync.WaitGroup // two goroutines a connection

	mu       sync.Mutex // held for memory only: nothing is written, called or waited for under it
	n        uint64     // the newest message
	ring     []*frame   // the newest messages, oldest first, without a gap
	bytes    int        // of the ring
	clients  map[*client]bool
	opening  int // handshakes under way; they count as connections
	watchers map[string]map[*client]bool
	asked    time.Time // when a page last took the sequence
	closed   bool
}

// New returns a hub without connections. Its sequence is its own: what another hub numbered is answered with a resync.
func New(o Options) *Hub {
	build, err := json.Marshal(o.Build)
	if err != nil { // a string always encodes
		build = json.RawMessage(`""`)
	}
	h := &Hub{
		id:       rand.Text()[:12],
		build:    build,
		origins:  o.Origins,
		limit:    o.Connections,
		clients:  map[*client]bool{},
		watchers: map[string]map[*client]bool{},
	}
	if h.limit == 0 {
		h.limit = MaxConnections
	}
	h.upgrader = websocket.Upgrader{
		HandshakeTimeout: writeWait,
		ReadBufferSize:   1 << 10,
		WriteBufferSize:  4 << 10,
		WriteBufferPool:  &sync.Pool{},
		CheckOrigin:      func(*http.Request) bool { return true }, // ServeHTTP has asked sameOrigin
	}
	return h
}

// Publish brings a message to those who watch. It never blocks and never fails; Body is copied.
func (h *Hub) Publish(m Message) {
	open, ok := openObject(m.Body)
	if !ok {
		open, m.Key = []byte(`{"type":"resync",`), "resync"
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n++
	f := newFrame(h.n, m.Topics, m.Key, closeObject(open, h.seq()))
	h.remember(f)
	if len(m.Topics) == 1 {
		for c := range h.watchers[m.Topics[0]] {
			c.put(f)
		}
		return
	}
	reached := map[*client]bool{}
	for _, topic := range m.Topics {
		for c := range h.watchers[topic] {
			if !reached[c] {
				reached[c] = true
				c.put(f)
			}
		}
	}
}

// Seq is the place of the newest message. A page takes it before its first read and sends it with its first watch.
func (h *Hub) Seq() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = time.Now()
	return h.seq()
}

// Watched reports whether anyone watches the topic, or may be about to, so that nothing need be rendered that no one sees. When it
// is false, publish the message without a body all the same: a page that comes back later must learn that it missed something.
func (h *Hub) Watched(topic string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.watchers[topic]) > 0 || h.loading()
}

// loading reports whether a page may be between its first read and its watch.
func (h *Hub) loading() bool { return !h.asked.IsZero() && time.Since(h.asked) < loadWait }

func (h *Hub) seq() string { return formatSeq(h.id, h.n) }

// remember keeps a frame for those who come back, and forgets the oldest beyond the bounds.
func (h *Hub) remember(f *frame) {
	h.ring = append(h.ring, f)
	h.bytes += len(f.body)
	drop := 0
	for len(h.ring)-drop > ringFrames || h.bytes > ringBytes {
		h.bytes -= len(h.ring[drop].body)
		h.ring[drop] = nil
		drop++
	}
	h.ring = h.ring[drop:]
}

// open takes a place for one more connection; false when there is none.
func (h *Hub) open() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.clients)+h.opening >= h.limit {
		return false
	}
	h.opening++
	return true
}

// join gives the place that open took to a client and says hello to it; nil gives it back. It returns false when the hub has closed
// since; otherwise the client's two goroutines count as running.
func (h *Hub) join(c *client) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.opening--
	if c == nil || h.closed {
		return false
	}
	h.running.Add(2)
	h.clients[c] = true
	c.put(newFrame(h.n, nil, "", closeObject([]byte(`{"type":"hello","build":`+string(h.build)+`,`), h.seq())))
	return true
}

// leave forgets a client.
func (h *Hub) leave(c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.clients, c)
	h.unwatch(c)
}

func (h *Hub) unwatch(c *client) {
	for topic := range c.topics {
		delete(h.watchers[topic], c)
		if len(h.watchers[topic]) == 0 {
			delete(h.watchers, topic)
		}
	}
	c.topics = nil
}

// watch gives the client new topics in place of its old ones, with what it missed since w.Since and a beat that says the answer is
// complete.
func (h *Hub) watch(c *client, w watch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.clients[c] {
		return
	}
	h.unwatch(c)
	c.topics = make(map[string]bool, len(w.Watch))
	for _, topic := range w.Watch {
		c.topics[topic] = true
		if h.watchers[topic] == nil {
			h.watchers[topic] = map[*client]bool{}
		}
		h.watchers[topic][c] = true
	}
	if w.Since != "" {
		h.replay(c, w.Since)
	}
	c.put(h.beat())
}

// replay queues what the client has not seen. The ring has no gap, so a sequence it reaches back to misses nothing.
func (h *Hub) replay(c *client, since string) {
	seen, ours := parseSeq(h.id, since)
	if !ours || seen > h.n || h.n-seen > uint64(len(h.ring)) {
		c.put(newFrame(h.n, nil, "resync", closeObject([]byte(`{"type":"resync",`), h.seq())))
		return
	}
	c.forget() // what it waits for comes again, in its place
	for _, f := range h.ring[uint64(len(h.ring))-(h.n-seen):] {
		if f.concerns(c.topics) {
			c.put(f)
		}
	}
}

// beat is the frame that tells a page it has been sent everything up to its sequence.
func (h *Hub) beat() *frame {
	return newFrame(h.n, nil, "beat", closeObject([]byte(`{"type":"beat",`), h.seq()))
}

// beatTo queues a beat for a client that watches.
func (h *Hub) beatTo(c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(c.topics) > 0 {
		c.put(h.beat())
	}
}

// Connections counts the websockets that are open.
func (h *Hub) Connections() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.clients)
}

// Shutdown refuses new connections, closes the others with 1012 (restart) and returns when all their goroutines have ended. When ctx
// ends first it cuts what is left and returns the context's error.
func (h *Hub) Shutdown(ctx context.Context) error {
	h.mu.Lock()
	h.closed = true
	clients := h.snapshot()
	h.mu.Unlock()
	for _, c := range clients {
		c.stop(websocket.CloseServiceRestart, "the server restarts")
	}
	ended := make(chan struct{})
	go func() {
		h.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		for _, c := range clients {
			c.cut()
		}
		<-ended
		return ctx.Err()
	}
}

func (h *Hub) snapshot() []*client {
	clients := make([]*client, 0, len(h.clients))
	for c := range h.clients {
		clients = append(clients, c)
	}
	return clients
}
