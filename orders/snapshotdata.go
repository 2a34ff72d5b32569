package orders

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
	"slices"
	"sort"
	"time"

	"headway/domain"
	"headway/eventstore"
)

// The data of a snapshot: a checksum of all that follows and of the order and version it is for; the rules by which it was folded; the last
// event it covers; the commands it covers; the size of the state, and the state, compressed.

var errSnapshot = errors.New("the snapshot is broken, or of another layout or other rules")

// contents is what a snapshot holds, when it is whole and of our rules.
type contents struct {
	id       domain.OrderID
	version  int
	eventID  string
	storedAt int64
	commands commandSet
	size     uint64
	state    string // compressed
}

func newSnapshot(rules [16]byte, o domain.Order, last eventstore.Record, commands commandSet) (s eventstore.Snapshot, ok bool) {
	state := encodeOrder(o)
	if len(state) > MaxStateBytes {
		return s, false
	}
	body := appendText(rules[:], last.EventID)
	body = binary.AppendVarint(body, last.StoredAt.UnixMicro())
	body = appendText(body, string(commands))
	body = binary.AppendUvarint(body, uint64(len(state)))
	body = append(body, deflate(state)...)
	sum := sumOf(IDOf(last.Stream), last.Version, body)
	s = eventstore.Snapshot{Stream: last.Stream, Version: last.Version, Data: append(sum[:], body...)}
	return s, len(s.Data) <= eventstore.MaxSnapshotBytes
}

// openSnapshot looks at everything but the state.
func openSnapshot(s eventstore.Snapshot, rules [16]byte) (contents, error) {
	if len(s.Data) < sha256.Size {
		return contents{}, errSnapshot
	}
	sum := sumOf(IDOf(s.Stream), s.Version, s.Data[sha256.Size:])
	if !bytes.HasPrefix(s.Data, sum[:]) || !bytes.HasPrefix(s.Data[sha256.Size:], rules[:]) {
		return contents{}, errSnapshot
	}
	r := reader{rest: string(s.Data[sha256.Size+len(rules):])}
	c := contents{
		id: IDOf(s.Stream), version: s.Version, eventID: r.text(), storedAt: r.number(), commands: commandSet(r.text()), size: r.count(),
	}
	c.state = r.rest
	if r.broken || c.size > MaxStateBytes {
		return contents{}, errSnapshot
	}
	return c, nil
}

// endsWith tells whether a record is the last event that the snapshot covers, and not another one of the same version.
func (c contents) endsWith(r eventstore.Record) bool {
	return r.Version == c.version && r.EventID == c.eventID && r.StoredAt.UnixMicro() == c.storedAt
}

func (c contents) order() (domain.Order, error) {
	state, err := inflate(c.state, int(c.size))
	if err != nil {
		return domain.Order{}, err
	}
	r := reader{rest: state}
	o := r.order()
	if r.broken || r.rest != "" || o.ID != c.id || o.Version != c.version {
		return domain.Order{}, errSnapshot
	}
	return o, nil
}

func sumOf(id domain.OrderID, version int, body []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write(binary.AppendVarint(appendText(nil, string(id)), int64(version)))
	h.Write(body)
	return [sha256.Size]byte(h.Sum(nil))
}

// deflate prefers speed: an answer waits for it.
func deflate(state []byte) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err == nil {
		_, err = w.Write(state)
		err = errors.Join(err, w.Close())
	}
	if err != nil {
		panic(err) // the level exists, and a buffer takes everything
	}
	return b.Bytes()
}

func inflate(compressed string, size int) (string, error) {
	state := make([]byte, size)
	if _, err := io.ReadFull(flate.NewReader(bytes.NewReader([]byte(compressed))), state); err != nil {
		return "", errSnapshot
	}
	return string(state), nil
}

// commandSet has the commands of the events that a snapshot covers: a hash of 8 bytes each, sorted. A command that is in it is always
// found; one that is not is found about once in 10^15 times, which costs a full read, where the truth is.
type commandSet string

const hashedCommand = 8

func (s commandSet) has(id domain.CommandID) bool {
	want := string(hashCommand(nil, string(id)))
	at := sort.Search(len(s)/hashedCommand, func(i int) bool { return string(s[i*hashedCommand:(i+1)*hashedCommand]) >= want })
	return at < len(s)/hashedCommand && string(s[at*hashedCommand:(at+1)*hashedCommand]) == want
}

