package live

import (
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

// client is one websocket: a goroutine that reads, and another that writes while there is something to write.
type client struct {
	hub  *Hub
	conn *websocket.Conn

	// Guarded by the hub's mutex.
	timer    *time.Timer // calls tick
	audience *audience   // nil before its first watch
	place    int         // in the audience
	next     uint64      // the first frame that it is owed; 0 if none. Then a writer runs, or the timer starts one when the gap is over
	hello    bool        // owed, like the next two
	resync   bool
	beat     bool
	writing  bool      // the writer runs, or has said goodbye
	wrote    time.Time // when its last writing ended
	late     time.Time // since when it has not kept up; zero if it does
	pinged   time.Time
	stopped  bool // it is to be told why, and to go
	why      refusal
	gone     bool
}

// writing is one thing that is written to a client.
type writing struct {
	began time.Time
	frame *frame
	news  bool // published, so that the next news wait for the gap
	part  bool // of the news: the rest does not wait
	ping  bool
	why   refusal // goodbye
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
	if tcp, ok := conn.NetConn().(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer) // one that fails is found by the first write
	}
	c := &client{hub: h, conn: conn}
	if !h.join(c) {
		_ = conn.Close()
		return
	}
	go c.read()
	go c.write()
}

// owe notes that the client is to be sent a frame, and reports whether a writer must be started for it now.
func (c *client) owe(n uint64, now time.Time, gap time.Duration) bool {
	if c.next != 0 {
		return false
	}
	c.next = n
	if wait := gap - now.Sub(c.wrote); wait > 0 && !c.writing {
		c.timer.Reset(wait)
		return false
	}
	return c.start()
}

// start reports whether a writer must be started; it counts as running then.
func (c *client) start() bool {
	if c.writing || c.gone {
		return false
	}
	c.writing = true
	c.hub.running.Add(1)
	return true
}

// keepUp stops a client for which the ring has been too short while it was written to, each time for slowWait.
func (c *client) keepUp(behind bool, last writing, now time.Time) {
	switch {
	case behind && c.late.IsZero():
		c.late = last.began
	case !behind && last.news:
		c.late = time.Time{}
	}
	if behind && now.Sub(c.late) >= slowWait && !c.stopped {
		c.stopped, c.why = true, refusal{websocket.CloseTryAgainLater, "too slow"}
	}
}

// tick is called by the timer.
func (c *client) tick() {
	if c.hub.tick(c) {
		c.write()
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
	c.cut()
}

// alive gives the peer more time, unless it is being told to go.
func (c *client) alive(string) error {
	c.hub.mu.Lock()
	defer c.hub.mu.Unlock()
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
			c.hub.stop(c, refusal{websocket.CloseMessageTooBig, "the message is too large"})
			_ = c.conn.SetReadDeadline(time.Now().Add(closeWait))
			_, _ = io.CopyN(io.Discard, c.conn.NetConn(), maxDrain)
		}
		if err != nil {
			return
		}
		if why, bad := c.hear(said, kind, data); bad {
			c.hub.stop(c, why)
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

// write sends what the client is owed. It ends when nothing is, or not yet, or when a write fails or was the last.
func (c *client) write() {
	defer c.hub.running.Done()
	var last writing
	for {
		next, more := c.hub.next(c, last)
		if !more {
			return
		}
		if next.why.code != 0 {
			c.dismiss(next.why)
			return
		}
		if err := c.send(next); err != nil {
			c.cut()
			return
		}
		last = next
	}
}

// dismiss tells the client to go. The reader waits for the answer, not longer.
func (c *client) dismiss(why refusal) {
	deadline := time.Now().Add(closeWait)
	err := c.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(why.code, why.reason), deadline)
	if err != nil && !errors.Is(err, websocket.ErrCloseSent) {
		c.cut()
		return
	}
	_ = c.conn.SetReadDeadline(deadline)
}

func (c *client) send(w writing) error {
	deadline := w.began.Add(writeWait)
	if w.ping {
		return c.conn.WriteControl(websocket.PingMessage, nil, deadline)
	}
	message, err := w.frame.message()
	if err != nil {
		return err
	}
	if err := c.conn.SetWriteDeadline(deadline); err != nil {
		return err
	}
	return c.conn.WritePreparedMessage(message)
}
