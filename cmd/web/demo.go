package main

import (
	"headway/cmd/web/internal/demo"
	"headway/eventstore"
	"headway/fault"
)

// checkDemo is Invalid if the traffic asked for is not a number of commands a minute that the demo makes.
func (s Settings) checkDemo() error {
	if s.DemoTraffic < 0 || s.DemoTraffic > demo.MaxTraffic {
		return fault.Errorf(fault.Invalid, "--demo-traffic must be from 0 to %d commands a minute, not %d.", demo.MaxTraffic, s.DemoTraffic)
	}
	return nil
}

// demo is the shop that the demo shows; it trades in events.
func (a *App) demo(events eventstore.Store) demo.Shop {
	return demo.Shop{Events: events, Read: a.Read, Codec: a.Codec, Clock: a.Clock, Log: a.Log, Traffic: a.Settings.DemoTraffic}
}
