package elastic

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"headway/fault"
	"headway/projections"
)

// schemaVersion is in the name of every index. Whoever changes a mapping raises it: rows are then made again in new indices.
const schemaVersion = 1

// The kinds of index.
const (
	orders        = "orders"
	contributions = "contributions"
	customers     = "customers"
	holds         = "holds"
	states        = "states"
)

func kinds() []string { return []string{orders, contributions, customers, holds, states} }

// group is indices that are only right together: customers are the sums of contributions.
type group []string

func groups() []group { return []group{{orders}, {contributions, customers}} }

// mapping is the fields of a kind of index. It is written as Elasticsearch gives it back, so that the two can be compared.
//
// Times are microseconds since 1970. A total is kept once more in three parts of 21 bits, because sums of Elasticsearch are floating
// point: the sums of the parts are exact for as many documents as an index can hold. find has the words of head and words; those are
// made by projections.Words, as the words of a query are, and nothing analyzes them.
func mapping(kind string) object {
	word := object{"type": "keyword"}
	number := object{"type": "long"}
	searched := object{"type": "keyword", "doc_values": false}
	kept := object{"type": "keyword", "index": false, "doc_values": false}
	found := object{"type": "keyword", "index": false, "doc_values": false, "copy_to": []any{"find"}}
	keptNumber := object{"type": "long", "index": false, "doc_values": false}
	summed := object{"type": "long", "index": false}
	opaque := object{"type": "object", "enabled": false}
	var properties object
	switch kind {
	case orders:
		properties = object{
			"id": word, "reference": kept, "customer": word, "status": word, "items": number, "total": number, "total0": summed,
			"total1": summed, "total2": summed, "currency": word, "createdAt": number, "confirmedAt": keptNumber, "cancelledAt": keptNumber,
			"version": keptNumber, "storedAt": keptNumber, "refKey": searched, "idKey": searched, "head": found, "words": found, "find": searched,
		}
	case contributions:
		properties = object{
			"id": kept, "customer": word, "counted": word, "status": word, "total": keptNumber, "total0": summed, "total1": summed,
			"total2": summed, "currency": word, "createdAt": number, "version": summed, "storedAt": keptNumber,
		}
	case customers:
		properties = object{
			"id": word, "orders": number, "created": keptNumber, "confirmed": keptNumber, "cancelled": keptNumber, "last": number,
			"spent": opaque, "words": found, "find": searched,
		}
	case holds:
		properties = object{"projection": word, "order": word, "version": keptNumber, "reason": kept, "since": number}
	case states:
		properties = object{
			"kind": word, "phase": kept, "reason": kept, "heartbeatAt": keptNumber,
			"rate":       object{"type": "double", "index": false, "doc_values": false},
			"checkpoint": kept, "target": kept, "customers": opaque, "at": keptNumber, "stamp": kept,
			"holder": kept, "epoch": keptNumber, "renewals": keptNumber,
		}
	}
	m := object{"dynamic": "strict", "properties": properties}
	m["_meta"] = object{"hash": hashOf(object{"mapping": m, "settings": settings()}), "schema": float64(schemaVersion)}
	return m
}

// settings of every index. The refresh interval is explicit, because without one an index goes idle, and its first search is stale.
func settings() object {
	return object{"index": object{
		"number_of_shards": "1", "auto_expand_replicas": "0-1", "refresh_interval": "1s",
	}}
}

