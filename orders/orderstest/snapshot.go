package orderstest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"headway/domain"
	"headway/eventstore"
	"headway/eventstore/storetest"
	"headway/fault"
	"headway/orders"
)

// often takes snapshots so often that a test need not be long: at every fourth version, once there are more than six.
var often = orders.SnapshotPolicy{Every: 4, Longer: 6}

// never neither takes snapshots nor looks for them.
var never = orders.SnapshotPolicy{Every: -1}

// snapshotsTaken follows a long order: when it gets a snapshot, and that commands are then decided on it.
func snapshotsTaken(t *testing.T, p storetest.Place) {
	s := &watched{Store: p.Open(t, nil)}
	create := createCommand()
	id := mustExecute(t, s, often, create)
	head := 1
	var commands []orders.Request
	grow := func(events int) {
		t.Helper()
		req := orderCommand(id, head, addMany{events})
		mustExecute(t, s, often, req)
		commands, head = append(commands, req), head+events
	}
	for _, step := range []struct{ events, want int }{
		{3, 0},   // 4: a multiple, of a short order
		{2, 0},   // 6
		{1, 0},   // 7: long enough, and between the multiples
		{1, 8},   // 8
		{3, 8},   // 11
		{2, 13},  // 13: jumps over 12
		{9, 22},  // 22: jumps over 16 and 20
		{1, 22},  // 23
		{50, 73}, // as many as an append may hold
	} {
		s.reads = nil
		before := s.snapshot(t, id)
		grow(step.events)
		if got := s.snapshot(t, id); got.Version != step.want {
			t.Errorf("at version %d the snapshot is of version %d, want %d", head, got.Version, step.want)
		}
		if want := max(before.Version-1, 0); !slices.Equal(s.reads, []int{want}) {
			t.Errorf("the command for version %d reads after %v, want only after %d", head, s.reads, want)
		}
		checkTrue(t, s, id)
	}

	// The same commands again: those that the snapshot covers, and those after it.
	for _, req := range append(commands, create) {
		for _, expect := range []int{req.Expect, head, 0} {
			if req.Expect = expect; req.OrderID == "" {
				req.OrderID = id
			}
			want, _ := handler(s, never).Execute(t.Context(), req)
			got, err := handler(s, often).Execute(t.Context(), req)
			if err != nil || !got.Repeat || got.Version != want.Version || !reflect.DeepEqual(got.Records, want.Records) {
				t.Errorf("the repeat of %s got version %d, repeat %t, %v; want %d", req.CommandID, got.Version, got.Repeat, err, want.Version)
			}
		}
	}
	other := commands[0]
	other.Command, other.Expect = domain.ConfirmOrder{}, head
	_, err := handler(s, often).Execute(t.Context(), other)
	checkOtherContent(t, err)

	// The usual times: a hundred versions, beyond a thousand.
	s.Plant(t, p, id, head, 1095)
	for head = 1095; head < 1101; head++ {
		mustExecute(t, s, orders.SnapshotPolicy{}, orderCommand(id, head, addMany{1}))
	}
	if got := s.snapshot(t, id); got.Version != 1100 {
		t.Errorf("the usual snapshot is of version %d", got.Version)
	}
	s.reads = nil
	order, err := handler(s, orders.SnapshotPolicy{}).LoadOrder(t.Context(), id, head)
	if whole, _ := handler(s.Store, never).Load(t.Context(), id); err != nil || !reflect.DeepEqual(order, whole.Order) {
		t.Errorf("the order by its snapshot differs, %v", err)
	}
	if !slices.Equal(s.reads, []int{1099}) {
		t.Errorf("the order was read after %v", s.reads)
	}
	if _, err := handler(s, orders.SnapshotPolicy{}).LoadOrder(t.Context(), domain.OrderID(uuid.NewString()),
		5000); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a missing order got %v", err)
	}
}

