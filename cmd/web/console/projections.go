package console

import (
	"context"
	"net/http"
	"slices"

	"github.com/a-h/templ"

	"headway/cmd/web/console/input"
	"headway/cmd/web/console/wire"
	"headway/fault"
	"headway/projections"
	"headway/views"
)

// projections is GET /projections.
func (s *Server) projections(r *http.Request, q *input.Query) (answer, error) {
	if err := q.Err(); err != nil {
		return answer{}, err
	}
	m, list := views.ProjectionsPage{Cards: s.freshness.cards(r.Context())}, s.projectionsOf(r.Context())
	return answer{
		title: "Projections", nav: views.NavProjections, watch: []string{"projections"},
		page: func(f views.Frame) templ.Component { return views.Projections(f, m) },
		json: func() any { return wire.Projections{Projections: list} },
	}, nil
}

// projection is GET /projections/{name}.
func (s *Server) projection(r *http.Request, q *input.Query) (answer, error) {
	if err := q.Err(); err != nil {
		return answer{}, err
	}
	i, err := declaredAt(r)
	if err != nil {
		return answer{}, err
	}
	st, list := s.freshness.statuses(r.Context())[i], s.projectionsOf(r.Context())
	m := views.ProjectionPage{
		Card: s.freshness.cards(r.Context())[i], Holder: st.Holder, Cursor: string(st.Cursor), Holds: st.Holds,
		MoreHolds: len(st.Holds) == projections.MaxHolds,
	}
	return answer{
		title: views.Label(st.Name), nav: views.NavProjections, watch: []string{"projections"},
		page: func(f views.Frame) templ.Component { return views.Projection(f, m) },
		json: func() any { return list[i] },
	}, nil
}

// projectionsOf is every projection with its cursor and holds.
func (s *Server) projectionsOf(ctx context.Context) []wire.Projection {
	return wire.ListOf(s.freshness.statuses(ctx), wire.ProjectionOf)
}

// declaredAt is the place of the {name} of a path among the declared, which is also the order of a look.
func declaredAt(r *http.Request) (int, error) {
	name := r.PathValue("name")
	i := slices.IndexFunc(projections.All(), func(p projections.Projection) bool { return p.Name == name })
	if i < 0 {
		return i, fault.Errorf(fault.NotFound, "There is no projection “%s”.", input.Clip(name))
	}
	return i, nil
}
