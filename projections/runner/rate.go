package runner

import "time"

// meter counts events over the last ten seconds.
type meter struct {
	began   time.Time
	batches []measured
}

type measured struct {
	at     time.Time
	events int
}

func (m *meter) add(at time.Time, events int) {
	if m.began.IsZero() {
		m.began = at
	}
	if events > 0 {
		m.batches = append(m.batches, measured{at, events})
	}
}

// rate is in events a second.
func (m *meter) rate(now time.Time) float64 {
	sum, old := 0, 0
	for i, b := range m.batches {
		if now.Sub(b.at) > rateOver {
			old = i + 1
			continue
		}
		sum += b.events
	}
	m.batches = append(m.batches[:0], m.batches[old:]...)
	over := max(min(now.Sub(m.began), rateOver), time.Second)
	return float64(sum) / over.Seconds()
}
