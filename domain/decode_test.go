package domain_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"headway/domain"
)

// sameAsByMaps holds what the decoder made of an event to what the plain one makes of it: the same event, or the same sentence.
func sameAsByMaps(t *testing.T, codec domain.Codec, raw domain.Raw, facts []domain.Event, err error) {
	t.Helper()
	want, wantErr := domain.DecodeByMaps(codec, raw)
	if !reflect.DeepEqual(facts, want) || (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
		t.Fatalf("%s of schema %d, %q\nis read as %#v, %v\nand not as  %#v, %v",
			raw.EventType, raw.SchemaVersion, raw.Data, facts, err, want, wantErr)
	}
}

func TestTheDecoderFindsWhatThePlainOneFinds(t *testing.T) {
	nest := func(open, inner, end string, times int) string {
		return strings.Repeat(open, times) + inner + strings.Repeat(end, times)
	}
	const item = `{"sku":"A","name":"A","quantity":1,"price":{"minor":1,"currency":"EUR"}}`
	for _, data := range []string{
		``, ` `, `{`, `{} {}`, `{}x`, `nul`, `nulll`, `"`, "\"\x01\"", `{"a":}`, `{"a"}`, `{"a":1,}`, `{,}`, `[1,]`, `[}`, `{]`, `{1:2}`, `[1 2]`,
		` { "item" : ` + item + " }\r\n\t", "\ufeff{}", `{"item":` + item + `}}`, `{"item":` + item + `]`, `1`, `-`, `01`, `1.`, `1e`, `"\x"`, `"\u12"`,
		`{"reason":"\ud800"}`, `{"reason":"\udc00\ud800x"}`, `{"reason":"\ud83d\ude00"}`, "{\"reason\":\"\xed\xa0\x80\"}", "{\"reason\":\"\xff\"}",
		`{"\u0072eason":"a"}`, `{"\u0072eason":"a","reason":"b"}`, `{"\ud800":1,"\ufffd":2}`, `{"":{"":1,"":2}}`, `{"":1}`, `{"reason":"a","b":1,"a":1}`,
		`{"reason":1,"reason":2}`, `{"reason":1,"reason":2`, `{"b":[{"x":1},{"y":{"z":1,"z":2}}],"a":`, `{"b":[{"x":1},{"y":{"z":1,"z":2}}],"a":1}`,
		`[{"a":1,"a":2}]`, `[[[{"a~/":{"0":[{"b":1,"b":2}]}}]]]`, `{"reason":["a"]}`, `{"reason":{"x":1}}`, `{"reason":true}`, `{"reason":null}`, `{"reason":""}`,
		`{"item":` + item + `,"items":[` + item + `]}`, `{"items":[1,` + item + `],"customerId":2,"currency":"EUX"}`,
		`{"items":[{"sku":1},` + item + `],"customerId":"c","currency":"EUR"}`, `{"items":[],"reference":5,"customerId":"c","currency":"EUX"}`,
		`{"item":{"price":{"currency":"x","minor":-1},"quantity":"1","name":1,"sku":1}}`, `{"item":{"price":{"currency":"x","minor":-0}}}`,
		`{"item":{"price":1e2,"quantity":1,"name":"n","sku":"s"}}`, `{"item":{"price":1e-99,"quantity":1,"name":"n","sku":"s"}}`,
		`{"` + strings.Repeat("é", 100) + `":1}`, `{"x":` + strings.Repeat(`9`, 100) + `}`, `{"item":` + strings.Repeat(`9`, 100) + `}`,
		nest("[", "", "]", 8), nest("[", "", "]", 9), nest("[", "1", "]", 8), nest(`{"a":`, "1", "}", 7), nest(`{"a":`, "1", "}", 8), nest(`{"a":`, "{}", "}", 7),
		nest(`{"a":`, "1", "}", 8) + "x", nest(`{"a":`, `{"b":1,"b":2}`, "}", 6), nest(`{"a":`, `{"b":1,"b":2}`, "}", 7), nest(`{"a":`, "}", "}", 9),
		nest("[", "", "]", 9_999), nest("[", "", "]", 10_000), nest("[", "", "]", 10_001), nest(`{"a":`, "1", "}", 10_000), nest(`{"a":`, "1", "}", 10_001),
	} {
		for _, entry := range domain.Events() {
			for _, codec := range []domain.Codec{{}, {DefaultCurrency: "KWD"}, {DefaultCurrency: "EURO"}} {
				raw := domain.Raw{EventType: entry.Type, SchemaVersion: entry.Schema, Data: []byte(data)}
				facts, err := codec.Decode(raw)
				sameAsByMaps(t, codec, raw, facts, err)
			}
		}
	}
}

