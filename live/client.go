package live

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// client is one websocket: a reader goroutine, a writer goroutine, and the queue between the hub and the writer.
type client struct {
	hub    *Hub
	conn   *websocket.Conn
	topics map[string]bool // guarded by the hub's mutex
	wake   chan struct{}   // the queue has something
	quit   chan struct{}   // closed by stop
	ended  chan struct{}   // closed when the writer has ended

	mu       sync.Mutex // always taken after the hub's; held for memory only
	queue    []*frame
	at       map[string]int // where in the queue a key waits
	bytes    int            // of the queue
	writing  bool           // the writer is busy with what it took
	late     bool           // the queue overflowed meanwhile: the client is slow, not only the news quick
	overflow time.Time      // since when it is late at every write; zero if it is not
	why      refusal        // set by stop; code 0 means the peer has gone
	stopped  bool
}

// ServeHTTP makes a websocket of a handshake from a page of this console. Others are refused: 403 another origin, 503 too many
// connections or stopping, 400 not a handshake.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !sameOrigin(r, h.origins) {
		http.Error(w, "The live view can only be opened by a page of this console.", http.StatusForbidden)
		return
	}
	if !h.open() {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "There are too many live views open. Pages work without; try again in a moment.", http.StatusServiceUnavailable)
		return
	}
	conn, err := h.upgrader.Upgrade(w, r, nil)
	if err != nil { // Upgrade has answered
		h.join(nil)
		return
	}
	c := &client{
		hub:   h,
		conn:  conn,
		wake:  make(chan struct{}, 1),
		quit:  make(chan struct{}),
		ended: make(chan struct{}),
		at:    map[string]int{},
	}
	if !h.join(c) {
		_ = conn.Close()
		return
	}
	go c.read()
	go c.write()
}

// put queues a frame. It never blocks: a newer frame takes the place of an older one of its key, and a full queue becomes one
// resync, which covers what it held.
func (c *client) put(f *frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i, waits := c.at[f.key]; waits && f.key != "" {
		c.bytes += len(f.body) - len(c.queue[i].body)
		c.queue[i] = f
	} else {
		if f.key != "" {
			c.at[f.key] = len(c.queue)
		}
		c.queue = append(c.queue, f)
		c.bytes += len(f.body)
	}
	if len(c.queue) > queueFrames || c.bytes > queueBytes {
		c.overflowed(f.n)
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// forget drops what was published and not sent yet.
func (c *client) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = slices.DeleteFunc(c.queue, func(f *frame) bool { return f.topics != nil })
	c.bytes = 0
	clear(c.at)
	for i, f := range c.queue {
		c.bytes += len(f.body)
		if f.key != "" {
			c.at[f.key] = i
		}
	}
}

// overflowed replaces the queue by a resync; a hello that was never sent stays first.
func (c *client) overflowed(n uint64) {
	var kept []*frame
	if first := c.queue[0]; first.key == "" && first.topics == nil {
		kept = append(kept, first)
	}
	resync := newFrame(n, nil, "resync", closeObject([]byte(`{"type":"resync",`), formatSeq(c.hub.id, n)))
	c.queue = append(kept, resync)
	clear(c.at)
	c.at["resync"] = len(kept)
	c.bytes = 0
	for _, f := range c.queue {
		c.bytes += len(f.body)
	}
	if !c.writing {
		return
	}
	c.late = true
	if c.overflow.IsZero() {
		c.overflow = time.Now()
	}
}

// take empties the queue, in the order of the sequence. It reports a client that has not kept up for too long.
func (c *client) take() (frames []*frame, slow bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.late {
		c.overflow = time.Time{}
	}
	if !c.overflow.IsZero() && time.Since(c.overflow) >= slowWait {
		return nil, true
	}
	frames, c.queue, c.bytes, c.late, c.writing = c.queue, nil, 0, false, true
	clear(c.at)
	slices.SortStableFunc(frames, func(a, b *frame) int {
		switch {
		case a.n < b.n:
			return -1
		case a.n > b.n:
			return 1
		}
		return 0
	})
	return frames, false
}

// wrote says that what was taken is sent.
func (c *client) wrote() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing = false
}

