package operations

import (
	"encoding/json"

	"headway/eventstore"
	"headway/fault"
)

// Category is that of the streams of operations.
const Category = "operation"

// The names of the event types, and the schema in which they are written.
const (
	typeAsked  = "OperationAsked"
	typeDone   = "OperationDone"
	typeFailed = "OperationFailed"
	schema     = 1
)

// asked is the data of the first event of an operation.
type asked struct {
	What   string          `json:"what"`
	On     string          `json:"on"`
	Reason string          `json:"reason"`
	Before json.RawMessage `json:"before"`
}

// ended is the data of its last one.
type ended struct {
	After json.RawMessage `json:"after"`
}

func encode(eventType string, data any) (eventstore.NewEvent, error) {
	text, err := json.Marshal(data)
	if err != nil {
		return eventstore.NewEvent{}, &fault.Error{Kind: fault.Internal, Message: "The operation cannot be recorded.", Cause: err}
	}
	return eventstore.NewEvent{Type: eventType, Schema: schema, Data: text}, nil
}

// fold is what the events of one operation say, oldest first. An event that is not known leaves the operation as it was before it.
func fold(records []eventstore.Record) (Operation, bool) {
	var o Operation
	for _, r := range records {
		switch r.EventType {
		case typeAsked:
			var a asked
			if json.Unmarshal(r.Data, &a) != nil {
				continue
			}
			o = Operation{
				ID: r.Stream.ID, At: r.StoredAt, Who: r.Metadata.UserID, What: What(a.What), On: a.On, Reason: a.Reason,
				Outcome: Asked, Before: null(a.Before), CorrelationID: r.Metadata.CorrelationID,
			}
		case typeDone, typeFailed:
			var e ended
			if json.Unmarshal(r.Data, &e) != nil {
				continue
			}
			o.Outcome, o.After, o.EndedAt = Done, null(e.After), r.StoredAt
			if r.EventType == typeFailed {
				o.Outcome = Failed
			}
		}
	}
	return o, o.ID != ""
}

// null leaves out what says nothing.
func null(text json.RawMessage) json.RawMessage {
	if string(text) == "null" {
		return nil
	}
	return text
}
