package live

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"sync"

	"github.com/gorilla/websocket"
)

// frame is one text as it goes out, encoded once for everybody it is sent to. It never changes.
type frame struct {
	n      uint64 // its place in the hub's sequence
	topics []string
	key    string
	body   []byte
	parts  []*frame // several that are sent as one; they have the bodies

	once     sync.Once
	prepared *websocket.PreparedMessage
	err      error
}

// message is the frame as the websocket sends it, made when it is first needed.
func (f *frame) message() (*websocket.PreparedMessage, error) {
	f.once.Do(func() {
		body := f.body
		if f.parts != nil {
			body = join(f.parts)
		}
		f.prepared, f.err = websocket.NewPreparedMessage(websocket.TextMessage, body)
	})
	return f.prepared, f.err
}

// concerns reports whether a client with these topics is sent the frame.
func (f *frame) concerns(topics map[string]bool) bool {
	for _, topic := range f.topics {
		if topics[topic] {
			return true
		}
	}
	return false
}

// openObject returns a JSON object without its closing brace, ready for one more member, and whether body is a JSON object
// within the bound.
func openObject(body []byte) ([]byte, bool) {
	body = bytes.TrimSpace(body)
	if len(body) > maxBody || len(body) < 2 || body[0] != '{' || !json.Valid(body) {
		return nil, false
	}
	open := bytes.TrimRight(body[:len(body)-1], " \t\r\n")
	if len(open) == 1 {
		return []byte("{"), true
	}
	return append(append(make([]byte, 0, len(open)+1), open...), ','), true
}

// closeObject adds the member seq to what openObject returned, in new memory.
func closeObject(open []byte, seq string) []byte {
	body := make([]byte, 0, len(open)+len(seq)+len(`"seq":""}`))
	body = append(body, open...)
	body = append(body, `"seq":"`...)
	body = append(body, seq...)
	return append(body, `"}`...)
}

// join makes one text message of several frames: a JSON array in the order of their sequence.
func join(frames []*frame) []byte {
	size := 1
	for _, f := range frames {
		size += len(f.body) + 1
	}
	joined := make([]byte, 0, size)
	for i, f := range frames {
		if i == 0 {
			joined = append(joined, '[')
		} else {
			joined = append(joined, ',')
		}
		joined = append(joined, f.body...)
	}
	return append(joined, ']')
}

// formatSeq writes a place in a hub's sequence as pages carry it.
func formatSeq(hub string, n uint64) string { return hub + "." + strconv.FormatUint(n, 10) }

// parseSeq reads what formatSeq wrote; it fails for another hub's.
func parseSeq(hub, seq string) (uint64, bool) {
	id, digits, ok := strings.Cut(seq, ".")
	if !ok || id != hub {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil
}
