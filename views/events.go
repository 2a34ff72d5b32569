package views

import "time"

// EventsPage is GET /events.
type EventsPage struct {
	Type        string          // empty means all
	Text        string          // q: as typed
	Before      string          // the cursor of this page; empty on the newest
	Rows        []TimelineEntry // newest first
	Next        string
	Census      []Census // of the events stored since CensusSince
	CensusSince time.Time
	CensusLacks int // hours of that time of which nothing is known
	Problem     string
}

// Census counts the events of one type and schema version.
type Census struct {
	Type   string
	Schema int
	Count  int
}

// CorrelationPage is GET /events/correlation/{id}.
type CorrelationPage struct {
	ID     string
	Rows   []TimelineEntry // newest first
	Before string
	Next   string
}

// EventPage is GET /orders/{id}/events/{version}.
type EventPage struct {
	Event        TimelineEntry
	Head         int    // of its order
	Stored       string // the data exactly as stored
	Upcast       string // the data as it is read today, JSON; empty if it cannot be read
	UpcastSchema int    // of that; 0 if it is a list of facts, because the type is none of today
	Unreadable   string // a sentence: why it cannot be read or applied; empty if it can
	CommandHash  string
	Effects      []TimelineEntry // every event of the same command, this one included, oldest first
	Related      int             // other events of the same correlation id, as far as they were counted
	RelatedMore  bool            // there are more than were counted
}
