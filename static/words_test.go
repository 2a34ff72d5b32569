package static_test

import (
	"encoding/json"
	"flag"
	"os"
	"testing"
	"time"

	"headway/projections"
	"headway/views"
)

var update = flag.Bool("update", false, "make words.js anew")

// The browser says what the server says: words.js is the server's wording, and both say what testdata/words.json wants of them.
func TestWordsAreTheServers(t *testing.T) {
	text, err := json.MarshalIndent(projections.StampWording(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want := "// Made of projections.StampWording by: go test ./static -update\nexport default " + string(text) + ";\n"
	if *update {
		if err := os.WriteFile("words.js", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile("words.js"); err != nil || string(got) != want {
		t.Errorf("words.js is not the server's wording (go test ./static -update): %v", err)
	}
	var examples struct {
		Stamps []struct {
			State         projections.StampState
			Version       int
			Events        int
			MS            int64
			Reason, Words string
		}
		Spans []struct {
			MS    int64
			Words string
		}
	}
	data, err := os.ReadFile("testdata/words.json")
	if err == nil {
		err = json.Unmarshal(data, &examples)
	}
	if err != nil || len(examples.Stamps) == 0 || len(examples.Spans) == 0 {
		t.Fatal(err)
	}
	for _, e := range examples.Stamps {
		s := projections.Stamp{State: e.State, Version: e.Version, Reason: e.Reason}
		s.Behind = projections.Lag{Events: e.Events, Age: time.Duration(e.MS) * time.Millisecond}
		if s.State == projections.StampHeld { // the browser has its hold's reason, and the version it waits at
			s.Reason = projections.HeldReason(e.Version+1, e.Reason)
		}
		if got := views.StampWords(s); got != e.Words {
			t.Errorf("%+v: %q, want %q", e, got, e.Words)
		}
	}
	for _, e := range examples.Spans {
		if got := projections.Span(time.Duration(e.MS) * time.Millisecond); got != e.Words {
			t.Errorf("%d ms: %q, want %q", e.MS, got, e.Words)
		}
	}
}
