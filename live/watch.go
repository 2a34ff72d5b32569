package live

import (
	"bytes"
	"encoding/json"
	"slices"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

// watch is what a client may say: the topics it wants from now on, and the sequence it has seen. An empty since starts from now.
type watch struct {
	Watch []string `json:"watch"`
	Since string   `json:"since"`
}

// refusal closes a connection: the websocket's code and a sentence for whoever debugs the client.
type refusal struct {
	code   int
	reason string
}

func (r refusal) Error() string { return r.reason }

// parseWatch reads a client's message. Repeated topics are one; anything else out of bounds is a refusal.
func parseWatch(data []byte) (watch, error) {
	if !utf8.Valid(data) {
		return watch{}, refusal{websocket.CloseInvalidFramePayloadData, "the message is not UTF-8"}
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var w watch
	if err := decoder.Decode(&w); err != nil || !json.Valid(data) || w.Watch == nil {
		return watch{}, refusal{websocket.CloseInvalidFramePayloadData, "the message is not a watch"}
	}
	if len(w.Watch) > maxTopics {
		return watch{}, refusal{websocket.ClosePolicyViolation, "too many topics"}
	}
	for _, topic := range w.Watch {
		if topic == "" || len(topic) > maxTopic {
			return watch{}, refusal{websocket.ClosePolicyViolation, "a topic is empty or too long"}
		}
	}
	slices.Sort(w.Watch)
	w.Watch = slices.Compact(w.Watch)
	return w, nil
}
