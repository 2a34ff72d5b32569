package views_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"headway/domain"
	"headway/projections"
	"headway/views"
)

func TestShortID(t *testing.T) {
	for _, c := range []struct{ rule, id, want string }{
		{"a long id keeps eight at the front and four at the end", "0b8e1c52-4f0a-5c53-9c39-0b4f5a1c9f3a", "0b8e1c52…9f3a"},
		{"sixteen characters stay whole", "1234567890123456", "1234567890123456"},
		{"seventeen do not", "12345678901234567", "12345678…4567"},
		{"characters are counted, not bytes", "éééééééééééééééé", "éééééééééééééééé"},
		{"nothing stays nothing", "", ""},
	} {
		if got := views.ShortID(c.id); got != c.want {
			t.Errorf("%s: got %q, want %q", c.rule, got, c.want)
		}
	}
}

func TestOrderNameIsTheReferenceIfThereIsOne(t *testing.T) {
	if got := (views.OrderName{ID: lampID, Reference: "PO-1"}).String(); got != "PO-1" {
		t.Errorf("got %q", got)
	}
	if got := (views.OrderName{ID: lampID}).String(); got != "0b8e1c52…9f3a" {
		t.Errorf("got %q", got)
	}
}

func TestSentence(t *testing.T) {
	for _, c := range []struct {
		rule string
		h    views.TimelineEntry
		want string
	}{
		{"creating names the customer and counts lines", views.TimelineEntry{UserID: "import", Facts: []domain.Event{domain.OrderCreated{CustomerID: "ACME", Items: lampItems()}}}, "import created the order for ACME with 2 lines"},
		{"one line is one line", views.TimelineEntry{UserID: "import", Facts: []domain.Event{domain.OrderCreated{CustomerID: "ACME", Items: lampItems()[:1]}}}, "import created the order for ACME with 1 line"},
		{"adding says how many, what and at which price", views.TimelineEntry{UserID: "operator", Facts: []domain.Event{domain.OrderItemAdded{Item: domain.Item{Name: "Bulb", Quantity: 1200, Price: eur(499)}}}}, "operator added 1,200 × Bulb at 4.99 EUR"},
		{"confirming", views.TimelineEntry{UserID: "operator", Facts: []domain.Event{domain.OrderConfirmed{}}}, "operator confirmed the order"},
		{"cancelling gives the reason", views.TimelineEntry{UserID: "operator", Facts: []domain.Event{domain.OrderCancelled{Reason: "Ordered twice"}}}, "operator cancelled the order: Ordered twice"},
		{"a note is what it says", views.TimelineEntry{UserID: "operator", Facts: []domain.Event{domain.OrderNoteAdded{Text: "Ring twice"}}}, "operator noted: Ring twice"},
		{"nobody known is somebody", views.TimelineEntry{Facts: []domain.Event{domain.OrderConfirmed{}}}, "somebody confirmed the order"},
		{"an event that was split tells each of its facts", views.TimelineEntry{UserID: "operator",
			Facts: []domain.Event{domain.OrderConfirmed{}, domain.OrderCancelled{Reason: "Ordered twice"}}}, "operator confirmed the order and cancelled the order: Ordered twice"},
		{"a retired type is named", views.TimelineEntry{UserID: "x", Type: "OrderPrinted", Schema: 1, Facts: []domain.Event{}}, "x stored OrderPrinted, which means nothing any more"},
		{"what cannot be read is named", views.TimelineEntry{UserID: "x", Type: "OrderTeleported", Schema: 9}, "x stored OrderTeleported of schema 9, which cannot be read"},
	} {
		if got := views.Sentence(c.h); got != c.want {
			t.Errorf("%s: got %q, want %q", c.rule, got, c.want)
		}
	}
}

