package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"headway/domain"
	eventsqlite "headway/eventstore/sqlite"
	readsqlite "headway/projections/sqlite"
)

// Open opens both stores in the data folder, creating it. Close must be called. Serving also takes the folder's lock; other
// commands may run beside a server.
func (a *App) Open() error {
	if err := makeFolder(a.Settings.Folder()); err != nil {
		return err
	}
	events, err := a.Settings.path("--events", a.Settings.Events, "events.db")
	if err != nil {
		return err
	}
	read, err := a.Settings.path("--read", a.Settings.Read, "read.db")
	if err != nil {
		return err
	}
	eventStore, err := eventsqlite.Open(events, eventsqlite.Options{Codec: a.Codec, Clock: a.Clock})
	if err != nil {
		return err
	}
	readStore, err := readsqlite.Open(read, readsqlite.Options{Log: a.Log})
	if err != nil {
		return errors.Join(err, eventStore.Close())
	}
	a.Events, a.Read = eventStore, readStore
	return nil
}

// Close lets go of the stores.
func (a *App) Close() error {
	var errs []error
	if a.Read != nil {
		errs = append(errs, a.Read.Close())
	}
	if a.Events != nil {
		errs = append(errs, a.Events.Close())
	}
	return errors.Join(errs...)
}

// path is the file of an engine named as sqlite:PATH; unset, it is in the data folder.
func (s Settings) path(flag, engine, usual string) (string, error) {
	if engine == "" {
		return filepath.Join(s.Folder(), usual), nil
	}
	name, path, _ := strings.Cut(engine, ":")
	if name != "sqlite" || path == "" {
		return "", domain.Errorf(domain.Invalid, "%s: “%s” is not an engine of this build; write sqlite:PATH.", flag, engine)
	}
	return path, nil
}

// makeFolder makes a folder that only its owner can look into.
func makeFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return domain.Unreachable(err, "The data folder %s cannot be made.", dir)
	}
	return nil
}
