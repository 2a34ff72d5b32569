package engines_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"
)

// The bounds of the test: what it waits for comes much sooner, or never.
const (
	patience = 60 * time.Second
	pace     = 100 * time.Millisecond // between two commands of one writer
)

// console is a running server that a test may stop, kill and wake again.
type console struct {
	cmd  *exec.Cmd
	url  string
	logs bytes.Buffer // guarded by mu

	mu    sync.Mutex
	holds bool // it runs the projections, by its own words
	since time.Time
	ended bool
}

// Write takes what the server logs.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for line := range bytes.Lines(p) {
		runs := bytes.Contains(line, []byte("this process runs the projections"))
		if runs || bytes.Contains(line, []byte("this process stands by")) {
			c.holds, c.since = runs, time.Now()
		}
	}
	return c.logs.Write(p)
}

// role is whether it runs the projections, and since when; standing by before it has said anything.
func (c *console) role() (holds bool, since time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.holds, c.since
}

func (c *console) log() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.logs.String()
}

// start starts a server of its own.
func (in installation) start(t *testing.T) *console {
	t.Helper()
	c := &console{cmd: exec.Command(in.program, "--addr", "127.0.0.1:0", "--data", in.data, "--events", in.events, "--read", in.read)}
	c.cmd.Env, c.cmd.Stderr = in.environment, c
	stdout, err := c.cmd.StdoutPipe()
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.signal(t, syscall.SIGCONT)
		c.end(t, syscall.SIGTERM)
	})
	for lines := bufio.NewScanner(stdout); c.url == "" && lines.Scan(); {
		c.url = address.FindString(lines.Text())
	}
	if c.url == "" {
		t.Fatalf("the server did not say where it is\n%s", c.log())
	}
	return c
}

func (c *console) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
}

// end ends it once.
func (c *console) end(t *testing.T, s os.Signal) {
	t.Helper()
	if c.ended {
		return
	}
	c.ended = true
	c.signal(t, s)
	if err := c.cmd.Wait(); err != nil && s != syscall.SIGKILL {
		t.Errorf("the server ended with %v\n%s", err, c.log())
	}
}

// until waits for something that everybody can see.
func until(t *testing.T, rule string, seen func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !seen() {
		if time.Since(began) > patience {
			t.Fatalf("after %v it is not so: %s", patience, rule)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return time.Since(began)
}

// frame is a message of the live view, as far as it is of interest here.
type frame struct {
	Type, Projection, ID string
	Version              int
}

// browser is a page that follows the list of orders.
type browser struct {
	ws *websocket.Conn

	mu      sync.Mutex
	rows    map[string][]arrival // of each order, in the order in which they came
	news    int
	resyncs int
	faults  []string
}

type arrival struct {
	version int
	at      time.Time
}

func (c *console) browse(t *testing.T) *browser {
	t.Helper()
	ws, answer, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(c.url, "http")+"/live", http.Header{"Origin": {c.url}})
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	t.Cleanup(func() { _ = ws.Close() })
	if err := ws.WriteJSON(map[string]any{"watch": []string{"orders"}}); err != nil {
		t.Fatal(err)
	}
	b := &browser{ws: ws, rows: map[string][]arrival{}}
	watched := make(chan struct{})
	go b.read(watched)
	<-watched
	return b
}

// read takes frames until the socket ends. The first of them says that the topics are watched.
func (b *browser) read(watched chan<- struct{}) {
	first := sync.OnceFunc(func() { close(watched) })
	defer first()
	for {
		_, data, err := b.ws.ReadMessage()
		if err != nil {
			return
		}
		now := time.Now()
		var frames []frame
		if bytes.HasPrefix(data, []byte("{")) {
			data = fmt.Appendf(nil, "[%s]", data)
		}
		b.mu.Lock()
		if err := json.Unmarshal(data, &frames); err != nil {
			b.faults = append(b.faults, fmt.Sprintf("%v: %s", err, data))
		}
		for _, f := range frames {
			b.take(f, now)
		}
		b.mu.Unlock()
		first()
	}
}

func (b *browser) take(f frame, now time.Time) {
	switch {
	case f.Type == "resync":
		b.resyncs++
	case f.Type == "row" && f.Projection == "order_list":
		b.news++
		all := b.rows[f.ID]
		if len(all) > 0 && f.Version < all[len(all)-1].version {
			b.faults = append(b.faults, fmt.Sprintf("order %s went back from %d to %d", f.ID, all[len(all)-1].version, f.Version))
		}
		b.rows[f.ID] = append(all, arrival{f.Version, now})
	}
}

// told is how many rows have come.
func (b *browser) told() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.news
}

