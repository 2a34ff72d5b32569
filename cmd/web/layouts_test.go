package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// A data folder that an earlier layout made goes on: every row matches the log, every event is as it was and is read so, commands and
// files that it knows are recognised, commands are stored after what is there, and its files have today's layout then.
func TestEarlierLayouts(t *testing.T) {
	made, err := filepath.Glob("../../testdata/layouts/sqlite-*")
	if err != nil || len(made) < 8 {
		t.Fatalf("the folders are %q, %v", made, err)
	}
	fresh := earlier{t, t.TempDir()}
	fresh.verified(0, 0, "")
	for _, from := range made {
		t.Run(filepath.Base(from), func(t *testing.T) {
			folder := unpack(t, from)
			listed := listing(t, from)
			if stored := folder.stored(); !reflect.DeepEqual(stored, listed) {
				t.Fatalf("the file does not hold what is listed beside it, but %+v", stored)
			}
			held := orderNamed(t, listed, "L-2003")
			folder.verified(10, len(listed), held)
			said, code := folder.web("import", "../../testdata/layouts/orders.csv")
			if code != 0 || !strings.Contains(said, "0 orders imported, 0 finished, 6 there already, 0 left out.") {
				t.Errorf("the file imported again: exit %d: %s", code, said)
			}

			ask, stop := folder.serve()
			for _, e := range listed {
				e.readBy(t, ask)
			}
			known := listed[at(t, listed, orderNamed(t, listed, "L-2001"), 4)]
			body := fmt.Sprintf(`{"commandId":%q,"expectedVersion":3}`, known.CausationID)
			if got := receiptOf(t, ask, known.AggregateID+"/confirm", body); got.Version != 4 || got.Events[0] != known.EventID {
				t.Errorf("a command that is stored, sent again, got %+v", got)
			}
			for _, c := range []struct {
				reference, do, more string
				expected            int
			}{{"L-1001", "confirm", "", 1}, {"L-1901", "cancel", `,"reason":"too old"`, 3}} {
				body := fmt.Sprintf(`{"commandId":%q,"expectedVersion":%d%s}`, uuid.NewString(), c.expected, c.more)
				if got := receiptOf(t, ask, orderNamed(t, listed, c.reference)+"/"+c.do, body); got.Version != c.expected+1 {
					t.Errorf("%s of %s got %+v", c.do, c.reference, got)
				}
			}
			stop()

			folder.verified(10, len(listed)+2, held)
			stored := folder.stored()
			if len(stored) < len(listed) || !reflect.DeepEqual(stored[:len(listed)], listed) {
				t.Fatalf("after two commands the events are %+v", stored)
			}
			var added []string
			for _, e := range stored[len(listed):] {
				if slices.ContainsFunc(listed, func(of storedEvent) bool { return of.AggregateID == e.AggregateID }) {
					added = append(added, fmt.Sprint(e.EventType, " ", e.Version))
				}
			}
			if !slices.Equal(added, []string{"OrderConfirmed 2", "OrderCancelled 4"}) {
				t.Errorf("two commands have added %q", added)
			}
			for _, file := range []string{"events.db", "read.db"} {
				if got, want := folder.layout(file), fresh.layout(file); got != want {
					t.Errorf("%s is %s, and a new one %s", file, got, want)
				}
			}
		})
	}
}

// storedEvent is a row of the table of events.
type storedEvent struct {
	Seq, StoredAt, Timestamp                        int64
	AggregateID, EventID, EventType, Data           string
	CausationID, CorrelationID, UserID, CommandHash string
	Version, SchemaVersion, SeenVersion             int
}

