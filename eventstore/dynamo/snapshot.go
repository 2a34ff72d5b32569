package dynamo

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"headway/eventstore"
	"headway/fault"
)

// LoadSnapshot is eventstore.Snapshots'. It reads without strong consistency, at half the price: an older snapshot is as true as the
// newest.
func (s *Store) LoadSnapshot(ctx context.Context, id eventstore.StreamID) (eventstore.Snapshot, error) {
	bounded, leave, err := s.reading(ctx)
	if err != nil {
		return eventstore.Snapshot{}, err
	}
	defer leave()
	if !fits(id.Key()) {
		return eventstore.Snapshot{}, nil
	}
	out, err := s.client.GetItem(bounded, &dynamodb.GetItemInput{TableName: aws.String(s.snapshots), Key: item{aggregateID: text(id.Key())}})
	if err != nil {
		return eventstore.Snapshot{}, readFailed(ctx, err)
	}
	if len(out.Item) == 0 {
		return eventstore.Snapshot{}, nil
	}
	f := fields{item: out.Item}
	found := eventstore.Snapshot{Stream: id, Version: int(f.number(version)), Data: f.bytes("data")}
	if f.err != nil {
		return eventstore.Snapshot{}, readFailed(ctx, f.err)
	}
	return found, nil
}

// SaveSnapshot is eventstore.Snapshots'.
func (s *Store) SaveSnapshot(ctx context.Context, snapshot eventstore.Snapshot, invalid int) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	switch {
	case len(snapshot.Data) > eventstore.MaxSnapshotBytes:
		return eventstore.SnapshotTooLarge(snapshot)
	case !fits(snapshot.Stream.Key()):
		return fault.InvalidField("orderId", "The id of a stream has 1 to %d bytes of text.", MaxKeyBytes)
	}
	bounded, cancel := context.WithTimeout(ctx, AppendTimeout)
	defer cancel()
	_, err = s.client.PutItem(bounded, &dynamodb.PutItemInput{
		TableName: aws.String(s.snapshots), Item: snapshotItem(snapshot),
		ConditionExpression: aws.String("attribute_not_exists(" + aggregateID + ") OR " + version + " <= :version OR " + version + " = :invalid"),
		ExpressionAttributeValues: item{
			":version": number(int64(snapshot.Version)), ":invalid": number(int64(invalid)),
		},
	})
	if _, newer := errors.AsType[*types.ConditionalCheckFailedException](err); newer || err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fault.Unreachable(err, unwritable)
}

func snapshotItem(s eventstore.Snapshot) item {
	return item{aggregateID: text(s.Stream.Key()), version: number(int64(s.Version)), "data": binaryOf(s.Data)}
}
