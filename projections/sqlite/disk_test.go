package sqlite_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"headway/domain"
	"headway/eventstore"
	events "headway/eventstore/sqlite"
	"headway/fault"
	"headway/internal/faultydisk"
	"headway/orders/orderstest"
	"headway/projections"
	"headway/projections/runner"
	"headway/projections/sqlite"
	"headway/projections/verify"
)

// The tests of this file have rows on a disk that fails, and one whose power goes; the log is on one that works.

var disks = sync.OnceValues(faultydisk.Install)

// newPlace is a folder on a disk of its own, until the end of the test.
func newPlace(t *testing.T) (folder string, disk *faultydisk.Disk) {
	t.Helper()
	all, err := disks()
	if err != nil {
		t.Fatal(err)
	}
	// The disk is the test's: under it may be memory, where there is such a thing.
	if folder, err = os.MkdirTemp("/dev/shm", "headway"); err != nil { //nolint:usetesting // it falls back to that
		folder = t.TempDir()
	}
	t.Cleanup(func() {
		all.Forget(folder)
		os.RemoveAll(folder)
	})
	return folder, all.At(folder)
}

// shop is a log in which orders move.
type shop struct {
	t      *testing.T
	log    *events.Store
	chance *rand.Rand
	heads  []int // by the number of the order
}

