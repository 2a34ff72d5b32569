package main

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/a-h/templ"

	"headway/cmd/web/internal/input"
	"headway/cmd/web/internal/wire"
	"headway/fault"
	"headway/projections"
	"headway/views"
)

// How often the sockets are told what the projections do, if that has changed: while orders move or something is amiss, and while nothing
// happens. A look costs a distributed log some requests, so none is made while nobody follows.
const (
	stateGap = 500 * time.Millisecond
	quietGap = 2 * time.Second
)

// projections is GET /projections.
func (s *server) projections(r *http.Request) (answer, error) {
	if err := input.ParseQuery(r, nil).Err(); err != nil {
		return answer{}, err
	}
	m, list := views.ProjectionsPage{Cards: s.cards(r.Context())}, s.projectionsOf(r.Context())
	return answer{
		title: "Projections", nav: views.NavProjections, watch: []string{"projections"},
		page: func(f views.Frame) templ.Component { return views.Projections(f, m) },
		json: func() any { return map[string]any{"projections": list} },
	}, nil
}

// projection is GET /projections/{name}.
func (s *server) projection(r *http.Request) (answer, error) {
	if err := input.ParseQuery(r, nil).Err(); err != nil {
		return answer{}, err
	}
	name := r.PathValue("name")
	if !slices.Contains(projections.Names(), name) {
		return answer{}, fault.Errorf(fault.NotFound, "There is no projection “%s”.", input.Clip(name))
	}
	i := slices.Index(projections.Names(), name) // which is also the order of a look
	st, list := s.look(r.Context())[i], s.projectionsOf(r.Context())
	m := views.ProjectionPage{
		Card: s.cards(r.Context())[i], Holder: st.Holder, Cursor: string(st.Cursor), Holds: st.Holds, MoreHolds: len(st.Holds) == projections.MaxHolds,
	}
	return answer{
		title: views.Label(name), nav: views.NavProjections, watch: []string{"projections"},
		page: func(f views.Frame) templ.Component { return views.Projection(f, m) },
		json: func() any { return list[i] },
	}, nil
}

// projectionsOf is every projection with its cursor and holds.
func (s *server) projectionsOf(ctx context.Context) []wire.Projection {
	return wire.ListOf(s.look(ctx), wire.ProjectionOf)
}

// tellStates tells the sockets about projections whose state has changed, until ctx ends.
func (s *server) tellStates(ctx context.Context) {
	tick := time.NewTicker(stateGap)
	defer tick.Stop()
	told := map[string]views.ProjectionCard{}
	var looked time.Time
	quiet := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !s.hub.Watched("projections") || quiet && !s.bridge.news.Load() && s.clock().Sub(looked) < quietGap {
			continue
		}
		s.bridge.news.Store(false)
		looked, quiet = s.clock(), true
		for _, c := range s.cards(ctx) {
			quiet = quiet && c.State == views.Running && c.Lag.Events == 0 && c.Holds == 0
			last := told[c.Name]
			told[c.Name] = c
			last.HeartbeatAt, last.Lag.Age, last.Stamp.Behind.Age = c.HeartbeatAt, c.Lag.Age, c.Stamp.Behind.Age // always new, no news
			if last != c {
				s.bridge.state(ctx, c)
			}
		}
	}
}
