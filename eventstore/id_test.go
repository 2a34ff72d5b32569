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

// What is stored under a key stays there: a stream's key and its slice never change. Those of the first category are as they were when
// there was no other.
func TestKeysAndSlices(t *testing.T) {
	for _, c := range []struct {
		id    eventstore.StreamID
		key   string
		slice int
	}{
		{eventstore.StreamID{Category: "order", ID: orderID}, orderID, 3},
		{eventstore.StreamID{Category: "order", ID: "7"}, "7", 2},
		{eventstore.StreamID{Category: "invoice", ID: "7"}, "invoice#7", 2},
		{eventstore.StreamID{Category: "invoice", ID: orderID}, "invoice#" + orderID, 12},
	} {
		if key, slice := c.id.Key(), eventstore.SliceOf(c.id); key != c.key || slice != c.slice {
			t.Errorf("%+v has the key %q and the slice %d, want %q and %d", c.id, key, slice, c.key, c.slice)
		}
	}
}

// Every slice lies in exactly one of the parts, however many there are, and in the whole.
func TestParts(t *testing.T) {
	for n := 1; n <= eventstore.Slices; n++ {
		for slice := range eventstore.Slices {
			in := 0
			for i := range n {
				if (eventstore.Part{Index: i, Of: n}).Has(slice) {
					in++
				}
			}
			if in != 1 || !eventstore.Whole.Has(slice) || !(eventstore.Part{}).Has(slice) {
				t.Errorf("the slice %d lies in %d of %d parts", slice, in, n)
			}
		}
	}
}
