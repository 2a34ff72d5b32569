package domain

// The bounds of an order, the same on every engine. Lengths are in characters, not bytes. MaxOrderEvents and MaxEventBytes are held
// where events are written; the others where commands are checked. None is applied to history.
const (
	MaxCommandItems    = 500
	MaxOrderEvents     = 10_000
	MinQuantity        = 1
	MaxQuantity        = 1_000_000
	MaxSKULength       = 64
	MaxReferenceLength = 64
	MaxNameLength      = 200 // customer ids and product names
	MaxReasonLength    = 500
	MaxNoteLength      = 500
	MaxNotedEvents     = 9_000     // no note is added to an order that has as many events, so that other commands find room
	MaxAmountLength    = 32        // an amount as it is typed, in bytes
	MaxEventBytes      = 256 << 10 // the JSON of one event
)
