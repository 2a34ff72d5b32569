package projections

import (
	"context"
	"fmt"
	"time"

	"headway/domain"
	"headway/eventstore"
)

// The bounds of one read and one write.
const (
	PageSize    = 50
	MaxPage     = 1000
	ExactTotal  = 1000 // totals are exact up to here
	MaxHolds    = 1000 // holds one answer lists
	BatchOrders = 500  // orders one write holds
)

// Store keeps the rows, holds, checkpoints and states of all projections. It is safe for concurrent use; results share no memory
// with the caller. Every method fails with Unavailable when the store cannot be reached; that holds no order.
type Store interface {
	Reader
	// Rows returns what a projection has for these orders, strongly consistent with Write; a missing order has no entry.
	Rows(ctx context.Context, projection string, ids ...domain.OrderID) (map[domain.OrderID]Row, error)
	// Write stores a batch of one projection: rows, holds, released holds, then the checkpoint; on SQLite in one transaction.
	// A row whose version is not higher than the stored one changes nothing: rows never move backwards. Customer rows are the
	// sums of contributions as of the same write. After a crash between any two steps, writing the batch again gives the same.
	// A batch whose epoch is older than the lease's is a Conflict: none of its holds and no checkpoint is stored, and of its rows at most
	// those that move forward. So is a checkpoint that does not continue the stored one. A row that can never be kept is a *RejectedRow.
	Write(ctx context.Context, batch Batch) error
	// Beat stores the state of a projection with its heartbeat; the checkpoint is Write's, and stays as it is. A state whose epoch is older
	// than the lease's is a Conflict, and changes nothing.
	Beat(ctx context.Context, state State) error
	// Lease reads who may write, strongly consistent with SwapLease; the zero Lease if nobody ever took it.
	Lease(ctx context.Context) (Lease, error)
	// SwapLease replaces the lease by another if it still is the old one, else it is a Conflict. From its return on, epochs older than the
	// new one are refused.
	SwapLease(ctx context.Context, old, lease Lease) error
	// Discard throws away every row, sum, hold, checkpoint and state of all projections: they were made of another log. Nothing that was
	// written for an older epoch is there afterwards, whenever it arrives. The lease stays. An epoch older than the lease's is a Conflict.
	// Discarding twice is harmless.
	Discard(ctx context.Context, epoch int64) error
	// Close lets go of the store.
	Close() error
}

// Key names what has a checkpoint, holds and a state of its own.
type Key struct {
	Projection string
	Generation int // of the projection; what another one left is not looked at
	Part       int // of the feed, from 0
}

// Name is the key in one word, as engines name things by it.
func (k Key) Name() string { return fmt.Sprintf("%s.%d.%d", k.Projection, k.Generation, k.Part) }

// KeyOf is the key of a projection that has one part, as it is declared.
func KeyOf(projection string) Key {
	for _, p := range All() {
		if p.Name == projection {
			return p.Key()
		}
	}
	return Key{Projection: projection}
}

// Batch is one write of one projection.
type Batch struct {
	Key
	Epoch      int64 // of the writer's lease; 0 is older than any
	Rows       []Row
	Holds      []Hold            // set aside, replacing an older hold of the same order
	Released   []domain.OrderID  // no longer held
	After      eventstore.Cursor // the stored checkpoint that the new one continues; empty if there is none
	Checkpoint eventstore.Cursor // where to look next; empty leaves it as it is
}

// Continues tells whether a batch may be written over the stored checkpoint: it is the one that it continues, or its own, or it has none.
func (b Batch) Continues(stored eventstore.Cursor) bool {
	return b.Checkpoint == "" || stored == b.After || stored == b.Checkpoint
}

// RejectedRow is the error of a Write for a row that its store can never keep. Whatever else the batch has may be stored by writing it
// again without that row.
type RejectedRow struct {
	OrderID domain.OrderID
	Reason  string // a sentence
	Cause   error  // for the log
}

func (r *RejectedRow) Error() string { return fmt.Sprintf("%s (%s): %v", r.Reason, r.OrderID, r.Cause) }
func (r *RejectedRow) Unwrap() error { return r.Cause }

