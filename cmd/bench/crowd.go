package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"headway/internal/waiting"
)

// The crowd of twice the websockets of ws: one in ten reads slowly, and one in a hundred not at all.
const (
	crowdRate   = 50                     // events a second
	crowdLength = 10                     // times the length of a loop
	slowBytes   = 1 << 10                // that a slow one reads …
	slowPause   = 100 * time.Millisecond // … between two pauses
	comeBack    = 10 * time.Second       // over which pages come back that heard of a restart, as in static/freshness.js
)

// crowds measures the real program with a crowd that looks at its list of orders: the time from the answer to a command to its row in each
// socket that reads, the memory of the program, and how long the crowd takes to be back after a restart, with the page each of them reads
// again.
func (b *bench) crowds(ctx context.Context) error {
	p, err := b.serve(ctx, "crowd")
	if err != nil {
		return err
	}
	if err := b.crowdOfNews(ctx, p); err != nil {
		return errors.Join(err, p.stop())
	}
	conns, err := many(2*b.conns, func(int) (net.Conn, error) {
		conn, _, err := shakeHands(ctx, p.url, "")
		return conn, err
	})
	defer leave(conns)
	if err := errors.Join(err, p.stop()); err != nil {
		return err
	}
	u, err := url.Parse(p.url)
	if err != nil {
		return err
	}
	if p, err = b.serve(ctx, "crowd", "--addr", u.Host); err != nil {
		return err
	}
	return errors.Join(b.crowdComesBack(ctx, p), p.stop())
}

func (b *bench) crowdOfNews(ctx context.Context, p *program) error {
	n := 2 * b.conns
	if err := waiting.Pause(ctx, time.Second); err != nil { // for what the start leaves behind to be let go
		return err
	}
	before := resident(p.pid)
	frames := make([]arrivals, n-n/10-n/100)
	sockets, err := connect(ctx, p.url, len(frames), func(_ *crowd, conn int, message []byte, now time.Time) int {
		return readRows(&frames[conn], message, now)
	})
	if err != nil {
		return err
	}
	defer sockets.close()
	others, err := many(n/10+n/100, func(i int) (net.Conn, error) {
		conn, from, err := shakeHands(ctx, p.url, "")
		if err == nil && i < n/10 {
			go readSlowly(from)
		}
		return conn, err
	})
	defer leave(others)
	if err != nil {
		return err
	}
	acknowledged := &arrivals{}
	var order told
	c := newCaller(p.url, 1)
	began := time.Now()
	for i := range int(crowdLength*b.dur.Seconds()*crowdRate) + 1 {
		err := waiting.Pause(ctx, time.Until(began.Add(time.Duration(i)*time.Second/crowdRate)))
		if err == nil {
			err = c.next(ctx, &order)
		}
		if err != nil {
			return err
		}
		acknowledged.add(order.id, order.version, time.Now())
	}
	peak := resident(p.pid)
	seen := int64(-1)
	if err := until(ctx, func() bool { // nothing more comes; counting what is missing takes longer than the news do
		before := seen
		seen = sockets.got.Load()
		return before == seen || waiting.Pause(ctx, time.Second) != nil
	}); err != nil {
		return err
	}
	var all []time.Duration
	missing := 0
	for i := range frames {
		took, lost := frames[i].since(acknowledged.all)
		all, missing = append(all, took...), missing+lost
	}
	b.out.quantiles(own, "crowd_socket", all)
	b.out.say(own, "crowd_socket_missing", float64(missing)/float64(len(frames)), "ev")
	sockets.close()
	leave(others)
	if err := waiting.Pause(ctx, 3*time.Second); err != nil { // for the memory to be given back
		return err
	}
	for _, r := range []struct {
		when  string
		bytes int
	}{{"before", before}, {"peak", peak}, {"after", resident(p.pid)}} {
		b.out.say(own, "crowd_rss_"+r.when, float64(r.bytes)/(1<<20), "MiB")
	}
	return nil
}

func (b *bench) crowdComesBack(ctx context.Context, p *program) error {
	pages, began := make([]time.Duration, 2*b.conns), time.Now()
	conns := make([]net.Conn, len(pages))
	errs := make([]error, len(pages))
	var all sync.WaitGroup
	for i := range pages {
		all.Go(func() {
			if errs[i] = waiting.Pause(ctx, comeBack/20+rand.N(comeBack*19/20)); errs[i] != nil { //nolint:gosec // jitter is not a secret
				return
			}
			if conns[i], _, errs[i] = shakeHands(ctx, p.url, "another.1"); errs[i] != nil {
				return
			}
			asked := time.Now() // it is told to resync
			_, errs[i] = fetch(ctx, p.url+"/orders")
			pages[i] = time.Since(asked)
		})
	}
	all.Wait()
	back := time.Since(began)
	leave(conns)
	b.out.say(own, "crowd_back", back.Seconds(), "s")
	b.out.quantiles(own, "crowd_page", pages)
	return errors.Join(errs...)
}

// many opens so many connections, some at once.
func many(n int, open func(i int) (net.Conn, error)) ([]net.Conn, error) {
	conns, errs := make([]net.Conn, n), make([]error, n)
	turn := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i := range n {
		turn <- struct{}{}
		all.Go(func() {
			defer func() { <-turn }()
			conns[i], errs[i] = open(i)
		})
	}
	all.Wait()
	return conns, errors.Join(errs...)
}

func leave(conns []net.Conn) {
	for _, conn := range conns {
		if conn != nil {
			_ = conn.Close() // it may be closed already
		}
	}
}

// readSlowly reads until the connection ends.
func readSlowly(from *bufio.Reader) {
	for {
		if _, err := io.CopyN(io.Discard, from, slowBytes); err != nil {
			return
		}
		time.Sleep(slowPause) //nolint:forbidigo // being slow is its purpose
	}
}

// resident is the memory of a process, in bytes; 0 where the system does not tell.
func resident(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	var size, pages int
	if err == nil {
		_, err = fmt.Sscan(strings.TrimSpace(string(text)), &size, &pages)
	}
	if err != nil {
		return 0
	}
	return pages * os.Getpagesize()
}
