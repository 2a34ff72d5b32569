package live_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"headway/live"
)

// crowdSize is how many pages a crowd has; one in ten is slow, one in a hundred stalled.
func crowdSize(t *testing.T) int {
	t.Helper()
	size := 300
	if os.Getenv("HEADWAY_SOAK") != "" {
		size = 2000
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur < uint64(2*size+100) { // both ends are here
		t.Fatalf("%d files may be open (%v), and %d pages need %d: raise it with ulimit -n", files.Cur, err, size, 2*size+100)
	}
	return size
}

// console is a hub and a page on a real address.
type console struct {
	hub  *live.Hub
	web  *http.Server
	addr string
}

func open(t *testing.T, addr string) *console {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c := &console{hub: live.New(live.Options{}), addr: listener.Addr().String()}
	mux := http.NewServeMux()
	mux.Handle("/live", c.hub)
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, c.hub.Seq()) })
	c.web = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = c.web.Serve(listener) }() // until it is closed
	t.Cleanup(func() { c.close(t) })
	return c
}

func (c *console) close(t *testing.T) {
	t.Helper()
	if err := errors.Join(c.hub.Shutdown(context.Background()), c.web.Close()); err != nil {
		t.Error(err)
	}
}

// publish sends so many more messages; those of the crowd count from 0, as their versions, and every fourth has one of 16 keys.
func (c *console) publish(from, count int) {
	for v := from; v < from+count; v++ {
		m := live.Message{Topics: []string{"orders"}, Body: fmt.Appendf(nil, `{"type":"row","version":%d,"html":"one more order"}`, v)}
		if k, keyed := keyOf(v); keyed {
			m.Key = strconv.Itoa(k)
		}
		c.hub.Publish(m)
	}
}

func keyOf(version int) (key int, keyed bool) { return version / 4 % 16, version%4 == 3 }

// member is one page of the crowd. It holds what it is told against the promises of the hub.
type member struct {
	conn    *websocket.Conn
	told    atomic.Int64 // the newest version that it was told, or that a resync covers
	told16  [16]int      // and of each key
	since   []byte
	first   bool
	resyncs int
	rows    int
	wrong   string // the first promise that was broken
	code    int    // of the close; 0 if there was none
	err     error  // that ended it
	ended   chan struct{}
}

// enter opens a websocket that watches; calm, if there is one, keeps it from reading.
func enter(addr, since string, calm func(net.Conn) net.Conn, topics ...string) (*member, error) {
	dialer := websocket.Dialer{ReadBufferSize: 4 << 10, WriteBufferSize: 512, NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err == nil && calm != nil {
			return calm(conn), nil
		}
		return conn, err
	}}
	conn, answer, err := dialer.Dial("ws://"+addr+"/live", http.Header{"Origin": {"http://" + addr}})
	if err != nil {
		return nil, err
	}
	_ = answer.Body.Close()
	m := &member{conn: conn, since: []byte(since), first: since == "", ended: make(chan struct{})}
	m.told.Store(-1)
	return m, conn.WriteJSON(map[string]any{"watch": append(topics, "orders"), "since": since})
}

// listen reads until the connection ends.
func (m *member) listen() {
	defer close(m.ended)
	for {
		_, data, err := m.conn.ReadMessage()
		if err != nil {
			m.err = err
			if closing, ok := errors.AsType[*websocket.CloseError](err); ok {
				m.code = closing.Code
			}
			_ = m.conn.Close() // it has ended
			return
		}
		for part := range bytes.SplitSeq(data, []byte(`{"type":"`)) {
			if kind, rest, found := bytes.Cut(part, []byte(`"`)); found {
				m.hear(string(kind), rest)
			}
		}
	}
}

