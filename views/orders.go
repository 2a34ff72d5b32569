package views

import (
	"time"

	"headway/domain"
	"headway/fault"
	"headway/projections"
)

// OrderFilter is the query of the order list as it stands in the URL. From and To are as typed: dates (2006-01-02) or RFC 3339.
type OrderFilter struct {
	Text     string
	Statuses []domain.Status
	Customer string
	From, To string
	Sort     projections.Sort
	Cursor   string
}

// OrdersPage is GET /orders. The links of tabs, presets, columns and pages are made from Filter.
type OrdersPage struct {
	Filter       OrderFilter
	Today        time.Time // any moment of today: what the date presets count from
	Rows         []OrderRow
	Next         string // cursor of the next page; empty at the end
	Total        int
	TotalIsExact bool
	ByStatus     map[domain.Status]projections.Count // the tabs
	Stamp        Stamp                               // of the list
	Alike        []string                            // customers who may have been meant, when no order matches the whole name
	Errors       []fault.FieldError                  // of the query; then there are no rows
	Problem      string                              // a sentence when the list cannot be read now; then there are no rows
}

// OrderRow is one order in a list, and the whole live element of a frame. Without a person's controls.
type OrderRow struct {
	Row   projections.OrderRow
	Stamp projections.Stamp // Version is the row's, Head the newest that is known
	Zone  *time.Location
}
