package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"headway/eventstore"
	"headway/fault"
)

// CheckTimeout is how long the history of all streams may be thought about; one that is not explained by then fails.
const CheckTimeout = time.Minute

// History is what the clients of stores asked about streams, when, and what they heard. The zero History is not ready: NewHistory makes
// one. It is safe for concurrent use.
type History struct {
	began time.Time

	mu      sync.Mutex
	streams map[eventstore.StreamID][]porcupine.Operation
}

// NewHistory is a history of nothing.
func NewHistory() *History {
	return &History{began: time.Now(), streams: map[eventstore.StreamID][]porcupine.Operation{}}
}

// asked is one call: an append of so many events, or a read of the whole stream.
type asked struct {
	command string // empty: a read
	expect  int
	events  int
}

// heard is its answer: the versions of an append that is stored, the head of a conflict, the stream of a read, or that nothing is known.
type heard struct {
	first, last int
	conflict    bool
	head        int
	read        stream
	unknown     bool
}

// stream is a stream as far as the contract speaks of it: the command of each version, a line each.
type stream string

func (s stream) commands() []string { return strings.Fields(string(s)) }

func (s stream) with(command string, events int) stream {
	return s + stream(strings.Repeat(command+"\n", events))
}

// holds is the versions that a command stored; 0, 0 if it stored none.
func (s stream) holds(command string) (first, last int) {
	for i, c := range s.commands() {
		if c == command {
			first, last = cmp.Or(first, i+1), i+1
		}
	}
	return first, last
}

// Append asks a store, and notes what it was asked and what was heard. An Unavailable and the end of the context leave the outcome open.
func (h *History) Append(
	ctx context.Context, s eventstore.Store, id eventstore.StreamID, expect int, m eventstore.Metadata, events ...eventstore.NewEvent,
) ([]eventstore.Record, error) {
	call := time.Since(h.began)
	records, err := s.Append(ctx, id, expect, m, events...)
	answer := heard{unknown: true}
	e, _ := errors.AsType[*fault.Error](err)
	switch {
	case err == nil && len(records) > 0:
		answer = heard{first: records[0].Version, last: records[len(records)-1].Version}
	case err == nil:
		answer = heard{}
	case e != nil && e.Kind == fault.Conflict:
		answer = heard{conflict: true, head: e.Head}
	}
	h.note(id, call, asked{m.CausationID, expect, len(events)}, answer)
	return records, err
}

// Read asks a store for a whole stream; only an answer is noted.
func (h *History) Read(ctx context.Context, s eventstore.Store, id eventstore.StreamID) ([]eventstore.Record, error) {
	call := time.Since(h.began)
	records, err := s.Read(ctx, id, 0)
	if err != nil {
		return nil, err
	}
	var answer heard
	for _, r := range records {
		answer.read = answer.read.with(r.Metadata.CausationID, 1)
	}
	h.note(id, call, asked{}, answer)
	return records, nil
}

func (h *History) note(id eventstore.StreamID, call time.Duration, q asked, a heard) {
	end := int64(time.Since(h.began))
	if a.unknown {
		end = math.MaxInt64 // it may still be stored
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.streams[id] = append(h.streams[id], porcupine.Operation{Input: q, Output: a, Call: int64(call), Return: end})
}

// Check complains of each stream whose history is not that of one call after the other, each somewhere between its beginning and its end.
func (h *History) Check(t *testing.T) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	deadline := time.Now().Add(CheckTimeout)
	for _, id := range slices.SortedFunc(maps.Keys(h.streams), byKey) {
		switch porcupine.CheckOperationsTimeout(oneStream(), h.streams[id], max(time.Until(deadline), time.Millisecond)) {
		case porcupine.Illegal:
			t.Errorf("stream %s: one after the other, these cannot have been heard:\n%s", id, describe(h.streams[id]))
		case porcupine.Unknown:
			t.Errorf("stream %s: its %d calls were not explained in %v", id, len(h.streams[id]), CheckTimeout)
		}
	}
}

// Calls is how many calls were noted, how many of them heard of a conflict, and how many nothing certain.
func (h *History) Calls() (all, conflicts, unknown int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, operations := range h.streams {
		for _, o := range operations {
			all++
			if a := o.Output.(heard); a.conflict {
				conflicts++
			} else if a.unknown {
				unknown++
			}
		}
	}
	return all, conflicts, unknown
}

// oneStream is the contract of Append and Read, for one stream.
func oneStream() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return stream("") },
		Step: func(state, input, output any) (bool, any) {
			next, legal := state.(stream).step(input.(asked), output.(heard))
			return legal, next
		},
	}
}

