package console

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"headway/cmd/web/console/input"
	"headway/fault"
)

// retryAfter is what an Unavailable answer asks for, in seconds.
const retryAfter = 2

// httpError is an error that only HTTP knows: it has a status of its own instead of a kind.
type httpError struct {
	status  int
	kind    string
	message string
}

func (e *httpError) Error() string { return e.message }

// problem is how an error is answered.
type problem struct {
	status  int
	kind    string
	message string
	fields  []fault.FieldError
}

// problemOf is the one table from errors to answers: nothing else translates.
func problemOf(err error) problem {
	if e, ok := errors.AsType[*httpError](err); ok {
		return problem{e.status, e.kind, e.message, nil}
	}
	if errors.Is(err, input.ErrMediaType) {
		return problem{http.StatusUnsupportedMediaType, "unsupported_media_type",
			"Send the body as application/json or as a form (application/x-www-form-urlencoded).", nil}
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		err = fault.Errorf(fault.TooLarge, "The request is larger than %d KiB.", MaxBodyBytes>>10)
	}
	if _, ours := errors.AsType[*fault.Error](err); !ours && errors.Is(err, context.DeadlineExceeded) {
		err = fault.Unreachable(err, "That took too long; nothing is lost by asking again.")
	}
	kind := fault.KindOf(err)
	o := problem{status: statusOf(kind), kind: kind.String(), message: fault.Sentence(err)}
	if e, ok := errors.AsType[*fault.Error](err); ok {
		o.fields = e.Fields
	}
	if kind == fault.Internal { // even an Error of this kind is a defect: its words are for the log
		o.message = "Something went wrong."
	}
	return o
}

func statusOf(kind fault.Kind) int {
	switch kind {
	case fault.Malformed:
		return http.StatusBadRequest
	case fault.Invalid, fault.Refused:
		return http.StatusUnprocessableEntity
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Internal:
	}
	return http.StatusInternalServerError
}

// setErrorHeaders adds what a status asks for beside its body.
func setErrorHeaders(h http.Header, status int) {
	if status == http.StatusServiceUnavailable {
		h.Set("Retry-After", strconv.Itoa(retryAfter))
	}
}
