package dynamo

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"headway/eventstore"
	"headway/fault"
)

// Whatever a cursor says, also one that carries the right check, it is a place that its own cursor says again, or Malformed with a sentence
// at its field. One of another kind or of other tables is never taken.
func FuzzCursor(f *testing.F) {
	s, other := &Store{identity: 7}, &Store{identity: 8}
	kinds := []cursorKind{feedCursor, walkCursor, typeCursor, correlationCursor}
	content := func(kind cursorKind, c eventstore.Cursor) []byte {
		opened, err := s.unseal(kind, c)
		if err != nil {
			f.Fatal(err)
		}
		return opened.left
	}
	feed := feedPlace{
		position: moveKey(1, stream("x")), settled: 2, swept: "y", sweeping: 3, audited: 4, auditing: 5, walked: "z",
		last: eventstore.Head{Stream: stream("x"), Version: 7, At: time.UnixMicro(8).UTC()}, page: 6,
	}
	f.Add(uint(0), content(feedCursor, s.feedCursor(feed)), true)
	f.Add(uint(0), []byte{}, true)
	f.Add(uint(1), content(walkCursor, s.walkCursor(walkPlace{"x", 3})), true)
	f.Add(uint(1), []byte("\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x"), true) // a text that says it is longer than an int
	f.Add(uint(2), []byte("0000000000000001#x#0000000001"), true)
	f.Add(uint(2), []byte(s.listingCursor(typeCursor, "x")), false)
	f.Add(uint(3), []byte(other.listingCursor(correlationCursor, "x")), false)
	f.Fuzz(func(t *testing.T, n uint, data []byte, sealed bool) {
		kind, c := kinds[n%uint(len(kinds))], eventstore.Cursor(data)
		if sealed {
			c = s.seal(kind, data)
		}
		place := func(s *Store, kind cursorKind, c eventstore.Cursor) (p any, again eventstore.Cursor, err error) {
			switch kind {
			case feedCursor:
				p, err := s.parseFeed(order, c)
				return p, s.feedCursor(p), err
			case walkCursor:
				p, err := s.parseWalk(c)
				return p, s.walkCursor(p), err
			default:
				p, err := s.parseListing(kind, c)
				return p, s.listingCursor(kind, p), err
			}
		}
		p, again, err := place(s, kind, c)
		if err != nil {
			refusedCursor(t, err)
			return
		}
		if q, _, err := place(s, kind, again); c != "" && (err != nil || q != p) {
			t.Fatalf("%q is %+v, and what that says is %+v, %v", c, p, q, err)
		}
		if c == "" {
			return
		}
		if _, _, err := place(other, kind, c); err == nil {
			t.Fatalf("%q is taken for one of other tables", c)
		}
		if _, _, err := place(s, kinds[(n+1)%uint(len(kinds))], c); err == nil {
			t.Fatalf("%q is taken for one of another kind", c)
		}
	})
}

// An item in whose attributes something is missing or wrong is an error, and never a record with a hole; any other is a record, note or
// head that is the same when it is written and read again.
func FuzzItems(f *testing.F) {
	record := eventstore.Record{
		EventID: "e", Stream: stream("x"), Version: 7, EventType: "OrderConfirmed", SchemaVersion: 2, Data: []byte(`{}`), StoredAt: time.UnixMicro(1).UTC(),
		Metadata: eventstore.Metadata{CausationID: "c", CorrelationID: "r", UserID: "ada", Timestamp: time.UnixMicro(-5).UTC(), CommandHash: "h"},
	}
	items := []item{
		eventItem(record, 8), note{"c", stream("x"), "h", 7, 8}.item(), headItem(eventstore.Head{Stream: stream("x"), Version: 7, At: record.StoredAt}),
	}
	for i, one := range items {
		for _, name := range slices.Sorted(maps.Keys(one)) {
			for kind := range byte(4) {
				f.Add(uint(i), name, kind, "7")
			}
		}
		f.Add(uint(i), version, byte(1), "9223372036854775808")
		f.Add(uint(i), movedAt, byte(0), "-000000000000001#x")
		f.Add(uint(i), movedAt, byte(0), "1#x")
		f.Add(uint(i), "eventId", byte(0), "")
	}
	f.Fuzz(func(t *testing.T, which uint, name string, kind byte, value string) {
		which %= uint(len(items))
		changed := maps.Clone(items[which])
		switch kind % 4 {
		case 0:
			changed[name] = text(value)
		case 1:
			changed[name] = &types.AttributeValueMemberN{Value: value}
		case 2:
			changed[name] = binaryOf([]byte(value))
		case 3:
			delete(changed, name)
		}
		one := func(i item) (read any, write func() item, err error) {
			switch which {
			case 0:
				r, err := storedOf(i)
				return r, func() item { return eventItem(r.Record, r.last) }, err
			case 1:
				n, err := noteOf(i)
				return n, n.item, err
			default:
				h, err := headIn(order, i)
				return h, func() item { return headItem(h) }, err
			}
		}
		read, write, err := one(changed)
		if err != nil {
			if _, needed := items[which][name]; !needed {
				t.Fatalf("an attribute more, %q, is an error: %v", name, err)
			}
			return
		}
		if h, ok := read.(eventstore.Head); ok && h.At.Before(time.UnixMicro(0)) {
			return // no store writes such a time
		}
		if back, _, err := one(write()); err != nil || !reflect.DeepEqual(back, read) {
			t.Fatalf("%v is %+v, and that written %+v, %v", changed, read, back, err)
		}
	})
}

func refusedCursor(t *testing.T, err error) {
	t.Helper()
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Kind != fault.Malformed || !slices.Equal(e.Fields, []fault.FieldError{{Field: "cursor", Message: e.Message}}) || e.Message == "" {
		t.Fatalf("refused with %#v", err)
	}
}
