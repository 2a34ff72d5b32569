package csvimport

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"headway/domain"
)

var now = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// expectedImport is the form of testdata/messy.expected.json, which is written by hand.
type expectedImport struct {
	Orders []struct {
		Reference, Customer, Status, PlacedAt, StatusAt, Reason, Total string
		Items                                                          []struct {
			Line      int
			SKU, Name string
			Quantity  int64
			Price     string
		}
	}
	BadLines []struct {
		Line         int
		Order, Field string
	}
}

func readExpected(t *testing.T) expectedImport {
	t.Helper()
	data, err := os.ReadFile("../../../../testdata/messy.expected.json")
	if err != nil {
		t.Fatal(err)
	}
	var expected expectedImport
	if err := json.Unmarshal(data, &expected); err != nil {
		t.Fatal(err)
	}
	return expected
}

// The messy file gives exactly the orders and the bad lines that a person read in it.
func TestParseMessyFile(t *testing.T) {
	data, err := os.ReadFile("../../../../testdata/messy.csv")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(data, []byte("\ufeff")) || bytes.Count(data, []byte("\n")) != bytes.Count(data, []byte("\r\n")) {
		t.Fatal("messy.csv has lost its byte order mark or its CRLF line ends")
	}
	expected := readExpected(t)
	orders, bad := Parse(data, time.UTC, now)

	var got, want []string
	for _, o := range orders {
		got = append(got, describe(t, o)...)
	}
	for _, o := range expected.Orders {
		want = append(want, fmt.Sprintf("%s by %s: %s %s %s, %q, %s", o.Reference, o.Customer, o.PlacedAt, o.Status, o.StatusAt, o.Reason, o.Total))
		for _, i := range o.Items {
			want = append(want, fmt.Sprintf("%s line %d: %d × %s %q at %s", o.Reference, i.Line, i.Quantity, i.SKU, i.Name, i.Price))
		}
	}
	compareLines(t, "orders", got, want)

	got, want = nil, nil
	for _, e := range bad {
		got = append(got, fmt.Sprintf("line %d, order %q, field %q", e.Line, e.Order, e.Field))
		if e.Reason == "" {
			t.Errorf("line %d has no reason", e.Line)
		}
	}
	for _, e := range expected.BadLines {
		want = append(want, fmt.Sprintf("line %d, order %q, field %q", e.Line, e.Order, e.Field))
	}
	compareLines(t, "bad lines", got, want)
	if len(want) != 12 {
		t.Errorf("the file promises 12 bad lines, not %d", len(want))
	}
}

func describe(t *testing.T, o Order) []string {
	t.Helper()
	statusAt, total := "", domain.Money{Currency: o.Create.Currency}
	if !o.StatusAt.IsZero() {
		statusAt = o.StatusAt.Format(time.RFC3339)
	}
	var items []string
	for i, item := range o.Create.Items {
		line, err := item.Total()
		if err == nil {
			total, err = total.Plus(line)
		}
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, fmt.Sprintf("%s line %d: %d × %s %q at %s", o.Create.Reference, o.Lines[i], item.Quantity, item.SKU, item.Name, item.Price))
	}
	head := fmt.Sprintf("%s by %s: %s %s %s, %q, %s", o.Create.Reference, o.Create.CustomerID,
		o.PlacedAt.Format(time.RFC3339), o.Status, statusAt, o.Reason, total)
	return append([]string{head}, items...)
}

func compareLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("%s lack: %s", what, line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("%s have: %s", what, line)
		}
	}
	if !t.Failed() && !slices.Equal(got, want) {
		t.Errorf("%s are in another order: %q", what, got)
	}
}

const header = "order,placed_at,customer,currency,sku,name,quantity,price,status,status_at,reason\n"

