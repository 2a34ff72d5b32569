package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // the handshake of websockets wants it
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"headway/internal/waiting"
	"headway/live"
)

const (
	paced     = 20 // broadcasts a second when they are paced
	topic     = "orders"
	patience  = 20 * time.Second // for what was sent to arrive
	atOnce    = 32               // handshakes under way
	hubServer = "ws-hub"
	tcpServer = "ws-tcp"
)

// sockets measures the hub with many connections, in a process of its own, beside one that writes each message to each connection with
// nothing in between, which is what the system calls alone cost.
func (b *bench) sockets(ctx context.Context) error {
	for _, s := range []struct{ who, server string }{{own, hubServer}, {"raw/tcp", tcpServer}} {
		if err := b.socketsOf(ctx, s.who, s.server); err != nil {
			return fmt.Errorf("%s: %w", s.who, err)
		}
	}
	return nil
}

func (b *bench) socketsOf(ctx context.Context, who, server string) (err error) {
	me, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, me, "-bench", server) //nolint:gosec // this program itself
	cmd.Stderr = os.Stderr
	address, err := started(cmd)
	if err != nil {
		cancel()
		return err
	}
	defer func() { cancel(); _ = cmd.Wait() }() // it is killed
	before, err := residentOf(ctx, address)
	if err != nil {
		return err
	}
	began := time.Now()
	crowd, err := connect(ctx, address, b.conns, stamps)
	if err != nil {
		return err
	}
	defer crowd.close()
	b.out.say(who, fmt.Sprint("ws_connect_", b.conns), float64(b.conns)/time.Since(began).Seconds(), "conn/s")
	if err := waiting.Pause(ctx, 300*time.Millisecond); err != nil { // for what handshakes leave behind to be let go
		return err
	}
	after, err := residentOf(ctx, address)
	if err != nil {
		return err
	}
	b.out.say(who, "ws_rss_per_conn", float64(after-before)/float64(b.conns)/1024, "KiB")
	lost, sent := 0, 0
	burst := func(count, rate int) (delivered, error) {
		d, err := crowd.broadcast(ctx, address, count, rate)
		lost, sent = lost+count*b.conns-len(d.took), sent+count*b.conns
		return d, err
	}
	if _, err := burst(paced, 0); err != nil { // to become warm
		return err
	}
	d, err := burst(200, 0)
	if err != nil {
		return err
	}
	b.out.say(who, "ws_fanout_max", float64(len(d.took))/d.all.Seconds(), "msg/s")
	if err := waiting.Pause(ctx, 200*time.Millisecond); err != nil {
		return err
	}
	if d, err = burst(2*paced, paced); err != nil {
		return err
	}
	b.out.quantiles(who, fmt.Sprint("ws_paced", paced), d.took)
	b.out.say(who, "ws_delivered", 1-float64(lost)/float64(sent), "share")
	return nil
}

// residentOf is the memory of the server, in bytes.
func residentOf(ctx context.Context, address string) (int, error) {
	answer, err := fetch(ctx, address+"/resident")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(answer)
}

