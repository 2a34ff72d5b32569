package simulation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// The times of static/live.js.
const (
	tickEvery     = time.Second
	connectWithin = 10 * time.Second
	askEvery      = 2 * time.Second
)

// Consoles is how a browser reaches a process of the console, whichever that is.
type Consoles interface {
	Dial(ctx context.Context) (net.Conn, error)
	// Get answers the status, and the page.
	Get(ctx context.Context, path string) (int, string, error)
}

// Page is a page in a browser: it does what static/live.js does, and complains of whatever a page must never do. Everything happens in the
// goroutine of Run; the other methods wait for it.
type Page struct {
	Name, Path string
	Consoles   Consoles
	Random     *rand.Rand
	Lag        func() time.Duration // before each message is read; called by the socket's own goroutine
	// Broken is told of a rule that was broken, and the order concerned.
	Broken func(id, what string)
	Trace  func(id, what string)
	// Tape, if it is set, gets every frame with its time and what the page makes of it.
	Tape func(TapeEntry)

	began     time.Time
	uncounted time.Duration // time that the monotonic clock did not count
	doc       document
	state     *State
	reading   reading
	socket    *socket
	hub       string // of the socket
	attempt   int
	retry     <-chan time.Time
	giveUp    <-chan time.Time
	asking    context.CancelFunc
	failed    int
	askedAt   *int64
	frozen    bool
	drowsy    time.Time // until then it hears what waits in the socket, and its timers do not run: as when a laptop wakes
	heard     chan message
	asked     chan asked
	do        chan func()

	taped   map[string]string
	told    map[string]int64 // the newest head of each order that this page was told
	contact int64            // when it last heard of the server
}

// TapeEntry is one frame on a page's tape, and what the page says after it.
type TapeEntry struct {
	At     int64             `json:"at"`
	Frame  Frame             `json:"frame"`
	Stamps map[string]string `json:"stamps,omitempty"` // of live elements, by projection and id; those that changed
	Fresh  int               `json:"fresh"`
	Since  string            `json:"since"`
	Live   bool              `json:"live"`
}

// socket is a connection of the page; what it says after the page let go of it is not heard.
type socket struct {
	ctx   context.Context
	close context.CancelFunc
	say   chan []byte
}

type message struct {
	from   *socket
	opened bool
	closed bool
	code   int
	data   []byte
}

type asked struct {
	of     context.Context
	status int
	page   string
	err    error
}

// Run opens the page and lives until ctx ends. An error means that the page could not be read at first.
func (p *Page) Run(ctx context.Context) {
	p.began, p.state = time.Now(), NewState()
	p.heard, p.asked, p.told = make(chan message, 64), make(chan asked), map[string]int64{} // a browser hears while its page sleeps
	p.taped = map[string]string{}
	if p.do == nil {
		p.do = make(chan func())
	}
	if !p.load(ctx) {
		return
	}
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	defer p.abort()
	defer p.close()
	p.connect(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-p.do:
			f()
		case m := <-p.heard:
			p.take(ctx, m)
		case a := <-p.asked:
			p.answered(ctx, a)
		case <-p.retry:
			p.connect(ctx)
		case <-p.giveUp:
			if p.giveUp = nil; p.state.link == "connecting" {
				p.lost(0)
			}
		case <-tick.C:
			if p.frozen || time.Now().Before(p.drowsy) {
				continue
			}
			p.see(Frame{Type: "tick", Wall: time.Now().UnixMilli()})
			if p.state.IsStale() {
				p.connect(ctx)
			}
			p.show()
		}
	}
}

// load reads the page until it is there, as a person does who presses reload.
func (p *Page) load(ctx context.Context) bool {
	for ctx.Err() == nil {
		status, page, err := p.Consoles.Get(ctx, p.Path)
		if err == nil && status == http.StatusOK {
			p.reading = read(page)
			for _, e := range p.reading.elements {
				p.doc.elements = append(p.doc.elements, &e)
			}
			p.hearHeads(p.reading)
			p.contact = p.now()
			p.see(p.doc.frame(p.reading, nil))
			p.Trace("", fmt.Sprintf("%s opened %s at %s", p.Name, p.Path, p.reading.seq))
			return true
		}
		select {
		case <-ctx.Done():
		case f := <-p.do:
			f()
		case <-time.After(time.Second):
		}
	}
	return false
}

