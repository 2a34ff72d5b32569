package main

import (
	"fmt"
	"runtime/debug"
)

// VersionCmd prints the version.
type VersionCmd struct{}

// Run prints the version that the build recorded.
func (VersionCmd) Run(app *App) error {
	_, err := fmt.Fprintln(app.Stdout, "headway", buildVersion())
	return err
}

// buildVersion names this build; pages carry it, so that a browser notices a newer server.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 && (version == "" || version == "(devel)") {
			version = s.Value[:12]
		}
	}
	return version
}