// Each rule of a single line, by the field and the words that a bad one is answered with.
func TestBadLines(t *testing.T) {
	long := strings.Repeat("x", 2000)
	for rule, c := range map[string]struct{ lines, field, words string }{
		"an order number has a longest length":           {long + ",2025-01-01,Ada,EUR,A,Tea,1,1,created,,", "order", "at most 64"},
		"a customer has a longest name":                  {"A,2025-01-01," + long + ",EUR,A,Tea,1,1,created,,", "customer", "at most 200"},
		"a currency is required":                         {"A,2025-01-01,Ada,,A,Tea,1,1,created,,", "currency", "required"},
		"a currency is written in capital letters":       {"A,2025-01-01,Ada,eur,A,Tea,1,1,created,,", "currency", "capital"},
		"a SKU is required":                              {"A,2025-01-01,Ada,EUR,,Tea,1,1,created,,", "sku", "required"},
		"a SKU has a longest length":                     {"A,2025-01-01,Ada,EUR," + long + ",Tea,1,1,created,,", "sku", "at most 64"},
		"a product has a name":                           {"A,2025-01-01,Ada,EUR,A,,1,1,created,,", "name", "required"},
		"text is UTF-8":                                  {"A,2025-01-01,Ada,EUR,A,T\xffa,1,1,created,,", "name", "UTF-8"},
		"text has no control characters":                 {"A,2025-01-01,Ada,EUR,A,T\x1b[2Ja,1,1,created,,", "name", "text"},
		"a quantity is required":                         {"A,2025-01-01,Ada,EUR,A,Tea,,1,created,,", "quantity", "required"},
		"a quantity is at least 1":                       {"A,2025-01-01,Ada,EUR,A,Tea,0,1,created,,", "quantity", "from 1"},
		"a quantity is at most a million":                {"A,2025-01-01,Ada,EUR,A,Tea,1000001,1,created,,", "quantity", "to 1"},
		"a quantity is whole":                            {"A,2025-01-01,Ada,EUR,A,Tea,1.5,1,created,,", "quantity", "whole"},
		"a quantity that no number holds is no number":   {"A,2025-01-01,Ada,EUR,A,Tea,99999999999999999999,1,created,,", "quantity", "whole"},
		"a price is required":                            {"A,2025-01-01,Ada,EUR,A,Tea,1,,created,,", "price", "required"},
		"a price has a dot, not a comma":                 {`A,2025-01-01,Ada,EUR,A,Tea,1,"1,50",created,,`, "price", "amount"},
		"yen have no cents":                              {"A,2025-01-01,Ada,JPY,A,Tea,1,1.5,created,,", "price", "no digits"},
		"a total fits":                                   {"A,2025-01-01,Ada,EUR,A,Tea,1000000,92233720368547758.07,created,,", "price", "total"},
		"a time is required":                             {"A,,Ada,EUR,A,Tea,1,1,created,,", "placed_at", "required"},
		"a time is on the calendar":                      {"A,2025-02-30,Ada,EUR,A,Tea,1,1,created,,", "placed_at", "not a time"},
		"nothing was placed before 1900":                 {"A,0001-01-01,Ada,EUR,A,Tea,1,1,created,,", "placed_at", "1900"},
		"nothing was placed in the future":               {"A,2025-06-03,Ada,EUR,A,Tea,1,1,created,,", "placed_at", "future"},
		"a status is required":                           {"A,2025-01-01,Ada,EUR,A,Tea,1,1,,,", "status", "must be created"},
		"a cancelled order was cancelled at a time":      {"A,2025-01-01,Ada,EUR,A,Tea,1,1,cancelled,,late", "status_at", "required"},
		"an order is cancelled after it was placed":      {"A,2025-01-02,Ada,EUR,A,Tea,1,1,cancelled,2025-01-01,late", "status_at", "before it was placed"},
		"a reason has a longest length":                  {"A,2025-01-01,Ada,EUR,A,Tea,1,1,cancelled,2025-01-02," + long, "reason", "at most 500"},
		"only a cancelled order has a reason":            {"A,2025-01-01,Ada,EUR,A,Tea,1,1,confirmed,2025-01-02,late", "reason", "Only a cancelled"},
		"a line has eleven columns":                      {"A,2025-01-01,Ada", "", "3 columns"},
		"a quote inside a field is doubled":              {`A,2025-01-01,Ada,EUR,A,Tea 1",1,1,created,,`, "name", "quote"},
		"a quote is closed":                              {`A,2025-01-01,Ada,EUR,A,"Tea,1,1,created,,`, "name", "quote"},
		"a value in an error is short and on one line":   {"A,2025-01-01,Ada,EUR,A,Tea,1,1,\"x\n" + long + "\",,", "status", "…"},
		"lines of one order agree on the customer":       {"A,2025-01-01,Ada,EUR,A,Tea,1,1,created,,\nA,2025-01-01,Bob,EUR,A,Tea,1,1,created,,", "customer", "line 2 says"},
		"lines of one order agree on the currency":       {"A,2025-01-01,Ada,EUR,A,Tea,1,1,created,,\nA,2025-01-01,Ada,USD,A,Tea,1,1,created,,", "currency", "line 2 says"},
		"lines of one order agree on when it was placed": {"A,2025-01-01,Ada,EUR,A,Tea,1,1,created,,\nA,2025-01-02,Ada,EUR,A,Tea,1,1,created,,", "placed_at", "line 2 says"},
		"a UTF-16 file is named as such":                 {"", "", "UTF-16"},
		"a file that is only a byte order mark is empty": {"", "", "empty"},
		"a header lacks no column":                       {"", "", `lacks "reason"`},
		"a header has no column that would be lost":      {"", "", `column "vat"`},
		"a header has each column once":                  {"", "", `"order" twice`},
	} {
		t.Run(rule, func(t *testing.T) {
			data := header + c.lines + "\n"
			switch {
			case strings.Contains(c.words, "UTF-16"):
				data = "\xff\xfeo\x00"
			case c.words == "empty":
				data = "\ufeff"
			case strings.Contains(c.words, "lacks"):
				data = strings.Replace(header, ",reason", "", 1)
			case strings.Contains(c.words, "vat"):
				data = "vat," + header
			case strings.Contains(c.words, "twice"):
				data = "order," + header
			}
			orders, bad := Parse([]byte(data), time.UTC, now)
			if len(orders) != 0 {
				t.Errorf("it is an order: %+v", orders)
			}
			if len(bad) != 1 {
				t.Fatalf("%d mistakes, not 1: %+v", len(bad), bad)
			}
			if bad[0].Field != c.field || !strings.Contains(bad[0].Reason, c.words) {
				t.Errorf("field %q: %s", bad[0].Field, bad[0].Reason)
			}
			if len(bad[0].Reason) > 600 || strings.ContainsAny(bad[0].Reason, "\n\x1b") {
				t.Errorf("the reason is not one short line: %q", bad[0].Reason)
			}
		})
	}
}

