package projections

import (
	"cmp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"headway/fault"
)

// Wording is what freshness is said in; %s is what it is said of. The browser says the same: static/words.js is made of it.
type Wording struct {
	Version   string      `json:"version"`   // of a row that is current, where there is no room for more
	CurrentAt string      `json:"currentAt"` // before that, for those who hear it
	Behind    string      `json:"behind"`    // by nobody knows how many
	Event     string      `json:"event"`
	Events    string      `json:"events"`
	HeldAt    string      `json:"heldAt"`
	Age       string      `json:"age"`     // after how many
	Because   string      `json:"because"` // after a state
	Spans     [6]SpanUnit `json:"spans"`   // from the shortest on; the last has no end
}

// SpanUnit is how lengths of time below a bound are said.
type SpanUnit struct {
	Below  int64  `json:"below"` // ms
	Unit   int64  `json:"unit"`  // ms
	Tenths bool   `json:"tenths"`
	Words  string `json:"words"`
}

// StampWording is the wording.
func StampWording() Wording {
	const second, minute, hour = 1000, 60_000, 3_600_000
	return Wording{
		Version: "v%s", CurrentAt: "current at ", Behind: "behind", Event: "%s event behind", Events: "%s events behind",
		HeldAt: "held at version %s", Age: ", %s", Because: ": %s",
		Spans: [6]SpanUnit{
			{second, 1, false, "%s ms"}, {10 * second, second, true, "%s s"}, {2 * minute, second, false, "%s s"},
			{2 * hour, minute, false, "%s min"}, {48 * hour, hour, false, "%s h"}, {0, 24 * hour, false, "%s days"},
		},
	}
}

func say(words, of string) string { return strings.Replace(words, "%s", of, 1) }

// Words is the stamp for people: "current", "2 events behind, 1.4 s", "held at version 5: reason". A reason that says the state itself
// stands alone; any other follows it.
func (s Stamp) Words() string {
	if s.State == StampCurrent {
		return string(StampCurrent)
	}
	if s.State == StampBehind {
		return s.Behind.words()
	}
	state := string(s.State)
	reason := strings.TrimSuffix(s.Reason, ".")
	if first, size := utf8.DecodeRuneInString(reason); size > 0 {
		reason = string(unicode.ToLower(first)) + reason[size:]
	}
	switch {
	case state == "" || reason == "":
		return cmp.Or(state, string(StampUnknown))
	case strings.HasPrefix(reason, state):
		return reason
	}
	return state + say(StampWording().Because, reason)
}

func (l Lag) words() string {
	w := StampWording()
	words := w.Behind
	switch {
	case l.Events == 1:
		words = say(w.Event, "1")
	case l.Events > 1:
		words = say(w.Events, fault.Number(l.Events))
	}
	if l.Age > 0 {
		words += say(w.Age, Span(l.Age))
	}
	return words
}

// VersionWords is a version where there is no room for more: "v7".
func VersionWords(version int) string { return say(StampWording().Version, strconv.Itoa(version)) }

// HeldReason is the reason of a stamp that waits at a version.
func HeldReason(version int, reason string) string {
	words := say(StampWording().HeldAt, strconv.Itoa(version))
	return strings.ToUpper(words[:1]) + words[1:] + say(StampWording().Because, reason)
}

// Span is a length of time for people, cut, not rounded, so that nothing looks older than it is: "38 ms", "1.4 s", "3 min", "2 h", "5
// days".
func Span(d time.Duration) string {
	ms := max(0, d.Milliseconds())
	for _, s := range StampWording().Spans {
		switch {
		case s.Below > 0 && ms >= s.Below:
		case s.Tenths:
			tenths := ms * 10 / s.Unit
			return say(s.Words, strconv.FormatInt(tenths/10, 10)+"."+strconv.FormatInt(tenths%10, 10))
		default:
			return say(s.Words, strconv.FormatInt(ms/s.Unit, 10))
		}
	}
	return ""
}
