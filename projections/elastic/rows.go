package elastic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"headway/domain"
	"headway/fault"
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
	return s.client.search(ctx, index, body)
}

func (c *client) search(ctx context.Context, index string, body object) (searchAnswer, error) {
	var answer searchAnswer
	err := c.call(ctx, searchRequest(index), body, &answer)
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
	Version int64           `json:"_version"`
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

// callersError is an error of the caller's function, which goes back as it is.
type callersError struct{ error }

// each walks over all that was written before it began, by a point in time.
func each[D any](ctx context.Context, s *Store, kind string, query object, read func(json.RawMessage) (D, error), f func(D) error) error {
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
			hits := answer.Hits.Hits
			for _, h := range hits {
				d, err := read(h.Source)
				if err != nil {
					return err
				}
				if err := f(d); err != nil {
					return &fault.Error{Kind: fault.Internal, Cause: callersError{err}}
				}
			}
			if len(hits) < rowsPerStep {
				return nil
			}
			body["search_after"] = hits[len(hits)-1].Sort
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
