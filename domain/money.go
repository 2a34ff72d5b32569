package domain

import (
	"math"
	"math/bits"
)

// Money is an amount in minor units (cents, fils, yen) of one currency. There are no floats anywhere.
type Money struct {
	Minor    int64    `json:"minor"`
	Currency Currency `json:"currency"`
}

// Plus adds two amounts; Invalid if the currencies differ or the sum does not fit.
func (m Money) Plus(n Money) (Money, error) {
	if m.Currency != n.Currency {
		return Money{}, Errorf(Invalid, "an amount in %s cannot be added to one in %s", n.Currency, m.Currency)
	}
	sum := m.Minor + n.Minor
	if (n.Minor > 0 && sum < m.Minor) || (n.Minor < 0 && sum > m.Minor) {
		return Money{}, Errorf(Invalid, "the total is too large")
	}
	return Money{sum, m.Currency}, nil
}

// Times multiplies by a count of at least 0; Invalid if the product does not fit or an operand is negative.
func (m Money) Times(n int64) (Money, error) {
	if m.Minor < 0 || n < 0 {
		return Money{}, Errorf(Invalid, "amounts and quantities cannot be negative")
	}
	hi, lo := bits.Mul64(uint64(m.Minor), uint64(n))
	if hi != 0 || lo > math.MaxInt64 {
		return Money{}, Errorf(Invalid, "the total is too large")
	}
	return Money{int64(lo), m.Currency}, nil
}
