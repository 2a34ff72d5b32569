package projections

import (
	"maps"
	"slices"
	"strings"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
	"headway/orders"
)

// OrderList is the projection of one row an order.
const OrderList = "order_list"

func orderList() Projection {
	return Projection{
		Name: OrderList, Short: "list", Generation: 1, Fold: foldOf(FoldOrderList), Want: wantOrderRow,
	}
}

// OrderRow is an order as the list shows it.
type OrderRow struct {
	ID          domain.OrderID
	Reference   string
	CustomerID  string
	Status      domain.Status
	ItemCount   int // lines
	Total       domain.Money
	CreatedAt   time.Time // business times, UTC, whole microseconds; zero if it has not happened
	ConfirmedAt time.Time
	CancelledAt time.Time
	Version     int
	StoredAt    time.Time // storedAt of that version
	Words       []string  // for search: the tokens of SKUs and product names, and after a "|" of notes, folded, sorted, without repeats
}

// Order is the row's order.
func (r OrderRow) Order() domain.OrderID { return r.ID }

// At is the row's version.
func (r OrderRow) At() int { return r.Version }

// Fields is Row's.
func (r OrderRow) Fields() []Field {
	return []Field{
		{"id", r.ID}, {"reference", r.Reference}, {"customerId", r.CustomerID}, {"status", r.Status}, {"itemCount", r.ItemCount},
		{"total", r.Total},
		{"createdAt", r.CreatedAt}, {"confirmedAt", r.ConfirmedAt}, {"cancelledAt", r.CancelledAt}, {"storedAt", r.StoredAt},
		{"words", strings.Join(r.Words, " ")},
	}
}

// FoldOrderList is the fold of this projection; the zero row begins one.
func FoldOrderList(codec domain.Codec, row OrderRow, records []eventstore.Record) (OrderRow, *orders.Hold, error) {
	hold, err := eachNew(codec, row.Version, records, func(r eventstore.Record, facts []domain.Event) error {
		next := row
		for _, fact := range facts {
			if err := next.apply(r, fact); err != nil {
				return err
			}
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
	case domain.OrderNoteAdded:
		r.Words = addNoteWords(r.Words, e.Text)
	default:
		err = fault.Errorf(fault.Invalid, "The order list does not know %s.", event.Type())
	}
	return err
}

func (r *OrderRow) addLines(items ...domain.Item) (err error) {
	r.ItemCount += len(items)
	r.Words = addLineWords(r.Words, items...)
	r.Total, err = addLines(r.Total, items...)
	return err
}

// wantOrderRow is the row by the domain's fold.
func wantOrderRow(_ domain.Codec, stream orders.Stream) Row {
	o := stream.Order
	return OrderRow{
		ID: o.ID, Reference: o.Reference, CustomerID: o.CustomerID, Status: o.Status, ItemCount: len(o.Items), Total: o.Total,
		CreatedAt:   o.CreatedAt,
		ConfirmedAt: o.ConfirmedAt, CancelledAt: o.CancelledAt, Version: o.Version, StoredAt: stream.Records[o.Version-1].StoredAt,
		Words: wordsOf(o),
	}
}

// wordsOf collects the words of lines, and behind a mark those of notes, each once, the first MaxRowWords of either that come.
func wordsOf(o domain.Order) []string {
	lines, notes := map[string]bool{}, map[string]bool{}
	add := func(to map[string]bool, texts ...string) {
		for _, text := range texts {
			for _, word := range Words(text) {
				if len(to) < MaxRowWords {
					to[word] = true
				}
			}
		}
	}
	for _, item := range o.Items {
		add(lines, item.SKU, item.Name)
	}
	for _, note := range o.Notes {
		add(notes, note.Text)
	}
	words := slices.Sorted(maps.Keys(lines))
	if len(notes) > 0 {
		words = slices.Concat(words, []string{noteMark}, slices.Sorted(maps.Keys(notes)))
	}
	return words
}
