package dynamo

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"headway/eventstore"
)

// Tables that were restored at different moments have heads that disagree with their streams: older, newer, of no stream, or missing. Each
// is named, and set to its stream's end; then nothing disagrees, and commands go on from there.
func TestHeadsAreMended(t *testing.T) {
	p := newPlace(t)
	s := open(t, p.options)
	client := p.client(t)
	older, newer, missing, orphan, half, right := newStream(), newStream(), newStream(), newStream(), newStream(), newStream()
	operation := eventstore.StreamID{Category: "operation", ID: newStream().ID}
	for _, id := range []eventstore.StreamID{older, newer, missing, half, right, operation} {
		for expect := range 2 {
			move(t, s, id, expect)
		}
	}
	headAt := func(id eventstore.StreamID, v int) {
		t.Helper()
		_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{
			TableName: aws.String(s.heads), Item: headItem(eventstore.Head{Stream: id, Version: v, At: time.UnixMicro(1e15)}),
		})
		must(t, err)
	}
	headAt(older, 1)
	headAt(newer, 3)
	headAt(orphan, 2)
	headAt(operation, 1)
	_, err := client.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: aws.String(s.heads), Key: item{aggregateID: text(missing.Key())}})
	must(t, err)
	p.Plant(t, eventstore.Record{ // the first event of a command of two
		EventID: "half", Stream: half, Version: 3, EventType: "E", SchemaVersion: 1, Data: []byte(`{}`), StoredAt: time.Now().UTC(),
	})
	records, err := s.Read(t.Context(), half, 2)
	must(t, err)
	_, err = client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(s.events), Item: eventItem(records[0], 4)})
	must(t, err)
	headAt(half, 4)

	wrong := func() (all []string) {
		must(t, CheckHeads(t.Context(), p.options, func(w WrongHead) { all = append(all, w.String()) }))
		slices.Sort(all)
		return all
	}
	want := []string{
		"the head of " + older.String() + " is at version 1 and its stream ends at version 2",
		"the head of " + newer.String() + " is at version 3 and its stream ends at version 2",
		"the head of " + half.String() + " is at version 4 and its stream ends at version 3",
		"the head of " + operation.String() + " is at version 1 and its stream ends at version 2",
		"the head of " + orphan.String() + " is at version 2 and its stream has no events",
		"the stream " + missing.String() + " ends at version 2 and has no head",
	}
	slices.Sort(want)
	if got := wrong(); !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	mended := 0
	must(t, MendHeads(t.Context(), p.options, func(WrongHead) { mended++ }))
	if got := wrong(); len(got) > 0 || mended != len(want) {
		t.Errorf("%d were mended, and these are wrong still: %q", mended, got)
	}
	for id, end := range map[eventstore.StreamID]int{older: 2, newer: 2, missing: 2, orphan: 0, half: 3, right: 2, operation: 2} {
		move(t, s, id, end)
	}
}
