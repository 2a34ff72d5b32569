package elastic

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

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
	if err := s.with(ctx, func(t targets) error {
		there, missing, err := s.look(ctx)
		for _, kind := range kinds() {
			differ(s.names.alias(kind), "index", t[kind].index, there[kind].index)
		}
		differ(s.names.prefix, "schema", "", strings.Join(missing, " "))
		return err
	}); err != nil {
		return err
	}
	err := each(ctx, s, orders, object{"match_all": object{}}, func(d orderDoc) error {
		want := orderDocOf(d.row())
		differ(string(d.ID), "refKey", want.RefKey, d.RefKey)
		differ(string(d.ID), "idKey", want.IDKey, d.IDKey)
		differ(string(d.ID), "head", want.Head, slices.Clip(d.Head))
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