func TestEvidence(t *testing.T) {
	for _, c := range []struct {
		rule          string
		version, seen int
		want          string
	}{
		{"a decision on an older version says so", 8, 5, "while looking at v5; the head was v7"},
		{"a decision on the head needs no words", 8, 7, ""},
		{"a create saw nothing", 1, 0, ""},
		{"what is not known is not claimed", 8, 0, ""},
	} {
		if got := views.Evidence(views.TimelineEntry{Version: c.version, Seen: c.seen}); got != c.want {
			t.Errorf("%s: got %q, want %q", c.rule, got, c.want)
		}
	}
}

// The page of an order shows its newest notes, newest first, and counts the others.
func TestNotesOfAPageAreBounded(t *testing.T) {
	b := body()
	for i := range views.MaxNotes + 3 {
		b.Order.Notes = append(b.Order.Notes, domain.Note{Text: fmt.Sprintf("note %d.", i), At: noon, Version: i + 2})
	}
	var page strings.Builder
	if err := views.OrderBodyLive(b).Render(t.Context(), &page); err != nil {
		t.Fatal(err)
	}
	html := page.String()
	first, last := strings.Index(html, "note 22."), strings.Index(html, "note 3.")
	if first < 0 || last < first || strings.Contains(html, "note 2.") || !strings.Contains(html, "3 earlier notes not shown") {
		t.Errorf("the notes are %s", html[max(strings.Index(html, "Notes"), 0):])
	}
	if b.Order.Notes[0].Text != "note 0." {
		t.Error("showing them turned the order's around")
	}
}

func TestStampWords(t *testing.T) {
	for _, c := range []struct {
		stamp projections.Stamp
		want  string
	}{
		{projections.Stamp{State: projections.StampCurrent, Version: 7, Head: 7}, "v7"},
		{projections.Stamp{State: projections.StampCurrent}, "current"},
		{projections.Stamp{State: projections.StampBehind, Version: 5, Head: 7, Behind: projections.Lag{Events: 2, Age: 1400 * time.Millisecond}}, "2 events behind, 1.4 s"},
		{projections.Stamp{State: projections.StampBehind, Behind: projections.Lag{Events: 1}}, "1 event behind"},
		{projections.Stamp{State: projections.StampBehind}, "behind"},
		{projections.Stamp{State: projections.StampHeld, Version: 4, Reason: "Held at version 5: Schema 7 is not known."}, "held at version 5: Schema 7 is not known"},
		{projections.Stamp{State: projections.StampPaused, Reason: "Paused by an administrator since 14:02."}, "paused by an administrator since 14:02"},
		{projections.Stamp{State: projections.StampRebuilding, Reason: "61 %"}, "rebuilding: 61 %"},
		{projections.Stamp{State: projections.StampStalled}, "stalled"},
		{projections.Stamp{State: projections.StampUnknown, Reason: "no contact for 12 s"}, "unknown: no contact for 12 s"},
		{projections.Stamp{}, "unknown"},
		{projections.Stamp{State: "made up"}, "unknown"},
	} {
		if got := views.StampWords(c.stamp); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.stamp, got, c.want)
		}
	}
}

// TestMoneyIsWrittenWithTheDigitsOfItsCurrency: grouped, with the digits of ISO 4217, however large; what is longer than usual can be
// broken between its thousands, and what is not, nowhere.
func TestMoneyIsWrittenWithTheDigitsOfItsCurrency(t *testing.T) {
	for _, c := range []struct {
		minor    int64
		currency domain.Currency
		want     string
	}{
		{129900, "EUR", "1,299.00 EUR"}, {1200, "JPY", "1,200 JPY"}, {1234567, "KWD", "1,234.567 KWD"}, {0, "EUR", "0.00 EUR"},
		{99_999_999_999, "USD", "999,999,999.99 USD"}, {100_000_000_000, "USD", "1,<wbr>000,<wbr>000,<wbr>000.00 USD"},
		{9_223_372_036_854_775_807, "USD", "92,<wbr>233,<wbr>720,<wbr>368,<wbr>547,<wbr>758.07 USD"},
	} {
		row := views.OrderRow{Row: projections.OrderRow{ID: lampID, Status: domain.Created, Total: domain.Money{Minor: c.minor, Currency: c.currency}}}
		if html := strings.ReplaceAll(render(t, views.OrderRowLive(row)), `<span class="long">`, ""); !strings.Contains(html, `number">`+c.want+"<") {
			t.Errorf("%s is not in %s", c.want, html)
		}
	}
}

