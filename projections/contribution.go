package projections

import (
	"slices"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/orders"
)

// Contribution is what an order adds to one sum. Two that are equal add the same.
type Contribution interface {
	comparable
	// Key is the sum's.
	Key() string
	// Counts tells whether it adds anything. One that does so no more, because a line left or the customer was corrected, stays with its
	// order.
	Counts() bool
	// Fields is what it says, by names that are no other contribution's of the same order.
	Fields() []Field
}

// Contributed is the row of an order in a projection that adds up: all that the order ever added to, at the order's version.
type Contributed[C Contribution] struct {
	ID            domain.OrderID
	Version       int
	StoredAt      time.Time
	Status        domain.Status // of the order
	Lines         int           // that the order ever had
	Total         domain.Money  // so that an event is refused here where the order itself refuses it
	Contributions []C           // in an order that follows from the events alone
}

// Contributor is a row that adds to sums.
type Contributor interface {
	Row
	// Keys are those of the sums, also of those to which the order adds nothing any more.
	Keys() []string
}

// Order is the row's order.
func (r Contributed[C]) Order() domain.OrderID { return r.ID }

// At is the row's version.
func (r Contributed[C]) At() int { return r.Version }

// Fields is Row's.
func (r Contributed[C]) Fields() []Field {
	fields := []Field{{"id", r.ID}, {"storedAt", r.StoredAt}, {"status", r.Status}, {"lines", r.Lines}, {"total", r.Total}}
	for _, c := range r.Contributions {
		fields = append(fields, c.Fields()...)
	}
	return fields
}

// Keys is Contributor's.
func (r Contributed[C]) Keys() []string {
	keys := make([]string, len(r.Contributions))
	for i, c := range r.Contributions {
		keys[i] = c.Key()
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Changes is what an order adds no more and what it adds anew when its row becomes another: a contribution that changed is in both. Those
// that do not count are left out.
func (r Contributed[C]) Changes(next Contributed[C]) (gone, come []C) {
	return without(r.Contributions, next.Contributions), without(next.Contributions, r.Contributions)
}

// without is the contributions that count and that others have not.
func without[C Contribution](these, others []C) (rest []C) {
	if len(others) > few {
		known := make(map[C]bool, len(others))
		for _, c := range others {
			known[c] = true
		}
		return slices.DeleteFunc(slices.Clone(these), func(c C) bool { return !c.Counts() || known[c] })
	}
	for _, c := range these {
		if c.Counts() && !slices.Contains(others, c) {
			rest = append(rest, c)
		}
	}
	return rest
}

const few = 8 // contributions that are found faster one by one than by a map

// adding is how a projection adds up: what events make of an order's contributions, and what a sum is with one more.
type adding[C Contribution, S Sum] struct {
	noun string
	// apply changes the contributions of an order, which are its own to change, by all facts of an event, and never takes a key away. The rest
	// of the row is as it is after the event.
	apply func(row Contributed[C], record eventstore.Record, facts []domain.Event) []C
	// want is the contributions by the domain's fold.
	want func(codec domain.Codec, stream orders.Stream) []C
	// plus is the sum with one more contribution, in any order; the zero sum begins one.
	plus func(sum S, c C) S
}

// declare fills in what a projection that adds up has.
func (a adding[C, S]) declare(p Projection) Projection {
	p.Fold, p.Want, p.Contributions = foldOf(a.fold), a.row, &Contributions{Noun: a.noun, Add: a.add}
	return p
}

func (a adding[C, S]) fold(codec domain.Codec, row Contributed[C], records []eventstore.Record) (Contributed[C], *orders.Hold, error) {
	row.Contributions = slices.Clone(row.Contributions)
	hold, err := eachNew(codec, row.Version, records, func(r eventstore.Record, facts []domain.Event) error {
		next := row
		for _, fact := range facts {
			if err := next.become(fact); err != nil {
				return err
			}
		}
		next.ID, next.Version, next.StoredAt = orders.IDOf(r.Stream), r.Version, r.StoredAt.UTC()
		next.Contributions = a.apply(next, r, facts)
		row = next
		return nil
	})
	return row, hold, err
}

// become is what the order is after a fact; Invalid where the order itself refuses it.
func (r *Contributed[C]) become(fact domain.Event) (err error) {
	switch e := fact.(type) {
	case domain.OrderCreated:
		r.Status, r.Total = domain.Created, domain.Money{Currency: e.Currency}
	case domain.OrderItemAdded:
	case domain.OrderConfirmed:
		r.Status = domain.Confirmed
	case domain.OrderCancelled:
		r.Status = domain.Cancelled
	case domain.OrderNoteAdded:
	default:
		return fault.Errorf(fault.Invalid, "Projections do not know %s.", fact.Type())
	}
	items := itemsOf(fact)
	r.Lines += len(items)
	r.Total, err = addLines(r.Total, items...)
	return err
}

// itemsOf is the lines that facts add, in their order.
func itemsOf(facts ...domain.Event) (items []domain.Item) {
	for _, fact := range facts {
		switch e := fact.(type) {
		case domain.OrderCreated:
			items = append(items, e.Items...)
		case domain.OrderItemAdded:
			items = append(items, e.Item)
		}
	}
	return items
}

func (a adding[C, S]) row(codec domain.Codec, stream orders.Stream) Row {
	o := stream.Order
	return Contributed[C]{
		ID: o.ID, Version: o.Version, StoredAt: stream.Records[o.Version-1].StoredAt.UTC(), Status: o.Status, Lines: len(o.Items),
		Total: o.Total, Contributions: a.want(codec, stream),
	}
}

func (a adding[C, S]) add(sums map[string]Sum, row Row, only func(key string) bool) {
	r, _ := row.(Contributed[C])
	for _, c := range r.Contributions {
		if key := c.Key(); c.Counts() && (only == nil || only(key)) {
			sum, _ := sums[key].(S)
			sums[key] = a.plus(sum, c)
		}
	}
}
