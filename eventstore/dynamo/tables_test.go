package dynamo

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"headway/eventstore"
	"headway/fault"
)

// Making the tables again changes nothing, and what was made is as it should be.
func TestCreateTables(t *testing.T) {
	p := newPlace(t)
	s := open(t, p.options)
	id := newStream()
	move(t, s, id, 0)
	must(t, CreateTables(t.Context(), p.options))
	if differences, err := CheckTables(t.Context(), p.options); err != nil || len(differences) > 0 {
		t.Errorf("the new tables differ: %q, %v", differences, err)
	}
	if records, err := s.Read(t.Context(), id, 0); err != nil || len(records) != 1 {
		t.Errorf("after making the tables again there are %v, %v", records, err)
	}
	client := p.client(t)
	for _, table := range Tables(p.options.Prefix) {
		_, err := client.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: aws.String(table.Name)})
		if err == nil {
			t.Errorf("the table %s could be deleted", table.Name)
		}
	}
}

// Each difference is named, and one that keeps the store from working refuses to open it.
func TestCheckTables(t *testing.T) {
	for name, c := range map[string]struct {
		change func(events, heads *dynamodb.CreateTableInput)
		want   string // the end of the sentence
		works  bool
	}{
		"an index is missing": {func(events, _ *dynamodb.CreateTableInput) {
			events.GlobalSecondaryIndexes = events.GlobalSecondaryIndexes[1:]
			events.AttributeDefinitions = slices.DeleteFunc(events.AttributeDefinitions, func(a types.AttributeDefinition) bool {
				return *a.AttributeName == typeShard
			})
		}, "-events has no index " + typeIndex, false},
		"the feed does not know versions": {func(_, heads *dynamodb.CreateTableInput) {
			heads.GlobalSecondaryIndexes[0].Projection = &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly}
		}, "-heads has other attributes", false},
		"another key": {func(events, _ *dynamodb.CreateTableInput) {
			for i := range events.AttributeDefinitions {
				if *events.AttributeDefinitions[i].AttributeName == version {
					events.AttributeDefinitions[i].AttributeType = types.ScalarAttributeTypeS
				}
			}
		}, "-events has another key", false},
		"anybody may delete it": {func(_, heads *dynamodb.CreateTableInput) {
			heads.DeletionProtectionEnabled = aws.Bool(false)
		}, "-heads is not protected from deletion", true},
		"billed by the hour": {func(events, _ *dynamodb.CreateTableInput) {
			units := &types.ProvisionedThroughput{ReadCapacityUnits: aws.Int64(5), WriteCapacityUnits: aws.Int64(5)}
			events.BillingMode, events.ProvisionedThroughput = types.BillingModeProvisioned, units
			for i := range events.GlobalSecondaryIndexes {
				events.GlobalSecondaryIndexes[i].ProvisionedThroughput = units
			}
		}, "-events is not billed on demand", true},
	} {
		t.Run(name, func(t *testing.T) {
			p := &place{Options{Prefix: "test-" + newStream().ID, Local: engine(t)}}
			layout := Tables(p.options.Prefix)
			events, heads, snapshots := layout[0].creation(), layout[1].creation(), layout[2].creation()
			c.change(events, heads)
			t.Cleanup(func() { dropTables(t, p.options) })
			for _, in := range []*dynamodb.CreateTableInput{events, heads, snapshots} {
				_, err := p.client(t).CreateTable(t.Context(), in)
				must(t, err)
			}
			differences, err := CheckTables(t.Context(), p.options)
			if err != nil || len(differences) != 1 || !strings.HasSuffix(differences[0], c.want) {
				t.Errorf("the check says %q, %v; want one that ends with %q", differences, err, c.want)
			}
			s, err := Open(t.Context(), p.options)
			if (err == nil) != c.works || (err != nil && fault.KindOf(err) != fault.Unavailable) {
				t.Errorf("opening got %v", err)
			}
			if s != nil {
				must(t, s.Close())
			}
		})
	}
	t.Run("no table at all", func(t *testing.T) {
		options := Options{Prefix: "test-" + newStream().ID, Local: engine(t)}
		if differences, err := CheckTables(t.Context(), options); err != nil || len(differences) != 3 {
			t.Errorf("the check says %q, %v", differences, err)
		}
		if _, err := Open(t.Context(), options); fault.KindOf(err) != fault.Unavailable || !strings.Contains(fault.Sentence(err), "web tables create") {
			t.Errorf("opening got %v", err)
		}
	})
}

