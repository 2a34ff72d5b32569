package eventstore

import (
	"errors"

	"headway/fault"
)

// ErrOtherLog is in the error of a cursor that another log gave, or this one before it was put back from a backup.
var ErrOtherLog = errors.New("the cursor is of another log")

// OtherLog is the error of such a cursor: Malformed, with ErrOtherLog as its cause.
func OtherLog() error {
	err := fault.MalformedField("cursor", "This place in the list is of another log, or of this one before it was put back.")
	err.Cause = ErrOtherLog
	return err
}

// MovedOn is the Conflict of a stream that is at head and not at expect.
func MovedOn(expect, head int) error {
	err := fault.Errorf(fault.Conflict, "This is at version %d, not at version %d.", head, expect)
	err.Head = head
	return err
}

// OtherContent is the Invalid of a command id that was used before for something else.
func OtherContent() error {
	return fault.InvalidField("commandId", "This command id was used before with other content.")
}

// StreamIsFull is the TooLarge of a stream that is at head and has no room for what is to be appended. It carries the head, too.
func StreamIsFull(head int) error {
	err := fault.Errorf(fault.TooLarge, "At most %s events can belong together; there are %s.", fault.Number(MaxStreamEvents),
		fault.Number(head))
	err.Head = head
	return err
}
