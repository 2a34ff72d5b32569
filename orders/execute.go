package orders

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
)

// orderNamespace makes the order id of a create from its command id, so that a repeat finds the same order.
var orderNamespace = uuid.MustParse("5f3c9d0e-6f0a-5a53-9c39-0b4f5a1c7e21")

// NewCommandID is a fresh command id. One that is made later sorts later (UUID version 7, RFC 9562), so that what is stored at one time
// lies side by side in an index, and a commit of many commands changes few pages. Any other UUID is a command id, too.
func NewCommandID() domain.CommandID { return domain.CommandID(uuid.Must(uuid.NewV7()).String()) }

// OrderIDFor is the id of the order that a create with this command id makes: always the same. It begins with the time of a command id that
// has one.
func OrderIDFor(id domain.CommandID) domain.OrderID {
	made := uuid.NewSHA1(orderNamespace, []byte(id))
	if command, err := uuid.Parse(string(id)); err == nil && command.Version() == 7 {
		copy(made[:8], command[:8]) // the time, the version, and what makes ids of one millisecond follow each other
	}
	return domain.OrderID(made.String())
}

// HashOf identifies a command's content: the order, the kind and the command's own fields; not the versions, not the
// actor. The source of the rule is the design's promise that one command id means one thing.
func HashOf(id domain.OrderID, c domain.Command) (string, error) {
	content, err := json.Marshal(struct {
		Order   domain.OrderID
		Kind    string
		Command domain.Command
	}{id, c.Kind(), c})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:16]), nil
}

// Request is one command with everything that is to be stored beside its events.
type Request struct {
	CommandID     domain.CommandID // any UUID, in any spelling; required
	OrderID       domain.OrderID   // for a create it is derived, and must be empty or equal
	Command       domain.Command
	Expect        int // the version the command was made for; 0 for a create, and for a note that was made for none
	Seen          int // the version the person first saw, not above Expect; 0 means Expect
	UserID        string
	CorrelationID string    // empty means the command id
	Timestamp     time.Time // business time; stored in UTC, in whole microseconds
	Loaded        Loaded    // the order, if it was loaded for this command already; the zero Loaded has Execute load it
}

// Result is what a command caused, the first time and on every repeat.
type Result struct {
	OrderID domain.OrderID
	Version int                 // of the command's last event
	Records []eventstore.Record // the command's own events
	Repeat  bool                // they were stored when this call began
}

// Handler executes commands on orders. It is a value: its parts are the caller's. Without snapshots it folds every order from its first
// event.
type Handler struct {
	Events    eventstore.Store
	Codec     domain.Codec
	snapshots snapshots
}

// MaxTries is how often a command is tried on an order that notes move meanwhile, before it is a Conflict.
const MaxTries = 5

// Execute is the only write path: load, decide, append. A command id that the order already holds answers its first
// result before anything is decided, whatever version the repeat expects. Errors: Invalid, Refused, NotFound,
// Conflict with the head, TooLarge, Unavailable.
//
// Notes are in nobody's way: an order that moved on by notes alone is still where the command expects it, and a note is added wherever its
// order is.
//
// A long order is loaded by its snapshot, and gets a new one now and then. What goes wrong with that changes neither the result nor the
// error.
func (h Handler) Execute(ctx context.Context, req Request) (Result, error) {
	req, hash, err := prepare(req)
	if err != nil {
		return Result{}, err
	}
	order := req.Loaded.history
	for try := 1; ; try++ {
		if try > 1 || !req.Loaded.isFor(req) {
			if order, err = h.load(ctx, req.OrderID, req.Expect, req.CommandID); err != nil {
				return Result{}, err
			}
		}
		if done, err := repeatOf(req, hash, order.records); err != nil || done != nil {
			return resultOf(req.OrderID, done, true), err
		}
		if err := h.fits(ctx, req, order); err != nil {
			return Result{}, err
		}
		stored, err := h.decide(ctx, req, hash, order)
		if err == nil {
			h.takeSnapshot(ctx, order, stored)
			return resultOf(req.OrderID, stored, false), nil
		}
		if moved, ok := errors.AsType[*fault.Error](err); !ok || moved.Kind != fault.Conflict || moved.Head <= order.head || try == MaxTries {
			return Result{}, ofOrder(req, err)
		}
	}
}

// fits tells whether a command can be decided where its order is: at the version that it expects, where notes alone moved the order since,
// or anywhere if it needs no version. The error is the Conflict, or the failure to find out.
func (h Handler) fits(ctx context.Context, req Request, order history) error {
	movedOn := ofOrder(req, eventstore.MovedOn(req.Expect, order.head))
	switch {
	case isCreate(req.Command) && req.Expect != 0:
		return fault.InvalidField("expectedVersion", "A new order has no version yet.")
	case order.head == req.Expect:
		return nil
	case order.head == 0:
		return movedOn
	case !domain.NeedsVersion(req.Command):
		return nil
	case req.Expect == 0 || order.head < req.Expect:
		return movedOn
	}
	since, err := h.since(ctx, req, order)
	if err == nil && !h.onlyNotes(since) {
		err = movedOn
	}
	return err
}

// since gives the events after the version that a command expects.
func (h Handler) since(ctx context.Context, req Request, order history) ([]eventstore.Record, error) {
	if n := len(order.records) - (order.head - req.Expect); n >= 0 {
		return order.records[n:], nil
	}
	return h.Events.Read(ctx, StreamOf(req.OrderID), req.Expect) // a snapshot covers some of them
}