// now is the page's monotonic clock.
func (p *Page) now() int64 { return (time.Since(p.began) - p.uncounted).Milliseconds() }

func (p *Page) hearHeads(r reading) {
	for _, e := range r.elements {
		if e.Projection != "customer_order_summary" {
			p.told[e.ID] = max(p.told[e.ID], e.Head, e.Version)
		}
	}
}

// see changes the state, and checks what a page must never do.
func (p *Page) see(f Frame) {
	before, since := p.state.versions(), hubOf(p.state.since)
	now := p.now()
	p.state.Next(f, now)
	for key, version := range before {
		if item, shown := p.state.items[key]; shown && item.Version < version && (key.projection != customers || since == hubOf(p.state.since)) {
			p.Broken(key.id, fmt.Sprintf("%s went backwards from version %d to %d of %s", p.Name, version, item.Version, key.projection))
		}
	}
	p.check(now)
	if p.Tape != nil {
		p.tape(f, now)
	}
}

// check holds the page to its honesty: current is what equals the newest head that it was told, with contact in the last 12 s.
func (p *Page) check(now int64) {
	for key, item := range p.state.items {
		if p.state.StampOf(key.projection, key.id, now) != "current" {
			continue
		}
		if told := p.told[key.id]; key.projection != "customer_order_summary" && item.Version < told {
			p.Broken(key.id, fmt.Sprintf("%s says that %s is current at version %d, though it was told of version %d", p.Name, key.projection, item.Version, told))
		}
		if now-p.contact > silentAfter {
			p.Broken(key.id, fmt.Sprintf("%s says that %s is current after %d ms without contact", p.Name, key.projection, now-p.contact))
		}
	}
}

func (p *Page) tape(f Frame, now int64) {
	stamps := map[string]string{}
	for key := range p.state.items {
		name, stamp := key.projection+" "+key.id, p.state.StampOf(key.projection, key.id, now)
		if p.taped[name] != stamp {
			p.taped[name], stamps[name] = stamp, stamp
		}
	}
	p.Tape(TapeEntry{At: now, Frame: f, Stamps: stamps, Fresh: len(p.state.fresh), Since: p.state.since, Live: p.state.IsLive(now)})
}

// show draws every stamp; what is shown must be what is known.
func (p *Page) show() {
	p.doc.redraw(p.state, p.now())
	for _, e := range p.doc.elements {
		if item := p.state.items[itemKey{e.Projection, e.ID}]; e.Version != item.Version {
			p.Broken(e.ID, fmt.Sprintf("%s shows version %d and knows version %d", p.Name, e.Version, item.Version))
		}
	}
}

func (p *Page) close() {
	p.retry, p.giveUp = nil, nil
	if p.socket != nil {
		p.socket.close()
		p.socket = nil
	}
}

func (p *Page) abort() {
	if p.asking != nil {
		p.asking()
		p.asking = nil
	}
}

func (p *Page) connect(ctx context.Context) {
	p.close()
	p.hub = ""
	p.see(Frame{Type: "connecting"})
	s := &socket{say: make(chan []byte, 64)}
	s.ctx, s.close = context.WithCancel(ctx)
	p.socket = s
	go p.converse(s)
	p.giveUp = time.After(connectWithin)
	p.show()
}

// converse is the life of one socket.
func (p *Page) converse(s *socket) {
	tell := func(m message) {
		m.from = s
		select {
		case p.heard <- m:
		case <-s.ctx.Done():
		}
	}
	dialer := websocket.Dialer{NetDialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return p.Consoles.Dial(ctx) }}
	conn, answer, err := dialer.DialContext(s.ctx, "ws://127.0.0.1/live", http.Header{"Origin": {"http://127.0.0.1"}})
	if answer != nil {
		_ = answer.Body.Close()
	}
	if err != nil {
		tell(message{closed: true})
		return
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-s.ctx.Done():
				_ = conn.Close()
				return
			case data := <-s.say:
				if conn.WriteMessage(websocket.TextMessage, data) != nil {
					_ = conn.Close()
				}
			}
		}
	}()
	tell(message{opened: true})
	code := 0
	for {
		if lag := p.Lag(); lag > 0 {
			select {
			case <-time.After(lag):
			case <-s.ctx.Done():
			}
		}
		_, data, err := conn.ReadMessage()
		if err != nil {
			if closed, ok := errors.AsType[*websocket.CloseError](err); ok {
				code = closed.Code
			}
			break
		}
		tell(message{data: data})
	}
	tell(message{closed: true, code: code})
	s.close()
	<-ended
}

