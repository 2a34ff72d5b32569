package terminal

import (
	"bytes"
	"strings"
	"testing"

	"headway/cmd/web/internal/csvimport"
	"headway/cmd/web/internal/importer"
)

// What a file holds cannot drive the terminal, and a long list of bad lines is cut.
func TestImportReport(t *testing.T) {
	r := importer.Report{Bad: []csvimport.LineError{{Line: 2, Order: "A\x1b[2J", Field: "sku", Reason: "one\ntwo"}}}
	for i := range maxListedLines + 5 {
		r.Bad = append(r.Bad, csvimport.LineError{Line: i + 3, Reason: "bad"})
	}
	var stdout, stderr bytes.Buffer
	PrintImport(&stdout, &stderr, r)
	text := stderr.String()
	if strings.Contains(text, "\x1b") || strings.Count(text, "\n") != maxListedLines+2 || !strings.Contains(text, "and 6 more") {
		t.Errorf("%d lines: %.200s … %s", strings.Count(text, "\n"), text, text[len(text)-40:])
	}
}