func (m *member) hear(kind string, rest []byte) {
	_, seq, _ := bytes.Cut(rest, []byte(`"seq":"`))
	seq, _, _ = bytes.Cut(seq, []byte(`"`))
	_, digits, _ := bytes.Cut(seq, []byte("."))
	n, err := strconv.Atoi(string(digits))
	if err != nil && m.wrong == "" {
		m.wrong = fmt.Sprintf("a %s without a sequence: %q", kind, rest)
	}
	last := int(m.told.Load())
	switch kind {
	case "resync":
		m.resyncs++
		m.told.Store(int64(n - 1))
	case "beat":
		if m.first { // it is told what comes from now on
			m.told.Store(int64(n - 1))
		} else if last < n-1 && m.wrong == "" {
			m.wrong = fmt.Sprintf("a beat says that all was told up to %d, after %d", n-1, last)
		}
		m.first = false
	case "row":
		m.rows++
		m.row(last, n-1)
	}
	if kind != "hello" { // which tells nothing that was missed
		m.since = append(m.since[:0], seq...)
	}
}

// row holds that versions come in their order, and none without a key is left out.
func (m *member) row(last, version int) {
	m.told.Store(int64(version))
	if version <= last && m.wrong == "" {
		m.wrong = fmt.Sprintf("version %d after %d", version, last)
	}
	for v := last + 1; v < version && !m.first; v++ {
		if _, keyed := keyOf(v); !keyed && m.wrong == "" {
			m.wrong = fmt.Sprintf("version %d after %d, without %d and without a resync", version, last, v)
		}
	}
	if k, keyed := keyOf(version); keyed {
		m.told16[k] = version
	}
}

// slow is a connection that reads so many bytes for each step of the crowd, and everything once there is no hurry any more.
type slow struct {
	net.Conn
	read    int
	allowed *atomic.Int64
	gone    chan struct{}
	once    sync.Once
}

func (s *slow) Read(p []byte) (int, error) {
	for s.allowed.Load() <= int64(s.read) {
		select {
		case <-s.gone:
			return 0, io.EOF
		case <-time.After(5 * time.Millisecond):
		}
	}
	n, err := s.Conn.Read(p[:min(len(p), 4<<10)])
	s.read += n
	return n, err
}

func (s *slow) Close() error {
	s.once.Do(func() { close(s.gone) })
	return s.Conn.Close()
}

