package console

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/a-h/templ"
	"github.com/google/uuid"

	"headway/cmd/web/console/input"
	"headway/cmd/web/console/wire"
	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/orders"
	"headway/projections"
	"headway/views"
)

const eventsPerPage = 50

// allEvents is GET /events: newest first, all, of one type, or found by an id.
func (s *Server) allEvents(r *http.Request, q *input.Query) (answer, error) {
	eventType, text, before := q.Get("type"), q.Get("q"), q.Get("before")
	if eventType != "" && !slices.Contains(domain.EventTypes(), eventType) {
		q.Complain("type", "“%s” is not an event type.", input.Clip(eventType))
	}
	if err := q.Err(); err != nil {
		return answer{}, err
	}
	m := views.EventsPage{Type: eventType, Text: text, Before: before}
	a := answer{title: "Events", nav: views.NavEvents, watch: []string{"orders", "projections"},
		page: func(f views.Frame) templ.Component { return views.Events(f, m) }}
	records, next, err := s.findEvents(r.Context(), eventType, text, eventstore.Cursor(before))
	if err != nil {
		err = cursorField(err, "before")
		if fault.KindOf(err) == fault.Malformed {
			return answer{}, err
		}
		return answer{}, s.listError(a, err, nil, &m.Problem)
	}
	m.Rows, m.Next = s.entries(r.Context(), records), string(next)
	if !input.WantsJSON(r) {
		m.Census, m.CensusSince, m.CensusLacks = s.recent.census(r.Context(), s.clock())
	}
	a.json = func() any {
		return wire.Events{Events: wire.EventsOf(s.codec, records), Next: wire.OrNull(string(next))}
	}
	return a, nil
}

// findEvents looks an id up as an order, then as a correlation, then as a command among the newest events.
func (s *Server) findEvents(
	ctx context.Context, eventType, text string, before eventstore.Cursor,
) ([]eventstore.Record, eventstore.Cursor, error) {
	if text == "" {
		return s.events.ByType(ctx, orders.Category, eventType, before, eventsPerPage)
	}
	only := func(records []eventstore.Record) []eventstore.Record {
		return slices.DeleteFunc(records, func(r eventstore.Record) bool { return eventType != "" && r.EventType != eventType })
	}
	if _, err := uuid.Parse(text); err == nil && before == "" {
		records, err := s.events.Read(ctx, orders.StreamOf(domain.OrderID(text)), 0)
		if err != nil {
			return nil, "", err
		}
		if len(records) > 0 {
			slices.Reverse(records)
			return only(records[:min(len(records), eventstore.MaxPage)]), "", nil
		}
	}
	records, next, err := s.events.ByCorrelation(ctx, orders.Category, text, before, eventsPerPage)
	if err != nil || len(records) > 0 || before != "" {
		return only(records), next, err
	}
	newest, _, err := s.events.ByType(ctx, orders.Category, eventType, "", eventstore.MaxPage)
	found := slices.DeleteFunc(newest, func(r eventstore.Record) bool {
		return r.Metadata.CausationID != text && r.EventID != text
	})
	return found, "", err
}

// cursorField names the parameter that a cursor came by.
func cursorField(err error, name string) error {
	if fault.KindOf(err) == fault.Malformed {
		return fault.MalformedField(name, "This place in the list is not one of ours: “%s” must be the “next” of the page before.", name)
	}
	return err
}

// entries are records as pages tell them, with the references of their orders where the read store knows them.
func (s *Server) entries(ctx context.Context, records []eventstore.Record) []views.TimelineEntry {
	known := s.references.of(ctx, s.read, wire.ListOf(records, func(r eventstore.Record) domain.OrderID { return orders.IDOf(r.Stream) }))
	return wire.ListOf(records, func(r eventstore.Record) views.TimelineEntry {
		return s.timeline.entry(r, known[orders.IDOf(r.Stream)])
	})
}

// keptReferences is how many references are remembered, in orders.
const keptReferences = 10_000

// references remembers what people call the orders whose events were shown lately, which never changes. It is safe for concurrent use.
type references struct {
	mu   sync.Mutex
	kept map[domain.OrderID]string
}

// of gives the references of these orders as far as they are kept or the read store has a row: names are a comfort.
func (f *references) of(ctx context.Context, read projections.Reader, ids []domain.OrderID) map[domain.OrderID]string {
	known, missing := map[domain.OrderID]string{}, map[domain.OrderID]bool{}
	f.mu.Lock()
	for _, id := range ids {
		if reference, ok := f.kept[id]; ok {
			known[id] = reference
		} else {
			missing[id] = true
		}
	}
	f.mu.Unlock()
	if len(missing) == 0 || len(missing) > projections.MaxPage {
		return known
	}
	rows, _ := read.OrderRows(ctx, slices.Collect(maps.Keys(missing))...)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kept == nil || len(f.kept)+len(rows) > keptReferences {
		f.kept = map[domain.OrderID]string{}
	}
	for id, row := range rows {
		known[id], f.kept[id] = row.Reference, row.Reference
	}
	return known
}

