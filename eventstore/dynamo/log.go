package dynamo

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/uuid"

	"headway/fault"
	"headway/internal/waiting"
)

// layout is the number of what this program writes. 1 knew no other category than the first, and had no item of the log.
const layout = 2

// logItem says which log this is, and by which layout it is written. It lies in the table of events, as the notes of commands do.
type logItem struct {
	id     string // made with the log
	parent string // the log that it was moved from; empty if it was not
	layout int
}

func logKey() item { return item{aggregateID: text("log#"), version: number(0)} }

func (l logItem) item() item {
	i := logKey()
	i["logId"], i["layout"] = text(l.id), number(int64(l.layout))
	if l.parent != "" {
		i["parentId"] = text(l.parent)
	}
	return i
}

// readLog reads the log's item, and makes it if there is none: of a log that is new, or that layout 1 wrote. Refused if a newer layout did.
func (s *Store) readLog(ctx context.Context) (logItem, error) {
	for attempt := 0; ; attempt++ {
		out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{
			TableName: aws.String(s.events), ConsistentRead: aws.Bool(true), Key: logKey(),
		})
		if err != nil {
			return logItem{}, readFailed(ctx, err)
		}
		if len(out.Item) > 0 {
			f := fields{item: out.Item}
			l := logItem{id: f.text("logId"), parent: f.optional("parentId"), layout: int(f.number("layout"))}
			if f.err != nil {
				return logItem{}, readFailed(ctx, f.err)
			}
			if l.layout > layout {
				return logItem{}, fault.Errorf(fault.Refused,
					"The tables were written by a newer Headway (their layout is %d, this program knows %d). Use that version.", l.layout, layout)
			}
			return l, nil
		}
		_, err = s.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
			TransactItems: []types.TransactWriteItem{s.addition(logItem{id: uuid.NewString(), layout: layout}.item())},
		})
		if _, another := errors.AsType[*types.TransactionCanceledException](err); err != nil && !another {
			return logItem{}, fault.Unreachable(err, unwritable)
		}
		if err != nil { // another process was faster, or is about to be
			if err := waiting.Pause(ctx, backoff(attempt)); err != nil {
				return logItem{}, readFailed(ctx, err)
			}
		}
	}
}
