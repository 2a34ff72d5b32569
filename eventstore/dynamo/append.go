package dynamo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"headway/eventstore"
	"headway/fault"
	"headway/internal/waiting"
)

// Append is eventstore.Store's: one TransactWriteItems, and no other request unless its answer is a refusal or does not arrive.
//
// The head is written if it is where the command expects and moved before now, each event if its version is free, and the note of the
// command if no order has one, so that a command id belongs to one order for ever. StoredAt grows within an order even if clocks differ:
// when another clock was ahead, the same command is sent again with a later time.
func (s *Store) Append(
	ctx context.Context, id eventstore.StreamID, expect int, m eventstore.Metadata, events ...eventstore.NewEvent,
) ([]eventstore.Record, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	c, err := s.command(id, expect, m, events)
	if err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, AppendTimeout)
	defer cancel()
	records, err := s.append(bounded, c)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return records, err
}

// command is one append: what is stored, and what is known of its fate.
type command struct {
	stream  eventstore.StreamID
	expect  int
	records []eventstore.Record
	again   int64 // distinguishes the token of another body for the same command; 0 at first
	unsure  bool  // an attempt was made that may have been stored
	moved   int   // the head that the engine told when it refused, if it is not at expect; 0 if it told none
}

func (c *command) metadata() eventstore.Metadata { return c.records[0].Metadata }

// noteItem is what says for ever which order has this command.
func (c *command) noteItem() item {
	return note{
		command: c.metadata().CausationID, stream: c.stream, hash: c.metadata().CommandHash, first: c.expect + 1, last: c.expect + len(c.records),
	}.item()
}

// stamp gives every event its time, the first not before micros.
func (c *command) stamp(micros int64) {
	for i := range c.records {
		c.records[i].StoredAt = time.UnixMicro(micros + int64(i)).UTC()
	}
}

// token is the same on every retry, also of another process, so that the engine itself recognises a repeat for ten minutes. Tokens are an
// account's, so it names the table: a restored copy has the same commands.
func (c *command) token(table string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%d\n%d", table, c.metadata().CausationID, c.stream.Key(), c.expect, c.again))
	return hex.EncodeToString(sum[:18])
}

// command makes the records and checks what can be checked without asking the engine.
func (s *Store) command(id eventstore.StreamID, expect int, m eventstore.Metadata, events []eventstore.NewEvent) (*command, error) {
	records, err := eventstore.Records(id, expect, m, events)
	if err != nil {
		return nil, err
	}
	switch {
	case !fits(id.Key()):
		return nil, fault.InvalidField("orderId", "The id of a stream has 1 to %d bytes of text.", MaxKeyBytes)
	case !fits(m.CausationID):
		return nil, fault.InvalidField("commandId", "The id of a command has 1 to %d bytes of text.", MaxKeyBytes)
	case len(m.CorrelationID) > MaxKeyBytes:
		return nil, fault.Errorf(fault.TooLarge, "A correlation id can have at most %d bytes.", MaxKeyBytes)
	}
	c := &command{stream: id, expect: expect, records: records}
	c.stamp(s.clock().UnixMicro())
	total := sizeOf(c.noteItem())
	for _, r := range c.records {
		size := sizeOf(eventItem(r, expect+len(events)))
		if size > MaxItemBytes {
			return nil, fault.Errorf(fault.TooLarge, "One event with all that is known of it can hold at most %d KiB.", MaxItemBytes>>10)
		}
		total += size
	}
	if total > MaxAppendBytes {
		return nil, fault.Errorf(fault.TooLarge, "One command can store at most %d MiB.", MaxAppendBytes>>20)
	}
	return c, nil
}

// append sends the command until its outcome is definite or the time is over.
func (s *Store) append(ctx context.Context, c *command) ([]eventstore.Record, error) {
	if c.expect < 0 || c.expect+len(c.records) > eventstore.MaxStreamEvents {
		return s.notSent(ctx, c)
	}
	for attempt := 0; ; attempt++ {
		err := s.write(ctx, c)
		if err == nil {
			return c.records, nil
		}
		next := c.judge(err)
		if next == hopeless {
			return nil, fault.Unreachable(err, unwritable)
		}
		if next == later { // nothing was stored, and the command's new time is late enough
			continue
		}
		if next != crowded {
			records, done, lookErr := s.lookBack(ctx, c)
			if done {
				return records, lookErr
			}
			err = errors.Join(err, lookErr)
			if next == mismatched && lookErr == nil {
				// Another body has the token: an attempt of the same command that is under way, or that was refused. The condition on the
				// head decides between the two.
				c.again = c.records[0].StoredAt.UnixMicro()
			}
		}
		if waiting.Pause(ctx, backoff(attempt)) != nil {
			if c.unsure {
				return nil, fault.Unreachable(err, unknownOutcome)
			}
			return nil, fault.Unreachable(err, unwritable)
		}
	}
}

