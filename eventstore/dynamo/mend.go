package dynamo

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"headway/eventstore"
	"headway/fault"
)

// Heads are derived from the streams. Point-in-time recovery restores each table apart from the others, so after one a head may be older
// than its stream's end, or newer, or belong to no stream; or a stream has none.

// WrongHead is a head that is not at its stream's end.
type WrongHead struct {
	Stream eventstore.StreamID
	Head   int // 0: there is none
	End    int // of the stream; 0: it has no events
	end    eventstore.Head
}

// String is the difference as a sentence without its full stop.
func (w WrongHead) String() string {
	switch {
	case w.Head == 0:
		return fmt.Sprintf("the stream %s ends at version %d and has no head", w.Stream, w.End)
	case w.End == 0:
		return fmt.Sprintf("the head of %s is at version %d and its stream has no events", w.Stream, w.Head)
	}
	return fmt.Sprintf("the head of %s is at version %d and its stream ends at version %d", w.Stream, w.Head, w.End)
}

// CheckHeads gives every head that disagrees with its stream, in no order. It looks at every item of both tables, which costs what that
// costs, and must not run beside a console that writes: what moves meanwhile may be named, too.
func CheckHeads(ctx context.Context, options Options, found func(WrongHead)) error {
	client, err := connect(ctx, options)
	if err != nil {
		return err
	}
	s := &Store{client: client, events: options.Prefix + eventsSuffix, heads: options.Prefix + headsSuffix}
	var mu sync.Mutex
	tell := func(w WrongHead) {
		mu.Lock()
		defer mu.Unlock()
		found(w)
	}
	if err := s.scanAll(ctx, &dynamodb.ScanInput{TableName: aws.String(s.heads), ConsistentRead: aws.Bool(true)}, func(items []item) error {
		return eachOf(ctx, len(items), readers, func(ctx context.Context, n int) error { return s.checkHead(ctx, items[n], tell) })
	}); err != nil {
		return readFailed(ctx, err)
	}
	return readFailedOrNil(ctx, s.scanAll(ctx, &dynamodb.ScanInput{
		TableName: aws.String(s.events), ConsistentRead: aws.Bool(true), ProjectionExpression: aws.String(aggregateID + ", #category"),
		FilterExpression: aws.String(version + " = :first"), ExpressionAttributeNames: map[string]string{"#category": categoryName},
		ExpressionAttributeValues: item{":first": number(1)},
	}, func(items []item) error { return s.checkStreams(ctx, items, tell) }))
}

func readFailedOrNil(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	return readFailed(ctx, err)
}

// scanAll reads a table page after page.
func (s *Store) scanAll(ctx context.Context, in *dynamodb.ScanInput, f func([]item) error) error {
	for pages := dynamodb.NewScanPaginator(s.client, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		if err := f(page.Items); err != nil {
			return err
		}
	}
	return nil
}

// checkHead compares one head with its stream.
func (s *Store) checkHead(ctx context.Context, i item, tell func(WrongHead)) error {
	f := fields{item: i}
	h, err := headIn(f.optional(categoryName), i)
	if err != nil {
		return err
	}
	end, err := s.end(ctx, h.Stream)
	if err == nil && (end.Version != h.Version || end.Version > 0 && !end.At.Equal(h.At)) {
		tell(WrongHead{h.Stream, h.Version, end.Version, end})
	}
	return err
}

// checkStreams finds the streams that have no head.
func (s *Store) checkStreams(ctx context.Context, firsts []item, tell func(WrongHead)) error {
	ids := make([]eventstore.StreamID, len(firsts))
	keys := make([]item, len(firsts))
	for n, i := range firsts {
		f := fields{item: i}
		ids[n] = streamOf(f.optional(categoryName), f.text(aggregateID))
		keys[n] = item{aggregateID: i[aggregateID]}
	}
	heads, err := s.batchGet(ctx, s.heads, keys)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, i := range heads {
		f := fields{item: i}
		known[f.text(aggregateID)] = true
	}
	for _, id := range ids {
		if known[id.Key()] {
			continue
		}
		end, err := s.end(ctx, id)
		if err != nil {
			return err
		}
		tell(WrongHead{id, 0, end.Version, end})
	}
	return nil
}

// end is the newest event of a stream, as a head; the zero version if it has none.
func (s *Store) end(ctx context.Context, id eventstore.StreamID) (eventstore.Head, error) {
	out, err := s.client.Query(ctx, &dynamodb.QueryInput{
		TableName: aws.String(s.events), ConsistentRead: aws.Bool(true), ScanIndexForward: aws.Bool(false), Limit: aws.Int32(1),
		KeyConditionExpression: aws.String(aggregateID + " = :stream"), ExpressionAttributeValues: item{":stream": text(id.Key())},
	})
	if err != nil || len(out.Items) == 0 {
		return eventstore.Head{Stream: id}, err
	}
	r, err := storedOf(out.Items[0])
	return eventstore.Head{Stream: id, Version: r.Version, At: r.StoredAt}, err
}

// MendHeads sets every head that disagrees with its stream to its end, each in a transaction that holds only if the head is still what it
// was, and tells what it did. No event is touched. The end of a command that was restored in half is an end: its events are there, and are
// read.
func MendHeads(ctx context.Context, options Options, mended func(WrongHead)) error {
	client, err := connect(ctx, options)
	if err != nil {
		return err
	}
	var wrong []WrongHead
	if err := CheckHeads(ctx, options, func(w WrongHead) { wrong = append(wrong, w) }); err != nil {
		return err
	}
	for _, w := range wrong {
		_, err := client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
			TransactItems: []types.TransactWriteItem{w.mending(options.Prefix + headsSuffix)},
		})
		if _, moved := errors.AsType[*types.TransactionCanceledException](err); moved {
			return fault.Errorf(fault.Conflict, "The head of %s moves while it is mended. Stop the consoles that write, and run this again.",
				w.Stream)
		}
		if err != nil {
			return fault.Unreachable(err, unwritable)
		}
		mended(w)
	}
	return nil
}

// mending is the one change that sets a head right.
func (w WrongHead) mending(table string) types.TransactWriteItem {
	still, values := aws.String("head = :head"), item{":head": number(int64(w.Head))}
	if w.Head == 0 {
		still, values = aws.String("attribute_not_exists("+aggregateID+")"), nil
	}
	if w.End == 0 {
		return types.TransactWriteItem{Delete: &types.Delete{
			TableName: aws.String(table), Key: item{aggregateID: text(w.Stream.Key())}, ConditionExpression: still,
			ExpressionAttributeValues: values,
		}}
	}
	return types.TransactWriteItem{Put: &types.Put{
		TableName: aws.String(table), Item: headItem(w.end), ConditionExpression: still, ExpressionAttributeValues: values,
	}}
}
