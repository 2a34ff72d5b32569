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
// every later message of its topics, or a newer one of the same key, or a resync, in the order of the sequence.
type Hub struct {
	id       string
	build    json.RawMessage
	origins  []string
	limit    int
	upgrader websocket.Upgrader
	running  sync.WaitGroup // a reader for each connection, and the writers

	mu        sync.Mutex // held for memory only: nothing is written, called or waited for under it
	ring      ring
	clients   map[*client]bool
	opening   int // handshakes under way; they count as connections
	audiences map[string]*audience
	watchers  map[string]map[*audience]bool // of a topic
	batches   [keptBatches]batch
	made      int       // batches so far
	asked     time.Time // when a page last took the sequence
	closed    bool
}

// New returns a hub without connections. Its sequence is its own: what another hub numbered is answered with a resync.
func New(o Options) *Hub {
	build, err := json.Marshal(o.Build)
	if err != nil { // a string always encodes
		build = json.RawMessage(`""`)
	}
	h := &Hub{
		id:      rand.Text()[:12],
		build:   build,
		origins: o.Origins,
		limit:   o.Connections,
		ring:    ring{seen: map[string]bool{}},
		clients: map[*client]bool{},

		audiences: map[string]*audience{},
		watchers:  map[string]map[*audience]bool{},
	}
	if h.limit == 0 {
		h.limit = MaxConnections
	}
	h.upgrader = websocket.Upgrader{
		HandshakeTimeout: writeWait,
		ReadBufferSize:   512,
		WriteBufferSize:  512, // what is sent is prepared; this is for the rest
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
	for _, c := range h.publish(m, open) {
		go c.write()
	}
}

// publish answers the clients whose writers must be started, which is done without the lock that each of them takes.
func (h *Hub) publish(m Message, open []byte) (idle []*client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.ring.n + 1
	h.ring.add(&frame{n: n, topics: m.Topics, key: m.Key, body: closeObject(open, formatSeq(h.id, n))})
	now, gap := time.Now(), h.gap()
	for _, topic := range m.Topics {
		for a := range h.watchers[topic] {
			if a.told == n { // by another of its topics
				continue
			}
			a.told = n
			for _, c := range a.clients {
				if c.owe(n, now, gap) {
					idle = append(idle, c)
				}
			}
		}
	}
	return idle
}

// gap is how long after a message the next news to a client wait, so that they are joined.
func (h *Hub) gap() time.Duration {
	return max(flushGap, writeShare*time.Duration(len(h.clients)))
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

func (h *Hub) seq() string { return formatSeq(h.id, h.ring.n) }

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

// join gives the place that open took to a client and owes it a hello; nil gives it back. It returns false when the hub has closed
// since; otherwise the client's reader and its first writer count as running.
func (h *Hub) join(c *client) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.opening--
	if c == nil || h.closed {
		return false
	}
	h.running.Add(2)
	h.clients[c] = true
	c.hello, c.writing = true, true
	c.pinged = time.Now()
	c.timer = time.AfterFunc(beatPeriod, c.tick)
	return true
}

// leave forgets a client.
func (h *Hub) leave(c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.clients, c)
	h.unseat(c)
	c.gone = true
	c.timer.Stop()
}

// watch gives the client new topics in place of its old ones, with what it missed since w.Since and a beat that says the answer is
// complete.
func (h *Hub) watch(c *client, w watch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unseat(c)
	h.seat(c, w.Watch)
	if w.Since != "" {
		h.resume(c, w.Since)
	}
	c.beat = true
	if c.start() {
		go c.write()
	}
}

// resume owes the client what it has not seen. The ring has no gap, so a sequence it reaches back to misses nothing.
func (h *Hub) resume(c *client, since string) {
	seen, ours := parseSeq(h.id, since)
	switch {
	case !ours || seen > h.ring.n || !h.ring.has(seen+1):
		c.next, c.resync = 0, true
	case seen == h.ring.n:
		c.next = 0
	default:
		c.next = seen + 1
	}
}

// say is a frame of the hub's own, true as of now.
func (h *Hub) say(open string) *frame {
	return &frame{n: h.ring.n, body: closeObject([]byte(open), h.seq())}
}

// next ends a client's last writing, if there was one, and says what is to be written now: false if nothing is, or not yet. What is owed is
// in the order of the sequence: a beat is the last, and a resync covers all that was owed.
func (h *Hub) next(c *client, last writing) (writing, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	behind := c.next != 0 && !h.ring.has(c.next)
	if !last.began.IsZero() {
		c.wrote = now
		c.keepUp(behind, last, now)
	}
	switch {
	case c.gone:
		c.writing = false
		return writing{}, false
	case c.stopped:
		return writing{why: c.why}, true
	case c.hello:
		c.hello = false
		return writing{began: now, frame: h.say(`{"type":"hello","build":` + string(h.build) + `,`)}, true
	case now.Sub(c.pinged) >= pingPeriod:
		c.pinged = now
		return writing{began: now, ping: true}, true
	case c.resync || behind:
		c.resync, c.next = false, 0
		return writing{began: now, frame: h.say(`{"type":"resync",`)}, true
	}
	if c.next != 0 {
		if last.news && !last.part {
			c.writing = false
			c.timer.Reset(h.gap())
			return writing{}, false
		}
		b := h.batchOf(c.audience, c.next)
		if c.next = b.rest; b.frame != nil {
			return writing{began: now, frame: b.frame, news: true, part: b.rest != 0}, true
		}
	}
	if c.beat {
		c.beat = false
		return writing{began: now, frame: h.say(`{"type":"beat",`)}, true
	}
	c.writing = false
	return writing{}, false
}

// tick finds out whether a client is due: news whose gap is over, a ping, or after silence a beat.
func (h *Hub) tick(c *client) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.gone {
		return false
	}
	wait := beatPeriod
	if quiet := time.Since(c.wrote); c.next == 0 && quiet < beatPeriod {
		wait -= quiet
	}
	c.timer.Reset(wait)
	if wait < beatPeriod {
		return false
	}
	c.beat = c.beat || c.next == 0 && c.audience != nil && len(c.audience.topics) > 0
	return c.start()
}

// stop has the client told to go, and why; the first stop counts.
func (h *Hub) stop(c *client, why refusal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.stopped || c.gone {
		return
	}
	c.stopped, c.why = true, why
	if c.start() {
		go c.write()
		return
	}
	_ = c.conn.NetConn().SetWriteDeadline(time.Now().Add(closeWait)) // what it is being written need not end
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
		h.stop(c, refusal{websocket.CloseServiceRestart, "the server restarts"})
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
