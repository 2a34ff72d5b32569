package elastic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"headway/domain"
	"headway/fault"
	"headway/projections"
)

const (
	idsPerRequest = 500  // documents one request names
	rowsPerStep   = 1000 // rows a walk over everything holds at once
	walkKept      = "5m" // how long a walk may rest between two steps
	maxKey        = 512  // bytes of the name of a document
)

// searchAnswer is what a search answers.
type searchAnswer struct {
	TimedOut bool   `json:"timed_out"`
	PointID  string `json:"pit_id"`
	Hits     struct {
		Total struct {
			Value int `json:"value"`
		} `json:"total"`
		Hits []hit `json:"hits"`
	} `json:"hits"`
	Aggregations json.RawMessage `json:"aggregations"`
}

type hit struct {
	ID     string            `json:"_id"`
	Source json.RawMessage   `json:"_source"`
	Sort   []json.RawMessage `json:"sort"`
}

// search asks one index, or the point in time that the body names. A part of an answer is none.
func (s *Store) search(ctx context.Context, index string, body object) (searchAnswer, error) {
	var answer searchAnswer
	err := s.client.call(ctx, searchRequest(index), body, &answer)
	if err == nil && answer.TimedOut {
		err = errors.New("a search took too long")
	}
	return answer, err
}

