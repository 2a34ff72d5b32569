package console

import (
	"net/http"
	"time"

	"github.com/a-h/templ"

	"headway/cmd/web/console/input"
	"headway/cmd/web/console/wire"
	"headway/domain"
	"headway/orders"
	"headway/projections"
	"headway/views"
)

const latestShown = 10 // events on the overview

// overview is GET /. A part that cannot be read is left out of the page with a sentence; a program gets the error.
func (s *Server) overview(r *http.Request, q *input.Query) (answer, error) {
	if err := q.Err(); err != nil {
		return answer{}, err
	}
	now := s.clock()
	today := startOfDay(now.In(s.zone))
	var problems []string
	var failed error
	part := func(err error) {
		if err != nil {
			failed = err
			problems = append(problems, problemOf(err).message)
		}
	}
	stamp := s.freshness.listStamp(r.Context(), projections.OrderList) // before the numbers: they must not lack what it says they have
	latest, next, err := s.events.ByType(r.Context(), orders.Category, "", "", eventsPerPage)
	var counts []projections.Count
	if err == nil {
		counts, err = s.recent.perMinute(r.Context(), newest{latest, next == ""}, now)
	}
	part(err)
	latest = latest[:min(len(latest), latestShown)]
	totals, err := s.read.Totals(r.Context(), today, today.AddDate(0, 0, 1))
	part(err)
	if failed != nil && input.WantsJSON(r) {
		return answer{}, failed
	}
	if err != nil {
		totals = projections.Totals{} // not known is not zero
	}
	m := views.OverviewPage{
		ByStatus: totals.ByStatus, Today: now, Value: totals.Value, PerMinute: counts, Problems: problems,
		Stamp: stamp, Projections: s.freshness.cards(r.Context()),
		Latest: s.entries(r.Context(), latest),
	}
	list := s.projectionsOf(r.Context())
	return answer{
		title: "Overview", nav: views.NavOverview, watch: []string{"projections"},
		page: func(f views.Frame) templ.Component { return views.Overview(f, m) },
		json: func() any {
			statuses := map[domain.Status]int{}
			for _, status := range domain.Statuses() {
				statuses[status] = totals.ByStatus[status]
			}
			return wire.Overview{
				Statuses: statuses, Today: wire.ListOf(totals.Value, func(v domain.Money) domain.Money { return v }),
				EventsPerMinute: wire.PerMinuteOf(counts), Projections: list, Events: wire.EventsOf(s.codec, latest),
			}
		},
	}, nil
}

func startOfDay(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, t.Location())
}
