package domain_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"headway/domain"
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

func FuzzDecode(f *testing.F) {
	seedEvents(f)
	f.Fuzz(func(t *testing.T, eventType string, schema int, data []byte) {
		raw := domain.Raw{OrderID: orderID, Version: 1, EventType: eventType, SchemaVersion: schema, Data: bytes.Clone(data)}
		e, err := domain.Codec{}.Decode(raw)
		if !bytes.Equal(raw.Data, data) {
			t.Fatal("the stored bytes were changed")
		}
		sameAsByMaps(t, domain.Codec{}, raw, e, err)
		if err != nil {
			if sentence := domain.Sentence(err); e != nil || domain.KindOf(err) != domain.Invalid || !utf8.ValidString(sentence) ||
				len(sentence) > 1000 {
				t.Fatalf("%v beside %v", e, err)
			}
			return
		}
		if e.Type() != eventType {
			t.Fatalf("%s was read as %s", eventType, e.Type())
		}
		var o domain.Order
		if _, creates := e.(domain.OrderCreated); !creates {
			o = given(t, histories()["a created order"]...)
		}
		if err := o.Apply(orderID, o.Version+1, day(1), e); err != nil && domain.KindOf(err) != domain.Invalid {
			t.Fatal(err)
		}
	})
}

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
		if version != domain.SchemaVersion || !json.Valid(shown) {
			t.Fatalf("schema %d: %s", version, shown)
		}
		raw.SchemaVersion, raw.Data = version, shown
		if got, err := (domain.Codec{}).Decode(raw); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("upcast says %#v, %v; decode says %#v", got, err, want)
		}
	})
}

func FuzzMoney(f *testing.F) {
	for _, s := range []string{"12.99", "0", "0012.9", "-1", "1e3", ".5", "5.", "1,000", "92233720368547758.07", "92233720368547758.08"} {
		for _, c := range []string{"EUR", "JPY", "KWD", "CLF", "EUX", ""} {
			f.Add(s, c)
		}
	}
	f.Fuzz(func(t *testing.T, s, c string) {
		m, err := domain.ParseMoney(s, domain.Currency(c))
		if err != nil {
			if domain.KindOf(err) != domain.Invalid || m != (domain.Money{}) || !utf8.ValidString(domain.Sentence(err)) {
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