// TestASumThatDoesNotFitIsALowerBound wherever a person is shown one: the largest number stands for every sum that is no less.
func TestASumThatDoesNotFitIsALowerBound(t *testing.T) {
	largest := []domain.Money{eur(math.MaxInt64)}
	row := views.CustomerRow{Row: projections.CustomerRow{ID: "Big", TotalOrders: 3, TotalSpent: largest}}
	for name, page := range map[string]templ.Component{
		"the list of customers": views.CustomerRowLive(row), "a customer": views.Customer(frame("Big", views.NavCustomers), views.CustomerPage{Row: row}),
		"the overview": views.Overview(frame("Overview", views.NavOverview), views.OverviewPage{ByStatus: map[domain.Status]int{domain.Created: 3}, Value: largest}),
	} {
		if html := strings.ReplaceAll(render(t, page), "<wbr>", ""); !strings.Contains(html, ">at least 92,233,720,368,547,758.07 EUR<") {
			t.Errorf("%s calls it exact:\n%s", name, html)
		}
	}
	row.Row.TotalSpent = []domain.Money{eur(math.MaxInt64 - 1)}
	if html := render(t, views.CustomerRowLive(row)); strings.Contains(html, "at least") {
		t.Errorf("what fits is exact:\n%s", html)
	}
}

// TestAnEmptyListSaysWhatItMayLack: only a current list has nothing.
func TestAnEmptyListSaysWhatItMayLack(t *testing.T) {
	behind := func(state projections.StampState, events int) views.Stamp {
		return views.Stamp{Projection: "order_list", Stamp: projections.Stamp{State: state, Behind: projections.Lag{Events: events}}}
	}
	for _, c := range []struct {
		stamp views.Stamp
		want  string
	}{
		{behind(projections.StampCurrent, 0), "."},
		{behind(projections.StampBehind, 1), ", but 1 event is not applied yet: it may be of what you look for."},
		{behind(projections.StampStalled, 3), ", but 3 events are not applied yet: what you look for may be among them."},
		{behind(projections.StampPaused, 0), ", but the list may lack events: what you look for may be among them."},
		{behind(projections.StampUnknown, 0), ", but how many events are not applied yet is not known: what you look for may be among them."},
	} {
		pages := map[string]templ.Component{
			"No order matches":        views.Orders(views.Frame{}, views.OrdersPage{Filter: views.OrderFilter{Text: "LOCKREF"}, Stamp: c.stamp}),
			"There are no orders yet": views.Orders(views.Frame{}, views.OrdersPage{Stamp: c.stamp}),
			"No customer matches":     views.Customers(views.Frame{}, views.CustomersPage{Text: "Ada", Stamp: c.stamp}),
		}
		for sentence, page := range pages {
			if html := render(t, page); !strings.Contains(html, "<p>"+sentence+c.want+"</p>") {
				t.Errorf("%s, %d events: not “%s%s” in\n%s", c.stamp.State, c.stamp.Behind.Events, sentence, c.want, html)
			}
		}
	}
}

// TestSortedByTotalSaysThatCurrenciesComeFirst: else 199.00 EUR above 999,990,000.00 USD reads like a mistake.
func TestSortedByTotalSaysThatCurrenciesComeFirst(t *testing.T) {
	usd := rows()[:2]
	usd[1].Row.Total.Currency = "USD"
	for _, c := range []struct {
		sort projections.Sort
		rows []views.OrderRow
		says bool
	}{{"-total", usd, true}, {"total", usd, true}, {"-total", rows()[:2], false}, {"-created", usd, false}, {"", nil, false}} {
		html := render(t, views.Orders(views.Frame{}, views.OrdersPage{Filter: views.OrderFilter{Sort: c.sort}, Rows: c.rows}))
		if strings.Contains(html, "Sorted by currency, then by total.") != c.says {
			t.Errorf("%s: says so is not %v", c.sort, c.says)
		}
	}
}