// snapshotsRefused puts snapshots in the place of the right one that are not to be believed: each is passed over, and the next one heals
// it.
func snapshotsRefused(t *testing.T, p storetest.Place) {
	s := &watched{Store: p.Open(t, nil)}
	grown := func() (id domain.OrderID, right eventstore.Snapshot) {
		id = mustExecute(t, s, often, createCommand())
		for head := 1; head < 9; head++ {
			mustExecute(t, s, often, orderCommand(id, head, addMany{1}))
		}
		return id, s.snapshot(t, id)
	}
	_, foreign := grown()
	for name, replaced := range map[string]func(right eventstore.Snapshot) eventstore.Snapshot{
		"empty":         func(s eventstore.Snapshot) eventstore.Snapshot { s.Data = []byte{0}; return s },
		"cut off":       func(s eventstore.Snapshot) eventstore.Snapshot { s.Data = s.Data[:len(s.Data)-1]; return s },
		"longer":        func(s eventstore.Snapshot) eventstore.Snapshot { s.Data = append(s.Data, 0); return s },
		"a flipped bit": func(s eventstore.Snapshot) eventstore.Snapshot { s.Data[len(s.Data)/2] ^= 4; return s },
		"a later one":   func(s eventstore.Snapshot) eventstore.Snapshot { s.Version++; return s },
		"another order's": func(s eventstore.Snapshot) eventstore.Snapshot {
			return eventstore.Snapshot{Stream: s.Stream, Version: foreign.Version, Data: foreign.Data}
		},
		"ahead":            func(s eventstore.Snapshot) eventstore.Snapshot { s.Version = 5000; return s },
		"of another shape": ofAnotherShape,
	} {
		t.Run(name, func(t *testing.T) {
			id, right := grown()
			wrong := replaced(right)
			if err := s.SaveSnapshot(t.Context(), wrong, right.Version); err != nil {
				t.Fatal(err)
			}
			for head := 9; head < 12; head++ {
				mustExecute(t, s, often, orderCommand(id, head, addMany{1}))
			}
			checkTrue(t, s, id)
			if got := s.snapshot(t, id); got.Version != 12 {
				t.Errorf("the snapshot is of version %d after the order came to 12", got.Version)
			}
		})
	}
	for name, c := range map[string]struct {
		policy orders.SnapshotPolicy // of the process that made the order so long
		reads  int                   // after which version the next command reads
	}{"missing": {never, 0}, "stale": {orders.SnapshotPolicy{Every: 8, Longer: 6}, 7}} {
		t.Run(name, func(t *testing.T) {
			id := mustExecute(t, s, c.policy, createCommand())
			for head := 1; head < 15; head++ {
				mustExecute(t, s, c.policy, orderCommand(id, head, addMany{1}))
			}
			s.reads = nil
			checkTrue(t, s, id)
			mustExecute(t, s, often, orderCommand(id, 15, addMany{1}))
			if last := s.reads[len(s.reads)-1]; last != c.reads {
				t.Errorf("the command reads after %d, want after %d", last, c.reads)
			}
			checkTrue(t, s, id)
			if got := s.snapshot(t, id); got.Version != 16 {
				t.Errorf("the snapshot is of version %d after the order came to 16", got.Version)
			}
		})
	}
	t.Run("other rules", func(t *testing.T) { // prices of schema 1 were in another currency then
		id, right := grown()
		yen := orders.Handler{Events: s, Codec: domain.Codec{DefaultCurrency: "JPY"}}.WithSnapshots(s, often)
		if _, err := yen.OrderIn(right); err == nil {
			t.Error("another codec takes it for its own")
		}
		s.reads = nil
		_, err := yen.Execute(t.Context(), orderCommand(id, 9, addMany{1}))
		if err != nil || !slices.Equal(s.reads, []int{0}) {
			t.Errorf("read after %v, %v", s.reads, err)
		}
	})
	t.Run("too large", func(t *testing.T) {
		id := mustExecute(t, s, often, createCommand())
		for head := 1; head < 10; head++ {
			mustExecute(t, s, often, orderCommand(id, head, domain.AddItem{Item: item("tea")}))
		}
		before := s.snapshot(t, id).Version
		records := mustRead(t, s, id)
		large := records[9]
		for version := 11; version < 15; version++ { // names that cannot be compressed
			var b strings.Builder
			for b.Len() < 220<<10 {
				b.WriteString(uuid.NewString())
			}
			large.Version, large.EventID, large.StoredAt = version, uuid.NewString(), large.StoredAt.Add(time.Microsecond)
			large.Metadata.CausationID = large.EventID
			large.Data = fmt.Appendf(nil, `{"item":{"sku":"a","name":"%s","quantity":1,"price":{"minor":1,"currency":"EUR"}}}`, b.String())
			p.Plant(t, large)
		}
		for head := 14; head < 18; head++ {
			mustExecute(t, s, often, orderCommand(id, head, domain.AddItem{Item: item("tea")}))
		}
		if got := s.snapshot(t, id).Version; got != before || before != 8 {
			t.Errorf("the snapshot is of version %d, and was of %d", got, before)
		}
		checkTrue(t, s, id)
	})
}