// notSent answers a command that could only be stored past the limit of an order, if at all.
func (s *Store) notSent(ctx context.Context, c *command) ([]eventstore.Record, error) {
	records, done, err := s.lookBack(ctx, c)
	switch {
	case err != nil && !done:
		return nil, readFailed(ctx, err)
	case done:
		return records, err
	}
	return nil, eventstore.StreamIsFull(c.expect)
}

// write sends the one request. The SDK builds its bytes once and retries them, and gives the last attempt's error: what the ones before it
// leave open is noted.
func (s *Store) write(ctx context.Context, c *command) error {
	last := c.records[len(c.records)-1]
	head := types.Put{
		TableName: aws.String(s.heads), Item: headItem(eventstore.Head{Stream: c.stream, Version: last.Version, At: last.StoredAt}),
		ConditionExpression:                 aws.String("attribute_not_exists(" + aggregateID + ")"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	if c.expect > 0 {
		head.ConditionExpression = aws.String("head = :expect AND " + movedAt + " < :storedAt")
		head.ExpressionAttributeValues = item{
			":expect": number(int64(c.expect)), ":storedAt": text(momentKey(c.records[0].StoredAt.UnixMicro())),
		}
	}
	in := &dynamodb.TransactWriteItemsInput{
		ClientRequestToken: aws.String(c.token(s.events)), TransactItems: []types.TransactWriteItem{{Put: &head}, s.addition(c.noteItem())},
	}
	for _, r := range c.records {
		in.TransactItems = append(in.TransactItems, s.addition(eventItem(r, last.Version)))
	}
	_, err := s.client.TransactWriteItems(ctx, in, dynamodb.WithAPIOptions(func(stack *middleware.Stack) error {
		return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("Attempts", func(
			ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
		) (middleware.FinalizeOutput, middleware.Metadata, error) {
			out, metadata, err := next.HandleFinalize(ctx, in)
			c.unsure = c.unsure || err != nil && leavesOpen(err)
			return out, metadata, err
		}), "Retry", middleware.After)
	}))
	return err
}

// addition puts an item into the table of events if its key is free: nothing there is ever replaced.
func (s *Store) addition(i item) types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{
		TableName: aws.String(s.events), Item: i, ConditionExpression: aws.String("attribute_not_exists(" + aggregateID + ")"),
	}}
}

// verdict is what an error of the write says about the command.
type verdict int

const (
	asked      verdict = iota // nothing: it may be stored
	elsewhere                 // it was not stored now: the order is not where it expects, or its command was stored before
	later                     // it was not stored: the order moved at a later time than ours; the command has a new one
	crowded                   // it was not stored: the engine had too much to do, or was not there
	mismatched                // its token was used with other bytes
	hopeless                  // it was not stored, and never will be as things are
)

// judge reads an error. It sets the command's new time if that is all that was wrong.
func (c *command) judge(err error) verdict {
	if cancelled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		return c.judgeReasons(cancelled.CancellationReasons)
	}
	if _, ok := errors.AsType[*types.IdempotentParameterMismatchException](err); ok {
		return mismatched
	}
	e, told := errors.AsType[smithy.APIError](err)
	switch {
	case leavesOpen(err):
		return asked
	case !told || slices.Contains(throttles(), e.ErrorCode()):
		return crowded
	}
	return c.never()
}

// never is the verdict on a request that was refused for ever: one before it may be stored.
func (c *command) never() verdict {
	if c.unsure {
		return asked
	}
	return hopeless
}

