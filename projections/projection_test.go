package projections_test

import (
	"testing"

	"headway/fault"
	"headway/projections"
)

func TestEveryProjectionIsDeclaredWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range projections.All() {
		if seen[p.Name] || p.Name == "" || p.Short == "" || p.Generation < 1 || p.Fold == nil || p.Want == nil {
			t.Errorf("%q is declared whole, once: %+v", p.Name, p)
		}
		seen[p.Name] = true
		if c := p.Contributions; c != nil && (c.Noun == "" || c.Add == nil) {
			t.Errorf("what %s adds up is declared whole: %+v", p.Name, c)
		}
		if named, err := projections.Named(p.Name); err != nil || named.Name != p.Name {
			t.Errorf("%s is found by its name: %v", p.Name, err)
		}
	}
	if _, err := projections.Named("no_such_projection"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("an unknown projection is not found: %v", err)
	}
}
