package main

import (
	"fmt"

	"headway/eventstore/dynamo"
	"headway/fault"
)

// TablesCmd is what can be done with the tables of a DynamoDB event store.
type TablesCmd struct {
	Create TablesCreateCmd `cmd:"" help:"Make the tables that are missing, and wait until they can be used."`
	Check  TablesCheckCmd  `cmd:"" help:"Print how the tables, and their heads, differ from what they should be; exit 1 if they do."`
	Mend   TablesMendCmd   `cmd:"" help:"Set each head to its stream's end, as after tables were restored apart from each other."`
}

// TablesCreateCmd makes the tables.
type TablesCreateCmd struct{}

// Help is the long help.
func (TablesCreateCmd) Help() string {
	return `The tables are billed on demand, have point-in-time recovery and are protected from deletion. Running it again is harmless: what is
there already is left as it is.`
}

// Run makes the tables; ExitCode 1 if what was there before is not as it should be.
func (TablesCreateCmd) Run(app *App) error {
	options, err := app.tablesAsked()
	if err != nil {
		return err
	}
	if err := dynamo.CreateTables(app.Context, options); err != nil {
		return err
	}
	return app.reportTables(options)
}

// TablesCheckCmd compares the tables.
type TablesCheckCmd struct{}

// Run compares; ExitCode 1 if there is a difference.
func (TablesCheckCmd) Run(app *App) error {
	options, err := app.tablesAsked()
	if err != nil {
		return err
	}
	if err := app.reportTables(options); err != nil {
		return err
	}
	wrong := 0
	if err := dynamo.CheckHeads(app.Context, options, func(w dynamo.WrongHead) {
		wrong++
		if wrong <= maxWrongHeads {
			fmt.Fprintln(app.Stdout, w)
		}
	}); err != nil {
		return err
	}
	if wrong > maxWrongHeads {
		fmt.Fprintf(app.Stdout, "and %s more\n", fault.Number(wrong-maxWrongHeads))
	}
	if wrong > 0 {
		fmt.Fprintln(app.Stdout, "`web tables mend` sets each head to its stream's end.")
		return ExitCode(1)
	}
	return nil
}

// maxWrongHeads is how many wrong heads are named; the others are counted.
const maxWrongHeads = 1000

// TablesMendCmd mends the heads.
type TablesMendCmd struct{}

// Help is the long help.
func (TablesMendCmd) Help() string {
	return `Point-in-time recovery restores each table by itself, so afterwards heads may disagree with their streams. This sets each to the end of
its stream, in a transaction of its own, and touches no event. Stop the consoles first. It reads both tables whole.`
}

// Run mends, and says what it did.
func (TablesMendCmd) Run(app *App) error {
	options, err := app.tablesAsked()
	if err != nil {
		return err
	}
	mended := 0
	err = dynamo.MendHeads(app.Context, options, func(w dynamo.WrongHead) {
		mended++
		if mended <= maxWrongHeads {
			fmt.Fprintf(app.Stdout, "mended: %s\n", w)
		}
	})
	fmt.Fprintf(app.Stdout, "%s heads were set to the ends of their streams.\n", fault.Number(mended))
	return err
}

func (a *App) tablesAsked() (dynamo.Options, error) {
	events, _, err := a.Settings.engines()
	if err != nil {
		return dynamo.Options{}, err
	}
	if events.name != dynamoEngine {
		return dynamo.Options{}, fault.Errorf(fault.Invalid, "Only DynamoDB has tables to make or check; name them with --events dynamodb:PREFIX.")
	}
	return a.tables(events), nil
}

func (a *App) reportTables(options dynamo.Options) error {
	differences, err := dynamo.CheckTables(a.Context, options)
	if err != nil {
		return err
	}
	for _, d := range differences {
		fmt.Fprintln(a.Stdout, d)
	}
	if len(differences) > 0 {
		return ExitCode(1)
	}
	for _, t := range dynamo.Tables(options.Prefix) {
		fmt.Fprintln(a.Stdout, t.Name, "is ready")
	}
	return nil
}