// patiently waits until something is so; the bound is only for a test that fails.
func patiently(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// atOnce calls do for each of so many, 32 at a time.
func atOnce(count int, do func(i int)) {
	var all sync.WaitGroup
	turn := make(chan bool, 32)
	for i := range count {
		turn <- true
		all.Go(func() {
			defer func() { <-turn }()
			do(i)
		})
	}
	all.Wait()
}

// resting is what a process holds when nothing happens.
func resting() (goroutines int, heap uint64) {
	http.DefaultClient.CloseIdleConnections()
	runtime.GC()
	runtime.GC() // pools are emptied by the second
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return runtime.NumGoroutine(), memory.HeapAlloc
}

// Of a crowd on real sockets, some read slowly and some not at all. Every other page is told everything, in order; a slow one is told to
// resync, or is closed; a stalled one holds up nobody; and after them nothing is left.
func TestCrowdIsToldEverythingOrToResync(t *testing.T) {
	size := crowdSize(t)
	goroutines, heap := resting()
	crowd(t, size)
	patiently(t, "goroutines are back at the baseline", func() bool {
		now, _ := resting()
		return now <= goroutines+5
	})
	if _, now := resting(); now > heap+8<<20 {
		t.Errorf("%d KiB are held after the crowd, %d before", now>>10, heap>>10)
	}
}

func crowd(t *testing.T, size int) {
	const step, steps = 1000, 20 // a step fits into what the kernel holds for a page
	c := open(t, "127.0.0.1:0")
	var allowed atomic.Int64
	allowed.Store(4 << 10)
	members, errs := make([]*member, size), make([]error, size)
	isSlow := func(i int) bool { return i%10 == 1 }
	isStalled := func(i int) bool { return i%100 == 2 }
	atOnce(size, func(i int) {
		var calm func(net.Conn) net.Conn
		if isSlow(i) || isStalled(i) {
			calm = func(conn net.Conn) net.Conn {
				_ = conn.(*net.TCPConn).SetReadBuffer(64 << 10) // a larger one only takes longer to fill
				return &slow{Conn: conn, allowed: &allowed, gone: make(chan struct{})}
			}
		}
		members[i], errs[i] = enter(c.addr, "", calm, []string{"order:a", "projections"}[i%2])
		if errs[i] == nil && !isStalled(i) {
			go members[i].listen()
		}
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	all := func(want int, of func(i int) bool) func() bool {
		return func() bool {
			for i, m := range members {
				if !of(i) || m.told.Load() >= int64(want) {
					continue
				}
				select {
				case <-m.ended:
					t.Fatalf("page %d was told up to %d of %d: %v", i, m.told.Load(), want, m.err)
				default:
					return false
				}
			}
			return true
		}
	}
	healthy := func(i int) bool { return !isSlow(i) && !isStalled(i) }
	patiently(t, "all watch", func() bool { return c.hub.Connections() == size })
	c.publish(0, 1)
	patiently(t, "the healthy ones have heard of the first", all(0, healthy))
	began := time.Now()
	for n := range steps {
		c.publish(1+n*step, step)
		allowed.Add(12 << 10)
		patiently(t, "the healthy ones have heard of all", all((n+1)*step, healthy))
	}
	last := steps * step
	t.Logf("%d pages, %d slow and %d stalled: %.0f messages/s to the others", size, size/10, size/100, float64(last*size)*0.89/time.Since(began).Seconds())
	for i, m := range members {
		if healthy(i) && m.resyncs > 0 {
			t.Errorf("a page that reads was told to resync, though it was never more than %d behind", step)
		}
	}
	if os.Getenv("HEADWAY_SOAK") != "" {
		patiently(t, "stalled pages are cut", func() bool { return c.hub.Connections() <= size-size/100 })
	}
	allowed.Store(1 << 40)
	told, closed := 0, 0
	for i, m := range members {
		if !isSlow(i) {
			continue
		}
		patiently(t, "a slow page has caught up, or is closed", func() bool {
			select {
			case <-m.ended:
				return true
			default:
				return m.told.Load() >= int64(last)
			}
		})
	}
	for i, m := range members {
		_ = m.conn.Close() // it may have ended
		if isStalled(i) {
			continue
		}
		<-m.ended
		complete := m.told.Load() >= int64(last)
		switch {
		case m.wrong != "":
			t.Errorf("page %d: %s", i, m.wrong)
		case !isSlow(i):
			for k, version := range m.told16 {
				if version != newestOf(k, last) {
					t.Errorf("page %d: key %d ended at version %d, want %d", i, k, version, newestOf(k, last))
				}
			}
		case complete && m.resyncs > 0:
			told++
		case complete:
			t.Errorf("slow page %d was told everything: it was not slow", i)
		default:
			closed++
		}
	}
	t.Logf("slow pages: %d were told to resync and caught up, %d were closed", told, closed)
	patiently(t, "all have left", func() bool { return c.hub.Connections() == 0 })
	c.close(t)
}

// newestOf is the newest version of a key.
func newestOf(key, last int) int {
	for v := last; ; v-- {
		if k, keyed := keyOf(v); keyed && k == key {
			return v
		}
	}
}

// Whoever comes back to the same hub is told what it missed, each once, or to resync, once; and hears what comes then.
func TestCrowdComesBackToTheSameHub(t *testing.T) {
	size := crowdSize(t)
	for _, test := range []struct {
		rule         string
		missed       int
		rows, resync int
	}{
		{"within the ring: everything without a key, and the newest of each key", 400, 300 + 16, 0},
		{"beyond the ring: one resync", 8193, 0, 1},
	} {
		t.Run(test.rule, func(t *testing.T) {
			c := open(t, "127.0.0.1:0")
			c.publish(0, 100)
			since := c.hub.Seq()
			c.publish(100, test.missed)
			members, errs := make([]*member, size), make([]error, size)
			atOnce(size, func(i int) {
				if members[i], errs[i] = enter(c.addr, since, nil); errs[i] == nil {
					members[i].told.Store(99)
					go members[i].listen()
				}
			})
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			heard := func(version int) func() bool {
				return func() bool {
					return !slices.ContainsFunc(members, func(m *member) bool { return m.told.Load() < int64(version) })
				}
			}
			patiently(t, "all have caught up", heard(99+test.missed))
			c.publish(100+test.missed, 1)
			patiently(t, "all hear what is new", heard(100+test.missed))
			for _, m := range members {
				_ = m.conn.Close()
				<-m.ended
				if m.wrong != "" || m.resyncs != test.resync || m.rows != test.rows+1 {
					t.Fatalf("%d resyncs and %d news, want %d and %d; %s", m.resyncs, m.rows, test.resync, test.rows+1, m.wrong)
				}
			}
		})
	}
}

// A restart closes every page with 1012. All come back to the new hub with the old one's sequence, spread as pages do it, are told to
// resync once, and hear what comes then; a page is answered all the while.
func TestCrowdComesBackAfterARestart(t *testing.T) {
	size := crowdSize(t)
	spread := 10 * time.Second * time.Duration(size) / 2000
	old := open(t, "127.0.0.1:0")
	old.publish(0, 100)
	members := make([]*member, size)
	errs := make([]error, size)
	atOnce(size, func(i int) {
		if members[i], errs[i] = enter(old.addr, "", nil); errs[i] == nil {
			go members[i].listen()
		}
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	patiently(t, "all watch", func() bool {
		return !slices.ContainsFunc(members, func(m *member) bool { return m.told.Load() < 99 })
	})
	old.close(t)
	began := time.Now()
	fresh := open(t, old.addr)
	fresh.publish(0, 100)
	var back, storm sync.WaitGroup
	var there atomic.Bool
	var answers []time.Duration
	storm.Go(func() {
		for !there.Load() {
			asked := time.Now()
			answer, err := http.Get("http://" + fresh.addr + "/page")
			if err != nil {
				t.Errorf("a page was not answered: %v", err)
				return
			}
			_ = answer.Body.Close()
			answers = append(answers, time.Since(asked))
			time.Sleep(time.Millisecond) // somebody who looks at pages meanwhile, and does not take the processor from them
		}
	})
	for i, m := range members {
		back.Go(func() {
			<-m.ended
			if m.code != websocket.CloseServiceRestart {
				t.Errorf("closed with %d, want 1012", m.code)
			}
			time.Sleep(rand.N(spread)) // as a page does
			if members[i], errs[i] = enter(fresh.addr, string(m.since), nil); errs[i] == nil {
				go members[i].listen()
			}
		})
	}
	back.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	patiently(t, "all have been told to resync", func() bool {
		return !slices.ContainsFunc(members, func(m *member) bool { return m.told.Load() < 99 })
	})
	took := time.Since(began)
	there.Store(true)
	storm.Wait()
	fresh.publish(100, 1)
	patiently(t, "all hear what is new", func() bool {
		return !slices.ContainsFunc(members, func(m *member) bool { return m.told.Load() < 100 })
	})
	for _, m := range members {
		_ = m.conn.Close()
		<-m.ended
		if m.wrong != "" || m.resyncs != 1 || m.rows != 1 {
			t.Errorf("%d resyncs and %d news, want 1 and 1; %s", m.resyncs, m.rows, m.wrong)
		}
	}
	slices.Sort(answers)
	t.Logf("%d pages were back within %v, spread over %v; a page took %v at the median and %v at most", size, took, spread,
		answers[len(answers)/2], answers[len(answers)-1])
}
