// Command bench measures the real packages, and beside each figure the least that the same work costs: a bare loop on the same engine, in
// the same run, by turns with ours. A figure alone says little, because it is the machine's; the ratio of the two is Headway's.
//
//	bench -bench append|load|project|ws|crowd|http|lag|snapshot|ddb|es [-dur 1000ms] [-events 12000] [-dir SCRATCH]
//	bench -bench size [-orders 100000] [-dir SCRATCH]
//	bench -table
//
// It prints lines "who metric value unit"; -table runs everything the machine has and ends with own figure, bare loop and ratio.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"time"

	"headway/live"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// bench is one run.
type bench struct {
	dur      time.Duration // of one timed loop
	events   int           // of one log that is projected
	dir      string        // scratch, on the disk that is measured
	dynamo   string        // URL of a DynamoDB Local
	search   string        // URL of an Elasticsearch
	conns    int           // websockets at once
	orders   int           // of a store whose size is measured
	keepRows bool          // the rows that are there are not made again
	logOnly  bool          // no more is made than the log
	web      string        // the program that serves; empty means the one beside this
	out      *figures
}

// named is the measurement that -bench names; nil if there is none.
func (b *bench) named(name string) func(context.Context) error {
	switch name {
	case "append":
		return b.appends
	case "load":
		return b.loads
	case "project":
		return b.projects
	case "snapshot":
		return b.snapshots
	case "http":
		return b.commands
	case "lag":
		return b.lags
	case "ws":
		return b.sockets
	case "size":
		return b.size
	case "crowd":
		return b.crowds
	case "ddb":
		return b.dynamoDB
	case "es":
		return b.elasticsearch
	}
	return nil
}

// names lists the measurements in the order of the table.
func names() []string {
	return []string{"append", "load", "snapshot", "project", "http", "lag", "ws", "crowd", "ddb", "es"}
}

// missing is what a measurement needs and this machine, or this Headway, has not.
type missing string

func (m missing) Error() string { return string(m) }

// run is the whole program. It answers 2 if it was asked for what there is not, and 1 if something failed.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	b := &bench{out: &figures{to: stdout}}
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.SetOutput(stderr)
	name := set.String("bench", "", "one of "+strings.Join(names(), ", ")+"; or size, which takes minutes")
	table := set.Bool("table", false, "run everything the machine has, and end with a table")
	set.DurationVar(&b.dur, "dur", time.Second, "length of one timed loop")
	set.IntVar(&b.events, "events", 12000, "events of the log that is projected")
	set.IntVar(&b.conns, "n", 1000, "websockets at once")
	set.IntVar(&b.orders, "orders", 100_000, "orders of the store whose size is measured")
	set.BoolVar(&b.keepRows, "keep-rows", false, "size: do not make rows again that are in the scratch folder")
	set.BoolVar(&b.logOnly, "log-only", false, "size: make the log of the orders, and no more")
	set.StringVar(&b.dir, "dir", "", "scratch folder on the disk that is measured; empty means one that is removed afterwards")
	profile := set.String("cpuprofile", "", "file for a profile of what the processor did")
	set.StringVar(&b.dynamo, "ddb", getenv("HEADWAY_TEST_DYNAMODB"), "URL of a DynamoDB Local")
	set.StringVar(&b.search, "es", getenv("HEADWAY_TEST_ELASTICSEARCH"), "URL of an Elasticsearch")
	set.StringVar(&b.web, "web", "", "web program to measure; empty means the one beside this")
	if set.Parse(args) != nil {
		return 2
	}
	stop, err := profiled(*profile)
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	defer stop()
	todo := []string{*name}
	if *table {
		todo = names()
	}
	switch *name { // the programs that ws measures
	case hubServer:
		return ended(stderr, serveSockets(ctx, hub{live.New(live.Options{})}, stdout))
	case tcpServer:
		return ended(stderr, serveSockets(ctx, &plain{}, stdout))
	case pageServer:
		return ended(stderr, servePages(ctx, b.dir, stdout))
	case rowsMaker:
		if err := b.makeRows(ctx); err != nil {
			return ended(stderr, err)
		}
		return 0
	}
	if b.dir == "" {
		made, err := os.MkdirTemp("", "headway-bench-")
		if err != nil {
			fmt.Fprintln(stderr, "bench:", err)
			return 1
		}
		defer func() { _ = os.RemoveAll(made) }() // what is left of it is in nobody's way
		b.dir = made
	}
	for _, name := range todo {
		measure := b.named(name)
		if measure == nil {
			set.Usage()
			return 2
		}
		err := measure(ctx)
		_, lacks := errors.AsType[missing](err)
		if err != nil {
			fmt.Fprintf(stderr, "bench: %s: %v\n", name, err)
		}
		switch {
		case err == nil || lacks && *table:
		case lacks:
			return 2
		default:
			return 1
		}
	}
	if *table {
		b.out.table()
	}
	return 0
}

func ended(stderr io.Writer, err error) int {
	fmt.Fprintln(stderr, "bench:", err)
	return 1
}

// profiled writes a profile of the processor into a file, if one is named, until it is stopped.
func profiled(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() { pprof.StopCPUProfile(); _ = file.Close() }, nil
}

// folder makes an empty folder in the scratch.
func (b *bench) folder(name string) (string, error) {
	dir := filepath.Join(b.dir, name)
	return dir, errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700))
}
