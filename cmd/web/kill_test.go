package main

import (
	"bufio"
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"headway/cmd/web/internal/plan"
	"headway/domain"
	"headway/eventstore"
	"headway/eventstore/sqlite"
	"headway/internal/faultydisk"
	"headway/orders"
	"headway/projections"
)

// What only the real program can show: it is built once, and killed, traced and disturbed from outside.
func TestProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds and starts the program many times")
	}
	program := filepath.Join(t.TempDir(), "web")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	t.Run("survives kill -9", func(t *testing.T) { testKills(t, program) })
	t.Run("is linearizable, killed or not", func(t *testing.T) { testCrowd(t, program) })
	t.Run("goes on when a full disk has room again", func(t *testing.T) { testFullDisk(t, program) })
	t.Run("syncs before it answers", func(t *testing.T) { testSync(t, program) })
	t.Run("a poison event holds its own order", func(t *testing.T) { testPoison(t, program) })
	t.Run("an import reaches open browsers", func(t *testing.T) { testImportBesideServer(t, program) })
	t.Run("an import that was killed is finished", func(t *testing.T) { testKilledImport(t, program) })
	t.Run("the demo serves its first page at once", func(t *testing.T) { testDemoStart(t, program) })
}

// process is a running server.
type process struct {
	cmd  *exec.Cmd
	url  string
	log  *bytes.Buffer // read it after the end only
	done chan error
}

var printedAddress = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// startServer starts the program and waits for the address that it prints.
func startServer(t *testing.T, command []string, dir string, flags ...string) *process {
	t.Helper()
	return startServerAs(t, "", command, dir, flags...)
}

func startServerAs(t *testing.T, env string, command []string, dir string, flags ...string) *process {
	t.Helper()
	args := append(command[1:len(command):len(command)], "--addr", "127.0.0.1:0", "--data", dir)
	p := &process{cmd: exec.Command(command[0], append(args, flags...)...), log: &bytes.Buffer{}, done: make(chan error, 1)}
	if env != "" {
		p.cmd.Env = append(os.Environ(), env)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		if t.Failed() {
			<-p.done
			t.Logf("the server said:\n%s", p.log)
		}
	})
	lines := bufio.NewScanner(stdout)
	for p.url == "" && lines.Scan() {
		p.url = printedAddress.FindString(lines.Text())
	}
	go func() {
		io.Copy(io.Discard, stdout)
		p.done <- p.cmd.Wait()
		close(p.done)
	}()
	if p.url == "" {
		<-p.done
		t.Fatalf("the server ended without an address:\n%s", p.log)
	}
	return p
}

// stop ends a server as an administrator does, and expects that it ends well.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-p.done; err != nil {
		t.Errorf("the server ended with %v:\n%s", err, p.log)
	}
}

// web runs another command of the program on the same folder.
func web(t *testing.T, program, dir string, args ...string) (output string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, append(args, "--data", dir)...)
	out, err := cmd.CombinedOutput()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func verifyClean(t *testing.T, program, dir string) {
	t.Helper()
	if out, code := web(t, program, dir, "verify"); code != 0 {
		t.Errorf("web verify found differences (exit %d):\n%s", code, out)
	}
}

// sent is one command as a client outside of the process remembers it.
type sent struct {
	id, path string
	body     map[string]any
	answer   *receipt // nil until there was a 2xx
}

type receipt struct {
	OrderID string   `json:"orderId"`
	Version int      `json:"version"`
	Events  []string `json:"events"`
}