func TestGoodLines(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for rule, c := range map[string]struct{ data, want string }{
		"columns may come in any order and any case": {
			"Reason,status_at,status,price,quantity,name,sku,currency,customer,placed_at,ORDER\n,,created,1.50,2,Tea,T-1,EUR,Ada,2025-01-01T00:00:00Z,A\n",
			`A by Ada: 2025-01-01T00:00:00Z created , "", 3.00 EUR; A line 2: 2 × T-1 "Tea" at 1.50 EUR`,
		},
		"a time without a zone is in the zone of the settings": {
			header + "A,2025-05-01,Ada,EUR,T-1,Tea,1,1,created,,\n",
			`A by Ada: 2025-04-30T22:00:00Z created , "", 1.00 EUR; A line 2: 1 × T-1 "Tea" at 1.00 EUR`,
		},
		"what one line leaves empty another line may say": {
			header + "A,,,,T-1,Tea,1,1,,,\nA,2025-01-01T00:00:00Z,Ada,EUR,T-2,Tee,1,1,created,,",
			`A by Ada: 2025-01-01T00:00:00Z created , "", 2.00 EUR; A line 2: 1 × T-1 "Tea" at 1.00 EUR; A line 3: 1 × T-2 "Tee" at 1.00 EUR`,
		},
		"a created order may repeat its time as status_at": {
			header + "A,2025-01-01T00:00:00Z,Ada,EUR,T-1,Tea,1,1,created,2025-01-01T00:00:00Z,",
			`A by Ada: 2025-01-01T00:00:00Z created , "", 1.00 EUR; A line 2: 1 × T-1 "Tea" at 1.00 EUR`,
		},
		"the line after a broken one is read": {
			header + "\"B\"x,\n\n\"never closed\nA,2025-01-01T00:00:00Z,Ada,EUR,T-1,Tea,1,1,created,,",
			`A by Ada: 2025-01-01T00:00:00Z created , "", 1.00 EUR; A line 5: 1 × T-1 "Tea" at 1.00 EUR`,
		},
	} {
		t.Run(rule, func(t *testing.T) {
			orders, bad := Parse([]byte(c.data), berlin, now)
			var got []string
			for _, o := range orders {
				got = append(got, describe(t, o)...)
			}
			if strings.Join(got, "; ") != c.want {
				t.Errorf("%s\n%+v", strings.Join(got, "; "), bad)
			}
		})
	}
}