// step is what a call makes of an order, and whether it can have been answered so. A call whose outcome is not known does what it can; if
// it did nothing, it comes after everything that was seen.
func (s stream) step(q asked, a heard) (next stream, legal bool) {
	if q.command == "" {
		return s, a.read == s
	}
	head := len(s.commands())
	first, last := s.holds(q.command)
	switch {
	case first == 0 && head == q.expect:
		first, last = head+1, head+q.events
		next = s.with(q.command, q.events)
	case first == 0:
		return s, a.unknown || a.conflict && a.head == head
	default:
		next = s
	}
	return next, a.unknown || !a.conflict && a.first == first && a.last == last
}

// describe is a history to read.
func describe(operations []porcupine.Operation) string {
	operations = slices.SortedFunc(slices.Values(operations), func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	var b strings.Builder
	for _, o := range operations {
		q, a := o.Input.(asked), o.Output.(heard)
		fmt.Fprintf(&b, "%12v to %12v: ", time.Duration(o.Call), time.Duration(o.Return))
		switch {
		case q.command == "":
			fmt.Fprintf(&b, "read %.8s\n", a.read.commands())
			continue
		case a.unknown:
			b.WriteString("nothing is known of ")
		case a.conflict:
			fmt.Fprintf(&b, "a conflict with %d for ", a.head)
		default:
			fmt.Fprintf(&b, "versions %d to %d for ", a.first, a.last)
		}
		fmt.Fprintf(&b, "%.8s at %d with %d events\n", q.command, q.expect, q.events)
	}
	return b.String()
}

// The size of a crowd.
const (
	CrowdWriters = 16
	CrowdOrders  = 8
)

// Crowd lets CrowdWriters work on CrowdOrders streams, each for some rounds, spread over handles on the same storage, and gives the
// history. In a round a writer adds to an order, in as many attempts as it takes: it goes on at the head that a conflict told, with a new
// command, as a person does; when the outcome is not known it sends the same command again; and now and then it sends one again that was
// stored. The seed decides the choices, not the order in which the writers come.
func Crowd(t *testing.T, seed uint64, rounds int, stores ...eventstore.Store) *History {
	t.Helper()
	h := NewHistory()
	ids := make([]eventstore.StreamID, CrowdOrders)
	for i := range ids {
		ids[i] = newStream()
	}
	together(CrowdWriters, func(i int) {
		w := writer{t: t, history: h, store: stores[i%len(stores)], draw: rand.New(rand.NewPCG(seed, uint64(i)))} // the same every time
		for range rounds {
			if !w.round(ids[w.draw.IntN(len(ids))]) {
				return
			}
		}
	})
	for _, id := range ids {
		w := writer{t: t, history: h, store: stores[0]}
		records := w.read(id)
		for i, r := range records[min(1, len(records)):] {
			if !r.StoredAt.After(records[i].StoredAt) {
				t.Errorf("stream %s: version %d is stored at %v, version %d at %v", id, i+1, records[i].StoredAt, r.Version, r.StoredAt)
			}
		}
	}
	return h
}

// maxAttempts is how many attempts a writer makes, far more than it needs.
const maxAttempts = 200

type writer struct {
	t       *testing.T
	history *History
	store   eventstore.Store
	draw    *rand.Rand
}

func (w writer) round(id eventstore.StreamID) bool {
	expect := 0
	if w.draw.IntN(2) == 0 {
		expect = len(w.read(id))
	}
	m, events := newCommand(), addedTimes(1+w.draw.IntN(3))
	for range maxAttempts {
		records, err := w.history.Append(w.t.Context(), w.store, id, expect, m, events...)
		switch e, _ := errors.AsType[*fault.Error](err); {
		case err == nil && len(records) > 0 && w.draw.IntN(4) > 0:
			return true
		case err == nil: // once more, at whatever version
			expect = w.draw.IntN(expect + 2)
		case e == nil:
			w.t.Errorf("an append at %d: %v", expect, err)
			return false
		case e.Kind == fault.Conflict:
			expect, m = e.Head, newCommand()
		case e.Kind != fault.Unavailable:
			w.t.Errorf("an append at %d: %v", expect, err)
			return false
		}
	}
	w.t.Errorf("after %d attempts stream %s has not taken a command", maxAttempts, id)
	return false
}

func (w writer) read(id eventstore.StreamID) []eventstore.Record {
	var last error
	for range maxAttempts {
		records, err := w.history.Read(w.t.Context(), w.store, id)
		if err == nil {
			return records
		}
		if last = err; fault.KindOf(err) != fault.Unavailable {
			break
		}
	}
	w.t.Errorf("a read: %v", last)
	return nil
}
