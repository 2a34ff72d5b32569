// Command mutations breaks the code on purpose, one line at a time, and wants the test that is named for it to be green before and red
// after. The files of the working tree are never touched: Go compiles the broken one by an overlay, and the browser's logic is tested in a
// copy.
//
//	make mutations                         all of them, as a table, beside the engines that some tests need
//	go run -C tools ./mutations            all that need no engine
//	go run -C tools ./mutations NAME …     some
//	go run -C tools ./mutations -check     only that each still fits the code
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	root     = ".." // of the repository, from the module of the tools
	patience = 3 * time.Minute
)

// mutation is one breakage: old, which stands exactly once in the file, becomes new, and the test turns red.
type mutation struct {
	name    string
	promise string // the number in README.md, or the rule
	file    string // from the root
	old     string
	new     string
	pkg     string // from the root; node runs the tests of static/
	test    string // as go test -run, or node --test-name-pattern, takes it
}

func main() {
	check := flag.Bool("check", false, "only check that each fits the code")
	flag.Parse()
	if err := run(*check, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(check bool, names []string) error {
	list := mutations()
	for _, name := range names {
		if !slices.ContainsFunc(list, func(m mutation) bool { return m.name == name }) {
			return fmt.Errorf("there is no mutation %q", name)
		}
	}
	var errs []error
	for _, m := range list {
		if _, err := m.broken(); err != nil {
			errs = append(errs, err)
		}
	}
	if check || len(errs) > 0 {
		return errors.Join(errs...)
	}
	fmt.Printf("| %-50s | %-7s | %-80s | %s |\n|---|---|---|---|\n", "breakage", "promise", "test", "red after")
	began := time.Now()
	red, left := 0, 0
	for _, m := range list {
		if len(names) > 0 && !slices.Contains(names, m.name) {
			continue
		}
		if m.pkg == "eventstore/dynamo" && os.Getenv("HEADWAY_TEST_DYNAMODB") == "" {
			left++
			continue
		}
		took, err := m.prove()
		if err != nil {
			fmt.Printf("| %-50s | %-7s | %-80s | NOT RED |\n", m.name, m.promise, m.where())
			errs = append(errs, fmt.Errorf("%s: %w", m.name, err))
			continue
		}
		red++
		fmt.Printf("| %-50s | %-7s | %-80s | %.1f s |\n", m.name, m.promise, m.where(), took.Seconds())
	}
	fmt.Printf("\n%d breakages turn their tests red, in %.0f s.\n", red, time.Since(began).Seconds())
	if left > 0 {
		fmt.Printf("%d were left out, because their tests need DynamoDB: make mutations starts it.\n", left)
	}
	return errors.Join(errs...)
}

func (m mutation) where() string { return fmt.Sprintf("%s (%s)", m.test, m.pkg) }

// broken is the file with the breakage.
func (m mutation) broken() ([]byte, error) {
	whole, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		return nil, err
	}
	if n := bytes.Count(whole, []byte(m.old)); n != 1 {
		return nil, fmt.Errorf("the mutation %q does not fit any more: what it breaks stands %d times in %s. Find where the code does it now", m.name, n, m.file)
	}
	return bytes.Replace(whole, []byte(m.old), []byte(m.new), 1), nil
}

// prove runs the test on the code as it is, and on the broken code. It answers how long the second took.
func (m mutation) prove() (time.Duration, error) {
	broken, err := m.broken()
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "mutation")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	execute := m.goTest
	if m.pkg == "node" {
		execute = m.nodeTest
	}
	if said, green, err := execute(dir, nil); err != nil || !green {
		return 0, fmt.Errorf("the test is not green on the code as it is: %w\n%s", err, said)
	}
	began := time.Now()
	said, green, err := execute(dir, broken)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%w\n%s", err, said)
	case green:
		return 0, errors.New("the test is green on the broken code")
	}
	return time.Since(began), nil
}

// goTest tells whether a test is green. A test that is not there, or code that does not compile, is an error.
func (m mutation) goTest(dir string, broken []byte) (said string, green bool, err error) {
	var flags []string
	args := []string{"test", "-v", "-timeout", (patience / 2).String(), "-run", "^" + strings.Replace(m.test, "/", "$/^", 1) + "$"}
	if broken != nil {
		if err := os.WriteFile(filepath.Join(dir, "broken.go"), broken, 0o600); err != nil {
			return "", false, err
		}
		file, err := filepath.Abs(filepath.Join(root, m.file))
		if err != nil {
			return "", false, err
		}
		overlay, err := json.Marshal(map[string]map[string]string{"Replace": {file: filepath.Join(dir, "broken.go")}})
		if err != nil {
			return "", false, err
		}
		if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
			return "", false, err
		}
		flags = append(flags, "-overlay="+filepath.Join(dir, "overlay.json"))
	}
	said, failed, err := output(root, flags, "go", append(args, "./"+m.pkg)...)
	ran := strings.Contains(said, "--- PASS: ") || strings.Contains(said, "--- FAIL: ") || strings.Contains(said, "panic: ")
	if err == nil && !ran {
		err = errors.New("no such test has run")
	}
	return said, !failed, err
}

// nodeTest is goTest of the browser's logic: the folder of the scripts is copied, and the file replaced in the copy.
func (m mutation) nodeTest(dir string, broken []byte) (said string, green bool, err error) {
	copied := filepath.Join(dir, "static")
	if err := errors.Join(os.RemoveAll(copied), os.CopyFS(copied, os.DirFS(filepath.Join(root, "static")))); err != nil {
		return "", false, err
	}
	if broken != nil {
		if err := os.WriteFile(filepath.Join(copied, filepath.Base(m.file)), broken, 0o600); err != nil {
			return "", false, err
		}
	}
	name := strings.TrimSuffix(filepath.Base(m.file), ".js") + ".test.mjs"
	said, failed, err := output(copied, nil, "node", "--test", "--test-reporter=tap", "--test-name-pattern", m.test, name)
	if err == nil && !strings.Contains(said, " - "+m.test+"\n") {
		err = errors.New("no such test has run")
	}
	return said, !failed, err
}

// output runs a command with flags for every go command in it: a test may build the program, too.
func output(dir string, flags []string, name string, args ...string) (said string, failed bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS="+strings.Join(append(flags, os.Getenv("GOFLAGS")), " "))
	text, err := cmd.CombinedOutput()
	if _, exited := errors.AsType[*exec.ExitError](err); exited && ctx.Err() == nil {
		return string(text), true, nil
	}
	return string(text), false, err
}