func itemLines(n int) string {
	var b strings.Builder
	b.WriteString(header)
	for i := range n {
		fmt.Fprintf(&b, "A,2025-01-01,Ada,EUR,T-%d,Tea,1,1,created,,\n", i)
	}
	return b.String()
}

// An order with one item too many is left out, and the line that is too many is named.
func TestImportItemLimit(t *testing.T) {
	if orders, bad := Parse([]byte(itemLines(domain.MaxCommandItems)), time.UTC, now); len(orders) != 1 || len(bad) != 0 {
		t.Errorf("%d items: %d orders, %+v", domain.MaxCommandItems, len(orders), bad)
	}
	orders, bad := Parse([]byte(itemLines(domain.MaxCommandItems+1)), time.UTC, now)
	if len(orders) != 0 || len(bad) != 1 || bad[0].Line != domain.MaxCommandItems+2 || !strings.Contains(bad[0].Reason, "500 items") {
		t.Errorf("one item too many: %d orders, %+v", len(orders), bad)
	}
}

// A file with one line too many is refused as a whole.
func TestImportLineLimit(t *testing.T) {
	line := "A,,,,,,,,,,\n"
	data := header + strings.Repeat(line, MaxLines+1)
	orders, bad := Parse([]byte(data), time.UTC, now)
	if len(orders) != 0 || len(bad) != 1 || bad[0].Line != MaxLines+2 || !strings.Contains(bad[0].Reason, "at most") {
		t.Errorf("%d orders, %d mistakes, first %+v", len(orders), len(bad), bad[0])
	}
}

// Whatever a file holds, an order that comes out of it is one the domain takes, and no line is both in an order and bad.
func FuzzCSV(f *testing.F) {
	messy, err := os.ReadFile("../../../../testdata/messy.csv")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(messy)
	f.Add([]byte(header))
	f.Add([]byte(header + "A,2025-01-01,Ada,EUR,A,\"Tea\r\n\",1,1,cancelled,2025-01-02,\"\"\"\n"))
	f.Add([]byte("\ufeff" + header + "A,2025-01-01,Ada,EUR,A,Tea,1,1,created,,\n\"A\n\n\"x,\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		orders, bad := Parse(data, time.UTC, now)
		last := bytes.Count(data, []byte("\n")) + 1
		badOrders, badLines, seen := map[string]bool{}, map[int]bool{}, map[string]bool{}
		previous := 0
		for _, e := range bad {
			if e.Line < 1 || e.Line > last || e.Line < previous || e.Reason == "" {
				t.Errorf("mistake %+v in a file of %d lines", e, last)
			}
			previous = e.Line
			badLines[e.Line] = true
			if e.Order != "" {
				badOrders[e.Order] = true
			}
		}
		for _, o := range orders {
			if err := o.Create.Check(); err != nil {
				t.Errorf("the domain refuses order %q: %v", o.Create.Reference, err)
			}
			if len(o.Lines) != len(o.Create.Items) || seen[o.Create.Reference] || badOrders[o.Create.Reference] {
				t.Errorf("order %q: lines %v, twice or bad", o.Create.Reference, o.Lines)
			}
			seen[o.Create.Reference] = true
			for _, line := range o.Lines {
				if badLines[line] || line < 2 || line > last {
					t.Errorf("order %q has line %d", o.Create.Reference, line)
				}
			}
			if o.Status == domain.Cancelled && (domain.CancelOrder{Reason: o.Reason}).Check() != nil || o.Status == domain.Created != o.StatusAt.IsZero() {
				t.Errorf("order %q: %s at %s, %q", o.Create.Reference, o.Status, o.StatusAt, o.Reason)
			}
		}
	})
}
