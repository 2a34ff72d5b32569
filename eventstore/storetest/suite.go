// Package storetest is the one suite that every event store must pass. It knows nothing of any engine: what an engine brings is a Place.
package storetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"headway/eventstore"
	"headway/fault"
)

// Store is what an engine is: a log, and the snapshots beside it.
type Store interface {
	eventstore.Store
	eventstore.Snapshots
}

// Place is storage of its own for one case, empty at first, and gone after it.
type Place interface {
	// Open gives one more handle on the storage, as another process would have it. The clock says when events are stored; nil means the
	// real one. The case may close it; if it does not, the place does.
	Open(t *testing.T, clock func() time.Time) Store
	// Plant writes records behind the store's back, exactly as they are: each the next version of its stream, stored after all before
	// it. It is quick for ten thousand.
	Plant(t *testing.T, records ...eventstore.Record)
	// Copy gives another place, which has what is stored here now: the same log, as it is after a backup of this moment was put back.
	Copy(t *testing.T) Place
}

// Run holds a store to the contract. A failing case says which rule was broken.
func Run(t *testing.T, newPlace func(t *testing.T) Place) {
	for _, c := range []struct {
		name, rule string
		run        func(t *testing.T, p Place)
	}{
		{"append and read", "What was appended is read back, complete and in order, as Append answered it.", appendAndRead},
		{"conflicts", "A stream that is not where the command expects is a Conflict that carries the head, and stores nothing.", conflicts},
		{"8 writers", "Of 8 writers at one version one wins, and the others learn the head.", writersAtOneVersion(8)},
		{"64 writers", "Of 64 writers at one version one wins, and the others learn the head.", writersAtOneVersion(64)},
		{"crowd", "Every stream's history is that of one command after the other, whoever writes and reads at once.", crowd},
		{"neighbours", "A conflict or an ended context never touches another command that is stored at the same time.", neighbours},
		{"all or none", "A command's events are stored all or none, and are seen all or none.", allOrNone},
		{"command id, at once", "A command id that arrives many times at once is stored once, and everybody gets that result.", sameCommandAtOnce},
		{"command id, later", "A command id keeps its first result, after a restart and with whatever version it expects.", sameCommandLater},
		{"command id, other content", "A command id that comes back with other content is Invalid, and stores nothing.", otherContent},
		{"command id, abandoned", "A command whose context ended is stored once at most, and its repeat has one result.", abandonedCommand},
		{"by type", "Events of a type, and of all types, come newest first and once each, whatever the page size.", byType},
		{"by type, frozen clock", "Equal times neither lose nor repeat an event at a page's border.", byTypeFrozenClock},
		{"by type, meanwhile", "Pages go on where they were while appends go on.", byTypeMeanwhile},
		{"by correlation", "The events of one correlation id come newest first, across streams.", byCorrelation},
		{"heads", "Heads answers each stream that exists once, and no other.", heads},
		{"many streams", "Many streams are read at once as Read reads each, whole records, in the order they are named, up to a limit.",
			readMany},
		{"categories", "Streams of another category, with the same id, live beside; a reader of one category never meets another.", categories},
		{"categories, look-alikes", "What looks like a name of another category, an id or a type or a correlation, is not of it.", lookalikes},
		{"names", "A stream without a category or an id, or of a category with another name than a-z and -, is refused.", names},
		{"parts", "The parts of a feed together name what the whole names, and no stream is in two of them.", parts},
		{"feed", "The feed names every stream's last move, also while many append.", feed},
		{"feed, resumed", "A feed goes on from its cursor after a restart, and misses nothing.", feedResumed},
		{"feed, joined", "After the earlier of two cursors the feed names what it names after either.", earlier},
		{"walk", "A walk sees each stream exactly once while appends go on, and knows the total at its start.", walk},
		{"unknown events", "An event that nobody knows comes back byte for byte, in every listing.", unknownEvents},
		{"schema 1", "An event of schema 1, which had no id, has one that follows from its stream and version.", historicEvents},
		{"bounds of an append", "An event, a command and a stream are at most as large as the limits say.", boundsOfAppend},
		{"bounds of a page", "A page is at most MaxPage, whatever it is asked for.", boundsOfPage},
		{"stored at", "StoredAt strictly grows within a stream, also when the clock stands, steps back or differs.", storedAt},
		{"memory", "What a store returns, and what it was given, is the caller's to change.", memory},
		{"reopen", "Everything is there after a close and an open, and nothing works in between.", reopen},
		{"close", "A Close answers what was accepted before it; the rest is Unavailable and not stored.", closeDrains},
		{"second process", "What another process appends is seen by every path, and its conflicts are told.", secondProcess},
		{"cursors", "A cursor that is not the store's own is Malformed, with the field cursor.", cursors},
		{"snapshots", "A snapshot is kept as it was saved; an older one never takes its place, unless the newer one is invalid.", snapshots},
		{"snapshots, at once", "Of many savers at once the newest snapshot stays.", snapshotsAtOnce},
		{"ended context", "A context that has ended is the answer of every method, and nothing is stored.", endedContext},
	} {
		runCase(t, c.name, c.rule, func(t *testing.T) { c.run(t, newPlace(t)) })
	}
	runCase(t, "other log", "Two logs have two identities: a cursor of another log is OtherLog, Malformed with the field cursor.",
		func(t *testing.T) { otherLog(t, newPlace(t), newPlace(t)) })
	runCase(t, "put back", "In a log that was put back a feed's cursor goes on if its last event is there; else it is OtherLog, however much came.",
		func(t *testing.T) { putBack(t, newPlace(t)) })
	runCase(t, "model", "The store behaves like a few slices in memory.", func(t *testing.T) { model(t, newPlace) })
}

