package fault

import (
	"errors"
	"fmt"
)

// Kind says what a caller must do about an error. A kind exists only if somebody acts on it.
type Kind int

const (
	Internal        Kind = iota // a defect, or something nobody foresaw: the zero kind
	Malformed                   // the request cannot be read at all: body, query or cursor
	Invalid                     // the request was read, and a value in it is not allowed
	Refused                     // the values are fine, but a rule of the order forbids the command
	NotFound                    // there is no such thing
	Conflict                    // the order moved since the version the command was made for
	TooLarge                    // a named limit was passed
	Unavailable                 // a store cannot answer now; asking again later is safe
	Forbidden                   // this caller may not do it
	Unauthenticated             // nobody is signed in
)

var kindNames = [...]string{
	"internal", "malformed", "invalid", "refused", "not_found", "conflict", "too_large", "unavailable", "forbidden", "unauthenticated",
}

// String is the kind's stable name on the wire.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return kindNames[Internal]
	}
	return kindNames[k]
}

// FieldError is a sentence about one field. Field is a path such as "items[2].price".
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Error is every error of Headway that a person may see: a kind for the program, a sentence for the
// person, and a cause for the log. Message never carries a secret or a driver's words.
type Error struct {
	Kind    Kind
	Message string
	Fields  []FieldError // for Malformed and Invalid: what is wrong where, in the order of the form
	Head    int          // for Conflict: the order's newest version
	Cause   error        // for the log only
}

// Error is for the log: it includes the cause.
func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Kind, e.Message, e.Cause)
	}
	return fmt.Sprintf("%s: %s", e.Kind, e.Message)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Errorf makes an error of a kind with a sentence for a person.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// InvalidField makes an Invalid error about one field.
func InvalidField(field, format string, args ...any) *Error {
	msg := fmt.Sprintf(format, args...)
	return &Error{Kind: Invalid, Message: msg, Fields: []FieldError{{field, msg}}}
}

// MalformedField makes a Malformed error about one field of a body or query.
func MalformedField(field, format string, args ...any) *Error {
	msg := fmt.Sprintf(format, args...)
	return &Error{Kind: Malformed, Message: msg, Fields: []FieldError{{field, msg}}}
}

// Unreachable wraps a store's failure as Unavailable.
func Unreachable(cause error, format string, args ...any) *Error {
	return &Error{Kind: Unavailable, Message: fmt.Sprintf(format, args...), Cause: cause}
}

// KindOf tells the kind of err; an error that is not ours is Internal.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Sentence is what a person may read of err: the message of an Error, and nothing of any other.
func Sentence(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Message
	}
	return "Something went wrong."
}
