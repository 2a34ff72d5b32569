package sqlite_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"headway/eventstore"
	"headway/eventstore/sqlite"
	"headway/fault"
	"headway/internal/faultydisk"
)

// The tests of this file are on a disk that fails, and one whose power goes.

var disks = sync.OnceValues(faultydisk.Install)

// newPlace is a new file on a disk of its own, until done is called.
func newPlace(t *testing.T) (path string, disk *faultydisk.Disk, done func()) {
	t.Helper()
	all, err := disks()
	must(t, err)
	// The disk is the test's: under it may be memory, where there is such a thing.
	folder, err := os.MkdirTemp("/dev/shm", "headway") //nolint:usetesting // it falls back to that
	if err != nil {
		folder = t.TempDir()
	}
	return filepath.Join(folder, "events.db"), all.At(folder), func() {
		all.Forget(folder)
		must(t, os.RemoveAll(folder))
	}
}

// faults are the ways in which an operation fails.
func faults() map[string]faultydisk.Fault {
	return map[string]faultydisk.Fault{
		"once":               {},
		"once, half done":    {Half: true},
		"until it is mended": {Stays: true},
		"the disk is full":   {Stays: true, Full: true, Half: true},
	}
}

// wish is a command, the same however often it is sent.
type wish struct {
	order  eventstore.StreamID
	expect int
	m      eventstore.Metadata
	events []eventstore.NewEvent
}

func newWish(order eventstore.StreamID, expect, events int) wish {
	w := wish{order: order, expect: expect, m: metadata()}
	for range events {
		w.events = append(w.events, orderCreated())
	}
	return w
}

func (w wish) send(s *sqlite.Store) error {
	records, err := s.Append(context.Background(), w.order, w.expect, w.m, w.events...)
	if err == nil && (len(records) != len(w.events) || records[0].Version != w.expect+1) {
		return fmt.Errorf("the answer is %d records from version %d", len(records), records[0].Version)
	}
	return err
}

// sendAll sends commands at once and answers which of them were stored; the others were Unavailable, with a sentence.
func sendAll(t *testing.T, s *sqlite.Store, wishes []wish) (stored []bool) {
	t.Helper()
	stored = make([]bool, len(wishes))
	var all sync.WaitGroup
	for i, w := range wishes {
		all.Go(func() {
			err := w.send(s)
			stored[i] = err == nil
			if err != nil && (fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.Sentence(err), "is safe.")) {
				t.Errorf("a person is told %q: %v", fault.Sentence(err), err)
			}
		})
	}
	all.Wait()
	return stored
}

// lookAt wants each command there whole or not at all, and there if it is said to be.
func lookAt(t *testing.T, s *sqlite.Store, wishes []wish, stored []bool, broken bool) {
	t.Helper()
	for i, w := range wishes {
		records, err := s.Read(context.Background(), w.order, w.expect)
		switch {
		case err != nil && broken && fault.KindOf(err) == fault.Unavailable:
		case err != nil:
			t.Errorf("order %s cannot be read: %v", w.order, err)
		case len(records) != 0 && len(records) != len(w.events), stored[i] && len(records) == 0:
			t.Errorf("of %d events of a command %d are there; it was answered as stored: %v", len(w.events), len(records), stored[i])
		}
	}
}

func allOf(n int) []bool {
	stored := make([]bool, n)
	for i := range stored {
		stored[i] = true
	}
	return stored
}

// wishesOf is one command for each of some new streams.
func wishesOf(name string, orders, events int) []wish {
	var wishes []wish
	for i := range orders {
		wishes = append(wishes, newWish(stream(fmt.Sprintf("%s/%d", name, i)), 0, events))
	}
	return wishes
}