func hashOf(v any) string {
	text, err := json.Marshal(v) // keys come sorted
	if err != nil {
		return "" // these always encode
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// names says what things are called.
type names struct{ prefix string }

func (n names) alias(kind string) string { return n.prefix + "-" + kind }

func (n names) template(kind string) string {
	return fmt.Sprintf("%s-%s-v%d", n.prefix, kind, schemaVersion)
}

// index is the name of a concrete index. Those of holds and states have no stamp: there is one of each.
func (n names) index(kind, stamp string) string {
	if kind == holds || kind == states {
		return n.template(kind) + "-0"
	}
	return n.template(kind) + "-" + stamp
}

// targets is the concrete indices that are written, by kind, each with the id that no other index ever has.
type targets map[string]target

type target struct{ index, uuid string }

// of is where a projection keeps its rows, and what its checkpoint is true of: an order whose hold was lost is named by no feed again.
func (t targets) of(projection string) (index, identity string, err error) {
	switch projection {
	case projections.OrderList:
		return t[orders].index, t[orders].uuid + "." + t[holds].uuid, nil
	case projections.CustomerOrderSummary:
		return t[contributions].index, t[contributions].uuid + "." + t[customers].uuid + "." + t[holds].uuid, nil
	}
	return "", "", fault.Errorf(fault.NotFound, "There is no projection %s.", fmt.Sprintf("%.80q", projection))
}

// found is an index as the node describes it.
type found struct {
	Aliases  map[string]any `json:"aliases"`
	Mappings map[string]any `json:"mappings"`
	Settings struct {
		Index struct {
			UUID string `json:"uuid"`
		} `json:"index"`
	} `json:"settings"`
}

func (f found) schema() int {
	meta, _ := f.Mappings["_meta"].(map[string]any)
	n, _ := meta["schema"].(float64)
	return int(n)
}

func (f found) hash() string {
	meta, _ := f.Mappings["_meta"].(map[string]any)
	hash, _ := meta["hash"].(string)
	return hash
}

// hashIn is the hash that a mapping carries.
func hashIn(mapping object) string { return found{Mappings: mapping}.hash() }

// prepare finds the indices behind the aliases, and makes what is missing. Any number of processes may do so at once: which indices a
// group has is decided by one document, and told by aliases that change together.
func (s *Store) prepare(ctx context.Context) (targets, error) {
	for range 5 { // others may be preparing
		t, missing, err := s.look(ctx)
		if err != nil {
			return nil, err
		}
		if len(missing) == 0 {
			return t, nil
		}
		if err := s.make(ctx, t, missing); err != nil && !hasStatus(err, http.StatusConflict) && !hasStatus(err, http.StatusNotFound) {
			return nil, err
		}
	}
	return nil, fault.Errorf(fault.Unavailable, "The read store is being prepared by somebody else. Trying again is safe.")
}

// describe reads what the node has behind our aliases.
func (s *Store) describe(ctx context.Context) (map[string]found, error) {
	var aliases []string
	for _, kind := range kinds() {
		aliases = append(aliases, s.names.alias(kind))
	}
	var there map[string]found
	err := s.client.call(ctx, describeRequest(aliases), nil, &there)
	return there, err
}

// look finds the index behind each alias; missing are the kinds without one of our schema.
func (s *Store) look(ctx context.Context) (t targets, missing []string, err error) {
	there, err := s.describe(ctx)
	if err != nil {
		return nil, nil, err
	}
	t = targets{}
	for _, kind := range kinds() {
		for name, index := range there {
			if _, ok := index.Aliases[s.names.alias(kind)]; !ok {
				continue
			}
			if _, twice := t[kind]; twice {
				return nil, nil, fault.Errorf(fault.Refused, "The alias %s has two indices, and only one can be right.", s.names.alias(kind))
			}
			if index.schema() > schemaVersion {
				return nil, nil, fault.Errorf(fault.Refused, "The read store %s belongs to a newer Headway.", s.names.prefix)
			}
			t[kind] = target{name, index.Settings.Index.UUID}
			if index.schema() < schemaVersion {
				missing = append(missing, kind)
			} else if index.hash() != hashIn(mapping(kind)) {
				return nil, nil, fault.Errorf(fault.Refused, "The index %s has mappings that this Headway did not make.", name)
			}
		}
		if _, ok := t[kind]; !ok {
			if name := s.names.alias(kind); there[name].Mappings != nil {
				return nil, nil, fault.Errorf(fault.Refused, "There is an index %s, which is not Headway's.", name)
			}
			missing = append(missing, kind)
		}
	}
	return t, missing, nil
}

// make makes templates, the indices of holds and states, and new indices for each group that lacks one. A conflict means that another
// process was faster.
func (s *Store) make(ctx context.Context, t targets, missing []string) error {
	if err := s.putTemplates(ctx); err != nil {
		return err
	}
	err := together([]string{states, holds}, func(kind string) error {
		if !slices.Contains(missing, kind) {
			return nil
		}
		name := s.names.index(kind, "")
		if err := s.create(ctx, name); err != nil {
			return err
		}
		return s.client.call(ctx, aliasesRequest, object{"actions": s.switchTo(t, kind, name)}, nil)
	})
	if err != nil {
		return err
	}
	return together(groups(), func(g group) error {
		if !slices.ContainsFunc(g, func(kind string) bool { return slices.Contains(missing, kind) }) {
			return nil
		}
		return s.makeGroup(ctx, t, g)
	})
}

// together does something for several things at once: the node makes changes that come together in one step, which is most of their time.
func together[T any](things []T, do func(T) error) error {
	errs := make([]error, len(things))
	var all sync.WaitGroup
	for i, thing := range things {
		all.Go(func() { errs[i] = do(thing) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// switchTo moves an alias, or makes it. It fails if the alias has moved meanwhile.
func (s *Store) switchTo(t targets, kind, name string) []object {
	var actions []object
	if old, ok := t[kind]; ok && old.index != name {
		actions = append(actions, object{"remove": object{"index": old.index, "alias": s.names.alias(kind), "must_exist": true}})
	}
	return append(actions, object{"add": object{"index": name, "alias": s.names.alias(kind)}})
}

// makeGroup decides on the stamp of a group, makes its indices and then moves its aliases to them in one step. A stamp that was decided on
// and has no alias yet is another process's, at work or dead: the two do the same.
func (s *Store) makeGroup(ctx context.Context, t targets, g group) error {
	partly := slices.ContainsFunc(g, func(kind string) bool { _, ok := t[kind]; return ok })
	index, key := s.names.index(states, ""), fmt.Sprintf("target:%s:v%d", g[0], schemaVersion)
	var decided struct {
		revision
		Source stateDoc `json:"_source"`
	}
	err := s.client.call(ctx, getRequest(index, key), nil, &decided)
	if err != nil && !hasStatus(err, http.StatusNotFound) {
		return err
	}
	stamp := decided.Source.Stamp
	inUse := func(kind string) bool { return t[kind].index == s.names.index(kind, stamp) }
	if stamp == "" || partly && slices.ContainsFunc(g, inUse) {
		var since *revision
		if stamp != "" {
			since = &decided.revision
		}
		stamp = strings.Replace(s.clock().UTC().Format("20060102150405.000000"), ".", "", 1)
		if err := s.client.call(ctx, putRequest(index, key, since), stateDoc{Kind: "target", Stamp: stamp}, nil); err != nil {
			return err
		}
	}
	if err := together(g, func(kind string) error { return s.create(ctx, s.names.index(kind, stamp)) }); err != nil {
		return err
	}
	var actions []object
	for _, kind := range g {
		actions = append(actions, s.switchTo(t, kind, s.names.index(kind, stamp))...)
	}
	if err := s.client.call(ctx, aliasesRequest, object{"actions": actions}, nil); err != nil {
		return err
	}
	s.log.Info("the read store has new indices", "first", s.names.index(g[0], stamp), "before", cmp.Or(t[g[0]].index, "none"))
	return nil
}

// create makes an index by its template; one that is there is fine.
func (s *Store) create(ctx context.Context, name string) error {
	err := s.client.call(ctx, createRequest(name), nil, nil)
	if e, ok := err.(*answerError); ok && e.Type == "resource_already_exists_exception" { //nolint:errorlint // call returns it as it is
		return nil
	}
	return err
}

// putTemplates stores the templates that are missing or of another form. Indices of their names are never made by a mere write.
func (s *Store) putTemplates(ctx context.Context) error {
	return together(kinds(), func(kind string) error {
		m := mapping(kind)
		hash := hashIn(m)
		name := s.names.template(kind)
		var there struct {
			Templates []struct {
				Template struct {
					Meta struct {
						Hash string `json:"hash"`
					} `json:"_meta"`
				} `json:"index_template"`
			} `json:"index_templates"`
		}
		err := s.client.call(ctx, getTemplateRequest(name), nil, &there)
		if err != nil && !hasStatus(err, http.StatusNotFound) {
			return err
		}
		if len(there.Templates) == 1 && there.Templates[0].Template.Meta.Hash == hash {
			return nil
		}
		template := object{
			"index_patterns": []string{name + "-*"}, "priority": 500, "allow_auto_create": false,
			"template": object{"settings": settings(), "mappings": m}, "_meta": object{"hash": hash},
		}
		return s.client.call(ctx, putTemplateRequest(name), template, nil)
	})
}
