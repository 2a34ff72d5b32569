package projections

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/orders"
)

// Activity is the projection of what each person did on each day. Days are of storedAt in UTC.
const Activity = "activity"

func activity() Projection {
	return adding[Act, DayRow]{noun: "day", apply: applyAct, want: wantActs, plus: DayRow.Plus}.declare(Projection{
		Name: Activity, Short: "activity", Generation: 1,
	})
}

// Act is one event that a person's command stored.
type Act struct {
	Who     string         `json:"who"`
	OrderID domain.OrderID `json:"order"`
	Version int            `json:"version"`
	Type    string         `json:"type"`
	At      time.Time      `json:"at"` // storedAt
}

// DayKey is the key of what a person did on a day, "2026-11-30".
func DayKey(who, day string) string { return day + " " + who }

// SplitDayKey is the day and the person of a key.
func SplitDayKey(key string) (day, who string) {
	day, who, _ = strings.Cut(key, " ")
	return day, who
}

// Day is the act's, in UTC.
func (a Act) Day() string { return a.At.UTC().Format(time.DateOnly) }

// Key is the person's day.
func (a Act) Key() string { return DayKey(a.Who, a.Day()) }

// Counts is Contribution's: what was done stays done.
func (a Act) Counts() bool { return true }

// Fields is Contribution's.
func (a Act) Fields() []Field {
	of := " of version " + strconv.Itoa(a.Version)
	return []Field{{"who" + of, a.Who}, {"eventType" + of, a.Type}, {"at" + of, a.At}}
}

// DayRow is what a person did on a day.
type DayRow struct {
	Who    string
	Day    string
	ByType map[string]int // events by their types; none is 0
}

// Key is Sum's.
func (r DayRow) Key() string { return DayKey(r.Who, r.Day) }

// Fields is Sum's.
func (r DayRow) Fields() []Field {
	return []Field{{"who", r.Who}, {"day", r.Day}, {"byType", r.counts()}}
}

// counts is ByType as text, in the order of the types.
func (r DayRow) counts() string {
	var all []string
	for _, eventType := range slices.Sorted(maps.Keys(r.ByType)) {
		all = append(all, eventType+" "+strconv.Itoa(r.ByType[eventType]))
	}
	return strings.Join(all, ", ")
}

// Plus adds one act, and shares no memory with the row.
func (r DayRow) Plus(a Act) DayRow {
	r.Who, r.Day, r.ByType = a.Who, a.Day(), maps.Clone(r.ByType)
	if r.ByType == nil {
		r.ByType = map[string]int{}
	}
	r.ByType[a.Type]++
	return r
}

func applyAct(row Contributed[Act], record eventstore.Record, _ []domain.Event) []Act {
	return append(row.Contributions, actOf(row.ID, record))
}

func actOf(id domain.OrderID, r eventstore.Record) Act {
	return Act{Who: r.Metadata.UserID, OrderID: id, Version: r.Version, Type: r.EventType, At: r.StoredAt.UTC()}
}

// wantActs is the events that the domain has applied.
func wantActs(_ domain.Codec, stream orders.Stream) (all []Act) {
	for _, r := range stream.Records[:stream.Order.Version] {
		all = append(all, actOf(stream.Order.ID, r))
	}
	return all
}

// Cut makes a page of acts that were found, one more than the limit if there are more.
func (p *ActivityPage) Cut(q ActivityQuery) {
	if p.ByType == nil {
		p.ByType = map[string]int{}
	}
	if len(p.Acts) <= q.Limit {
		return
	}
	p.Acts = p.Acts[:q.Limit]
	last := p.Acts[q.Limit-1]
	p.Next = EncodeCursor(q.Fingerprint(), last.At.UnixMicro(), string(last.OrderID), int64(last.Version))
}