// The golden events, each changed in a few places by lot.
func TestTheDecoderFindsWhatThePlainOneFindsInDamagedEvents(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	lot := rand.New(rand.NewPCG(seed, seed))
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	refused := 0
	const rounds = 20_000
	for range rounds {
		file := files[lot.IntN(len(files))]
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		eventType, _, _ := strings.Cut(filepath.Base(file), ".")
		raw := domain.Raw{EventType: eventType, SchemaVersion: 1 + lot.IntN(2), Data: damaged(t, lot, data)}
		facts, err := domain.Codec{}.Decode(raw)
		sameAsByMaps(t, domain.Codec{}, raw, facts, err)
		if err != nil {
			refused++
		}
	}
	if refused < rounds/10 || refused > rounds*95/100 {
		t.Errorf("%d of %d were refused", refused, rounds)
	}
}

// damaged writes an event with other white space and escapes, its fields in any order, and a few of them lost, doubled, renamed, or with
// another value; now and then a byte is another one, or the end is missing.
func damaged(t *testing.T, lot *rand.Rand, data []byte) []byte {
	t.Helper()
	tokens := json.NewDecoder(bytes.NewReader(data))
	tokens.UseNumber()
	var v any
	if err := tokens.Decode(&v); err != nil {
		t.Fatal(err)
	}
	w := &damage{lot: lot, rate: lot.IntN(3)}
	w.value(v)
	b := w.Bytes()
	switch lot.IntN(40) {
	case 0:
		b[lot.IntN(len(b))] = byte(lot.IntN(256))
	case 1:
		b = b[:lot.IntN(len(b))]
	case 2:
		at := lot.IntN(len(b))
		b = slices.Insert(b, at, `{}[],:"\0-1 `[lot.IntN(12)])
	}
	return b
}

type damage struct {
	bytes.Buffer
	lot  *rand.Rand
	rate int // how many times in 50 something is damaged
}

func (w *damage) hit() bool { return w.lot.IntN(50) < w.rate }

func (w *damage) value(v any) {
	w.space()
	defer w.space()
	if w.hit() {
		others := []string{
			`null`, `true`, `""`, `"EUR"`, `"EUX"`, `0`, `-0`, `-1`, `1.5`, `1e3`, `9223372036854775808`, `92233720368547758.075`, `[]`, `{}`, `[{}]`, `"\ud800"`,
			`{"a":1,"a":2}`, `[[[[[[[[1]]]]]]]]`, `[[[[[[]]]]]]`, `{"x":[{"y":{}},{"y":{"z":0,"z":0}}]}`, `{"minor":5,"currency":"JPY"}`,
		}
		w.WriteString(others[w.lot.IntN(len(others))])
		return
	}
	switch v := v.(type) {
	case map[string]any:
		w.object(v)
	case []any:
		w.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				w.WriteByte(',')
			}
			w.value(e)
		}
		w.WriteByte(']')
	case string:
		w.text(v)
	case json.Number:
		w.WriteString(v.String())
	default:
		w.WriteString("null")
	}
}

func (w *damage) object(v map[string]any) {
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	slices.SortFunc(names, cmp.Compare)
	w.lot.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	if w.hit() && len(names) > 0 {
		names = names[1:]
	}
	for range 2 {
		if w.hit() {
			others := []string{"reference", "reason", "currency", "sku", "SKU", "by", "", "items", "é"}
			names = append(names, others[w.lot.IntN(len(others))])
		}
		if w.hit() && len(names) > 0 {
			names = append(names, names[0])
		}
	}
	w.WriteByte('{')
	for i, name := range names {
		if i > 0 {
			w.WriteByte(',')
		}
		w.space()
		w.text(name)
		w.space()
		w.WriteByte(':')
		w.value(v[name])
	}
	w.WriteByte('}')
}

func (w *damage) text(s string) {
	w.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\' || r < ' ' || r < 0x10000 && w.lot.IntN(30) == 0:
			fmt.Fprintf(w, `\u%04x`, r)
		default:
			w.WriteRune(r)
		}
	}
	w.WriteByte('"')
}

func (w *damage) space() {
	if w.lot.IntN(20) == 0 {
		w.WriteString([]string{" ", "\n", "\t", "\r\n", "  "}[w.lot.IntN(5)])
	}
}
