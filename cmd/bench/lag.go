package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/internal/waiting"
	"headway/orders"
	"headway/projections"
	"headway/projections/runner"
	readsqlite "headway/projections/sqlite"
)

const (
	lagRate    = 500 // events a second
	lagWriters = 16
	lagSockets = 100
)

// lags measures how long after its acknowledgement an event is in the list of orders, and in the browsers that look at it. The first runs
// the packages as the web program joins them, beside a loop that hands each event to a goroutine, which writes it into the smallest list.
// The second runs the program itself, with the time from its answer to its frame in each of many sockets.
func (b *bench) lags(ctx context.Context) error {
	return errors.Join(b.lagOfRows(ctx), b.lagOfSockets(ctx))
}

// arrival is when a version of an order was acknowledged, or was there to be seen.
type arrival struct {
	order   domain.OrderID
	version int
	at      time.Time
}

// arrivals is a list of them that several write.
type arrivals struct {
	mu  sync.Mutex
	all []arrival
}

func (a *arrivals) add(order domain.OrderID, version int, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, arrival{order, version, at})
}

// since is, for each that was acknowledged, how long after it that version, or a later one, was there; missing are those that never were.
// What was there before its acknowledgement was heard took no time.
func (a *arrivals) since(acknowledged []arrival) (took []time.Duration, missing int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	type step struct {
		order   domain.OrderID
		version int
	}
	first := map[step]time.Time{}
	for _, x := range a.all {
		for v := x.version; v > 0; v-- {
			if t, ok := first[step{x.order, v}]; ok && !x.at.Before(t) {
				break
			}
			first[step{x.order, v}] = x.at
		}
	}
	for _, x := range acknowledged {
		t, ok := first[step{x.order, x.version}]
		if !ok {
			missing++
			continue
		}
		took = append(took, max(0, t.Sub(x.at)))
	}
	return took, missing
}

// pace has writers send commands, so many a second in all, until the time is over.
func pace(ctx context.Context, d time.Duration, send func(worker int) error) error {
	errs := make([]error, lagWriters)
	began := time.Now()
	var all sync.WaitGroup
	for w := range lagWriters {
		all.Go(func() {
			for i := w; errs[w] == nil; i += lagWriters {
				at := time.Duration(i) * time.Second / lagRate
				if at >= d {
					return
				}
				if errs[w] = waiting.Pause(ctx, time.Until(began.Add(at))); errs[w] == nil {
					errs[w] = send(w)
				}
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func (b *bench) lagOfRows(ctx context.Context) (err error) {
	dir, err := b.folder("lag")
	if err != nil {
		return err
	}
	events, err := openEvents(dir) //nolint:contextcheck // a store outlives what opens it
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, events.Close()) }()
	read, err := readsqlite.Open(filepath.Join(dir, "read.db"), readsqlite.Options{}) //nolint:contextcheck // a store outlives what opens it
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, read.Close()) }()
	rows, acknowledged := &arrivals{}, &arrivals{}
	p := runner.New(events, read, runner.Options{OnRows: func(name string, written []projections.Row) {
		for _, r := range written {
			if name == projections.OrderList {
				rows.add(r.Order(), r.At(), time.Now())
			}
		}
	}})
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- p.Run(running) }()
	all, open := life(), make(lives, lagWriters)
	err = pace(ctx, 2*b.dur, func(worker int) error {
		id, expect, event := open.next(worker, all)
		err := appendTo(ctx, events, id, expect, newCommand(), event)
		now := time.Now()
		p.Nudge(eventstore.Head{Stream: orders.StreamOf(id), Version: expect + 1, At: now})
		acknowledged.add(id, expect+1, now)
		return err
	})
	err = errors.Join(err, until(ctx, func() bool { _, missing := rows.since(acknowledged.all); return missing == 0 }))
	stop()
	if err := errors.Join(err, <-ended); err != nil {
		return err
	}
	if err := b.sayLag(own, "lag_row", rows, acknowledged.all); err != nil {
		return err
	}
	return b.lagOfSink(ctx, dir)
}

