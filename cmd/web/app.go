package main

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"strconv"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/operations"
	"headway/projections"
	"headway/projections/history"
)

// App is what every command of the program is given: what it was asked for, the world outside, and, once Open was called,
// the stores. A command's Run(app *App) returns an error whose sentence is printed on Stderr; the program then exits with 1.
type App struct {
	Context  context.Context // ends on SIGINT and SIGTERM
	Settings Settings
	Location *time.Location // of Settings.Timezone
	Stdin    io.Reader
	Stdout   io.Writer
	Stderr   io.Writer
	Clock    func() time.Time
	Log      *slog.Logger
	Codec    domain.Codec

	Events    eventstore.Store     // nil before Open
	Snapshots eventstore.Snapshots // nil before Open
	Read      projections.Store    // nil before Open
	History   history.Store        // nil before Open
}

// Settings are the flags of every command, each also an environment variable HEADWAY_….
type Settings struct {
	Addr        string `default:"127.0.0.1:8080" env:"HEADWAY_ADDR" help:"Address to serve on; loopback only."`
	Data        string `default:"./data" env:"HEADWAY_DATA" placeholder:"DIR" help:"Folder that keeps everything (${default})."`
	Events      string `env:"HEADWAY_EVENTS" placeholder:"ENGINE" help:"Event store: sqlite:PATH or dynamodb:PREFIX; sqlite:DIR/events.db unless set."`
	Read        string `env:"HEADWAY_READ" placeholder:"ENGINE" help:"Read store: sqlite:PATH or elasticsearch:URL; sqlite:DIR/read.db unless set."`
	Timezone    string `default:"UTC" env:"HEADWAY_TIMEZONE" help:"Defines today, date filters and the server's text (${default})."`
	Demo        bool   `env:"HEADWAY_DEMO" help:"Serve a believable history, kept apart under DIR/demo."`
	DemoTraffic int    `default:"6" env:"HEADWAY_DEMO_TRAFFIC" placeholder:"N" help:"Commands a minute in the demo; 0 stops it."`
}

// Folder is where this run keeps its files.
func (s Settings) Folder() string {
	if s.Demo {
		return filepath.Join(s.Data, "demo")
	}
	return s.Data
}

// errand is who does what the command line asks for, in the record of operations.
const errand = "command line"

// recorder writes operations into the log.
func (a *App) recorder() operations.Recorder {
	return operations.Recorder{Log: a.Events, Clock: a.Clock}
}

// ended records how an operation went. What it did stands whatever becomes of the record, so a failure to write that is logged alone.
func (a *App) ended(o operations.Running, cause error, after any) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.Context), recordWait)
	defer cancel()
	if err := o.End(ctx, cause, after); err != nil {
		a.Log.Warn("the end of an operation is not on record", "error", err)
	}
}

// recordWait is how long the end of an operation may take to be recorded, when nobody waits for its effect any more.
const recordWait = 5 * time.Second

// ExitCode ends the program with this code and prints nothing more: the command has said everything itself.
type ExitCode int

// Error is for the log.
func (c ExitCode) Error() string { return "exit " + strconv.Itoa(int(c)) }