// ofAnotherShape is a snapshot as a program left it whose orders have another shape, or whose fold other rules: whole, with a right
// checksum, and only what stands for shape and rules is not ours.
func ofAnotherShape(s eventstore.Snapshot) eventstore.Snapshot {
	body := slices.Clone(s.Data[sha256.Size:])
	signed := func() []byte {
		h := sha256.New()
		h.Write(binary.AppendUvarint(nil, uint64(len(s.Stream.ID))))
		h.Write([]byte(s.Stream.ID))
		h.Write(binary.AppendVarint(nil, int64(s.Version)))
		h.Write(body)
		return append(h.Sum(nil), body...)
	}
	if !bytes.Equal(signed(), s.Data) {
		panic("snapshots are signed in another way now; sign this one so, or it is merely broken")
	}
	body[0]++
	s.Data = signed()
	return s
}

// snapshotsOfABackup has the events of a backup and the snapshots of the time after it, as when only the table of events was restored.
func snapshotsOfABackup(t *testing.T, newPlace func(t *testing.T) storetest.Place) {
	lost, p := newPlace(t), newPlace(t)
	old, s := lost.Open(t, nil), &watched{Store: p.Open(t, nil)}
	create := createCommand()
	id := mustExecute(t, old, often, create)
	for head := 1; head < 11; head++ {
		mustExecute(t, old, often, orderCommand(id, head, addMany{1}))
	}
	cancel := orderCommand(id, 11, domain.CancelOrder{Reason: "x"})
	mustExecute(t, old, often, cancel)
	ahead, err := old.LoadSnapshot(t.Context(), orders.StreamOf(id))
	if err != nil || ahead.Version != 12 {
		t.Fatalf("the snapshot is of version %d, %v", ahead.Version, err)
	}
	p.Plant(t, mustRead(t, old, id)[:7]...)
	if err := s.SaveSnapshot(t.Context(), ahead, 0); err != nil {
		t.Fatal(err)
	}

	// The order is not cancelled, and the lost command was never carried out.
	if _, err := handler(s, often).Execute(t.Context(), cancel); fault.KindOf(err) != fault.Conflict {
		t.Errorf("the lost command got %v", err)
	}
	mustExecute(t, s, often, orderCommand(id, 7, addMany{1}))
	if got := s.snapshot(t, id); got.Version != 8 {
		t.Errorf("the snapshot that is ahead was not replaced: there is version %d", got.Version)
	}
	checkTrue(t, s, id)

	// And if nobody replaced it before the order came past it: its last event is another one.
	if err := s.SaveSnapshot(t.Context(), ahead, 8); err != nil {
		t.Fatal(err)
	}
	for head := 8; head < 14; head++ {
		mustExecute(t, s, never, orderCommand(id, head, addMany{1}))
	}
	mustExecute(t, s, often, orderCommand(id, 14, addMany{1}))
	mustExecute(t, s, often, orderCommand(id, 15, addMany{1}))
	if got := s.snapshot(t, id); got.Version != 16 {
		t.Errorf("the snapshot is of version %d", got.Version)
	}
	checkTrue(t, s, id)
}