// post sends a command; an error means that nobody knows whether it was stored.
func (c *sent) post(client *http.Client, base string) error {
	body, err := json.Marshal(c.body)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(http.MethodPost, base+c.path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	var r receipt
	if response.StatusCode/100 == 2 {
		err = json.Unmarshal(text, &r)
	} else {
		err = fmt.Errorf("%w: %d %s", errAnswered, response.StatusCode, text)
	}
	if err != nil {
		return err
	}
	if c.answer != nil && (c.answer.OrderID != r.OrderID || c.answer.Version != r.Version || !slices.Equal(c.answer.Events, r.Events)) {
		return fmt.Errorf("%w: first %+v, then %+v", errAnswered, *c.answer, r)
	}
	c.answer = &r
	return nil
}

// errAnswered is an answer that a client cannot make sense of.
var errAnswered = errors.New("a wrong answer")

func createCommand(reference string) *sent {
	return command("/orders", map[string]any{"customerId": "Ada Lovelace", "currency": "EUR", "reference": reference,
		"items": []map[string]any{{"sku": "TEA-1", "name": "Tea", "quantity": 2, "price": "12.90"}}})
}

func command(path string, body map[string]any) *sent {
	c := &sent{id: uuid.NewString(), path: path, body: body}
	body["commandId"] = c.id
	return c
}

// orderClient lives through orders of its own, one command after another: create, two items, confirm or cancel.
type orderClient struct {
	http    *http.Client
	rng     *rand.Rand
	history []*sent
	order   string
	version int
	steps   int
}

// next is the command that follows the last answer.
func (c *orderClient) next() *sent {
	if c.order == "" {
		return createCommand("")
	}
	path := "/orders/" + c.order
	switch expected := map[string]any{"expectedVersion": c.version}; {
	case c.steps < 2:
		expected["sku"], expected["name"], expected["quantity"], expected["price"] = "MUG-1", "Mug", 1+c.rng.IntN(9), "7.50"
		return command(path+"/items", expected)
	case c.rng.IntN(2) == 0:
		return command(path+"/confirm", expected)
	default:
		expected["reason"] = "changed their mind"
		return command(path+"/cancel", expected)
	}
}

// learn takes over the answer to the last command.
func (c *orderClient) learn(s *sent) {
	if strings.HasSuffix(s.path, "/confirm") || strings.HasSuffix(s.path, "/cancel") {
		c.order, c.version, c.steps = "", 0, 0
		return
	}
	if c.order != "" {
		c.steps++
	}
	c.order, c.version = s.answer.OrderID, s.answer.Version
}

// work sends commands until the server is gone; the last one may then be unanswered.
func (c *orderClient) work(base string, flying *atomic.Int64, acknowledged *atomic.Int64) error {
	if n := len(c.history); n > 0 && c.history[n-1].answer == nil {
		if err := c.history[n-1].post(c.http, base); errors.Is(err, errAnswered) {
			return fmt.Errorf("the retry of %s: %w", c.history[n-1].path, err)
		} else if err != nil {
			return nil //nolint:nilerr // the server is gone before it has answered anything
		}
		c.learn(c.history[n-1])
	}
	for {
		s := c.next()
		c.history = append(c.history, s)
		flying.Add(1)
		err := s.post(c.http, base)
		flying.Add(-1)
		if errors.Is(err, errAnswered) {
			return err
		}
		if err != nil {
			return nil //nolint:nilerr // the server is gone, as it was meant to be
		}
		acknowledged.Add(1)
		c.learn(s)
		if again := c.history[c.rng.IntN(len(c.history))]; c.rng.IntN(20) == 0 { // a double click
			if err := again.post(c.http, base); errors.Is(err, errAnswered) {
				return fmt.Errorf("a repeat: %w", err)
			}
		}
	}
}

// killPoints are where the program is killed: anywhere by a signal from outside, and at points that it reaches itself, by the n-th
// operation on a file. In the rows' log, the pages of rows and of their checkpoint come one after the other, in one transaction.
func killPoints() []killPoint {
	return []killPoint{
		{name: "at any moment"},
		{"before the write", will{Name: "events.db-wal", Kind: faultydisk.Write}},
		{"between write and answer", will{Name: "events.db-wal", Kind: faultydisk.Sync, After: true}},
		{"between events and rows, or between rows and checkpoint", will{Name: "read.db-wal", Kind: faultydisk.Write}},
		{"after rows and checkpoint, or between them", will{Name: "read.db-wal", Kind: faultydisk.Write, After: true}},
	}
}

type killPoint struct {
	name string
	will will
}

func soaking() bool { return os.Getenv("HEADWAY_SOAK") != "" }

// kill -9, once at each point, or ten times in the soak, with at least 16 commands in flight: nothing acknowledged is lost, nothing is
// stored twice, no version is missing, and the rows match.
func testKills(t *testing.T, program string) {
	const clients, leastFlying, leastAnswered = 32, 16, 200
	points := killPoints()
	kills := len(points)
	if soaking() {
		kills *= 10
	}
	dir := t.TempDir()
	chance := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	all := make([]*orderClient, clients)
	for i := range all {
		all[i] = &orderClient{rng: rand.New(rand.NewPCG(uint64(i), 1))}
	}
	for round := range kills {
		point := points[round%len(points)]
		command, env := []string{program}, ""
		if w := point.will; w.Name != "" {
			w.Folder, w.N = dir, 20+chance.IntN(500)
			if w.Kind == faultydisk.Sync {
				w.N = 5 + chance.IntN(30) // one for many commands
			}
			point.name += fmt.Sprintf(", operation %d", w.N)
			command, env = w.program()
		}
		p := startServerAs(t, env, command, dir)
		var flying, acknowledged atomic.Int64
		var working sync.WaitGroup
		for _, c := range all {
			c.http = &http.Client{Transport: &http.Transport{}}
			working.Go(func() {
				if err := c.work(p.url, &flying, &acknowledged); err != nil {
					t.Error(err)
				}
				c.http.CloseIdleConnections()
			})
		}
		if env == "" {
			deadline := time.Now().Add(20 * time.Second)
			for acknowledged.Load() < leastAnswered || flying.Load() < leastFlying {
				if time.Now().After(deadline) || t.Failed() {
					t.Errorf("round %d: only %d answers, %d in flight", round, acknowledged.Load(), flying.Load())
					break
				}
				time.Sleep(time.Millisecond) // it only decides when the kill comes
			}
			p.cmd.Process.Kill()
		}
		select {
		case <-p.done:
		case <-time.After(time.Minute):
			t.Errorf("%s: the program was not killed", point.name)
			p.cmd.Process.Kill()
		}
		working.Wait()
		unanswered := 0
		for _, c := range all {
			if n := len(c.history); n > 0 && c.history[n-1].answer == nil {
				unanswered++
			}
		}
		t.Logf("kill %d, %s: %d answers, %d under way", round+1, point.name, acknowledged.Load(), unanswered)
		if unanswered < leastFlying {
			t.Errorf("kill %d met only %d commands", round+1, unanswered)
		}
		if t.Failed() {
			return
		}
	}
	p := startServer(t, []string{program}, dir)
	for _, c := range all { // the last unanswered ones
		if last := c.history[len(c.history)-1]; last.answer == nil {
			if err := last.post(http.DefaultClient, p.url); err != nil {
				t.Errorf("the retry of %s: %v", last.path, err)
			}
		}
	}
	p.stop(t)
	checkHistories(t, dir, all)
	verifyClean(t, program, dir)
}

// checkHistories compares what clients were told with what the file holds.
func checkHistories(t *testing.T, dir string, clients []*orderClient) {
	t.Helper()
	store, err := sqlite.Open(filepath.Join(dir, "events.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	stored := map[domain.CommandID][]eventstore.Record{}
	total := 0
	for cursor := eventstore.Cursor(""); ; {
		heads, next, _, err := store.Walk(t.Context(), orders.Category, cursor, eventstore.MaxPage)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range heads {
			records, err := store.Read(t.Context(), h.Stream, 0)
			if err != nil || len(records) != h.Version {
				t.Errorf("order %s is at %d and has %d events, %v", orders.IDOf(h.Stream), h.Version, len(records), err)
			}
			for i, r := range records {
				if r.Version != i+1 {
					t.Errorf("order %s has version %d in place %d", orders.IDOf(h.Stream), r.Version, i+1)
				}
				stored[domain.CommandID(r.Metadata.CausationID)] = append(stored[domain.CommandID(r.Metadata.CausationID)], r)
				total++
			}
		}
		if next == "" {
			break
		}
		cursor = next
	}
	known := 0
	for _, c := range clients {
		for _, s := range c.history {
			records := stored[domain.CommandID(s.id)]
			switch {
			case s.answer == nil:
				t.Errorf("%s %s was never answered", s.path, s.id)
			case len(records) != len(s.answer.Events):
				t.Errorf("%s %s was answered with %d events, and %d are stored", s.path, s.id, len(s.answer.Events), len(records))
			case records[0].EventID != s.answer.Events[0] || records[0].Version != s.answer.Version || string(orders.IDOf(records[0].Stream)) != s.answer.OrderID:
				t.Errorf("%s %s was answered %+v, stored is %+v", s.path, s.id, s.answer, records[0])
			default:
				known += len(records)
			}
		}
	}
	if known != total {
		t.Errorf("%d events are stored, %d belong to a command of a client", total, known)
	}
	t.Logf("%d commands, every one stored once", known)
}

// Each answer is written only after the log of the event store was synced to the disk, which a kill cannot show: strace sees it.
func testSync(t *testing.T, program string) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal("strace is needed to see the sync before each answer: apt-get install strace")
	}
	const commands = 25
	dir := filepath.Join(t.TempDir(), "made", "here") // by the program
	trace := filepath.Join(t.TempDir(), "trace")
	p := startServer(t, []string{strace, "-D", "-f", "-yy", "-qq", "-s", "32", "-o", trace,
		"-e", "trace=write,writev,sendto,sendmsg,pwrite64,pwritev,ftruncate,fsync,fdatasync,exit_group", program}, dir)
	client := &http.Client{Transport: &http.Transport{}}
	worker := orderClient{rng: rand.New(rand.NewPCG(1, 2))}
	for range commands {
		s := worker.next()
		if err := s.post(client, p.url); err != nil {
			t.Fatal(err)
		}
		worker.learn(s)
	}
	p.stop(t)
	var lines []string
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		data, err := os.ReadFile(trace)
		if err != nil {
			t.Fatal(err)
		}
		if lines = strings.Split(string(data), "\n"); bytes.Contains(data, []byte("exit_group")) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("strace saw no end of the program; may it trace here?\n%s", lines[max(0, len(lines)-20):])
		}
	}
	answers, err := checkTrace(lines)
	if err != nil {
		t.Error(err)
	}
	if answers != commands {
		t.Errorf("the trace shows %d answers to %d commands", answers, commands)
	}
	t.Logf("%d answers, each after a sync", answers)

	for _, parent := range []string{filepath.Dir(dir), filepath.Dir(filepath.Dir(dir))} {
		if !slices.ContainsFunc(lines, func(line string) bool {
			return strings.Contains(line, "fsync(") && strings.Contains(line, "<"+parent+">")
		}) {
			t.Errorf("%s was not synced after a folder was made in it: a power cut could take the whole store", parent)
		}
	}

	// The check can fail: without the syncs, it does.
	without := slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
		return strings.Contains(line, "sync(") || strings.Contains(line, "sync resumed")
	})
	if _, err := checkTrace(without); err == nil {
		t.Error("a trace without syncs passes the check")
	}
}

