package dynamo

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"headway/eventstore"
	"headway/eventstore/storetest"
	"headway/fault"
)

func newStream() eventstore.StreamID { return stream(uuid.NewString()) }

// stream is an order's.
func stream(id string) eventstore.StreamID { return eventstore.StreamID{Category: order, ID: id} }

func newCommand() eventstore.Metadata {
	id := uuid.NewString()
	return eventstore.Metadata{
		CausationID: id, CorrelationID: id, CommandHash: "hash " + id, UserID: "ada", Timestamp: time.Unix(1.6e9, 0),
	}
}

func cancelled(reason string) eventstore.NewEvent {
	return eventstore.NewEvent{Type: "OrderCancelled", Schema: 2, Data: []byte(`{"reason":"` + reason + `"}`)}
}

// overWire is a store whose requests go over a wire of its own.
func overWire(t *testing.T, p *place) (*Store, *wire) {
	t.Helper()
	w := &wire{}
	options := p.options
	options.Client = w
	s := open(t, options)
	w.take()
	t.Cleanup(w.late.Wait)
	return s, w
}

// An append is one request: of a new order and of an old one, of one event and of as many as there may be.
func TestOneRequestAnAppend(t *testing.T) {
	s, w := overWire(t, newPlace(t))
	id, head := newStream(), 0
	for _, n := range []int{1, 1, eventstore.MaxAppend, 3} {
		events := slices.Repeat([]eventstore.NewEvent{cancelled("x")}, n)
		if _, err := s.Append(t.Context(), id, head, newCommand(), events...); err != nil {
			t.Fatal(err)
		}
		head += n
		if got := w.take(); !maps.Equal(got, map[string]int{"TransactWriteItems": 1}) {
			t.Errorf("an append of %d events made the requests %v", n, got)
		}
	}
}

// What is too large for the engine is said before it is asked.
func TestLimitsAreCheckedBeforeTheCall(t *testing.T) {
	s, w := overWire(t, newPlace(t))
	large := cancelled(strings.Repeat("x", 200<<10))
	longName := newCommand()
	longName.UserID = strings.Repeat("x", MaxItemBytes)
	longCorrelation := newCommand()
	longCorrelation.CorrelationID = strings.Repeat("x", MaxKeyBytes+1)
	longCommand := newCommand()
	longCommand.CausationID = strings.Repeat("x", MaxKeyBytes+1)
	if eventstore.MaxAppend+2 > MaxActions { // its head and the note of its command
		t.Errorf("an append of %d events is more than one transaction", eventstore.MaxAppend)
	}
	for name, c := range map[string]struct {
		id     eventstore.StreamID
		m      eventstore.Metadata
		events []eventstore.NewEvent
		kind   fault.Kind
	}{
		"the bytes of a transaction":    {newStream(), newCommand(), slices.Repeat([]eventstore.NewEvent{large}, 25), fault.TooLarge},
		"the bytes of an item":          {newStream(), longName, []eventstore.NewEvent{cancelled("x")}, fault.TooLarge},
		"the bytes of a key":            {newStream(), longCorrelation, []eventstore.NewEvent{cancelled("x")}, fault.TooLarge},
		"a command id that is too long": {newStream(), longCommand, []eventstore.NewEvent{cancelled("x")}, fault.Invalid},
		"an id that is no key":          {stream("\xff"), newCommand(), []eventstore.NewEvent{cancelled("x")}, fault.Invalid},
		"an id that is too long": {
			stream(strings.Repeat("x", MaxKeyBytes+1)), newCommand(), []eventstore.NewEvent{cancelled("x")}, fault.Invalid,
		},
	} {
		if _, err := s.Append(t.Context(), c.id, 0, c.m, c.events...); fault.KindOf(err) != c.kind {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if got := w.take(); len(got) != 0 {
		t.Errorf("the engine was asked: %v", got)
	}
	if _, err := s.Append(t.Context(), newStream(), 0, newCommand(), slices.Repeat([]eventstore.NewEvent{large}, 20)...); err != nil {
		t.Errorf("just below the limit of a transaction: %v", err)
	}
}

// Whatever happens to the first request of an append, or to its first two, the append succeeds and is stored once.
func TestEveryFaultOfAnAppend(t *testing.T) {
	p := newPlace(t)
	for name, f := range faults() {
		for _, times := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s, %d times", name, times), func(t *testing.T) {
				t.Parallel()
				s, w := overWire(t, p)
				id, m := newStream(), newCommand()
				if _, err := s.Append(t.Context(), id, 0, newCommand(), cancelled("before")); err != nil {
					t.Fatal(err)
				}
				w.take()
				w.injected = func(operation string, n int) injected {
					if operation == "TransactWriteItems" && n <= times {
						return f
					}
					return injected{}
				}
				got, err := s.Append(t.Context(), id, 1, m, cancelled("a"), cancelled("b"))
				if err != nil || len(got) != 2 || got[0].Version != 2 || got[0].Metadata.CausationID != m.CausationID {
					t.Fatalf("got %v, %v", got, err)
				}
				stored, err := s.Read(t.Context(), id, 1)
				if err != nil || len(stored) != 2 || !stored[1].StoredAt.Equal(got[1].StoredAt) {
					t.Errorf("stored are %v, %v; answered was %v", stored, err, got)
				}
			})
		}
	}
}

