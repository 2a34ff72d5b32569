package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"

	"headway/domain"
	"headway/eventstore"
	"headway/orders"
)

// shop is a believable wholesaler: the same orders for the same number of them, but for when it is now.
type shop struct {
	orders    int
	now       time.Time
	buyers    []buyer
	favourite []int // the buyers, each as often as it orders
}

// buyer orders in one currency.
type buyer struct {
	name     string
	currency domain.Currency
}

const (
	shopSeed    = 0x5123
	shopYears   = 3
	buyersPer   = 33 // orders there is a customer for each so many
	shopWriters = 512
)

var (
	firstNames = [...]string{
		"Ada", "Bäckerei", "Café", "Delft", "Emil", "Fjord", "Grace", "Harbour", "Ingrid", "Jürgen", "Kyoto", "Lisboa", "Mary", "Nordlys", "Olive",
		"Petit", "Quay", "Rösterei", "Smith", "Tanaka", "Umbra", "Victor", "Wild", "Xenia", "Yoko", "Zürich",
	}
	secondNames = [...]string{
		"Atelier", "Brothers", "Catering", "Deli", "Epicerie", "Foods", "Grünwald", "Hotels", "Imports", "Kissa", "Lovelace", "Market", "O'Brien", "Partners",
		"Roasters", "Supply", "Tearoom", "Union", "Werkstatt",
	}
	legalForms = [...]string{"GmbH", "Ltd", "Inc", "AS", "KK", "Lda", "& Sons"}
	currencies = [...]domain.Currency{"EUR", "EUR", "EUR", "GBP", "USD", "USD", "CHF", "JPY"}
	materials  = [...]string{
		"Almond", "Black", "Copper", "Double", "Espresso", "Filter", "Green", "Hazelnut", "Ivory", "Jasmine", "Linen", "Matte", "Oak", "Paper", "Quartz",
		"Red", "Stoneware", "Vanilla", "White", "Zinc",
	}
	things = [...]string{
		"apron", "beans", "cup", "descaler", "grinder", "filter", "glass", "jug", "kettle", "lid", "machine", "napkin", "oat milk", "pot", "syrup", "tea",
		"tray", "water filter",
	}
	reasonsGiven = [...]string{"The customer ordered twice.", "Out of stock until next month.", "Wrong delivery address; ordered again.", "Payment was refused."}
)

// newShop knows its customers; a few of them give most of the orders.
func newShop(count int, now time.Time) *shop {
	s := &shop{orders: count, now: now.UTC().Truncate(time.Second)}
	for i := range max(count/buyersPer, 10) {
		rng := s.random(0, i)
		s.buyers = append(s.buyers, buyer{
			fmt.Sprintf("%s %s %s %d", firstNames[rng.IntN(len(firstNames))], secondNames[rng.IntN(len(secondNames))],
				legalForms[rng.IntN(len(legalForms))], 1+i), currencies[rng.IntN(len(currencies))],
		})
		for range 1 + 60/(1+i%61) {
			s.favourite = append(s.favourite, i)
		}
	}
	return s
}

func (s *shop) random(kind, i int) *rand.Rand {
	return rand.New(rand.NewPCG(shopSeed+uint64(kind), uint64(i))) //nolint:gosec // a story is not a secret; neither is negative
}

// fact is one event of a life, as it is stored.
type fact struct {
	event domain.Event
	at    time.Time
}

// life is what happened to the i-th order, oldest order first.
func (s *shop) life(i int) []fact {
	rng := s.random(1, i)
	span := shopYears * 365 * 24 * time.Hour
	at := s.now.Add(-span + time.Duration(float64(span)*float64(i)/float64(s.orders)) - time.Duration(rng.IntN(48*3600))*time.Second)
	by := s.buyers[s.favourite[rng.IntN(len(s.favourite))]]
	created := domain.OrderCreated{CustomerID: by.name, Currency: by.currency, Reference: fmt.Sprintf("SO-%d-%d", at.Year(), 100_001+i)}
	for range 1 + rng.IntN(4) {
		created.Items = append(created.Items, s.item(rng, by.currency))
	}
	facts := []fact{{created, at}}
	later := func(event domain.Event, most time.Duration) {
		if at = at.Add(time.Minute + time.Duration(rng.Int64N(int64(most)))); at.Before(s.now) {
			facts = append(facts, fact{event, at})
		}
	}
	if rng.IntN(100) < 22 {
		later(domain.OrderItemAdded{Item: s.item(rng, by.currency)}, time.Hour)
	}
	switch fate := rng.IntN(100); {
	case fate < 4: // forgotten
	case fate < 10:
		later(domain.OrderCancelled{Reason: reasonsGiven[rng.IntN(len(reasonsGiven))]}, 60*time.Hour)
	default:
		later(domain.OrderConfirmed{}, 40*time.Hour)
	}
	return facts
}

func (*shop) item(rng *rand.Rand, c domain.Currency) domain.Item {
	m, t := rng.IntN(len(materials)), rng.IntN(len(things))
	return domain.Item{
		SKU: fmt.Sprintf("%.3s-%.3s-%d", materials[m], things[t], 100+(m*len(things)+t)%900), Name: materials[m] + " " + things[t],
		Quantity: 1 + rng.Int64N(24), Price: domain.Money{Minor: 95 + 10*rng.Int64N(int64(40+m*m*t)), Currency: c},
	}
}

// command is the id of the v-th command of the i-th order: the same whenever it is told.
func (*shop) command(i, v int) domain.CommandID {
	var id uuid.UUID
	hash := rand.NewPCG(shopSeed, uint64(i)<<8|uint64(v))
	binary.BigEndian.PutUint64(id[:8], hash.Uint64())
	binary.BigEndian.PutUint64(id[8:], hash.Uint64())
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return domain.CommandID(id.String())
}

// tell appends the orders to the store, each command by an append of its own, and answers how many events there are. Telling what is there
// already changes nothing.
func (s *shop) tell(ctx context.Context, store eventstore.Store) (events int, err error) {
	var mu sync.Mutex
	var writing sync.WaitGroup
	var next, stored int
	for range shopWriters {
		writing.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				ended := i >= s.orders || err != nil
				mu.Unlock()
				if ended {
					return
				}
				facts := s.life(i)
				failed := s.append(ctx, store, i, facts)
				mu.Lock()
				stored += len(facts)
				if failed != nil && err == nil {
					err = failed
				}
				mu.Unlock()
			}
		})
	}
	writing.Wait()
	return stored, err
}

func (s *shop) append(ctx context.Context, store eventstore.Store, i int, facts []fact) error {
	id := orders.OrderIDFor(s.command(i, 1))
	for v, f := range facts {
		command := s.command(i, v+1)
		m := eventstore.Metadata{
			CausationID: string(command), CorrelationID: string(command), UserID: fmt.Sprint("operator-", 1+i%9), Timestamp: f.at, SeenVersion: v,
			CommandHash: string(command[:8] + command[9:13] + command[14:18] + command[19:23]),
		}
		if err := appendTo(ctx, store, id, v, m, f.event); err != nil {
			return err
		}
	}
	return nil
}