var (
	traceCall    = regexp.MustCompile(`^(\d+) +(\w+)\(\d+<([^>]*)>(.*)$`)
	traceResumed = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>(.*)$`)
	traceAnswer  = regexp.MustCompile(`"HTTP/1\.1 20[01] `)
)

// checkTrace reads a trace of the program: since the answer before, the event store's log was written, and everything written to it was
// synced before this answer began. It tells how many answers to commands there were. A write counts from its beginning and a
// sync from its end.
func checkTrace(lines []string) (answers int, err error) {
	written, dirty := false, false
	syncing := map[string]bool{} // threads inside a sync of the log, with nothing written since it began
	for _, line := range lines {
		if m := traceResumed.FindStringSubmatch(line); m != nil {
			if clean, ours := syncing[m[1]]; ours && strings.HasSuffix(m[2], "sync") && strings.Contains(m[3], "= 0") {
				dirty = dirty && !clean
				delete(syncing, m[1])
			}
			continue
		}
		m := traceCall.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		thread, call, file, rest := m[1], m[2], m[3], m[4]
		switch {
		case strings.HasSuffix(file, "events.db-wal") && strings.HasSuffix(call, "sync"):
			if strings.Contains(rest, "unfinished") {
				syncing[thread] = true
			} else if strings.Contains(rest, "= 0") {
				dirty = false
			}
		case strings.HasSuffix(file, "events.db-wal"):
			written, dirty = true, true
			for other := range syncing {
				syncing[other] = false
			}
		case strings.Contains(line, "TCP") && traceAnswer.MatchString(line):
			answers++
			if !written || dirty {
				return answers, fmt.Errorf("answer %d is not preceded by a write and a sync of the event store's log (written %t, not synced %t): %s",
					answers, written, dirty, line)
			}
			written = false
		}
	}
	return answers, nil
}

