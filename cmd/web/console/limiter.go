package console

import (
	"context"
	"runtime"
	"sync"
	"time"

	"headway/fault"
)

// The bounds of what is worked on at once. Whoever waits for a place holds a connection, and a small body at most.
const (
	MaxRequests    = 128                   // at once
	MaxLargeBodies = 16                    // at once, of more than smallBody or of unknown length
	smallBody      = 16 << 10              // bytes; taken apart, a body takes about 25 times as much
	limiterWait    = 5 * time.Second       // for a place; then 503
	pageHold       = 50 * time.Millisecond // that a page may keep others waiting
)

// limiter has room for so many at once. Those who wait get their places in the order in which they came.
type limiter chan struct{}

// acquire waits for a place; false if there was none in time.
func (l limiter) acquire(ctx context.Context) bool {
	select {
	case l <- struct{}{}: // as nearly always
		return true
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, limiterWait)
	defer cancel()
	select {
	case l <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (l limiter) release() { <-l }

// pageLimiter has a place for each processor, because pages from files hardly wait for anything else: more at once are all late, some of
// them very, and take more memory. Pages that wait for a network need none.
func pageLimiter() limiter { return make(limiter, max(2, runtime.GOMAXPROCS(0))) }

// acquireBriefly waits for a place for at most pageHold, which done ends. Who takes longer, for a heavy search or a slow reader, goes on
// without one: they keep nobody waiting. A nil limiter limits nothing.
func (l limiter) acquireBriefly(ctx context.Context) (done func(), ok bool) {
	if l == nil {
		return func() {}, true
	}
	if !l.acquire(ctx) {
		return nil, false
	}
	release := sync.OnceFunc(l.release)
	late := time.AfterFunc(pageHold, release)
	return func() { late.Stop(); release() }, true
}

func tooBusy() error {
	return fault.Errorf(fault.Unavailable, "There is too much to do at the moment. Asking again is safe.")
}
