package orders

import (
	"encoding/binary"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"headway/domain"
	"headway/eventstore"
)

// taken is a handler that takes snapshots of these rules for its own.
func taken(rules [16]byte) Handler { return Handler{snapshots: snapshots{rules: rules}} }

// signed is a snapshot whose checksum is right, whatever it holds.
func signed(body []byte) eventstore.Snapshot {
	sum := sumOf("x", 7, body)
	return eventstore.Snapshot{Stream: StreamOf("x"), Version: 7, Data: append(sum[:], body...)}
}

// A snapshot is taken when an append crosses a multiple of the interval, on a stream that is long by then.
func TestDue(t *testing.T) {
	for _, c := range []struct {
		policy        SnapshotPolicy
		before, after int
		want          bool
	}{
		{SnapshotPolicy{}, 999, 1000, false}, {SnapshotPolicy{}, 990, 1001, true}, {SnapshotPolicy{}, 1000, 1001, false}, {SnapshotPolicy{}, 1099, 1100, true},
		{SnapshotPolicy{}, 1099, 1149, true}, {SnapshotPolicy{}, 1100, 1150, false}, {SnapshotPolicy{}, 1199, 1201, true}, {SnapshotPolicy{}, 0, 50, false},
		{SnapshotPolicy{}, 9999, 10_000, true}, {SnapshotPolicy{Every: 10, Longer: -1}, 9, 10, true}, {SnapshotPolicy{Every: 10, Longer: 40}, 19, 40, false},
		{SnapshotPolicy{Every: 10, Longer: 40}, 39, 41, true}, {SnapshotPolicy{Every: -1}, 1099, 1100, false},
	} {
		if got := c.policy.due(c.before, c.after); got != c.want {
			t.Errorf("%+v from %d to %d: %t", c.policy, c.before, c.after, got)
		}
	}
	for version, want := range map[int]bool{0: false, 1000: false, 1001: true, 5000: true} {
		if got := (SnapshotPolicy{}).lookFor(version); got != want {
			t.Errorf("a snapshot is looked for at version %d: %t", version, got)
		}
	}
}

// An order comes out of a snapshot as it went in: every field that an order has, and will have.
func TestStateIsWhole(t *testing.T) {
	var full domain.Order
	n := 0
	fill(reflect.ValueOf(&full).Elem(), &n)
	for name, o := range map[string]domain.Order{
		"full": full, "empty": {},
		"times": {CreatedAt: time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), ConfirmedAt: time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)},
	} {
		r := reader{rest: string(encodeOrder(o))}
		if got := r.order(); r.broken || r.rest != "" || !reflect.DeepEqual(got, o) {
			t.Errorf("%s: %+v came out of %+v", name, got, o)
		}
	}
}

// fill gives every field a value of its own.
func fill(v reflect.Value, n *int) {
	*n++
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(int64(*n), int64(*n)).UTC()))
	case v.Kind() == reflect.Struct:
		for _, field := range v.Fields() {
			fill(field, n)
		}
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case v.Kind() == reflect.String:
		v.SetString(strings.Repeat("ä", *n%300))
	default:
		v.SetInt(-int64(*n) << 40)
	}
}

// A command that is covered is found, however many there are; one that is not, is not.
func TestCommandSet(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var set commandSet
		var covered []domain.CommandID
		for range rapid.IntRange(0, 4).Draw(r, "snapshots") {
			ids := rapid.SliceOfN(rapid.OneOf(rapid.StringMatching(`[0-9a-f]{8}`), rapid.SampledFrom([]string{"", "a", "b"})), 0, 20).Draw(r, "ids")
			var records []eventstore.Record
			for _, id := range ids {
				covered = append(covered, domain.CommandID(id))
				records = append(records, eventstore.Record{Metadata: eventstore.Metadata{CausationID: id}})
			}
			set = set.with(records)
		}
		for _, id := range covered {
			if !set.has(id) {
				r.Fatalf("%q is not found", id)
			}
		}
		other := domain.CommandID(uuid.NewString())
		distinct := slices.Compact(slices.Sorted(slices.Values(covered)))
		if set.has(other) || len(set) != hashedCommand*len(distinct) {
			r.Fatalf("%d commands take %d bytes; the other is found: %t", len(distinct), len(set), set.has(other))
		}
	})
}

