// Command run starts the distributed engines, runs a command that finds them in its environment, and stops them again:
//
//	go run ./e2e/backends/run [-only dynamodb|elasticsearch] [-dir FOLDER] [-- COMMAND ARGUMENTS…]
//
// Without a command it says where they are, as settings of a shell, and keeps them until it is interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"headway/e2e/backends"
)

func main() {
	only := flag.String("only", "", "start this engine alone: dynamodb or elasticsearch")
	dir := flag.String("dir", "", "folder for data and logs; empty means one that is removed afterwards")
	flag.Parse()
	code, err := run(os.Stdout, *dir, *only, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// run gives the command's own exit code.
func run(stdout io.Writer, dir, only string, command []string) (int, error) {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if dir == "" {
		made, err := os.MkdirTemp("", "headway-backends-")
		if err != nil {
			return 1, err
		}
		defer func() { _ = os.RemoveAll(made) }() // what is left of it is in nobody's way
		dir = made
	}
	engines := backends.Engines()
	if only != "" {
		engines = []backends.Engine{backends.Engine(only)}
	}
	b, stop, err := backends.Start(ctx, dir, engines...)
	if err != nil {
		return 1, err
	}
	defer stop()
	if len(command) == 0 {
		for _, setting := range b.Environment() {
			if _, err := fmt.Fprintln(stdout, "export "+setting); err != nil {
				return 1, err
			}
		}
		<-ctx.Done()
		return 0, nil
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // running what it was given is its purpose
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Env = append(os.Environ(), b.Environment()...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, stdout, os.Stderr
	err = cmd.Run()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return max(failed.ExitCode(), 1), nil
	}
	if err != nil {
		return 1, err
	}
	return 0, nil
}
