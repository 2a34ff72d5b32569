package views

import (
	"time"

	"headway/domain"
	"headway/projections"
)

// OverviewPage is GET /.
type OverviewPage struct {
	ByStatus    map[domain.Status]int // all orders; nil if it could not be read
	Today       time.Time             // any moment of today: names the day
	Value       []domain.Money        // of the orders created today, by currency, without the cancelled
	PerMinute   []projections.Count   // events stored in each minute, oldest first, the running one last; at least 0: not known
	Stamp       Stamp                 // of order_list, which ByStatus and Value are read from
	Projections []ProjectionCard
	Latest      []TimelineEntry // newest first
	Problems    []string        // sentences about parts that could not be read; those parts are left empty
}
