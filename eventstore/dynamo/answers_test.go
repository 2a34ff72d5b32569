package dynamo

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"headway/eventstore"
	"headway/fault"
)

// stingy has the engine answer one item at a time, as it does, near its limits, with large ones: a page of one, of many keys the first.
func stingy(w *wire) {
	parse := func(text string) map[string]any {
		var v map[string]any
		if json.Unmarshal([]byte(text), &v) != nil {
			return map[string]any{}
		}
		return v
	}
	spell := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return string(text)
	}
	w.ask = func(operation, asked string) string {
		body := parse(asked)
		switch operation {
		case "Query", "Scan":
			body["Limit"] = 1
		case "BatchGetItem":
			for _, table := range body["RequestItems"].(map[string]any) {
				keys := table.(map[string]any)
				keys["Keys"] = keys["Keys"].([]any)[:1]
			}
		}
		return spell(body)
	}
	w.change = func(operation, asked, answer string) string {
		if operation != "BatchGetItem" {
			return answer
		}
		all, body := parse(asked)["RequestItems"].(map[string]any), parse(answer)
		for name, table := range all {
			keys := table.(map[string]any)
			if keys["Keys"] = keys["Keys"].([]any)[1:]; len(keys["Keys"].([]any)) == 0 {
				delete(all, name)
			}
		}
		body["UnprocessedKeys"] = all
		return spell(body)
	}
}

// What an engine answers in parts is put together: every read, listing, walk and feed is the same however small its answers are.
func TestAnswersInParts(t *testing.T) {
	p := newPlace(t)
	whole := open(t, p.options)
	s, w := overWire(t, p)
	var ids []eventstore.StreamID
	m := newCommand() // its events share the correlation
	for n := range 12 {
		id, each := newStream(), m
		each.CausationID = newCommand().CausationID
		_, err := whole.Append(t.Context(), id, 0, each, slices.Repeat([]eventstore.NewEvent{cancelled("x")}, 1+n%3)...)
		must(t, err)
		ids = append(ids, id)
	}
	stingy(w)
	type answer struct {
		Of any
		At eventstore.Cursor
	}
	asks := map[string]func(*Store) (answer, error){
		"the events of an order": func(s *Store) (answer, error) {
			records, err := s.Read(t.Context(), ids[2], 0)
			return answer{records, ""}, err
		},
		"heads": func(s *Store) (answer, error) {
			heads, err := s.Heads(t.Context(), ids...)
			slices.SortFunc(heads, func(a, b eventstore.Head) int { return strings.Compare(a.Stream.Key(), b.Stream.Key()) })
			return answer{heads, ""}, err
		},
		"events of a type": func(s *Store) (answer, error) {
			records, next, err := s.ByType(t.Context(), order, "OrderCancelled", "", 17)
			return answer{records, next}, err
		},
		"events of every type": func(s *Store) (answer, error) {
			records, next, err := s.ByType(t.Context(), order, "", "", 0)
			return answer{records, next}, err
		},
		"events of a correlation": func(s *Store) (answer, error) {
			records, next, err := s.ByCorrelation(t.Context(), order, m.CorrelationID, "", 0)
			return answer{records, next}, err
		},
		"a walk and its total": func(s *Store) (answer, error) {
			seen := map[eventstore.StreamID]int{}
			var after eventstore.Cursor
			for {
				heads, next, total, err := s.Walk(t.Context(), order, after, 5)
				for _, h := range heads {
					seen[h.Stream] += h.Version
				}
				if next == "" || err != nil {
					seen[eventstore.StreamID{}] = total
					return answer{seen, ""}, err
				}
				after = next
			}
		},
		"what moved": func(s *Store) (answer, error) {
			seen := map[eventstore.StreamID]int{}
			var after eventstore.Cursor
			for {
				heads, next, err := s.Feed(t.Context(), order, eventstore.Whole, after, 5)
				for _, h := range heads {
					seen[h.Stream] = h.Version
				}
				if len(heads) == 0 || err != nil {
					return answer{seen, ""}, err
				}
				after = next
			}
		},
	}
	for name, ask := range asks {
		want, err := ask(whole)
		must(t, err)
		got, err := ask(s)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v\ngot  %+v\nwant %+v", name, err, got, want)
		}
	}
	if requests := w.take(); requests["BatchGetItem"] < 12 || requests["Scan"] < 24 || requests["Query"] < 48 {
		t.Errorf("the answers were not in parts: %v", requests)
	}
}

// While one part of the feed cannot be read, what the others read is delivered; what is left is an error, and nothing is missed.
func TestAFeedThatIsReadInPart(t *testing.T) {
	p := newPlace(t)
	windows := quick()
	windows.AuditEvery = 1 // always
	options := p.options
	w := &wire{}
	options.Client, options.Windows = w, windows
	s := open(t, options)
	cursor := follow(t, s, "", nil)
	id := newStream()
	move(t, s, id, 0)
	w.mu.Lock()
	w.injected = func(operation string, _ int) injected {
		if operation == "Scan" {
			return refuses("AccessDeniedException")
		}
		return injected{}
	}
	w.mu.Unlock()
	for told := false; !told; {
		heads, next, err := s.Feed(t.Context(), order, eventstore.Whole, cursor, 5)
		switch {
		case err == nil:
			told, cursor = slices.ContainsFunc(heads, func(h eventstore.Head) bool { return h.Stream == id }), next
		case fault.KindOf(err) != fault.Unavailable:
			t.Fatal(err)
		}
	}
	if _, _, err := s.Feed(t.Context(), order, eventstore.Whole, cursor, 5); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("what could not be read is told as %v", err)
	}
	w.mu.Lock()
	w.injected = nil
	w.mu.Unlock()
	next := newStream()
	move(t, s, next, 0)
	follow(t, s, cursor, map[eventstore.StreamID]int{next: 1})
}