func fetch(ctx context.Context, address string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }() // it has been read
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// until waits until something is so, or it has been waited for long enough.
func until(ctx context.Context, so func() bool) error {
	for began := time.Now(); !so() && time.Since(began) < patience; {
		if err := waiting.Pause(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// crowd is many open websockets whose messages are read as they come.
type crowd struct {
	conns []net.Conn
	got   atomic.Int64 // arrivals in all
	last  atomic.Int64 // when the newest came, in nanoseconds
	seen  []seen
}

// seen is what one connection has received.
type seen struct {
	mu   sync.Mutex
	took []time.Duration
}

// reader takes the news out of one message, and answers how many there were.
type reader func(c *crowd, conn int, message []byte, now time.Time) int

// connect opens websockets, has them watch the orders, and returns when every one has been answered.
func connect(ctx context.Context, address string, n int, read reader) (*crowd, error) {
	c := &crowd{conns: make([]net.Conn, n), seen: make([]seen, n)}
	errs := make([]error, n)
	turn := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i := range n {
		turn <- struct{}{}
		all.Go(func() {
			defer func() { <-turn }()
			var from *bufio.Reader
			if c.conns[i], from, errs[i] = shakeHands(ctx, address, ""); errs[i] == nil {
				go c.listen(i, from, read)
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// shakeHands opens one websocket as a page does that has seen so much, and has it watch; the answer of the watch ends with a beat.
func shakeHands(ctx context.Context, address, since string) (net.Conn, *bufio.Reader, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, nil, err
	}
	from := bufio.NewReaderSize(conn, 4096)
	fmt.Fprintf(conn, "GET /live HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", u.Host, address)
	response, err := http.ReadResponse(from, nil)
	if err == nil && response.StatusCode != http.StatusSwitchingProtocols {
		err = fmt.Errorf("the handshake was answered %s", response.Status)
	}
	if err == nil {
		err = response.Body.Close()
	}
	watch := []byte(`{"watch":["` + topic + `"],"since":"` + since + `"}`)
	frame := append([]byte{0x81, 0x80 | byte(len(watch)), 0, 0, 0, 0}, watch...) // a mask of zeros
	if err == nil {
		_, err = conn.Write(frame)
	}
	for message := []byte(nil); err == nil && !bytes.Contains(message, []byte(`"beat"`)); {
		message, err = readMessage(from, message[:0])
	}
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	return conn, from, nil
}

// listen reads until the connection is closed.
func (c *crowd) listen(i int, from *bufio.Reader, read reader) {
	var message []byte
	for {
		var err error
		if message, err = readMessage(from, message[:0]); err != nil {
			return
		}
		now := time.Now()
		if n := read(c, i, message, now); n > 0 {
			c.last.Store(now.UnixNano())
			c.got.Add(int64(n))
		}
	}
}

// readMessage reads the frames of one message into the memory of another.
func readMessage(from *bufio.Reader, message []byte) ([]byte, error) {
	for {
		var head [2]byte
		if _, err := io.ReadFull(from, head[:]); err != nil {
			return nil, err
		}
		size := int(head[1] & 127)
		if size >= 126 {
			var long [8]byte
			part := long[6:]
			if size == 127 {
				part = long[:]
			}
			if _, err := io.ReadFull(from, part); err != nil {
				return nil, err
			}
			size = int(binary.BigEndian.Uint64(long[:]))
		}
		at := len(message)
		message = slices.Grow(message, size)[:at+size]
		if _, err := io.ReadFull(from, message[at:]); err != nil {
			return nil, err
		}
		if head[0]&0x80 != 0 {
			return message, nil
		}
	}
}

func (c *crowd) close() {
	for _, conn := range c.conns {
		if conn != nil {
			_ = conn.Close() // it may be closed already
		}
	}
}

// stamps takes the times at which messages were sent.
func stamps(c *crowd, conn int, message []byte, now time.Time) int {
	n := 0
	s := &c.seen[conn]
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		_, rest, found := bytes.Cut(message, []byte(`"ts":`))
		if !found || len(rest) < 19 {
			return n
		}
		if sent, err := strconv.ParseInt(string(rest[:19]), 10, 64); err == nil {
			s.took = append(s.took, now.Sub(time.Unix(0, sent)))
			n++
		}
		message = rest
	}
}

// delivered is how long each message took to each connection, and how long all of them took together.
type delivered struct {
	took []time.Duration
	all  time.Duration
}

// broadcast has the server send so many messages to everybody, as fast as it can if there is no rate, and waits for them.
func (c *crowd) broadcast(ctx context.Context, address string, count, rate int) (delivered, error) {
	want := c.got.Load() + int64(count*len(c.conns))
	for i := range c.seen {
		c.seen[i].mu.Lock()
		c.seen[i].took = make([]time.Duration, 0, count)
		c.seen[i].mu.Unlock()
	}
	began := time.Now()
	if _, err := fetch(ctx, fmt.Sprintf("%s/start?count=%d&rate=%d", address, count, rate)); err != nil {
		return delivered{}, err
	}
	if err := until(ctx, func() bool { return c.got.Load() >= want }); err != nil {
		return delivered{}, err
	}
	d := delivered{all: time.Duration(c.last.Load() - began.UnixNano())}
	for i := range c.seen {
		c.seen[i].mu.Lock()
		d.took = append(d.took, c.seen[i].took...)
		c.seen[i].mu.Unlock()
	}
	return d, nil
}

// broadcaster sends one message to everybody.
type broadcaster interface {
	http.Handler
	send(message []byte, n int)
}

// hub is the real one.
type hub struct{ *live.Hub }

func (h hub) send(message []byte, n int) {
	h.Publish(live.Message{Topics: []string{topic}, Key: fmt.Sprint("row/order_list/", n), Body: message})
}

// plain is connections that are written one after the other.
type plain struct {
	mu    sync.Mutex
	conns []net.Conn
}

// ServeHTTP answers the handshake, and each watch by a beat.
func (p *plain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, both, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // as above
	fmt.Fprintf(both, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	beat := `{"type":"beat"}`
	fmt.Fprintf(both, "\x81%c%s", len(beat), beat)
	if both.Flush() != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, conn)
}

func (p *plain) send(message []byte, _ int) {
	frame := append(binary.BigEndian.AppendUint16([]byte{0x81, 126}, uint16(len(message))), message...)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.conns {
		_, _ = conn.Write(frame) // what is lost is counted by the reader
	}
}

// serveSockets is the program that is measured: it says where it is, and serves until it is killed.
func serveSockets(ctx context.Context, to broadcaster, stdout io.Writer) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	sent := 0
	mux := http.NewServeMux()
	mux.Handle("/live", to)
	mux.HandleFunc("/start", func(_ http.ResponseWriter, r *http.Request) {
		count, _ := strconv.Atoi(r.FormValue("count")) // it is our own client that asks
		rate, _ := strconv.Atoi(r.FormValue("rate"))
		go func() {
			began := time.Now()
			for i := range count {
				if rate > 0 && waiting.Pause(ctx, time.Until(began.Add(time.Duration(i)*time.Second/time.Duration(rate)))) != nil {
					return
				}
				sent++
				to.send(news(sent), sent)
			}
		}()
	})
	mux.HandleFunc("/resident", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, resident(os.Getpid()))
	})
	fmt.Fprintf(stdout, "http://%s\n", listener.Addr())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
	return server.Serve(listener)
}

// news is a change of the list, about 300 bytes long.
func news(n int) []byte {
	return fmt.Appendf(nil, `{"ts":%d,"n":%d,"type":"OrderConfirmed","orderId":"order-%08d","status":"confirmed","total":12345,"pad":%q}`,
		time.Now().UnixNano(), n, n, item(n).Name)
}
