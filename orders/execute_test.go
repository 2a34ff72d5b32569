package orders_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"headway/domain"
	"headway/eventstore"
	"headway/eventstore/sqlite"
	"headway/fault"
	"headway/orders"
)

var at = time.Date(2024, 5, 6, 7, 8, 9, 123_456_000, time.UTC)

// log is what orders are kept in.
type log interface {
	eventstore.Store
	eventstore.Snapshots
}

func openStore(t testing.TB) log {
	t.Helper()
	s, err := sqlite.Open(filepath.Join(t.TempDir(), "events.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func commandID() domain.CommandID { return domain.CommandID(uuid.NewString()) }

func tea(quantity int64) domain.Item {
	return domain.Item{SKU: "tea", Name: "Tea", Quantity: quantity, Price: domain.Money{Minor: 450, Currency: "EUR"}}
}

func createRequest() orders.Request {
	return orders.Request{
		CommandID: commandID(), UserID: "ada", Timestamp: at,
		Command: domain.CreateOrder{CustomerID: "ada", Currency: "EUR", Items: []domain.Item{tea(1)}},
	}
}

func request(id domain.OrderID, expect int, c domain.Command) orders.Request {
	return orders.Request{CommandID: commandID(), OrderID: id, Command: c, Expect: expect, UserID: "bob", Timestamp: at}
}

func execute(s eventstore.Store, req orders.Request) (orders.Result, error) {
	return (orders.Handler{Events: s, Codec: domain.Codec{}}).Execute(context.Background(), req)
}

func mustExecute(t *testing.T, s eventstore.Store, req orders.Request) orders.Result {
	t.Helper()
	result, err := execute(s, req)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func checkError(t *testing.T, err error, kind fault.Kind, field string) {
	t.Helper()
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Kind != kind || (field != "" && (len(e.Fields) != 1 || e.Fields[0].Field != field)) {
		t.Errorf("got the error %v, want the kind %s and the field %q", err, kind, field)
	}
}

func checkHead(t *testing.T, s eventstore.Store, id domain.OrderID, want int) {
	t.Helper()
	records, err := s.Read(t.Context(), orders.StreamOf(id), 0)
	if err != nil || len(records) != want {
		t.Errorf("order %s has %d events, want %d (%v)", id, len(records), want, err)
	}
}

// A command's life: it is decided on the whole stream, stored with where it comes from, and answered.
func TestExecute(t *testing.T) {
	s := openStore(t)
	create := createRequest()
	made := mustExecute(t, s, create)
	if made.OrderID != orders.OrderIDFor(create.CommandID) || made.Version != 1 || made.Repeat || len(made.Records) != 1 {
		t.Errorf("the create answered %+v", made)
	}
	add := request(made.OrderID, 1, domain.AddItem{Item: tea(2)})
	add.CorrelationID = "request 7"
	added := mustExecute(t, s, add)
	confirmed := mustExecute(t, s, request(made.OrderID, 2, domain.ConfirmOrder{}))
	if added.Version != 2 || confirmed.Version != 3 {
		t.Errorf("the versions are %d and %d", added.Version, confirmed.Version)
	}
	stream, err := (orders.Handler{Events: s, Codec: domain.Codec{}}).Load(t.Context(), made.OrderID)
	if err != nil || stream.Hold != nil || stream.Head() != 3 || stream.Order.Status != domain.Confirmed || stream.Order.Total.Minor != 1350 {
		t.Errorf("the stream is %+v, %v", stream, err)
	}
	m := stream.Records[1].Metadata
	hash, err := orders.HashOf(made.OrderID, add.Command)
	want := eventstore.Metadata{
		CausationID: string(add.CommandID), CorrelationID: "request 7", UserID: "bob", Timestamp: at, SeenVersion: 1, CommandHash: hash,
	}
	if err != nil || m != want || stream.Records[1].EventID != eventstore.EventID(string(add.CommandID), 0) {
		t.Errorf("the event's metadata is %+v, want %+v", m, want)
	}
	if _, err := (orders.Handler{Events: s, Codec: domain.Codec{}}).Load(t.Context(), "missing"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("loading a missing order got %v", err)
	}
}

// What a request leaves out is filled in.
func TestDefaults(t *testing.T) {
	s := openStore(t)
	create := createRequest()
	create.Timestamp = time.Date(2020, 1, 2, 3, 4, 5, 678_901_234, time.FixedZone("", 3600))
	id := mustExecute(t, s, create).OrderID
	req := request(id, 1, domain.AddItem{Item: tea(1)})
	mustExecute(t, s, req)
	seen := request(id, 2, domain.ConfirmOrder{})
	seen.Seen = 1
	mustExecute(t, s, seen)
	records, err := s.Read(t.Context(), orders.StreamOf(id), 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		correlation domain.CommandID
		seen        int
	}{{create.CommandID, 0}, {req.CommandID, 1}, {seen.CommandID, 1}} {
		if m := records[i].Metadata; m.CorrelationID != string(want.correlation) || m.SeenVersion != want.seen {
			t.Errorf("event %d: correlation id %s, seen version %d; want %s, %d", i, m.CorrelationID, m.SeenVersion, want.correlation, want.seen)
		}
	}
	if got := records[0].Metadata.Timestamp; got != time.Date(2020, 1, 2, 2, 4, 5, 678_901_000, time.UTC) {
		t.Errorf("the business time is %v", got)
	}
}

// A repeat is answered before anything is decided: whatever it expects, although the rules would refuse it now, and however
// its command id is spelled.
func TestRepeat(t *testing.T) {
	s := openStore(t)
	create := createRequest()
	made := mustExecute(t, s, create)
	add := request(made.OrderID, 1, domain.AddItem{Item: tea(2)})
	added := mustExecute(t, s, add)
	mustExecute(t, s, request(made.OrderID, 2, domain.CancelOrder{Reason: "changed their mind"}))

	for _, c := range []struct {
		req   orders.Request
		first orders.Result
	}{{create, made}, {add, added}} {
		for _, expect := range []int{0, 1, 2, 3, 99} {
			for _, spell := range []func(string) string{
				func(id string) string { return id }, strings.ToUpper,
				func(id string) string { return strings.ReplaceAll(id, "-", "") },
				func(id string) string { return "{" + id + "}" }, func(id string) string { return "urn:uuid:" + id },
			} {
				again := c.req
				again.Expect, again.UserID, again.CorrelationID, again.Timestamp = expect, "someone else", "another", at.Add(time.Hour)
				again.CommandID = domain.CommandID(spell(string(again.CommandID)))
				got, err := execute(s, again)
				if err != nil || !got.Repeat || got.OrderID != c.first.OrderID || got.Version != c.first.Version ||
					len(got.Records) != 1 || got.Records[0].EventID != c.first.Records[0].EventID {
					t.Errorf("%s expecting %d got %+v, %v", again.CommandID, expect, got, err)
				}
			}
		}
	}
	checkHead(t, s, made.OrderID, 3)
}

// A command id means one thing: with another kind, another field or for another creation it is Invalid.
func TestOtherContent(t *testing.T) {
	s := openStore(t)
	create := createRequest()
	id := mustExecute(t, s, create).OrderID
	add := request(id, 1, domain.AddItem{Item: tea(2)})
	mustExecute(t, s, add)
	for _, c := range []domain.Command{domain.AddItem{Item: tea(3)}, domain.ConfirmOrder{}, domain.CancelOrder{}} {
		again := add
		again.Command = c
		_, err := execute(s, again)
		checkError(t, err, fault.Invalid, "commandId")
	}
	other := create
	other.Command = domain.CreateOrder{CustomerID: "bob", Currency: "EUR", Items: []domain.Item{tea(1)}}
	_, err := execute(s, other)
	checkError(t, err, fault.Invalid, "commandId")
	checkHead(t, s, id, 2)
}

// A command on another version than the head is a Conflict with the head, before a rule is asked; on no order it is NotFound.
func TestMovedOrMissing(t *testing.T) {
	s := openStore(t)
	id := mustExecute(t, s, createRequest()).OrderID
	mustExecute(t, s, request(id, 1, domain.CancelOrder{Reason: "x"}))
	for _, expect := range []int{0, 1, 3} {
		_, err := execute(s, request(id, expect, domain.ConfirmOrder{}))
		checkError(t, err, fault.Conflict, "")
		if e, ok := errors.AsType[*fault.Error](err); ok && e.Head != 2 {
			t.Errorf("the conflict carries the head %d", e.Head)
		}
	}
	missing := domain.OrderID(uuid.NewString())
	for _, expect := range []int{0, 1, 7} {
		_, err := execute(s, request(missing, expect, domain.ConfirmOrder{}))
		checkError(t, err, fault.NotFound, "")
	}
	checkHead(t, s, missing, 0)
}

// Two that decide on the same version: the later one hears of the head although it read the older one.
func TestOvertaken(t *testing.T) {
	s := openStore(t)
	id := mustExecute(t, s, createRequest()).OrderID
	overtaking := overtakes{s, func() { mustExecute(t, s, request(id, 1, domain.ConfirmOrder{})) }}
	_, err := execute(overtaking, request(id, 1, domain.AddItem{Item: tea(1)}))
	checkError(t, err, fault.Conflict, "")

	// And a twin that was overtaken by itself gets its own result.
	cancel := request(id, 2, domain.CancelOrder{Reason: "x"})
	var first orders.Result
	twin := overtakes{s, func() { first = mustExecute(t, s, cancel) }}
	if got, err := execute(twin, cancel); err != nil || got.Version != 3 || got.Records[0].EventID != first.Records[0].EventID {
		t.Errorf("the twin got %+v, %v", got, err)
	}
	checkHead(t, s, id, 3)
}

// overtakes lets something happen between the read and the append.
type overtakes struct {
	eventstore.Store
	meanwhile func()
}

func (o overtakes) Append(
	ctx context.Context, id eventstore.StreamID, expect int, m eventstore.Metadata, events ...eventstore.NewEvent,
) ([]eventstore.Record, error) {
	o.meanwhile()
	return o.Store.Append(ctx, id, expect, m, events...)
}

// created is a creation that nobody asked for: a stream that has another cannot be folded.
func created() []eventstore.NewEvent {
	return encoded(domain.OrderCreated{CustomerID: "x", Currency: "EUR"})
}

func encoded(facts ...domain.Event) []eventstore.NewEvent {
	events, err := orders.Encode(domain.Codec{}, facts...)
	if err != nil {
		panic(err)
	}
	return events
}

// An order with an event that cannot be applied refuses commands, names the version, and still answers repeats.
func TestHold(t *testing.T) {
	s := openStore(t)
	create := createRequest()
	id := mustExecute(t, s, create).OrderID
	// A second creation can be stored, but it cannot be applied.
	if _, err := s.Append(t.Context(), orders.StreamOf(id), 1, eventstore.Metadata{CausationID: string(commandID())}, created()...); err != nil {
		t.Fatal(err)
	}
	_, err := execute(s, request(id, 2, domain.ConfirmOrder{}))
	checkError(t, err, fault.Refused, "")
	if !strings.Contains(fault.Sentence(err), "held at version 2") {
		t.Errorf("the sentence is %q", fault.Sentence(err))
	}
	if got := mustExecute(t, s, create); !got.Repeat || got.Version != 1 {
		t.Errorf("the repeat got %+v", got)
	}
	stream, err := (orders.Handler{Events: s, Codec: domain.Codec{}}).Load(t.Context(), id)
	if err != nil || stream.Hold == nil || stream.Hold.Version != 2 || stream.Order.Version != 1 || stream.Head() != 2 || stream.Order.CustomerID != "ada" {
		t.Errorf("the held stream is %+v, %v", stream, err)
	}
	checkHead(t, s, id, 2)
}

// A request that cannot be right is Invalid beside its field, and stores nothing.
func TestInvalidRequest(t *testing.T) {
	s := openStore(t)
	id := mustExecute(t, s, createRequest()).OrderID
	for name, c := range map[string]struct {
		change func(*orders.Request)
		field  string
	}{
		"no command id":              {func(r *orders.Request) { r.CommandID = "" }, "commandId"},
		"a command id that is none":  {func(r *orders.Request) { r.CommandID = "7" }, "commandId"},
		"a negative version":         {func(r *orders.Request) { r.Expect = -1 }, "expectedVersion"},
		"a version seen in future":   {func(r *orders.Request) { r.Seen = 2 }, "seenVersion"},
		"a negative version seen":    {func(r *orders.Request) { r.Seen = -1 }, "seenVersion"},
		"a time nobody can write":    {func(r *orders.Request) { r.Timestamp = at.AddDate(8000, 0, 0) }, "timestamp"},
		"a command's own field":      {func(r *orders.Request) { r.Command = domain.AddItem{Item: tea(0)} }, "quantity"},
		"a create with a version":    {func(r *orders.Request) { r.OrderID, r.Command = "", createRequest().Command }, "expectedVersion"},
		"a create with a chosen id":  {func(r *orders.Request) { r.Expect, r.Command = 0, createRequest().Command }, "orderId"},
		"a create as a pointer, too": {func(r *orders.Request) { r.Expect, r.Command = 0, new(domain.CreateOrder) }, "orderId"},
	} {
		t.Run(name, func(t *testing.T) {
			req := request(id, 1, domain.AddItem{Item: tea(1)})
			c.change(&req)
			_, err := execute(s, req)
			checkError(t, err, fault.Invalid, c.field)
			checkHead(t, s, id, 1)
		})
	}
}

// The ids of a command's events differ, stay the same on every retry, and are UUIDs.
func TestEventID(t *testing.T) {
	id := string(commandID())
	seen := map[string]bool{}
	for i := range eventstore.MaxAppend {
		event := eventstore.EventID(id, i)
		if _, err := uuid.Parse(event); err != nil || seen[event] || event != eventstore.EventID(id, i) {
			t.Errorf("event %d has the id %s", i, event)
		}
		seen[event] = true
	}
	if eventstore.EventID(string(commandID()), 0) == eventstore.EventID(id, 0) || orders.OrderIDFor(commandID()) == orders.OrderIDFor(domain.CommandID(id)) {
		t.Error("two commands share an id")
	}
}

// Command ids that are made later sort later, and so do the ids of the orders that they create, of which each is always the same; the id of
// a command without a time makes one without.
func TestIDsAreInTheOrderOfTime(t *testing.T) {
	var commands, created []string
	for range 1000 {
		id := orders.NewCommandID()
		order := orders.OrderIDFor(id)
		if again := orders.OrderIDFor(id); again != order {
			t.Fatalf("%s makes the orders %s and %s", id, order, again)
		}
		commands, created = append(commands, string(id)), append(created, string(order))
	}
	for what, ids := range map[string][]string{"commands": commands, "orders": created} {
		if !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) {
			t.Errorf("the ids of %s are not in the order of time, each once", what)
		}
	}
	if got := orders.OrderIDFor("2d1c8a4e-3b5f-4c6d-8e7f-9a0b1c2d3e4f"); uuid.MustParse(string(got)).Version() != 5 {
		t.Errorf("a command id without a time makes the order %s", got)
	}
}

// An order that was loaded for a command before spares Execute the reading, and changes no answer: what was stored since is a conflict, and
// what was loaded for another command is not believed.
func TestLoadedBefore(t *testing.T) {
	s := openStore(t)
	made := mustExecute(t, s, createRequest())
	load := func(id domain.CommandID) orders.Loaded {
		loaded, err := (orders.Handler{Events: s, Codec: domain.Codec{}}).LoadFor(t.Context(), made.OrderID, 1, id)
		if err != nil || loaded.Order.Version == 0 {
			t.Fatal(loaded.Order, err)
		}
		return loaded
	}
	first, second := request(made.OrderID, 1, domain.AddItem{Item: tea(2)}), request(made.OrderID, 1, domain.ConfirmOrder{})
	first.Loaded, second.Loaded = load(first.CommandID), load(second.CommandID)
	if added := mustExecute(t, s, first); added.Version != 2 || added.Repeat {
		t.Errorf("the command answered %+v", added)
	}
	_, err := execute(s, second)
	checkError(t, err, fault.Conflict, "")
	if again := mustExecute(t, s, first); again.Version != 2 || len(again.Records) != 1 {
		t.Errorf("sent again with what was loaded before, it answered %+v", again)
	}
	first.Loaded = second.Loaded
	if again := mustExecute(t, s, first); !again.Repeat || again.Version != 2 {
		t.Errorf("with what was loaded for another command it answered %+v", again)
	}
	if _, err := (orders.Handler{Events: s, Codec: domain.Codec{}}).LoadFor(t.Context(), "missing", 1, first.CommandID); fault.KindOf(err) != fault.NotFound {
		t.Errorf("loading a missing order got %v", err)
	}
	checkHead(t, s, made.OrderID, 2)
}
