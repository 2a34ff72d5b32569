package dynamo

import (
	"context"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"headway/eventstore"
)

// eachOf calls f for 0 … n-1, some at once, and gives the first error; the rest are then ended.
func eachOf(ctx context.Context, n, atOnce int, f func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var all sync.WaitGroup
	for range min(n, atOnce) {
		all.Go(func() {
			for i := range next {
				if ctx.Err() == nil {
					if err := f(ctx, i); err != nil {
						cancel(err)
					}
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
	return context.Cause(ctx)
}

// keyRange is a part of an index: all its shards, within bounds of the sort key.
type keyRange struct {
	table, index string
	hash         string                               // the attribute that holds the shard
	partition    func(shard int) types.AttributeValue // its value
	sort         string                               // the attribute that sorts
	after, until string                               // oldest first: later than after, at most until
	before       string                               // newest first: earlier than before; empty means from the newest
	newestFirst  bool
	part         eventstore.Part // the zero Part is all of them
}

// merge reads the shards of a range as one sorted sequence, until yield says false. It reads pages of about as many keys as are likely to
// be wanted.
func (s *Store) merge(ctx context.Context, r keyRange, want int, yield func(item) (bool, error)) error {
	if !r.newestFirst && r.after >= r.until {
		return nil
	}
	page := int32(min(max(2*want/Shards+2, 4), 1000))
	shards := make([]shardReader, Shards)
	for n := range shards {
		shards[n].ended = !r.part.Has(n)
	}
	err := eachOf(ctx, Shards, Shards, func(ctx context.Context, n int) error { return shards[n].fill(ctx, s.client, r, n, page) })
	if err != nil {
		return err
	}
	for {
		next := -1
		for n := range shards {
			if err := shards[n].fill(ctx, s.client, r, n, page); err != nil {
				return err
			}
			if len(shards[n].items) > 0 && (next < 0 || (shards[n].key < shards[next].key) != r.newestFirst) {
				next = n
			}
		}
		if next < 0 {
			return nil
		}
		if more, err := yield(shards[next].items[0]); err != nil || !more {
			return err
		}
		if err := shards[next].drop(r.sort); err != nil {
			return err
		}
	}
}

// shardReader is what was read of a shard and is still to come.
type shardReader struct {
	items []item
	key   string // of the first item
	last  item   // where the next page begins
	ended bool
}

// fill reads a page if nothing is left.
func (p *shardReader) fill(ctx context.Context, client *dynamodb.Client, r keyRange, shard int, page int32) error {
	for len(p.items) == 0 && !p.ended {
		in := &dynamodb.QueryInput{
			TableName: aws.String(r.table), IndexName: aws.String(r.index), Limit: aws.Int32(page), ExclusiveStartKey: p.last,
			ScanIndexForward: aws.Bool(!r.newestFirst), KeyConditionExpression: aws.String("#h = :h"),
			ExpressionAttributeNames: map[string]string{"#h": r.hash}, ExpressionAttributeValues: item{":h": r.partition(shard)},
		}
		switch {
		case !r.newestFirst: // both bounds of BETWEEN are in it; the one byte makes the next key
			in.KeyConditionExpression = aws.String("#h = :h AND #s BETWEEN :a AND :b")
			in.ExpressionAttributeValues[":a"], in.ExpressionAttributeValues[":b"] = text(r.after+"\x00"), text(r.until)
		case r.before != "":
			in.KeyConditionExpression = aws.String("#h = :h AND #s < :b")
			in.ExpressionAttributeValues[":b"] = text(r.before)
		}
		if strings.Contains(*in.KeyConditionExpression, "#s") {
			in.ExpressionAttributeNames["#s"] = r.sort
		}
		out, err := client.Query(ctx, in)
		if err != nil {
			return err
		}
		p.items, p.last, p.ended = out.Items, out.LastEvaluatedKey, len(out.LastEvaluatedKey) == 0
		if err := p.look(r.sort); err != nil {
			return err
		}
	}
	return nil
}

// drop takes the first item away.
func (p *shardReader) drop(sort string) error {
	p.items = p.items[1:]
	return p.look(sort)
}

func (p *shardReader) look(sort string) error {
	if len(p.items) == 0 {
		return nil
	}
	f := fields{item: p.items[0]}
	p.key = f.text(sort)
	return f.err
}

// ByType is eventstore.Store's.
func (s *Store) ByType(
	ctx context.Context, category, eventType string, before eventstore.Cursor, limit int,
) ([]eventstore.Record, eventstore.Cursor, error) {
	r := keyRange{index: typeIndex, hash: typeShard, partition: func(n int) types.AttributeValue {
		return text(inShard(within(category,
			eventType), n))
	}}
	if eventType == "" {
		r = keyRange{index: allIndex, hash: shardNumber, partition: func(n int) types.AttributeValue { return number(sliceNumber(category, n)) }}
	}
	return s.list(ctx, category, typeCursor, r, before, limit, len(eventType) <= MaxKeyBytes)
}

// ByCorrelation is eventstore.Store's. Events without a correlation id are not listed.
func (s *Store) ByCorrelation(
	ctx context.Context, category, id string, before eventstore.Cursor, limit int,
) ([]eventstore.Record, eventstore.Cursor, error) {
	return s.list(ctx, category, correlationCursor, keyRange{index: correlationIndex, hash: correlationShard,
		partition: func(n int) types.AttributeValue { return text(inShard(within(category, id), n)) }}, before, limit, fits(id))
}

// list reads one page of events, newest first: the keys from an index, the events from the table. One key more than asked for tells whether
// there is another page.
func (s *Store) list(
	ctx context.Context, category string, kind cursorKind, r keyRange, before eventstore.Cursor, limit int, possible bool,
) ([]eventstore.Record, eventstore.Cursor, error) {
	bounded, leave, err := s.reading(ctx)
	if err != nil {
		return nil, "", err
	}
	defer leave()
	r.table, r.sort, r.newestFirst = s.events, storedOrder, true
	if r.before, err = s.parseListing(kind, before); err != nil || !possible {
		return nil, "", err
	}
	limit = pageSize(limit)
	var keys []item
	var order []string
	more := false
	err = s.merge(bounded, r, limit+1, func(i item) (bool, error) {
		if len(keys) == limit {
			more = true
			return false, nil
		}
		f := fields{item: i}
		order = append(order, f.text(storedOrder))
		keys = append(keys, item{aggregateID: i[aggregateID], version: i[version]})
		return true, f.err
	})
	if err != nil {
		return nil, "", readFailed(ctx, err)
	}
	items, err := s.batchGet(bounded, s.events, keys)
	if err != nil {
		return nil, "", readFailed(ctx, err)
	}
	found := make(map[string]eventstore.Record, len(items))
	for _, i := range items {
		r, err := storedOf(i)
		if err != nil {
			return nil, "", readFailed(ctx, err)
		}
		found[storedKey(r.Record)] = r.Record
	}
	var records []eventstore.Record
	for _, key := range order {
		// A transaction reaches the index before a batch can see all of it; and a value of the first category may look like one of another.
		if r, ok := found[key]; ok && r.Stream.Category == category {
			records = append(records, r)
		}
	}
	if !more {
		return records, "", nil
	}
	return records, s.listingCursor(kind, order[len(order)-1]), nil
}
