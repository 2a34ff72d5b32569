package wire

import (
	"time"

	"headway/projections"
	"headway/projections/history"
)

// EventHistory is how many events were stored, oldest first. A bucket that is missing is not known.
type EventHistory struct {
	Buckets []EventBucket `json:"buckets"`
}

// EventBucket is one minute or hour.
type EventBucket struct {
	At     *string        `json:"at"`
	Total  int            `json:"total"`
	ByType map[string]int `json:"byType"`
}

// ProjectionHistory is the highest that was seen of a projection, oldest first. A bucket that is missing is not known.
type ProjectionHistory struct {
	Buckets []ProjectionBucket `json:"buckets"`
}

// ProjectionBucket is one minute or hour.
type ProjectionBucket struct {
	At        *string `json:"at"`
	LagEvents int     `json:"lagEvents"`
	LagMs     int64   `json:"lagMs"`
	Rate      float64 `json:"rate"`
	Holds     int     `json:"holds"`
	BatchMs   int64   `json:"batchMs"`
}

// EventBucketOf is a bucket of the history, as far as it has events.
func EventBucketOf(b history.Bucket) EventBucket {
	return EventBucket{Time(b.At), b.Total(), b.ByType()}
}

// ProjectionBucketOf is what a bucket has of a projection.
func ProjectionBucketOf(at time.Time, s history.Sample) ProjectionBucket {
	return ProjectionBucket{Time(at), s.LagEvents, Millis(s.Lag), s.Rate, s.Holds, Millis(s.Batch)}
}

// PerMinuteOf is a count for each minute: at least so many in the last, if that is not known exactly; null for another that is not.
func PerMinuteOf(counts []projections.Count) []*int {
	return ListOf(counts, func(c projections.Count) *int {
		if !c.IsExact && c.N == 0 {
			return nil
		}
		return &c.N
	})
}
