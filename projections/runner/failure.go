package runner

import (
	"errors"
	"fmt"

	"headway/fault"
)

// storeError says which store failed.
type storeError struct {
	store string
	err   error
}

func (e *storeError) Error() string { return e.store + ": " + e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }

func eventsFailed(err error) error { return wrapStore("event store", err) }
func readFailed(err error) error   { return wrapStore("read store", err) }

func wrapStore(store string, err error) error {
	if err == nil {
		return nil
	}
	return &storeError{store, err}
}

// reasonOf is the sentence of a state while it waits after an error.
func reasonOf(err error) string {
	e, ok := errors.AsType[*storeError](err)
	switch {
	case err == nil:
		return ""
	case !ok:
		return "Something went wrong; it is tried again."
	case fault.KindOf(err) == fault.Unavailable:
		return fmt.Sprintf("The %s cannot be reached; it is tried again.", e.store)
	}
	return fmt.Sprintf("The %s answered with an error; it is tried again.", e.store)
}
