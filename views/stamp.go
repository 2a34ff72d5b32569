package views

import "headway/projections"

// Stamp says how fresh something on a page is. For a list or a customer Version and Head are 0.
type Stamp struct {
	Projection string
	projections.Stamp
}
