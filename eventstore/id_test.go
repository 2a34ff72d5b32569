package eventstore_test

import (
	"testing"

	"headway/eventstore"
)

// orderID is the stream that the golden ids are of.
const orderID = "0b7a6d7e-3c1f-4a53-8f0e-2f6f3a3f9f10"

func TestHistoricEventsHaveStableIDs(t *testing.T) {
	if got, want := eventstore.HistoricEventID(orderID, 7), "90f957a0-d3d9-5fd3-913b-d2f32c88abdd"; got != want {
		t.Errorf("%s, not %s", got, want)
	}
	if eventstore.HistoricEventID(orderID, 7) == eventstore.HistoricEventID(orderID, 8) {
		t.Error("two versions share an id")
	}
	if eventstore.HistoricEventID("not a UUID", 7) == eventstore.HistoricEventID("not a UUID either", 7) {
		t.Error("two orders share an id")
	}
}
