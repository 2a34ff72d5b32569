package terminal

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// ProgressBar draws on a terminal, at most ten times a second, and nowhere else.
type ProgressBar struct {
	out   io.Writer // nil if nobody sees it
	clock func() time.Time
	drawn time.Time
	done  int
	total int
}

// NewProgressBar is a bar of that many steps; it draws only if out is a terminal.
func NewProgressBar(out io.Writer, clock func() time.Time, total int) *ProgressBar {
	b := &ProgressBar{clock: clock, total: total}
	if file, ok := out.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			b.out = out
		}
	}
	return b
}

// Add is that many steps more.
func (b *ProgressBar) Add(n int) {
	b.done += n
	if b.out == nil || b.clock().Sub(b.drawn) < 100*time.Millisecond {
		return
	}
	b.drawn = b.clock()
	const width = 40
	full := width * b.done / max(b.total, 1)
	fmt.Fprintf(b.out, "\r  %s%s %d of %d ", strings.Repeat("█", full), strings.Repeat("░", width-full), b.done, b.total)
}

// End takes the bar away.
func (b *ProgressBar) End() {
	if b.out != nil && b.done > 0 {
		fmt.Fprint(b.out, "\r\x1b[K")
	}
}
