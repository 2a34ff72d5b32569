package engines_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"headway/projections"
)

// silent is for how long the network between the console and its read store swallows everything: longer than a page waits for an answer.
func silent() time.Duration {
	if os.Getenv("HEADWAY_SOAK") != "" {
		return 2 * time.Minute
	}
	return 8 * time.Second
}

// valve is a way to a server that can be shut without anybody being told: connections stay, new ones come about, and nothing arrives. What
// was on the way arrives when it is opened, however long ago whoever sent it gave up.
type valve struct {
	listener net.Listener
	to       string

	mu   sync.Mutex
	open chan struct{} // closed while it is open
	ends []net.Conn
}

func newValve(t *testing.T, to string) *valve {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v := &valve{listener: listener, to: to, open: make(chan struct{})}
	close(v.open)
	var going sync.WaitGroup
	going.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			going.Go(func() { v.carry(near) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		v.turn(true)
		v.mu.Lock()
		for _, c := range v.ends {
			_ = c.Close()
		}
		v.mu.Unlock()
		going.Wait()
	})
	return v
}

// turn opens or shuts it.
func (v *valve) turn(open bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	select {
	case <-v.open:
		if !open {
			v.open = make(chan struct{})
		}
	default:
		if open {
			close(v.open)
		}
	}
}

func (v *valve) opened() <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.open
}

func (v *valve) carry(near net.Conn) {
	defer near.Close()
	<-v.opened()
	far, err := net.Dial("tcp", v.to)
	if err != nil {
		return
	}
	defer far.Close()
	v.mu.Lock()
	v.ends = append(v.ends, near, far)
	v.mu.Unlock()
	var back sync.WaitGroup
	back.Go(func() { v.flow(near, far) })
	v.flow(far, near)
	back.Wait()
}

