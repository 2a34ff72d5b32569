package eventstore

import (
	"testing"

	"headway/domain"
)

// A decoder that panics does so where the caller can catch it, whichever processor decoded the record.
func TestAPanicIsTheCallers(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("the panic is lost")
		}
	}()
	decodeAll(func(r domain.Raw) (domain.Event, error) {
		if r.Version == decodeTogether {
			panic("defective")
		}
		return nil, nil
	}, append(make([]Record, decodeTogether), Record{Version: decodeTogether}))
}
