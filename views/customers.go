package views

import (
	"time"

	"headway/projections"
)

// CustomersPage is GET /customers.
type CustomersPage struct {
	Text         string
	Sort         projections.Sort
	Cursor       string
	Rows         []CustomerRow
	Next         string
	Total        int
	TotalIsExact bool
	Stamp        Stamp
	Problem      string
}

// CustomerRow is one customer in the list, and the whole live element of a frame. Version and Head are those of the frame, if any.
type CustomerRow struct {
	Row     projections.CustomerRow
	Version int
	Head    int
	Zone    *time.Location
}

// CustomerPage is GET /customers/{id}.
type CustomerPage struct {
	Row       CustomerRow
	Stamp     Stamp // of customer_order_summary
	Orders    []OrderRow
	Next      string          // cursor of the next page of their orders
	ListStamp Stamp           // of order_list, which Orders are read from
	Timeline  []TimelineEntry // of the orders shown, merged, newest first
}