// onlyNotes tells whether events can all be read, and are nothing but notes.
func (h Handler) onlyNotes(records []eventstore.Record) bool {
	for _, r := range records {
		if facts, err := h.Codec.Decode(RawOf(r)); err != nil || !domain.OnlyNotes(facts) {
			return false
		}
	}
	return true
}

// decide decides the command on the order where it is, and appends what follows there.
func (h Handler) decide(ctx context.Context, req Request, hash string, order history) ([]eventstore.Record, error) {
	facts, err := Decide(Stream{Order: order.state, Hold: order.hold}, req.Command)
	if err != nil {
		return nil, err
	}
	events, err := Encode(h.Codec, facts...)
	if err != nil {
		return nil, err
	}
	return h.Events.Append(ctx, StreamOf(req.OrderID), order.head, eventstore.Metadata{
		CausationID: string(req.CommandID), CorrelationID: req.CorrelationID, UserID: req.UserID,
		Timestamp: req.Timestamp, SeenVersion: min(req.Seen, order.head), CommandHash: hash,
	}, events...)
}

// Encode is the facts as the log stores them.
func Encode(codec domain.Codec, facts ...domain.Event) ([]eventstore.NewEvent, error) {
	events := make([]eventstore.NewEvent, len(facts))
	for i, fact := range facts {
		eventType, schema, data, err := codec.Encode(fact)
		if err != nil {
			return nil, err
		}
		events[i] = eventstore.NewEvent{Type: eventType, Schema: schema, Data: data}
	}
	return events, nil
}

// ofOrder says in an order's words what the log says of a stream: a Conflict with one that does not exist, or no longer does, is NotFound.
func ofOrder(req Request, err error) error {
	e, ok := errors.AsType[*fault.Error](err)
	switch {
	case !ok:
	case e.Kind == fault.Conflict && e.Head == 0:
		return fault.Errorf(fault.NotFound, "There is no order %s.", req.OrderID)
	case e.Kind == fault.Conflict:
		moved := fault.Errorf(fault.Conflict, "The order is at version %d, not at version %d.", e.Head, req.Expect)
		if !domain.NeedsVersion(req.Command) {
			moved.Message = fmt.Sprintf("The order keeps moving; it is at version %d now.", e.Head)
		}
		moved.Head, moved.Cause = e.Head, e.Cause
		return moved
	case e.Kind == fault.TooLarge && e.Head > 0:
		full := fault.Errorf(fault.TooLarge, "An order can have at most %s events; this one has %s.", fault.Number(eventstore.MaxStreamEvents),
			fault.Number(e.Head))
		full.Head, full.Cause = e.Head, e.Cause
		return full
	}
	return err
}

// Decide is Command.Decide on a stream: a held order refuses every command.
func Decide(s Stream, c domain.Command) ([]domain.Event, error) {
	if s.Hold != nil {
		return nil, fault.Errorf(fault.Refused, "This order is held at version %d: %s", s.Hold.Version, s.Hold.Reason)
	}
	return c.Decide(s.Order)
}

// prepare checks what is not the command's own, fills in what may be left out, and spells the command id one way, so that every
// spelling of it is the same command.
func prepare(req Request) (Request, string, error) {
	id, err := uuid.Parse(string(req.CommandID))
	if err != nil {
		return req, "", fault.InvalidField("commandId", "The command id must be a UUID.")
	}
	req.CommandID = domain.CommandID(id.String())
	if isCreate(req.Command) {
		made := OrderIDFor(req.CommandID)
		if req.OrderID != "" && req.OrderID != made {
			return req, "", fault.InvalidField("orderId", "The id of a new order follows from its command id; it cannot be chosen.")
		}
		req.OrderID = made
	}
	if req.Expect < 0 {
		return req, "", fault.InvalidField("expectedVersion", "The expected version cannot be negative.")
	}
	if req.Seen == 0 {
		req.Seen = req.Expect
	}
	if req.Seen < 0 || req.Seen > req.Expect {
		return req, "", fault.InvalidField("seenVersion", "The version seen must lie between 1 and the expected version.")
	}
	if req.CorrelationID == "" {
		req.CorrelationID = string(req.CommandID)
	}
	req.Timestamp = req.Timestamp.UTC().Truncate(time.Microsecond)
	if year := req.Timestamp.Year(); year < 1 || year > 9999 {
		return req, "", fault.InvalidField("timestamp", "The time must lie between the years 1 and 9999.")
	}
	hash, err := HashOf(req.OrderID, req.Command)
	return req, hash, err
}

func isCreate(c domain.Command) bool { return c.Kind() == domain.CreateOrder{}.Kind() }

// repeatOf finds the events that the same command stored earlier; nil if there are none.
func repeatOf(req Request, hash string, records []eventstore.Record) ([]eventstore.Record, error) {
	var mine []eventstore.Record
	for _, r := range records {
		if r.Metadata.CausationID == string(req.CommandID) {
			mine = append(mine, r)
		}
	}
	if mine != nil && mine[0].Metadata.CommandHash != hash {
		return nil, eventstore.OtherContent()
	}
	return mine, nil
}

func resultOf(id domain.OrderID, records []eventstore.Record, repeat bool) Result {
	if len(records) == 0 {
		return Result{}
	}
	return Result{OrderID: id, Version: records[len(records)-1].Version, Records: records, Repeat: repeat}
}