// leavesOpen tells whether a command may be stored although an attempt got this error: its answer was lost, or another attempt has its
// token.
func leavesOpen(err error) bool {
	if _, cancelled := errors.AsType[*types.TransactionCanceledException](err); cancelled {
		return false
	}
	_, elsewhere := errors.AsType[*types.IdempotentParameterMismatchException](err)
	_, underWay := errors.AsType[*types.TransactionInProgressException](err)
	if elsewhere || underWay {
		return true
	}
	if connection, ok := errors.AsType[*net.OpError](err); ok && connection.Op == "dial" {
		return false // nothing was sent
	}
	_, told := errors.AsType[smithy.APIError](err)
	response, answered := errors.AsType[*smithyhttp.ResponseError](err)
	return !told || !answered || response.HTTPStatusCode() >= http.StatusInternalServerError
}

func (c *command) judgeReasons(reasons []types.CancellationReason) verdict {
	result := crowded
	for i, reason := range reasons {
		switch code := aws.ToString(reason.Code); {
		case code == "None" || code == "" || slices.Contains(crowds(), code):
		case code != "ConditionalCheckFailed":
			return c.never()
		case i == 0 && len(reason.Item) > 0:
			head, err := headOf(c.stream, reason.Item)
			if err != nil || head.Version != c.expect {
				c.moved = head.Version
				return elsewhere
			}
			if at := head.At.UnixMicro(); at >= c.records[0].StoredAt.UnixMicro() {
				c.stamp(at + 1)
				c.again = at + 1
				return later
			}
			result = elsewhere
		default:
			result = elsewhere
		}
	}
	return result
}

// crowds are the reasons of a cancellation that say nothing about the command: it may be sent again.
func crowds() []string {
	return []string{"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded"}
}

func throttles() []string {
	return []string{"ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded", "TransactionConflictException"}
}

// onlyCrowded makes the SDK retry a cancellation, with the same bytes, when nothing but the crowd was its reason.
func onlyCrowded(err error) aws.Ternary {
	cancelled, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok {
		return aws.UnknownTernary
	}
	busy := false
	for _, reason := range cancelled.CancellationReasons {
		code := aws.ToString(reason.Code)
		busy = busy || slices.Contains(crowds(), code)
		if code != "None" && code != "" && !slices.Contains(crowds(), code) {
			return aws.FalseTernary
		}
	}
	return aws.BoolTernary(busy)
}

// lookBack finds out what became of a command: done with its own first result, with Invalid, or with a Conflict; not done if the order is
// where the command expects and no order has the command, so that it was not stored yet. The head is read first: once it is not at expect,
// no request of this command that is still under way can be stored any more.
func (s *Store) lookBack(ctx context.Context, c *command) (records []eventstore.Record, done bool, err error) {
	head := eventstore.Head{Version: c.moved}
	if c.moved == 0 {
		if head, err = s.head(ctx, c.stream); err != nil {
			return nil, false, err
		}
	}
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: aws.String(s.events), ConsistentRead: aws.Bool(true), Key: noteKey(c.metadata().CausationID),
	})
	switch {
	case err != nil:
		return nil, false, err
	case len(out.Item) == 0 && head.Version == c.expect:
		return nil, false, nil
	case len(out.Item) == 0:
		return nil, true, eventstore.MovedOn(c.expect, head.Version)
	}
	n, err := noteOf(out.Item)
	if err != nil {
		return nil, false, err
	}
	if n.stream != c.stream || n.hash != c.metadata().CommandHash {
		return nil, true, eventstore.OtherContent()
	}
	records, err = s.between(ctx, n)
	return records, err == nil, err
}

// between are the events of a command that is stored. A query may show its transaction in part, or not yet; it is asked until it shows all.
func (s *Store) between(ctx context.Context, n note) ([]eventstore.Record, error) {
	for attempt := 0; ; attempt++ {
		found, err := s.query(ctx, &dynamodb.QueryInput{
			TableName: aws.String(s.events), ConsistentRead: aws.Bool(true),
			KeyConditionExpression: aws.String(aggregateID + " = :order AND " + version + " BETWEEN :first AND :last"),
			ExpressionAttributeValues: item{
				":order": text(n.stream.Key()), ":first": number(int64(n.first)), ":last": number(int64(n.last)),
			},
		})
		if err != nil {
			return nil, err
		}
		if len(found) == n.last-n.first+1 {
			return recordsOf(found), nil
		}
		if attempt == settleTries {
			return nil, fmt.Errorf("command %s of order %s has %d events of %d", n.command, n.stream, len(found), n.last-n.first+1)
		}
		if err := waiting.Pause(ctx, settlePause); err != nil {
			return nil, err
		}
	}
}
