package dynamo

import (
	"fmt"
	"hash/crc32"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"headway/domain"
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

// shardOf spreads orders evenly over the partitions of the indexes. It can never change: stored keys carry it.
func shardOf(id domain.OrderID) int { return int(crc32.ChecksumIEEE([]byte(id)) % Shards) }

// inShard is the partition of an index: a type or a correlation id, and a shard.
func inShard(value string, shard int) string { return fmt.Sprintf("%s#%02d", value, shard) }

// momentKey sorts as time does.
func momentKey(micros int64) string { return fmt.Sprintf("%016d", max(micros, 0)) }

// moveKey sorts heads by the time of their last move; no two are equal.
func moveKey(micros int64, id domain.OrderID) string { return momentKey(micros) + "#" + string(id) }

// storedKey sorts events as the listings do; no two are equal.
func storedKey(r eventstore.Record) string {
	return fmt.Sprintf("%s#%s#%010d", momentKey(r.StoredAt.UnixMicro()), r.OrderID, r.Version)
}

// fits tells whether an id can be a key at all; one that cannot names nothing.
func fits(id string) bool { return id != "" && len(id) <= MaxKeyBytes && utf8.ValidString(id) }

// eventItem is a record as it is stored. last is the version of its command's last event: a reader that sees a part of a command knows it.
func eventItem(r eventstore.Record, last int) item {
	m, shard := r.Metadata, shardOf(r.OrderID)
	i := item{
		aggregateID: text(string(r.OrderID)), version: number(int64(r.Version)), "eventId": text(r.EventID),
		"eventType": text(r.EventType), "schemaVersion": number(int64(r.SchemaVersion)), "data": binaryOf(r.Data),
		"storedAt": number(r.StoredAt.UnixMicro()), "timestamp": number(m.Timestamp.UnixMicro()), "causationId": text(string(m.CausationID)),
		"correlationId": text(m.CorrelationID), "userId": text(m.UserID), "seenVersion": number(int64(m.SeenVersion)),
		"commandHash": text(m.CommandHash), "commandEnd": number(int64(last)),
		typeShard: text(inShard(r.EventType, shard)), shardNumber: number(int64(shard)), storedOrder: text(storedKey(r)),
	}
	if fits(m.CorrelationID) { // the index is sparse
		i[correlationShard] = text(inShard(m.CorrelationID, shard))
	}
	return i
}

// note says which order has a command, and which of its events the command stored. It lies in the table of events, as version 0 of a key
// that no order has, without an attribute of any index, so that no stream and no listing shows it.
type note struct {
	command     domain.CommandID
	order       domain.OrderID
	hash        string // of the command's content
	first, last int    // versions
}

func noteKey(id domain.CommandID) item {
	return item{aggregateID: text("command#" + string(id)), version: number(0)}
}

func (n note) item() item {
	i := noteKey(n.command)
	i["causationId"], i["orderId"], i["commandHash"] = text(string(n.command)), text(string(n.order)), text(n.hash)
	i["commandStart"], i["commandEnd"] = number(int64(n.first)), number(int64(n.last))
	return i
}

func noteOf(i item) (note, error) {
	f := fields{item: i}
	n := note{
		command: domain.CommandID(f.text("causationId")), order: domain.OrderID(f.text("orderId")), hash: f.text("commandHash"),
		first: int(f.number("commandStart")), last: int(f.number("commandEnd")),
	}
	return n, f.err
}

func headItem(h eventstore.Head) item {
	return item{
		aggregateID: text(string(h.OrderID)), "head": number(int64(h.Version)),
		movedAt: text(moveKey(h.At.UnixMicro(), h.OrderID)), slice: number(int64(shardOf(h.OrderID))),
	}
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
		EventID: f.text("eventId"), OrderID: domain.OrderID(f.text(aggregateID)), Version: int(f.number(version)),
		EventType: f.text("eventType"), SchemaVersion: int(f.number("schemaVersion")), Data: f.bytes("data"), StoredAt: f.moment("storedAt"),
		Metadata: eventstore.Metadata{
			CausationID: domain.CommandID(f.text("causationId")), CorrelationID: f.text("correlationId"), UserID: f.text("userId"),
			Timestamp: f.moment("timestamp"), SeenVersion: int(f.number("seenVersion")), CommandHash: f.text("commandHash"),
		},
	}}
	if r.EventID == "" {
		r.EventID = domain.HistoricEventID(r.OrderID, r.Version)
	}
	return r, f.err
}

func headOf(i item) (eventstore.Head, error) {
	f := fields{item: i}
	h := eventstore.Head{OrderID: domain.OrderID(f.text(aggregateID)), Version: int(f.number("head"))}
	micros, err := microsOf(f.text(movedAt))
	if f.err == nil {
		f.err = err
	}
	h.At = time.UnixMicro(micros).UTC()
	return h, f.err
}

// microsOf is the time in a key.
func microsOf(key string) (int64, error) {
	if len(key) < 16 {
		return 0, fmt.Errorf("the key %q has no time", key)
	}
	return strconv.ParseInt(key[:16], 10, 64)
}
