package console

import (
	"testing"

	"headway/projections"
)

// The bar of a projection asks nothing of the log: what is not applied is compared with the rows that there are.
func TestShareOfALaggingProjectionComesFromTheRows(t *testing.T) {
	c := openConsole(t)
	for range 3 {
		c.newOrder("")
	}
	c.project()
	for _, at := range []struct {
		status projections.Status
		want   float64
	}{
		{projections.Status{Cursor: "c", Lag: projections.Lag{Events: 1}}, 0.75},
		{projections.Status{Cursor: "c", Lag: projections.Lag{Events: 9}}, 0.25},
		{projections.Status{Cursor: "c"}, 1},
		{projections.Status{Lag: projections.Lag{Events: 1}}, 0},
		{projections.Status{Cursor: "c", State: projections.Unreachable}, 0},
	} {
		if got := c.s.freshness.share(t.Context(), at.status); got != at.want {
			t.Errorf("%+v: %v, not %v", at.status, got, at.want)
		}
	}
}
