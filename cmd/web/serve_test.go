package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"headway/cmd/web/console/consoletest"
	"headway/eventstore"
	"headway/orders"
)

// The whole program: it says where it is, keeps a second server away, keeps its files to their owner, and stops when asked.
func TestRun(t *testing.T) {
	dir := t.TempDir() + "/data"
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out := &lockedBuffer{}
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"--addr", "127.0.0.1:0", "--data", dir}, nil, strings.NewReader(""), out, io.Discard)
	}()
	var address string
	for deadline := time.Now().Add(20 * time.Second); address == ""; {
		if m := regexp.MustCompile(`Headway is at (http://127\.0\.0\.1:\d+)\n`).FindStringSubmatch(out.String()); m != nil {
			address = m[1]
		} else if time.Now().After(deadline) {
			t.Fatalf("it never said where it is: %s", out.String())
		} else {
			time.Sleep(5 * time.Millisecond) // between looks at what another goroutine writes; the deadline ends it
		}
	}
	answer, err := http.Get(address + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	ws, handshake, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(address, "http")+"/live", http.Header{"Origin": {address}})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	handshake.Body.Close()

	second := &lockedBuffer{}
	if code := run(t.Context(), []string{"--addr", "127.0.0.1:0", "--data", dir}, nil, nil, io.Discard, second); code != 1 ||
		!strings.Contains(second.String(), "Stop it first") {
		t.Errorf("a second server on the folder: %d %s", code, second.String())
	}
	checkPermissions(t, dir)

	stop()
	select {
	case code := <-ended:
		if code != 0 {
			t.Errorf("it ended with %d", code)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it did not stop within 10 s")
	}
	_ = ws.SetReadDeadline(time.Now().Add(5 * time.Second))
	for {
		if _, _, err = ws.ReadMessage(); err != nil {
			break
		}
	}
	if !websocket.IsCloseError(err, websocket.CloseServiceRestart) {
		t.Errorf("the socket was told %v, want 1012", err)
	}
}

// Settings that cannot be served are refused with a sentence, before anything is made.
func TestRefusedSettings(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		says string
		code int
	}{
		"an address others can reach":  {[]string{"--addr", "0.0.0.0:0"}, "sign-in", 1},
		"every address":                {[]string{"--addr", ":0"}, "sign-in", 1},
		"a name that is not loopback":  {[]string{"--addr", "example.com:80"}, "sign-in", 1},
		"an engine nobody knows":       {[]string{"--addr", "127.0.0.1:0", "--events", "postgres:X"}, "write sqlite:PATH or dynamodb:PREFIX", 1},
		"events in a search engine":    {[]string{"--addr", "127.0.0.1:0", "--events", "elasticsearch:http://x"}, "not an engine", 1},
		"rows in tables":               {[]string{"--addr", "127.0.0.1:0", "--read", "dynamodb:X"}, "write sqlite:PATH or elasticsearch:URL", 1},
		"an engine that is nowhere":    {[]string{"--addr", "127.0.0.1:0", "--read", "elasticsearch:"}, "does not say where", 1},
		"tables with a strange name":   {[]string{"--addr", "127.0.0.1:0", "--events", "dynamodb:a b"}, "prefix of the tables", 1},
		"an address that is none":      {[]string{"--addr", "127.0.0.1:0", "--read", "elasticsearch:localhost"}, "http://", 1},
		"an address asked too much":    {[]string{"--addr", "127.0.0.1:0", "--read", "elasticsearch:http://x?index=y"}, "“prefix”", 1},
		"tables of a file":             {[]string{"tables", "check"}, "dynamodb:PREFIX", 1},
		"a time zone nobody knows":     {[]string{"--timezone", "Moon/Base"}, "not a time zone", 2},
		"a flag nobody knows":          {[]string{"--colour", "red"}, "colour", 2},
		"a demo in another store":      {[]string{"--addr", "127.0.0.1:0", "--demo", "--events", "sqlite:x.db"}, "its own data", 1},
		"traffic that goes backwards":  {[]string{"--addr", "127.0.0.1:0", "--demo", "--demo-traffic=-1"}, "--demo-traffic", 1},
		"an address that is not there": {[]string{"--addr", "127.0.0.1:99999"}, "cannot be used", 1},
	} {
		t.Run(name, func(t *testing.T) {
			errs := &lockedBuffer{}
			code := run(t.Context(), append(test.args, "--data", t.TempDir()), nil, nil, io.Discard, errs)
			if code != test.code || !strings.Contains(errs.String(), test.says) {
				t.Errorf("%d %s", code, errs.String())
			}
		})
	}
	out := &lockedBuffer{}
	if code := run(t.Context(), []string{"version"}, []string{"HEADWAY_TIMEZONE=Europe/Berlin"}, nil, out, io.Discard); code != 0 || !strings.HasPrefix(out.String(), "headway ") {
		t.Errorf("version: %d %s", code, out.String())
	}
	if code := run(t.Context(), []string{"version"}, []string{"HEADWAY_TIMEZONE=Moon/Base"}, nil, io.Discard, io.Discard); code != 2 {
		t.Errorf("a bad variable: %d", code)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// checkPermissions wants a folder and files for their owner alone.
func checkPermissions(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A command that is under way when the server is asked to stop is stored and answered.
func TestStopFinishesRequests(t *testing.T) {
	app := openApp(t)
	stored := app.Events
	slow := slowStore{stored, make(chan struct{}), make(chan struct{})}
	app.Events = slow
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	app.Context = ctx
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := consoletest.Client{T: t, URL: "http://" + listener.Addr().String()}
	ended, answered := make(chan error, 1), make(chan consoletest.Reply, 1)
	go func() { ended <- serve(app, listener) }()
	go func() {
		answered <- c.PostJSON("/orders", `{"commandId":"`+uuid.NewString()+`","customerId":"Ada","currency":"EUR",`+
			`"items":[{"sku":"A","name":"B","quantity":1,"price":"1"}]}`)
	}()
	<-slow.begun
	stop()
	close(slow.goOn)
	if r := <-answered; r.Status != http.StatusCreated {
		t.Errorf("status %d\n%s", r.Status, r.Body)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if n := countEvents(t, stored); n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

// slowStore says when an append has begun, and waits until it may go on.
type slowStore struct {
	eventstore.Store
	begun, goOn chan struct{}
}

func (s slowStore) Append(
	ctx context.Context, id eventstore.StreamID, expect int, m eventstore.Metadata, events ...eventstore.NewEvent,
) ([]eventstore.Record, error) {
	if id.Category != orders.Category {
		return s.Store.Append(ctx, id, expect, m, events...)
	}
	close(s.begun)
	<-s.goOn
	return s.Store.Append(ctx, id, expect, m, events...)
}