func runCase(t *testing.T, name, rule string, run func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("The rule: %s", rule)
			}
		})
		run(t)
	})
}

// The categories of the suite's streams. To a store they are words, but that the first is stored without its name.
const (
	order   = eventstore.FirstCategory
	invoice = "draft-invoice"
)

func newStream() eventstore.StreamID { return newStreamIn(order) }

func newStreamIn(category string) eventstore.StreamID {
	return eventstore.StreamID{Category: category, ID: uuid.NewString()}
}

// newCommand is the metadata of a command that nobody sent before.
func newCommand() eventstore.Metadata {
	id := uuid.NewString()
	return eventstore.Metadata{
		CausationID: id, CorrelationID: "request " + id, UserID: "ada", SeenVersion: 3, CommandHash: "hash " + id, KeyID: "key " + id,
		Timestamp: time.Date(2021, 2, 3, 4, 5, 6, 789_000, time.UTC),
	}
}

// The types of the suite's events. To a store they are words, and the data is bytes.
const (
	typeCreated   = "OrderCreated"
	typeAdded     = "OrderItemAdded"
	typeConfirmed = "OrderConfirmed"
	typeCancelled = "OrderCancelled"
	schema        = 2
)

func created() eventstore.NewEvent {
	return newEvent(typeCreated, `{"customerId":"Ada & Söhne <b>","currency":"EUR","reference":"A-1"}`)
}

func added(sku string) eventstore.NewEvent {
	return newEvent(typeAdded, `{ "item": {"sku":"`+sku+`", "name":"Gr\u00fcner Tee", "quantity":2.0} }`)
}

func confirmed() eventstore.NewEvent { return newEvent(typeConfirmed, `{}`) }

func cancelled(reason string) eventstore.NewEvent {
	return newEvent(typeCancelled, `{"reason":"`+reason+`"}`)
}

func newEvent(eventType, data string) eventstore.NewEvent {
	return eventstore.NewEvent{Type: eventType, Schema: schema, Data: []byte(data)}
}

// added n times.
func addedTimes(n int) []eventstore.NewEvent {
	events := make([]eventstore.NewEvent, n)
	for i := range events {
		events[i] = added("tea")
	}
	return events
}

func mustAppend(
	t *testing.T, s eventstore.Store, id eventstore.StreamID, expect int, m eventstore.Metadata, events ...eventstore.NewEvent,
) []eventstore.Record {
	t.Helper()
	records, err := s.Append(t.Context(), id, expect, m, events...)
	if err != nil {
		t.Fatalf("append at %d: %v", expect, err)
	}
	return records
}

func mustRead(t *testing.T, s eventstore.Store, id eventstore.StreamID) []eventstore.Record {
	t.Helper()
	records, err := s.Read(t.Context(), id, 0)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return records
}

