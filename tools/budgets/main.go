// Command budgets measures what Headway may cost and compares it with budgets.json, which has today's figure and the ceiling of each. What
// is over its ceiling fails. Processor seconds count, not seconds: a busy machine makes them a little more, not twice as many.
//
//	make budgets           what a minute can measure; a part of make test
//	make size | tee FILE && go run -C tools ./budgets -size FILE   also the memory that every page of 100,000 orders took
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	root    = ".." // of the repository, from the module of the tools
	file    = "budgets.json"
	rest    = 2 * time.Second // after which memory is at rest
	starts  = 5               // of which the quickest counts
	patient = 10 * time.Minute
)

// budget is one line of the file.
type budget struct {
	Name    string  `json:"name"`
	Unit    string  `json:"unit"`
	Figure  float64 `json:"figure"`  // as it was measured when the line was written
	Ceiling float64 `json:"ceiling"` // what fails
	Why     string  `json:"why"`
}

func main() {
	size := flag.String("size", "", "the file with what make size printed")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	if err := run(ctx, *size); err != nil {
		fmt.Fprintln(os.Stderr, "budgets:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, size string) error {
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		return err
	}
	var budgets []budget
	if err := json.Unmarshal(text, &budgets); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	work, err := os.MkdirTemp("", "budgets")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	measured, err := measure(ctx, work, size)
	if err != nil {
		return err
	}
	var errs []error
	for _, b := range budgets {
		got, ok := measured[b.Name]
		delete(measured, b.Name)
		switch {
		case !ok && b.Name == "memory after make size" && size == "":
			continue
		case !ok:
			errs = append(errs, fmt.Errorf("%s: nothing measures it", b.Name))
			continue
		case got > b.Ceiling:
			errs = append(errs, fmt.Errorf("%s is %.4g %s, over the ceiling of %.4g", b.Name, got, b.Unit, b.Ceiling))
		}
		fmt.Printf("%-28s %10.4g %-18s figure %8.4g  ceiling %8.4g\n", b.Name, got, b.Unit, b.Figure, b.Ceiling)
	}
	for name := range measured {
		errs = append(errs, fmt.Errorf("%s is measured and has no line in %s", name, file))
	}
	return errors.Join(errs...)
}

func measure(ctx context.Context, work, size string) (map[string]float64, error) {
	measured := map[string]float64{}
	program := filepath.Join(work, "web")
	cold, err := build(ctx, program, filepath.Join(work, "cache"))
	if err != nil {
		return nil, err
	}
	measured["cold build"] = cold.Seconds()
	info, err := os.Stat(program)
	if err != nil {
		return nil, err
	}
	measured["binary"] = float64(info.Size()) / 1e6
	if measured["script and style"], err = assets(filepath.Join(root, "static")); err != nil {
		return nil, err
	}
	for i := range starts {
		ready, memory, err := start(ctx, program, filepath.Join(work, strconv.Itoa(i)), i == starts-1)
		if err != nil {
			return nil, err
		}
		if ms := ready.Seconds() * 1000; i == 0 || ms < measured["start to ready"] {
			measured["start to ready"] = ms
		}
		measured["memory at rest"] = memory
	}
	if size != "" {
		text, err := os.ReadFile(size)
		if err != nil {
			return nil, err
		}
		found := highest.FindSubmatch(text)
		if found == nil {
			return nil, fmt.Errorf("%s has no size_rss_max", size)
		}
		if measured["memory after make size"], err = strconv.ParseFloat(string(found[1]), 64); err != nil {
			return nil, err
		}
	}
	return measured, nil
}

// build makes the program without anything that was built before, and tells the processor time it took.
func build(ctx context.Context, program, cache string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/web")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "GOCACHE="+cache, "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// assets is what a page loads of script and style at most, in kB of gzip: all of it.
func assets(dir string) (float64, error) {
	sum := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !slices.Contains([]string{".js", ".css"}, filepath.Ext(path)) || strings.Contains(path, ".test.") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, err = w.Write(text)
		if err := errors.Join(err, w.Close()); err != nil {
			return err
		}
		sum += b.Len()
		return nil
	})
	return float64(sum) / 1000, err
}

// highest is the line of make size that says how much memory its pages took.
var highest = regexp.MustCompile(`(?m)\bsize_rss_max\s+([0-9.]+)`)

var served = regexp.MustCompile(`http://\S+`)

// start runs the program on an empty folder until it is ready, and tells its memory in MiB if that is asked for.
func start(ctx context.Context, program, dir string, rests bool) (ready time.Duration, memory float64, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	cmd := exec.CommandContext(ctx, program, "--addr", "127.0.0.1:0", "--data", dir)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	}()
	buffer := make([]byte, 4096)
	n, err := out.Read(buffer)
	if err != nil {
		return 0, 0, err
	}
	url := served.FindString(string(buffer[:n]))
	go func() { _, _ = io.Copy(io.Discard, out) }()
	for {
		response, err := http.Get(url + "/readyz")
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Since(began) > time.Minute {
			return 0, 0, fmt.Errorf("%s is not ready", url)
		}
		time.Sleep(time.Millisecond) // between questions to a process that starts
	}
	ready = time.Since(began)
	if rests {
		time.Sleep(rest) // what is measured is a process at rest
		memory, err = resident(cmd.Process.Pid)
	}
	return ready, memory, err
}

// resident is a process's memory, as Linux tells it.
func resident(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if kb, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.ParseFloat(strings.Fields(kb)[0], 64)
			return n / 1024, err
		}
	}
	return 0, errors.New("the system does not tell the memory of a process")
}
