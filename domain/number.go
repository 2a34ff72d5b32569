package domain

import "strconv"

// Number writes a count for people: "12,345".
func Number[N int | int64](n N) string {
	digits := strconv.FormatInt(int64(n), 10)
	if n < 0 {
		return "-" + grouped(digits[1:])
	}
	return grouped(digits)
}

// grouped puts a comma before each three digits.
func grouped(digits string) string {
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}
