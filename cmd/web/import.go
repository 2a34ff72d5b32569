package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"

	"headway/domain"
	"headway/eventstore"
	"headway/projections"
)

const (
	importUser     = "import"
	maxListedLines = 1000 // bad lines that are printed; the rest are counted

	arrivalPoll     = 20 * time.Millisecond
	arrivalPatience = 30 * time.Second // without any row arriving
)

// ImportCmd makes orders from a file.
type ImportCmd struct {
	File string `arg:"" placeholder:"FILE.csv" help:"The file, or - for standard input."`
}

// Help is the long help.
func (ImportCmd) Help() string {
	return "The first line names the columns " + strings.Join(importColumns[:], ",") + `. Each further line is one item; the lines
of an order need not be together. Status is created, confirmed or cancelled, the latter two with their time in status_at. An
order with a bad line is left out whole. Importing a file again changes nothing and finishes what is missing.`
}

// Run imports the file and returns once the rows of its orders are projected; ExitCode 1 if a line was bad.
func (c ImportCmd) Run(app *App) (err error) {
	data, err := c.read(app.Stdin)
	if err != nil {
		return err
	}
	if err := app.Open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.Close()) }()
	orders, bad := parseImport(data, app.Location, app.Clock())
	report, err := app.importOrders(app.Context, orders, bad)
	if err != nil {
		return err
	}
	report.print(app.Stdout, app.Stderr)
	if len(report.Bad) > 0 {
		return ExitCode(1)
	}
	return nil
}