// listing is what sqlite3 read in a folder's file when it was made.
func listing(t *testing.T, folder string) []storedEvent {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var all []storedEvent
	for decoder := json.NewDecoder(bytes.NewReader(text)); decoder.More(); {
		var e storedEvent
		if err := decoder.Decode(&e); err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func orderNamed(t *testing.T, events []storedEvent, reference string) string {
	t.Helper()
	for _, e := range events {
		if e.Version == 1 && strings.Contains(e.Data, reference) {
			return e.AggregateID
		}
	}
	t.Fatalf("no order is %s", reference)
	return ""
}

func at(t *testing.T, events []storedEvent, id string, version int) int {
	t.Helper()
	for i, e := range events {
		if e.AggregateID == id && e.Version == version {
			return i
		}
	}
	t.Fatalf("order %s has no event %d", id, version)
	return 0
}

// asking sends a request as a program does.
type asking func(method, path, body string) (status int, answer []byte)

// readBy compares an event with what the console says is stored.
func (e storedEvent) readBy(t *testing.T, ask asking) {
	t.Helper()
	status, answer := ask(http.MethodGet, fmt.Sprintf("/orders/%s/events/%d", e.AggregateID, e.Version), "")
	var page struct {
		Stored struct {
			EventID, AggregateID, EventType string
			Version, SchemaVersion          int
			StoredAt                        time.Time
			Data                            json.RawMessage
			Metadata                        struct {
				CausationID, CorrelationID, UserID, CommandHash string
				Timestamp                                       time.Time
				SeenVersion                                     int
			}
		}
	}
	if err := json.Unmarshal(answer, &page); status != http.StatusOK || err != nil {
		t.Fatalf("event %d of %s: %d, %v: %s", e.Version, e.AggregateID, status, err, answer)
	}
	s, m := page.Stored, page.Stored.Metadata
	got := storedEvent{
		e.Seq, s.StoredAt.UnixMicro(), m.Timestamp.UnixMicro(), s.AggregateID, s.EventID, s.EventType, e.Data,
		m.CausationID, m.CorrelationID, m.UserID, m.CommandHash, s.Version, s.SchemaVersion, m.SeenVersion,
	}
	want := e
	if want.EventID == "" { // those of schema 1 had none
		want.EventID = uuid.NewSHA1(uuid.MustParse(e.AggregateID), fmt.Append(nil, e.Version)).String()
	}
	if got != want || !reflect.DeepEqual(numbered(t, s.Data), numbered(t, []byte(e.Data))) {
		t.Errorf("the event\n%+v is read as\n%+v with the data %s", want, got, s.Data)
	}
}

// numbered is a JSON value whose numbers keep their digits.
func numbered(t *testing.T, text []byte) (value any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return value
}

func receiptOf(t *testing.T, ask asking, path, body string) (r struct {
	Version int
	Events  []string
}) {
	t.Helper()
	status, answer := ask(http.MethodPost, "/orders/"+path, body)
	if err := json.Unmarshal(answer, &r); status != http.StatusOK || err != nil || len(r.Events) != 1 {
		t.Fatalf("%s: %d, %v: %s", path, status, err, answer)
	}
	return r
}

// earlier is a data folder that the program of another day has made.
type earlier struct {
	t   *testing.T
	dir string
}

// unpack copies a folder, so that what was made stays as it is.
func unpack(t *testing.T, from string) earlier {
	t.Helper()
	to := t.TempDir()
	for _, name := range []string{"events.db", "read.db"} {
		packed, err := os.Open(filepath.Join(from, name+".gz"))
		if err != nil {
			t.Fatal(err)
		}
		defer packed.Close()
		reader, err := gzip.NewReader(packed)
		if err != nil {
			t.Fatal(err)
		}
		file, err := io.ReadAll(reader)
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), file, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return earlier{t, to}
}

// web runs a command of today's program.
func (f earlier) web(args ...string) (said string, code int) {
	var out bytes.Buffer
	code = run(f.t.Context(), append(args, "--data", f.dir), nil, strings.NewReader(""), &out, &out)
	return out.String(), code
}

// verified wants every row to match so many orders and events, and only one order held.
func (f earlier) verified(orders, events int, held string) {
	f.t.Helper()
	var out, errs bytes.Buffer
	code := run(f.t.Context(), []string{"verify", "--json", "--data", f.dir}, nil, strings.NewReader(""), &out, &errs)
	var report struct {
		Clean          bool
		Orders, Events int
		Holds          []struct{ OrderID string }
	}
	err := json.Unmarshal(out.Bytes(), &report)
	if err != nil || code != 0 || !report.Clean || report.Orders != orders || report.Events != events {
		f.t.Fatalf("web verify: exit %d, %v: %s%s", code, err, &out, &errs)
	}
	for _, h := range report.Holds {
		if h.OrderID != held {
			f.t.Errorf("order %s is held", h.OrderID)
		}
	}
	if (len(report.Holds) > 0) != (held != "") {
		f.t.Errorf("the held orders are %v", report.Holds)
	}
}

// serve starts a server of today's program.
func (f earlier) serve() (ask asking, stop func()) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	said, out := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		code := run(ctx, []string{"--addr", "127.0.0.1:0", "--data", f.dir}, nil, strings.NewReader(""), out, io.Discard)
		out.Close()
		ended <- code
	}()
	address := ""
	lines := bufio.NewScanner(said)
	for address == "" && lines.Scan() {
		address = regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(lines.Text())
	}
	go io.Copy(io.Discard, said)
	stop = func() {
		f.t.Helper()
		cancel()
		if code := <-ended; code != 0 {
			f.t.Errorf("the server ended with %d", code)
		}
	}
	if address == "" {
		stop()
		f.t.Fatal("the server never said where it is")
	}
	return func(method, path, body string) (int, []byte) {
		f.t.Helper()
		req, err := http.NewRequestWithContext(f.t.Context(), method, address+path, strings.NewReader(body))
		if err != nil {
			f.t.Fatal(err)
		}
		req.Header.Set("Accept", "application/json")
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			f.t.Fatal(err)
		}
		defer res.Body.Close()
		answer, err := io.ReadAll(res.Body)
		if err != nil {
			f.t.Fatal(err)
		}
		return res.StatusCode, answer
	}, stop
}

