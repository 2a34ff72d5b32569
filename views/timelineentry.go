package views

import (
	"time"

	"headway/domain"
)

// TimelineEntry is one stored event as pages tell it.
type TimelineEntry struct {
	EventID     string
	Order       OrderName // Reference may be empty where it is not known
	Version     int
	Type        string
	Schema      int            // as stored
	Facts       []domain.Event // what it says today: none if its type is retired, nil if it cannot be read
	StoredAt    time.Time
	BusinessAt  time.Time // may lie in the past
	UserID      string
	Causation   string // the command's id
	Correlation string
	Seen        int       // the version the person was looking at; 0 if not known
	Arrivals    []Arrival // only where they are known
}

// Arrival is when a projection showed an event.
type Arrival struct {
	Projection string
	Took       time.Duration // since it was stored
}

// nodeType is the type that the style sheet draws: that of the first fact, "retired" if there is none, or "unread".
func nodeType(h TimelineEntry) string {
	switch {
	case h.Facts == nil:
		return "unread"
	case len(h.Facts) == 0:
		return "retired"
	}
	return h.Facts[0].Type()
}
