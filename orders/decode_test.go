package orders

import (
	"testing"

	"headway/domain"
	"headway/eventstore"
)

// A decoder that panics does so where the caller can catch it, whichever processor decoded the record.
func TestAPanicIsTheCallers(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("the panic is lost")
		}
	}()
	decodeAll(func(r domain.Raw) ([]domain.Event, error) {
		if r.Version == decodeTogether {
			panic("defective")
		}
		return nil, nil
	}, append(make([]eventstore.Record, decodeTogether), eventstore.Record{Version: decodeTogether}))
}
