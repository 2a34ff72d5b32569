package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"headway/cmd/web/console"
	eventsqlite "headway/eventstore/sqlite"
	"headway/fault"
)

// stopTimeout is how long a graceful stop may take.
const stopTimeout = 8 * time.Second

// ServeCmd serves the console until its context ends.
type ServeCmd struct{}

// Run serves, and stops gracefully: nothing new is accepted, what is under way is answered, sockets are told of a restart (1012), the
// projector ends, the stores close.
func (ServeCmd) Run(app *App) error {
	if !console.IsLoopback(app.Settings.Addr) {
		return fault.Errorf(fault.Refused, "Headway serves only this machine until it has a sign-in, so --addr must be on 127.0.0.1 or localhost, "+
			"not “%s”.", app.Settings.Addr)
	}
	if err := app.Settings.checkDemo(); err != nil {
		return err
	}
	if set := app.Settings; set.Demo && (set.Events != "" || set.Read != "") {
		return fault.Errorf(fault.Refused, "--demo keeps its own data in %s, so it cannot be given --events or --read.", set.Folder())
	}
	files, err := app.Settings.usesFolder()
	if err != nil {
		return err
	}
	if files { // without any, several servers may stand on the same engines
		if err := makeFolder(app.Settings.Folder()); err != nil {
			return err
		}
		release, err := eventsqlite.LockDir(app.Settings.Folder())
		if err != nil {
			return err
		}
		defer release()
	}
	listener, err := new(net.ListenConfig).Listen(app.Context, "tcp", app.Settings.Addr)
	if err != nil {
		return fault.Unreachable(err, "The address %s cannot be used. Is something else serving there? Choose another with --addr.",
			app.Settings.Addr)
	}
	if err := app.Open(); err != nil {
		return errors.Join(err, listener.Close())
	}
	err = serve(app, listener)
	return errors.Join(err, app.Close())
}

// server is the console on the stores that are open. Whoever serves has the lock of the folder.
func (a *App) server() *console.Server {
	alone, _ := a.Settings.usesFolder() // which was locked
	return console.New(console.Options{
		Events: a.Events, Snapshots: a.Snapshots, Read: a.Read, History: a.History, Codec: a.Codec, Zone: a.Location, Clock: a.Clock, Log: a.Log,
		Version: buildVersion(), Demo: a.Settings.Demo, Alone: alone, NoNetwork: a.Settings.usesNoNetwork(),
	})
}

// serve runs everything that lives as long as the server does, until app.Context ends.
func serve(app *App, listener net.Listener) error {
	s := app.server()
	connections := s.HTTP()
	// Background work ends after the last request, which may still wait for it.
	background, stop := context.WithCancel(context.WithoutCancel(app.Context))
	defer stop()
	s.Begin(background)
	var running sync.WaitGroup
	running.Go(func() { s.Run(background) })
	story := ""
	if app.Settings.Demo {
		shop := app.demo(s.Events()) // its traffic is heard, too
		if !shop.IsTold(background) {
			story = "its history is told now, "
		}
		running.Go(func() { shop.Run(background) })
	}
	failed := make(chan error, 1)
	go func() { failed <- connections.Serve(listener) }()
	greet(app, listener.Addr(), story)

	var err error
	select {
	case err = <-failed:
	case <-app.Context.Done():
		app.Log.Info("stopping")
	}
	deadline, cancel := context.WithTimeout(context.WithoutCancel(app.Context), stopTimeout)
	defer cancel()
	var stopping sync.WaitGroup
	stopping.Go(func() {
		if connections.Shutdown(deadline) != nil {
			_ = connections.Close() // a request that does not end is cut
		}
	})
	stopping.Go(func() { _ = s.Shutdown(deadline) })
	stopping.Wait()
	stop()
	running.Wait()
	return err
}

// greet says where the console is, what it stands on, and what to do first. story is what the demo begins with.
func greet(app *App, addr net.Addr, story string) {
	set := app.Settings
	events, read, _ := set.engines() // Open has read both
	fmt.Fprintf(app.Stdout, "Headway is at http://%s\n", addr)
	fmt.Fprintf(app.Stdout, "  events  %s\n  rows    %s\n", events, read)
	if set.Demo {
		fmt.Fprintf(app.Stdout, "This is a demo: %s%d commands a minute follow, and nothing outside %s is touched.\n",
			story, set.DemoTraffic, set.Folder())
		return
	}
	fmt.Fprintln(app.Stdout, "Open it in a browser and create an order, or bring orders with: web import FILE.csv. Ctrl-C stops it.")
}