// stop makes the writer end, telling the peer why; code 0 tells nothing. The first stop counts.
func (c *client) stop(code int, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopped {
		c.stopped, c.why = true, refusal{code, reason}
		close(c.quit)
	}
}

// cut ends the connection at once.
func (c *client) cut() { _ = c.conn.Close() }

// read takes the client's messages until the connection ends, and then lets go of it.
func (c *client) read() {
	defer c.hub.running.Done()
	c.conn.SetReadLimit(readLimit)
	c.conn.SetPongHandler(c.alive)
	if err := c.alive(""); err == nil {
		c.listen()
	}
	c.hub.leave(c)
	c.stop(0, "")
	c.cut()
	<-c.ended
}

// alive gives the peer more time, unless it is being told to go.
func (c *client) alive(string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return nil
	}
	return c.conn.SetReadDeadline(time.Now().Add(pongWait))
}

// listen returns when the connection fails or the client must go.
func (c *client) listen() {
	for said := 0; ; said++ {
		kind, data, err := c.conn.ReadMessage()
		if errors.Is(err, websocket.ErrReadLimit) { // the close has been sent; let it arrive before the rest is thrown away
			c.stop(websocket.CloseMessageTooBig, "the message is too large")
			_ = c.conn.SetReadDeadline(time.Now().Add(closeWait))
			_, _ = io.CopyN(io.Discard, c.conn.NetConn(), maxDrain)
		}
		if err != nil {
			return
		}
		if why, bad := c.hear(said, kind, data); bad {
			c.stop(why.code, why.reason)
			c.drain()
			return
		}
	}
}

// hear acts on one message of the client.
func (c *client) hear(said, kind int, data []byte) (why refusal, bad bool) {
	if kind != websocket.TextMessage {
		return refusal{websocket.CloseUnsupportedData, "messages are text"}, true
	}
	if said >= maxWatches {
		return refusal{websocket.ClosePolicyViolation, "too many messages"}, true
	}
	w, err := parseWatch(data)
	if why, bad = errors.AsType[refusal](err); bad {
		return why, true
	}
	c.hub.watch(c, w)
	return refusal{}, false
}

// drain reads on until the peer has answered the close, so that the close is not lost with what it still sends. The writer bounds it
// with a deadline.
func (c *client) drain() {
	for {
		if _, _, err := c.conn.NextReader(); err != nil {
			return
		}
	}
}

// write sends what is queued, pings and beats until it is told to stop or a write fails.
func (c *client) write() {
	defer c.hub.running.Done()
	defer close(c.ended)
	why := c.send()
	c.stop(why.code, why.reason)
	if why.code == 0 {
		c.cut()
		return
	}
	deadline := time.Now().Add(closeWait)
	err := c.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(why.code, why.reason), deadline)
	if err != nil && !errors.Is(err, websocket.ErrCloseSent) {
		c.cut()
		return
	}
	_ = c.conn.SetReadDeadline(deadline) // the reader waits for the answer, not longer
}

// send returns why the connection ends.
func (c *client) send() refusal {
	ping, beat := time.NewTicker(pingPeriod), time.NewTicker(beatPeriod)
	defer ping.Stop()
	defer beat.Stop()
	wake := c.wake
	var gap <-chan time.Time
	for {
		select {
		case <-c.quit:
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.why
		case <-wake:
			frames, slow := c.take()
			if slow {
				return refusal{websocket.CloseTryAgainLater, "too slow"}
			}
			if err := c.sendFrames(frames); err != nil {
				return refusal{}
			}
			c.wrote()
			wake, gap = nil, time.After(flushGap)
		case <-gap:
			wake, gap = c.wake, nil
		case <-beat.C:
			c.hub.beatTo(c)
		case <-ping.C:
			if err := c.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeWait)); err != nil {
				return refusal{}
			}
		}
	}
}

// sendFrames writes one text message: the frame, or an array of them.
func (c *client) sendFrames(frames []*frame) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return err
	}
	switch len(frames) {
	case 0:
		return nil
	case 1:
		message, err := frames[0].prepared()
		if err != nil {
			return err
		}
		return c.conn.WritePreparedMessage(message)
	}
	return c.conn.WriteMessage(websocket.TextMessage, join(frames))
}