// A cursor of tables that were deleted and made again is not one of the new ones.
func TestCursorOfOtherTables(t *testing.T) {
	p := newPlace(t)
	_, cursor, err := open(t, p.options).Feed(t.Context(), order, eventstore.Whole, "", 5)
	must(t, err)
	dropTables(t, p.options)
	must(t, CreateTables(t.Context(), p.options))
	if _, _, err := open(t, p.options).Feed(t.Context(), order, eventstore.Whole, cursor, 5); fault.KindOf(err) != fault.Malformed {
		t.Errorf("got %v", err)
	}
}

// A machine whose clock is too far from the engine's does not start.
func TestSkew(t *testing.T) {
	p := newPlace(t)
	for off, works := range map[time.Duration]bool{
		0: true, 10 * time.Second: true, -10 * time.Second: true, time.Minute: false, -time.Minute: false, time.Hour: false,
	} {
		options := p.options
		options.Client = dated{off}
		s, err := Open(t.Context(), options)
		if (err == nil) != works {
			t.Errorf("%v off: %v", off, err)
		}
		if s != nil {
			must(t, s.Close())
		}
	}
}

// dated is a client whose engine has another clock.
type dated struct{ off time.Duration }

func (d dated) Do(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultClient.Do(r)
	if err == nil {
		res.Header.Set("Date", time.Now().Add(d.off).UTC().Format(http.TimeFormat))
	}
	return res, err
}

// A command that a query shows in part is read again until it is whole; one that stays in part is answered as it is.
func TestReadWaitsForTheWholeCommand(t *testing.T) {
	p := newPlace(t)
	id := newStream()
	_, err := open(t, p.options).Append(t.Context(), id, 0, newCommand(), cancelled("a"), cancelled("b"), cancelled("c"))
	must(t, err)
	for name, c := range map[string]struct {
		hides   string // the reason of the event that queries do not show
		answers int    // how many
		want    int
	}{
		"nothing hidden":           {"", 0, 3},
		"the last, at first":       {"c", 2, 3},
		"one in between, at first": {"b", 2, 3},
		"the last, for ever":       {"c", 1000, 2},
	} {
		t.Run(name, func(t *testing.T) {
			s, w := overWire(t, p)
			n := 0
			w.change = func(operation, _, answer string) string {
				if n++; operation != "Query" || n > c.answers {
					return answer
				}
				return without(t, answer, c.hides)
			}
			records, err := s.Read(t.Context(), id, 0)
			if err != nil || len(records) != c.want {
				t.Errorf("read %d events, %v", len(records), err)
			}
		})
	}
}

// What is not understood in a table is an error, never an event.
func TestItemsThatAreNotOurs(t *testing.T) {
	whole := eventItem(planted(newStream()), 1)
	for name := range whole {
		switch name {
		case typeShard, shardNumber, correlationShard, storedOrder:
			continue // only the engine reads them
		}
		for kind, value := range map[string]types.AttributeValue{"missing": nil, "of another type": &types.AttributeValueMemberBOOL{}} {
			broken := item{}
			for n, v := range whole {
				if n != name {
					broken[n] = v
				} else if value != nil {
					broken[n] = value
				}
			}
			if _, err := storedOf(broken); err == nil {
				t.Errorf("%s is %s, and nobody complains", name, kind)
			}
		}
	}
	if _, err := headOf(newStream(), item{}); err == nil {
		t.Error("an empty head is one")
	}
}

// The keys sort as times, orders and versions do, however long they are.
func TestKeysSort(t *testing.T) {
	var last string
	for _, micros := range []int64{-5, 1, 9, 10, 1e15, 2e15, 9e15} {
		if key := momentKey(micros); key <= last || len(key) != 16 {
			t.Errorf("%d has the key %q after %q", micros, key, last)
		} else {
			last = key
		}
	}
	if moveKey(5, stream("a")) <= momentKey(5) || moveKey(5, stream("zz")) >= momentKey(6) {
		t.Error("the moves of a moment lie outside of it")
	}
}

// planted is one event.
func planted(id eventstore.StreamID) eventstore.Record {
	return eventstore.Record{
		EventID: "an id", Stream: id, Version: 1, EventType: "x", Data: []byte("{}"), StoredAt: time.Unix(1.6e9, 0), Metadata: newCommand(),
	}
}

// without takes the event with a reason out of an answer.
func without(t *testing.T, answer, reason string) string {
	t.Helper()
	var page map[string]json.RawMessage
	var items []map[string]map[string]string
	must(t, errors.Join(json.Unmarshal([]byte(answer), &page), json.Unmarshal([]byte(answer), &struct{ Items any }{&items})))
	items = slices.DeleteFunc(items, func(i map[string]map[string]string) bool {
		data, err := base64.StdEncoding.DecodeString(i["data"]["B"])
		return err == nil && strings.Contains(string(data), `"`+reason+`"`)
	})
	text, err := json.Marshal(items)
	must(t, err)
	page["Items"] = text
	changed, err := json.Marshal(page)
	must(t, err)
	return string(changed)
}
