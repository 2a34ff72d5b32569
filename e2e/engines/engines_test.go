// Package engines_test runs the whole program on every mix of engines that is not the embedded pair, which cmd/web's own tests run.
package engines_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
)

// setting is where an engine of the tests is.
func setting(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("%s is not set: `make backends` starts the engines, or `go run ./e2e/backends/run -- go test ./e2e/engines`.", name)
	}
	return value
}

// installation is a program and the engines that it stands on.
type installation struct {
	program, data string
	environment   []string
	events, read  string // as the flags name them
}

// distributed are engines under names that nobody else uses.
func distributed(t *testing.T) (events, read string, environment []string) {
	t.Helper()
	name := "mix-" + uuid.NewString()[:13]
	// DynamoDB Local takes any credentials, and keeps the tables of each apart.
	environment = append(os.Environ(), "AWS_ENDPOINT_URL_DYNAMODB="+setting(t, "HEADWAY_TEST_DYNAMODB"), "AWS_REGION=eu-central-1",
		"AWS_ACCESS_KEY_ID=headway", "AWS_SECRET_ACCESS_KEY=headway")
	return "dynamodb:" + name, "elasticsearch:" + setting(t, "HEADWAY_TEST_ELASTICSEARCH") + "?prefix=" + name, environment
}

// web runs a command to its end.
func (in installation) web(args ...string) (stdout, stderr string, code int) {
	cmd := exec.Command(in.program, append(args, "--data", in.data, "--events", in.events, "--read", in.read)...)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = in.environment, &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		return "", err.Error(), -1
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// wants runs a command that must end so, and say so.
func (in installation) wants(t *testing.T, code int, says string, args ...string) {
	t.Helper()
	stdout, stderr, got := in.web(args...)
	if got != code || !strings.Contains(stdout, says) {
		t.Fatalf("web %s: exit %d, want %d and %q\n%s%s", args[0], got, code, says, stdout, stderr)
	}
}

var address = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// serve starts a server, and stops it, as a person would, when the test ends. said is what it prints until it answers.
func (in installation) serve(t *testing.T) (url, said string) {
	t.Helper()
	args := []string{"--addr", "127.0.0.1:0", "--data", in.data, "--events", in.events, "--read", in.read}
	cmd := exec.Command(in.program, args...)
	var errs bytes.Buffer
	cmd.Env, cmd.Stderr = in.environment, &errs
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // if it has ended, the exit code says so
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server ended with %v\n%s", err, &errs)
		}
	})
	for lines := bufio.NewScanner(stdout); !strings.Contains(said, "Ctrl-C") && lines.Scan(); {
		said += lines.Text() + "\n"
	}
	return address.FindString(said), said
}

// ask asks as a program does.
func ask(t *testing.T, method, url string, body any, status int) map[string]any {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		t.Fatalf("%s %s: %d, want %d\n%s", method, url, res.StatusCode, status, answer)
	}
	var v map[string]any
	if err := json.Unmarshal(answer, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// On every mix of engines the tables are made, a file is imported once however often it is brought, a server shows what a command did, an
// import beside it arrives, and every row matches the log.
func TestEveryMixOfEngines(t *testing.T) {
	program := filepath.Join(t.TempDir(), "web")
	if out, err := exec.Command("go", "build", "-o", program, "../../cmd/web").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for name, m := range map[string]struct{ dynamo, elastic bool }{
		"the distributed pair":            {true, true},
		"events in a file":                {false, true},
		"rows in a file":                  {true, false},
		"both in files, named explicitly": {false, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			in := installation{program: program, data: filepath.Join(dir, "data")}
			in.events, in.read, in.environment = distributed(t)
			if !m.dynamo {
				in.events = "sqlite:" + filepath.Join(dir, "e.db")
			}
			if !m.elastic {
				in.read = "sqlite:" + filepath.Join(dir, "r.db")
			}
			in.walk(t, dir, m.dynamo)
			_, err := os.Stat(in.data)
			if needed := !m.dynamo || !m.elastic; needed != (err == nil) {
				t.Errorf("the data folder: %v", err)
			}
		})
	}
}

// walk is what everybody does with an installation.
func (in installation) walk(t *testing.T, dir string, tables bool) {
	t.Helper()
	if tables {
		in.wants(t, 1, "-events is missing", "tables", "check")
		if _, stderr, code := in.web("verify"); code != 1 || !strings.Contains(stderr, "web tables create") {
			t.Errorf("without tables: exit %d\n%s", code, stderr)
		}
		in.wants(t, 0, "-heads is ready", "tables", "create")
		in.wants(t, 0, "-heads is ready", "tables", "create")
		in.wants(t, 0, "-events is ready", "tables", "check")
	}
	first, second := orders(t, dir, "A"), orders(t, dir, "B")
	in.wants(t, 0, "8 orders imported, 0 finished, 0 there already", "import", first)
	in.wants(t, 0, "0 orders imported, 0 finished, 8 there already", "import", first)
	in.wants(t, 0, "Every row matches the log: 8 orders with 12 events", "verify")

	url, said := in.serve(t)
	for _, engine := range []string{in.events, in.read} {
		if !strings.Contains(said, engine+"\n") {
			t.Errorf("the server does not say that it stands on %s:\n%s", engine, said)
		}
	}
	receipt := ask(t, http.MethodPost, url+"/orders", map[string]any{
		"commandId": uuid.NewString(), "customerId": "Grace Hopper", "currency": "EUR", "reference": "ZEBRA-7",
		"items": []map[string]any{{"sku": "LAMP", "name": "Desk lamp", "quantity": 2, "price": "12.50"}},
	}, http.StatusCreated)
	id := receipt["orderId"]
	in.wants(t, 0, "8 orders imported", "import", second)
	in.wants(t, 0, "Every row matches the log: 17 orders with 25 events", "verify")
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) { // searchable after the next refresh
		found, _ := ask(t, http.MethodGet, url+"/orders?q=zebra", nil, http.StatusOK)["orders"].([]any)
		if len(found) == 1 {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("search found %v", found)
		}
	}
	ask(t, http.MethodPost, fmt.Sprintf("%s/orders/%s/cancel", url, id), map[string]any{
		"commandId": uuid.NewString(), "expectedVersion": 2, "reason": "ordered twice",
	}, http.StatusConflict)
	if ready := ask(t, http.MethodGet, url+"/readyz", nil, http.StatusOK); ready["ready"] != true {
		t.Errorf("it is not ready: %v", ready)
	}
}

// orders is a file of eight orders, half of them confirmed.
func orders(t *testing.T, dir, prefix string) string {
	t.Helper()
	lines := []string{"order,placed_at,customer,currency,sku,name,quantity,price,status,status_at,reason"}
	for i := range 8 {
		end := "created,,"
		if i%2 == 1 {
			end = "confirmed,2025-01-02T08:00:00Z,"
		}
		lines = append(lines, fmt.Sprintf("%s-%d,2025-01-01T08:0%d:00Z,Customer %d,EUR,TEA,Earl Grey,%d,4.50,%s", prefix, i, i, i%3, 1+i, end))
	}
	path := filepath.Join(dir, prefix+".csv")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
