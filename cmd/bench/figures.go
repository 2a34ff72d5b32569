package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// own is the name of Headway's own figures; those of bare loops begin with raw/.
const own = "headway"

// figures are printed as they come, and kept for the table.
type figures struct {
	to  io.Writer
	all []figure
}

type figure struct {
	who, metric string
	value       float64
	unit        string
}

func (f *figures) say(who, metric string, value float64, unit string) {
	f.all = append(f.all, figure{who, metric, value, unit})
	digits := 0
	switch {
	case value < 1:
		digits = 4
	case value < 100:
		digits = 2
	}
	fmt.Fprintf(f.to, "%s %s %.*f %s\n", who, metric, digits, value, unit)
}

// table prints every own figure with the bare loop's beside it.
func (f *figures) table() {
	w := tabwriter.NewWriter(f.to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\nmetric\theadway\tbare loop\tratio\tunit\t")
	for _, mine := range f.all {
		if mine.who != own {
			continue
		}
		raw, ratio := "", ""
		if i := slices.IndexFunc(f.all, func(x figure) bool { return x.metric == mine.metric && strings.HasPrefix(x.who, "raw/") }); i >= 0 {
			raw, ratio = fmt.Sprintf("%.4g", f.all[i].value), fmt.Sprintf("%.2f", mine.value/f.all[i].value)
		}
		fmt.Fprintf(w, "%s\t%.4g\t%s\t%s\t%s\t\n", mine.metric, mine.value, raw, ratio, mine.unit)
	}
	_ = w.Flush()
}

// side is one of two that are compared: one call of do by a worker is one answer somebody waits for, of so many units of work.
type side struct {
	who string
	do  func(worker int) (int, error)
}

// race says the rate of each side, in events a second, and the time of one call.
func (b *bench) race(metric string, workers int, sides ...side) error {
	laps, err := b.byTurns(workers, sides...)
	if err != nil {
		return fmt.Errorf("%s: %w", metric, err)
	}
	for i, s := range sides {
		b.out.lap(s.who, metric, "ev/s", laps[i])
	}
	return nil
}

// byTurns gives each side the duration in several slices, so that they share the mood of the machine and the growth of what they write to.
// It ends at the first error.
func (b *bench) byTurns(workers int, sides ...side) ([]lap, error) {
	const turns = 4
	laps := make([]lap, len(sides))
	for turn := range turns {
		for i := range sides {
			if turn%2 == 1 {
				i = len(sides) - 1 - i // no side is always the one that begins
			}
			if err := laps[i].add(workers, b.dur/turns, sides[i].do); err != nil {
				return nil, fmt.Errorf("%s: %w", sides[i].who, err)
			}
		}
	}
	return laps, nil
}

// lap says the rate and the time of one call.
func (f *figures) lap(who, metric, unit string, l lap) {
	f.say(who, metric, float64(l.units)/l.took.Seconds(), unit)
	f.quantiles(who, metric, l.calls)
}

func (f *figures) quantiles(who, metric string, all []time.Duration) {
	f.say(who, metric+"_p50", milliseconds(quantile(all, 0.5)), "ms")
	f.say(who, metric+"_p99", milliseconds(quantile(all, 0.99)), "ms")
}

// lap is what one side has done so far.
type lap struct {
	units int
	took  time.Duration
	calls []time.Duration
}

// add runs the workers until the time is over; what was begun is finished, and counts.
func (l *lap) add(workers int, d time.Duration, do func(worker int) (int, error)) error {
	var mu sync.Mutex
	var failed error
	var all sync.WaitGroup
	began := time.Now()
	for worker := range workers {
		all.Go(func() {
			units := 0
			var calls []time.Duration
			var err error
			for time.Since(began) < d && err == nil {
				asked := time.Now()
				var n int
				n, err = do(worker)
				calls, units = append(calls, time.Since(asked)), units+n
			}
			mu.Lock()
			defer mu.Unlock()
			l.units, l.calls = l.units+units, append(l.calls, calls...)
			if failed == nil {
				failed = err
			}
		})
	}
	all.Wait()
	l.took += time.Since(began)
	return failed
}

// once adds one call of so many units.
func (l *lap) once(units int, do func() error) error {
	began := time.Now()
	err := do()
	took := time.Since(began)
	l.units, l.took, l.calls = l.units+units, l.took+took, append(l.calls, took)
	return err
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// quantile is the duration that a share q of all does not exceed; 0 of none.
func quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(len(sorted)-1, int(float64(len(sorted))*q))]
}