// A conflict stays a conflict whatever happens on the way to it.
func TestEveryFaultOfAConflict(t *testing.T) {
	p := newPlace(t)
	for name, f := range faults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := overWire(t, p)
			id := newStream()
			if _, err := s.Append(t.Context(), id, 0, newCommand(), cancelled("a"), cancelled("b")); err != nil {
				t.Fatal(err)
			}
			w.take()
			w.injected = func(operation string, n int) injected {
				if operation == "TransactWriteItems" && n == 1 {
					return f
				}
				return injected{}
			}
			_, err := s.Append(t.Context(), id, 1, newCommand(), cancelled("c"))
			if e, ok := errors.AsType[*fault.Error](err); !ok || e.Kind != fault.Conflict || e.Head != 2 {
				t.Errorf("got %v", err)
			}
		})
	}
}

// While the engine stays away, an append ends in time, says what is known, and its repeat has one result.
func TestEngineAway(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for name, c := range map[string]struct {
		first, rest injected
		want        string
	}{
		"throttled":                 {refuses("ThrottlingException"), refuses("ThrottlingException"), unwritable},
		"nobody is there":           {injected{unsent: true, failed: nobodyThere()}, injected{unsent: true, failed: nobodyThere()}, unwritable},
		"forbidden":                 {refuses("AccessDeniedException"), refuses("AccessDeniedException"), unwritable},
		"lost":                      {injected{lost: true}, injected{lost: true}, unknownOutcome},
		"lost once, then throttled": {injected{lost: true}, refuses("ThrottlingException"), unknownOutcome},
		"lost once, then forbidden": {injected{lost: true}, refuses("AccessDeniedException"), unknownOutcome},
		"a token of other bytes":    {refuses("IdempotentParameterMismatchException"), refuses("ThrottlingException"), unknownOutcome},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := overWire(t, p)
			id, m := newStream(), newCommand()
			w.injected = func(operation string, n int) injected {
				if operation == "TransactWriteItems" && n == 1 {
					return c.first
				}
				return c.rest
			}
			began := time.Now()
			_, err := s.Append(t.Context(), id, 0, m, cancelled("x"))
			if fault.KindOf(err) != fault.Unavailable || fault.Sentence(err) != c.want {
				t.Errorf("got %v", err)
			}
			if took := time.Since(began); took > AppendTimeout+AttemptTimeout {
				t.Errorf("it took %v", took)
			}
			if _, err := s.Read(t.Context(), id, 0); fault.KindOf(err) != fault.Unavailable {
				t.Errorf("a read got %v", err)
			}
			w.mu.Lock()
			w.injected = nil
			w.mu.Unlock()
			again, err := s.Append(t.Context(), id, 0, m, cancelled("x"))
			stored, err2 := s.Read(t.Context(), id, 0)
			if err := errors.Join(err, err2); err != nil || len(stored) != 1 || len(again) != 1 || !again[0].StoredAt.Equal(stored[0].StoredAt) {
				t.Errorf("the repeat got %v, stored are %v, %v", again, stored, err)
			}
		})
	}
}

