package fault_test

import (
	"testing"

	"headway/fault"
)

// A count is written in groups of three digits.
func TestNumber(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1_234_567: "1,234,567", -999: "-999", -1000: "-1,000"} {
		if got := fault.Number(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}
