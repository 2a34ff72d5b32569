package orders_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/orders"
)

func note(id domain.OrderID, expect int, text string) orders.Request {
	return request(id, expect, domain.AddNote{Text: text})
}

// A note needs no version and is never stale: whatever it was made for, it is stored at the end, in every status of an order that exists.
// What its writer saw is kept, but never more than there was.
func TestNoteIsNeverStale(t *testing.T) {
	s := openStore(t)
	id := mustExecute(t, s, createRequest()).OrderID
	head := 1
	for _, next := range []domain.Command{domain.ConfirmOrder{}, domain.CancelOrder{Reason: "x"}, nil} {
		for _, expect := range []int{0, 1, head, head + 7} {
			req := note(id, expect, fmt.Sprint("note ", head))
			result := mustExecute(t, s, req)
			if again := mustExecute(t, s, req); result.Version != head+1 || !again.Repeat || again.Version != result.Version {
				t.Errorf("expecting %d of %d it is answered %+v, and then %+v", expect, head, result, again)
			}
			if m := result.Records[0].Metadata; m.SeenVersion != min(expect, head) || m.UserID != "bob" {
				t.Errorf("expecting %d of %d it is stored with %+v", expect, head, m)
			}
			head++
		}
		if next != nil {
			mustExecute(t, s, request(id, head, next))
			head++
		}
	}
	stream, err := (orders.Handler{Events: s}).Load(t.Context(), id)
	if err != nil || len(stream.Order.Notes) != 12 || stream.Order.Version != head || stream.Order.Status != domain.Cancelled {
		t.Fatalf("%+v, %v", stream.Order, err)
	}
	if got := stream.Order.Notes[0]; got != (domain.Note{Text: "note 1", Who: "bob", At: at, Version: 2}) {
		t.Errorf("the first note is %+v", got)
	}
	_, err = execute(s, note("missing", 0, "x"))
	checkError(t, err, fault.NotFound, "")
	_, err = execute(s, note(id, 0, " "))
	checkError(t, err, fault.Invalid, "text")
	other := note(id, 0, "one")
	mustExecute(t, s, other)
	other.Command = domain.AddNote{Text: "two"}
	_, err = execute(s, other)
	checkError(t, err, fault.Invalid, "commandId")
}

// A head that was moved by notes alone is not stale for any command; one that was moved by anything else is, whatever notes came with it.
func TestAHeadMovedByNotes(t *testing.T) {
	for name, policy := range map[string]orders.SnapshotPolicy{"from its first event": {Every: -1}, "by a snapshot": often} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			run := func(req orders.Request) (orders.Result, error) {
				return (orders.Handler{Events: s}).WithSnapshots(s, policy).Execute(t.Context(), req)
			}
			made, err := run(createRequest())
			for n := range 5 {
				if err == nil {
					_, err = run(note(made.OrderID, 0, fmt.Sprint(n)))
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			added, err := run(request(made.OrderID, 1, domain.AddItem{Item: tea(2)}))
			if err != nil || added.Version != 7 || added.Records[0].Metadata.SeenVersion != 1 {
				t.Fatalf("a command made for version 1 of 6 is answered %+v, %v", added, err)
			}
			if _, err := run(note(made.OrderID, 0, "x")); err != nil {
				t.Fatal(err)
			}
			for _, expect := range []int{0, 1, 2, 6, 9} {
				_, err := run(request(made.OrderID, expect, domain.ConfirmOrder{}))
				e, ok := errors.AsType[*fault.Error](err)
				if !ok || e.Kind != fault.Conflict || e.Head != 8 || e.Message != fmt.Sprintf("The order is at version 8, not at version %d.", expect) {
					t.Errorf("a command made for version %d of 8: %v", expect, err)
				}
			}
			if confirmed, err := run(request(made.OrderID, 7, domain.ConfirmOrder{})); err != nil || confirmed.Version != 9 {
				t.Errorf("a command made for version 7 of 8 is answered %+v, %v", confirmed, err)
			}
		})
	}
}

// overtaken has a note arrive before each of the first appends.
type overtaken struct {
	log
	times *int
	by    func()
}

func (o overtaken) Append(
	ctx context.Context, id eventstore.StreamID, expect int, m eventstore.Metadata, events ...eventstore.NewEvent,
) ([]eventstore.Record, error) {
	if *o.times > 0 {
		*o.times--
		o.by()
	}
	return o.log.Append(ctx, id, expect, m, events...)
}

