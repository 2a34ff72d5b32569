package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/projections"
	"headway/projections/runner"
	readsqlite "headway/projections/sqlite"
)

// projects measures how fast empty rows catch up with a log, beside a loop that takes the same data from memory, decodes it and writes the
// smallest list of orders that can be one.
func (b *bench) projects(ctx context.Context) (err error) {
	dir, err := b.folder("project")
	if err != nil {
		return err
	}
	events, err := openEvents(dir) //nolint:contextcheck // a store outlives what opens it
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, events.Close()) }()
	log, err := history(ctx, events, b.events/len(life()))
	if err != nil {
		return err
	}
	const rounds = 3
	var ours [rounds]rebuild
	var bare [rounds]float64
	for i := range rounds {
		if ours[i], err = rebuildRows(ctx, events, filepath.Join(dir, fmt.Sprint("read-", i, ".db")), len(log)); err != nil {
			return err
		}
		if bare[i], err = sinkAll(ctx, log, filepath.Join(dir, fmt.Sprint("sink-", i, ".db"))); err != nil {
			return err
		}
	}
	sides := []struct {
		metric string
		rate   func(rebuild) float64
	}{
		{"project", func(r rebuild) float64 { return r.list }},
		{"project_customers", func(r rebuild) float64 { return r.customers }},
	}
	for _, side := range sides {
		b.out.say(own, side.metric, middle(side.rate(ours[0]), side.rate(ours[1]), side.rate(ours[2])), "ev/s")
		b.out.say("raw/decode-and-sink", side.metric, middle(bare[0], bare[1], bare[2]), "ev/s")
	}
	return nil
}

// history appends so many orders, and answers their events as they are stored.
func history(ctx context.Context, s eventstore.Store, many int) ([]row, error) {
	all := life()
	ids := make([]domain.OrderID, many)
	for i := range ids {
		ids[i] = newOrder()
	}
	const writers = 16
	errs := make([]error, writers)
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := w; i < many && errs[w] == nil; i += writers {
				errs[w] = appendTo(ctx, s, ids[i], 0, newCommand(), all...)
			}
		})
	}
	writing.Wait()
	var log []row
	for _, id := range ids {
		rows, err := rowsOf(id, 0, all...)
		if err != nil {
			return nil, err
		}
		log = append(log, rows...)
	}
	return log, errors.Join(errs...)
}

// rebuild is how fast each projection caught up, in events a second.
type rebuild struct{ list, customers float64 }

func rebuildRows(ctx context.Context, events eventstore.Store, path string, n int) (r rebuild, err error) {
	read, err := readsqlite.Open(path, readsqlite.Options{}) //nolint:contextcheck // a store outlives what opens it
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, read.Close()) }()
	watched := &written{Store: read, at: map[string]time.Time{}}
	p := runner.New(events, watched, runner.Options{})
	began := time.Now()
	moved, err := p.Step(ctx) // one projection after the other
	list, customers := watched.at[projections.OrderList], watched.at[projections.CustomerOrderSummary]
	if err == nil && moved != len(projections.All())*n/len(life()) {
		err = fmt.Errorf("%d rows were written of %d events", moved, n)
	}
	p.Release(ctx)
	return rebuild{list: float64(n) / list.Sub(began).Seconds(), customers: float64(n) / customers.Sub(list).Seconds()}, err
}

// written is a read store that notes when each projection last wrote.
type written struct {
	projections.Store
	at map[string]time.Time
}

func (w *written) Write(ctx context.Context, b projections.Batch) error {
	err := w.Store.Write(ctx, b)
	w.at[b.Projection] = time.Now()
	return err
}

// middle is the median of three.
func middle(a, b, c float64) float64 { return max(min(a, b), min(max(a, b), c)) }

// sinkAll decodes a log and writes the smallest list of orders: a statement for each event, a transaction for each 500.
func sinkAll(ctx context.Context, log []row, path string) (rate float64, err error) {
	k, err := openSink(ctx, path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, k.Close()) }()
	began := time.Now()
	for len(log) > 0 && err == nil {
		n := min(len(log), 500)
		err = k.write(ctx, log[:n])
		log, k.position = log[n:], k.position+n
	}
	return float64(k.position) / time.Since(began).Seconds(), err
}

// sink is the smallest list of orders with a checkpoint.
type sink struct {
	*sql.DB
	position int
}

func openSink(ctx context.Context, path string) (*sink, error) {
	db, err := openFile(ctx, path, `CREATE TABLE orders (id TEXT PRIMARY KEY, customer TEXT, status TEXT, items INT, total INT) WITHOUT ROWID;
		CREATE TABLE checkpoint (position INT); INSERT INTO checkpoint VALUES (0)`)
	return &sink{DB: db}, err
}

func (k *sink) write(ctx context.Context, log []row) error {
	tx, err := k.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	statements := map[string]*sql.Stmt{}
	do := func(query string, args ...any) error {
		if statements[query] == nil {
			if statements[query], err = tx.PrepareContext(ctx, query); err != nil {
				return err
			}
		}
		_, err := statements[query].ExecContext(ctx, args...)
		return err
	}
	for _, r := range log {
		event, err := decode(r.eventType, r.data)
		if err != nil {
			return err
		}
		switch e := event.(type) {
		case *domain.OrderCreated:
			var total int64
			for _, i := range e.Items {
				total += i.Quantity * i.Price.Minor
			}
			err = do(`INSERT INTO orders VALUES (?, ?, 'created', ?, ?)`, r.stream, e.CustomerID, len(e.Items), total)
		case *domain.OrderItemAdded:
			err = do(`UPDATE orders SET items = items + 1, total = total + ? WHERE id = ?`, e.Item.Quantity*e.Item.Price.Minor, r.stream)
		default:
			err = do(`UPDATE orders SET status = 'confirmed' WHERE id = ?`, r.stream)
		}
		if err != nil {
			return err
		}
	}
	if err := do(`UPDATE checkpoint SET position = ?`, k.position+len(log)); err != nil {
		return err
	}
	return tx.Commit()
}
