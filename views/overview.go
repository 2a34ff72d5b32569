package views

import (
	"time"

	"headway/domain"
)

// MaxCountedEvents is how many of the newest events PerMinute counts; if it holds so many, there may be more.
const MaxCountedEvents = 1_000

// OverviewPage is GET /.
type OverviewPage struct {
	ByStatus    map[domain.Status]int // all orders; nil if it could not be read
	Today       time.Time             // any moment of today: names the day
	Value       []domain.Money        // of the orders created today, by currency, without the cancelled
	PerMinute   []int                 // events stored in each minute, oldest first; the last is the running one
	Stamp       Stamp                 // of order_list, which ByStatus and Value are read from
	Projections []ProjectionCard
	Latest      []TimelineEntry // newest first
	Problems    []string        // sentences about parts that could not be read; those parts are left empty
}
