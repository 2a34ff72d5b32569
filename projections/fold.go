package projections

import (
	"fmt"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/orders"
)

// Gap is the error of a fold whose next event is missing: the order must be read again.
type Gap struct {
	Version int // of the event that came
	After   int // the version it does not follow
}

func (g *Gap) Error() string {
	return fmt.Sprintf("version %d does not follow version %d", g.Version, g.After)
}

// eachNew decodes the events after a version, in their order, and gives the facts of each to apply, which takes all of them or none; events
// up to that version change nothing. It stops at the first that cannot be decoded or applied, which is the hold, or at a gap, which is the
// error.
//
// The folds here know the events and not domain.Order: verify compares the two.
func eachNew(
	codec domain.Codec, at int, records []eventstore.Record, apply func(eventstore.Record, []domain.Event) error,
) (*orders.Hold, error) {
	for _, r := range records {
		if r.Version <= at {
			continue
		}
		if r.Version != at+1 {
			return nil, &Gap{Version: r.Version, After: at}
		}
		facts, err := codec.Decode(orders.RawOf(r))
		if err == nil {
			err = follow(at, facts)
		}
		if err == nil {
			err = apply(r, facts)
		}
		if err != nil {
			return &orders.Hold{Version: r.Version, Reason: fault.Sentence(err)}, nil
		}
		at = r.Version
	}
	return nil, nil
}

// follow refuses an order that does not begin with its creation, and one that is created twice.
func follow(at int, facts []domain.Event) error {
	exists := at > 0
	if !exists && len(facts) == 0 {
		return fault.Errorf(fault.Invalid, "Version 1 comes before the order is created.")
	}
	for _, fact := range facts {
		_, creates := fact.(domain.OrderCreated)
		switch {
		case creates && exists:
			return fault.Errorf(fault.Invalid, "The order is created a second time.")
		case !creates && !exists:
			return fault.Errorf(fault.Invalid, "%s comes before the order is created.", fact.Type())
		}
		exists = true
	}
	return nil
}

// addLines adds the totals of lines to a sum; Invalid if a currency differs or the sum does not fit.
func addLines(sum domain.Money, items ...domain.Item) (domain.Money, error) {
	for _, item := range items {
		line, err := item.Price.Times(item.Quantity)
		if err != nil {
			return sum, err
		}
		if sum, err = sum.Plus(line); err != nil {
			return sum, err
		}
	}
	return sum, nil
}