// TestEventsAMinuteShowWhatIsKnown: a minute of which nothing is known has no bar, and a count that ended at a bound says so.
func TestEventsAMinuteShowWhatIsKnown(t *testing.T) {
	exact := func(n int) projections.Count { return projections.Count{N: n, IsExact: true} }
	unknown, many := projections.Count{}, projections.Count{N: 1000}
	for _, c := range []struct {
		perMinute []projections.Count
		bars      int
		want      string
	}{
		{[]projections.Count{exact(2), exact(0), exact(5), exact(1)}, 4, "1 now, at most 5, 8 in 4 minutes"},
		{[]projections.Count{unknown, unknown, exact(12_000), exact(1)}, 2, "1 now, at most 12,000, 12,001 in 2 minutes"},
		{[]projections.Count{exact(12_000), unknown, exact(3), many}, 2, "1,000 or more now, at most 12,000, 12,003 in 2 minutes"},
		{[]projections.Count{unknown, many}, 0, "1,000 or more now"},
		{[]projections.Count{unknown, unknown}, 0, "not known"},
		{nil, 0, "not known"},
	} {
		html := render(t, views.Overview(views.Frame{}, views.OverviewPage{PerMinute: c.perMinute}))
		if !strings.Contains(html, `<span class="tile-note">`+c.want+"<") || strings.Count(html, "<rect") != c.bars {
			t.Errorf("%v: not %d bars and “%s” in\n%s", c.perMinute, c.bars, c.want, html)
		}
	}
}

// TestAnOrderIsNamedOnce: without a reference its title is the id already.
func TestAnOrderIsNamedOnce(t *testing.T) {
	b := body()
	for reference, want := range map[string]int{"PO-1042": 1, "": 0} {
		b.Order.Reference = reference
		if got := strings.Count(render(t, views.Order(views.Frame{}, views.OrderPage{Body: b})), `<code class="id" title="`+string(lampID)); got != want {
			t.Errorf("with the reference %q the id stands below the title %d times, not %d", reference, got, want)
		}
	}
}

func TestDaysAreThoseOfTheZone(t *testing.T) {
	late := time.Date(2026, 3, 14, 23, 30, 0, 0, time.UTC)
	list := []views.TimelineEntry{{Version: 2, BusinessAt: late}, {Version: 1, BusinessAt: late.Add(-2 * time.Hour)}}
	if got := len(views.Days(list, time.UTC)); got != 1 {
		t.Errorf("in UTC both are of one day, not %d", got)
	}
	days := views.Days(list, zone)
	if len(days) != 2 || days[0].Start.Day() != 15 || days[1].Start.Day() != 14 {
		t.Errorf("an hour further east the first is of the next day: %v", days)
	}
	if got := views.Days(nil, nil); got != nil {
		t.Errorf("no events have no days: %v", got)
	}
}

func TestChanges(t *testing.T) {
	after := lampOrder()
	before := after
	before.Status, before.ConfirmedAt, before.Items, before.Total = domain.Created, time.Time{}, after.Items[:1], eur(259800)
	want := []views.Change{
		{"status", "created", "confirmed"}, {"line 2", "", "12 × Bulb E27 (BULB-9) at 4.99 EUR"}, {"total", "2,598.00 EUR", "2,657.88 EUR"},
		{"confirmed", "", "2026-03-14 11:02:11 UTC"},
	}
	if got := views.Changes(before, after); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := views.Changes(after, after); got == nil || len(got) != 0 {
		t.Errorf("nothing changed is an empty list, not %v", got)
	}
	if got := views.Changes(domain.Order{}, after); got[0].From != "" || got[0].To != "confirmed" {
		t.Errorf("from nothing every field is new: %v", got)
	}
	many := after
	many.Items = make([]domain.Item, 2*views.MaxChanges)
	got := views.Changes(domain.Order{}, many)
	if len(got) != views.MaxChanges || !strings.Contains(got[len(got)-1].Field, "more changes") {
		t.Errorf("%d changes, the last %v", len(got), got[len(got)-1])
	}
}

