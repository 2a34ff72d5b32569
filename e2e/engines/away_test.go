package engines_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"headway/projections"
)

// mostGrowth is what a console's memory may grow by while its read store is away: it keeps nothing for it.
const mostGrowth = 64 << 20

// away is for how long the read store is away.
func away() time.Duration {
	if os.Getenv("HEADWAY_SOAK") != "" {
		return 2 * time.Minute
	}
	return 6 * time.Second
}

// road leads to a server and can be closed: then who comes is turned away, or, if it is flooded, is left standing.
type road struct {
	listener net.Listener
	to       string

	mu      sync.Mutex
	closed  bool
	flooded bool
	on      map[net.Conn]bool
}

func newRoad(t *testing.T, to string) *road {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &road{listener: listener, to: to, on: map[net.Conn]bool{}}
	var going sync.WaitGroup
	going.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			going.Go(func() { r.carry(c) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		r.set(true, false)
		going.Wait()
	})
	return r
}

// set opens or closes the road. Whoever is on it has to leave.
func (r *road) set(closed, flooded bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed, r.flooded = closed, flooded
	for c := range r.on {
		_ = c.Close()
		delete(r.on, c)
	}
}

// enter tells whether a connection may be on the road, and whether it gets anywhere.
func (r *road) enter(c net.Conn) (may, moves bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed && !r.flooded {
		_ = c.Close()
		return false, false
	}
	r.on[c] = true
	return true, !r.closed
}

func (r *road) carry(c net.Conn) {
	may, moves := r.enter(c)
	if !may {
		return
	}
	if !moves {
		_, _ = io.Copy(io.Discard, c) // until it gives up
		return
	}
	far, err := net.Dial("tcp", r.to)
	if err != nil {
		_ = c.Close()
		return
	}
	if may, _ := r.enter(far); !may {
		return
	}
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{c, far}, {far, c}} {
		both.Go(func() {
			_, _ = io.Copy(way[1], way[0])
			_ = way[0].Close()
			_ = way[1].Close()
		})
	}
	both.Wait()
}

var resident = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

// memory is what the server has in memory, in bytes.
func (c *console) memory(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	found := resident.FindSubmatch(status)
	if err != nil || found == nil {
		t.Fatalf("the memory of the server is not known: %v", err)
	}
	kilobytes, _ := strconv.Atoi(string(found[1]))
	return kilobytes << 10
}

// answer is what somebody is told.
func answer(ctx context.Context, url, accept string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Accept", accept)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	body, err = io.ReadAll(res.Body)
	return res.StatusCode, body, err
}

// While Elasticsearch is away, turning requests away or letting them hang, commands and order pages go on, lists and states say why they
// have nothing newer, and memory stays as it is. When it is back, everything arrives.
func TestElasticsearchAway(t *testing.T) {
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
	way, direct := newRoad(t, node.Host), in
	in.read = strings.Replace(in.read, node.Host, way.listener.Addr().String(), 1)
	c := in.start(t)
	until(t, "the console runs the projections", func() bool { holds, _ := c.role(); return holds })
	page := c.browse(t)

	commands := &desk{head: map[string]int{}}
	var mu sync.Mutex
	pages, slowest := 0, time.Duration(0)
	visit := func(ctx context.Context) { // people look at orders all the while
		for ctx.Err() == nil {
			for id, version := range commands.known() {
				began := time.Now()
				status, body, err := answer(context.WithoutCancel(ctx), c.url+"/orders/"+id, "text/html")
				if want := fmt.Sprintf(`data-version="%d"`, version); err != nil || status != http.StatusOK ||
					!bytes.Contains(body, []byte(want)) && !bytes.Contains(body, fmt.Appendf(nil, `data-version="%d"`, version+1)) {
					t.Errorf("the page of order %s at %d: %d, %v", id, version, status, err)
				}
				mu.Lock()
				pages, slowest = pages+1, max(slowest, time.Since(began))
				mu.Unlock()
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	var work []func(context.Context)
	for n := range 4 {
		work = append(work, func(ctx context.Context) { commands.work(ctx, t, c, fmt.Sprint("desk ", n)) })
	}
	stop := busy(t, append(work, visit)...)
	time.Sleep(2 * time.Second)
	before, most := c.memory(t), 0
	taken := len(commands.answers())

	way.set(true, false)
	left := time.Now()
	for flooded := false; time.Since(left) < away(); time.Sleep(250 * time.Millisecond) {
		if !flooded && time.Since(left) > away()/2 {
			flooded = true
			way.set(true, true)
		}
		most = max(most, c.memory(t))
	}
	// Both are asked at the end of it, because the last answers of the node may have been under way at the beginning.
	status, list, err := answer(t.Context(), c.url+"/orders", "text/html")
	if err != nil || status != http.StatusServiceUnavailable || !bytes.Contains(list, []byte("cannot be reached")) {
		t.Errorf("the list while its rows cannot be read: %d, %v\n%.2000s", status, err, list)
	}
	status, states, err := answer(t.Context(), c.url+"/projections", "application/json")
	if err != nil || status != http.StatusOK || bytes.Count(states, []byte(`"state": "unreachable"`)) != len(projections.All()) {
		t.Errorf("the states: %d, %v\n%s", status, err, states)
	}
	meanwhile := len(commands.answers()) - taken
	if meanwhile == 0 {
		t.Error("no command was stored while the read store was away")
	}
	way.set(false, false)
	back := time.Now()
	time.Sleep(2 * time.Second)
	stop()
	mu.Lock()
	t.Logf("away for %v: %d commands meanwhile, %d pages of orders, the slowest %v; memory %d MiB before, at most %d MiB", away(), meanwhile,
		pages, slowest.Round(time.Millisecond), before>>20, most>>20)
	mu.Unlock()
	if most-before > mostGrowth {
		t.Errorf("memory grew from %d to %d bytes", before, most)
	}
	until(t, "the list is current again", func() bool {
		list, err := listOf(t.Context(), c.url)
		return err == nil && list.Stamp.State == "current"
	})
	t.Logf("everything was there %v after it came back", time.Since(back).Round(time.Millisecond))
	id, version, err := tell(t.Context(), c.url+"/orders", map[string]any{
		"commandId": uuid.NewString(), "customerId": "Afterwards", "currency": "EUR",
		"items": []map[string]any{{"sku": "LAMP", "name": "Desk lamp", "quantity": 1, "price": "12.50"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	commands.took(id, version)
	until(t, "the page that stayed open gets news again", func() bool {
		_, ok := page.arrived(id, version)
		return ok
	})
	page.faultless(t, "the page that stayed open") // of too much at once it was told to read everything again
	events := 0
	for _, version := range commands.known() {
		events += version
	}
	direct.wants(t, 0, fmt.Sprintf("Every row matches the log: %d orders with %d events", len(commands.known()), events), "verify")
}
