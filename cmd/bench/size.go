package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"headway/orders"
	"headway/projections"
	"headway/projections/runner"
	readsqlite "headway/projections/sqlite"
)

// The programs that size starts in processes of their own.
const (
	rowsMaker  = "size-rows"
	pageServer = "size-page"
)

const (
	sizeClients = 8
	startUps    = 3
)

// size measures the real program on a store of many orders: how long rows take to be made and what memory that needs, how long a start
// takes, and every kind of page, asked by several clients at once. The orders are made once in a scratch folder that is kept. Beside it
// stands a program that reads fifty rows by their keys and sends them.
func (b *bench) size(ctx context.Context) error {
	dir := filepath.Join(b.dir, fmt.Sprint("size-", b.orders))
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	if err := b.sizeLog(ctx, data); err != nil || b.logOnly {
		return err
	}
	if err := b.sizeRows(ctx, dir); err != nil {
		return err
	}
	empty, err := b.folder("size-empty")
	if err != nil {
		return err
	}
	for _, at := range []struct{ name, dir string }{{"empty", empty}, {strconv.Itoa(b.orders), dir}} {
		if err := b.startUps(ctx, at.name, at.dir); err != nil {
			return err
		}
	}
	return b.sizePages(ctx, dir)
}

// sizeLog has the orders told that are not there.
func (b *bench) sizeLog(ctx context.Context, data string) (err error) {
	s, err := openEvents(data) //nolint:contextcheck // a store outlives what opens it
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	_, _, there, err := s.Walk(ctx, orders.Category, "", 1)
	if err != nil || there == b.orders {
		return err
	}
	began := time.Now()
	events, err := newShop(b.orders, began).tell(ctx, s)
	if err == nil {
		b.out.say(own, "size_events", float64(events), "ev")
		b.out.say(own, "size_append", float64(events)/time.Since(began).Seconds(), "ev/s")
	}
	return err
}

// sizeRows has all rows made again by a process of its own, unless they are to stay.
func (b *bench) sizeRows(ctx context.Context, dir string) error {
	path := filepath.Join(dir, "data", "read.db")
	if _, err := os.Stat(path); err == nil && b.keepRows {
		return nil
	}
	for _, end := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + end); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	me, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, me, "-bench", rowsMaker, "-dir", dir) //nolint:gosec // it is this program
	cmd.Stdout, cmd.Stderr = b.out.to, os.Stderr
	return cmd.Run()
}

// makeRows is the process that makes rows: the projector on the two stores, and nothing else.
func (b *bench) makeRows(ctx context.Context) (err error) {
	data := filepath.Join(b.dir, "data")
	events, err := openEvents(data) //nolint:contextcheck // a store outlives what opens it
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, events.Close()) }()
	read, err := readsqlite.Open(filepath.Join(data, "read.db"), readsqlite.Options{}) //nolint:contextcheck // a store outlives what opens it
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, read.Close()) }()
	counted := 0
	p := runner.New(events, read, runner.Options{Alone: true, OnRows: func(_ string, rows []projections.Row) {
		for _, r := range rows {
			counted += r.At() // one projection after the other; each of its rows comes once
		}
	}})
	began := time.Now()
	_, err = p.Step(ctx)
	took := time.Since(began)
	p.Release(ctx)
	if err != nil {
		return err
	}
	b.out.say(own, "size_rebuild", float64(counted/len(projections.All()))/took.Seconds(), "ev/s")
	used, err := processOf(os.Getpid())
	b.out.say(own, "size_rebuild_rss_max", used.most, "MiB")
	b.out.say(own, "size_rebuild_cpu", used.cpu.Seconds(), "s")
	return err
}

// startUps measures the time from the start of the process to its first answers, several times.
func (b *bench) startUps(ctx context.Context, name, dir string) error {
	var ready, list []time.Duration
	for range startUps {
		began := time.Now()
		p, err := b.serveIn(ctx, dir)
		if err != nil {
			return err
		}
		for _, ask := range []struct {
			path string
			took *[]time.Duration
		}{{"/readyz", &ready}, {"/orders", &list}} {
			for err == nil {
				var status int
				if status, _, err = get(ctx, http.DefaultClient, p.url+ask.path, "text/html"); status == http.StatusOK {
					*ask.took = append(*ask.took, time.Since(began))
					break
				}
			}
		}
		if err := errors.Join(err, p.stop()); err != nil {
			return err
		}
	}
	b.out.say(own, "size_start_ready_"+name, milliseconds(quantile(ready, 0.5)), "ms")
	b.out.say(own, "size_start_orders_"+name, milliseconds(quantile(list, 0.5)), "ms")
	return nil
}

// get asks for a page and reads it whole.
func get(ctx context.Context, c *http.Client, url, accept string) (status int, body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Accept", accept)
	response, err := c.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }() // it has been read
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

// process is what a process has used so far: memory in MiB, now and at most, and time of the processor.
type process struct {
	now, most float64
	cpu       time.Duration
}

// processOf reads what Linux says of a process; elsewhere it is not known.
func processOf(pid int) (p process, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return p, missing("what a process uses is read from /proc, which is not here.")
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(strings.TrimSpace(line), " kB"), ":")
		kib, _ := strconv.ParseFloat(strings.TrimSpace(value), 64) // 0 of what is no number
		switch name {
		case "VmRSS":
			p.now = kib / 1024
		case "VmHWM":
			p.most = kib / 1024
		}
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return p, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const user, system, perSecond = 11, 12, 100 // places after the name; Linux counts in hundredths
	for _, i := range []int{user, system} {
		ticks, err := strconv.Atoi(fields[i])
		if err != nil {
			return p, err
		}
		p.cpu += time.Duration(ticks) * time.Second / perSecond
	}
	return p, nil
}