// Whichever operation on the disk fails while commands are appended: none of them is there in part, those that were answered are there, the
// others are Unavailable, and once the disk works again the same store takes each of them, once.
func TestEveryOperationOfAnAppendFails(t *testing.T) {
	for group, orders := range map[string]int{"one command": 1, "a group of commands": 5} {
		t.Run(group, func(t *testing.T) {
			tried := 0
			for how, broken := range faults() {
				path, disk, done := newPlace(t)
				t.Cleanup(done)
				s := open(t, path, sqlite.Options{})
				var all []wish
				for n, hit := 1+rand.IntN(faultydisk.Every()), 1; hit > 0 && !t.Failed(); n += faultydisk.Every() {
					broken.N = n
					disk.Break(broken)
					wishes := wishesOf(fmt.Sprintf("%s, %d", how, n), orders, 3)
					all = append(all, wishes...)
					stored := sendAll(t, s, wishes)
					lookAt(t, s, wishes, stored, true)
					if hit = disk.Mend(); hit > 0 {
						tried++
					}
					lookAt(t, s, wishes, stored, false)
					again := sendAll(t, s, wishes)
					lookAt(t, s, wishes, allOf(orders), false)
					for i := range again {
						if !again[i] {
							t.Errorf("%s, operation %d: with a disk that works again a command was refused", how, n)
						}
					}
				}
				must(t, s.Close())
				checkWhole(t, path, all)
			}
			t.Logf("%d operations failed", tried)
			if tried < 20/faultydisk.Every() {
				t.Errorf("only %d operations failed", tried)
			}
		})
	}
}

// checkWhole opens a file and wants each of the commands there once, and nothing else.
func checkWhole(t *testing.T, path string, wishes []wish) {
	t.Helper()
	s, err := sqlite.Open(path, sqlite.Options{})
	must(t, err)
	defer s.Close()
	lookAt(t, s, wishes, allOf(len(wishes)), false)
	want := 0
	for _, w := range wishes {
		want += len(w.events)
	}
	var got int
	must(t, raw(t, path).QueryRow(`SELECT count(*) FROM events`).Scan(&got))
	if got != want {
		t.Errorf("%d events are stored, want %d", got, want)
	}
}

// The same while the store comes back after a failure: it opens its connection again, and may fail again at any operation of that.
func TestEveryOperationOfComingBackFails(t *testing.T) {
	path, disk, done := newPlace(t)
	t.Cleanup(done)
	s := open(t, path, sqlite.Options{})
	var all []wish
	tried := 0
	for _, first := range []faultydisk.Fault{{N: 1, Kinds: faultydisk.Write}, {N: 1, Kinds: faultydisk.Sync}} {
		for how, broken := range faults() {
			for n, hit := 1+rand.IntN(faultydisk.Every()), 1; hit > 0 && !t.Failed(); n += faultydisk.Every() {
				wishes := wishesOf(fmt.Sprintf("%d, %s, %d", first.Kinds, how, n), 1, 2)
				all = append(all, wishes...)
				disk.Break(first)
				stored := sendAll(t, s, wishes)
				if disk.Mend() == 0 || stored[0] {
					t.Fatal("the append did not fail")
				}
				broken.N = n
				disk.Break(broken)
				stored = sendAll(t, s, wishes)
				lookAt(t, s, wishes, stored, true)
				if hit = disk.Mend(); hit > 0 {
					tried++
				}
				sendAll(t, s, wishes)
				lookAt(t, s, wishes, allOf(1), false)
			}
		}
	}
	must(t, s.Close())
	checkWhole(t, path, all)
	t.Logf("%d operations failed", tried)
}

// Whichever operation fails while a new file is opened: the error is a sentence, and the next attempt gets the store.
func TestEveryOperationOfAFreshFileFails(t *testing.T) {
	tried := 0
	for how, broken := range faults() {
		for n, hit := 1+rand.IntN(faultydisk.Every()), 1; hit > 0 && !t.Failed(); n += faultydisk.Every() {
			path, disk, done := newPlace(t)
			broken.N = n
			disk.Break(broken)
			wishes := wishesOf("o", 1, 2)
			stored := []bool{false}
			s, err := sqlite.Open(path, sqlite.Options{})
			if err == nil {
				stored = sendAll(t, s, wishes)
				lookAt(t, s, wishes, stored, true)
				_ = s.Close() // what it says is another test's
			} else if fault.KindOf(err) != fault.Unavailable || fault.Sentence(err) == "" {
				t.Errorf("%s, operation %d: %v", how, n, err)
			}
			if hit = disk.Mend(); hit > 0 {
				tried++
			}
			s, err = sqlite.Open(path, sqlite.Options{})
			if err != nil {
				t.Errorf("%s, operation %d: with a disk that works again: %v", how, n, err)
				continue
			}
			lookAt(t, s, wishes, stored, false)
			sendAll(t, s, wishes)
			must(t, s.Close())
			checkWhole(t, path, wishes)
			done()
		}
	}
	t.Logf("%d operations failed", tried)
}

