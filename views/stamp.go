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

// StampWords are the words of a stamp as pages show them: "v7" when a row is current (its state is said to a screen reader), else the
// stamp's own words.
func StampWords(s projections.Stamp) string {
	if s.State == projections.StampCurrent && s.Version > 0 {
		return projections.VersionWords(s.Version)
	}
	s.State = projections.StampState(stampState(s))
	return s.Words()
}

// stampState is the state as it is drawn: an empty or foreign one is unknown.
func stampState(s projections.Stamp) string {
	switch s.State {
	case projections.StampCurrent, projections.StampBehind, projections.StampPaused, projections.StampHeld,
		projections.StampRebuilding, projections.StampStalled, projections.StampAhead, projections.StampUnknown:
		return string(s.State)
	}
	return string(projections.StampUnknown)
}

// lacks tells whether a list lacks events, or may lack some.
func (s Stamp) lacks() bool { return s.Projection != "" && s.State != projections.StampCurrent }

// soFar is the sentence of an empty list. A list that lacks events, or may lack some, does not say that nothing is there.
func soFar(sentence string, s Stamp) string {
	if !s.lacks() {
		return sentence
	}
	sentence = strings.TrimSuffix(sentence, ".")
	switch {
	case stampState(s.Stamp) == string(projections.StampUnknown):
		return sentence + ", but how many events are not applied yet is not known: what you look for may be among them."
	case s.Behind.Events == 1:
		return sentence + ", but 1 event is not applied yet: it may be of what you look for."
	case s.Behind.Events > 0:
		return sentence + ", but " + count(s.Behind.Events, "event") + " are not applied yet: what you look for may be among them."
	}
	return sentence + ", but the list may lack events: what you look for may be among them."
}

// sinceMS is the age of the oldest missing event when the stamp was drawn, in milliseconds; the script counts on from it.
func sinceMS(s projections.Stamp) string { return fmt.Sprint(s.Behind.Age.Milliseconds()) }

// stamp is the order page's own: it is folded from the stream, so it is current unless it shows the past or waits at a hold.
func (b OrderBody) stamp() projections.Stamp {
	s := projections.Stamp{Version: b.Order.Version, Head: max(b.Head, b.Order.Version), State: projections.StampCurrent}
	switch {
	case b.Hold != nil:
		s.State, s.Reason = projections.StampHeld, projections.HeldReason(b.Hold.Version, b.Hold.Reason)
	case s.Head > s.Version:
		s.State, s.Behind = projections.StampBehind, projections.Lag{Events: s.Head - s.Version}
	}
	return s
}