// Notes that arrive while a command is on its way are passed over MaxTries times; then it is a Conflict, which stores nothing.
func TestTries(t *testing.T) {
	for name, c := range map[string]struct {
		command  domain.Command
		times    int
		conflict string
	}{
		"a confirmation":         {domain.ConfirmOrder{}, orders.MaxTries - 1, ""},
		"a confirmation, late":   {domain.ConfirmOrder{}, orders.MaxTries, "The order is at version 6, not at version 1."},
		"another note":           {domain.AddNote{Text: "x"}, orders.MaxTries - 1, ""},
		"another note, too late": {domain.AddNote{Text: "x"}, orders.MaxTries, "The order keeps moving; it is at version 6 now."},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			id := mustExecute(t, s, createRequest()).OrderID
			times := c.times
			req := request(id, 1, c.command)
			result, err := execute(overtaken{s, &times, func() { mustExecute(t, s, note(id, 0, "meanwhile")) }}, req)
			if c.conflict == "" {
				if err != nil || result.Version != c.times+2 || result.Repeat {
					t.Errorf("%+v, %v", result, err)
				}
				return
			}
			checkError(t, err, fault.Conflict, "")
			if fault.Sentence(err) != c.conflict {
				t.Errorf("the sentence is %q", fault.Sentence(err))
			}
			checkHead(t, s, id, c.times+1)
		})
	}
}

// A twin that was stored while its own notes were passed over is found, not stored twice.
func TestATwinAmongNotes(t *testing.T) {
	s := openStore(t)
	id := mustExecute(t, s, createRequest()).OrderID
	confirm := request(id, 1, domain.ConfirmOrder{})
	times := 1
	result, err := execute(overtaken{s, &times, func() {
		mustExecute(t, s, note(id, 0, "first"))
		mustExecute(t, s, confirm)
		mustExecute(t, s, note(id, 0, "last"))
	}}, confirm)
	if err != nil || result.Version != 3 {
		t.Errorf("%+v, %v", result, err)
	}
	checkHead(t, s, id, 4)
}

// Of k writers at the same version exactly one wins, and each of the notes that are written meanwhile is stored once: a note moves a head
// without being in anybody's way. A try is lost only to somebody else's success, so MaxTries are enough for as many notes and one command.
func TestWritersAndNotes(t *testing.T) {
	s := openStore(t)
	rapid.Check(t, func(t *rapid.T) {
		made, err := execute(s, createRequest())
		if err != nil {
			t.Fatal(err)
		}
		writers, notes := rapid.IntRange(0, 6).Draw(t, "writers"), rapid.IntRange(0, orders.MaxTries-1).Draw(t, "notes")
		requests := make([]orders.Request, writers+notes)
		for i := range requests {
			requests[i] = request(made.OrderID, 1, []domain.Command{
				domain.ConfirmOrder{}, domain.AddItem{Item: tea(2)}, domain.CancelOrder{Reason: "x"},
			}[i%3])
			if i >= writers {
				requests[i] = note(made.OrderID, i%2, fmt.Sprint("note ", i))
			}
		}
		errs := make([]error, len(requests))
		var all sync.WaitGroup
		for i, req := range requests {
			all.Go(func() { _, errs[i] = execute(s, req) })
		}
		all.Wait()
		won := 0
		for i, err := range errs {
			switch {
			case err == nil && i < writers:
				won++
			case err == nil:
			case i >= writers || fault.KindOf(err) != fault.Conflict:
				t.Errorf("request %d: %v", i, err)
			}
		}
		stream, err := (orders.Handler{Events: s}).Load(context.Background(), made.OrderID)
		if err != nil || won != min(writers, 1) || stream.Head() != 1+won+notes || stream.Hold != nil || len(stream.Order.Notes) != notes {
			t.Fatalf("of %d writers %d won beside %d notes; the order is %+v, %v", writers, won, notes, stream.Order, err)
		}
		seen := map[string]bool{}
		for _, n := range stream.Order.Notes {
			if seen[n.Text] || !strings.HasPrefix(n.Text, "note ") {
				t.Errorf("the notes are %+v", stream.Order.Notes)
			}
			seen[n.Text] = true
		}
	})
}

// Notes end at MaxNotedEvents of an order; other commands go on.
func TestNotesEndBeforeTheOrderDoes(t *testing.T) {
	s := openStore(t)
	id := grown(t, s, domain.MaxNotedEvents-1)
	mustExecute(t, s, note(id, 0, "the last one"))
	_, err := execute(s, note(id, 0, "one more"))
	checkError(t, err, fault.Refused, "")
	mustExecute(t, s, request(id, domain.MaxNotedEvents, domain.ConfirmOrder{}))
	checkHead(t, s, id, domain.MaxNotedEvents+1)
}