// snapshotsChangeNothing sends random commands as processes do that take snapshots at different times, with snapshots that break, and
// compares every answer, and everything that is stored, with what it would have been without.
func snapshotsChangeNothing(t *testing.T, p storetest.Place) {
	s := p.Open(t, nil)
	rapid.Check(t, func(r *rapid.T) {
		sent := []orders.Request{createCommand()}
		id := orders.OrderIDFor(sent[0].CommandID)
		sent[0].OrderID = id
		head := 0
		execute := func(r *rapid.T, req orders.Request) {
			policy := orders.SnapshotPolicy{Every: rapid.IntRange(-1, 5).Draw(r, "every"), Longer: rapid.IntRange(-1, 6).Draw(r, "longer")}
			with, without := &appends{Store: s}, &appends{Store: s, refuse: errors.New("not now")}
			want, wantErr := handler(without, never).Execute(t.Context(), req)
			got, err := handler(with, policy).Execute(t.Context(), req)
			if !reflect.DeepEqual(with.asked, without.asked) {
				r.Fatalf("with snapshots it stores %s, without %s", asJSON(with.asked), asJSON(without.asked))
			}
			if len(with.asked) > 0 {
				if err != nil || got.Version != head+len(with.asked[0].Events) || got.Repeat {
					r.Fatalf("the command was answered with %s, %v", asJSON(got), err)
				}
				head = got.Version
				sent = append(sent, req)
				return
			}
			if asJSON(err) != asJSON(wantErr) || fault.Sentence(err) != fault.Sentence(wantErr) || !reflect.DeepEqual(got, want) {
				r.Fatalf("with snapshots %s, %v; without %s, %v", asJSON(got), err, asJSON(want), wantErr)
			}
		}
		execute(r, sent[0])
		snapshotOf := func(r *rapid.T) eventstore.Snapshot {
			snapshot, err := s.LoadSnapshot(t.Context(), orders.StreamOf(id))
			if err != nil {
				r.Fatal(err)
			}
			return snapshot
		}
		r.Repeat(map[string]func(*rapid.T){
			"add": func(r *rapid.T) {
				execute(r, orderCommand(id, head, addMany{rapid.IntRange(1, 6).Draw(r, "events")}))
			},
			"end": func(r *rapid.T) {
				execute(r, orderCommand(id, head, rapid.SampledFrom([]domain.Command{
					domain.ConfirmOrder{}, domain.CancelOrder{Reason: "x"}, domain.AddItem{Item: item("jam")}, domain.AddItem{},
				}).Draw(r, "command")))
			},
			"at another version": func(r *rapid.T) {
				execute(r, orderCommand(id, rapid.IntRange(0, 30).Draw(r, "expect"), domain.AddItem{Item: item("jam")}))
			},
			"again": func(r *rapid.T) {
				req := rapid.SampledFrom(sent).Draw(r, "request")
				req.Expect, req.Seen = rapid.SampledFrom([]int{req.Expect, head, 0, 99}).Draw(r, "expect"), 0
				if rapid.Bool().Draw(r, "other content") {
					req.Command = domain.CancelOrder{Reason: "other"}
				}
				execute(r, req)
			},
			"damage": func(r *rapid.T) {
				snapshot := snapshotOf(r)
				if snapshot.Version == 0 {
					r.Skip("there is none")
				}
				broken := snapshot
				broken.Data = slices.Clone(broken.Data)
				broken.Data[rapid.IntRange(0, len(broken.Data)-1).Draw(r, "byte")] ^= byte(rapid.IntRange(1, 255).Draw(r, "bits"))
				broken.Version += rapid.SampledFrom([]int{0, 0, 1, -1, 100}).Draw(r, "version")
				if err := s.SaveSnapshot(t.Context(), broken, snapshot.Version); err != nil {
					r.Fatal(err)
				}
			},
			"": func(r *rapid.T) {
				snapshot := snapshotOf(r)
				order, err := handler(s, often).OrderIn(snapshot)
				if err != nil {
					return // there is none, or it was damaged
				}
				records, err := s.Read(t.Context(), orders.StreamOf(id), 0)
				if err != nil {
					r.Fatal(err)
				}
				if want := orders.Fold(domain.Codec{}, records[:snapshot.Version]).Order; !reflect.DeepEqual(order, want) {
					r.Fatalf("the snapshot says %s, the events say %s", asJSON(order), asJSON(want))
				}
			},
		})
	})
}