func (c ImportCmd) read(stdin io.Reader) ([]byte, error) {
	from := stdin
	if c.File != "-" {
		file, err := os.Open(c.File)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		from = file
	}
	data, err := io.ReadAll(io.LimitReader(from, maxImportBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxImportBytes {
		return nil, domain.Errorf(domain.TooLarge,
			"A file can have at most %d MiB. Split it; what is imported already is not imported twice.", maxImportBytes>>20)
	}
	return data, nil
}

// importReport is what an import did.
type importReport struct {
	Imported  int // orders that were not there
	Finished  int // orders that were there in part
	Unchanged int // orders that were there
	LeftOut   int // orders with a bad line
	Bad       []lineError
}

// importOrders stores the orders and waits for their rows. An order that the store refuses counts as a bad line.
func (a *App) importOrders(ctx context.Context, orders []importOrder, bad []lineError) (importReport, error) {
	report := importReport{Bad: bad, LeftOut: leftOut(bad)}
	plans := make([]plan, len(orders))
	for i, o := range orders {
		plans[i] = o.plan()
	}
	bar := newProgressBar(a.Stderr, a.Clock, len(plans))
	want := map[domain.OrderID]int{}
	doer := planner{
		Store: a.Events, Codec: a.Codec, Namespace: namespaceOf("import"), Correlation: uuid.NewString(), // one a run
	}
	err := doer.run(ctx, plans, func(o outcome) {
		bar.add(1)
		if o.Version > 0 {
			want[o.OrderID] = o.Version
		}
		switch {
		case o.Err != nil:
			report.Bad = append(report.Bad, orders[o.Index].refusal(o))
			report.LeftOut++
		case o.Stored == 0:
			report.Unchanged++
		case o.Stored < len(plans[o.Index].Steps):
			report.Finished++
		default:
			report.Imported++
		}
	})
	bar.end()
	if err != nil {
		return report, interrupted(err)
	}
	slices.SortStableFunc(report.Bad, func(a, b lineError) int { return a.Line - b.Line })
	if err := a.awaitRows(ctx, want); err != nil {
		return report, interrupted(err)
	}
	return report, nil
}

// interrupted says how to go on after an import that could not end.
func interrupted(err error) error {
	reason := "It was stopped."
	if _, ours := errors.AsType[*domain.Error](err); ours {
		reason = domain.Sentence(err)
	}
	return &domain.Error{Kind: domain.Unavailable, Cause: err,
		Message: "The import did not end: " + reason + " Run it again; it goes on where it was."}
}

// plan is the commands that make the order what the file says.
func (o importOrder) plan() plan {
	l := plan{Name: o.Create.Reference, Steps: []step{{o.Create, o.PlacedAt, importUser}}}
	switch o.Status {
	case domain.Confirmed:
		l.Steps = append(l.Steps, step{domain.ConfirmOrder{}, o.StatusAt, importUser})
	case domain.Cancelled:
		l.Steps = append(l.Steps, step{domain.CancelOrder{Reason: o.Reason}, o.StatusAt, importUser})
	case domain.Created:
	}
	return l
}

// refusal says, beside the order's first line, why the store did not take the order as the file has it.
func (o importOrder) refusal(out outcome) lineError {
	e := lineError{Line: o.Lines[0], Order: o.Create.Reference, Field: "order", Reason: domain.Sentence(out.Err)}
	switch kind := domain.KindOf(out.Err); {
	case out.Version == 0 && kind == domain.Invalid:
		e.Reason = "The order was imported before with other content, which is kept."
	case out.Version > 0 && kind == domain.Conflict:
		e.Field, e.Reason = "status", "Others have changed the order since it was imported; it is left as it is."
	case out.Version > 0:
		e.Field = "status"
	}
	return e
}

// leftOut counts the orders that have a bad line.
func leftOut(bad []lineError) int {
	orders := map[string]bool{}
	for _, e := range bad {
		if e.Order != "" {
			orders[e.Order] = true
		}
	}
	return len(orders)
}

// badLines counts lines; one may have several mistakes.
func badLines(bad []lineError) int {
	lines := map[int]bool{}
	for _, e := range bad {
		lines[e.Line] = true
	}
	return len(lines)
}

func (r importReport) print(stdout, stderr io.Writer) {
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

// awaitRows waits until every projection has each order at its version or higher, or holds it. A running server projects; without
// one, this process does. It gives up with Unavailable when nothing arrives any more.
func (a *App) awaitRows(ctx context.Context, want map[domain.OrderID]int) error {
	missing := map[string]map[domain.OrderID]int{}
	for _, name := range projections.Names() {
		missing[name] = maps.Clone(want)
	}
	own := projections.New(a.Events, a.Read, projections.Options{Codec: a.Codec, Clock: a.Clock, Log: a.Log})
	patience := a.Clock().Add(arrivalPatience)
	for before := -1; ; {
		left := 0
		for name, orders := range missing {
			if err := dropArrived(ctx, a.Read, name, orders); err != nil {
				return err
			}
			left += len(orders)
		}
		switch {
		case left == 0:
			return nil
		case left != before:
			before, patience = left, a.Clock().Add(arrivalPatience)
		case a.Clock().After(patience):
			return domain.Errorf(domain.Unavailable, "All orders are stored, but %s did not arrive in the lists.", count(left, "row"))
		}
		if !serverRuns(a.Settings.Folder()) {
			if _, err := own.Step(ctx); err != nil {
				return err
			}
		}
		select {
		case <-time.After(arrivalPoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// serverRuns tells whether a server holds the data folder. It asks for a share of the lock and lets go of it at once.
func serverRuns(folder string) bool {
	lock, err := os.Open(filepath.Join(folder, "server.lock"))
	if err != nil {
		return false // there has never been one
	}
	defer lock.Close()
	return errors.Is(syscall.Flock(int(lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// dropArrived removes the orders that a projection has at their version, or holds.
func dropArrived(ctx context.Context, read projections.Store, projection string, orders map[domain.OrderID]int) error {
	for ids := range slices.Chunk(slices.Collect(maps.Keys(orders)), eventstore.MaxPage) {
		rows, err := read.Rows(ctx, projection, ids...)
		if err != nil {
			return err
		}
		for id, row := range rows {
			if row.At() >= orders[id] {
				delete(orders, id)
			}
		}
		if len(rows) == len(ids) {
			continue
		}
		holds, err := read.Holds(ctx, projection, ids...)
		if err != nil {
			return err
		}
		for _, h := range holds {
			delete(orders, h.OrderID)
		}
	}
	return nil
}

// progressBar draws on a terminal, at most ten times a second, and nowhere else.
type progressBar struct {
	out   io.Writer // nil if nobody sees it
	clock func() time.Time
	drawn time.Time
	done  int
	total int
}

func newProgressBar(out io.Writer, clock func() time.Time, total int) *progressBar {
	b := &progressBar{clock: clock, total: total}
	if file, ok := out.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			b.out = out
		}
	}
	return b
}

func (b *progressBar) add(n int) {
	b.done += n
	if b.out == nil || b.clock().Sub(b.drawn) < 100*time.Millisecond {
		return
	}
	b.drawn = b.clock()
	const width = 40
	full := width * b.done / max(b.total, 1)
	fmt.Fprintf(b.out, "\r  %s%s %d of %d ", strings.Repeat("█", full), strings.Repeat("░", width-full), b.done, b.total)
}

func (b *progressBar) end() {
	if b.out != nil && b.done > 0 {
		fmt.Fprint(b.out, "\r\x1b[K")
	}
}
