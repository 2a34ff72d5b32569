package main

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"headway/eventstore"
	"headway/orders"
)

// openApp is the program with its stores open in a folder of the test's own.
func openApp(t *testing.T) *App {
	t.Helper()
	app := &App{
		Context: t.Context(), Settings: Settings{Data: t.TempDir()}, Location: time.UTC, Stdout: io.Discard, Stderr: io.Discard, Clock: time.Now,
		Log: slog.New(slog.DiscardHandler),
	}
	if err := app.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.Close() })
	return app
}

// countEvents counts everything that is stored.
func countEvents(t *testing.T, events eventstore.Store) int {
	t.Helper()
	records, _, err := events.ByType(t.Context(), orders.Category, "", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	return len(records)
}
