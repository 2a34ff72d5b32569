package sqlite_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"headway/eventstore/sqlite"
)

// Every answer comes after a sync of the log that began after the command was sent and after its last byte was written. The kernel says so:
// strace watches the store at work.
func TestSyncBeforeAnswer(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has strace; there this test must run")
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal("This test watches the store with strace: apt-get install strace, or make need.")
	}
	if err := exec.Command(strace, "-o", os.DevNull, "true").Run(); err != nil {
		t.Fatalf("strace is not allowed to watch here: %v", err)
	}
	for name, c := range map[string]struct{ clients, each int }{"one client": {1, 30}, "many clients": {16, 6}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			trace := filepath.Join(dir, "trace")
			cmd := clientsCommand(filepath.Join(dir, "events.db"), c.clients, c.each,
				strace, "-f", "-y", "-qq", "-e", "trace=write,pwrite64,fsync,fdatasync", "-e", "signal=none", "-o", trace)
			must(t, cmd.Run())
			text, err := os.ReadFile(trace)
			must(t, err)
			answers := 0
			calls := parseTrace(text)
			for i, answer := range calls {
				if !strings.Contains(answer.args, `"answer `) {
					continue
				}
				answers++
				asked := -1
				for j := range calls[:i] {
					if strings.Contains(calls[j].args, strings.Replace(answer.text(), "answer", "ask", 1)) {
						asked = j
					}
				}
				if asked < 0 || !syncedBetween(calls, calls[asked].begin, answer.begin, c.clients == 1) {
					t.Errorf("no sync of the log before %s", answer.text())
				}
			}
			if answers != c.clients*c.each {
				t.Errorf("the trace holds %d answers, want %d", answers, c.clients*c.each)
			}
		})
	}
}

// What another process has left in the log is written again, all of it, and synced, before anything is read of it.
func TestLogIsRewritten(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal("This test watches the store with strace: apt-get install strace, or make need.")
	}
	path, disk, done := newPlace(t)
	defer done()
	s := open(t, path, sqlite.Options{})
	for i := range 40 {
		appendTo(t, s, stream("a"), i)
	}
	left, dir := disk.Cut(1), t.TempDir()
	must(t, left.Put(dir))
	size := len(left["events.db-wal"])
	trace := filepath.Join(dir, "trace")
	cmd := clientsCommand(filepath.Join(dir, "events.db"), 1, 1,
		strace, "-f", "-y", "-qq", "-e", "trace=write,pwrite64,fsync,fdatasync", "-e", "signal=none", "-o", trace)
	must(t, cmd.Run())
	text, err := os.ReadFile(trace)
	must(t, err)
	written, synced := 0, 0
	for _, c := range parseTrace(text) {
		n, _ := strconv.Atoi(c.result)
		switch {
		case strings.Contains(c.args, `"ask `):
			if written < size || synced < size {
				t.Errorf("before the first command %d bytes of a log of %d were written, %d of them synced", written, size, synced)
			}
			return
		case c.onLog() && c.name == "pwrite64":
			written += n
		case c.onLog() && c.result == "0":
			synced = written
		}
	}
	t.Error("the trace has no command")
}

// call is a system call between two lines of the trace.
type call struct {
	name, args, result string
	begin, end         int
}

// text is what was said, with its quotes.
func (c call) text() string { return regexp.MustCompile(`"[^"]*"`).FindString(c.args) }

func (c call) onLog() bool { return strings.Contains(c.args, "events.db-wal>") }

// syncedBetween wants a sync that worked, of the log, from begin to end as a whole; with alone, also after the last write to the
// log in that time, of which there must be one.
func syncedBetween(calls []call, begin, end int, alone bool) bool {
	written := -1
	if !alone {
		written = begin
	}
	synced := -1
	for _, c := range calls {
		if c.begin < begin || c.begin > end || !c.onLog() {
			continue
		}
		switch {
		case c.name == "pwrite64" && alone:
			written = max(written, c.end)
		case strings.HasSuffix(c.name, "sync") && c.result == "0" && c.end < end:
			synced = max(synced, c.begin)
		}
	}
	return written >= 0 && synced > written
}

// parseTrace reads the lines "PID call(args) = result", and those that strace splits in two because another thread came between.
func parseTrace(text []byte) []call {
	whole := regexp.MustCompile(`^(\d+) +(\w+)\((.*)\) += (\S+)`)
	unfinished := regexp.MustCompile(`^(\d+) +(\w+)\((.*) <unfinished \.\.\.>`)
	resumed := regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>.*\) += (\S+)`)
	var calls []call
	open := map[string]int{} // by thread
	for line, row := range bytes.Split(text, []byte("\n")) {
		if m := unfinished.FindStringSubmatch(string(row)); m != nil {
			open[m[1]] = len(calls)
			calls = append(calls, call{name: m[2], args: m[3], begin: line, end: 1 << 60})
		} else if m := resumed.FindStringSubmatch(string(row)); m != nil {
			c := &calls[open[m[1]]]
			c.result, c.end = m[3], line
		} else if m := whole.FindStringSubmatch(string(row)); m != nil {
			calls = append(calls, call{name: m[2], args: m[3], result: m[4], begin: line, end: line})
		}
	}
	return calls
}
