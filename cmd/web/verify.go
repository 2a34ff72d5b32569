package main

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"headway/cmd/web/console/wire"
	"headway/cmd/web/internal/terminal"
	"headway/fault"
	"headway/operations"
	"headway/projections/verify"
)

const (
	verifyWait   = 30 * time.Second // how long rows that are missing or late may take to arrive
	projectEvery = time.Second      // while verify waits and no server runs
)

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
	stop, err := app.project()
	if err != nil {
		return err
	}
	defer stop()
	asked, unrecorded := app.recorder().Ask(app.Context, operations.Start{Who: errand, What: operations.Verify, On: "all projections"})
	if unrecorded != nil { // a log that cannot be written can be verified all the same
		app.Log.Warn("the verification is not on record", "error", unrecorded)
	}
	report, err := verify.Run(app.Context, app.Events, app.Read, app.Codec,
		verify.Options{Wait: verifyWait, Clock: app.Clock})
	if unrecorded == nil {
		app.ended(asked, err, map[string]int{
			"orders": report.Orders, "events": report.Events, "rows": report.Rows, "holds": len(report.Holds),
			"differences": len(report.Differences) + report.Unnamed,
		})
	}
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

// project brings the projections up with the log while no server does, now and again until stop: the feed of a distributed store shows some
// moves late, and a server may have ended a moment ago.
func (a *App) project() (stop func(), err error) {
	ctx, cancel := context.WithCancel(a.Context)
	own := a.projector()
	if _, err := own.Step(ctx); err != nil && fault.KindOf(err) != fault.Conflict { // a server that has just begun
		cancel()
		return nil, err
	}
	var running sync.WaitGroup
	running.Go(func() {
		for ticks := time.Tick(projectEvery); ; {
			select {
			case <-ticks:
				_, _ = own.Step(ctx) // what it cannot bring is found missing
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		running.Wait()
		own.Release(context.WithoutCancel(a.Context))
	}, nil
}
