package domain

// The bounds of an order, the same on every engine. Lengths are in characters, not bytes.
const (
	MaxCommandItems    = 500
	MaxOrderEvents     = 10_000
	MinQuantity        = 1
	MaxQuantity        = 1_000_000
	MaxSKULength       = 64
	MaxReferenceLength = 64
	MaxNameLength      = 200 // customer ids and product names
	MaxReasonLength    = 500
	MaxEventBytes      = 256 << 10 // the JSON of one event
)
