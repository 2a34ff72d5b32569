package operations

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"headway/eventstore"
	"headway/fault"
)

// The bounds of what is recorded, in bytes.
const (
	MaxText  = 500      // of each text; longer ones are cut
	MaxState = 16 << 10 // of each of before and after; a larger one is left out, with a note
)

// Recorder writes operations into the log. It is a value: its parts are the caller's.
type Recorder struct {
	Log   eventstore.Store
	Clock func() time.Time
}

// Start is what is known before an operation.
type Start struct {
	Who           string
	What          What
	On            string
	Reason        string
	Before        any    // encoded as JSON; nil if there is nothing to say
	CorrelationID string // empty means the operation's own id
}

// Running is an operation that was asked and has no end yet.
type Running struct {
	recorder Recorder
	id       eventstore.StreamID
	metadata eventstore.Metadata
}

// Ask records, durably, that an operation begins. It is for before the effect: without the record nothing is done.
func (r Recorder) Ask(ctx context.Context, start Start) (Running, error) {
	o, first, err := r.begin(start)
	if err != nil {
		return Running{}, err
	}
	_, err = r.Log.Append(ctx, o.id, 0, o.metadata, first)
	return o, err
}

// Note records something that has happened already: asked and done at once.
func (r Recorder) Note(ctx context.Context, start Start, after any) error {
	o, first, err := r.begin(start)
	if err != nil {
		return err
	}
	last, err := encode(typeDone, ended{state(after)})
	if err != nil {
		return err
	}
	_, err = r.Log.Append(ctx, o.id, 0, o.metadata, first, last)
	return err
}

func (r Recorder) begin(start Start) (Running, eventstore.NewEvent, error) {
	id := uuid.Must(uuid.NewV7()).String()
	if start.CorrelationID == "" {
		start.CorrelationID = id
	}
	o := Running{r, eventstore.StreamID{Category: Category, ID: id}, eventstore.Metadata{
		CausationID: id, CorrelationID: start.CorrelationID, UserID: cut(start.Who), Timestamp: r.Clock(), CommandHash: id,
	}}
	first, err := encode(typeAsked, asked{string(start.What), cut(start.On), cut(start.Reason), state(start.Before)})
	return o, first, err
}

// Done records that it went well, and what is there now.
func (o Running) Done(ctx context.Context, after any) error { return o.end(ctx, typeDone, after) }

// Failed records that it did not, with the sentence that the person was told.
func (o Running) Failed(ctx context.Context, cause error) error {
	return o.end(ctx, typeFailed, map[string]string{"error": fault.Sentence(cause)})
}

// End is Done, or Failed if there is an error. What the caller was told stands whatever becomes of the record, so its failure is returned
// apart.
func (o Running) End(ctx context.Context, cause error, after any) error {
	if cause != nil {
		return o.Failed(ctx, cause)
	}
	return o.Done(ctx, after)
}

func (o Running) end(ctx context.Context, eventType string, after any) error {
	event, err := encode(eventType, ended{state(after)})
	if err != nil {
		return err
	}
	m := o.metadata
	m.CausationID = uuid.NewSHA1(uuid.MustParse(o.id.ID), []byte("end")).String()
	m.CommandHash, m.Timestamp = m.CausationID, o.recorder.Clock()
	_, err = o.recorder.Log.Append(ctx, o.id, 1, m, event)
	return err
}

// state is a state as it is recorded.
func state(value any) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil || len(text) > MaxState {
		return json.RawMessage(`"too large to be recorded"`)
	}
	return text
}

// cut shortens a text to MaxText bytes, at a character.
func cut(text string) string {
	if len(text) <= MaxText {
		return text
	}
	end := 0
	for i := range text {
		if i > MaxText-len("…") {
			break
		}
		end = i
	}
	return text[:end] + "…"
}
