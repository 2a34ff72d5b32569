package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"headway/domain"
	"headway/orders"
)

// program is a server that runs as a person would run it.
type program struct {
	url  string
	pid  int
	stop func() error
}

var printedAddress = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// serve starts the real program in an empty data folder.
func (b *bench) serve(ctx context.Context, folder string, flags ...string) (*program, error) {
	dir, err := b.folder(folder)
	if err != nil {
		return nil, err
	}
	return b.serveIn(ctx, dir, flags...)
}

// serveIn starts the real program on the data in a folder. What it logs goes into a file beside them.
func (b *bench) serveIn(ctx context.Context, dir string, flags ...string) (*program, error) {
	path, err := b.webProgram()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	args := append([]string{"--addr", "127.0.0.1:0", "--data", filepath.Join(dir, "data")}, flags...)
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // running what it was given is its purpose
	cmd.Env, cmd.Stderr = os.Environ(), log
	url, err := started(cmd)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return &program{url, cmd.Process.Pid, func() error {
		_ = cmd.Process.Signal(os.Interrupt) // one that has ended already is found by Wait
		return errors.Join(cmd.Wait(), log.Close())
	}}, nil
}

// started starts a program and waits until it says where it is.
func started(cmd *exec.Cmd) (url string, err error) {
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if url = printedAddress.FindString(lines.Text()); url != "" {
			go func() { _, _ = io.Copy(io.Discard, stdout) }() // it ends with the program
			return url, nil
		}
	}
	return "", errors.Join(fmt.Errorf("%s did not start to serve", filepath.Base(cmd.Path)), lines.Err(), cmd.Wait())
}

// webProgram is the web program that was named, or that lies beside this one.
func (b *bench) webProgram() (string, error) {
	path := b.web
	if path == "" {
		me, err := os.Executable()
		if err != nil {
			return "", err
		}
		path = filepath.Join(filepath.Dir(me), "web")
	}
	if _, err := os.Stat(path); err != nil {
		return "", missing("there is no web program to measure: go build -o bin/ ./cmd/web ./cmd/bench puts it beside this one, or -web names it.")
	}
	return path, nil
}

// caller sends commands over HTTP, as a program would.
type caller struct {
	client *http.Client
	url    string
}

func newCaller(url string, conns int) caller {
	return caller{&http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: conns}}, url}
}

// told is an order as the caller has told it so far.
type told struct {
	id      domain.OrderID
	version int
}

// next sends the next command of an order, which is a new one after it was confirmed.
func (c caller) next(ctx context.Context, o *told) error {
	path := "/orders"
	body := map[string]any{"commandId": orders.NewCommandID()}
	line := func(i domain.Item) map[string]any {
		return map[string]any{"sku": i.SKU, "name": i.Name, "quantity": i.Quantity, "price": i.Price.Decimal()}
	}
	all := life()
	switch e := all[o.version%len(all)].(type) {
	case domain.OrderCreated:
		o.version = 0
		var lines []map[string]any
		for _, i := range e.Items {
			lines = append(lines, line(i))
		}
		body["customerId"], body["currency"], body["items"] = e.CustomerID, e.Currency, lines
	case domain.OrderItemAdded:
		path += "/" + string(o.id) + "/items"
		maps.Copy(body, line(e.Item))
	default:
		path += "/" + string(o.id) + "/confirm"
	}
	if o.version > 0 {
		body["expectedVersion"] = o.version
	}
	var receipt struct {
		OrderID domain.OrderID `json:"orderId"`
		Version int            `json:"version"`
	}
	if err := c.post(ctx, path, body, &receipt); err != nil {
		return err
	}
	if receipt.Version != o.version+1 {
		return fmt.Errorf("the answer says version %d after %d", receipt.Version, o.version)
	}
	o.id, o.version = receipt.OrderID, receipt.Version
	return nil
}

func (c caller) post(ctx context.Context, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // it has been read
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("%s: %s %.300s", path, response.Status, strings.TrimSpace(string(answer)))
	}
	if err == nil {
		err = json.Unmarshal(answer, into)
	}
	return err
}
