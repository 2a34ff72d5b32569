package eventstore

import "hash/crc32"

// Slices is how many slices the feed of a category is divided into. It can never change: stored keys carry the slice.
const Slices = 16

// Part is some of the slices of a category's feed: those whose number, modulo Of, is Index. Whole is all of them.
type Part struct{ Index, Of int }

// Whole is the part that has every slice.
var Whole = Part{0, 1}

// Has tells whether a slice lies in the part.
func (p Part) Has(slice int) bool { return p.Of <= 1 || slice%p.Of == p.Index }

// SliceOf is the slice of a stream.
func SliceOf(id StreamID) int { return int(crc32.ChecksumIEEE([]byte(id.Key())) % Slices) }