// correlation is GET /events/correlation/{id}.
func (s *Server) correlation(r *http.Request, q *input.Query) (answer, error) {
	if err := q.Err(); err != nil {
		return answer{}, err
	}
	id := r.PathValue("id")
	records, next, err := s.events.ByCorrelation(r.Context(), orders.Category, id, eventstore.Cursor(q.Get("before")), eventsPerPage)
	if err != nil {
		return answer{}, cursorField(err, "before")
	}
	m := views.CorrelationPage{ID: id, Rows: s.entries(r.Context(), records), Before: q.Get("before"), Next: string(next)}
	return answer{
		title: "Correlation", nav: views.NavEvents,
		page: func(f views.Frame) templ.Component { return views.Correlation(f, m) },
		json: func() any {
			return wire.Events{Events: wire.EventsOf(s.codec, records), Next: wire.OrNull(string(next))}
		},
	}, nil
}

// orderEvents is GET /orders/{id}/events: the timeline alone, newest first.
func (s *Server) orderEvents(r *http.Request, q *input.Query) (answer, error) {
	id, err := input.OrderID(r)
	if err != nil {
		return answer{}, err
	}
	before, given := q.Number("before")
	if given && before < 1 {
		q.Complain("before", "“before” must be the “next” of the page before.")
	}
	if err := q.Err(); err != nil {
		return answer{}, err
	}
	stream, err := s.commands.Load(r.Context(), id)
	if err != nil {
		return answer{}, err
	}
	end := len(stream.Records)
	if given {
		end = min(end, before-1)
	}
	page := slices.Clone(stream.Records[max(end-eventsPerPage, 0):end])
	slices.Reverse(page)
	next := ""
	if len(page) > 0 && page[len(page)-1].Version > 1 {
		next = strconv.Itoa(page[len(page)-1].Version)
	}
	m := views.OrderEventsPage{Name: views.OrderName{ID: id, Reference: stream.Order.Reference}, Head: stream.Head(), Next: next}
	for _, r := range page {
		m.Events = append(m.Events, s.timeline.entry(r, stream.Order.Reference))
	}
	return answer{
		title: "Events of order " + m.Name.String(), nav: views.NavOrders,
		page: func(f views.Frame) templ.Component { return views.OrderEvents(f, m) },
		json: func() any { return wire.Events{Events: wire.EventsOf(s.codec, page), Next: wire.OrNull(next)} },
	}, nil
}

// event is GET /orders/{id}/events/{version}: one event as stored and as it is read today.
func (s *Server) event(r *http.Request, _ *input.Query) (answer, error) {
	id, err := input.OrderID(r)
	if err != nil {
		return answer{}, err
	}
	stream, err := s.commands.Load(r.Context(), id)
	if err != nil {
		return answer{}, err
	}
	version, err := strconv.Atoi(r.PathValue("version"))
	if err != nil || version < 1 || version > stream.Head() {
		return answer{}, fault.Errorf(fault.NotFound, "Order %s has no event at version “%s”.", id, input.Clip(r.PathValue("version")))
	}
	record := stream.Records[version-1]
	m := views.EventPage{
		Event: s.timeline.entry(record, stream.Order.Reference), Head: stream.Head(), Stored: string(record.Data),
		CommandHash: record.Metadata.CommandHash,
	}
	var upcast *wire.Event
	if schema, data, err := s.codec.Upcast(orders.RawOf(record)); err != nil {
		m.Unreadable = fault.Sentence(err)
	} else {
		e := wire.UpcastEvent(s.codec, record)
		m.Upcast, m.UpcastSchema, upcast = string(data), schema, &e
	}
	if stream.Hold != nil && stream.Hold.Version == version {
		m.Unreadable = stream.Hold.Reason
	}
	for _, other := range stream.Records {
		if other.Metadata.CausationID != "" && other.Metadata.CausationID == record.Metadata.CausationID {
			m.Effects = append(m.Effects, s.timeline.entry(other, stream.Order.Reference))
		}
	}
	if c := record.Metadata.CorrelationID; c != "" && !input.WantsJSON(r) {
		related, next, err := s.events.ByCorrelation(r.Context(), orders.Category, c, "", eventsPerPage)
		if err == nil {
			m.Related, m.RelatedMore = max(len(related)-1, 0), next != ""
		}
	}
	return answer{
		title: record.EventType, nav: views.NavEvents,
		page: func(f views.Frame) templ.Component { return views.Event(f, m) },
		json: func() any { return wire.EventPage{Stored: wire.StoredEvent(record), Upcast: upcast} },
	}, nil
}