// flow carries one direction to its end, which is the end of the other, too: nobody here closes half of a connection.
func (v *valve) flow(to, from net.Conn) {
	part := make([]byte, 32<<10)
	for {
		n, err := from.Read(part)
		<-v.opened()
		if n > 0 {
			if _, err := to.Write(part[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	_ = to.Close()
	_ = from.Close()
}

// slowest is the longest of some durations.
type slowest struct {
	mu   sync.Mutex
	n    int
	most time.Duration
}

func (s *slowest) since(began time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n, s.most = s.n+1, max(s.most, time.Since(began))
}

func (s *slowest) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%d, the slowest %v", s.n, s.most.Round(time.Millisecond))
}

// A network that swallows everything is worse than a node that is away: nobody is turned away, and what was sent arrives long after it was
// given up. Commands and order pages go on, also those that conflict; every page and probe that needs rows says in time why it has none;
// memory stays as it is; and when the network comes back, the late requests of before do no harm.
func TestElasticsearchFallsSilent(t *testing.T) {
	dir := t.TempDir()
	in := installation{program: filepath.Join(dir, "web"), data: filepath.Join(dir, "data")}
	if out, err := exec.Command("go", "build", "-o", in.program, "../../cmd/web").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	in.events, in.read, in.environment = distributed(t)
	in.wants(t, 0, "-heads is ready", "tables", "create")
	node, err := url.Parse(setting(t, "HEADWAY_TEST_ELASTICSEARCH"))
	if err != nil {
		t.Fatal(err)
	}
	way, direct := newValve(t, node.Host), in
	in.read = strings.Replace(in.read, node.Host, way.listener.Addr().String(), 1)
	c := in.start(t)
	until(t, "the console runs the projections", func() bool { holds, _ := c.role(); return holds })

	commands := &desk{head: map[string]int{}}
	var conflicts, pages, lists slowest
	const pause = 100 * time.Millisecond // of each client
	some := func() (id string, version int) {
		for id, version = range commands.known() {
			break
		}
		return id, version
	}
	late := func(ctx context.Context) { // who works with an old page is told so, by the log
		for ctx.Err() == nil {
			if id, version := some(); version > 1 {
				began := time.Now()
				_, _, err := tell(context.WithoutCancel(ctx), c.url+"/orders/"+id+"/items", map[string]any{
					"commandId": uuid.NewString(), "expectedVersion": version - 1, "sku": "LAMP", "name": "Desk lamp", "quantity": 1, "price": "12.50",
				})
				if err == nil || !strings.HasPrefix(err.Error(), "409") {
					t.Errorf("a command at version %d of %d: %v", version-1, version, err)
				}
				conflicts.since(began)
			}
			time.Sleep(pause)
		}
	}
	visit := func(ctx context.Context) {
		for ctx.Err() == nil {
			if id, _ := some(); id != "" {
				began := time.Now()
				if status, _, err := answer(context.WithoutCancel(ctx), c.url+"/orders/"+id, "text/html"); err != nil || status != http.StatusOK {
					t.Errorf("the page of order %s: %d, %v", id, status, err)
				}
				pages.since(began)
			}
			time.Sleep(pause)
		}
	}
	browse := func(ctx context.Context) { // a list is there, or says why not
		for ctx.Err() == nil {
			began := time.Now()
			status, body, err := answer(context.WithoutCancel(ctx), c.url+"/orders", "text/html")
			if err != nil || status != http.StatusOK && (status != http.StatusServiceUnavailable || !bytes.Contains(body, []byte("cannot be reached"))) {
				t.Errorf("the list: %d, %v\n%.1000s", status, err, body)
			}
			lists.since(began)
			time.Sleep(pause)
		}
	}
	stop := busy(t, func(ctx context.Context) { commands.work(ctx, t, c, "first") }, func(ctx context.Context) { commands.work(ctx, t, c, "second") },
		late, visit, visit, browse)
	time.Sleep(2 * time.Second)
	before, taken := c.memory(t), len(commands.answers())

	way.turn(false)
	fell := time.Now()
	var curve []string
	most := before
	measured := busy(t, func(ctx context.Context) {
		for ctx.Err() == nil {
			now := c.memory(t)
			curve, most = append(curve, fmt.Sprint(now>>20)), max(most, now)
			time.Sleep(silent() / 16)
		}
	})
	noticed := until(t, "the states say that the read store is unreachable", func() bool {
		_, states, err := answer(t.Context(), c.url+"/projections", "application/json")
		return err == nil && bytes.Count(states, []byte(`"state": "unreachable"`)) == len(projections.All())
	})
	if status, said, err := answer(t.Context(), c.url+"/readyz", "application/json"); err != nil || status != http.StatusServiceUnavailable ||
		!bytes.Contains(said, []byte(`"ready": false`)) || !bytes.Contains(said, []byte(`"events": "ok"`)) {
		t.Errorf("the probe: %d, %v\n%s", status, err, said)
	}
	time.Sleep(time.Until(fell.Add(silent())))
	stored := len(commands.answers()) - taken
	if stored == 0 {
		t.Error("no command was stored meanwhile")
	}
	way.turn(true)
	back := time.Now()
	until(t, "the list is read again", func() bool {
		status, _, err := answer(t.Context(), c.url+"/orders", "application/json")
		return err == nil && status == http.StatusOK
	})
	listed := time.Since(back)
	time.Sleep(time.Second)
	stop()
	measured()
	until(t, "the list is current again", func() bool {
		list, err := listOf(t.Context(), c.url)
		return err == nil && list.Stamp.State == "current"
	})
	t.Logf("silent for %v, said after %v; %d commands were stored meanwhile; conflicts: %s; order pages: %s; lists: %s", silent(),
		noticed.Round(time.Millisecond), stored, &conflicts, &pages, &lists)
	t.Logf("memory in MiB: %s; lists were read again %v after it came back, and current after %v", strings.Join(curve, " "),
		listed.Round(time.Millisecond), time.Since(back).Round(time.Millisecond))
	if most-before > mostGrowth {
		t.Errorf("memory grew from %d to %d bytes", before, most)
	}
	events := 0
	for _, version := range commands.known() {
		events += version
	}
	direct.wants(t, 0, fmt.Sprintf("Every row matches the log: %d orders with %d events", len(commands.known()), events), "verify")
}
