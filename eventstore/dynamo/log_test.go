package dynamo

import (
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"headway/eventstore"
	"headway/fault"
)

// stored is an item of the table of events, strongly consistent; none if it is not there.
func (p *place) stored(t *testing.T, key item) item {
	t.Helper()
	out, err := p.client(t).GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: aws.String(p.options.Prefix + eventsSuffix), ConsistentRead: aws.Bool(true), Key: key,
	})
	must(t, err)
	return out.Item
}

func (p *place) logID(t *testing.T) string {
	t.Helper()
	f := fields{item: p.stored(t, logKey())}
	id, number := f.text("logId"), f.number("layout")
	if f.err != nil || number != layout || len(id) != 36 {
		t.Fatalf("the log's item is %v, %v", f.item, f.err)
	}
	return id
}

// The log has one identity for ever, however many open it, and open it first at the same time.
func TestTheLogIsMadeOnce(t *testing.T) {
	p := newPlace(t)
	identities := make([]uint64, 8)
	var all sync.WaitGroup
	for i := range identities {
		all.Go(func() {
			s, err := Open(t.Context(), p.options)
			if err != nil {
				t.Error(err)
				return
			}
			identities[i] = s.identity
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	id := p.logID(t)
	for i, got := range identities {
		if got != numberOf(id) {
			t.Errorf("process %d has the identity %d, and the log %s", i, got, id)
		}
	}

	// One that looked a moment before another had made it.
	hidden := 0
	w := &wire{change: func(operation, asked, answer string) string {
		if operation == "GetItem" && strings.Contains(asked, `"log#"`) && hidden < 2 {
			hidden++
			return "{}"
		}
		return answer
	}}
	options := p.options
	options.Client = w
	s := open(t, options)
	if got := p.logID(t); got != id || s.identity != numberOf(id) {
		t.Errorf("the log was %s and is %s", id, got)
	}
	if requests := w.take(); hidden != 2 || requests["TransactWriteItems"] != 2 {
		t.Errorf("it did not try to make the log: %v", requests)
	}
	if another := newPlace(t); open(t, another.options).identity == s.identity {
		t.Error("two logs have one identity")
	}
}

// What a newer program wrote is refused, and stays as it is.
func TestNewerTables(t *testing.T) {
	p := newPlace(t)
	newer := logItem{id: "x", parent: "y", layout: layout + 1}.item()
	put(t, p, newer)
	_, err := Open(t.Context(), p.options)
	if fault.KindOf(err) != fault.Refused || !strings.Contains(fault.Sentence(err), "were written by a newer Headway") {
		t.Errorf("got %v", err)
	}
	if left := p.stored(t, logKey()); len(left) != len(newer) {
		t.Errorf("the log's item is %v", left)
	}
}

// An item of the log that is not as it should be is an error, and not replaced.
func TestABrokenLogItem(t *testing.T) {
	p := newPlace(t)
	broken := logItem{id: "x", layout: layout}.item()
	delete(broken, "layout")
	put(t, p, broken)
	if _, err := Open(t.Context(), p.options); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("got %v", err)
	}
}

// Tables of layout 1, which have no item of the log, go on where they were: nothing of them is touched, and who followed their feed begins
// anew.
func TestTablesOfLayout1(t *testing.T) {
	p := newPlace(t)
	s := open(t, p.options)
	want := map[eventstore.StreamID]int{}
	for range 3 {
		id := newStream()
		move(t, s, id, 0)
		want[id] = 1
	}
	must(t, s.Close())
	client := p.client(t)
	_, err := client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: aws.String(s.events), Key: logKey()})
	must(t, err)

	s = open(t, p.options)
	id := p.logID(t)
	if again := open(t, p.options); again.identity != s.identity || p.logID(t) != id {
		t.Error("opened again, it is another log")
	}
	old := sealed(7, oldFeedCursor, []byte("a place of layout 1"))
	follow(t, s, old, want)
	for stream := range want {
		if records, err := s.Read(t.Context(), stream, 0); err != nil || len(records) != 1 {
			t.Errorf("the stream %s has %v, %v", stream, records, err)
		}
		move(t, s, stream, 1)
	}
	for _, broken := range []eventstore.Cursor{oldAs("x"), oldAs(""), old + "x", old[:len(old)-1]} {
		_, _, err := s.Feed(t.Context(), order, eventstore.Whole, broken, 5)
		refusedCursor(t, err)
	}
	_, _, _, err = s.Walk(t.Context(), order, old, 5)
	refusedCursor(t, err)
}

func oldAs(text string) eventstore.Cursor {
	return eventstore.Cursor(oldFeedCursor) + eventstore.Cursor(text)
}

// The name of another category is part of every key, and an attribute of every item; that of the first is neither, so that its items are as
// they always were.
func TestCategoriesAsStored(t *testing.T) {
	p := newPlace(t)
	s := open(t, p.options)
	invoice := eventstore.StreamID{Category: "invoice", ID: "7"}
	for _, id := range []eventstore.StreamID{stream("7"), invoice} {
		move(t, s, id, 0)
	}
	first := fields{item: p.stored(t, item{aggregateID: text("7"), version: number(1)})}
	other := fields{item: p.stored(t, item{aggregateID: text("invoice#7"), version: number(1)})}
	for name, want := range map[string][2]string{
		categoryName: {"", "invoice"}, typeShard: {"OrderCancelled#", "invoice#OrderCancelled#"},
		correlationShard: {first.text("correlationId") + "#", "invoice#" + other.text("correlationId") + "#"},
	} {
		for i, f := range []fields{first, other} {
			if got := f.optional(name); !strings.HasPrefix(got, want[i]) || want[i] == "" && got != "" {
				t.Errorf("%s of %s is %q, want %q", name, f.text(aggregateID), got, want[i])
			}
		}
	}
	if n := first.number(shardNumber); n != int64(eventstore.SliceOf(stream("7"))) || n >= eventstore.Slices {
		t.Errorf("the order's slice is %d", n)
	}
	if n := other.number(shardNumber); n%eventstore.Slices != int64(eventstore.SliceOf(invoice)) || n < eventstore.Slices {
		t.Errorf("the invoice's slice is %d", n)
	}
	if first.err != nil || other.err != nil {
		t.Error(first.err, other.err)
	}
}

func put(t *testing.T, p *place, i item) {
	t.Helper()
	_, err := p.client(t).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(p.options.Prefix + eventsSuffix), Item: i})
	must(t, err)
}