// checkKind complains unless err is of the kind and its sentence is for a person.
func checkKind(t *testing.T, err error, kind fault.Kind) *fault.Error {
	t.Helper()
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Kind != kind {
		t.Errorf("got the error %v, want one of the kind %s", err, kind)
		return &fault.Error{}
	}
	words := strings.ToLower(e.Message)
	for _, driver := range []string{"sql", "constraint", "database", "locked", "busy", "dynamo", "condition", "transact", "throttl", "aws", "0x"} {
		if strings.Contains(words, driver) {
			t.Errorf("the sentence %q speaks of the engine: %q", e.Message, driver)
		}
	}
	return e
}

func checkConflict(t *testing.T, err error, head int) {
	t.Helper()
	if e := checkKind(t, err, fault.Conflict); e.Kind == fault.Conflict && e.Head != head {
		t.Errorf("the conflict carries head %d, want %d", e.Head, head)
	}
}

func checkField(t *testing.T, err error, kind fault.Kind, field string) {
	t.Helper()
	if e := checkKind(t, err, kind); e.Kind == kind && (len(e.Fields) != 1 || e.Fields[0].Field != field) {
		t.Errorf("the error names the fields %v, want only %s", e.Fields, field)
	}
}

func checkLength(t *testing.T, s eventstore.Store, id eventstore.StreamID, want int) {
	t.Helper()
	if got := len(mustRead(t, s, id)); got != want {
		t.Errorf("stream %s has %d events, want %d", id, got, want)
	}
}

func checkRecords(t *testing.T, what string, got, want []eventstore.Record) {
	t.Helper()
	if difference := differ(got, want); difference != "" {
		t.Errorf("%s: %s", what, difference)
	}
}

// differ tells the first difference between two lists of records, empty if there is none.
func differ(got, want []eventstore.Record) string {
	if len(got) != len(want) {
		return "got " + asJSON(len(got)) + " records, want " + asJSON(len(want))
	}
	for i := range got {
		g, w := got[i], want[i]
		same := g.EventID == w.EventID && g.Stream == w.Stream && g.Version == w.Version && g.EventType == w.EventType &&
			g.SchemaVersion == w.SchemaVersion && bytes.Equal(g.Data, w.Data) && sameTime(g.StoredAt, w.StoredAt) &&
			sameTime(g.Metadata.Timestamp, w.Metadata.Timestamp)
		g.Metadata.Timestamp, w.Metadata.Timestamp = time.Time{}, time.Time{}
		if !same || g.Metadata != w.Metadata {
			return "record " + asJSON(i) + " is\n" + asJSON(got[i]) + "\nwant\n" + asJSON(want[i])
		}
	}
	return ""
}

// sameTime wants the same instant, in UTC and whole microseconds.
func sameTime(got, want time.Time) bool {
	return got.Equal(want) && got.Location() == time.UTC && got.Nanosecond()%1000 == 0
}

func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// together runs f n times at once, as nearly as goroutines can.
func together(n int, f func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	all.Wait()
}

// page is one call of a listing.
type page func(before eventstore.Cursor, limit int) ([]eventstore.Record, eventstore.Cursor, error)

func typePage(ctx context.Context, s eventstore.Store, eventType string) page {
	return typePageIn(ctx, s, order, eventType)
}

func typePageIn(ctx context.Context, s eventstore.Store, category, eventType string) page {
	return func(before eventstore.Cursor, limit int) ([]eventstore.Record, eventstore.Cursor, error) {
		return s.ByType(ctx, category, eventType, before, limit)
	}
}

func correlationPage(ctx context.Context, s eventstore.Store, id string) page {
	return correlationPageIn(ctx, s, order, id)
}

func correlationPageIn(ctx context.Context, s eventstore.Store, category, id string) page {
	return func(before eventstore.Cursor, limit int) ([]eventstore.Record, eventstore.Cursor, error) {
		return s.ByCorrelation(ctx, category, id, before, limit)
	}
}

// allPages reads a listing to its end; no page is longer than limit.
func allPages(t *testing.T, next page, limit int) []eventstore.Record {
	t.Helper()
	var all []eventstore.Record
	var before eventstore.Cursor
	for {
		records, cursor, err := next(before, limit)
		if err != nil {
			t.Fatalf("a page before %q: %v", before, err)
		}
		if len(records) > limit {
			t.Fatalf("a page of %d holds %d records", limit, len(records))
		}
		all = append(all, records...)
		if cursor == "" {
			return all
		}
		if cursor == before {
			t.Fatalf("the listing stands still at %q", cursor)
		}
		before = cursor
	}
}