// arrived is when the browser first had a version of an order, or a newer one.
func (b *browser) arrived(id string, version int) (time.Time, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.rows[id] {
		if a.version >= version {
			return a.at, true
		}
	}
	return time.Time{}, false
}

// faultless is what every browser must find at any time.
func (b *browser) faultless(t *testing.T, name string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, fault := range b.faults {
		t.Errorf("the browser on %s: %s", name, fault)
	}
}

// sound is what one must find whose console is well.
func (b *browser) sound(t *testing.T, name string) {
	t.Helper()
	b.faultless(t, name)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.resyncs > 0 {
		t.Errorf("the browser on %s was told %d times to read everything again", name, b.resyncs)
	}
}

// answered is a command that was stored.
type answered struct {
	id      string
	version int
	at      time.Time
}

// desk is where commands come from, and what was answered to them.
type desk struct {
	mu   sync.Mutex
	all  []answered
	head map[string]int // of each order
}

// known are the orders and their versions that were answered by now.
func (d *desk) known() map[string]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.head)
}

func (d *desk) answers() []answered {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.all)
}

func (d *desk) took(id string, version int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, answered{id, version, time.Now()})
	d.head[id] = max(d.head[id], version)
}

// tell gives a command as a program does.
func tell(ctx context.Context, url string, body map[string]any) (id string, version int, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return "", 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(text))
	if err != nil {
		return "", 0, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= http.StatusMultipleChoices {
		return "", 0, fmt.Errorf("%d, %w: %s", res.StatusCode, err, answer)
	}
	var receipt struct {
		OrderID string `json:"orderId"`
		Version int    `json:"version"`
	}
	return receipt.OrderID, receipt.Version, json.Unmarshal(answer, &receipt)
}

