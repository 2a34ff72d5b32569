package main

import (
	"testing"

	"headway/cmd/web/internal/demo"
)

// The traffic that may be asked for is bounded.
func TestDemoTrafficLimit(t *testing.T) {
	for n, good := range map[int]bool{-1: false, 0: true, demo.MaxTraffic: true, demo.MaxTraffic + 1: false} {
		if err := (Settings{DemoTraffic: n}).checkDemo(); (err == nil) != good {
			t.Errorf("%d: %v", n, err)
		}
	}
}