// The rules stand for the shape of an order, for the codec, and for what the fold makes of every type and schema of events.
func TestRules(t *testing.T) {
	if rulesOf(domain.Codec{}) != rulesOf(domain.Codec{DefaultCurrency: "USD"}) || rulesOf(domain.Codec{}) == rulesOf(domain.Codec{DefaultCurrency: "JPY"}) {
		t.Error("the currency of schema 1 does not make the difference that it should")
	}
	type line struct{ SKU string }
	type order struct {
		Version int
		Items   []line
		At      time.Time
	}
	for name, other := range map[string]reflect.Type{
		"a field more": reflect.TypeFor[struct {
			Version int
			Items   []line
			At      time.Time
			More    bool
		}](),
		"another name": reflect.TypeFor[struct {
			Number int
			Items  []line
			At     time.Time
		}](),
		"another type": reflect.TypeFor[struct {
			Version int64
			Items   []line
			At      time.Time
		}](),
		"another order": reflect.TypeFor[struct {
			Items   []line
			Version int
			At      time.Time
		}](),
		"a line with more": reflect.TypeFor[struct {
			Version int
			Items   []struct{ SKU, Name string }
			At      time.Time
		}](),
	} {
		if shapeOf(other) == shapeOf(reflect.TypeFor[order]()) {
			t.Errorf("%s has the same shape", name)
		}
	}
	seen := map[string]map[int]bool{}
	for _, events := range goldenStreams(domain.Events()) {
		for _, e := range events {
			if seen[e.eventType] == nil {
				seen[e.eventType] = map[int]bool{}
			}
			seen[e.eventType][e.schema] = true
		}
	}
	for _, e := range domain.Events() {
		if !seen[e.Type][e.Schema] {
			t.Errorf("no golden stream has %s of schema %d", e.Type, e.Schema)
		}
	}
	for i, e := range domain.Events() { // an entry that is read in another way, and one more
		other := slices.Clone(domain.Events())
		other[i].Read = other[(i+2)%len(other)].Read
		if rulesOf(domain.Codec{Table: other}) == rulesOf(domain.Codec{}) {
			t.Errorf("it makes no difference how %s of schema %d is read", e.Type, e.Schema)
		}
	}
	more := append(slices.Clone(domain.Events()), domain.Entry{Type: "OrderPainted", Schema: 2, Read: domain.Events()[0].Read, Sample: `{}`})
	if rulesOf(domain.Codec{Table: more}) == rulesOf(domain.Codec{}) {
		t.Error("an entry more makes no difference")
	}
}

// What another program wrote is refused although it is whole: of another shape or other rules, with more than its size says, or larger than
// a state may be.
func TestOtherShapes(t *testing.T) {
	order := domain.Order{ID: "x", Version: 7, Items: []domain.Item{{SKU: "a"}}}
	whole, ok := newSnapshot(rulesOf(domain.Codec{}), order, eventstore.Record{Stream: StreamOf("x"), Version: 7}, "")
	if !ok {
		t.Fatal("there is none")
	}
	rules := rulesOf(domain.Codec{})
	body := whole.Data[32:]
	if got, err := taken(rules).OrderIn(signed(body)); err != nil || !reflect.DeepEqual(got, order) {
		t.Fatalf("the snapshot holds %+v, %v", got, err)
	}
	other := slices.Clone(body)
	other[0]++
	state := encodeOrder(order)
	packed := func(size int, state []byte) []byte {
		b := appendText(rules[:], "id")
		b = append(b, 0)      // stored at
		b = appendText(b, "") // commands
		b = binary.AppendUvarint(b, uint64(size))
		return append(b, deflate(state)...)
	}
	for name, body := range map[string][]byte{
		"other rules": other, "nothing": nil, "only rules": rules[:],
		"another order": func() []byte {
			o := order
			o.ID = "y"
			s := encodeOrder(o)
			return packed(len(s), s)
		}(),
		"a shorter state": packed(len(state)-1, state), "a longer state": packed(len(state)+1, state),
		"a state with more": packed(len(state)+1, append(slices.Clone(state), 0)),
	} {
		if _, err := taken(rules).OrderIn(signed(body)); err == nil {
			t.Errorf("%s is taken for our own", name)
		}
	}
}

// Whatever lies in a snapshot, it is an order or an error, in bounded memory.
func FuzzSnapshot(f *testing.F) {
	whole, _ := newSnapshot(rulesOf(domain.Codec{}), domain.Order{ID: "x", Version: 7, Items: []domain.Item{{SKU: "a"}}}, eventstore.Record{Stream: StreamOf("x"), Version: 7}, "")
	rules := rulesOf(domain.Codec{})
	f.Add(whole.Data[32+len(rules):], true)
	f.Add(encodeOrder(domain.Order{ID: "x", Version: 7}), false)
	f.Fuzz(func(t *testing.T, data []byte, packed bool) {
		if packed {
			if o, err := taken(rules).OrderIn(signed(append(rules[:], data...))); err == nil && (o.ID != "x" || o.Version != 7) {
				t.Errorf("an order %s at %d", o.ID, o.Version)
			}
			return
		}
		r := reader{rest: string(data)}
		o := r.order()
		if !r.broken && len(o.Items) > len(data) {
			t.Errorf("%d lines of %d bytes", len(o.Items), len(data))
		}
	})
}