func newShop(t *testing.T, seed uint64) *shop {
	t.Helper()
	folder, _ := newPlace(t)
	log, err := events.Open(filepath.Join(folder, "events.db"), events.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	return &shop{t: t, log: log, chance: rand.New(rand.NewPCG(seed, 1))}
}

func idOf(order int) domain.OrderID { return domain.OrderID(fmt.Sprintf("order-%03d", order)) }

// trade moves some orders by an event each, of which some are new.
func (s *shop) trade(moves int) {
	s.t.Helper()
	for range moves {
		order := s.chance.IntN(len(s.heads)/2 + 2)
		if order >= len(s.heads) {
			order, s.heads = len(s.heads), append(s.heads, 0)
		}
		item := domain.Item{SKU: "tea", Name: fmt.Sprintf("Tea %d", s.chance.IntN(100)), Quantity: 2, Price: domain.Money{Minor: 450, Currency: "EUR"}}
		var event domain.Event = domain.OrderItemAdded{Item: item}
		if s.heads[order] == 0 {
			event = domain.OrderCreated{CustomerID: fmt.Sprintf("customer %d", order%3), Currency: "EUR", Items: []domain.Item{item}}
		}
		id := uuid.NewString()
		m := eventstore.Metadata{CausationID: id, CorrelationID: id, CommandHash: id, Timestamp: time.Now()}
		orderstest.Append(s.t, s.log, idOf(order), s.heads[order], m, event)
		s.heads[order]++
	}
}

func (s *shop) projector(read projections.Store) *runner.Projector {
	return runner.New(s.log, read, runner.Options{Alone: true})
}

// clean wants every row to be what its events say, at their head.
func (s *shop) clean(read projections.Store, when string) {
	s.t.Helper()
	report, err := verify.Run(context.Background(), s.log, read, domain.Codec{}, verify.Options{})
	if err != nil || !report.Clean() || report.Orders != len(s.heads) {
		s.t.Fatalf("%s: %d orders, %v, %v", when, report.Orders, err, report.Differences)
	}
}

func openRows(t *testing.T, folder string) *sqlite.Store {
	t.Helper()
	read, err := sqlite.Open(filepath.Join(folder, "read.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// Whichever operation on the disk fails while events are projected: the error is Unavailable, no row is ahead of its order, and once the
// disk works again the same projector brings every row up; so does another one after the process has ended there.
func TestEveryOperationOfAProjectionFails(t *testing.T) {
	for how, c := range map[string]struct {
		broken faultydisk.Fault
		ends   bool // the process does, while the disk is broken
	}{
		"once, half done":                        {faultydisk.Fault{Half: true}, false},
		"the disk is full":                       {faultydisk.Fault{Stays: true, Full: true}, false},
		"until the process has ended, half done": {faultydisk.Fault{Stays: true, Half: true}, true},
	} {
		t.Run(how, func(t *testing.T) {
			folder, disk := newPlace(t)
			s, read := newShop(t, 1), openRows(t, folder)
			p := s.projector(read)
			s.trade(5)
			if _, err := p.Step(t.Context()); err != nil {
				t.Fatal(err)
			}
			tried := 0
			for n, hit := 1+rand.IntN(faultydisk.Every()), 1; hit > 0; n += faultydisk.Every() {
				s.trade(3)
				c.broken.N = n
				disk.Break(c.broken)
				if _, err := p.Step(t.Context()); err != nil && fault.KindOf(err) != fault.Unavailable && fault.KindOf(err) != fault.Conflict {
					t.Errorf("operation %d: %v", n, err)
				}
				s.noneAhead(read)
				if c.ends {
					_ = read.Close() // what it says does not matter: the process is gone
				}
				if hit = disk.Mend(); hit > 0 {
					tried++
				}
				if c.ends {
					_ = os.Remove(filepath.Join(folder, "read.db-shm")) // nobody has it open
					read = openRows(t, folder)
					p = s.projector(read)
				}
				for range 2 { // the first may find out that it has lost its lease
					_, _ = p.Step(t.Context())
				}
				s.clean(read, fmt.Sprintf("operation %d", n))
			}
			t.Logf("%d operations failed", tried)
			if err := read.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// noneAhead wants no row to be newer than its order; rows that cannot be read are none.
func (s *shop) noneAhead(read *sqlite.Store) {
	s.t.Helper()
	for _, projection := range projections.All() {
		for order, head := range s.heads {
			versions, err := read.Versions(context.Background(), projection.Name, idOf(order))
			if err != nil && fault.KindOf(err) != fault.Unavailable {
				s.t.Error(err)
			}
			if v := versions[idOf(order)]; v > head {
				s.t.Errorf("%s is at %d in %s, and its head is %d", idOf(order), v, projection.Name, head)
			}
		}
	}
}

// The power goes at any moment of a projection, whose rows are synced seldom: what is left is rows and a checkpoint that belong together,
// and the next projector brings them up.
func TestPowerCutsOfRows(t *testing.T) {
	histories, cuts := 2, 0
	switch {
	case faultydisk.Every() > 1:
		histories = 1
	case os.Getenv("HEADWAY_SOAK") != "":
		histories = 50
	}
	for seed := range uint64(histories) {
		folder, disk := newPlace(t)
		s := newShop(t, seed)
		var images []faultydisk.Image
		disk.Watch(func(faultydisk.Operation) {
			if s.chance.IntN(60*faultydisk.Every()) == 0 {
				images = append(images, disk.Cut(s.chance.Uint64()))
			}
		}, nil)
		for range 3 {
			read := openRows(t, folder)
			p := s.projector(read)
			for range 4 {
				s.trade(8)
				if _, err := p.Step(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if err := read.Close(); err != nil { // which moves the log into the file
				t.Fatal(err)
			}
		}
		disk.Watch(nil, nil)
		for i, image := range images {
			after, _ := newPlace(t)
			if err := image.Put(after); err != nil {
				t.Fatal(err)
			}
			read := openRows(t, after)
			if _, err := s.projector(read).Step(t.Context()); err != nil {
				t.Fatalf("seed %d, cut %d: %v", seed, i, err)
			}
			s.clean(read, fmt.Sprintf("seed %d, cut %d", seed, i))
			if err := read.Close(); err != nil {
				t.Error(err)
			}
		}
		cuts += len(images)
	}
	t.Logf("%d power cuts in %d histories", cuts, histories)
}

// Rows that the disk has damaged are not worth keeping, and whoever starts the program is told so.
func TestDamagedRowsAreSaidToBe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "read.db")
	read := open(t, path)
	fill(t, read, 10)
	read.Close()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(bytes.Repeat([]byte{0x5a}, 1000), 100); err != nil { // after the header
		t.Fatal(err)
	}
	if _, err := sqlite.Open(path, sqlite.Options{}); fault.KindOf(err) != fault.Refused || !strings.Contains(fault.Sentence(err), "Delete it") {
		t.Errorf("a person is told %q: %v", fault.Sentence(err), err)
	}
}
