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

// eachNew decodes the events after a version, in their order, and gives them to apply; events up to that version change nothing. It
// stops at the first that cannot be decoded or applied, which is the hold, or at a gap, which is the error.
//
// The folds here know the events and not domain.Order: verify compares the two.
func eachNew(
	codec domain.Codec, at int, records []eventstore.Record, apply func(eventstore.Record, domain.Event) error,
) (*orders.Hold, error) {
	for _, r := range records {
		if r.Version <= at {
			continue
		}
		if r.Version != at+1 {
			return nil, &Gap{Version: r.Version, After: at}
		}
		event, err := codec.Decode(orders.RawOf(r))
		if err == nil {
			err = follows(at, event)
		}
		if err == nil {
			err = apply(r, event)
		}
		if err != nil {
			return &orders.Hold{Version: r.Version, Reason: fault.Sentence(err)}, nil
		}
		at = r.Version
	}
	return nil, nil
}

// follows refuses an order that does not begin with its creation, and one that is created twice.
func follows(at int, event domain.Event) error {
	_, creates := event.(domain.OrderCreated)
	switch {
	case creates && at > 0:
		return fault.Errorf(fault.Invalid, "The order is created a second time.")
	case !creates && at == 0:
		return fault.Errorf(fault.Invalid, "%s comes before the order is created.", event.Type())
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
