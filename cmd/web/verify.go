package main

import (
	"encoding/json"
	"errors"
	"time"

	"headway/cmd/web/internal/terminal"
	"headway/cmd/web/internal/wire"
	"headway/projections"
)

// verifyWait is how long rows that are missing or late may take to arrive.
const verifyWait = 30 * time.Second

// VerifyCmd compares every row with the log.
type VerifyCmd struct {
	JSON bool `help:"Print one JSON object."`
}

// Help is the long help.
func (VerifyCmd) Help() string {
	return `Each row is compared with a fold of its order's events at the row's own version, so it may run beside a server. Rows that are
late may take up to 30 s to arrive; without a server, this program first brings the projections up with the log.`
}

// Run verifies; ExitCode 1 if a row is not what the log says.
func (c VerifyCmd) Run(app *App) (err error) {
	if err := app.Open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.Close()) }()
	if !serverRuns(app.Settings.Folder()) { // nobody else would bring what is late
		own := projections.New(app.Events, app.Read, projections.Options{Codec: app.Codec, Clock: app.Clock, Log: app.Log})
		if _, err := own.Step(app.Context); err != nil {
			return err
		}
	}
	report, err := projections.Verify(app.Context, app.Events, app.Read, app.Codec,
		projections.VerifyOptions{Wait: verifyWait, Clock: app.Clock})
	if err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(app.Stdout).Encode(wire.VerificationOf(report))
	} else {
		terminal.PrintVerification(app.Stdout, report)
	}
	if err == nil && !report.Clean() {
		return ExitCode(1)
	}
	return err
}