// get reads JSON from a running server.
func get[T any](t *testing.T, address string) T {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var v T
	if err := json.NewDecoder(response.Body).Decode(&v); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v", address, response.StatusCode, err)
	}
	return v
}

type stampSeen struct {
	State  string
	Reason string
}

type ordersSeen struct {
	Orders []struct {
		ID, Reference string
		Version       int
		Stamp         stampSeen
	}
}

type projectionsSeen struct {
	Projections []struct {
		State string
		Holds []struct {
			OrderID string
			Version int
		}
	}
}

// eventually waits for something that a running server does by itself; it fails after a minute.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it did not happen: %s", what)
		}
	}
}

// An event that nobody can read, written straight into the database of a running server, sets its own order aside, marks its row, and
// stops nothing else.
func testPoison(t *testing.T, program string) {
	dir := t.TempDir()
	p := startServer(t, []string{program}, dir)
	post := func(s *sent) error { return s.post(http.DefaultClient, p.url) }
	bad, good := createCommand("POISONED"), createCommand("HEALTHY")
	for _, s := range []*sent{bad, good} {
		if err := post(s); err != nil {
			t.Fatal(err)
		}
	}
	row := func(reference string) (version int, stamp stampSeen) {
		for _, o := range get[ordersSeen](t, p.url+"/orders?q="+url.QueryEscape(reference)).Orders {
			if o.Reference == reference {
				return o.Version, o.Stamp
			}
		}
		return 0, stampSeen{}
	}
	current := func(reference string, version int) func() bool {
		return func() bool { at, stamp := row(reference); return at == version && stamp.State == "current" }
	}
	eventually(t, "both rows arrive", func() bool { return current("POISONED", 1)() && current("HEALTHY", 1)() })

	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "events.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`INSERT INTO events (aggregateId, version, eventType, schemaVersion, data) VALUES (?, 2, 'OrderItemAdded', 2, ?)`,
		bad.answer.OrderID, `{"item": poison`); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the poisoned row is held", func() bool { _, stamp := row("POISONED"); return stamp.State == "held" })
	if version, stamp := row("POISONED"); version != 1 || stamp.Reason == "" {
		t.Errorf("the held row is at version %d, reason %q", version, stamp.Reason)
	}

	confirm := command("/orders/"+bad.answer.OrderID+"/confirm", map[string]any{"expectedVersion": 2})
	if err := post(confirm); err == nil || !strings.Contains(err.Error(), "refused") || !strings.Contains(err.Error(), "held") {
		t.Errorf("a command on the held order: %v", err)
	}
	page := get[struct {
		Version, Head int
		Events        []struct{ Version int }
	}](t, p.url+"/orders/"+bad.answer.OrderID)
	if page.Head != 2 || len(page.Events) != 2 {
		t.Errorf("the held order's page is %+v", page)
	}
	eventually(t, "each projection names its hold, and goes on", func() bool {
		holds := 0
		for _, projection := range get[projectionsSeen](t, p.url+"/projections").Projections {
			if projection.State != "running" {
				t.Errorf("a projection is %s", projection.State)
			}
			for _, h := range projection.Holds {
				if h.OrderID != bad.answer.OrderID || h.Version != 2 {
					t.Errorf("held is %+v", h)
				}
				holds++
			}
		}
		return holds == len(projections.All())
	})

	if err := post(command("/orders/"+good.answer.OrderID+"/confirm", map[string]any{"expectedVersion": 1})); err != nil {
		t.Error(err)
	}
	if err := post(createCommand("LATER")); err != nil {
		t.Error(err)
	}
	eventually(t, "other orders go on", func() bool { return current("HEALTHY", 2)() && current("LATER", 1)() })
	p.stop(t)
}

