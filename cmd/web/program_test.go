package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"testing"

	"headway/internal/faultydisk"
)

// programVariable makes this test program the real one, on a disk with its own will.
const programVariable = "HEADWAY_TEST_PROGRAM"

// will is what befalls the program.
type will struct {
	Folder string // of the data
	Full   bool   // on SIGUSR1 no file may grow beyond 4 KiB, on SIGUSR2 it may again; the system says so, nothing is simulated

	Name  string          // the program is killed at the N-th operation of this kind on this file,
	Kind  faultydisk.Kind // if there is one,
	N     int             // from 1,
	After bool            // or right after it
}

func TestMain(m *testing.M) {
	text := os.Getenv(programVariable)
	if text == "" {
		os.Exit(m.Run())
	}
	var w will
	if err := errors.Join(json.Unmarshal([]byte(text), &w), w.befall()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	main()
}

// program is this program as a command line, and the environment that has a will befall it.
func (w will) program() (command []string, env string) {
	text, err := json.Marshal(w)
	if err != nil {
		panic(err)
	}
	return []string{os.Args[0]}, programVariable + "=" + string(text)
}

func (w will) befall() error {
	if w.Full {
		signal.Ignore(syscall.SIGXFSZ)
		told := make(chan os.Signal, 1)
		signal.Notify(told, syscall.SIGUSR1, syscall.SIGUSR2)
		go func() {
			for s := range told {
				var limit syscall.Rlimit
				syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit)
				if limit.Cur = limit.Max; s == syscall.SIGUSR1 {
					limit.Cur = 4096
				}
				syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
			}
		}()
	}
	if w.Name == "" {
		return nil
	}
	all, err := disks()
	if err != nil {
		return err
	}
	var n atomic.Int64
	at := func(o faultydisk.Operation) {
		if o.Name == w.Name && o.Kind == w.Kind && n.Add(1) == int64(w.N) {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	if w.After {
		all.At(w.Folder).Watch(nil, at)
	} else {
		all.At(w.Folder).Watch(at, nil)
	}
	return nil
}
