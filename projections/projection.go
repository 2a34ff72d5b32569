package projections

import (
	"fmt"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/orders"
)

// Projection declares what is projected. Whatever works with projections takes them from All, and asks for none by its name.
type Projection struct {
	Name  string // on the wire; for people it is made of the same words
	Short string // for people, where a line has no room for its name
	// Generation changes with the fold, and with what a row is: rows of another generation are made again.
	Generation int
	// Fold continues a row with the events of its order, oldest first; nil begins one. Events that the row has are ignored. The row it returns
	// is the state before the hold, if there is one. The error is always a *Gap.
	Fold func(codec domain.Codec, row Row, records []eventstore.Record) (Row, *orders.Hold, error)
	// Want is the row that an order should have, by a fold of its own with domain.Order, to compare with what Fold made of the same events.
	Want func(codec domain.Codec, stream orders.Stream) Row
	// Contributions say how rows add up to sums; nil if an order's row is all that there is. If not, every row is a Contributor.
	Contributions *Contributions
}

// Contributions say how orders add up to something else, such as a customer.
type Contributions struct {
	Noun string // for people: what a sum is of
	// Add adds what a row contributes to sums by their keys; only to these, unless it is nil. Adding in any order gives the same, and never
	// changes the memory of a sum.
	Add func(sums map[string]Sum, row Row, only func(key string) bool)
}

// All lists the projections in the order in which pages show them.
func All() []Projection {
	return []Projection{orderList(), customerOrderSummary(), productSummary(), activity()}
}

// Key is the projection's, of one part that has the whole feed.
func (p Projection) Key() Key { return Key{Projection: p.Name, Generation: p.Generation} }

// Named is the projection of that name; NotFound if there is none.
func Named(name string) (Projection, error) {
	for _, p := range All() {
		if p.Name == name {
			return p, nil
		}
	}
	return Projection{}, fault.Errorf(fault.NotFound, "There is no projection %s.", fmt.Sprintf("%.80q", name))
}

// Row is what a projection keeps for one order. It is the projection's position in that order, too: the version is written in the same
// transaction or document.
type Row interface {
	Order() domain.OrderID
	At() int // the version it was built from
	// Fields is what the row says, besides its version: always the same names in the same order.
	Fields() []Field
}

// Sum is what the contributions of several orders add up to.
type Sum interface {
	Key() string
	// Fields is what the sum says: always the same names in the same order.
	Fields() []Field
}

// Field is one thing that a row says. Values that show the same are the same.
type Field struct {
	Name  string // as on the wire
	Value any
}

// foldOf is a fold of any row; no row, or a row of another kind, is the zero row.
func foldOf[R Row](
	fold func(domain.Codec, R, []eventstore.Record) (R, *orders.Hold, error),
) func(domain.Codec, Row, []eventstore.Record) (Row, *orders.Hold, error) {
	return func(codec domain.Codec, row Row, records []eventstore.Record) (Row, *orders.Hold, error) {
		r, _ := row.(R)
		return fold(codec, r, records)
	}
}