// work gives commands, one each pace, through a console until the context ends: an order is made, then changed three times, so that rows of
// many ages are under way.
func (d *desk) work(ctx context.Context, t *testing.T, c *console, name string) {
	item := map[string]any{"sku": "LAMP", "name": "Desk lamp", "quantity": 2, "price": "12.50"}
	tick := time.NewTicker(pace)
	defer tick.Stop()
	id, version := "", 0
	for n := 0; ; n++ {
		path, body := "/orders", map[string]any{"commandId": uuid.NewString()}
		switch n % 4 {
		case 0:
			body["customerId"], body["currency"], body["reference"] = fmt.Sprintf("Customer %d", n%12), "EUR", fmt.Sprintf("%s-%d", name, n)
			body["items"] = []map[string]any{item}
		case 3:
			path, body["expectedVersion"] = "/orders/"+id+"/confirm", version
		default:
			path, body["expectedVersion"] = "/orders/"+id+"/items", version
			maps.Copy(body, item)
		}
		var err error
		if id, version, err = tell(context.WithoutCancel(ctx), c.url+path, body); err != nil {
			t.Errorf("a command through %s: %v", name, err)
			return
		}
		d.took(id, version)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// busy has desks work until it is stopped.
func busy(t *testing.T, work ...func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for _, w := range work {
		all.Go(func() { w(ctx) })
	}
	stop = sync.OnceFunc(func() { cancel(); all.Wait() })
	t.Cleanup(stop)
	return stop
}

// shown is the list as it is shown.
type shown struct {
	Orders []struct {
		ID      string
		Version int
		Head    int
		Stamp   struct{ State string }
	}
	Stamp struct{ State string }
}

// row is an order in a list.
type row struct {
	id      string
	version int
	current bool
}

func rowsForPrograms(ctx context.Context, url string) (rows []row, err error) {
	list, err := listOf(ctx, url)
	for _, o := range list.Orders {
		rows = append(rows, row{o.ID, o.Version, o.Stamp.State == "current"})
	}
	return rows, err
}

var pageRows = regexp.MustCompile(`(?s)<tr data-live="order_list" data-id="([^"]+)" data-version="(\d+)".*?data-state="([a-z]+)"`)

func rowsForPeople(ctx context.Context, url string) (rows []row, err error) {
	page, err := fetch(ctx, url+"/orders", "text/html")
	for _, r := range pageRows.FindAllSubmatch(page, -1) {
		version, _ := strconv.Atoi(string(r[2]))
		rows = append(rows, row{string(r[1]), version, string(r[3]) == "current"})
	}
	return rows, err
}

func listOf(ctx context.Context, url string) (list shown, err error) {
	answer, err := fetch(ctx, url+"/orders", "application/json")
	if err == nil {
		err = json.Unmarshal(answer, &list)
	}
	return list, err
}

// look reads the list again and again until the context ends. No row of it goes back, and none that lacks what was answered before the
// question is said to be current: neither to programs nor to browsers.
func (d *desk) look(ctx context.Context, t *testing.T, c *console, name string) {
	newest := map[string]int{}
	check := func(before map[string]int, id string, version int, current bool) {
		if version < newest[id] {
			t.Errorf("on %s the row of %s went back from %d to %d", name, id, newest[id], version)
		}
		newest[id] = max(newest[id], version)
		if current && version < before[id] {
			t.Errorf("on %s the row of %s at %d is said to be current, but %d was answered before", name, id, version, before[id])
		}
	}
	for n := 0; ctx.Err() == nil; n++ {
		before := d.known()
		read := rowsForPrograms
		if n%4 == 3 {
			read = rowsForPeople
		}
		rows, err := read(ctx, c.url)
		if err != nil && ctx.Err() == nil {
			t.Errorf("the list on %s: %v", name, err)
		}
		for _, r := range rows {
			check(before, r.id, r.version, r.current)
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func fetch(ctx context.Context, url, accept string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%d: %.300s", res.StatusCode, body)
	}
	return body, err
}

// measure says how long after the answers to commands their rows came to a browser, every one of which must.
func (b *browser) measure(t *testing.T, name string, commands []answered) {
	t.Helper()
	var took []time.Duration
	for _, c := range commands {
		var at time.Time
		until(t, fmt.Sprintf("the browser on %s has version %d of order %s", name, c.version, c.id), func() (ok bool) {
			at, ok = b.arrived(c.id, c.version)
			return ok
		})
		took = append(took, max(0, at.Sub(c.at)))
	}
	slices.Sort(took)
	if len(took) > 0 {
		t.Logf("%s: %d changes, after the answer p50 %v, p99 %v, at most %v (at p99 the goal is 2 s)", name, len(took),
			took[len(took)/2].Round(time.Millisecond), took[(len(took)*99-1)/100].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
	}
}

// stopped is for how long the holder is stopped: longer than its lease stands still before it is taken over.
func stopped() time.Duration {
	if os.Getenv("HEADWAY_SOAK") != "" {
		return time.Minute
	}
	return 15 * time.Second
}

// A change made through one console reaches the browsers of another, whichever of them runs the projections. When that one is killed, or
// stopped and woken again, the other takes over: its browsers go on to get news, no row goes back, and in the end every row is right.
func TestSeveralConsolesOnOnePair(t *testing.T) {
	dir := t.TempDir()
	in := installation{program: filepath.Join(dir, "web"), data: filepath.Join(dir, "data")}
	if out, err := exec.Command("go", "build", "-o", in.program, "../../cmd/web").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	in.events, in.read, in.environment = distributed(t)
	in.wants(t, 0, "-heads is ready", "tables", "create")
	ada := in.start(t)
	until(t, "the first console runs the projections", func() bool { holds, _ := ada.role(); return holds })
	bob := in.start(t)
	until(t, "the second stands by", func() bool { _, since := bob.role(); return !since.IsZero() })
	if holds, _ := bob.role(); holds {
		t.Fatal("both run the projections")
	}
	onAda, onBob := ada.browse(t), bob.browse(t)

	commands := &desk{head: map[string]int{}}
	through := func(c *console, name string) func(context.Context) {
		return func(ctx context.Context) { commands.work(ctx, t, c, name) }
	}
	lists := func(c *console, name string) func(context.Context) {
		return func(ctx context.Context) { commands.look(ctx, t, c, name) }
	}

	// Both are well.
	for _, c := range []struct {
		name string
		to   *console
	}{{"through the one that runs the projections", ada}, {"through the one that stands by", bob}} {
		before := len(commands.answers())
		stop := busy(t, through(c.to, "first"), through(c.to, "second"), lists(bob, "bob"))
		time.Sleep(5 * time.Second)
		stop()
		onBob.measure(t, c.name+", to browsers of the one that stands by", commands.answers()[before:])
		onAda.measure(t, c.name+", to browsers of the one that runs the projections", commands.answers()[before:])
	}

	// The one that runs the projections is killed.
	before := len(commands.answers())
	stop := busy(t, through(bob, "third"), lists(bob, "bob"))
	time.Sleep(time.Second)
	ada.end(t, syscall.SIGKILL)
	killed := time.Now()
	until(t, "the other took over from the killed one", func() bool { holds, _ := bob.role(); return holds })
	_, since := bob.role()
	t.Logf("killed: the other runs the projections %.1f s later (its goal is 10 s after the last sign of life)", since.Sub(killed).Seconds())
	time.Sleep(time.Second)
	stop()
	onBob.measure(t, "killed, to browsers of the other", commands.answers()[before:])
	onAda.sound(t, "the killed one")

	// The one that runs the projections is stopped, and woken again after another has long taken over.
	eve := in.start(t)
	until(t, "the third stands by", func() bool { _, since := eve.role(); return !since.IsZero() })
	onEve := eve.browse(t)
	before = len(commands.answers())
	stop = busy(t, through(eve, "fourth"), lists(eve, "eve"))
	time.Sleep(time.Second)
	bob.signal(t, syscall.SIGSTOP)
	slept := time.Now()
	until(t, "the third took over from the stopped one", func() bool { holds, _ := eve.role(); return holds })
	_, since = eve.role()
	t.Logf("stopped: the other runs the projections %.1f s later", since.Sub(slept).Seconds())
	told := onEve.told()
	until(t, "the browsers of the other get news meanwhile", func() bool { return onEve.told() > told })
	time.Sleep(time.Until(slept.Add(stopped())))
	again := busy(t, lists(bob, "bob, woken again"))
	bob.signal(t, syscall.SIGCONT)
	woken := until(t, "the one that was stopped stands by", func() bool { holds, _ := bob.role(); return !holds })
	t.Logf("woken again after %v: it stands by %v later", stopped(), woken.Round(time.Millisecond))
	onBob.faultless(t, "bob, stopped")
	onBob, woke := bob.browse(t), len(commands.answers()) // who was cut off for long reads everything again
	told = onEve.told()
	until(t, "the browsers of the other get news after that", func() bool { return onEve.told() > told })
	time.Sleep(2 * time.Second)
	stop()
	onEve.measure(t, "stopped, to browsers of the other", commands.answers()[before:])
	onBob.measure(t, "woken again, to browsers of the one that was stopped", commands.answers()[woke:])
	again()
	if holds, _ := eve.role(); !holds {
		t.Error("the one that took over was pushed out by the one that was stopped")
	}

	for name, c := range map[string]*console{"bob": bob, "eve": eve} {
		until(t, "the list on "+name+" is current", func() bool {
			list, err := listOf(t.Context(), c.url)
			return err == nil && list.Stamp.State == "current"
		})
		if rows, err := rowsForPeople(t.Context(), c.url); err != nil || len(rows) == 0 || !rows[0].current {
			t.Errorf("the page on %s: %v, %v", name, rows, err)
		}
		page, err := fetch(t.Context(), c.url+"/projections/order_list", "text/html")
		if want := fmt.Sprintf("process %d, ", eve.cmd.Process.Pid); err != nil || !bytes.Contains(page, []byte(want)) {
			t.Errorf("the page on %s does not say that %sruns the order list: %v", name, want, err)
		}
	}
	onBob.sound(t, "bob")
	onEve.sound(t, "eve")
	events := 0
	for _, version := range commands.known() {
		events += version
	}
	in.wants(t, 0, fmt.Sprintf("Every row matches the log: %d orders with %d events", len(commands.known()), events), "verify")
	eve.end(t, syscall.SIGTERM)
	ended := time.Now()
	until(t, "the other takes over from one that ended", func() bool { holds, _ := bob.role(); return holds })
	_, since = bob.role()
	t.Logf("ended gracefully: the other runs the projections %.1f s later", since.Sub(ended).Seconds())
}