// A command whose answer was lost, and which is then refused for ever, is looked up: it was stored.
func TestALostAnswerBeforeARefusal(t *testing.T) {
	p := newPlace(t)
	for name, refusal := range map[string]injected{
		"forbidden":        refuses("AccessDeniedException"),
		"said to be wrong": refuses("TransactionCanceledException", "ValidationError", "None"),
	} {
		t.Run(name, func(t *testing.T) {
			s, w := overWire(t, p)
			w.injected = func(operation string, n int) injected {
				switch {
				case operation != "TransactWriteItems":
					return injected{}
				case n == 1:
					return injected{lost: true}
				}
				return refusal
			}
			if got, err := s.Append(t.Context(), newStream(), 0, newCommand(), cancelled("x")); err != nil || len(got) != 1 {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

// A command that was stored in one installation can be stored in its copy, at once.
func TestOneCommandInTwoCopies(t *testing.T) {
	id, m := newStream(), newCommand()
	for range 2 {
		s, w := overWire(t, newPlace(t))
		if _, err := s.Append(t.Context(), id, 0, m, cancelled("x")); err != nil {
			t.Fatal(err)
		}
		if got := w.take(); got["TransactWriteItems"] != 1 {
			t.Errorf("the requests are %v", got)
		}
	}
}

// A command id that arrives at several orders at once is one order's, and Invalid at the others; nothing of theirs is stored.
func TestOneOrderACommand(t *testing.T) {
	s := open(t, newPlace(t).options)
	m, ids := newCommand(), make([]eventstore.StreamID, 8)
	var won, refused atomic.Int32
	var all sync.WaitGroup
	for i := range ids {
		ids[i] = newStream()
		all.Go(func() {
			_, err := s.Append(t.Context(), ids[i], 0, m, cancelled("x"))
			if e, ok := errors.AsType[*fault.Error](err); ok && e.Kind == fault.Invalid && e.Fields[0].Field == "commandId" {
				refused.Add(1)
			} else if err == nil {
				won.Add(1)
			} else {
				t.Error(err)
			}
		})
	}
	all.Wait()
	heads, err := s.Heads(t.Context(), ids...)
	must(t, err)
	listed, _, err := s.ByType(t.Context(), order, "", "", 0)
	must(t, err)
	if won.Load() != 1 || refused.Load() != 7 || len(heads) != 1 || len(listed) != 1 {
		t.Errorf("%d orders got it and %d were refused; there are %d orders and %d events", won.Load(), refused.Load(), len(heads), len(listed))
	}
}

// Many writers on few orders over bad wires: every order's history is that of one command after the other, nothing is stored twice, and
// nobody hears of a conflict with their own command. Of the requests 10 % lose their answer after they were carried out, 30 % are
// throttled, and a few meet something rarer.
func TestWritersOverABadWire(t *testing.T) {
	lost := chance{0.10, []injected{{lost: true}, {status: http.StatusInternalServerError, lost: true}}}
	throttled := chance{0.30, []injected{
		refuses("ThrottlingException"), refuses("ProvisionedThroughputExceededException"),
		refuses("TransactionCanceledException", "None", "ThrottlingError"),
	}}
	rare := chance{0.06, []injected{
		{unsent: true, failed: os.ErrDeadlineExceeded}, {lost: true, failed: os.ErrDeadlineExceeded},
		{late: 50 * time.Millisecond, failed: os.ErrDeadlineExceeded}, {late: 400 * time.Millisecond, failed: os.ErrDeadlineExceeded},
		refuses("TransactionCanceledException", "TransactionConflict", "None"),
		refuses("TransactionInProgressException"), refuses("TransactionInProgressException").after(),
		refuses("IdempotentParameterMismatchException"), refuses("IdempotentParameterMismatchException").after(),
	}}
	for _, seed := range seeds(t, 20) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			p := newPlace(t)
			stores, wires := make([]eventstore.Store, 2), make([]*wire, 2) // two processes
			for i := range stores {
				var s *Store
				s, wires[i] = overWire(t, p)
				wires[i].injected, stores[i] = seeded(seed+uint64(i), lost, throttled, rare), s
			}
			began := time.Now()
			h := storetest.Crowd(t, seed, 8, stores...)
			took := time.Since(began)
			h.Check(t)
			all, conflicts, unknown := h.Calls()
			t.Logf("seed %d: %d calls in %v, %d conflicts, %d outcomes unknown; requests %v and %v", seed, all, took.Round(time.Millisecond),
				conflicts, unknown, wires[0].take(), wires[1].take())
		})
	}
}