func (b *bench) sayLag(who, metric string, seen *arrivals, acknowledged []arrival) error {
	took, missing := seen.since(acknowledged)
	if missing > 0 {
		return fmt.Errorf("%s of %s: %d of %d did not arrive", metric, who, missing, len(acknowledged))
	}
	b.out.quantiles(who, metric, took)
	return nil
}

// lagOfSink is the bare loop: a goroutine that writes what waits in one transaction.
func (b *bench) lagOfSink(ctx context.Context, dir string) (err error) {
	t, err := openTable(ctx, filepath.Join(dir, "bare.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	defer t.group(ctx)()
	k, err := openSink(ctx, filepath.Join(dir, "sink.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.Close()) }()
	rows, acknowledged := &arrivals{}, &arrivals{}
	stored := make(chan row, lagRate)
	ended := make(chan error, 1)
	go func() {
		var failed error
		for first := range stored {
			batch := []row{first}
			for len(stored) > 0 {
				batch = append(batch, <-stored)
			}
			failed = errors.Join(failed, k.write(ctx, batch))
			now := time.Now()
			for _, r := range batch {
				rows.add(domain.OrderID(r.stream), r.version, now)
			}
		}
		ended <- failed
	}()
	all, open := life(), make(lives, lagWriters)
	err = pace(ctx, 2*b.dur, func(worker int) error {
		id, expect, event := open.next(worker, all)
		written, err := rowsOf(id, expect, event)
		if err == nil {
			err = t.join(ctx, written)
		}
		acknowledged.add(id, expect+1, time.Now())
		stored <- written[0]
		return err
	})
	close(stored)
	if err := errors.Join(err, <-ended); err != nil {
		return err
	}
	return b.sayLag("raw/sink", "lag_row", rows, acknowledged.all)
}

func (b *bench) lagOfSockets(ctx context.Context) (err error) {
	p, err := b.serve(ctx, "lag-sockets")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	frames := make([]arrivals, lagSockets)
	sockets, err := connect(ctx, p.url, lagSockets, func(_ *crowd, conn int, message []byte, now time.Time) int {
		return readRows(&frames[conn], message, now)
	})
	if err != nil {
		return err
	}
	defer sockets.close()
	acknowledged := &arrivals{}
	tellers, c := make([]told, lagWriters), newCaller(p.url, lagWriters)
	began := time.Now()
	err = pace(ctx, 2*b.dur, func(worker int) error {
		err := c.next(ctx, &tellers[worker])
		acknowledged.add(tellers[worker].id, tellers[worker].version, time.Now())
		return err
	})
	sent := time.Since(began)
	if err != nil {
		return err
	}
	var all []time.Duration
	missing := 0
	if err := until(ctx, func() bool {
		all, missing = nil, 0
		for i := range frames {
			took, lost := frames[i].since(acknowledged.all)
			all, missing = append(all, took...), missing+lost
		}
		return missing == 0
	}); err != nil {
		return err
	}
	b.out.say(own, "lag_socket_rate", float64(len(acknowledged.all))/sent.Seconds(), "ev/s")
	b.out.quantiles(own, "lag_socket", all)
	b.out.say(own, "lag_socket_missing", float64(missing)/lagSockets, "ev")
	return nil
}

// readRows finds the rows of the order list in a message, without reading the rest of it.
func readRows(a *arrivals, message []byte, now time.Time) int {
	n := 0
	for {
		_, rest, found := bytes.Cut(message, []byte(`"projection":"`+projections.OrderList+`","id":"`))
		if !found {
			return n
		}
		id, rest, _ := bytes.Cut(rest, []byte(`","version":`))
		digits, rest, _ := bytes.Cut(rest, []byte{','})
		if version, err := strconv.Atoi(string(digits)); err == nil {
			a.add(domain.OrderID(id), version, now)
			n++
		}
		message = rest
	}
}
