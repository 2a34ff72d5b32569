package live

import "slices"

// ring is the newest frames, oldest first and without a gap. It is the only queue there is: every client has a place in it.
type ring struct {
	n      uint64 // the newest frame
	frames []*frame
	bytes  int
	seen   map[string]bool // keys, while a batch is made
}

// add keeps a frame, and forgets the oldest beyond the bounds.
func (r *ring) add(f *frame) {
	r.n = f.n
	r.frames = append(r.frames, f)
	r.bytes += len(f.body)
	drop := 0
	for len(r.frames)-drop > ringFrames || r.bytes > ringBytes {
		r.bytes -= len(r.frames[drop].body)
		r.frames[drop] = nil
		drop++
	}
	r.frames = r.frames[drop:]
}

// has reports whether everything from this frame on is still there.
func (r *ring) has(from uint64) bool { return from <= r.n+1 && r.n+1-from <= uint64(len(r.frames)) }

// batch is what those who watch the topics are sent of all that the ring has from a frame on: the newest of each key, in the order of the
// sequence, up to the bound of one message. rest is where the next message begins; 0 if this is all.
func (r *ring) batch(topics map[string]bool, from uint64) (frames []*frame, rest uint64) {
	clear(r.seen)
	for _, f := range slices.Backward(r.frames[uint64(len(r.frames))-(r.n+1-from):]) {
		if f.key != "" && r.seen[f.key] || !f.concerns(topics) {
			continue
		}
		if f.key != "" {
			r.seen[f.key] = true
		}
		frames = append(frames, f)
	}
	slices.Reverse(frames)
	size := 0
	for i, f := range frames {
		if size += len(f.body) + 1; size > messageBytes && i > 0 {
			return frames[:i], f.n
		}
	}
	return frames, 0
}
