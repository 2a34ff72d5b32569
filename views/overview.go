package views

import (
	"time"

	"headway/domain"
)

// OverviewPage is GET /.
type OverviewPage struct {
	ByStatus    map[domain.Status]int // all orders
	Today       time.Time             // any moment of today: names the day
	Value       []domain.Money        // of the orders created today, by currency, without the cancelled
	PerMinute   []int                 // events stored in each minute, oldest first; the last is the running one
	Stamp       Stamp                 // of order_list, which ByStatus and Value are read from
	Projections []ProjectionCard
	Latest      []Happening // newest first
	Problems    []string    // sentences about parts that could not be read; those parts are left empty
}
