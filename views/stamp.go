package views

import (
	"fmt"
	"strings"

	"headway/projections"
)

// Stamp says how fresh something on a page is. For a list or a customer Version and Head are 0.
type Stamp struct {
	Projection string
	projections.Stamp
}

// StampWords are the words of a stamp: "v7" when current (its state is said to a screen reader), "2 events behind, 1.4 s",
// "held at version 5: reason", "unknown: reason". An empty state is unknown: doubt is never shown as current.
func StampWords(s projections.Stamp) string {
	switch s.State {
	case projections.StampCurrent:
		if s.Version > 0 {
			return fmt.Sprintf("v%d", s.Version)
		}
		return "current"
	case projections.StampBehind:
		return behind(s.Behind)
	case projections.StampHeld:
		if s.Version > 0 {
			return because(fmt.Sprintf("held at version %d", s.Version+1), s.Reason)
		}
		return because("held", s.Reason)
	case projections.StampPaused, projections.StampRebuilding, projections.StampStalled:
		return because(string(s.State), s.Reason)
	}
	return because("unknown", s.Reason)
}

// behind says how much is not applied yet, as far as it is known.
func behind(lag projections.Lag) string {
	words := "behind"
	if lag.Events > 0 {
		words = count(lag.Events, "event") + " behind"
	}
	if lag.Age > 0 {
		words += ", " + Duration(lag.Age)
	}
	return words
}

// because joins a state and its reason. A reason that says the state itself stands alone.
func because(state, reason string) string {
	reason = strings.TrimSuffix(strings.TrimSpace(reason), ".")
	switch {
	case reason == "":
		return state
	case strings.HasPrefix(strings.ToLower(reason), state):
		return state + reason[len(state):]
	}
	return state + ": " + reason
}

// stampState is the state as it is drawn: an empty or foreign one is unknown.
func stampState(s projections.Stamp) string {
	switch s.State {
	case projections.StampCurrent, projections.StampBehind, projections.StampPaused, projections.StampHeld,
		projections.StampRebuilding, projections.StampStalled:
		return string(s.State)
	}
	return string(projections.StampUnknown)
}

// sinceMS is the age of the oldest missing event when the stamp was drawn, in milliseconds; the script counts on from it.
func sinceMS(s projections.Stamp) string { return fmt.Sprint(s.Behind.Age.Milliseconds()) }

// stamp is the order page's own: it is folded from the stream, so it is current unless it shows the past or waits at a hold.
func (b OrderBody) stamp() projections.Stamp {
	s := projections.Stamp{Version: b.Order.Version, Head: max(b.Head, b.Order.Version), State: projections.StampCurrent}
	switch {
	case b.Hold != nil:
		s.State, s.Reason = projections.StampHeld, b.Hold.Reason
	case s.Head > s.Version:
		s.State, s.Behind = projections.StampBehind, projections.Lag{Events: s.Head - s.Version}
	}
	return s
}