// Reader answers the pages. Handlers hold a Reader, never a Store.
type Reader interface {
	// Orders is one page of the order list. A cursor or sort that is not ours is Malformed, naming the field.
	Orders(ctx context.Context, q OrderQuery) (OrderPage, error)
	// OrderRows returns the rows that exist of these orders.
	OrderRows(ctx context.Context, ids ...domain.OrderID) (map[domain.OrderID]OrderRow, error)
	// Customers is one page of the customer summaries.
	Customers(ctx context.Context, q CustomerQuery) (CustomerPage, error)
	// Customer is one customer's row; NotFound if no order of theirs has arrived.
	Customer(ctx context.Context, id string) (CustomerRow, error)
	// Products is one page of the product summaries.
	Products(ctx context.Context, q ProductQuery) (ProductPage, error)
	// Product is one product's row; NotFound if no order of it has arrived.
	Product(ctx context.Context, sku string) (ProductRow, error)
	// Activity is one page of what a person did on a day, newest first. A day of which nothing is known is empty.
	Activity(ctx context.Context, q ActivityQuery) (ActivityPage, error)
	// Totals sums the order list for the overview: counts of every status, and the value, by currency and without the cancelled, of orders
	// created in [from, to).
	Totals(ctx context.Context, from, to time.Time) (Totals, error)
	// States returns the stored state of each projection that has one; one that only ever wrote has a checkpoint and no phase.
	States(ctx context.Context) (map[Key]State, error)
	// Holds lists the holds of a projection's generation and all its parts (of all projections if empty), oldest first, at most MaxHolds; of
	// these orders only if any are named.
	Holds(ctx context.Context, projection string, ids ...domain.OrderID) ([]Hold, error)
	// Versions returns the version of each row that a projection has of these orders: where it is in each.
	Versions(ctx context.Context, projection string, ids ...domain.OrderID) (map[domain.OrderID]int, error)
	// EachRow calls f with every row of a projection once, in no promised order; what verify reads. An error of f ends it and comes back.
	EachRow(ctx context.Context, projection string, f func(Row) error) error
	// EachSum calls f with every sum of a projection's contributions once, in no promised order.
	EachSum(ctx context.Context, projection string, f func(Sum) error) error
	// Sums returns the sums that exist of these keys.
	Sums(ctx context.Context, projection string, keys ...string) (map[string]Sum, error)
}

// Sort is one of created, total, customer, status, items; a leading "-" descends; empty means -created. Ties by id, ascending.
// total sorts within a currency, currencies by code.
type Sort string

// OrderQuery asks for one page of orders; the zero query is the newest orders.
type OrderQuery struct {
	Text     string // prefixes of words, any case or accent; see Words
	Statuses []domain.Status
	Customer string    // exactly
	From, To time.Time // createdAt, From inclusive, To exclusive; zero means open
	Sort     Sort      // with Text and no Sort: exact reference or id first, then prefixes of them, then newest, then id
	Cursor   string    // Next of the page before
	Limit    int       // at most MaxPage; 0 means PageSize
}

// OrderPage is one page, how many orders match in all, and how many would match under each status alone.
type OrderPage struct {
	Rows         []OrderRow
	Next         string // empty at the end
	Total        int
	TotalIsExact bool
	ByStatus     map[domain.Status]Count // the tabs: the query without its Statuses; exact to ExactTotal if no more match in all, or it was asked for
}

// NoOrders is the page of a query that nothing matches.
func NoOrders() OrderPage {
	page := OrderPage{TotalIsExact: true, ByStatus: map[domain.Status]Count{}}
	for _, status := range domain.Statuses() {
		page.ByStatus[status] = Count{IsExact: true}
	}
	return page
}

// Count is how many there are, exactly or at least.
type Count struct {
	N       int
	IsExact bool
}

// CountTo is n as a count that goes no further than a limit.
func CountTo(n, limit int) Count { return Count{min(n, limit), n <= limit} }

// CustomerQuery asks for one page of customers. Sort is one of customer, orders, last; default -last.
type CustomerQuery struct {
	Text   string // prefixes of words of the id
	Sort   Sort
	Cursor string
	Limit  int
}

// CustomerPage is one page of customers.
type CustomerPage struct {
	Rows         []CustomerRow
	Next         string
	Total        int
	TotalIsExact bool
}

// ProductQuery asks for one page of products. Sort is one of sku, name, orders, quantity, last; default -last.
type ProductQuery struct {
	Text   string // prefixes of words of the SKU and the name
	Sort   Sort
	Cursor string
	Limit  int
}

// ProductPage is one page of products.
type ProductPage struct {
	Rows         []ProductRow
	Next         string
	Total        int
	TotalIsExact bool
}

// ActivityQuery asks for one page of what a person did on a day.
type ActivityQuery struct {
	Who    string
	Day    string // in UTC, as 2026-11-30
	Cursor string
	Limit  int
}

// ActivityPage is one page, newest first, and the whole day by event types.
type ActivityPage struct {
	Acts   []Act
	ByType map[string]int
	Next   string
}

// Totals is what the overview shows of the order list.
type Totals struct {
	ByStatus map[domain.Status]int
	Value    []domain.Money // by currency code
}

// Phase is what a projection is doing. It says the first three itself; the others are for the reader of its heartbeat to say.
type Phase string

const (
	Running     Phase = "running"
	Paused      Phase = "paused"
	Rebuilding  Phase = "rebuilding"
	Stalled     Phase = "stalled"     // no heartbeat
	Unreachable Phase = "unreachable" // a store cannot be asked
)

// State is what a projection last said of itself.
type State struct {
	Key
	Phase       Phase
	Reason      string // for paused: by whom and why; for running: what it waits for, if anything
	Checkpoint  eventstore.Cursor
	HeartbeatAt time.Time
	Rate        float64 // events a second, over the last 10 s
	Holder      string  // the process that said it
	Epoch       int64   // of its lease; 0 is older than any
}
