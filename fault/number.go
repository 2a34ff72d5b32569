package fault

import "strconv"

// Number writes a count for people: "12,345".
func Number[N int | int64](n N) string {
	digits := strconv.FormatInt(int64(n), 10)
	if n < 0 {
		return "-" + Grouped(digits[1:])
	}
	return Grouped(digits)
}

// Grouped puts a comma before each three digits.
func Grouped(digits string) string {
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}
