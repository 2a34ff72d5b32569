// Package waiting is how everything of ours waits: for a while, for news or for the end, and longer after each failure.
package waiting

import (
	"context"
	"time"
)

// Pause waits for so long. It fails with the context's error when that ends first.
func Pause(ctx context.Context, d time.Duration) error {
	ForNews(ctx, d, nil, nil)
	return ctx.Err()
}

// ForNews waits for so long, or until the context ends, or until one of two channels says something, and answers whether that was it. A
// channel that is nil never does.
func ForNews(ctx context.Context, d time.Duration, one, other <-chan struct{}) (came bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-one:
		return true
	case <-other:
		return true
	}
	return false
}

// Backoff is how long whoever failed waits before the next attempt: first First, then twice as long each time, never longer than Most.
type Backoff struct{ First, Most time.Duration }

// EqualJitter is the wait after so many failures in a row, counted from 1, by a random number in [0, 1): between half of it and all of it.
func (b Backoff) EqualJitter(failures int, random float64) time.Duration {
	d := b.after(failures)
	return d/2 + time.Duration(random*float64(d-d/2))
}

// FullJitter is that wait anywhere between nothing and all of it: for many who contend for one thing.
func (b Backoff) FullJitter(failures int, random float64) time.Duration {
	return time.Duration(random * float64(b.after(failures)))
}

func (b Backoff) after(failures int) time.Duration {
	d := min(b.First, b.Most)
	for n := 1; n < failures && d < b.Most; n++ {
		d = min(2*d, b.Most)
	}
	return d
}