// documents reads the sources of hits.
func documents[D any](hits []hit) ([]D, error) {
	all := make([]D, len(hits))
	for i, h := range hits {
		if err := json.Unmarshal(h.Source, &all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// document is one answer of a multi-get.
type document struct {
	ID      string          `json:"_id"`
	Found   bool            `json:"found"`
	Version int             `json:"_version"`
	Source  json.RawMessage `json:"_source"`
	Error   *cause          `json:"error"`
	revision
}

// fetch reads documents as they were last written, whether or not a search finds them yet.
func (s *Store) fetch(ctx context.Context, index string, keys []string, source bool) ([]document, error) {
	keys = slices.DeleteFunc(keys, func(key string) bool { return key == "" || len(key) > maxKey }) // no document is called that
	var all []document
	for chunk := range slices.Chunk(keys, idsPerRequest) {
		var answer struct {
			Docs []document `json:"docs"`
		}
		if err := s.client.call(ctx, multiGetRequest(index, source), object{"ids": chunk}, &answer); err != nil {
			return nil, err
		}
		for _, d := range answer.Docs {
			switch {
			case d.Error != nil && d.Error.Type == "index_not_found_exception":
				return nil, &answerError{Status: http.StatusNotFound, Type: d.Error.Type, Reason: d.Error.String()}
			case d.Error != nil:
				return nil, fmt.Errorf("%s/%s: %s", index, d.ID, d.Error)
			case d.Found:
				all = append(all, d)
			}
		}
	}
	return all, nil
}

func keysOf(ids []domain.OrderID) []string {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = string(id)
	}
	return keys
}

// get reads the documents of orders.
func get[D any](ctx context.Context, s *Store, index string, ids []domain.OrderID) (map[domain.OrderID]D, error) {
	found, err := s.fetch(ctx, index, keysOf(ids), true)
	if err != nil {
		return nil, err
	}
	all := make(map[domain.OrderID]D, len(found))
	for _, f := range found {
		var d D
		if err := json.Unmarshal(f.Source, &d); err != nil {
			return nil, err
		}
		all[domain.OrderID(f.ID)] = d
	}
	return all, nil
}

// OrderRows is projections.Reader's.
func (s *Store) OrderRows(ctx context.Context, ids ...domain.OrderID) (map[domain.OrderID]projections.OrderRow, error) {
	rows := make(map[domain.OrderID]projections.OrderRow, len(ids))
	err := s.ask(ctx, func(ctx context.Context, t targets) error {
		found, err := get[orderDoc](ctx, s, t[orders].index, ids)
		for id, d := range found {
			rows[id] = d.row()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// Rows is projections.Store's.
func (s *Store) Rows(ctx context.Context, projection string, ids ...domain.OrderID) (map[domain.OrderID]projections.Row, error) {
	rows := make(map[domain.OrderID]projections.Row, len(ids))
	err := s.with(ctx, func(t targets) error {
		index, _, err := t.of(projection)
		if err != nil {
			return err
		}
		if projection == projections.OrderList {
			found, err := get[orderDoc](ctx, s, index, ids)
			for id, d := range found {
				rows[id] = d.row()
			}
			return err
		}
		found, err := get[contributionDoc](ctx, s, index, ids)
		for id, d := range found {
			rows[id] = d.row()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// Versions is projections.Reader's.
func (s *Store) Versions(ctx context.Context, projection string, ids ...domain.OrderID) (map[domain.OrderID]int, error) {
	versions := make(map[domain.OrderID]int, len(ids))
	err := s.ask(ctx, func(ctx context.Context, t targets) error {
		index, _, err := t.of(projection)
		if err != nil {
			return err
		}
		found, err := s.fetch(ctx, index, keysOf(ids), false)
		for _, d := range found {
			versions[domain.OrderID(d.ID)] = d.Version
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return versions, nil
}

// EachRow is projections.Reader's.
func (s *Store) EachRow(ctx context.Context, projection string, f func(projections.Row) error) error {
	switch projection {
	case projections.OrderList:
		return each(ctx, s, orders, object{"match_all": object{}}, func(d orderDoc) error { return f(d.row()) })
	case projections.CustomerOrderSummary:
		return each(ctx, s, contributions, object{"match_all": object{}}, func(d contributionDoc) error { return f(d.row()) })
	}
	_, _, err := targets{}.of(projection)
	return err
}

// EachSum is projections.Reader's.
func (s *Store) EachSum(ctx context.Context, projection string, f func(projections.Sum) error) error {
	if projection != projections.CustomerOrderSummary {
		return notSummed(projection)
	}
	return each(ctx, s, customers, hasOrders(), func(d customerDoc) error { return f(d.row()) })
}

func notSummed(projection string) error {
	return fault.Errorf(fault.NotFound, "There are no sums of %s.", fmt.Sprintf("%.80q", projection))
}

// hasOrders leaves out the customers whose last order went.
func hasOrders() object { return object{"range": object{"orders": object{"gt": 0}}} }

// callersError is an error of the caller's function, which goes back as it is.
type callersError struct{ error }

// each walks over all that was written before it began, by a point in time.
func each[D any](ctx context.Context, s *Store, kind string, query object, f func(D) error) error {
	err := s.with(ctx, func(t targets) error {
		index := t[kind].index
		if err := s.refresh(ctx, index); err != nil {
			return err
		}
		var point struct {
			ID string `json:"id"`
		}
		if err := s.client.call(ctx, openPointRequest(index), nil, &point); err != nil {
			return err
		}
		defer func() { // what fails here, the node lets go of by itself
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), DialTimeout)
			defer cancel()
			_ = s.client.call(ctx, closePointRequest, object{"id": point.ID}, nil)
		}()
		body := object{"size": rowsPerStep, "query": query, "sort": []any{object{"_shard_doc": "asc"}}, "track_total_hits": false}
		for {
			body["pit"] = object{"id": point.ID, "keep_alive": walkKept}
			answer, err := s.search(ctx, "", body)
			if err != nil {
				return err
			}
			docs, err := documents[D](answer.Hits.Hits)
			if err != nil {
				return err
			}
			for _, d := range docs {
				if err := f(d); err != nil {
					return &fault.Error{Kind: fault.Internal, Cause: callersError{err}}
				}
			}
			if len(docs) < rowsPerStep {
				return nil
			}
			body["search_after"] = answer.Hits.Hits[len(docs)-1].Sort
			if answer.PointID != "" {
				point.ID = answer.PointID
			}
		}
	})
	if e, ok := errors.AsType[callersError](err); ok {
		return e.error
	}
	return err
}

// Customer is projections.Reader's.
func (s *Store) Customer(ctx context.Context, id string) (projections.CustomerRow, error) {
	var found []projections.CustomerRow
	err := s.ask(ctx, func(ctx context.Context, t targets) (err error) {
		found, err = s.customersOf(ctx, t, []string{id})
		return err
	})
	if err != nil {
		return projections.CustomerRow{}, err
	}
	if len(found) == 0 {
		return projections.CustomerRow{}, fault.Errorf(fault.NotFound, "No order of this customer has arrived.")
	}
	return found[0], nil
}

// Sums is projections.Reader's.
func (s *Store) Sums(ctx context.Context, projection string, keys ...string) (map[string]projections.Sum, error) {
	if projection != projections.CustomerOrderSummary {
		return nil, notSummed(projection)
	}
	all := make(map[string]projections.Sum, len(keys))
	err := s.with(ctx, func(t targets) error {
		found, err := s.customersOf(ctx, t, keys)
		for _, r := range found {
			all[r.ID] = r
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

func (s *Store) customersOf(ctx context.Context, t targets, ids []string) (rows []projections.CustomerRow, err error) {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = customerKey(id)
	}
	found, err := s.fetch(ctx, t[customers].index, keys, true)
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		var d customerDoc
		if err := json.Unmarshal(f.Source, &d); err != nil {
			return nil, err
		}
		if d.Orders > 0 {
			rows = append(rows, d.row())
		}
	}
	return rows, nil
}

// statusCounts asks how many match under each status.
func statusCounts() object {
	filters := object{}
	for _, status := range domain.Statuses() {
		filters[string(status)] = object{"term": object{"status": status}}
	}
	return object{"filters": object{"filters": filters}}
}

type statusBuckets struct {
	Buckets map[domain.Status]struct {
		DocCount int `json:"doc_count"`
	} `json:"buckets"`
}

// Totals is projections.Reader's.
func (s *Store) Totals(ctx context.Context, from, to time.Time) (projections.Totals, error) {
	totals := projections.Totals{ByStatus: noStatus()}
	err := s.ask(ctx, func(ctx context.Context, t targets) error {
		body := object{"size": 0, "track_total_hits": false, "aggs": object{
			"status": statusCounts(),
			"value": object{
				"filter": object{"bool": object{
					"filter":   object{"range": object{"createdAt": object{"gte": micros(from), "lt": micros(to)}}},
					"must_not": object{"term": object{"status": domain.Cancelled}},
				}},
				"aggs": object{"currency": sumByCurrency()},
			},
		}}
		answer, err := s.search(ctx, s.names.alias(orders), body)
		if err != nil {
			return err
		}
		var told struct {
			Status statusBuckets `json:"status"`
			Value  struct {
				Currency sums `json:"currency"`
			} `json:"value"`
		}
		if err := json.Unmarshal(answer.Aggregations, &told); err != nil {
			return err
		}
		for status, b := range told.Status.Buckets {
			totals.ByStatus[status] = b.DocCount
		}
		totals.Value = told.Value.Currency.money()
		return nil
	})
	if err != nil {
		return projections.Totals{}, err
	}
	return totals, nil
}

func noStatus() map[domain.Status]int {
	counts := map[domain.Status]int{}
	for _, status := range domain.Statuses() {
		counts[status] = 0
	}
	return counts
}

// States is projections.Reader's. A checkpoint of other indices than those that are written now is none.
func (s *Store) States(ctx context.Context) (map[string]projections.State, error) {
	all := map[string]projections.State{}
	err := s.ask(ctx, func(ctx context.Context, t targets) error {
		var keys []string
		for _, name := range projections.Names() {
			keys = append(keys, "beat:"+name, "checkpoint:"+name)
		}
		found, err := s.fetch(ctx, t[states].index, keys, true)
		if err != nil {
			return err
		}
		for _, f := range found {
			var d stateDoc
			if err := json.Unmarshal(f.Source, &d); err != nil {
				return err
			}
			_, name, _ := strings.Cut(f.ID, ":")
			state := all[name]
			state.Projection = name
			if d.Kind == "beat" {
				state.Phase, state.Reason, state.HeartbeatAt, state.Rate = d.Phase, d.Reason, moment(d.HeartbeatAt), d.Rate
				state.Holder = d.Holder
			} else {
				_, identity, err := t.of(name)
				if err != nil {
					return err
				}
				if state.Checkpoint = d.checkpoint(identity); state.Checkpoint == "" {
					continue
				}
			}
			all[name] = state
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Holds is projections.Reader's.
func (s *Store) Holds(ctx context.Context, projection string, ids ...domain.OrderID) ([]projections.Hold, error) {
	var all []projections.Hold
	err := s.ask(ctx, func(ctx context.Context, t targets) error {
		var conditions []object
		if projection != "" {
			conditions = append(conditions, object{"term": object{"projection": projection}})
		}
		parts := slices.Collect(slices.Chunk(ids, idsPerRequest))
		if len(ids) == 0 {
			parts = [][]domain.OrderID{nil}
		}
		seen := map[string]holdDoc{}
		for _, part := range parts {
			filter := conditions
			if len(part) > 0 {
				filter = append(slices.Clone(conditions), object{"terms": object{"order": part}})
			}
			answer, err := s.search(ctx, t[holds].index, object{
				"size": projections.MaxHolds, "query": object{"bool": object{"filter": filter}}, "track_total_hits": false,
				"sort": []object{{"since": "asc"}, {"projection": "asc"}, {"order": "asc"}},
			})
			if err != nil {
				return err
			}
			docs, err := documents[holdDoc](answer.Hits.Hits)
			if err != nil {
				return err
			}
			for _, d := range docs {
				seen[holdKey(d.Projection, d.Order)] = d
			}
		}
		docs := slices.Collect(maps.Values(seen))
		slices.SortFunc(docs, oldestFirst)
		for _, d := range docs[:min(len(docs), projections.MaxHolds)] {
			all = append(all, d.hold())
		}
		return nil
	})
	return all, err
}
