package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"headway/domain"
)

const (
	httpClients = 16
	// away is a read store at an address where nobody answers: the projections stand still, and commands go on without them.
	away = "elasticsearch:http://127.0.0.1:9"
)

// commands measures whole commands over HTTP by the real program: read, decide, store, answer. Once with the projections standing still, and
// once with them at work. The bare loop is a handler that decodes the body, joins the group commit of a plain table and answers.
func (b *bench) commands(ctx context.Context) error {
	for _, c := range []struct {
		metric string
		flags  []string
	}{{"http_w16", []string{"--read", away}}, {"http_w16_projecting", nil}} {
		if err := b.commandsOf(ctx, c.metric, c.flags...); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) commandsOf(ctx context.Context, metric string, flags ...string) (err error) {
	p, err := b.serve(ctx, metric, flags...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
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