// open opens a file beside the program.
func (f earlier) open(file string) *sql.DB {
	f.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(f.dir, file))
	if err != nil {
		f.t.Fatal(err)
	}
	return db
}

// stored are the events in the file.
func (f earlier) stored() (all []storedEvent) {
	f.t.Helper()
	db := f.open("events.db")
	defer db.Close()
	rows, err := db.QueryContext(f.t.Context(), `SELECT seq, storedAt, timestamp, aggregateId, eventId, eventType, CAST(data AS TEXT),
		causationId, correlationId, userId, commandHash, version, schemaVersion, seenVersion FROM events ORDER BY seq`)
	if err != nil {
		f.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var e storedEvent
		if err := rows.Scan(&e.Seq, &e.StoredAt, &e.Timestamp, &e.AggregateID, &e.EventID, &e.EventType, &e.Data,
			&e.CausationID, &e.CorrelationID, &e.UserID, &e.CommandHash, &e.Version, &e.SchemaVersion, &e.SeenVersion); err != nil {
			f.t.Fatal(err)
		}
		all = append(all, e)
	}
	if err := rows.Err(); err != nil {
		f.t.Fatal(err)
	}
	return all
}

// layout is the number that a file has, whether it is whole, and what is declared in it.
func (f earlier) layout(file string) string {
	f.t.Helper()
	db := f.open(file)
	defer db.Close()
	var number int
	var whole, declared string
	if err := db.QueryRowContext(f.t.Context(), `SELECT user_version, (SELECT integrity_check FROM pragma_integrity_check),
		(SELECT group_concat(name, ' ') FROM (SELECT type || ' ' || name AS name FROM sqlite_schema ORDER BY 1))
		FROM pragma_user_version`).Scan(&number, &whole, &declared); err != nil {
		f.t.Fatal(err)
	}
	return fmt.Sprintf("%d, %s, %s", number, whole, declared)
}
