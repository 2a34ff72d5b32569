package domain_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"headway/domain"
	"headway/fault"
)

func TestDigitsAreThoseOfISO4217(t *testing.T) {
	for digits, codes := range map[int]string{
		0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
		3: "BHD IQD JOD KWD LYD OMR TND",
		4: "CLF UYW",
	} {
		var got []string
		for _, c := range domain.Currencies() {
			if c.Digits() == digits {
				got = append(got, string(c))
			}
		}
		if strings.Join(got, " ") != codes {
			t.Errorf("%d digits: %v, not %s", digits, got, codes)
		}
	}
	for _, c := range []domain.Currency{"AFN", "COP", "EUR", "RSD", "USD", "AED", "ZWG"} {
		if !c.Known() || c.Digits() != 2 {
			t.Errorf("%s has %d digits, known: %v; ISO 4217 says 2", c, c.Digits(), c.Known())
		}
	}
}

func TestCurrenciesAreSortedCodesWithoutRepeats(t *testing.T) {
	all := domain.Currencies()
	if len(all) < 160 || !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Errorf("%d currencies: %v", len(all), all)
	}
	for _, c := range all {
		if !c.Known() || c.Digits() < 0 || c.Digits() > 4 || len(c) != 3 || strings.Trim(string(c), "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			t.Errorf("%q with %d digits is no entry of the table", c, c.Digits())
		}
	}
}

func TestOnlyCodesInCapitalLettersAreCurrencies(t *testing.T) {
	for _, c := range []domain.Currency{"", "eur", "EU", "EURO", "EUR2", "EUR ", " EUR", "XXX", "XTS", "XAU", "AAA", "ZZZ", "2 A", "€"} {
		if c.Known() || c.Digits() != 0 {
			t.Errorf("%q is known with %d digits", c, c.Digits())
		}
	}
}

func TestMoneyIsReadFromDigitsAndOneDot(t *testing.T) {
	for _, c := range []struct {
		rule, typed string
		currency    domain.Currency
		want        int64
		sentence    string // empty if it is read
	}{
		{"all digits", "12.99", "EUR", 1299, ""},
		{"fewer digits are filled up", "12.9", "EUR", 1290, ""},
		{"no dot", "12", "EUR", 1200, ""},
		{"nothing", "0", "EUR", 0, ""},
		{"zeros in front change nothing", "0012.99", "EUR", 1299, ""},
		{"no digits after the dot in yen", "4000", "JPY", 4000, ""},
		{"three in dinars", "1.005", "KWD", 1005, ""},
		{"four in unidades", "1.0005", "CLF", 10005, ""},
		{"the largest that fits", "92233720368547758.07", "EUR", math.MaxInt64, ""},
		{"one more does not", "92233720368547758.08", "EUR", 0, "The amount is too large."},
		{"filling up can be too much", "92233720368547759", "EUR", 0, "The amount is too large."},
		{"at the longest, a number is read", strings.Repeat("0", domain.MaxAmountLength-1) + "7", "JPY", 7, ""},
		{"above the longest, it is not", strings.Repeat("0", domain.MaxAmountLength) + "7", "JPY", 0,
			"An amount can have at most 32 characters."},
		{"a digit too many", "12.999", "EUR", 0, "An amount in EUR has at most 2 digits after the dot, not 3."},
		{"a zero too many", "12.990", "EUR", 0, "An amount in EUR has at most 2 digits after the dot, not 3."},
		{"a digit after the dot in yen", "12.0", "JPY", 0, "An amount in JPY has no digits after the dot."},
		{"nothing typed", "", "EUR", 0, "An amount is required."},
		{"an unknown currency", "1", "EUX", 0, "“EUX” is not a currency of ISO 4217; write three capital letters, such as EUR."},
		{"no currency", "1", "", 0, "A currency is required."},
		{"a word", "ten", "EUR", 0, "“ten” is not an amount; write digits and at most one dot, such as 12.99."},
		{"a word in yen", "ten", "JPY", 0, "“ten” is not an amount; write digits and at most one dot, such as 12."},
	} {
		t.Run(c.rule, func(t *testing.T) {
			got, err := domain.ParseMoney(c.typed, c.currency)
			switch {
			case c.sentence == "" && (err != nil || got != domain.Money{Minor: c.want, Currency: c.currency}):
				t.Errorf("%q is %v, %v", c.typed, got, err)
			case c.sentence != "" && (fault.KindOf(err) != fault.Invalid || fault.Sentence(err) != c.sentence):
				t.Errorf("%q is %v, %v; want %s", c.typed, got, err, c.sentence)
			}
		})
	}
	for _, typed := range []string{
		"-1", "+1", "1e3", "1,000", "1,5", "1 000", " 1", "1 ", "1.2.3", ".5", "5.", ".", "0x10", "1_000", "١٢", "12.9９", "NaN", "Inf", "1\x00", "\xff",
	} {
		if got, err := domain.ParseMoney(typed, "EUR"); fault.KindOf(err) != fault.Invalid || err == nil {
			t.Errorf("%q is %v, %v", typed, got, err)
		}
	}
}

