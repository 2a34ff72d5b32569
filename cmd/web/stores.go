package main

import (
	"errors"
)

// Open opens both stores in the data folder, creating it. Close must be called. Serving also takes the folder's lock; other
// commands may run beside a server.
func (a *App) Open() error { return errors.New("the engines are not joined yet") }

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
