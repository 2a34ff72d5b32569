package domain

import (
	"headway/fault"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// Money is an amount in minor units (cents, fils, yen) of one currency. There are no floats anywhere.
type Money struct {
	Minor    int64    `json:"minor"`
	Currency Currency `json:"currency"`
}

// ParseMoney reads what a person typed: ASCII digits with at most one dot, "12.99", "12.9" or "12". Fewer digits than the currency
// has are filled up; more, a sign, an exponent, a thousands separator or a space are Invalid, and so is what does not fit.
func ParseMoney(s string, c Currency) (Money, error) {
	if !c.Known() {
		return Money{}, errUnknownCurrency(c)
	}
	whole, fraction, dot := strings.Cut(s, ".")
	digits := c.Digits()
	switch {
	case s == "":
		return Money{}, fault.Errorf(fault.Invalid, "An amount is required.")
	case len(s) > MaxAmountLength:
		return Money{}, fault.Errorf(fault.Invalid, "An amount can have at most %d characters.", MaxAmountLength)
	case !allDigits(whole) || dot && !allDigits(fraction):
		return Money{}, fault.Errorf(fault.Invalid, "%s is not an amount; write digits and at most one dot, such as %s.",
			quote(s), Money{exampleMinor(digits), c}.Decimal())
	case len(fraction) > digits && digits == 0:
		return Money{}, fault.Errorf(fault.Invalid, "An amount in %s has no digits after the dot.", c)
	case len(fraction) > digits:
		return Money{}, fault.Errorf(fault.Invalid, "An amount in %s has at most %d digits after the dot, not %d.", c, digits, len(fraction))
	}
	minor, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", digits-len(fraction)), 10, 64)
	if err != nil { // only digits are left, so it does not fit
		return Money{}, fault.Errorf(fault.Invalid, "The amount is too large.")
	}
	return Money{minor, c}, nil
}

// Decimal writes the amount with all digits of its currency and nothing else: "1299.00". It is the inverse of ParseMoney for amounts
// from 0; a negative one has a minus.
func (m Money) Decimal() string {
	sign, whole, fraction := m.parts()
	if fraction == "" {
		return sign + whole
	}
	return sign + whole + "." + fraction
}

// String is for people: "1,299.00 EUR".
func (m Money) String() string {
	sign, whole, fraction := m.parts()
	amount := sign + fault.Grouped(whole)
	if fraction != "" {
		amount += "." + fraction
	}
	return amount + " " + string(m.Currency)
}

func (m Money) parts() (sign, whole, fraction string) {
	amount := uint64(m.Minor)
	if m.Minor < 0 {
		sign, amount = "-", -amount
	}
	all, digits := strconv.FormatUint(amount, 10), m.Currency.Digits()
	if missing := digits + 1 - len(all); missing > 0 {
		all = strings.Repeat("0", missing) + all
	}
	return sign, all[:len(all)-digits], all[len(all)-digits:]
}

// Plus adds two amounts; Invalid if the currencies differ or the sum does not fit.
func (m Money) Plus(n Money) (Money, error) {
	if m.Currency != n.Currency {
		return Money{}, fault.Errorf(fault.Invalid, "An amount in %s cannot be added to one in %s.", n.Currency, m.Currency)
	}
	sum := m.Minor + n.Minor
	if (n.Minor > 0 && sum < m.Minor) || (n.Minor < 0 && sum > m.Minor) {
		return Money{}, fault.Errorf(fault.Invalid, "The total is too large.")
	}
	return Money{sum, m.Currency}, nil
}

// Times multiplies by a count of at least 0; Invalid if the product does not fit or an operand is negative.
func (m Money) Times(n int64) (Money, error) {
	if m.Minor < 0 || n < 0 {
		return Money{}, fault.Errorf(fault.Invalid, "Amounts and quantities cannot be negative.")
	}
	hi, lo := bits.Mul64(uint64(m.Minor), uint64(n))
	if hi != 0 || lo > math.MaxInt64 {
		return Money{}, fault.Errorf(fault.Invalid, "The total is too large.")
	}
	return Money{int64(lo), m.Currency}, nil
}

func errUnknownCurrency(c Currency) *fault.Error {
	if c == "" {
		return fault.Errorf(fault.Invalid, "A currency is required.")
	}
	return fault.Errorf(fault.Invalid, "%s is not a currency of ISO 4217; write three capital letters, such as EUR.", quote(string(c)))
}

// exampleMinor is an amount that shows every digit: 12, 12.99, 12.999.
func exampleMinor(digits int) int64 {
	minor := int64(12)
	for range digits {
		minor = minor*10 + 9
	}
	return minor
}

func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