// with is the set with the commands of more events.
func (s commandSet) with(records []eventstore.Record) commandSet {
	all := make([]uint64, 0, len(s)/hashedCommand+len(records))
	for i := 0; i+hashedCommand <= len(s); i += hashedCommand {
		all = append(all, binary.BigEndian.Uint64([]byte(s[i:i+hashedCommand])))
	}
	for _, r := range records {
		all = append(all, binary.BigEndian.Uint64(hashCommand(nil, r.Metadata.CausationID)))
	}
	slices.Sort(all)
	all = slices.Compact(all)
	b := make([]byte, 0, len(all)*hashedCommand)
	for _, c := range all {
		b = binary.BigEndian.AppendUint64(b, c)
	}
	return commandSet(b)
}

func hashCommand(b []byte, id string) []byte {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // a hash takes everything
	return h.Sum(b)
}

// encodeOrder writes every field; the lines of the order by columns, which compress better.
func encodeOrder(o domain.Order) []byte {
	b := appendText(nil, string(o.ID))
	b = binary.AppendVarint(b, int64(o.Version))
	for _, s := range []string{o.Reference, o.CustomerID, string(o.Currency), string(o.Status), o.CancelReason} {
		b = appendText(b, s)
	}
	b = appendText(binary.AppendVarint(b, o.Total.Minor), string(o.Total.Currency))
	for _, t := range []time.Time{o.CreatedAt, o.ConfirmedAt, o.CancelledAt} {
		b = appendTime(b, t)
	}
	b = binary.AppendUvarint(b, uint64(len(o.Notes)))
	for _, n := range o.Notes {
		b = binary.AppendVarint(appendTime(appendText(appendText(b, n.Text), n.Who), n.At), int64(n.Version))
	}
	b = binary.AppendUvarint(b, uint64(len(o.Items)))
	for _, i := range o.Items {
		b = appendText(b, i.SKU)
	}
	for _, i := range o.Items {
		b = appendText(b, i.Name)
	}
	for _, i := range o.Items {
		b = binary.AppendVarint(b, i.Quantity)
	}
	for _, i := range o.Items {
		b = binary.AppendVarint(b, i.Price.Minor)
	}
	for _, i := range o.Items {
		b = appendText(b, string(i.Price.Currency))
	}
	return b
}

func appendTime(b []byte, t time.Time) []byte {
	return binary.AppendVarint(binary.AppendVarint(b, t.Unix()), int64(t.Nanosecond()))
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// reader takes apart what the append functions wrote. What it returns once it is broken means nothing. Texts are parts of what is read, so
// that they need no memory of their own.
type reader struct {
	rest   string
	broken bool
}

func (r *reader) order() domain.Order {
	o := domain.Order{
		ID: domain.OrderID(r.text()), Version: int(r.number()), Reference: r.text(), CustomerID: r.text(), Currency: domain.Currency(r.text()),
		Status: domain.Status(r.text()), CancelReason: r.text(), Total: domain.Money{Minor: r.number(), Currency: domain.Currency(r.text())},
	}
	o.CreatedAt, o.ConfirmedAt, o.CancelledAt = r.moment(), r.moment(), r.moment()
	if n := r.length(); n > 0 {
		o.Notes = make([]domain.Note, n)
	}
	for i := range o.Notes {
		o.Notes[i] = domain.Note{Text: r.text(), Who: r.text(), At: r.moment(), Version: int(r.number())}
	}
	n := r.length()
	if n == 0 {
		return o
	}
	o.Items = make([]domain.Item, n)
	for i := range o.Items {
		o.Items[i].SKU = r.text()
	}
	for i := range o.Items {
		o.Items[i].Name = r.text()
	}
	for i := range o.Items {
		o.Items[i].Quantity = r.number()
	}
	for i := range o.Items {
		o.Items[i].Price.Minor = r.number()
	}
	for i := range o.Items {
		o.Items[i].Price.Currency = domain.Currency(r.text())
	}
	return o
}

// length is how many elements follow, each of which takes a byte at least.
func (r *reader) length() uint64 {
	n := r.count()
	if r.broken = r.broken || n > uint64(len(r.rest)); r.broken {
		return 0
	}
	return n
}

func (r *reader) count() uint64 {
	var n uint64
	for i := 0; i < len(r.rest) && i < binary.MaxVarintLen64; i++ {
		c := r.rest[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			r.rest = r.rest[i+1:]
			return n
		}
	}
	r.broken = true
	return 0
}

func (r *reader) number() int64 {
	n := r.count()
	return int64(n>>1) ^ -int64(n&1)
}

func (r *reader) text() string {
	n := r.count()
	if n > uint64(len(r.rest)) {
		r.broken = true
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *reader) moment() time.Time {
	seconds, nanos := r.number(), r.number()
	return time.Unix(seconds, nanos).UTC()
}
