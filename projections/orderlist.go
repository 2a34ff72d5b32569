package projections

import (
	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/orders"
)

// FoldOrderList continues a row with the events of its order, oldest first; the zero row begins one. Events that the row has
// are ignored. The row it returns is the state before the hold, if there is one. The error is always a *Gap.
func FoldOrderList(codec domain.Codec, row OrderRow, records []eventstore.Record) (OrderRow, *orders.Hold, error) {
	hold, err := eachNew(codec, row.Version, records, func(r eventstore.Record, event domain.Event) error {
		next := row
		if err := next.apply(r, event); err != nil {
			return err
		}
		next.ID, next.Version, next.StoredAt = orders.IDOf(r.Stream), r.Version, r.StoredAt.UTC()
		row = next
		return nil
	})
	return row, hold, err
}

func (r *OrderRow) apply(record eventstore.Record, event domain.Event) (err error) {
	at := record.Metadata.Timestamp.UTC()
	switch e := event.(type) {
	case domain.OrderCreated:
		r.Reference, r.CustomerID, r.Status, r.CreatedAt = e.Reference, e.CustomerID, domain.Created, at
		r.Total = domain.Money{Currency: e.Currency}
		err = r.addLines(e.Items...)
	case domain.OrderItemAdded:
		err = r.addLines(e.Item)
	case domain.OrderConfirmed:
		r.Status, r.ConfirmedAt = domain.Confirmed, at
	case domain.OrderCancelled:
		r.Status, r.CancelledAt = domain.Cancelled, at
	default:
		err = fault.Errorf(fault.Invalid, "The order list does not know %s.", event.Type())
	}
	return err
}

func (r *OrderRow) addLines(items ...domain.Item) (err error) {
	r.ItemCount += len(items)
	r.Words = addWords(r.Words, items...)
	r.Total, err = addLines(r.Total, items...)
	return err
}
