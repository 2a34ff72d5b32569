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
	"strconv"
	"strings"
	"sync"
	"time"

	"headway/fault"
	"headway/projections"
)

// schemaVersion is in the name of every index. It is raised when what lies in an index changes without its mapping, or another version of
// Headway is to leave the indices alone. Rows of another mapping or generation are made again in new indices.
const schemaVersion = 2

// The kinds of index beside those of the projections.
const (
	holds  = "holds"
	states = "states"
)

func kinds() []string {
	var all []string
	for _, k := range keepers() {
		all = append(all, k.kinds()...)
	}
	return append(all, holds, states)
}

// group is indices that are only right together.
type group []string

func groups() (all []group) {
	for _, k := range keepers() {
		all = append(all, k.kinds())
	}
	return all
}

// fieldsOf is the fields of a kind of index, and the generation of what lies in it.
func fieldsOf(kind string) (fields object, generation int) {
	f := fieldKinds()
	switch kind {
	case holds:
		return object{
			"projection": f.word, "generation": f.number, "part": f.number, "order": f.word, "version": f.keptNumber, "reason": f.kept,
			"since": f.number,
		}, 0
	case states:
		return object{
			"kind": f.word, "projection": f.word, "phase": f.kept, "reason": f.kept, "heartbeatAt": f.keptNumber,
			"rate":       object{"type": "double", "index": false, "doc_values": false},
			"checkpoint": f.kept, "target": f.kept, "keys": f.opaque, "at": f.keptNumber, "stamp": f.kept,
			"holder": f.kept, "epoch": f.keptNumber, "renewals": f.keptNumber, "logEpoch": f.keptNumber,
		}, 0
	}
	for _, k := range keepers() {
		if fields, ok := k.fields[kind]; ok {
			p, _ := projections.Named(k.projection)
			return fields, p.Generation
		}
	}
	return nil, 0
}

// mapping is the mapping of a kind of index. It is written as Elasticsearch gives it back, so that the two can be compared.
//
// Times are microseconds since 1970. A total is kept once more in three parts of 21 bits, because sums of Elasticsearch are floating
// point: the sums of the parts are exact for as many documents as an index can hold.
func mapping(kind string) object {
	fields, generation := fieldsOf(kind)
	m := object{"dynamic": "strict", "properties": fields}
	m["_meta"] = object{
		"hash": hashOf(object{"mapping": m, "settings": settings(), "generation": generation}), "schema": float64(schemaVersion),
	}
	return m
}

// fields are the kinds of field that there are.
type fields struct{ word, number, flag, searched, kept, found, keptNumber, summed, opaque object }

func fieldKinds() fields {
	return fields{
		word: object{"type": "keyword"}, number: object{"type": "long"}, flag: object{"type": "boolean"},
		searched: object{"type": "keyword", "doc_values": false}, kept: object{"type": "keyword", "index": false, "doc_values": false},
		found:      object{"type": "keyword", "index": false, "doc_values": false, "copy_to": []any{"find"}},
		keptNumber: object{"type": "long", "index": false, "doc_values": false}, summed: object{"type": "long", "index": false},
		opaque: object{"type": "object", "enabled": false},
	}
}

// settings of every index. The refresh interval is explicit, because without one an index goes idle, and its first search is stale.
func settings() object {
	return object{"index": object{
		"number_of_shards": "1", "auto_expand_replicas": "0-1", "refresh_interval": "1s",
		"mapping.nested_objects.limit": strconv.Itoa(maxContributions), "max_inner_result_window": strconv.Itoa(projections.MaxPage + 1),
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

// index is the name of a concrete index. Those of holds and states have no stamp, but the beginning of the hash of their mapping: there is
// one of each.
func (n names) index(kind, stamp string) string {
	if kind == holds || kind == states {
		stamp = hashIn(mapping(kind))[:8]
	}
	return n.template(kind) + "-" + stamp
}

// targets is the concrete indices that are written, by kind, each with the id that no other index ever has.
type targets map[string]target

type target struct{ index, uuid string }

// of is what the checkpoint of a projection is true of: an order whose hold was lost is named by no feed again.
func (t targets) of(k keeper) (identity string) {
	for _, kind := range k.kinds() {
		identity += t[kind].uuid + "."
	}
	return identity + t[holds].uuid
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
			if index.schema() == schemaVersion && index.hash() == hashIn(mapping(kind)) {
				continue
			}
			if name == s.names.index(kind, "") && index.hash() != "" {
				return nil, nil, s.notMade(name)
			}
			missing = append(missing, kind)
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
		if err := s.create(ctx, kind, name); err != nil {
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
	if err := together(g, func(kind string) error { return s.create(ctx, kind, s.names.index(kind, stamp)) }); err != nil {
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

const readyTimeout = 10 * time.Second // for an index that another process is making

func (s *Store) notMade(index string) error {
	return fault.Errorf(fault.Refused, "The index %s has mappings that this Headway did not make.", index)
}

// create makes an index by its template; one that is there is fine, as soon as it can be used. One of our name that says nothing of its
// mapping was made by a write that came when the templates had been lost, and is made again.
func (s *Store) create(ctx context.Context, kind, name string) error {
	err := s.client.call(ctx, createRequest(name), nil, nil)
	if !alreadyExists(err) {
		return err
	}
	if err := s.client.call(ctx, readyRequest(name), nil, nil); err != nil {
		return err
	}
	var there map[string]found
	if err := s.client.call(ctx, describeRequest([]string{name}), nil, &there); err != nil || there[name].hash() == hashIn(mapping(kind)) {
		return err
	}
	if there[name].hash() != "" {
		return s.notMade(name)
	}
	s.log.Warn("an index that nobody made is deleted and made again", "index", name)
	if err := s.client.call(ctx, deleteIndexRequest(name), nil, nil); err != nil && !hasStatus(err, http.StatusNotFound) {
		return err
	}
	if err := s.client.call(ctx, createRequest(name), nil, nil); !alreadyExists(err) { // else another process made it
		return err
	}
	return nil
}

func alreadyExists(err error) bool {
	e, ok := errors.AsType[*answerError](err)
	return ok && e.Type == "resource_already_exists_exception"
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
