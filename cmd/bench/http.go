package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"headway/domain"
)

const httpClients = 16

// commands measures whole commands over HTTP by the real program: read, decide, store, answer. Once with the projections standing still,
// and once with them at work. The bare loop is a handler that decodes the body, joins the group commit of a plain table and answers.
func (b *bench) commands(ctx context.Context) error {
	if err := b.commandsOf(ctx, "http_w16", true); err != nil {
		return err
	}
	return b.commandsOf(ctx, "http_w16_projecting", false)
}

func (b *bench) commandsOf(ctx context.Context, metric string, still bool) (err error) {
	p, err := b.serve(ctx, metric)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	if still {
		release, err := standStill(ctx, filepath.Join(b.dir, metric, "data", "read.db"))
		if err != nil {
			return err
		}
		defer release()
	}
	dir, err := b.folder("bare")
	if err != nil {
		return err
	}
	t, err := openTable(ctx, filepath.Join(dir, "bare.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	url, stop, err := serveTable(ctx, t)
	if err != nil {
		return err
	}
	defer stop()
	loop := func(url string) func(int) (int, error) {
		orders, c := make([]told, httpClients), newCaller(url, httpClients)
		return func(worker int) (int, error) { return 1, c.next(ctx, &orders[worker]) }
	}
	return b.race(metric, httpClients, side{own, loop(p.url)}, side{"raw/http-sqlite-group", loop(url)})
}

// standStill keeps the projections from writing a row until release is called, as any program does that holds the lock of their file: a
// backup, or a person at a prompt. Rows can be read all the while.
func standStill(ctx context.Context, path string) (release func(), err error) {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=rw&_pragma=busy_timeout(5000)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return func() { _, _ = tx.Rollback(), db.Close() }, nil // nothing was written
}

// serveTable answers commands by putting them into a table, whatever they are.
func serveTable(ctx context.Context, t *table) (url string, stop func(), err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	endGroup := t.group(ctx)
	handler := func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Expected int    `json:"expectedVersion"`
			ID       string `json:"commandId"`
		}
		var data json.RawMessage
		err := json.NewDecoder(r.Body).Decode(&data)
		if err == nil {
			err = json.Unmarshal(data, &body)
		}
		if err == nil {
			err = t.join(r.Context(), []row{{body.ID, body.Expected + 1, domain.TypeOrderItemAdded, data}})
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, `{"orderId":%q,"version":%d}`, body.ID, body.Expected+1)
	}
	server := &http.Server{Handler: http.HandlerFunc(handler), ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(listener) }() // it ends when it is closed
	return "http://" + listener.Addr().String(), func() { _ = server.Close(); endGroup() }, nil
}