func messyFile(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../testdata/messy.csv")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Rows of an import in another process come to an open websocket by themselves.
func testImportBesideServer(t *testing.T, program string) {
	dir := t.TempDir()
	p := startServer(t, []string{program}, dir)
	socket, _, err := websocket.DefaultDialer.DialContext(t.Context(), strings.Replace(p.url, "http", "ws", 1)+"/live", http.Header{"Origin": {p.url}})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	socket.SetReadDeadline(time.Now().Add(30 * time.Second))
	read := func() []frameSeen {
		_, data, err := socket.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		var many []frameSeen
		if data[0] != '[' {
			data = slices.Concat([]byte("["), data, []byte("]"))
		}
		if err := json.Unmarshal(data, &many); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		return many
	}
	if hello := read()[0]; hello.Type != "hello" {
		t.Fatalf("the first frame is %+v", hello)
	} else if err := socket.WriteJSON(map[string]any{"watch": []string{"orders"}, "since": hello.Seq}); err != nil {
		t.Fatal(err)
	}
	expected := readExpected(t)
	missing := map[string]bool{}
	for _, o := range expected.Orders {
		id := plan.Runner{Namespace: plan.Namespace("import")}.OrderID(plan.Plan{Name: o.Reference, Steps: []plan.Step{{Command: domain.CreateOrder{}}}})
		missing[string(id)] = true
	}
	began := time.Now()
	imported := make(chan string, 1)
	go func() {
		out, code := web(t, program, dir, "import", messyFile(t))
		imported <- fmt.Sprintf("exit %d after %s: %s", code, time.Since(began).Round(time.Millisecond), out)
	}()
	first := time.Duration(0)
	for len(missing) > 0 {
		for _, f := range read() {
			if f.Type == "row" && f.Projection == "order_list" {
				delete(missing, f.ID)
				if first == 0 {
					first = time.Since(began)
				}
			}
		}
	}
	t.Logf("the first row came %s after the import's start, the last %s after it", first.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	out := <-imported
	t.Log(strings.SplitN(out, "\n", 2)[0])
	if !strings.HasPrefix(out, "exit 1 ") || !strings.Contains(out, "12 bad lines") || !strings.Contains(out, "12 orders imported") {
		t.Errorf("the import said: %s", out)
	}
	if rows := get[ordersSeen](t, p.url+"/orders").Orders; len(rows) != len(expected.Orders) {
		t.Errorf("%d rows, not %d", len(rows), len(expected.Orders))
	}
	verifyClean(t, program, dir) // beside the running server, too
	p.stop(t)
}

type frameSeen struct{ Type, Projection, ID, Seq string }

// An import that was killed in the middle is finished by the next, and one more changes nothing.
func testKilledImport(t *testing.T, program string) {
	const orders = 1600
	dir := t.TempDir()
	file := filepath.Join(t.TempDir(), "clean.csv")
	if err := os.WriteFile(file, cleanFile(orders), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "import", file, "--data", dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "events.db")
	total := func() int {
		if _, err := os.Stat(path); err != nil {
			return 0
		}
		db, err := sql.Open("sqlite", "file:"+path+"?mode=rw&_pragma=busy_timeout(5000)")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var n int
		if err := db.QueryRow(`SELECT count(*) FROM events WHERE category = ''`).Scan(&n); err != nil {
			return 0 // the tables are not made yet
		}
		return n
	}
	eventually(t, "the import begins", func() bool { return total() > 100 })
	cmd.Process.Kill()
	cmd.Wait()
	before := total()
	if before >= cleanEvents(orders) {
		t.Fatal("the import had ended before it was killed")
	}
	began := time.Now()
	out, code := web(t, program, dir, "import", file)
	if code != 0 || total() != cleanEvents(orders) {
		t.Errorf("the second run: exit %d, %d events: %s", code, total(), out)
	}
	t.Logf("killed at %d events of %d; the next run took %s: %s", before, cleanEvents(orders), time.Since(began).Round(time.Millisecond), out)
	if out, code = web(t, program, dir, "import", file); code != 0 || total() != cleanEvents(orders) || !strings.Contains(out, fmt.Sprintf("%d there already", orders)) {
		t.Errorf("the third run: exit %d, %d events: %s", code, total(), out)
	}
	verifyClean(t, program, dir)
}

// The first page of a new demo does not wait for its history, which comes in while pages are served, and which a stop cuts short.
func testDemoStart(t *testing.T, program string) {
	began := time.Now()
	p := startServer(t, []string{program}, t.TempDir(), "--demo", "--demo-traffic", "0")
	get[ordersSeen](t, p.url+"/orders")
	first := time.Since(began)
	eventually(t, "the history comes in", func() bool {
		return get[struct{ Statuses map[string]int }](t, p.url+"/").Statuses["confirmed"] > 100
	})
	t.Logf("the first page came after %s, the first 100 confirmed orders after %s", first.Round(time.Millisecond),
		time.Since(began).Round(time.Millisecond))
	p.stop(t)
}
