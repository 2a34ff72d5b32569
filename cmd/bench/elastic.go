package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"headway/domain"
	"headway/eventstore"
	"headway/projections"
	"headway/projections/elastic"
)

// elasticsearch measures the writing of rows beside a loop that sends the same bulk requests, to indices of the same mappings, and does
// nothing else. Every batch is written by both before the next one is.
func (b *bench) elasticsearch(ctx context.Context) (err error) {
	if b.search == "" {
		return missing("there is no Elasticsearch: name one by -es URL or HEADWAY_TEST_ELASTICSEARCH.")
	}
	n := &node{url: strings.TrimSuffix(b.search, "/"), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: elastic.MaxInFlight}}}
	r := &recorder{RoundTripper: n.client.Transport}
	var stores []*elastic.Store // ours, and one that makes the indices of the bare loop
	var indices []string        // of the rows of each
	for range 2 {
		prefix := "bench-" + uuid.NewString()[:13]
		defer func() { err = errors.Join(err, n.remove(context.WithoutCancel(ctx), prefix)) }()
		s, err := elastic.Open(ctx, elastic.Options{URL: n.url, Prefix: prefix, HTTPClient: &http.Client{Transport: r}})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.Close()) }()
		index, err := n.behind(ctx, prefix+"-orders")
		if err != nil {
			return err
		}
		stores, indices = append(stores, s), append(indices, index)
	}
	warm := *b // the engine compiles itself while it is used
	warm.out = &figures{to: io.Discard}
	rows := &rowBatches{store: stores[0]}
	for _, out := range []*bench{&warm, b} {
		for _, size := range []int{1, projections.BatchOrders} {
			if err := out.raceBulk(ctx, size, rows, n, r, strings.NewReplacer(indices[0], indices[1])); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) raceBulk(ctx context.Context, size int, rows *rowBatches, n *node, r *recorder, there *strings.Replacer) error {
	var ours, bare lap
	for ours.took < b.dur {
		r.query, r.body = nil, nil
		if err := ours.once(size, func() error { return rows.write(ctx, size) }); err != nil {
			return err
		}
		body := there.Replace(string(r.body))
		if strings.Count(body, "\n") != 2*size {
			return fmt.Errorf("a batch of %d rows was not one bulk request", size)
		}
		if err := bare.once(size, func() error { return n.bulk(ctx, body, r.query.Get("refresh")) }); err != nil {
			return err
		}
	}
	metric := fmt.Sprint("es_rows_b", size)
	b.out.lap(own, metric, "rows/s", ours)
	b.out.lap("raw/_bulk", metric, "rows/s", bare)
	return nil
}

// rowBatches writes new orders to the order list, as a projector that catches up does.
type rowBatches struct {
	store      *elastic.Store
	written    int
	checkpoint eventstore.Cursor
}

func (w *rowBatches) write(ctx context.Context, size int) error {
	batch := projections.Batch{Key: projections.KeyOf(projections.OrderList), After: w.checkpoint}
	for range size {
		w.written++
		at := time.Now().UTC().Truncate(time.Microsecond)
		row := projections.OrderRow{
			ID: newOrder(), Reference: fmt.Sprint("A-", w.written), CustomerID: fmt.Sprint("customer-", w.written%300), Status: domain.Confirmed,
			ItemCount: 5, Total: domain.Money{Minor: 19990, Currency: "EUR"}, CreatedAt: at, ConfirmedAt: at, Version: 4, StoredAt: at,
			Words: []string{"blue", "checked", "green", "operator", "red", "sku", "widget"},
		}
		batch.Rows = append(batch.Rows, row)
	}
	batch.Checkpoint = eventstore.Cursor(fmt.Sprint("row ", w.written))
	w.checkpoint = batch.Checkpoint
	return w.store.Write(ctx, batch)
}

// recorder keeps the newest bulk request.
type recorder struct {
	http.RoundTripper
	query url.Values
	body  []byte
}

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Path == "/_bulk" {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return nil, err
		}
		r.query, r.body = request.URL.Query(), body
		request = request.Clone(request.Context())
		request.Body = io.NopCloser(bytes.NewReader(body))
	}
	return r.RoundTripper.RoundTrip(request)
}

// node is an Elasticsearch, asked as simply as possible.
type node struct {
	url    string
	client *http.Client
}

func (n *node) ask(ctx context.Context, method, path, kind, body string, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, n.url+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", kind)
	response, err := n.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // it has been read
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("%s %s: %d %.300s", method, path, response.StatusCode, answer)
	}
	if err == nil && into != nil {
		err = json.Unmarshal(answer, into)
	}
	return err
}

// bulk sends one bulk request, and asks no more than whether anything was refused.
func (n *node) bulk(ctx context.Context, body, refresh string) error {
	var told struct {
		Errors bool `json:"errors"`
	}
	err := n.ask(ctx, http.MethodPost, "/_bulk?filter_path=errors&refresh="+refresh, "application/x-ndjson", body, &told)
	if err == nil && told.Errors {
		err = errors.New("a bulk request was refused in part")
	}
	return err
}

// behind is the index that an alias stands for.
func (n *node) behind(ctx context.Context, alias string) (string, error) {
	var there map[string]any
	if err := n.ask(ctx, http.MethodGet, "/_alias/"+alias, "application/json", "", &there); err != nil {
		return "", err
	}
	for index := range there {
		return index, nil
	}
	return "", fmt.Errorf("the alias %s stands for nothing", alias)
}

// remove deletes what begins with a prefix.
func (n *node) remove(ctx context.Context, prefix string) error {
	var there map[string]any
	errs := []error{n.ask(ctx, http.MethodGet, "/"+prefix+"-*", "application/json", "", &there)}
	for index := range there {
		errs = append(errs, n.ask(ctx, http.MethodDelete, "/"+index, "application/json", "", nil))
	}
	return errors.Join(append(errs, n.ask(ctx, http.MethodDelete, "/_index_template/"+prefix+"-*", "application/json", "", nil))...)
}
