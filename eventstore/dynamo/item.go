package dynamo

import (
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"headway/eventstore"
)

// The engine's own limits, checked before the call.
const (
	MaxActions     = 100       // of one transaction
	MaxItemBytes   = 400 << 10 // one item with the names of its attributes
	MaxAppendBytes = 4 << 20   // all items of one transaction
	MaxKeyBytes    = 512       // an order id, a command id or a correlation id; they are parts of keys
)

type item = map[string]types.AttributeValue

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}
func binaryOf(b []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: b} }

// categoryName is the attribute that names the category of a stream that is not of the first.
const categoryName = "category"

// sliceOf is the number of a stream's slice in the indexes. It can never change: stored keys carry it. Each category has slices of its own,
// so that who reads one meets no other; those of the first are 0 to 15.
func sliceOf(id eventstore.StreamID) int64 { return sliceNumber(id.Category, eventstore.SliceOf(id)) }

func sliceNumber(category string, slice int) int64 {
	if category == eventstore.FirstCategory {
		return int64(slice)
	}
	return int64(slice) + eventstore.Slices*(1+int64(crc32.ChecksumIEEE([]byte(category))))
}

// within is a value of an index, kept apart from that of other categories.
func within(category, value string) string {
	if category == eventstore.FirstCategory {
		return value
	}
	return category + "#" + value
}

// ofKey tells whether an item of which only its key and what is in an index is known can be of a category.
func ofKey(category string, i item) bool {
	f := fields{item: i}
	return category == eventstore.FirstCategory || strings.HasPrefix(f.text(aggregateID), category+"#")
}

// streamOf is the stream of a stored key, of which the category is known.
func streamOf(category, key string) eventstore.StreamID {
	if category == "" || category == eventstore.FirstCategory {
		return eventstore.StreamID{Category: eventstore.FirstCategory, ID: key}
	}
	return eventstore.StreamID{Category: category, ID: strings.TrimPrefix(key, category+"#")}
}

// inShard is the partition of an index: a type or a correlation id, and a shard.
func inShard(value string, shard int) string { return fmt.Sprintf("%s#%02d", value, shard) }

// momentKey sorts as time does.
func momentKey(micros int64) string { return fmt.Sprintf("%016d", max(micros, 0)) }

// moveKey sorts heads by the time of their last move; no two are equal.
func moveKey(micros int64, id eventstore.StreamID) string {
	return momentKey(micros) + "#" + id.Key()
}

// storedKey sorts events as the listings do; no two are equal.
func storedKey(r eventstore.Record) string {
	return fmt.Sprintf("%s#%s#%010d", momentKey(r.StoredAt.UnixMicro()), r.Stream.Key(), r.Version)
}

// fits tells whether an id can be a key at all; one that cannot names nothing.
func fits(id string) bool { return id != "" && len(id) <= MaxKeyBytes && utf8.ValidString(id) }

// eventItem is a record as it is stored. last is the version of its command's last event: a reader that sees a part of a command knows it.
func eventItem(r eventstore.Record, last int) item {
	m, slice := r.Metadata, eventstore.SliceOf(r.Stream)
	i := item{
		aggregateID: text(r.Stream.Key()), version: number(int64(r.Version)), "eventId": text(r.EventID),
		"eventType": text(r.EventType), "schemaVersion": number(int64(r.SchemaVersion)), "data": binaryOf(r.Data),
		"storedAt": number(r.StoredAt.UnixMicro()), "timestamp": number(m.Timestamp.UnixMicro()), "causationId": text(m.CausationID),
		"correlationId": text(m.CorrelationID), "userId": text(m.UserID), "seenVersion": number(int64(m.SeenVersion)),
		"commandHash": text(m.CommandHash), "commandEnd": number(int64(last)),
		typeShard: text(inShard(within(r.Stream.Category, r.EventType), slice)), shardNumber: number(sliceOf(r.Stream)),
		storedOrder: text(storedKey(r)),
	}
	if fits(m.CorrelationID) { // the index is sparse
		i[correlationShard] = text(inShard(within(r.Stream.Category, m.CorrelationID), slice))
	}
	if m.KeyID != "" {
		i["keyId"] = text(m.KeyID)
	}
	name(i, r.Stream)
	return i
}

// name says of which category the item's stream is. An item without it is of the first, as all were once.
func name(i item, id eventstore.StreamID) {
	if id.Category != eventstore.FirstCategory {
		i[categoryName] = text(id.Category)
	}
}

// note says which stream has a command, and which of its events the command stored. It lies in the table of events, as version 0 of a key
// that no order has, without an attribute of any index, so that no stream and no listing shows it.
type note struct {
	command     string
	stream      eventstore.StreamID
	hash        string // of the command's content
	first, last int    // versions
}

