package elastic

import (
	"crypto/sha256"
	"encoding/base64"
	"math"
	"math/big"
	"slices"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/projections"
)

// amount is a total, whole and in the parts that are summed.
type amount struct {
	Total    int64           `json:"total"`
	Total0   int64           `json:"total0"`
	Total1   int64           `json:"total1"`
	Total2   int64           `json:"total2"`
	Currency domain.Currency `json:"currency"`
}

const partBits = 21

func amountOf(m domain.Money) amount {
	const mask = 1<<partBits - 1
	return amount{
		Total: m.Minor, Total0: m.Minor & mask, Total1: m.Minor >> partBits & mask, Total2: m.Minor >> (2 * partBits), Currency: m.Currency,
	}
}

func (a amount) money() domain.Money { return domain.Money{Minor: a.Total, Currency: a.Currency} }

// parts is the sums of the three parts, each of which is exact up to 2^53: that many bits has a sum of 2^32 documents.
type parts struct {
	Total0, Total1, Total2 struct {
		Value float64 `json:"value"`
	}
}

// sumParts asks for them.
func sumParts() object {
	return object{
		"total0": object{"sum": object{"field": "total0"}}, "total1": object{"sum": object{"field": "total1"}},
		"total2": object{"sum": object{"field": "total2"}},
	}
}

// minor is the sum, or the largest int64 if it does not fit.
func (p parts) minor() int64 {
	sum := big.NewInt(0)
	for _, part := range []float64{p.Total2.Value, p.Total1.Value, p.Total0.Value} {
		sum.Add(sum.Lsh(sum, partBits), big.NewInt(int64(part)))
	}
	if !sum.IsInt64() {
		return math.MaxInt64
	}
	return sum.Int64()
}

// sums is amounts by currency, as an aggregation answers.
type sums struct {
	Buckets []struct {
		Key domain.Currency `json:"key"`
		parts
	} `json:"buckets"`
}

// sumByCurrency asks for them. There are fewer currencies than it has room for.
func sumByCurrency() object {
	return object{"terms": object{"field": "currency", "size": maxCurrencies}, "aggs": sumParts()}
}

func (s sums) money() []domain.Money {
	var all []domain.Money
	for _, b := range s.Buckets {
		all = projections.AddMoney(all, domain.Money{Minor: b.minor(), Currency: b.Key})
	}
	return all
}

type orderDoc struct {
	ID          domain.OrderID `json:"id"`
	Reference   string         `json:"reference"`
	Customer    string         `json:"customer"`
	Status      domain.Status  `json:"status"`
	Items       int            `json:"items"`
	CreatedAt   int64          `json:"createdAt"`
	ConfirmedAt int64          `json:"confirmedAt"`
	CancelledAt int64          `json:"cancelledAt"`
	Version     int            `json:"version"`
	StoredAt    int64          `json:"storedAt"`
	RefKey      string         `json:"refKey"`
	IDKey       string         `json:"idKey"`
	Head        []string       `json:"head"`
	Words       []string       `json:"words"`
	amount
}

// headOf is the words of an order that are not those of its lines.
func headOf(r projections.OrderRow) []string {
	return distinct(slices.Concat(projections.Words(r.Reference), projections.Words(string(r.ID)), projections.Words(r.CustomerID)))
}

func orderDocOf(r projections.OrderRow) orderDoc {
	return orderDoc{
		ID: r.ID, Reference: r.Reference, Customer: r.CustomerID, Status: r.Status, Items: r.ItemCount, amount: amountOf(r.Total),
		CreatedAt: micros(r.CreatedAt), ConfirmedAt: micros(r.ConfirmedAt), CancelledAt: micros(r.CancelledAt), Version: r.Version,
		StoredAt: micros(r.StoredAt), RefKey: projections.Key(r.Reference), IDKey: projections.Key(string(r.ID)), Head: headOf(r), Words: r.Words,
	}
}

func (d orderDoc) row() projections.OrderRow {
	return projections.OrderRow{
		ID: d.ID, Reference: d.Reference, CustomerID: d.Customer, Status: d.Status, ItemCount: d.Items, Total: d.money(),
		CreatedAt: moment(d.CreatedAt), ConfirmedAt: moment(d.ConfirmedAt), CancelledAt: moment(d.CancelledAt), Version: d.Version,
		StoredAt: moment(d.StoredAt), Words: d.Words,
	}
}