// appends remembers what is to be appended, and may refuse it.
type appends struct {
	storetest.Store
	refuse error
	asked  []recorded
}

type recorded struct {
	Stream   eventstore.StreamID
	Expect   int
	Metadata eventstore.Metadata
	Events   []eventstore.NewEvent
}

func (a *appends) Append(
	ctx context.Context, id eventstore.StreamID, expect int, m eventstore.Metadata, events ...eventstore.NewEvent,
) ([]eventstore.Record, error) {
	a.asked = append(a.asked, recorded{id, expect, m, events})
	if a.refuse != nil {
		return nil, a.refuse
	}
	return a.Store.Append(ctx, id, expect, m, events...)
}

// watched remembers after which versions orders are read.
type watched struct {
	storetest.Store
	reads []int
}

func (w *watched) Read(ctx context.Context, id eventstore.StreamID, after int) ([]eventstore.Record, error) {
	w.reads = append(w.reads, after)
	return w.Store.Read(ctx, id, after)
}

func (w *watched) snapshot(t *testing.T, id domain.OrderID) eventstore.Snapshot {
	t.Helper()
	s, err := w.LoadSnapshot(t.Context(), orders.StreamOf(id))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Plant lets an order grow from one version to another.
func (w *watched) Plant(t *testing.T, p storetest.Place, id domain.OrderID, from, to int) {
	t.Helper()
	last := mustRead(t, w.Store, id)[from-1]
	records := make([]eventstore.Record, to-from)
	for i := range records {
		last.Version, last.EventID, last.StoredAt = last.Version+1, uuid.NewString(), last.StoredAt.Add(time.Microsecond)
		last.Metadata.CausationID = last.EventID
		records[i] = last
	}
	p.Plant(t, records...)
}

// checkTrue compares the order's snapshot, and what a command hears that is refused on it, with the events.
func checkTrue(t *testing.T, s storetest.Store, id domain.OrderID) {
	t.Helper()
	records := mustRead(t, s, id)
	snapshot, err := s.LoadSnapshot(t.Context(), orders.StreamOf(id))
	if err != nil {
		t.Fatal(err)
	}
	if snapshot.Version > 0 {
		order, err := handler(s, often).OrderIn(snapshot)
		if want := orders.Fold(domain.Codec{}, records[:snapshot.Version]).Order; err != nil || !reflect.DeepEqual(order, want) {
			t.Errorf("the snapshot says %s, %v, the events say %s", asJSON(order), err, asJSON(want))
		}
	}
	req := orderCommand(id, len(records), domain.AddItem{})
	_, want := handler(s, never).Execute(t.Context(), req)
	if _, err := handler(s, often).Execute(t.Context(), req); fmt.Sprint(err) != fmt.Sprint(want) {
		t.Errorf("with snapshots %v, without %v", err, want)
	}
}
