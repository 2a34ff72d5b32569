package projections

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"headway/domain"
	"headway/fault"
)

// MaxCursor is how long a cursor may be, in bytes.
const MaxCursor = 4096

// cursorForm is the form of our cursors; those of an older form are not ours.
const cursorForm = "1"

// OrderSorts lists what orders can be sorted by.
func OrderSorts() []string { return []string{"created", "total", "customer", "status", "items"} }

// CustomerSorts lists what customers can be sorted by.
func CustomerSorts() []string { return []string{"customer", "orders", "last"} }

// ProductSorts lists what products can be sorted by.
func ProductSorts() []string { return []string{"sku", "name", "orders", "quantity", "last"} }

// By splits a sort into what it sorts by and whether that descends.
func (s Sort) By() (by string, descending bool) {
	by, descending = strings.CutPrefix(string(s), "-")
	return by, descending
}

// Ranked tells whether the best matches come first: a query with text, and without a sort.
func (q OrderQuery) Ranked() bool { return q.Sort == "" && strings.TrimSpace(q.Text) != "" }

// Checked is the query with its limit and sort filled in, its statuses sorted and without repeats: what engines run. Malformed,
// naming the field, if the sort or a status is not ours. A ranked query keeps its empty sort.
func (q OrderQuery) Checked() (OrderQuery, error) {
	q.Text = strings.TrimSpace(q.Text)
	if q.Sort == "" && q.Text == "" {
		q.Sort = "-created"
	}
	if by, _ := q.Sort.By(); q.Sort != "" && !slices.Contains(OrderSorts(), by) {
		return q, unknownSort(OrderSorts())
	}
	for _, s := range q.Statuses {
		if !slices.Contains(domain.Statuses(), s) {
			return q, fault.MalformedField("status", "A status is created, confirmed or cancelled.")
		}
	}
	q.Statuses = slices.Clone(q.Statuses)
	slices.Sort(q.Statuses)
	q.Statuses = slices.Compact(q.Statuses)
	q.Limit = pageLimit(q.Limit)
	return q, nil
}

// Checked is the query with its limit and sort filled in; Malformed if the sort is not ours.
func (q CustomerQuery) Checked() (CustomerQuery, error) {
	q.Text = strings.TrimSpace(q.Text)
	if q.Sort == "" {
		q.Sort = "-last"
	}
	if by, _ := q.Sort.By(); !slices.Contains(CustomerSorts(), by) {
		return q, unknownSort(CustomerSorts())
	}
	q.Limit = pageLimit(q.Limit)
	return q, nil
}

// Checked is the query with its limit and sort filled in; Malformed if the sort is not ours.
func (q ProductQuery) Checked() (ProductQuery, error) {
	q.Text = strings.TrimSpace(q.Text)
	if q.Sort == "" {
		q.Sort = "-last"
	}
	if by, _ := q.Sort.By(); !slices.Contains(ProductSorts(), by) {
		return q, unknownSort(ProductSorts())
	}
	q.Limit = pageLimit(q.Limit)
	return q, nil
}

// Checked is the query with its limit filled in; Malformed if the day is none.
func (q ActivityQuery) Checked() (ActivityQuery, error) {
	if _, err := time.Parse(time.DateOnly, q.Day); err != nil {
		return q, fault.MalformedField("day", "A day is written as 2026-11-30.")
	}
	q.Limit = pageLimit(q.Limit)
	return q, nil
}

func unknownSort(known []string) error {
	return fault.MalformedField("sort", "A list can be sorted by %s, each also with a minus before it.", strings.Join(known, ", "))
}

func pageLimit(limit int) int {
	if limit <= 0 {
		return PageSize
	}
	return min(limit, MaxPage)
}

// Fingerprint is the same for two queries whose pages follow one another: everything but the cursor and the limit.
func (q OrderQuery) Fingerprint() string {
	return fingerprint("orders", strings.Join(Words(q.Text), " "), q.Text != "", q.Statuses, q.Customer, moment(q.From), moment(q.To), q.Sort)
}

// Fingerprint is the same for two queries whose pages follow one another.
func (q CustomerQuery) Fingerprint() string {
	return fingerprint("customers", strings.Join(Words(q.Text), " "), q.Text != "", q.Sort)
}

// Fingerprint is the same for two queries whose pages follow one another.
func (q ProductQuery) Fingerprint() string {
	return fingerprint("products", strings.Join(Words(q.Text), " "), q.Text != "", q.Sort)
}

// Fingerprint is the same for two queries whose pages follow one another.
func (q ActivityQuery) Fingerprint() string { return fingerprint("activity", q.Who, q.Day) }

func moment(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fingerprint(parts ...any) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", parts))
	return hex.EncodeToString(sum[:8])
}

// EncodeCursor makes the cursor of a query that goes on after the row with these sort values: strings and int64s, or pointers to them.
func EncodeCursor(fingerprint string, values ...any) string {
	text, err := json.Marshal(append([]any{cursorForm, fingerprint}, values...))
	if err != nil {
		return "" // strings and numbers always encode
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// DecodeCursor reads the sort values of a cursor into the *string and *int64 given. Malformed with the field "cursor" if it is not
// ours, or of another query.
func DecodeCursor(cursor, fingerprint string, into ...any) error {
	notOurs := fault.MalformedField("cursor", "This is not a place in this list. Go back to its first page.")
	if len(cursor) > MaxCursor {
		return notOurs
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return notOurs
	}
	var values []json.RawMessage
	if json.Unmarshal(text, &values) != nil || len(values) != len(into)+2 {
		return notOurs
	}
	var form, mark string
	into = append([]any{&form, &mark}, into...)
	for i, v := range values {
		if string(v) == "null" || json.Unmarshal(v, into[i]) != nil {
			return notOurs
		}
	}
	if form != cursorForm || mark != fingerprint {
		return notOurs
	}
	return nil
}
