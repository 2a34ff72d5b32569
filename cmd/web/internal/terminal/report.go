// Package terminal tells a person at a terminal what a command did. Whatever comes from a file or a store is printed without what a
// terminal would obey. It must never decide anything: a command's exit is its own.
package terminal

import (
	"fmt"
	"io"
	"strings"

	"headway/cmd/web/internal/csvimport"
	"headway/cmd/web/internal/importer"
	"headway/projections"
	"headway/projections/verify"
)

// maxListedLines is how many bad lines are printed; the rest are counted.
const maxListedLines = 1000

// badLines counts lines; one may have several mistakes.
func badLines(bad []csvimport.LineError) int {
	lines := map[int]bool{}
	for _, e := range bad {
		lines[e.Line] = true
	}
	return len(lines)
}

// PrintImport lists the bad lines of an import on stderr and says on stdout what it did.
func PrintImport(stdout, stderr io.Writer, r importer.Report) {
	if len(r.Bad) > 0 {
		fmt.Fprintf(stderr, "%s:\n", count(badLines(r.Bad), "bad line"))
	}
	for i, e := range r.Bad {
		if i == maxListedLines {
			fmt.Fprintf(stderr, "  … and %d more\n", len(r.Bad)-maxListedLines)
			break
		}
		fmt.Fprintf(stderr, "  line %d", e.Line)
		if e.Order != "" {
			fmt.Fprintf(stderr, ", order %s", printable(e.Order))
		}
		if e.Field != "" {
			fmt.Fprintf(stderr, ", %s", e.Field)
		}
		fmt.Fprintf(stderr, ": %s\n", printable(e.Reason))
	}
	fmt.Fprintf(stdout, "%s imported, %d finished, %d there already, %d left out.\n",
		count(r.Imported, "order"), r.Finished, r.Unchanged, r.LeftOut)
}

// PrintVerification says whether every row matches the log, and names each that does not.
func PrintVerification(w io.Writer, r verify.Report) {
	for _, h := range r.Holds {
		fmt.Fprintf(w, "%s: order %s is held at version %d: %s\n", h.Projection, h.OrderID, h.Version, printable(h.Reason))
	}
	for _, d := range r.Differences {
		fmt.Fprintln(w, printable(d.String()))
	}
	if r.Unnamed > 0 {
		fmt.Fprintf(w, "… and %s more.\n", count(r.Unnamed, "difference"))
	}
	covers := []string{count(r.Orders, "order") + " with " + count(r.Events, "event"), count(r.Rows, "row")}
	for _, p := range projections.All() {
		if p.Contributions != nil {
			covers = append(covers, count(r.Sums[p.Name], p.Contributions.Noun))
		}
	}
	covered := strings.Join(covers, ", ")
	if r.Clean() {
		fmt.Fprintf(w, "Every row matches the log: %s.\n", covered)
		return
	}
	fmt.Fprintf(w, "%s between the rows and the log (%s).\n", count(len(r.Differences)+r.Unnamed, "difference"), covered)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// printable drops what a terminal would obey.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '�'
		}
		return r
	}, s)
}