func (p *Page) take(ctx context.Context, m message) {
	switch {
	case m.from != p.socket:
	case m.opened:
		p.watch()
	case m.closed:
		p.lost(m.code)
	default:
		p.hear(ctx, m.data)
	}
}

func (p *Page) watch() {
	if p.socket == nil {
		return
	}
	data, err := json.Marshal(map[string]any{"watch": p.reading.topics, "since": p.state.since})
	if err != nil {
		p.Broken("", err.Error())
		return
	}
	select {
	case p.socket.say <- data:
	default: // the connection does not move: it will be given up
	}
}

func (p *Page) lost(code int) {
	p.Trace("", fmt.Sprintf("%s lost its socket (%d)", p.Name, code))
	p.close()
	p.see(Frame{Type: "closed"})
	p.show()
	if code == websocket.CloseServiceRestart {
		p.attempt = 1
	}
	p.retry = time.After(backoff(p.attempt, p.Random.Float64()))
	p.attempt++
}

// told is a frame as the server sends it.
type told struct {
	Frame
	HTML string `json:"html"`
}

func (p *Page) hear(ctx context.Context, data []byte) {
	p.see(Frame{Type: "tick", Wall: time.Now().UnixMilli()})
	if p.state.IsStale() { // it slept: what waited in the socket is no answer
		p.connect(ctx)
		return
	}
	var frames []told
	if err := json.Unmarshal(data, &frames); err != nil {
		var one told
		if err := json.Unmarshal(data, &one); err != nil {
			p.Broken("", fmt.Sprintf("%s was sent no frame: %s", p.Name, data))
			return
		}
		frames = []told{one}
	}
	for _, f := range frames {
		f.Frame.HTML = f.HTML
		p.frame(f.Frame)
	}
	if p.state.link == "live" {
		p.attempt = 0
	}
	p.show()
	if p.state.resync || p.state.LacksHeads() {
		p.ask(ctx)
	}
}

// frame is take of live.js.
func (p *Page) frame(f Frame) {
	var whole *element
	if f.Type == "row" && f.HTML != "" {
		if r := read(f.HTML); len(r.elements) > 0 {
			whole = &r.elements[0]
			f.Created, f.Drawn = whole.created, whole.State
		}
	}
	if p.state.open() || f.Type == "hello" {
		p.contact = p.now()
		if f.Type == "head" || f.Type == "row" && f.Projection != "customer_order_summary" {
			p.told[f.ID] = max(p.told[f.ID], f.Version, f.Head)
		}
	}
	if f.Type != "beat" && f.Type != "projection" {
		p.Trace(f.ID, fmt.Sprintf("%s is told %s %s v%d head %d (%s)", p.Name, f.Type, f.Projection, f.Version, f.Head, f.Seq))
	}
	newer := f.Type == "row" && p.state.IsNewer(f)
	p.see(f)
	if f.Type == "hello" {
		p.hub = hubOf(f.Seq)
	}
	if newer && whole != nil {
		p.doc.swap(*whole)
	}
}

func hubOf(seq string) string {
	hub, _, _ := strings.Cut(seq, ".")
	return hub
}

// ask reads the page again.
func (p *Page) ask(ctx context.Context) {
	if p.asking != nil {
		return
	}
	ctx, p.asking = context.WithCancel(ctx)
	wait := time.Duration(0)
	if p.askedAt != nil {
		wait = time.Duration(*p.askedAt-p.now())*time.Millisecond + askEvery
	}
	if p.failed > 0 {
		wait = max(wait, backoff(p.failed, p.Random.Float64()))
	}
	go func() {
		a := asked{of: ctx}
		select {
		case <-time.After(max(wait, 0)):
			a.status, a.page, a.err = p.Consoles.Get(ctx, p.Path)
		case <-ctx.Done():
		}
		select {
		case p.asked <- a:
		case <-ctx.Done():
		}
	}()
}

