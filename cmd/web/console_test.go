package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"headway/cmd/web/internal/wire"
	"headway/orders"
)

// console is a server on real stores whose projections move when a test says so.
type console struct {
	t   *testing.T
	app *App
	s   *server
	url string
	log *bytes.Buffer
}

func openConsole(t *testing.T, change ...func(*App)) *console {
	t.Helper()
	c := &console{t: t, log: &bytes.Buffer{}}
	c.app = &App{
		Context: t.Context(), Settings: Settings{Data: t.TempDir()}, Location: time.UTC, Stdout: io.Discard, Stderr: io.Discard, Clock: time.Now,
		Log: slog.New(slog.NewTextHandler(c.log, nil)),
	}
	if err := c.app.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.app.Close() })
	for _, f := range change {
		f(c.app)
	}
	c.s = newServer(c.app)
	h := httptest.NewServer(c.s.handler())
	t.Cleanup(h.Close)
	c.url = h.URL
	return c
}

// project lets every projection catch up, and the sockets hear of it.
func (c *console) project() {
	c.t.Helper()
	if _, err := c.s.projector.Step(context.Background()); err != nil {
		c.t.Fatal(err)
	}
	c.s.bridge.flush(context.Background())
}

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

func (c *console) send(method, path, media, body string, headers ...string) reply {
	c.t.Helper()
	r, err := http.NewRequest(method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return reply{answer.StatusCode, answer.Header, string(data)}
}

func (c *console) get(path string, headers ...string) reply {
	return c.send("GET", path, "", "", headers...)
}

func (c *console) getJSON(path string) reply { return c.get(path, "Accept", "application/json") }

func (c *console) postJSON(path, body string) reply {
	return c.send("POST", path, "application/json", body)
}

func (c *console) postForm(path string, pairs ...string) reply {
	return c.send("POST", path, "application/x-www-form-urlencoded", formBody(pairs...), "Accept", "text/html")
}

func formBody(pairs ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return values.Encode()
}

// decoded reads a JSON answer.
func decoded[T any](t *testing.T, r reply) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(r.body), &v); err != nil {
		t.Fatalf("status %d, not JSON: %v\n%s", r.status, err, r.body)
	}
	return v
}

// problemSeen is problem+json as a program reads it.
type problemSeen struct {
	Type, Title, Detail string
	Status              int
	Error               wire.Error
	Seen, Head          int
	Since               []wire.Event
	Redecided           wire.Action
}

func (c *console) newOrder(reference string) wire.Receipt {
	c.t.Helper()
	r := c.postJSON("/orders", fmt.Sprintf(`{"commandId":%q,"customerId":"Ada","currency":"EUR","reference":%q,`+
		`"items":[{"sku":"LAMP","name":"Desk lamp","quantity":2,"price":"12.50"}]}`, uuid.NewString(), reference))
	if r.status != http.StatusCreated {
		c.t.Fatalf("create: %d %s", r.status, r.body)
	}
	return decoded[wire.Receipt](c.t, r)
}

// events counts everything that is stored.
func (c *console) events() int {
	c.t.Helper()
	records, _, err := c.app.Events.ByType(context.Background(), orders.Category, "", "", 1000)
	if err != nil {
		c.t.Fatal(err)
	}
	return len(records)
}

func (r reply) wants(t *testing.T, status int, words ...string) {
	t.Helper()
	if r.status != status {
		t.Fatalf("status %d, want %d\n%s", r.status, status, r.body)
	}
	for _, w := range words {
		if !strings.Contains(r.body, w) {
			t.Errorf("the answer does not say %q:\n%s", w, r.body)
		}
	}
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)

// formFields are the hidden fields of the form that posts to action.
func formFields(t *testing.T, page, action string) map[string]string {
	t.Helper()
	_, form, ok := strings.Cut(page, `method="post" action="`+action+`"`)
	if !ok {
		t.Fatalf("no form posts to %s", action)
	}
	form, _, _ = strings.Cut(form, "</form>")
	fields := map[string]string{}
	for _, m := range hiddenField.FindAllStringSubmatch(form, -1) {
		fields[m[1]] = m[2]
	}
	return fields
}