func TestMoreLinesThanAPageShowsAreCounted(t *testing.T) {
	b := body()
	b.Order.Items = make([]domain.Item, views.MaxLines+2)
	if html := render(t, views.OrderBodyLive(b)); !strings.Contains(html, "2 more lines not shown") || strings.Count(html, "col-sku\"><code") != views.MaxLines {
		t.Errorf("want %d lines and a count of the others", views.MaxLines)
	}
}

func TestFilterIsItsURL(t *testing.T) {
	for want, f := range map[string]views.OrderFilter{
		"/orders":         {},
		"/orders?q=a%26b": {Text: "a&b"},
		"/orders?status=created&status=confirmed":                               {Statuses: []domain.Status{domain.Created, domain.Confirmed}},
		"/orders?cursor=c&customer=x&from=2026-03-14&sort=-total&to=2026-03-15": {Customer: "x", From: "2026-03-14", To: "2026-03-15", Sort: "-total", Cursor: "c"},
	} {
		if got := f.Href(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if (views.OrderFilter{Sort: "total", Cursor: "x"}).Narrows() || !(views.OrderFilter{From: "2026-03-14"}).Narrows() {
		t.Error("a sort leaves no order out; a date does")
	}
}

// TestLiveElementsCarryWhatTheScriptsRead holds the contract of the pages, fragment by fragment.
func TestLiveElementsCarryWhatTheScriptsRead(t *testing.T) {
	past := body()
	past.At = 2
	for _, c := range []struct {
		rule, html string
		want       []string
		not        string
	}{
		{"an order row", render(t, views.OrderRowLive(rows()[1])), []string{`<tr data-live="order_list" data-id="0b8e1c51-`, `data-version="4" data-head="6"`, `data-stamp`, `data-state="behind"`, `data-since-ms="1400"`}, ""},
		{"a customer row", render(t, views.CustomerRowLive(customerRows()[0])), []string{`<tr data-live="customer_order_summary" data-id="Katherine Johnson" data-version="7"`}, ""},
		{"an order, without any form", render(t, views.OrderBodyLive(body())), []string{`data-live="order"`, `data-version="3"`, `data-local=`}, "<form"},
		{"the past is not live", render(t, views.OrderBodyLive(past)), nil, "data-live"},
		{"a projection", render(t, views.ProjectionCardLive(cards()[0])), []string{`data-live="projection" data-id="order_list"`}, ""},
	} {
		for _, want := range c.want {
			if !strings.Contains(c.html, want) {
				t.Errorf("%s lacks %s", c.rule, want)
			}
		}
		if c.not != "" && strings.Contains(c.html, c.not) {
			t.Errorf("%s: %s", c.rule, c.not)
		}
	}
}

// TestAnUnreachableProjectionClaimsNothing: without an answer, nothing is said to be applied, quiet or free of holds.
func TestAnUnreachableProjectionClaimsNothing(t *testing.T) {
	card := render(t, views.ProjectionCardLive(views.ProjectionCard{Name: "order_list", State: views.Unreachable}))
	if got := strings.Count(card, "not known"); got != 4 {
		t.Errorf("%d of 4 numbers are not known:\n%s", got, card)
	}
	for _, claim := range []string{"nothing", "quiet", "never", ">none<"} {
		if strings.Contains(card, claim) {
			t.Errorf("it claims %q", claim)
		}
	}
}
