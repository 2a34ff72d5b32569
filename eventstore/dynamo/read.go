package dynamo

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"headway/eventstore"
	"headway/internal/waiting"
)

const (
	keysPerBatch = 100 // of one BatchGetItem
	readers      = 4   // batches that are read at once
	settleTries  = 20  // reads that wait for the rest of a command
	settlePause  = 25 * time.Millisecond
)

// Read is eventstore.Store's. A query sees a transaction item by item; a command that is seen in part is read again until it is whole. One
// that stays in part is broken, and is answered as it is: what reads it says so.
func (s *Store) Read(ctx context.Context, id eventstore.StreamID, after int) ([]eventstore.Record, error) {
	bounded, leave, err := s.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if !fits(id.Key()) {
		return nil, nil
	}
	for attempt := 0; ; attempt++ {
		found, err := s.query(bounded, &dynamodb.QueryInput{
			TableName: aws.String(s.events), ConsistentRead: aws.Bool(true),
			KeyConditionExpression:    aws.String(aggregateID + " = :order AND " + version + " > :after"),
			ExpressionAttributeValues: item{":order": text(id.Key()), ":after": number(int64(max(after, 0)))},
		})
		if err != nil {
			return nil, readFailed(ctx, err)
		}
		if len(found) > 0 && found[0].Stream != id { // a stream of another category has the key
			return nil, nil
		}
		if whole(found, after) || attempt == settleTries {
			return recordsOf(found), nil
		}
		if err := waiting.Pause(bounded, settlePause); err != nil {
			return nil, readFailed(ctx, err)
		}
	}
}

// whole tells whether no version is missing, and no command at the end is there in part.
func whole(found []stored, after int) bool {
	for i, r := range found {
		if r.Version != max(after, 0)+i+1 {
			return false
		}
	}
	return len(found) == 0 || found[len(found)-1].last <= found[len(found)-1].Version
}

func recordsOf(found []stored) []eventstore.Record {
	var records []eventstore.Record
	for _, r := range found {
		records = append(records, r.Record)
	}
	return records
}

// query reads all pages of events.
func (s *Store) query(ctx context.Context, in *dynamodb.QueryInput) ([]stored, error) {
	var all []stored
	for pages := dynamodb.NewQueryPaginator(s.client, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, i := range page.Items {
			r, err := storedOf(i)
			if err != nil {
				return nil, err
			}
			all = append(all, r)
		}
	}
	return all, nil
}

// head is the order's, strongly consistent; the zero version if it does not exist.
func (s *Store) head(ctx context.Context, id eventstore.StreamID) (eventstore.Head, error) {
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: aws.String(s.heads), ConsistentRead: aws.Bool(true), Key: item{aggregateID: text(id.Key())},
	})
	if err != nil || len(out.Item) == 0 {
		return eventstore.Head{Stream: id}, err
	}
	return headOf(id, out.Item)
}

// Heads is eventstore.Store's. A stream that is named twice is answered once.
func (s *Store) Heads(ctx context.Context, ids ...eventstore.StreamID) ([]eventstore.Head, error) {
	bounded, leave, err := s.reading(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	asked := make(map[eventstore.StreamID]bool, len(ids))
	known := make(map[string]bool, len(ids))
	var keys []item
	for _, id := range ids {
		asked[id] = true
		if key := id.Key(); !known[key] && fits(key) {
			known[key] = true
			keys = append(keys, item{aggregateID: text(key)})
		}
	}
	items, err := s.batchGet(bounded, s.heads, keys)
	if err != nil {
		return nil, readFailed(ctx, err)
	}
	var heads []eventstore.Head
	for _, i := range items {
		f := fields{item: i}
		id := streamOf(f.optional(categoryName), f.text(aggregateID))
		if !asked[id] { // a stream of another category has the key
			continue
		}
		h, err := headOf(id, i)
		if err != nil {
			return nil, readFailed(ctx, err)
		}
		heads = append(heads, h)
	}
	return heads, nil
}

// ReadMany is eventstore.Store's: DynamoDB has no request for it, so some streams are read at once.
func (s *Store) ReadMany(ctx context.Context, after []eventstore.Head, limit int) ([]eventstore.Record, error) {
	limit = pageSize(limit)
	var all []eventstore.Record
	for chunk := range slices.Chunk(after, 2*readers) {
		read := make([][]eventstore.Record, len(chunk))
		err := eachOf(ctx, len(chunk), readers, func(ctx context.Context, n int) (err error) {
			read[n], err = s.Read(ctx, chunk[n].Stream, chunk[n].Version)
			return err
		})
		if err != nil {
			return nil, err
		}
		if all = append(all, slices.Concat(read...)...); len(all) >= limit {
			return all[:limit:limit], nil
		}
	}
	return all, nil
}

// batchGet reads items by their keys, strongly consistent, in no order; what does not exist is left out.
func (s *Store) batchGet(ctx context.Context, table string, keys []item) ([]item, error) {
	chunks := slices.Collect(slices.Chunk(keys, keysPerBatch))
	found := make([][]item, len(chunks))
	err := eachOf(ctx, len(chunks), readers, func(ctx context.Context, n int) error {
		ask := map[string]types.KeysAndAttributes{table: {Keys: chunks[n], ConsistentRead: aws.Bool(true)}}
		for attempt := 0; ; attempt++ {
			out, err := s.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: ask})
			if err != nil {
				return err
			}
			found[n] = append(found[n], out.Responses[table]...)
			ask = out.UnprocessedKeys
			if len(ask) == 0 {
				return nil
			}
			if len(out.Responses[table]) > 0 {
				attempt = 0 // the engine had no more room in one answer, or a little too much to do
			}
			if err := waiting.Pause(ctx, backoff(attempt)); err != nil {
				return err
			}
		}
	})
	return slices.Concat(found...), err
}

