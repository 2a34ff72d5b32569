// Command web is Headway's door: it serves the console, imports orders, and verifies that rows match the log.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // --timezone must work where the system has no zones

	"github.com/alecthomas/kong"

	"headway/fault"
)

// gcPercent has garbage collected less often than usual: a page makes some hundred KB of it and next to nothing stays, so that a fifth of a
// page's time is saved for some 15 MiB. GOGC overrides it.
const gcPercent = 400

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// cli is the command line; --help is made from it.
type cli struct {
	Settings
	Serve   ServeCmd   `cmd:"" default:"1" help:"Serve the console (the default)."`
	Import  ImportCmd  `cmd:"" help:"Make orders from a CSV file; running it again finishes what is missing."`
	Verify  VerifyCmd  `cmd:"" help:"Compare every row with the log; exit 1 if one differs."`
	Tables  TablesCmd  `cmd:"" help:"Make or check the tables of a DynamoDB event store."`
	Version VersionCmd `cmd:"" help:"Print the version."`
}

// run is the whole program: what it reads and writes is handed to it, so that tests run the same code.
func run(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var c cli
	exited := -1
	parser, err := kong.New(&c, kong.Name("web"), kong.Writers(stdout, stderr), kong.Exit(func(code int) { exited = code }),
		kong.Description("Headway: a web console for event-sourced orders."), kong.UsageOnError(),
		kong.Resolvers(environment(env)))
	if err != nil {
		fmt.Fprintln(stderr, "web:", err)
		return 2
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 { // --help
		return exited
	}
	if err != nil {
		fmt.Fprintln(stderr, "web:", err)
		return 2
	}
	level := slog.LevelWarn
	if strings.HasPrefix(parsed.Command(), "serve") { // the others say on stdout what they do
		level = slog.LevelInfo
	}
	app := &App{
		Context: ctx, Settings: c.Settings, Stdin: stdin, Stdout: stdout, Stderr: stderr, Clock: time.Now,
		Log: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level})),
	}
	if app.Location, err = time.LoadLocation(c.Timezone); err != nil {
		fmt.Fprintf(stderr, "web: --timezone: “%s” is not a time zone that is known here.\n", c.Timezone)
		return 2
	}
	err = parsed.Run(app)
	if code, ok := errors.AsType[ExitCode](err); ok {
		return int(code)
	}
	if err != nil {
		if _, ours := errors.AsType[*fault.Error](err); !ours {
			fmt.Fprintln(stderr, "web:", err)
		} else {
			fmt.Fprintln(stderr, "web:", fault.Sentence(err))
		}
		return 1
	}
	return 0
}

// environment answers each flag's HEADWAY_… variable from env, not from the process, so that tests can say what it is.
func environment(env []string) kong.Resolver {
	set := map[string]string{}
	for _, pair := range env {
		if name, value, ok := strings.Cut(pair, "="); ok {
			set[name] = value
		}
	}
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		for _, name := range flag.Tag.Envs {
			if value, ok := set[name]; ok {
				return value, nil
			}
		}
		return nil, nil
	})
}