func (p *Page) answered(ctx context.Context, a asked) {
	if a.of.Err() != nil {
		return // aborted
	}
	p.abort()
	now := p.now()
	p.askedAt = &now
	if a.err == nil && a.status == http.StatusOK {
		more := p.reading.more // of the document, which keeps its own pager
		p.reading = read(a.page)
		p.reading.more = more
		p.hearHeads(p.reading)
		p.contact = now
		fresh := p.doc.takeOver(p.reading, p.state.IsOlder)
		p.see(p.doc.frame(p.reading, fresh))
		p.Trace("", fmt.Sprintf("%s read itself again at %s", p.Name, p.reading.seq))
		if !p.state.LacksHeads() {
			p.failed = -1
		}
	}
	p.failed++
	switch {
	case p.failed == 0 && p.socket != nil && p.hub != "" && p.hub != hubOf(p.state.since):
		p.connect(ctx)
	case !p.state.resync:
		p.watch()
	}
	p.show()
	if p.state.resync || p.state.LacksHeads() {
		p.ask(ctx)
	}
}

// run has the page's own goroutine do something; nothing if the page is gone.
func (p *Page) run(ctx context.Context, f func()) {
	done := make(chan struct{})
	select {
	case p.do <- func() { defer close(done); f() }:
		<-done
	case <-ctx.Done():
	}
}

// Open makes the page ready to be told what to do before Run is called.
func (p *Page) Open() { p.do = make(chan func()) }

// Freeze is what a browser does to a page in the background, and Thaw brings it back.
func (p *Page) Freeze(ctx context.Context) {
	p.run(ctx, func() {
		if p.frozen || p.state.link == "none" {
			return
		}
		p.frozen = true
		p.close()
		p.abort()
		p.see(Frame{Type: "closed"})
		p.show()
	})
}

// Thaw brings a frozen page back.
func (p *Page) Thaw(ctx context.Context) {
	p.run(ctx, func() {
		if p.frozen {
			p.frozen = false
			p.see(Frame{Type: "wake"})
			p.attempt = 0
			p.connect(ctx)
		}
	})
}

// Suspend is a laptop's lid: nothing happens for a while, and the monotonic clock may not count it.
func (p *Page) Suspend(ctx context.Context, d time.Duration, counted bool) {
	p.run(ctx, func() {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
		p.drowsy = time.Now().Add(time.Duration(p.Random.IntN(100)) * time.Millisecond)
		if !counted {
			p.uncounted += d
			p.contact = min(p.contact, p.now())
		}
	})
}

// Drop cuts the socket.
func (p *Page) Drop(ctx context.Context) {
	p.run(ctx, func() {
		if p.socket != nil {
			p.lost(0)
		}
	})
}

// Look tells whether the page is live, what it shows, and the orders that it counts as new.
func (p *Page) Look(ctx context.Context) (live bool, shown map[string]Shown, fresh []string) {
	shown = map[string]Shown{}
	p.run(ctx, func() {
		now := p.now()
		live = p.state != nil && p.state.IsLive(now)
		for _, e := range p.doc.elements {
			item := p.state.items[itemKey{e.Projection, e.ID}]
			shown[e.ID] = Shown{item.Version, p.state.StampOf(e.Projection, e.ID, now), e.content}
		}
		fresh = append(fresh, p.state.fresh...)
	})
	return live, shown, fresh
}

// Shown is a live element as a person sees it.
type Shown struct {
	Version int64
	Stamp   string
	Content string
}

// Read is what a page would show if it were loaded now: the elements, in their order.
func Read(html string) (ids []string, shown map[string]Shown) {
	shown = map[string]Shown{}
	for _, e := range read(html).elements {
		ids = append(ids, e.ID)
		shown[e.ID] = Shown{e.Version, e.State, e.content}
	}
	return ids, shown
}

// String is for messages.
func (s Shown) String() string {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(s.Content))
	return fmt.Sprintf("version %d, %s, content %x", s.Version, s.Stamp, sum.Sum32())
}