type contributionDoc struct {
	ID        domain.OrderID `json:"id"`
	Customer  string         `json:"customer"`
	Counted   []string       `json:"counted"` // every customer it ever counted with, so that their versions only grow
	Status    domain.Status  `json:"status"`
	CreatedAt int64          `json:"createdAt"`
	Version   int            `json:"version"`
	StoredAt  int64          `json:"storedAt"`
	amount
}

func contributionDocOf(c projections.Contribution, counted []string) contributionDoc {
	return contributionDoc{
		ID: c.ID, Customer: c.CustomerID, Counted: counted, Status: c.Status, amount: amountOf(c.Total), CreatedAt: micros(c.CreatedAt),
		Version: c.Version, StoredAt: micros(c.StoredAt),
	}
}

func (d contributionDoc) row() projections.Contribution {
	return projections.Contribution{
		ID: d.ID, CustomerID: d.Customer, Status: d.Status, Total: d.money(), CreatedAt: moment(d.CreatedAt), Version: d.Version,
		StoredAt: moment(d.StoredAt),
	}
}

// customerDoc with no orders is a customer whose last order went: it stays, because a deleted document forgets its version.
type customerDoc struct {
	ID        string   `json:"id"`
	Orders    int      `json:"orders"`
	Created   int      `json:"created"`
	Confirmed int      `json:"confirmed"`
	Cancelled int      `json:"cancelled"`
	Last      int64    `json:"last"`
	Spent     []spent  `json:"spent"`
	Words     []string `json:"words"`
}

type spent struct {
	Currency domain.Currency `json:"currency"`
	Minor    int64           `json:"minor"`
}

func customerDocOf(r projections.CustomerRow) customerDoc {
	d := customerDoc{
		ID: r.ID, Orders: r.TotalOrders, Created: r.Created, Confirmed: r.Confirmed, Cancelled: r.Cancelled, Last: micros(r.LastOrderAt),
		Words: distinct(projections.Words(r.ID)),
	}
	for _, m := range r.TotalSpent {
		d.Spent = append(d.Spent, spent{m.Currency, m.Minor})
	}
	return d
}

func (d customerDoc) row() projections.CustomerRow {
	r := projections.CustomerRow{
		ID: d.ID, TotalOrders: d.Orders, Created: d.Created, Confirmed: d.Confirmed, Cancelled: d.Cancelled, LastOrderAt: moment(d.Last),
	}
	for _, m := range d.Spent {
		r.TotalSpent = append(r.TotalSpent, domain.Money{Minor: m.Minor, Currency: m.Currency})
	}
	return r
}

// customerKey is a customer's document: an id may be longer than the 512 bytes that the name of a document can have.
func customerKey(id string) string {
	sum := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

type holdDoc struct {
	Projection string         `json:"projection"`
	Order      domain.OrderID `json:"order"`
	Version    int            `json:"version"`
	Reason     string         `json:"reason"`
	Since      int64          `json:"since"`
}

func (d holdDoc) hold() projections.Hold {
	return projections.Hold{Projection: d.Projection, OrderID: d.Order, Version: d.Version, Reason: d.Reason, Since: moment(d.Since)}
}

func holdKey(projection string, id domain.OrderID) string { return projection + ":" + string(id) }

// stateDoc is one of several small things, by kind: a beat of a projection, its checkpoint, a note of customers to be summed, the stamp
// of a group of indices, or the lease.
type stateDoc struct {
	Kind        string            `json:"kind"`
	Phase       projections.Phase `json:"phase,omitempty"`
	Reason      string            `json:"reason,omitempty"`
	HeartbeatAt int64             `json:"heartbeatAt,omitempty"`
	Rate        float64           `json:"rate,omitempty"`
	Checkpoint  string            `json:"checkpoint,omitempty"`
	Target      string            `json:"target,omitempty"` // the indices that the checkpoint is true of
	Customers   []string          `json:"customers,omitempty"`
	At          int64             `json:"at,omitempty"`
	Stamp       string            `json:"stamp,omitempty"`
	Holder      string            `json:"holder,omitempty"`
	Epoch       int64             `json:"epoch,omitempty"`
	Renewals    int64             `json:"renewals,omitempty"`
}

// checkpoint is the one that is stored, unless it is of other indices than those that are written.
func (d stateDoc) checkpoint(identity string) eventstore.Cursor {
	if d.Target != identity {
		return ""
	}
	return eventstore.Cursor(d.Checkpoint)
}

func distinct(words []string) []string {
	slices.Sort(words)
	return slices.Compact(words)
}

func micros(t time.Time) int64 { return t.UnixMicro() }

func moment(micros int64) time.Time { return time.UnixMicro(micros).UTC() }
