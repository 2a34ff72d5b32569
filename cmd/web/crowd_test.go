package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"headway/cmd/web/console/consoletest"
	"headway/domain"
	"headway/eventstore"
	"headway/eventstore/storetest"
	"headway/fault"
	"headway/orders"
)

// remote is the event store as clients of the program know it: a command that adds an item is an Append, an order's page a Read.
type remote struct {
	eventstore.Store // nothing else is asked

	http *http.Client
	base string
}

// ask answers what was heard; no answer, and one that is not definite, is Unavailable.
func (r remote) ask(ctx context.Context, method, path string, body map[string]any) (status int, answer []byte, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, r.base+path, bytes.NewReader(text))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	response, err := r.http.Do(request)
	if err != nil {
		return 0, nil, fault.Unreachable(err, "no answer")
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	switch {
	case err != nil:
		return 0, nil, fault.Unreachable(err, "half an answer")
	case response.StatusCode == http.StatusServiceUnavailable:
		return 0, nil, fault.Errorf(fault.Unavailable, "%s", answer)
	}
	return response.StatusCode, answer, nil
}

func (r remote) Append(ctx context.Context, id eventstore.StreamID, expect int, m eventstore.Metadata, _ ...eventstore.NewEvent) ([]eventstore.Record, error) {
	line := map[string]any{"sku": "TEA", "name": "Tea", "quantity": 1, "price": "1"}
	path, body := "/orders/"+id.ID+"/items", line
	if expect == 0 {
		path, body = "/orders", map[string]any{"customerId": "Ada", "currency": "EUR", "items": []any{line}}
	} else {
		body["expectedVersion"] = expect
	}
	body["commandId"] = m.CausationID
	status, answer, err := r.ask(ctx, http.MethodPost, path, body)
	if err != nil {
		return nil, err
	}
	switch status {
	case http.StatusOK, http.StatusCreated:
		var stored receipt
		if err := json.Unmarshal(answer, &stored); err != nil || stored.OrderID != id.ID || len(stored.Events) != 1 {
			return nil, fmt.Errorf("%s: %w", answer, err)
		}
		return []eventstore.Record{{Stream: id, Version: stored.Version}}, nil
	case http.StatusConflict:
		var p consoletest.Problem
		if err := json.Unmarshal(answer, &p); err != nil {
			return nil, err
		}
		return nil, &fault.Error{Kind: fault.Conflict, Head: p.Head}
	}
	return nil, fmt.Errorf("%d %s", status, answer)
}

func (r remote) Read(ctx context.Context, id eventstore.StreamID, _ int) ([]eventstore.Record, error) {
	status, answer, err := r.ask(ctx, http.MethodGet, "/orders/"+id.ID, nil)
	if err != nil {
		return nil, err
	}
	var page struct {
		Events []struct {
			Version  int
			Metadata struct{ CausationID string }
		}
	}
	if err := json.Unmarshal(answer, &page); err != nil || status != http.StatusOK {
		return nil, fmt.Errorf("%d %s: %w", status, answer, err)
	}
	var records []eventstore.Record
	for i, e := range page.Events {
		if e.Version != i+1 {
			return nil, fmt.Errorf("order %s has version %d in place %d", id, e.Version, i+1)
		}
		records = append(records, eventstore.Record{Stream: id, Version: e.Version, Metadata: eventstore.Metadata{CausationID: e.Metadata.CausationID}})
	}
	return records, nil
}

// 16 clients work on 8 orders while the program is killed and started again, and what they were told, of commands and of pages, is what one
// call after the other can tell. Who hears nothing sends the same command again.
func testCrowd(t *testing.T, program string) {
	const clients, crowded = storetest.CrowdWriters, storetest.CrowdOrders
	kills, each := 3, 60 // commands between two kills
	if soaking() {
		kills, each = 20, 250
	}
	dir := t.TempDir()
	history := storetest.NewHistory()
	ids, crowd := make([]eventstore.StreamID, crowded), make([]*crowdClient, clients)
	for i := range crowd {
		crowd[i] = &crowdClient{chance: rand.New(rand.NewPCG(uint64(i), 1))}
	}
	for round := range kills + 1 {
		p := startServer(t, []string{program}, dir)
		transport := &http.Transport{MaxIdleConnsPerHost: clients}
		store := remote{http: &http.Client{Transport: transport, Timeout: 20 * time.Second}, base: p.url}
		for i := range ids {
			if ids[i].ID == "" {
				m := eventstore.Metadata{CausationID: uuid.NewString()}
				ids[i] = orders.StreamOf(orders.OrderIDFor(domain.CommandID(m.CausationID)))
				if _, err := history.Append(t.Context(), store, ids[i], 0, m, eventstore.NewEvent{}); err != nil {
					t.Fatal(err)
				}
			}
		}
		var stored atomic.Int64
		var working sync.WaitGroup
		enough := int64(each)
		if round < kills {
			enough *= 100 // the kill comes before
		}
		for _, c := range crowd {
			working.Go(func() {
				if err := c.work(t.Context(), history, store, ids, &stored, enough); err != nil {
					t.Error(err)
				}
			})
		}
		if round == kills {
			working.Wait()
			for _, id := range ids {
				if _, err := history.Read(t.Context(), store, id); err != nil {
					t.Error(err)
				}
			}
			p.stop(t)
			break
		}
		for stored.Load() < int64(each) && !t.Failed() {
			time.Sleep(time.Millisecond) // it only decides when the kill comes
		}
		p.cmd.Process.Kill()
		<-p.done
		working.Wait()
		transport.CloseIdleConnections()
	}
	began := time.Now()
	history.Check(t)
	all, conflicts, unknown := history.Calls()
	t.Logf("%d calls with %d kills, %d conflicts, of %d nothing is known; explained in %s", all, kills, conflicts, unknown, time.Since(began).Round(time.Millisecond))
	if unknown == 0 || conflicts == 0 {
		t.Errorf("of %d calls %d were conflicts, and of %d nothing is known: they did not meet", all, conflicts, unknown)
	}
	verifyClean(t, program, dir)
}

// crowdClient is one of them.
type crowdClient struct {
	chance *rand.Rand
	order  eventstore.StreamID
	expect int
	m      eventstore.Metadata // of the command that is to be sent, if there is one
}

// work reads an order and sends a command to it, again and again, until all have stored enough or there is no answer. The command that had
// none is the first that is sent next time.
func (c *crowdClient) work(
	ctx context.Context, history *storetest.History, store remote, ids []eventstore.StreamID, stored *atomic.Int64, enough int64,
) error {
	for stored.Load() < enough {
		if c.m.CausationID == "" {
			c.order = ids[c.chance.IntN(len(ids))]
			records, err := history.Read(ctx, store, c.order)
			if err != nil {
				return unlessUnavailable(err)
			}
			c.expect, c.m.CausationID = len(records), uuid.NewString()
		}
		_, err := history.Append(ctx, store, c.order, c.expect, c.m, eventstore.NewEvent{})
		if err != nil && fault.KindOf(err) != fault.Conflict {
			return unlessUnavailable(err)
		}
		if err == nil {
			stored.Add(1)
		}
		if err != nil || c.chance.IntN(5) > 0 { // else a double click
			c.m.CausationID = ""
		}
	}
	return nil
}

func unlessUnavailable(err error) error {
	if fault.KindOf(err) == fault.Unavailable {
		return nil
	}
	return err
}
