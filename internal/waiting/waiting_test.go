package waiting_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"headway/internal/waiting"
)

func TestABackoffDoublesToItsBound(t *testing.T) {
	b := waiting.Backoff{First: 200 * time.Millisecond, Most: 5 * time.Second}
	for failures, ms := range map[int]int{0: 200, 1: 200, 2: 400, 3: 800, 5: 3200, 6: 5000, 7: 5000, 1 << 40: 5000} {
		want := time.Duration(ms) * time.Millisecond
		for _, random := range []float64{0, 0.5, 0.999999} {
			if d := b.EqualJitter(failures, random); d < want/2 || d > want {
				t.Errorf("after %d failures and %v: %v, not between %v and %v", failures, random, d, want/2, want)
			}
			if d := b.FullJitter(failures, random); d < 0 || d > want {
				t.Errorf("after %d failures and %v: %v, not up to %v", failures, random, d, want)
			}
		}
		if b.EqualJitter(failures, 0) != want/2 || b.FullJitter(failures, 0) != 0 || b.FullJitter(failures, 0.5) != want/2 {
			t.Errorf("after %d failures the bounds are not %v", failures, want)
		}
	}
}

func TestAPauseEndsWithItsTimeNewsOrContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := waiting.Pause(t.Context(), time.Minute); err != nil || time.Since(began) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		news := make(chan struct{}, 1)
		for _, wait := range []func() bool{
			func() bool { return waiting.ForNews(t.Context(), time.Hour, news, nil) },
			func() bool { return waiting.ForNews(t.Context(), time.Hour, nil, news) },
		} {
			news <- struct{}{}
			if began = time.Now(); !wait() || time.Since(began) != 0 {
				t.Errorf("news end a wait: after %v", time.Since(began))
			}
		}
		ended, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := waiting.Pause(ended, time.Minute); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}
