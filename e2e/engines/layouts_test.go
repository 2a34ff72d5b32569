package engines_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// Tables that an earlier layout made go on: every row matches the log, every event is read as it was stored, commands and files that
// they know are recognised, commands are stored after what is there, and no item that was there is another.
func TestEarlierLayouts(t *testing.T) {
	program := filepath.Join(t.TempDir(), "web")
	if out, err := exec.Command("go", "build", "-o", program, "../../cmd/web").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for name, c := range map[string]struct {
		folder string
		notes  bool // of commands
	}{
		"two tables":           {"dynamodb-1", true},
		"two tables, no notes": {"dynamodb-1", false},
		"three tables":         {"dynamodb-2", true},
	} {
		t.Run(name, func(t *testing.T) {
			prefix := "layout-" + uuid.NewString()[:13]
			dir := t.TempDir()
			in := installation{
				program: program, data: dir, events: "dynamodb:" + prefix, read: "sqlite:" + filepath.Join(dir, "read.db"),
				environment: append(os.Environ(), "AWS_ENDPOINT_URL_DYNAMODB="+setting(t, "HEADWAY_TEST_DYNAMODB"), "AWS_REGION="+region,
					"AWS_ACCESS_KEY_ID="+accessKey, "AWS_SECRET_ACCESS_KEY="+accessKey),
			}
			items := restore(t, filepath.Join("../../testdata/layouts", c.folder), prefix, c.notes)
			in.wants(t, 0, "-snapshots is ready", "tables", "create")
			in.wants(t, 0, "Every row matches the log: 10 orders with 22 events", "verify")
			in.wants(t, 0, "0 orders imported, 0 finished, 6 there already, 0 left out.", "import", "../../testdata/layouts/orders.csv")

			url, _ := in.serve(t)
			events := items.events()
			if len(events) != 22 {
				t.Fatalf("%d events are listed", len(events))
			}
			for _, e := range events {
				e.readBy(t, url)
			}
			known := events[events.named(t, "L-2001")+"@4"]
			again := ask(t, http.MethodPost, url+"/orders/"+known.text("aggregateId")+"/confirm",
				map[string]any{"commandId": known.text("causationId"), "expectedVersion": 3}, http.StatusOK)
			if ids, _ := again["events"].([]any); again["version"] != 4.0 || len(ids) != 1 || ids[0] != known.text("eventId") {
				t.Errorf("a command that is stored, sent again, got %v", again)
			}
			for _, command := range []struct {
				reference, do string
				body          map[string]any
				version       float64
			}{
				{"L-1001", "confirm", map[string]any{"expectedVersion": 1}, 2},
				{"L-1901", "cancel", map[string]any{"expectedVersion": 3, "reason": "too old"}, 4},
			} {
				command.body["commandId"] = uuid.NewString()
				path := "/orders/" + events.named(t, command.reference) + "/" + command.do
				if got := ask(t, http.MethodPost, url+path, command.body, http.StatusOK); got["version"] != command.version {
					t.Errorf("%s got %v", path, got)
				}
			}

			in.wants(t, 0, "Every row matches the log: 10 orders with 24 events", "verify")
			in.wants(t, 0, "-events is ready", "tables", "check")
			now := scan(t, prefix+"-events")
			for key, item := range items {
				if !reflect.DeepEqual(now[key], item) {
					t.Errorf("the item\n%v is now\n%v", item, now[key])
				}
			}
			var added []string
			for key := range now.events() {
				if id, _, _ := strings.Cut(key, "@"); events[id+"@1"] != nil && events[key] == nil {
					added = append(added, key)
				}
			}
			want := []string{events.named(t, "L-1001") + "@2", events.named(t, "L-1901") + "@4"}
			if slices.Sort(added); !slices.Equal(added, slices.Sorted(slices.Values(want))) {
				t.Errorf("two commands have added %q, not %q", added, want)
			}
		})
	}
}

// item is what DynamoDB keeps, as it tells it: of each attribute its type and value.
type item map[string]map[string]string

// text is an attribute of the type S, or the digits of one of the type N.
func (i item) text(name string) string { return i[name]["S"] + i[name]["N"] }