func TestMoneyIsWrittenWithAllDigitsOfItsCurrency(t *testing.T) {
	for _, c := range []struct {
		money           domain.Money
		decimal, people string
	}{
		{domain.Money{Minor: 129900, Currency: "EUR"}, "1299.00", "1,299.00 EUR"},
		{domain.Money{Minor: 0, Currency: "EUR"}, "0.00", "0.00 EUR"},
		{domain.Money{Minor: 7, Currency: "EUR"}, "0.07", "0.07 EUR"},
		{domain.Money{Minor: 7, Currency: "CLF"}, "0.0007", "0.0007 CLF"},
		{domain.Money{Minor: 99999, Currency: "EUR"}, "999.99", "999.99 EUR"},
		{domain.Money{Minor: 1234567, Currency: "JPY"}, "1234567", "1,234,567 JPY"},
		{domain.Money{Minor: 0, Currency: "JPY"}, "0", "0 JPY"},
		{domain.Money{Minor: 1005, Currency: "KWD"}, "1.005", "1.005 KWD"},
		{domain.Money{Minor: math.MaxInt64, Currency: "USD"}, "92233720368547758.07", "92,233,720,368,547,758.07 USD"},
		{domain.Money{Minor: math.MinInt64, Currency: "USD"}, "-92233720368547758.08", "-92,233,720,368,547,758.08 USD"},
		{domain.Money{Minor: -5, Currency: "USD"}, "-0.05", "-0.05 USD"},
		{domain.Money{Minor: 5, Currency: "???"}, "5", "5 ???"},
	} {
		if c.money.Decimal() != c.decimal || c.money.String() != c.people {
			t.Errorf("%#v is %s and %s, not %s and %s", c.money, c.money.Decimal(), c.money, c.decimal, c.people)
		}
	}
}

func TestReadingWhatWasWrittenGivesTheSameMoney(t *testing.T) {
	for _, c := range domain.Currencies() {
		t.Run(string(c), func(t *testing.T) {
			for _, minor := range []int64{0, 1, 9, 10, 99, 100, 9999, 10000, math.MaxInt64} {
				readBack(t, domain.Money{Minor: minor, Currency: c})
			}
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		readBack(t, domain.Money{
			Minor:    rapid.Int64Min(0).Draw(t, "minor"),
			Currency: rapid.SampledFrom(domain.Currencies()).Draw(t, "currency"),
		})
	})
}

func readBack(t rapid.TB, m domain.Money) {
	t.Helper()
	if got, err := domain.ParseMoney(m.Decimal(), m.Currency); err != nil || got != m {
		t.Errorf("%v is written %s and read as %v, %v", m, m.Decimal(), got, err)
	}
}

func TestSumsAndProductsThatDoNotFitAreInvalid(t *testing.T) {
	for _, c := range []struct {
		rule     string
		got      func() (domain.Money, error)
		want     int64
		sentence string
	}{
		{"the largest sum", func() (domain.Money, error) { return usd(math.MaxInt64 - 1).Plus(usd(1)) }, math.MaxInt64, ""},
		{"a sum too large", func() (domain.Money, error) { return usd(math.MaxInt64).Plus(usd(1)) }, 0, "The total is too large."},
		{"a sum too small", func() (domain.Money, error) { return usd(math.MinInt64).Plus(usd(-1)) }, 0, "The total is too large."},
		{"two currencies", func() (domain.Money, error) { return usd(1).Plus(domain.Money{Minor: 1, Currency: "EUR"}) }, 0,
			"An amount in EUR cannot be added to one in USD."},
		{"the largest product", func() (domain.Money, error) { return usd(math.MaxInt64 / 7).Times(7) }, math.MaxInt64, ""},
		{"a product too large", func() (domain.Money, error) { return usd(math.MaxInt64/7 + 1).Times(7) }, 0, "The total is too large."},
		{"a product above 64 bits", func() (domain.Money, error) { return usd(math.MaxInt64).Times(math.MaxInt64) }, 0, "The total is too large."},
		{"nothing of something", func() (domain.Money, error) { return usd(math.MaxInt64).Times(0) }, 0, ""},
		{"a negative count", func() (domain.Money, error) { return usd(1).Times(-1) }, 0, "Amounts and quantities cannot be negative."},
		{"a negative amount", func() (domain.Money, error) { return usd(-1).Times(1) }, 0, "Amounts and quantities cannot be negative."},
	} {
		got, err := c.got()
		switch {
		case c.sentence == "" && (err != nil || got != usd(c.want)):
			t.Errorf("%s: %v, %v", c.rule, got, err)
		case c.sentence != "" && (fault.KindOf(err) != fault.Invalid || fault.Sentence(err) != c.sentence):
			t.Errorf("%s: %v, %v", c.rule, got, err)
		}
	}
}