// Whichever operation fails while the log is moved into the file, when a store that another process has left is opened and when one is
// closed: everything that was answered is there.
func TestEveryOperationOfACheckpointFails(t *testing.T) {
	const orders = 8
	path, disk, done := newPlace(t)
	t.Cleanup(done)
	s := open(t, path, sqlite.Options{})
	wishes := wishesOf("o", orders, 2)
	sendAll(t, s, wishes)
	left := disk.Cut(1)
	tried := 0
	for how, broken := range faults() {
		for n, hit := 1+rand.IntN(faultydisk.Every()), 1; hit > 0 && !t.Failed(); n += faultydisk.Every() {
			path, disk, done := newPlace(t)
			must(t, left.Put(filepath.Dir(path)))
			broken.N = n
			disk.Break(broken)
			s, err := sqlite.Open(path, sqlite.Options{})
			if err == nil {
				lookAt(t, s, wishes, allOf(orders), true)
				_ = s.Close()
			} else if fault.KindOf(err) != fault.Unavailable {
				t.Errorf("%s, operation %d: %v", how, n, err)
			}
			if hit = disk.Mend(); hit > 0 {
				tried++
			}
			checkWhole(t, path, wishes)
			done()
		}
	}
	t.Logf("%d operations failed", tried)
}

// Operations fail in transactions of megabytes, every fourth of which also has SQLite move the log into the file.
func TestOperationsOfLargeTransactionsFail(t *testing.T) {
	path, disk, done := newPlace(t)
	t.Cleanup(done)
	s := open(t, path, sqlite.Options{})
	large := eventstore.NewEvent{Type: "OrderCancelled", Schema: 2, Data: []byte(`{"reason":"` + strings.Repeat("x", 90_000/faultydisk.Every()) + `"}`)}
	newLarge := func(name string) wish {
		w := newWish(stream(name), 0, 0)
		for range eventstore.MaxAppend {
			w.events = append(w.events, large)
		}
		return w
	}
	disk.Break(faultydisk.Fault{N: 1 << 30})
	must(t, newLarge("first").send(s))
	total := disk.Count()
	disk.Mend()
	tries, hit := 4, 0
	if soaking() {
		tries = 200
	}
	faults := []faultydisk.Fault{{}, {Stays: true, Full: true, Half: true}}
	for try := range tries {
		broken := faults[try%len(faults)]
		broken.N = 1 + rand.IntN(total*3/2)
		w := newLarge(fmt.Sprintf("%d", try))
		disk.Break(broken)
		stored := sendAll(t, s, []wish{w})
		lookAt(t, s, []wish{w}, stored, true)
		hit += min(1, disk.Mend())
		lookAt(t, s, []wish{w}, stored, false)
		must(t, w.send(s))
		lookAt(t, s, []wish{w}, allOf(1), false)
	}
	t.Logf("%d transactions of about %d operations, %d of which had a failure", tries, total, hit)
}

func soaking() bool { return os.Getenv("HEADWAY_SOAK") != "" }

