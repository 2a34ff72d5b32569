package dynamo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"headway/domain"
	"headway/eventstore"
)

func newOrder() domain.OrderID { return domain.OrderID(uuid.NewString()) }

func newCommand() eventstore.Metadata {
	id := uuid.NewString()
	return eventstore.Metadata{
		CausationID: domain.CommandID(id), CorrelationID: id, CommandHash: "hash " + id, UserID: "ada", Timestamp: time.Unix(1.6e9, 0),
	}
}

func cancelled(reason string) domain.Event { return domain.OrderCancelled{Reason: reason} }

// overWire is a store whose requests go over a wire of its own.
func overWire(t *testing.T, p *place) (*Store, *wire) {
	t.Helper()
	w := &wire{}
	options := p.options
	options.Client = w
	s := open(t, options)
	w.take()
	return s, w
}

// An append is one request: of a new order and of an old one, of one event and of as many as there may be.
func TestOneRequestAnAppend(t *testing.T) {
	s, w := overWire(t, newPlace(t))
	id, head := newOrder(), 0
	for _, n := range []int{1, 1, eventstore.MaxAppend, 3} {
		events := slices.Repeat([]domain.Event{cancelled("x")}, n)
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
	longCommand.CausationID = domain.CommandID(strings.Repeat("x", MaxKeyBytes+1))
	if eventstore.MaxAppend+2 > MaxActions { // its head and the note of its command
		t.Errorf("an append of %d events is more than one transaction", eventstore.MaxAppend)
	}
	for name, c := range map[string]struct {
		id     domain.OrderID
		m      eventstore.Metadata
		events []domain.Event
		kind   domain.Kind
	}{
		"the bytes of a transaction":    {newOrder(), newCommand(), slices.Repeat([]domain.Event{large}, 25), domain.TooLarge},
		"the bytes of an item":          {newOrder(), longName, []domain.Event{cancelled("x")}, domain.TooLarge},
		"the bytes of a key":            {newOrder(), longCorrelation, []domain.Event{cancelled("x")}, domain.TooLarge},
		"a command id that is too long": {newOrder(), longCommand, []domain.Event{cancelled("x")}, domain.Invalid},
		"an order id that is no key":    {"", newCommand(), []domain.Event{cancelled("x")}, domain.Invalid},
		"an order id that is too long": {
			domain.OrderID(strings.Repeat("x", MaxKeyBytes+1)), newCommand(), []domain.Event{cancelled("x")}, domain.Invalid,
		},
	} {
		if _, err := s.Append(t.Context(), c.id, 0, c.m, c.events...); domain.KindOf(err) != c.kind {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if got := w.take(); len(got) != 0 {
		t.Errorf("the engine was asked: %v", got)
	}
	if _, err := s.Append(t.Context(), newOrder(), 0, newCommand(), slices.Repeat([]domain.Event{large}, 20)...); err != nil {
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
				id, m := newOrder(), newCommand()
				if _, err := s.Append(t.Context(), id, 0, newCommand(), cancelled("before")); err != nil {
					t.Fatal(err)
				}
				w.take()
				w.fault = func(operation string, n int) fault {
					if operation == "TransactWriteItems" && n <= times {
						return f
					}
					return fault{}
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
			id := newOrder()
			if _, err := s.Append(t.Context(), id, 0, newCommand(), cancelled("a"), cancelled("b")); err != nil {
				t.Fatal(err)
			}
			w.take()
			w.fault = func(operation string, n int) fault {
				if operation == "TransactWriteItems" && n == 1 {
					return f
				}
				return fault{}
			}
			_, err := s.Append(t.Context(), id, 1, newCommand(), cancelled("c"))
			if e, ok := errors.AsType[*domain.Error](err); !ok || e.Kind != domain.Conflict || e.Head != 2 {
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
		f    fault
		want string
	}{
		"before":    {refuses("ThrottlingException"), ""}, // either: the time may end between two attempts of the SDK
		"after":     {fault{lost: true}, unknownOutcome},
		"forbidden": {refuses("AccessDeniedException"), unwritable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, w := overWire(t, p)
			id, m := newOrder(), newCommand()
			w.fault = func(string, int) fault { return c.f }
			began := time.Now()
			_, err := s.Append(t.Context(), id, 0, m, cancelled("x"))
			if domain.KindOf(err) != domain.Unavailable || (c.want != "" && domain.Sentence(err) != c.want) {
				t.Errorf("got %v", err)
			}
			if took := time.Since(began); took > AppendTimeout+AttemptTimeout {
				t.Errorf("it took %v", took)
			}
			if _, err := s.Read(t.Context(), id, 0); domain.KindOf(err) != domain.Unavailable {
				t.Errorf("a read got %v", err)
			}
			w.mu.Lock()
			w.fault = nil
			w.mu.Unlock()
			again, err := s.Append(t.Context(), id, 0, m, cancelled("x"))
			stored, err2 := s.Read(t.Context(), id, 0)
			if err := errors.Join(err, err2); err != nil || len(stored) != 1 || len(again) != 1 || !again[0].StoredAt.Equal(stored[0].StoredAt) {
				t.Errorf("the repeat got %v, stored are %v, %v", again, stored, err)
			}
		})
	}
}

// A command id that arrives at several orders at once is one order's, and Invalid at the others; nothing of theirs is stored.
func TestOneOrderACommand(t *testing.T) {
	s := open(t, newPlace(t).options)
	m, ids := newCommand(), make([]domain.OrderID, 8)
	var won, refused atomic.Int32
	var all sync.WaitGroup
	for i := range ids {
		ids[i] = newOrder()
		all.Go(func() {
			_, err := s.Append(t.Context(), ids[i], 0, m, cancelled("x"))
			if e, ok := errors.AsType[*domain.Error](err); ok && e.Kind == domain.Invalid && e.Fields[0].Field == "commandId" {
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
	listed, _, err := s.ByType(t.Context(), "", "", 0)
	must(t, err)
	if won.Load() != 1 || refused.Load() != 7 || len(heads) != 1 || len(listed) != 1 {
		t.Errorf("%d orders got it and %d were refused; there are %d orders and %d events", won.Load(), refused.Load(), len(heads), len(listed))
	}
}

// attempt is one append as its client saw it.
type attempt struct {
	order      domain.OrderID
	command    domain.CommandID
	expect     int
	head       int // of a conflict; 0 if it was stored
	began, end time.Time
}

// Many writers on few orders over a bad wire: every order's history is that of one writer after the other, nothing is stored twice, and
// nobody hears of a conflict with their own command.
func TestWritersOverABadWire(t *testing.T) {
	const orders, writers, each = 8, 16, 8
	lost := []fault{{lost: true}, {status: http.StatusInternalServerError, lost: true}, refuses("TransactionInProgressException").after()}
	throttled := []fault{refuses("ThrottlingException"), refuses("ProvisionedThroughputExceededException")}
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			p := newPlace(t)
			s, w := overWire(t, p)
			other := open(t, p.options) // a process whose wire is good
			draw := seeded(t, seed, map[float64][]fault{0.1: lost, 0.3: throttled})
			w.fault = func(operation string, n int) fault {
				if f := draw(operation, n); operation == "TransactWriteItems" || !f.lost { // a lost read is a read that did not arrive
					return f
				}
				return fault{unsent: true}
			}
			ids := make([]domain.OrderID, orders)
			for i := range ids {
				ids[i] = newOrder()
			}
			var mu sync.Mutex
			var history []attempt
			var all sync.WaitGroup
			for n := range writers {
				store := s
				if n%4 == 0 {
					store = other
				}
				all.Go(func() {
					for i := range each {
						tried, err := addOne(t.Context(), store, ids[(n+i)%orders])
						mu.Lock()
						history = append(history, tried...)
						mu.Unlock()
						if err != nil {
							t.Errorf("writer %d: %v", n, err)
							return
						}
					}
				})
			}
			all.Wait()
			for _, id := range ids {
				stored, err := other.Read(t.Context(), id, 0)
				must(t, err)
				checkHistory(t, id, stored, history)
			}
			t.Logf("%d attempts, %v requests", len(history), w.take())
		})
	}
}

// addOne adds an event to an order, at whatever version it is, in as many attempts as that takes.
func addOne(ctx context.Context, s *Store, id domain.OrderID) (tried []attempt, err error) {
	expect := 0
	for {
		m := newCommand()
		a := attempt{order: id, command: m.CausationID, expect: expect, began: time.Now()}
		_, err := s.Append(ctx, id, expect, m, cancelled(string(m.CausationID)))
		a.end = time.Now()
		e, _ := errors.AsType[*domain.Error](err)
		switch {
		case err == nil:
			return append(tried, a), nil
		case e == nil || e.Kind != domain.Conflict:
			return tried, err
		}
		a.head, expect = e.Head, e.Head
		tried = append(tried, a)
	}
}

// checkHistory wants one order of the attempts that explains every answer and what is stored.
func checkHistory(t *testing.T, id domain.OrderID, stored []eventstore.Record, history []attempt) {
	t.Helper()
	writer := map[int]attempt{}
	at := map[domain.CommandID]int{}
	for i, r := range stored {
		if r.Version != i+1 || (i > 0 && !r.StoredAt.After(stored[i-1].StoredAt)) {
			t.Errorf("version %d follows version %d at %v", r.Version, i, r.StoredAt)
		}
		if at[r.Metadata.CausationID] != 0 {
			t.Errorf("the command of version %d is stored twice", r.Version)
		}
		at[r.Metadata.CausationID] = r.Version
	}
	for _, a := range history {
		if a.order != id {
			continue
		}
		version := at[a.command]
		switch {
		case a.head == 0 && version != a.expect+1:
			t.Errorf("an append at %d was acknowledged and is stored as %d", a.expect, version)
		case a.head > 0 && version != 0:
			t.Errorf("an append at %d heard of a conflict with %d and is stored as %d", a.expect, a.head, version)
		case a.head > len(stored) || a.head > 0 && a.head <= a.expect:
			t.Errorf("an append at %d heard of a conflict with %d; %d are stored", a.expect, a.head, len(stored))
		}
		if a.head == 0 {
			writer[a.expect+1] = a
		}
	}
	for _, a := range history { // what is answered agrees with real time
		if a.order != id {
			continue
		}
		if next, ok := writer[max(a.head, a.expect)+1]; ok && a.head > 0 && next.end.Before(a.began) {
			t.Errorf("an append heard of the head %d after version %d was acknowledged", a.head, a.head+1)
		}
		if before, ok := writer[max(a.head, a.expect)]; ok && before.began.After(a.end) {
			t.Errorf("an append heard of version %d before it was sent", before.expect+1)
		}
	}
	if len(writer) != len(stored) {
		t.Errorf("%d events are stored, %d were acknowledged", len(stored), len(writer))
	}
}
