package console

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"headway/cmd/web/console/consoletest"
	"headway/cmd/web/console/wire"
	eventsqlite "headway/eventstore/sqlite"
	"headway/orders"
	readsqlite "headway/projections/sqlite"
)

// console is a server on real stores whose projections move when a test says so.
type console struct {
	consoletest.Client
	options Options
	s       *Server
	log     *bytes.Buffer
}

func openConsole(t *testing.T, change ...func(*Options)) *console {
	t.Helper()
	c := &console{log: &bytes.Buffer{}, options: openStores(t)}
	c.options.Log = slog.New(slog.NewTextHandler(c.log, nil))
	for _, f := range change {
		f(&c.options)
	}
	c.s = New(c.options)
	h := httptest.NewServer(c.s.Handler())
	t.Cleanup(h.Close)
	c.Client = consoletest.Client{T: t, URL: h.URL}
	return c
}

// openStores are options of a server on stores in a folder of the test's own.
func openStores(t testing.TB) Options {
	t.Helper()
	dir := t.TempDir()
	events, err := eventsqlite.Open(filepath.Join(dir, "events.db"), eventsqlite.Options{Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = events.Close() })
	read, err := readsqlite.Open(filepath.Join(dir, "read.db"), readsqlite.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = read.Close() })
	kept, err := readsqlite.OpenHistory(t.Context(), filepath.Join(dir, "history.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kept.Close() })
	return Options{
		Events: events, Snapshots: events, Read: read, History: kept, Zone: time.UTC, Clock: time.Now,
		Log: slog.New(slog.DiscardHandler), Version: "test",
		Alone: true, NoNetwork: true,
	}
}

// project lets every projection catch up, and the sockets hear of it.
func (c *console) project() {
	c.T.Helper()
	if _, err := c.s.projector.Step(context.Background()); err != nil {
		c.T.Fatal(err)
	}
	c.s.publisher.flush(context.Background())
}

func (c *console) newOrder(reference string) wire.Receipt {
	c.T.Helper()
	r := c.PostJSON("/orders", fmt.Sprintf(`{"commandId":%q,"customerId":"Ada","currency":"EUR","reference":%q,`+
		`"items":[{"sku":"LAMP","name":"Desk lamp","quantity":2,"price":"12.50"}]}`, uuid.NewString(), reference))
	if r.Status != http.StatusCreated {
		c.T.Fatalf("create: %d %s", r.Status, r.Body)
	}
	return consoletest.Decoded[wire.Receipt](c.T, r)
}

// events counts everything that is stored.
func (c *console) events() int {
	c.T.Helper()
	records, _, err := c.options.Events.ByType(context.Background(), orders.Category, "", "", 1000)
	if err != nil {
		c.T.Fatal(err)
	}
	return len(records)
}