// The power goes at any moment of a history of commands, on a disk whose syncs fail now and then: what was answered, and what was read, is
// there; no command is there in part; what was not answered can be sent again.
func TestPowerCuts(t *testing.T) {
	histories, cuts := 4, 0
	switch {
	case faultydisk.Every() > 1:
		histories = 1
	case soaking():
		histories = 200
	}
	for seed := range uint64(histories) {
		cuts += powerCuts(t, seed)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d power cuts in %d histories", cuts, histories)
}

// A process ends after it has written a command to the log and before that was synced, or after the sync has failed: whoever opens the
// store then reads the command, and may be asked for it again. Both are answers, so the command is durable before there is one, though the
// system may hold that there is nothing left to sync.
func TestWhatWasNeverSyncedIsDurableBeforeItIsRead(t *testing.T) {
	for name, half := range map[string]bool{"it was not synced": false, "the sync failed": true} {
		t.Run(name, func(t *testing.T) {
			found := 0
			for round := range 1 + uint64(12/faultydisk.Every()) {
				path, disk, done := newPlace(t)
				s, err := sqlite.Open(path, sqlite.Options{})
				must(t, err)
				must(t, newWish(stream("before"), 0, 1).send(s))
				disk.Break(faultydisk.Fault{N: 1, Kinds: faultydisk.Sync | faultydisk.Delete | faultydisk.Truncate, Stays: true, Half: half})
				w := newWish(stream("a"), 0, 3)
				if err := w.send(s); err == nil {
					t.Fatal("it was answered before it was synced")
				}
				_ = s.Close()
				disk.Mend()
				must(t, os.Remove(path+"-shm")) // nobody has it open: the next one makes it from the log
				s, err = sqlite.Open(path, sqlite.Options{})
				must(t, err)
				disk.Rewritten(filepath.Base(path) + "-wal") // TestLogIsRewritten sees that it is
				records, err := s.Read(t.Context(), stream("a"), 0)
				must(t, err)
				image := disk.Cut(round)
				must(t, w.send(s))
				again := disk.Cut(round)
				must(t, s.Close())
				done()
				found += len(records) / 3
				for when, left := range map[string]struct {
					image faultydisk.Image
					want  int
				}{"read": {image, len(records)}, "sent again": {again, 3}} {
					path, _, done := newPlace(t)
					must(t, left.image.Put(filepath.Dir(path)))
					s, err := sqlite.Open(path, sqlite.Options{})
					must(t, err)
					if kept, err := s.Read(t.Context(), stream("a"), 0); err != nil || len(kept) != left.want && len(kept) != 3 {
						t.Errorf("after it was %s, the power was cut: %d events were shown, %d are left (%v)", when, left.want, len(kept), err)
					}
					must(t, s.Close())
					done()
				}
			}
			if found == 0 && faultydisk.Every() == 1 {
				t.Error("what was not synced was never there, so nothing was tested")
			}
		})
	}
}

// promised is what a client was told of its order: versions that it asked for, and those that it has seen.
type promised struct {
	order       eventstore.StreamID
	asked, seen atomic.Int64
	commands    []wish
}

func powerCuts(t *testing.T, seed uint64) (cuts int) {
	t.Helper()
	const clients, rounds, each = 4, 4, 6
	chance := rand.New(rand.NewPCG(seed, 1))
	path, disk, done := newPlace(t)
	t.Cleanup(done)
	all := make([]*promised, clients)
	for i := range all {
		all[i] = &promised{order: stream(fmt.Sprintf("order %d", i))}
	}
	type cut struct {
		image       faultydisk.Image
		asked, seen [clients]int64
	}
	var taken []cut
	disk.Watch(func(o faultydisk.Operation) {
		if chance.IntN(12*faultydisk.Every()) != 0 {
			return
		}
		c := cut{image: disk.Cut(chance.Uint64())}
		for i, p := range all {
			c.asked[i], c.seen[i] = p.asked.Load(), p.seen.Load()
		}
		taken = append(taken, c)
	}, nil)
	for range rounds {
		s, err := sqlite.Open(path, sqlite.Options{})
		must(t, err)
		disk.Rewritten(filepath.Base(path) + "-wal")
		for _, p := range all { // whoever looks after a restart believes what they see
			p.look(t, s)
		}
		var broken faultydisk.Fault
		switch chance.IntN(3) {
		case 0:
			broken = faultydisk.Fault{N: 1 + chance.IntN(12), Kinds: faultydisk.Sync, Half: chance.IntN(2) == 0}
		case 1:
			broken = faultydisk.Fault{N: 1 + chance.IntN(60), Half: true}
		case 2:
			broken = faultydisk.Fault{N: 1 << 30}
		}
		disk.Break(broken)
		var working sync.WaitGroup
		for i, p := range all {
			chance := rand.New(rand.NewPCG(seed, uint64(i+2)))
			working.Go(func() {
				for range each {
					p.step(t, s, chance)
				}
			})
		}
		working.Wait()
		disk.Mend()
		if chance.IntN(2) == 0 { // it is killed while it writes: nothing of it reaches the files any more, and the system keeps what did
			disk.Break(faultydisk.Fault{N: 1 + chance.IntN(6), Stays: true, Half: chance.IntN(2) == 0})
			for _, p := range all {
				p.step(t, s, chance)
			}
			_ = s.Close()
			disk.Mend()
			_ = os.Remove(path + "-shm") // nobody has it open
			continue
		}
		must(t, s.Close())
	}
	disk.Watch(nil, nil)
	for _, c := range taken {
		path, _, done := newPlace(t)
		must(t, c.image.Put(filepath.Dir(path)))
		s, err := sqlite.Open(path, sqlite.Options{})
		if err != nil {
			t.Fatalf("after a power cut: %v", err)
		}
		for i, p := range all {
			p.check(t, s, c.asked[i], c.seen[i])
		}
		must(t, s.Close())
		done()
	}
	return len(taken)
}

// step sends the next command, or the one that was not answered again, or only looks.
func (p *promised) step(t *testing.T, s *sqlite.Store, chance *rand.Rand) {
	asked, seen := p.asked.Load(), p.seen.Load()
	if chance.IntN(4) == 0 {
		p.look(t, s)
		return
	}
	if asked == seen {
		p.commands = append(p.commands, newWish(p.order, int(seen), 1+chance.IntN(3)))
	}
	w := p.commands[len(p.commands)-1]
	to := int64(w.expect + len(w.events))
	p.asked.Store(to)
	switch err := w.send(s); {
	case err == nil:
		p.seen.Store(to)
	case fault.KindOf(err) != fault.Unavailable:
		t.Errorf("a command at %d of %s: %v", w.expect, p.order, err)
	}
}

// look reads the order: what is shown to somebody must stay.
func (p *promised) look(t *testing.T, s *sqlite.Store) {
	records, err := s.Read(context.Background(), p.order, 0)
	switch n := int64(len(records)); {
	case err != nil && fault.KindOf(err) != fault.Unavailable:
		t.Error(err)
	case err == nil && (n < p.seen.Load() || n > p.asked.Load()):
		t.Errorf("%s has %d events; %d were seen, %d asked for", p.order, n, p.seen.Load(), p.asked.Load())
	case err == nil:
		p.seen.Store(n)
	}
}

// check wants what was seen, whole commands only, and the first command that is missing to be taken.
func (p *promised) check(t *testing.T, s *sqlite.Store, asked, seen int64) {
	t.Helper()
	records, err := s.Read(t.Context(), p.order, 0)
	must(t, err)
	n := int64(len(records))
	if n < seen || n > asked {
		t.Errorf("%s: %d versions were seen and %d asked for when the power went; %d are there", p.order, seen, asked, n)
	}
	for i, r := range records {
		if r.Version != i+1 {
			t.Errorf("%s has version %d in place %d", p.order, r.Version, i+1)
		}
	}
	for _, w := range p.commands {
		switch end := int64(w.expect + len(w.events)); {
		case int64(w.expect) < n && n < end:
			t.Errorf("%s has %d events, which is a command in part", p.order, n)
		case int64(w.expect) <= n && end <= asked: // there or next
			if err := w.send(s); err != nil {
				t.Errorf("%s: a command at %d, sent again after the power cut: %v", p.order, w.expect, err)
			}
			n = max(n, end)
		}
	}
	if records, err := s.Read(t.Context(), p.order, 0); err != nil || int64(len(records)) != n {
		t.Errorf("%s has %d events after all was sent again, want %d (%v)", p.order, len(records), n, err)
	}
}
