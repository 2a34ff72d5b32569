package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"headway/cmd/web/internal/csvimport"
	"headway/cmd/web/internal/importer"
	"headway/domain"
)

// maxListedLines is how many bad lines are printed; the rest are counted.
const maxListedLines = 1000

// ImportCmd makes orders from a file.
type ImportCmd struct {
	File string `arg:"" placeholder:"FILE.csv" help:"The file, or - for standard input."`
}

// Help is the long help.
func (ImportCmd) Help() string {
	return "The first line names the columns " + csvimport.Header() + `. Each further line is one item; the lines
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
	orders, bad := csvimport.Parse(data, app.Location, app.Clock())
	bring := importer.Importer{
		Events: app.Events, Read: app.Read, Codec: app.Codec, Clock: app.Clock, Log: app.Log,
		ServerRuns: func() bool { return serverRuns(app.Settings.Folder()) },
	}
	bar := newProgressBar(app.Stderr, app.Clock, len(orders))
	report, err := bring.Store(app.Context, orders, bad, func() { bar.add(1) })
	bar.end()
	if err != nil {
		return err
	}
	if err := bring.AwaitRows(app.Context, report); err != nil {
		return err
	}
	printImport(app.Stdout, app.Stderr, report)
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
	data, err := io.ReadAll(io.LimitReader(from, csvimport.MaxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > csvimport.MaxBytes {
		return nil, domain.Errorf(domain.TooLarge,
			"A file can have at most %d MiB. Split it; what is imported already is not imported twice.", csvimport.MaxBytes>>20)
	}
	return data, nil
}

// badLines counts lines; one may have several mistakes.
func badLines(bad []csvimport.LineError) int {
	lines := map[int]bool{}
	for _, e := range bad {
		lines[e.Line] = true
	}
	return len(lines)
}

func printImport(stdout, stderr io.Writer, r importer.Report) {
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

// serverRuns tells whether a server holds the data folder. It asks for a share of the lock and lets go of it at once.
func serverRuns(folder string) bool {
	lock, err := os.Open(filepath.Join(folder, "server.lock"))
	if err != nil {
		return false // there has never been one
	}
	defer lock.Close()
	return errors.Is(syscall.Flock(int(lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
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
