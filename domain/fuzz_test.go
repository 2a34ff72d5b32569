package domain_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"headway/domain"
	"headway/fault"
)

// seedEvents starts from every golden file, each under both schemas.
func seedEvents(f *testing.F) {
	f.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		eventType, _, _ := strings.Cut(filepath.Base(file), ".")
		f.Add(eventType, 1, data)
		f.Add(eventType, 2, data)
	}
	f.Add("OrderShipped", 2, []byte(`{}`))
	f.Add("OrderConfirmed", 3, []byte(`{}`))
}

// Data is an event, the same as a plain second decoder says and the same when it is written and read again, or Invalid with a short
// sentence; and the stored bytes stay as they are.
func FuzzDecode(f *testing.F) {
	seedEvents(f)
	f.Fuzz(func(t *testing.T, eventType string, schema int, data []byte) {
		raw := domain.Raw{OrderID: orderID, Version: 1, EventType: eventType, SchemaVersion: schema, Data: bytes.Clone(data)}
		facts, err := domain.Codec{}.Decode(raw)
		if !bytes.Equal(raw.Data, data) {
			t.Fatal("the stored bytes were changed")
		}
		sameAsByMaps(t, domain.Codec{}, raw, facts, err)
		if err != nil {
			if sentence := fault.Sentence(err); facts != nil || fault.KindOf(err) != fault.Invalid || !utf8.ValidString(sentence) ||
				len(sentence) > 1000 {
				t.Fatalf("%v beside %v", facts, err)
			}
			return
		}
		if len(facts) != 1 || facts[0].Type() != eventType {
			t.Fatalf("%s was read as %v", eventType, facts)
		}
		if _, schema, again, err := (domain.Codec{}).Encode(facts[0]); err == nil {
			raw := domain.Raw{OrderID: orderID, Version: 1, EventType: eventType, SchemaVersion: schema, Data: again}
			if back, err := (domain.Codec{}).Decode(raw); err != nil || !reflect.DeepEqual(back, facts) {
				t.Fatalf("%#v is written %s and read as %#v, %v", facts, again, back, err)
			}
		} else if fault.KindOf(err) != fault.TooLarge {
			t.Fatal(err)
		}
		var o domain.Order
		if _, creates := facts[0].(domain.OrderCreated); !creates {
			o = given(t, histories()["a created order"]...)
		}
		if err := o.Apply(orderID, o.Version+1, on(1), facts...); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Fatal(err)
		}
	})
}

// An event that can be decoded can be shown in the current schema, which is JSON that decodes to the same event; one that cannot be decoded
// cannot.
func FuzzUpcast(f *testing.F) {
	seedEvents(f)
	f.Fuzz(func(t *testing.T, eventType string, schema int, data []byte) {
		raw := domain.Raw{OrderID: orderID, Version: 1, EventType: eventType, SchemaVersion: schema, Data: data}
		want, wantErr := domain.Codec{}.Decode(raw)
		version, shown, err := domain.Codec{}.Upcast(raw)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("upcast says %v, decode says %v", err, wantErr)
		}
		if err != nil {
			return
		}
		if version == 0 || !json.Valid(shown) {
			t.Fatalf("schema %d: %s", version, shown)
		}
		raw.SchemaVersion, raw.Data = version, shown
		if got, err := (domain.Codec{}).Decode(raw); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("upcast says %#v, %v; decode says %#v", got, err, want)
		}
	})
}

// An amount that is typed is what its digits say, and the same when it is written and read again; or Invalid with a sentence.
func FuzzMoney(f *testing.F) {
	for _, s := range []string{"12.99", "0", "0012.9", "-1", "1e3", ".5", "5.", "1,000", "92233720368547758.07", "92233720368547758.08"} {
		for _, c := range []string{"EUR", "JPY", "KWD", "CLF", "EUX", ""} {
			f.Add(s, c)
		}
	}
	f.Fuzz(func(t *testing.T, s, c string) {
		m, err := domain.ParseMoney(s, domain.Currency(c))
		if err != nil {
			if fault.KindOf(err) != fault.Invalid || m != (domain.Money{}) || !utf8.ValidString(fault.Sentence(err)) {
				t.Fatalf("%v beside %v", m, err)
			}
			return
		}
		if again, err := domain.ParseMoney(m.Decimal(), m.Currency); err != nil || again != m || m.Minor < 0 {
			t.Fatalf("%q is %v, written %s and read as %v, %v", s, m, m.Decimal(), again, err)
		}
		if minor, ok := domain.RoundDecimal(s, m.Currency.Digits()); !ok || minor != m.Minor {
			t.Fatalf("%q is %v, and as a number %d, %v", s, m, minor, ok)
		}
	})
}

// A price of schema 1, which is any JSON number, is rounded half away from zero as exact arithmetic does; or it does not fit 64 bits, or
// its digits are more than are looked at.
func FuzzDecimal(f *testing.F) {
	for _, number := range []string{
		"0", "12.995", "1.005", "0.5e-2", "1E+3", "92233720368547758.07", "92233720368547758.075", "9223372036854775807", "0.0049999999999999999", "1e-32",
		"1e33", "00", "1.", ".5", "-0", "1e", "1e1.5",
	} {
		for _, digits := range []int{0, 2, 3, 4} {
			f.Add(number, digits)
		}
	}
	f.Fuzz(func(t *testing.T, number string, digits int) {
		if digits < 0 || digits > 4 || !json.Valid([]byte(number)) || strings.HasPrefix(number, "-") {
			return
		}
		minor, fits := domain.RoundDecimal(number, digits)
		if !fits && len(number) > domain.MaxAmountLength {
			return
		}
		exact, ok := new(big.Rat).SetString(number)
		if !ok {
			if fits {
				t.Fatalf("%s is no number, and read as %d", number, minor)
			}
			return
		}
		exact.Mul(exact, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)))
		exact.Add(exact, big.NewRat(1, 2))
		want := new(big.Int).Quo(exact.Num(), exact.Denom())
		if fits && (!want.IsInt64() || want.Int64() != minor) {
			t.Fatalf("%s with %d digits is %d, not %d", number, digits, minor, want)
		}
		if !fits && want.IsInt64() && !strings.ContainsAny(number, "eE") {
			t.Fatalf("%s with %d digits is %d, which fits", number, digits, want)
		}
	})
}
