package elastic

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"headway/domain"
	"headway/eventstore"
	"headway/projections"
)

// States is projections.Reader's. A checkpoint of other indices than those that are written now is none.
func (s *Store) States(ctx context.Context) (map[projections.Key]projections.State, error) {
	all := map[projections.Key]projections.State{}
	err := s.ask(ctx, func(ctx context.Context, t targets) error {
		var names []string
		keys := map[string]projections.Key{}
		for _, k := range keepers() {
			key := projections.KeyOf(k.projection)
			names, keys[key.Name()] = append(names, "beat:"+key.Name(), "checkpoint:"+key.Name()), key
		}
		found, err := s.fetch(ctx, t[states].index, names, true)
		if err != nil {
			return err
		}
		for _, f := range found {
			var d stateDoc
			if err := json.Unmarshal(f.Source, &d); err != nil {
				return err
			}
			_, name, _ := strings.Cut(f.ID, ":")
			key := keys[name]
			state := all[key]
			state.Key = key
			if d.Kind == "beat" {
				state.Phase, state.Reason, state.HeartbeatAt, state.Rate = d.Phase, d.Reason, moment(d.HeartbeatAt), d.Rate
				state.Holder = d.Holder
			} else {
				k, err := keeperOf(key.Projection)
				if err != nil {
					return err
				}
				if state.Checkpoint = d.checkpoint(t.of(k)); state.Checkpoint == "" {
					continue
				}
			}
			all[key] = state
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
		var either []object // the generations that are written now
		for _, p := range projections.All() {
			if projection == "" || projection == p.Name {
				either = append(either, object{"bool": object{"filter": []object{
					{"term": object{"projection": p.Name}}, {"term": object{"generation": p.Generation}},
				}}})
			}
		}
		conditions := []object{{"bool": object{"should": either, "minimum_should_match": 1}}}
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
				seen[holdKey(d.key(), d.Order)] = d
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

type holdDoc struct {
	Projection string         `json:"projection"`
	Generation int            `json:"generation"`
	Part       int            `json:"part"`
	Order      domain.OrderID `json:"order"`
	Version    int            `json:"version"`
	Reason     string         `json:"reason"`
	Since      int64          `json:"since"`
}

func (d holdDoc) key() projections.Key {
	return projections.Key{Projection: d.Projection, Generation: d.Generation, Part: d.Part}
}

func (d holdDoc) hold() projections.Hold {
	return projections.Hold{Key: d.key(), OrderID: d.Order, Version: d.Version, Reason: d.Reason, Since: moment(d.Since)}
}

func holdKey(key projections.Key, id domain.OrderID) string { return key.Name() + ":" + string(id) }

// stateDoc is one of several small things, by kind: a beat of a projection, its checkpoint, a note of sums to be made, the stamp
// of a group of indices, or the lease.
type stateDoc struct {
	Kind        string            `json:"kind"`
	Phase       projections.Phase `json:"phase,omitempty"`
	Reason      string            `json:"reason,omitempty"`
	HeartbeatAt int64             `json:"heartbeatAt,omitempty"`
	Rate        float64           `json:"rate,omitempty"`
	Checkpoint  string            `json:"checkpoint,omitempty"`
	Target      string            `json:"target,omitempty"`     // the indices that the checkpoint is true of
	Projection  string            `json:"projection,omitempty"` // of a note
	Keys        []string          `json:"keys,omitempty"`       // of sums to be made
	At          int64             `json:"at,omitempty"`
	Stamp       string            `json:"stamp,omitempty"`
	Holder      string            `json:"holder,omitempty"`
	Epoch       int64             `json:"epoch,omitempty"`
	Renewals    int64             `json:"renewals,omitempty"`
	LogEpoch    int64             `json:"logEpoch,omitempty"`
}

// checkpoint is the one that is stored, unless it is of other indices than those that are written.
func (d stateDoc) checkpoint(identity string) eventstore.Cursor {
	if d.Target != identity {
		return ""
	}
	return eventstore.Cursor(d.Checkpoint)
}

func oldestFirst(a, b holdDoc) int {
	return cmp.Or(cmp.Compare(a.Since, b.Since), cmp.Compare(a.Projection, b.Projection), cmp.Compare(a.Order, b.Order))
}
