package storetest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"headway/eventstore"
	"headway/fault"
)

func snapshots(t *testing.T, p Place) {
	s := p.Open(t, nil)
	id, other := newStream(), newStream()
	at := func(v int, data string) eventstore.Snapshot {
		return eventstore.Snapshot{Stream: id, Version: v, Data: []byte(data)}
	}
	checkSnapshot(t, s, id, eventstore.Snapshot{})
	for _, step := range []struct {
		save    eventstore.Snapshot
		invalid int
		want    eventstore.Snapshot
	}{
		{at(200, "first\x00\xff"), 0, at(200, "first\x00\xff")},
		{at(300, "newer"), 0, at(300, "newer")},
		{at(100, "older"), 0, at(300, "newer")},
		{at(100, "older, and another is invalid"), 299, at(300, "newer")},
		{at(300, "as new"), 0, at(300, "as new")},
		{at(250, "older, but true"), 300, at(250, "older, but true")},
		{at(400, strings.Repeat("x", eventstore.MaxSnapshotBytes)), 0, at(400, strings.Repeat("x", eventstore.MaxSnapshotBytes))},
	} {
		if err := s.SaveSnapshot(t.Context(), step.save, step.invalid); err != nil {
			t.Errorf("saving version %d: %v", step.save.Version, err)
		}
		checkSnapshot(t, s, id, step.want)
	}
	large := at(500, strings.Repeat("x", eventstore.MaxSnapshotBytes+1))
	checkKind(t, s.SaveSnapshot(t.Context(), large, 0), fault.TooLarge)
	if got, err := s.LoadSnapshot(t.Context(), id); err != nil || got.Version != 400 {
		t.Errorf("after one that is too large there is version %d, %v", got.Version, err)
	}
	checkSnapshot(t, s, other, eventstore.Snapshot{})
	checkLength(t, s, id, 0)

	data := []byte("mine") // what is given and what is returned is the caller's to change
	if err := s.SaveSnapshot(t.Context(), eventstore.Snapshot{Stream: other, Version: 1, Data: data}, 0); err != nil {
		t.Fatal(err)
	}
	data[0] = 'X'
	if got, err := s.LoadSnapshot(t.Context(), other); err == nil && len(got.Data) > 0 {
		got.Data[0] = 'Y'
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	checkSnapshot(t, p.Open(t, nil), other, eventstore.Snapshot{Stream: other, Version: 1, Data: []byte("mine")})
}

func snapshotsAtOnce(t *testing.T, p Place) {
	const savers = 16
	handles := []Store{p.Open(t, nil), p.Open(t, nil)}
	id := newStream()
	together(savers, func(i int) {
		snapshot := eventstore.Snapshot{Stream: id, Version: i + 1, Data: fmt.Append(nil, i+1)}
		if err := handles[i%2].SaveSnapshot(t.Context(), snapshot, 0); err != nil {
			t.Errorf("saver %d: %v", i, err)
		}
	})
	checkSnapshot(t, handles[0], id, eventstore.Snapshot{Stream: id, Version: savers, Data: fmt.Append(nil, savers)})
}

func checkSnapshot(t *testing.T, s eventstore.Snapshots, id eventstore.StreamID, want eventstore.Snapshot) {
	t.Helper()
	got, err := s.LoadSnapshot(t.Context(), id)
	if err != nil || got.Version != want.Version || !bytes.Equal(got.Data, want.Data) || (want.Version > 0 && got.Stream != id) {
		t.Errorf("the snapshot is %s at %d of %d bytes, %v; want %d of %d bytes", got.Stream, got.Version, len(got.Data), err, want.Version,
			len(want.Data))
	}
}
