package elastic

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"headway/projections"
)

// searchIndex is the name of what this store derives from its rows.
const searchIndex = "search"

// Check is projections.SelfChecker's: the indices behind the aliases and their mappings, and the fields that are made from others.
func (s *Store) Check(ctx context.Context, report func(projections.Difference)) error {
	differ := func(id, field string, want, got any) {
		if !reflect.DeepEqual(want, got) {
			report(projections.Difference{
				Projection: searchIndex, ID: id, Field: field, Want: fmt.Sprintf("%q", want), Got: fmt.Sprintf("%q", got),
			})
		}
	}
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
	err = each(ctx, s, orders, object{"match_all": object{}}, func(d orderDoc) error {
		want := orderDocOf(d.row())
		differ(string(d.ID), "refKey", want.RefKey, d.RefKey)
		differ(string(d.ID), "idKey", want.IDKey, d.IDKey)
		differ(string(d.ID), "head", want.Head, d.Head)
		differ(string(d.ID), "total", fmt.Sprint(want.amount), fmt.Sprint(d.amount))
		return nil
	})
	if err != nil {
		return err
	}
	err = each(ctx, s, contributions, object{"match_all": object{}}, func(d contributionDoc) error {
		differ(string(d.ID), "total", fmt.Sprint(amountOf(d.money())), fmt.Sprint(d.amount))
		return nil
	})
	if err != nil {
		return err
	}
	return each(ctx, s, customers, object{"match_all": object{}}, func(d customerDoc) error {
		differ(d.ID, "words", distinct(projections.Words(d.ID)), d.Words)
		return nil
	})
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
