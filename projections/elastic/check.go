package elastic

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"slices"

	"headway/projections"
)

// searchIndex is the name of what this store derives from its rows.
const searchIndex = "search"

// Check is projections.SelfChecker's: the indices behind the aliases and their mappings, and the fields that are made from others.
func (s *Store) Check(ctx context.Context, report func(projections.Difference)) error {
	differ := s.same(report)
	err := s.with(ctx, func(t targets) error {
		there, err := s.describe(ctx)
		if err != nil {
			return err
		}
		for _, kind := range kinds() {
			behind := []string{}
			for name, index := range there {
				if _, ok := index.Aliases[s.names.alias(kind)]; ok {
					behind = append(behind, name)
				}
			}
			differ(s.names.alias(kind), "indices", []string{t[kind].index}, behind)
			for _, field := range drift(there[t[kind].index].Mappings, plain(mapping(kind))) {
				report(projections.Difference{
					Projection: searchIndex, ID: t[kind].index, Field: field, Want: "as Headway made it", Got: "another mapping",
				})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, k := range keepers() {
		if err := k.check(ctx, s, differ); err != nil {
			return err
		}
	}
	return nil
}

// plain is a value as JSON gives it back.
func plain(v any) map[string]any {
	var back map[string]any
	if text, err := json.Marshal(v); err != nil || json.Unmarshal(text, &back) != nil {
		return nil // a mapping always encodes
	}
	return back
}

// drift names the fields in which two mappings differ, and "dynamic" or "_meta" if those do.
func drift(got, want map[string]any) []string {
	var fields []string
	compare := func(a, b map[string]any) {
		names := slices.Concat(slices.Collect(maps.Keys(a)), slices.Collect(maps.Keys(b)))
		for _, name := range distinct(names) {
			if name != "properties" && !reflect.DeepEqual(a[name], b[name]) {
				fields = append(fields, name)
			}
		}
	}
	compare(got, want)
	a, _ := got["properties"].(map[string]any)
	b, _ := want["properties"].(map[string]any)
	compare(a, b)
	return fields
}
