// Package consoletest is a program and a person who use the console in tests: requests as they are sent, and answers as they are read.
package consoletest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"headway/cmd/web/console/wire"
)

// Client asks the console at URL. Whatever is not an answer ends the test.
type Client struct {
	T   testing.TB
	URL string
}

// Reply is an answer, read to its end.
type Reply struct {
	Status int
	Header http.Header
	Body   string
}

// Send asks with headers in pairs of name and value, and follows no redirect.
func (c Client) Send(method, path, media, body string, headers ...string) Reply {
	c.T.Helper()
	r, err := http.NewRequestWithContext(c.T.Context(), method, c.URL+path, strings.NewReader(body))
	if err != nil {
		c.T.Fatal(err)
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
		c.T.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		c.T.Fatal(err)
	}
	return Reply{answer.StatusCode, answer.Header, string(data)}
}

// Get asks for a page.
func (c Client) Get(path string, headers ...string) Reply {
	c.T.Helper()
	return c.Send(http.MethodGet, path, "", "", headers...)
}

// GetJSON asks as programs do.
func (c Client) GetJSON(path string) Reply {
	c.T.Helper()
	return c.Get(path, "Accept", "application/json")
}

// PostJSON sends what a program sends.
func (c Client) PostJSON(path, body string) Reply {
	c.T.Helper()
	return c.Send(http.MethodPost, path, "application/json", body)
}

// PostForm sends what a browser sends: fields in pairs of name and value.
func (c Client) PostForm(path string, pairs ...string) Reply {
	c.T.Helper()
	return c.Send(http.MethodPost, path, "application/x-www-form-urlencoded", FormBody(pairs...), "Accept", "text/html")
}

// FormBody is a form of pairs of name and value.
func FormBody(pairs ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return values.Encode()
}

// Wants is a test that an answer has a status and says these words.
func (r Reply) Wants(t testing.TB, status int, words ...string) {
	t.Helper()
	if r.Status != status {
		t.Fatalf("status %d, want %d\n%s", r.Status, status, r.Body)
	}
	for _, w := range words {
		if !strings.Contains(r.Body, w) {
			t.Errorf("the answer does not say %q:\n%s", w, r.Body)
		}
	}
}

// Decoded reads a JSON answer.
func Decoded[T any](t testing.TB, r Reply) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(r.Body), &v); err != nil {
		t.Fatalf("status %d, not JSON: %v\n%s", r.Status, err, r.Body)
	}
	return v
}

// Problem is problem+json as a program reads it.
type Problem struct {
	Type, Title, Detail string
	Status              int
	Error               wire.Error
	Seen, Head          int
	Since               []wire.Event
	Redecided           wire.Action
}

// OrderPage is an order as a program reads it.
type OrderPage struct {
	wire.OrderPage

	Actions map[string]wire.Action `json:"actions"`
}

// FormFields are the hidden fields of the form on a page that posts to action.
func FormFields(t testing.TB, page, action string) map[string]string {
	t.Helper()
	_, form, ok := strings.Cut(page, `method="post" action="`+action+`"`)
	if !ok {
		t.Fatalf("no form posts to %s", action)
	}
	form, _, _ = strings.Cut(form, "</form>")
	fields := map[string]string{}
	hidden := regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`)
	for _, m := range hidden.FindAllStringSubmatch(form, -1) {
		fields[m[1]] = m[2]
	}
	return fields
}
