package views

import (
	"time"

	"github.com/a-h/templ"
)

// ActivityPage is GET /activity.
type ActivityPage struct {
	Who      string
	Day      string // 2026-11-30, in UTC
	Today    string
	Before   string // the day before
	After    string // the day after; empty today
	ByType   []TypeCount
	Acts     []Act // newest first
	Next     string
	Stamp    Stamp
	MayWatch bool // may ask for anybody
	Zone     *time.Location
}

// TypeCount is how many events of a type there are.
type TypeCount struct {
	Type  string
	Count int
}

// Act is one event that a person's command stored.
type Act struct {
	Order   OrderName
	Version int
	Type    string
	At      time.Time
}

func (m ActivityPage) on(day, cursor string) templ.SafeURL {
	return with("/activity", "who", m.Who, "day", day, "cursor", cursor)
}

func actHref(a Act) templ.SafeURL { return eventHref(a.Order.ID, a.Version) }