// Walk is eventstore.Store's: a scan of the heads in the engine's own order, which stays. The total is counted at its start, by a scan of
// its own, which may take CountTimeout.
func (s *Store) Walk(
	ctx context.Context, category string, after eventstore.Cursor, limit int,
) ([]eventstore.Head, eventstore.Cursor, int, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, "", 0, err
	}
	defer leave()
	place, err := s.parseWalk(after)
	if err != nil {
		return nil, "", 0, err
	}
	if after == "" {
		if place.total, err = s.count(ctx, category); err != nil {
			return nil, "", 0, readFailed(ctx, err)
		}
	}
	bounded, cancel := context.WithTimeout(ctx, ReadTimeout)
	defer cancel()
	heads, next, err := s.scan(bounded, category, place.key, "", int32(pageSize(limit)))
	if err != nil {
		return nil, "", 0, readFailed(ctx, err)
	}
	if next == "" {
		return heads, "", place.total, nil
	}
	place.key = next
	return heads, s.walkCursor(place), place.total, nil
}

// scan looks at so many heads after an order, in the order of the scan, and gives those that moved since a key, and where it stopped; empty
// at the end.
func (s *Store) scan(
	ctx context.Context, category, after, since string, look int32,
) (heads []eventstore.Head, next string, err error) {
	in := &dynamodb.ScanInput{TableName: aws.String(s.heads), ConsistentRead: aws.Bool(true), Limit: aws.Int32(look)}
	if after != "" {
		in.ExclusiveStartKey = item{aggregateID: text(after)}
	}
	in.FilterExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues = ofCategory(category)
	if since != "" {
		in.FilterExpression = aws.String(*in.FilterExpression + " AND " + movedAt + " >= :since")
		in.ExpressionAttributeValues[":since"] = text(since)
	}
	if len(in.ExpressionAttributeValues) == 0 {
		in.ExpressionAttributeValues = nil
	}
	out, err := s.client.Scan(ctx, in)
	if err != nil {
		return nil, "", err
	}
	for _, i := range out.Items {
		h, err := headIn(category, i)
		if err != nil {
			return nil, "", err
		}
		heads = append(heads, h)
	}
	if len(out.LastEvaluatedKey) == 0 {
		return heads, "", nil
	}
	f := fields{item: out.LastEvaluatedKey}
	return heads, f.text(aggregateID), f.err
}

// ofCategory is the condition of an item that belongs to a category.
func ofCategory(category string) (condition *string, names map[string]string, values item) {
	names = map[string]string{"#category": categoryName}
	if category == eventstore.FirstCategory {
		return aws.String("attribute_not_exists(#category)"), names, item{}
	}
	return aws.String("#category = :category"), names, item{":category": text(category)}
}

// count is how many streams of a category there are. It looks at each of them, page after page, so that it leaves room for others; it takes
// the longer the more there are.
func (s *Store) count(ctx context.Context, category string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, CountTimeout)
	defer cancel()
	total := 0
	in := &dynamodb.ScanInput{TableName: aws.String(s.heads), Select: types.SelectCount, ConsistentRead: aws.Bool(true)}
	in.FilterExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues = ofCategory(category)
	if len(in.ExpressionAttributeValues) == 0 {
		in.ExpressionAttributeValues = nil
	}
	for pages := dynamodb.NewScanPaginator(s.client, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return 0, err
		}
		total += int(page.Count)
	}
	return total, nil
}
