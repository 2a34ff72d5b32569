package console

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/a-h/templ"

	"headway/cmd/web/console/input"
	"headway/cmd/web/console/wire"
	"headway/domain"
	"headway/fault"
	"headway/projections"
	"headway/views"
)

// mayWatch tells whether somebody may see what others did: an administrator, and whoever there is while nobody signs in.
func (s *Server) mayWatch(person string) bool {
	return !s.demo || slices.Contains([]string{demoPerson, "admin"}, person)
}

// activity is GET /activity: what a person did on a day; one's own, an administrator everybody's.
func (s *Server) activity(r *http.Request, q *input.Query) (answer, error) {
	me := s.person(r)
	today := s.clock().UTC().Format(time.DateOnly)
	who, day := q.Get("who"), q.Get("day")
	if who == "" {
		who = me
	}
	if day == "" {
		day = today
	}
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		q.Complain("day", "“%s” is not a day; write one such as 2026-01-31.", input.Clip(day))
	}
	if err := q.Err(); err != nil {
		return answer{}, err
	}
	if who != me && !s.mayWatch(me) {
		return answer{}, fault.Errorf(fault.Forbidden, "Only an administrator sees what others did.")
	}
	stamp := s.freshness.listStamp(r.Context(), projections.Activity) // before the rows
	page, err := s.read.Activity(r.Context(), projections.ActivityQuery{Who: who, Day: day, Cursor: q.Get("cursor")})
	if err != nil {
		return answer{}, err
	}
	m := views.ActivityPage{
		Who: who, Day: day, Today: today, Before: at.AddDate(0, 0, -1).Format(time.DateOnly), Next: page.Next, Stamp: stamp,
		MayWatch: s.mayWatch(me), Zone: s.zone,
	}
	if day < today {
		m.After = at.AddDate(0, 0, 1).Format(time.DateOnly)
	}
	for _, eventType := range slices.Sorted(maps.Keys(page.ByType)) {
		m.ByType = append(m.ByType, views.TypeCount{Type: eventType, Count: page.ByType[eventType]})
	}
	if !input.WantsJSON(r) {
		ids := wire.ListOf(page.Acts, func(a projections.Act) domain.OrderID { return a.OrderID })
		known := s.references.of(r.Context(), s.read, ids)
		m.Acts = wire.ListOf(page.Acts, func(a projections.Act) views.Act {
			return views.Act{Order: views.OrderName{ID: a.OrderID, Reference: known[a.OrderID]}, Version: a.Version, Type: a.Type, At: a.At}
		})
	}
	return answer{
		title: "Activity", nav: views.NavNone, watch: []string{"projections"},
		page: func(f views.Frame) templ.Component { return views.Activity(f, m) },
		json: func() any {
			return wire.Activity{
				Who: who, Day: day, ByType: page.ByType, Next: wire.OrNull(page.Next),
				Events: wire.ListOf(page.Acts, func(a projections.Act) wire.Act {
					return wire.Act{OrderID: a.OrderID, Version: a.Version, EventType: a.Type, At: wire.Time(a.At)}
				}),
			}
		},
	}, nil
}
