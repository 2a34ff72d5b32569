package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"headway/cmd/web/internal/csvimport"
	"headway/cmd/web/internal/importer"
	"headway/cmd/web/internal/terminal"
	"headway/fault"
	"headway/operations"
)

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
		Events: app.Events, Read: app.Read, Codec: app.Codec, Clock: app.Clock, Projector: app.projector(),
	}
	asked, err := app.recorder().Ask(app.Context, operations.Start{Who: errand, What: operations.Import, On: filepath.Base(c.File),
		Before: map[string]int{"orders": len(orders), "badLines": len(bad)}})
	if err != nil {
		return err
	}
	bar := terminal.NewProgressBar(app.Stderr, app.Clock, len(orders))
	report, err := bring.Store(app.Context, orders, bad, func() { bar.Add(1) })
	bar.End()
	app.ended(asked, err, map[string]int{
		"imported": report.Imported, "finished": report.Finished, "unchanged": report.Unchanged, "leftOut": report.LeftOut,
	})
	if err != nil {
		return err
	}
	if err := bring.AwaitRows(app.Context, report); err != nil {
		return err
	}
	terminal.PrintImport(app.Stdout, app.Stderr, report)
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
		return nil, fault.Errorf(fault.TooLarge,
			"A file can have at most %d MiB. Split it; what is imported already is not imported twice.", csvimport.MaxBytes>>20)
	}
	return data, nil
}