// number is an attribute of the type N.
func (i item) number(t *testing.T, name string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(i[name]["N"], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// items are those of a table of events, by their keys.
type items map[string]item

// events are items without the notes of commands, which are version 0 of a key of their own.
func (all items) events() items {
	events := maps.Clone(all)
	maps.DeleteFunc(events, func(_ string, i item) bool { return i.text("version") == "0" })
	return events
}

// named is the order with a reference.
func (all items) named(t *testing.T, reference string) string {
	t.Helper()
	for _, i := range all {
		if i.text("version") == "1" && strings.Contains(string(i.data(t)), reference) {
			return i.text("aggregateId")
		}
	}
	t.Fatalf("no order is %s", reference)
	return ""
}

func (i item) data(t *testing.T) []byte {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(i["data"]["B"])
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// readBy compares an event with what the console says is stored.
func (i item) readBy(t *testing.T, url string) {
	t.Helper()
	page := ask(t, http.MethodGet, fmt.Sprintf("%s/orders/%s/events/%s", url, i.text("aggregateId"), i.text("version")), nil, http.StatusOK)
	stored, _ := page["stored"].(map[string]any)
	metadata, _ := stored["metadata"].(map[string]any)
	stamp := func(name string) any { return time.UnixMicro(i.number(t, name)).UTC().Format(time.RFC3339Nano) }
	orNull := func(value string) any {
		if value == "" {
			return nil
		}
		return value
	}
	id := i.text("eventId")
	if id == "" { // those of schema 1 had none
		id = uuid.NewSHA1(uuid.MustParse(i.text("aggregateId")), []byte(i.text("version"))).String()
	}
	var data any
	if err := json.Unmarshal(i.data(t), &data); err != nil {
		t.Fatal(err)
	}
	var seen any
	if n := i.number(t, "seenVersion"); n != 0 {
		seen = float64(n)
	}
	for _, part := range []struct{ got, want map[string]any }{
		{stored, map[string]any{
			"eventId": id, "aggregateId": i.text("aggregateId"), "eventType": i.text("eventType"), "data": data,
			"storedAt": stamp("storedAt"), "version": float64(i.number(t, "version")), "schemaVersion": float64(i.number(t, "schemaVersion")),
		}},
		{metadata, map[string]any{
			"causationId": orNull(i.text("causationId")), "correlationId": orNull(i.text("correlationId")),
			"userId": orNull(i.text("userId")), "commandHash": orNull(i.text("commandHash")), "timestamp": stamp("timestamp"), "seenVersion": seen,
		}},
	} {
		for name, value := range part.want {
			if !reflect.DeepEqual(part.got[name], value) {
				t.Errorf("the %s of %s@%s is read as %v, not %v", name, i.text("aggregateId"), i.text("version"), part.got[name], value)
			}
		}
	}
}

// dumped is a line of a dump: an item and the table that it was in.
type dumped struct {
	TableName string
	Item      item
}

// restore makes the tables that a folder lists, under another prefix, and puts into them what it lists, with or without the notes of
// commands. It gives the items of the table of events.
func restore(t *testing.T, folder, prefix string, notes bool) items {
	t.Helper()
	renamed := func(name string) string { return strings.Replace(name, "layout-", prefix+"-", 1) }
	t.Cleanup(func() { drop(t, prefix) })
	for _, line := range lines(t, filepath.Join(folder, "tables.jsonl")) {
		var table map[string]any
		if err := json.Unmarshal(line, &table); err != nil {
			t.Fatal(err)
		}
		table["TableName"] = renamed(fmt.Sprint(table["TableName"]))
		local(t, "CreateTable", table)
	}
	events := items{}
	for _, line := range lines(t, filepath.Join(folder, "items.jsonl")) {
		var d dumped
		if err := json.Unmarshal(line, &d); err != nil {
			t.Fatal(err)
		}
		if !notes && strings.HasPrefix(d.Item.text("aggregateId"), "command#") {
			continue
		}
		local(t, "PutItem", map[string]any{"TableName": renamed(d.TableName), "Item": d.Item})
		if strings.HasSuffix(d.TableName, "-events") {
			events[d.Item.text("aggregateId")+"@"+d.Item.text("version")] = d.Item
		}
	}
	return events
}

// drop deletes the tables with a prefix, also those that were added.
func drop(t *testing.T, prefix string) {
	t.Helper()
	var answer struct{ TableNames []string }
	if err := json.Unmarshal(local(t, "ListTables", map[string]any{"ExclusiveStartTableName": prefix}), &answer); err != nil {
		t.Fatal(err)
	}
	for _, name := range answer.TableNames {
		if strings.HasPrefix(name, prefix+"-") {
			local(t, "UpdateTable", map[string]any{"TableName": name, "DeletionProtectionEnabled": false})
			local(t, "DeleteTable", map[string]any{"TableName": name})
		}
	}
}

func lines(t *testing.T, path string) [][]byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Split(bytes.TrimSpace(text), []byte("\n"))
}

// scan reads a table, which fits into one answer.
func scan(t *testing.T, table string) items {
	t.Helper()
	var answer struct {
		Items            []item
		LastEvaluatedKey item
	}
	if err := json.Unmarshal(local(t, "Scan", map[string]any{"TableName": table, "ConsistentRead": true}), &answer); err != nil {
		t.Fatal(err)
	}
	if answer.LastEvaluatedKey != nil {
		t.Fatal("the table is larger than one answer")
	}
	all := items{}
	for _, i := range answer.Items {
		all[i.text("aggregateId")+"@"+i.text("version")] = i
	}
	return all
}

// DynamoDB Local keeps the tables of each region and access key apart.
const region, accessKey = "eu-central-1", "headway"

// local asks DynamoDB Local without the SDK, as no program of ours does. It looks at no signature.
func local(t *testing.T, operation string, body any) []byte {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, setting(t, "HEADWAY_TEST_DYNAMODB"), bytes.NewReader(text)) // also when the test has ended
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("X-Amz-Target", "DynamoDB_20120810."+operation)
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+accessKey+"/20261130/"+region+
		"/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v: %s", operation, res.StatusCode, err, answer)
	}
	return answer
}
