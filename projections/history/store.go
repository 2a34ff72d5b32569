package history

import (
	"context"
	"time"

	"headway/fault"
)

// MaxBuckets is how many buckets one call takes or answers: the minutes of 48 hours.
const MaxBuckets = 2880

// Store keeps buckets. It is safe for concurrent use; results share no memory with the caller. Every method fails with Unavailable when
// the store cannot be reached. What it keeps may be deleted at any time, and is then gone.
type Store interface {
	// Put keeps buckets of a step, each in the place of the one of its time; the next Buckets has them. After an error it may have kept some.
	// A bucket that does not begin with its step, and more than MaxBuckets, are Internal, and then none is kept.
	Put(ctx context.Context, step Step, buckets ...Bucket) error
	// Buckets returns those of a step that begin in [from, to), oldest first: the first MaxBuckets of them.
	Buckets(ctx context.Context, step Step, from, to time.Time) ([]Bucket, error)
	// Forget lets go of the buckets of a step that begin before a time.
	Forget(ctx context.Context, step Step, before time.Time) error
	// Close lets go of the store. Closing twice is allowed.
	Close() error
}

// CheckPut refuses what no store takes. Every engine asks it first.
func CheckPut(step Step, buckets []Bucket) error {
	if step != Minute && step != Hour {
		return fault.Errorf(fault.Internal, "A history has no step “%.20s”.", string(step))
	}
	if len(buckets) > MaxBuckets {
		return fault.Errorf(fault.Internal, "At most %s buckets can be kept at once, not %s.",
			fault.Number(MaxBuckets), fault.Number(len(buckets)))
	}
	for _, b := range buckets {
		if !b.At.Equal(b.At.Truncate(step.Length())) {
			return fault.Errorf(fault.Internal, "A bucket of the history begins at %s, which is no whole %s.", b.At.Format(time.RFC3339Nano), step)
		}
	}
	return nil
}
