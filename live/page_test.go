package live_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"headway/live"
)

// server serves a hub over connections in memory, so that a synctest bubble owns every goroutine and the clock.
type server struct {
	t     testing.TB
	hub   *live.Hub
	conns chan net.Conn
	done  chan struct{}
}

func (s *server) Accept() (net.Conn, error) {
	select {
	case conn := <-s.conns:
		return conn, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

func (s *server) Close() error   { close(s.done); return nil }
func (s *server) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

func serve(t testing.TB, hub *live.Hub) *server {
	t.Helper()
	s := &server{t: t, hub: hub, conns: make(chan net.Conn), done: make(chan struct{})}
	web := &http.Server{Handler: hub, ReadHeaderTimeout: time.Minute}
	go func() {
		if err := web.Serve(s); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	}()
	t.Cleanup(func() {
		if err := hub.Shutdown(context.Background()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := web.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// page is a browser's side of a websocket.
type page struct {
	t    testing.TB
	conn *websocket.Conn
}

// frame is what a page is told; the members tests look at.
type frame struct {
	Type  string `json:"type"`
	Build string `json:"build"`
	ID    string `json:"id"`
	V     int    `json:"version"`
	Seq   string `json:"seq"`
}

func (s *server) dial() *page {
	s.t.Helper()
	dialer := websocket.Dialer{NetDialContext: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		s.conns <- server
		return client, nil
	}}
	conn, _, err := dialer.Dial("ws://console.example/live", http.Header{"Origin": {"http://console.example"}})
	if err != nil {
		s.t.Fatalf("dial: %v", err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	return &page{t: s.t, conn: conn}
}

// open dials, takes the hello, watches, and takes the beat that answers.
func (s *server) open(since string, topics ...string) *page {
	s.t.Helper()
	p := s.dial()
	if hello := p.next(); len(hello) != 1 || hello[0].Type != "hello" {
		s.t.Fatalf("first frame = %v, want a hello", hello)
	}
	p.watch(since, topics...)
	return p
}

func (p *page) watch(since string, topics ...string) {
	p.t.Helper()
	if err := p.conn.WriteJSON(map[string]any{"watch": topics, "since": since}); err != nil {
		p.t.Fatalf("watch: %v", err)
	}
	synctest.Wait()
}

// next is the next text message, as the frames it joins.
func (p *page) next() []frame {
	p.t.Helper()
	frames, err := p.read()
	if err != nil {
		p.t.Fatalf("read: %v", err)
	}
	return frames
}

func (p *page) read() ([]frame, error) {
	_, data, err := p.conn.ReadMessage()
	if err != nil {
		return nil, err
	}
	if data[0] == '[' {
		var frames []frame
		err = json.Unmarshal(data, &frames)
		return frames, err
	}
	var f frame
	err = json.Unmarshal(data, &f)
	return []frame{f}, err
}

// rows reads until a beat and returns what came before it.
func (p *page) rows() []frame {
	p.t.Helper()
	var rows []frame
	for {
		for _, f := range p.next() {
			if f.Type == "beat" {
				return rows
			}
			rows = append(rows, f)
		}
	}
}

// closed reads to the end and returns the close code; 0 if there was none, or no end.
func (p *page) closed() int {
	p.t.Helper()
	for range 1000 {
		if _, err := p.read(); err != nil {
			if closing, ok := errors.AsType[*websocket.CloseError](err); ok {
				return closing.Code
			}
			return 0
		}
	}
	return 0
}

func row(topic, id string, version int) live.Message {
	return live.Message{
		Topics: []string{topic},
		Key:    "row/order_list/" + id,
		Body:   fmt.Appendf(nil, `{"type":"row","id":%q,"version":%d}`, id, version),
	}
}

func head(topic, id string, version int) live.Message {
	return live.Message{Topics: []string{topic}, Body: fmt.Appendf(nil, `{"type":"head","id":%q,"version":%d}`, id, version)}
}

// told lists frames as type/id/version, for comparing.
func told(frames []frame) []string {
	list := []string{}
	for _, f := range frames {
		list = append(list, fmt.Sprintf("%s %s v%d", f.Type, f.ID, f.V))
	}
	return list
}