func noteKey(id string) item {
	return item{aggregateID: text("command#" + id), version: number(0)}
}

func (n note) item() item {
	i := noteKey(n.command)
	i["causationId"], i["orderId"], i["commandHash"] = text(n.command), text(n.stream.Key()), text(n.hash)
	i["commandStart"], i["commandEnd"] = number(int64(n.first)), number(int64(n.last))
	name(i, n.stream)
	return i
}

func noteOf(i item) (note, error) {
	f := fields{item: i}
	n := note{
		command: f.text("causationId"), stream: streamOf(f.optional(categoryName), f.text("orderId")), hash: f.text("commandHash"),
		first: int(f.number("commandStart")), last: int(f.number("commandEnd")),
	}
	return n, f.err
}

func headItem(h eventstore.Head) item {
	i := item{
		aggregateID: text(h.Stream.Key()), "head": number(int64(h.Version)),
		movedAt: text(moveKey(h.At.UnixMicro(), h.Stream)), slice: number(sliceOf(h.Stream)),
	}
	name(i, h.Stream)
	return i
}

// sizeOf is at least what the engine counts.
func sizeOf(i item) int {
	n := 100
	for name, value := range i {
		n += len(name) + 3
		switch v := value.(type) {
		case *types.AttributeValueMemberS:
			n += len(v.Value)
		case *types.AttributeValueMemberB:
			n += len(v.Value)
		default:
			n += 21
		}
	}
	return n
}

// fields reads the attributes of an item; the first that is missing or of another type is the error.
type fields struct {
	item item
	err  error
}

func (f *fields) text(name string) string {
	if v, ok := f.item[name].(*types.AttributeValueMemberS); ok {
		return v.Value
	}
	f.fail(name)
	return ""
}

// optional is a text that need not be there.
func (f *fields) optional(name string) string {
	if v, ok := f.item[name].(*types.AttributeValueMemberS); ok {
		return v.Value
	}
	return ""
}

func (f *fields) number(name string) int64 {
	if v, ok := f.item[name].(*types.AttributeValueMemberN); ok {
		if n, err := strconv.ParseInt(v.Value, 10, 64); err == nil {
			return n
		}
	}
	f.fail(name)
	return 0
}

func (f *fields) bytes(name string) []byte {
	if v, ok := f.item[name].(*types.AttributeValueMemberB); ok {
		return v.Value
	}
	f.fail(name)
	return nil
}

func (f *fields) fail(name string) {
	if f.err == nil {
		f.err = fmt.Errorf("an item has no %s, or not as it should be", name)
	}
}

func (f *fields) moment(name string) time.Time { return time.UnixMicro(f.number(name)).UTC() }

// stored is a record and the version of its command's last event.
type stored struct {
	eventstore.Record
	last int
}

func storedOf(i item) (stored, error) {
	f := fields{item: i}
	r := stored{last: int(f.number("commandEnd")), Record: eventstore.Record{
		EventID: f.text("eventId"), Stream: streamOf(f.optional(categoryName), f.text(aggregateID)), Version: int(f.number(version)),
		EventType: f.text("eventType"), SchemaVersion: int(f.number("schemaVersion")), Data: f.bytes("data"), StoredAt: f.moment("storedAt"),
		Metadata: eventstore.Metadata{
			CausationID: f.text("causationId"), CorrelationID: f.text("correlationId"), UserID: f.text("userId"),
			Timestamp: f.moment("timestamp"), SeenVersion: int(f.number("seenVersion")), CommandHash: f.text("commandHash"),
			KeyID: f.optional("keyId"),
		},
	}}
	if r.EventID == "" {
		r.EventID = eventstore.HistoricEventID(r.Stream.Key(), r.Version)
	}
	return r, f.err
}

// headOf is the head of a stream.
func headOf(id eventstore.StreamID, i item) (eventstore.Head, error) {
	f := fields{item: i}
	h := eventstore.Head{Stream: id, Version: int(f.number("head"))}
	micros, err := microsOf(f.text(movedAt))
	if f.err == nil {
		f.err = err
	}
	h.At = time.UnixMicro(micros).UTC()
	return h, f.err
}

// headIn is the head of a stream of a category.
func headIn(category string, i item) (eventstore.Head, error) {
	f := fields{item: i}
	key := f.text(aggregateID)
	if f.err != nil {
		return eventstore.Head{}, f.err
	}
	return headOf(streamOf(category, key), i)
}

// microsOf is the time in a key.
func microsOf(key string) (int64, error) {
	if len(key) < 16 {
		return 0, fmt.Errorf("the key %q has no time", key)
	}
	return strconv.ParseInt(key[:16], 10, 64)
}
