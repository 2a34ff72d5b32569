package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"headway/domain"
	"headway/fault"
	"headway/internal/waiting"
	"headway/projections"
)

// The bounds of one bulk request.
const (
	MaxBulkItems = 1000
	MaxBulkBytes = 5 << 20 // more only for a single document
	bulkAttempts = 8       // of one request, and of each of its items
)

// item is one document to write: by its external version, or, without one, whatever is there; or to delete.
type item struct {
	index   string
	id      string
	order   domain.OrderID // whose row it is, if it is one
	version int64
	doc     any // nil deletes
}

// operation is an item as the node reads it: a line that names it, and its document.
func (i item) operation() ([]byte, error) {
	action := object{"_index": i.index, "_id": i.id}
	if i.version > 0 {
		action["version"], action["version_type"] = i.version, "external"
	}
	name := "index"
	if i.doc == nil {
		name = "delete"
	}
	line, err := json.Marshal(object{name: action})
	if err != nil || i.doc == nil {
		return append(line, '\n'), err
	}
	doc, err := json.Marshal(i.doc)
	if err != nil {
		return nil, err
	}
	return bytes.Join([][]byte{line, doc, nil}, []byte{'\n'}), nil
}

// refused is the error of an item that can never be taken.
func (i item) refused(cause *answerError) error {
	if i.order != "" {
		return &projections.RejectedRow{OrderID: i.order, Reason: "The read store cannot keep its row.", Cause: &itemError{i, cause}}
	}
	return &fault.Error{
		Kind: fault.Internal, Message: fmt.Sprintf("The read store cannot keep the row of %.80q.", i.id), Cause: &itemError{i, cause},
	}
}

// itemError is an item that the node refuses for good.
type itemError struct {
	item  item
	error *answerError
}

func (e *itemError) Error() string { return fmt.Sprintf("%s/%s: %v", e.item.index, e.item.id, e.error) }
func (e *itemError) Unwrap() error { return e.error }

// bulk writes all items, in bounded requests, and reads the status of each: one that the node is too busy for is sent again, and
// one that is already there in a newer version is done. Visible has searches find them when it returns. What it returns an error for
// may have been written in part.
func (c *client) bulk(ctx context.Context, items []item, visible bool) error {
	for len(items) > 0 {
		var chunk []item
		var operations [][]byte
		size := 0
		for _, i := range items {
			operation, err := i.operation()
			if err != nil {
				return err
			}
			if len(chunk) > 0 && (len(chunk) == MaxBulkItems || size+len(operation) > MaxBulkBytes) {
				break
			}
			chunk, operations, size = append(chunk, i), append(operations, operation), size+len(operation)
		}
		items = items[len(chunk):]
		if err := c.writeChunk(ctx, chunk, operations, visible); err != nil {
			return err
		}
	}
	return nil
}

// writeChunk sends one request, and again what of it was not taken.
func (c *client) writeChunk(ctx context.Context, items []item, operations [][]byte, visible bool) error {
	var last error
	for attempt := range bulkAttempts {
		if attempt > 0 {
			if err := waiting.Pause(ctx, retryWait(attempt)); err != nil {
				return err
			}
		}
		answer, err := c.send(ctx, BulkTimeout, bulkRequest(visible), bytes.Join(operations, nil))
		e, answered := errors.AsType[*answerError](err)
		switch {
		case answered && busy(e.Status):
			last = err
			continue
		case answered && e.Status == http.StatusRequestEntityTooLarge && len(items) == 1:
			return items[0].refused(e)
		case answered && e.Status == http.StatusRequestEntityTooLarge: // for something between here and the node
			half := len(items) / 2
			if err := c.writeChunk(ctx, items[:half], operations[:half], visible); err != nil {
				return err
			}
			return c.writeChunk(ctx, items[half:], operations[half:], visible)
		case err != nil:
			return err
		}
		left, busyWith, err := leftOver(items, answer)
		if err != nil {
			return err
		}
		if len(left) == 0 {
			return nil
		}
		last = busyWith
		var again []item
		var lines [][]byte
		for _, i := range left {
			again, lines = append(again, items[i]), append(lines, operations[i])
		}
		items, operations = again, lines
	}
	return last
}

// leftOver reads the status of every item: which are to be sent again, and why the last of them. An item that can never be taken is the
// error, named; all others of the answer are then done or safe to send again.
func leftOver(items []item, answer []byte) (again []int, busyWith, err error) {
	var told struct {
		Items []map[string]struct {
			Status int    `json:"status"`
			Error  *cause `json:"error"`
		} `json:"items"`
	}
	if err := json.Unmarshal(answer, &told); err != nil {
		return nil, nil, err
	}
	if len(told.Items) != len(items) {
		return nil, nil, fmt.Errorf("a bulk of %d items was answered for %d", len(items), len(told.Items))
	}
	for i, outcome := range told.Items {
		if len(outcome) != 1 {
			return nil, nil, fmt.Errorf("item %d of a bulk was answered with %d outcomes", i, len(outcome))
		}
		for _, o := range outcome {
			refusal := &answerError{Status: o.Status}
			if o.Error != nil {
				refusal.Type, refusal.Reason = o.Error.Type, o.Error.String()
			}
			switch {
			case o.Status >= 200 && o.Status < 300:
			case o.Status == http.StatusConflict && items[i].version > 0: // already newer
			case o.Status == http.StatusNotFound && items[i].doc == nil && o.Error == nil: // already deleted
			case busy(o.Status):
				again, busyWith = append(again, i), &itemError{items[i], refusal}
			case o.Status == http.StatusBadRequest || o.Status == http.StatusRequestEntityTooLarge:
				return nil, nil, items[i].refused(refusal)
			default:
				return nil, nil, &itemError{items[i], refusal}
			}
		}
	}
	return again, busyWith, nil
}
