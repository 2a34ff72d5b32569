package domain_test

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"headway/domain"
	"headway/fault"
)

func eur(minor int64) domain.Money { return domain.Money{Minor: minor, Currency: "EUR"} }

func day(d int) time.Time { return time.Date(2025, 3, d, 9, 30, 0, 0, time.UTC) }

// on is the origin of what ada does on a day.
func on(d int) domain.Origin { return domain.Origin{At: day(d), By: "ada"} }

func tea() domain.Item { return domain.Item{SKU: "TEA", Name: "Assam", Quantity: 2, Price: eur(1299)} }
func mug() domain.Item { return domain.Item{SKU: "MUG", Name: "Mug", Quantity: 1, Price: eur(700)} }

func create() domain.CreateOrder {
	return domain.CreateOrder{CustomerID: "ada", Currency: "EUR", Reference: "A-1", Items: []domain.Item{tea()}}
}

// given folds the history of one order; event n happens on day n.
func given(t testing.TB, history ...domain.Event) domain.Order {
	t.Helper()
	var o domain.Order
	for i, e := range history {
		if err := o.Apply(orderID, i+1, on(i+1), e); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// histories has one order in every place of its life.
func histories() map[string][]domain.Event {
	created := domain.OrderCreated{CustomerID: "ada", Currency: "EUR", Reference: "A-1", Items: []domain.Item{tea()}}
	return map[string][]domain.Event{
		"no order":                        nil,
		"a created order":                 {created},
		"a confirmed order":               {created, domain.OrderConfirmed{}},
		"an order cancelled when created": {created, domain.OrderCancelled{Reason: "Ordered twice"}},
		"an order cancelled later on":     {created, domain.OrderConfirmed{}, domain.OrderCancelled{Reason: "Ordered twice"}},
	}
}

func TestCommandsInEveryPlaceOfAnOrdersLife(t *testing.T) {
	type answer struct {
		event    domain.Event
		kind     fault.Kind
		sentence string
	}
	gives := func(e domain.Event) answer { return answer{event: e} }
	refused := func(sentence string) answer { return answer{kind: fault.Refused, sentence: sentence} }
	noOrder := answer{kind: fault.NotFound, sentence: "There is no such order."}
	twice := refused("This order exists already.")
	created := gives(domain.OrderCreated{CustomerID: "ada", Currency: "EUR", Reference: "A-1", Items: []domain.Item{tea()}})
	added := gives(domain.OrderItemAdded{Item: mug()})
	cancelled := gives(domain.OrderCancelled{Reason: "No longer wanted"})
	noted := gives(domain.OrderNoteAdded{Text: "Ring twice"})
	isCancelled := refused("This order is cancelled already.")

	for _, c := range []struct {
		given                              string
		create, add, confirm, cancel, note answer
	}{
		{"no order", created, noOrder, noOrder, noOrder, noOrder},
		{"a created order", twice, added, gives(domain.OrderConfirmed{}), cancelled, noted},
		{"a confirmed order", twice, refused("Items can be added only while an order is created; this one is confirmed."),
			refused("This order is confirmed already."), cancelled, noted},
		{"an order cancelled when created", twice, refused("Items can be added only while an order is created; this one is cancelled."),
			refused("Only a created order can be confirmed; this one is cancelled."), isCancelled, noted},
		{"an order cancelled later on", twice, refused("Items can be added only while an order is created; this one is cancelled."),
			refused("Only a created order can be confirmed; this one is cancelled."), isCancelled, noted},
	} {
		for _, when := range []struct {
			command domain.Command
			then    answer
		}{
			{create(), c.create},
			{domain.AddItem{Item: mug()}, c.add},
			{domain.ConfirmOrder{}, c.confirm},
			{domain.CancelOrder{Reason: "No longer wanted"}, c.cancel},
			{domain.AddNote{Text: "Ring twice"}, c.note},
		} {
			t.Run(c.given+"/"+when.command.Kind(), func(t *testing.T) {
				events, err := when.command.Decide(given(t, histories()[c.given]...))
				if when.then.event != nil {
					if err != nil || !reflect.DeepEqual(events, []domain.Event{when.then.event}) {
						t.Errorf("gave %v, %v", events, err)
					}
				} else if events != nil || fault.KindOf(err) != when.then.kind || fault.Sentence(err) != when.then.sentence {
					t.Errorf("gave %v, %v; want %s", events, err, when.then.sentence)
				}
			})
		}
	}
}

func TestTheRuleIsSaidBeforeTheField(t *testing.T) {
	for place, command := range map[string]domain.Command{
		"a created order":                 domain.CreateOrder{},
		"a confirmed order":               domain.AddItem{},
		"an order cancelled when created": domain.CancelOrder{},
	} {
		if _, err := command.Decide(given(t, histories()[place]...)); fault.KindOf(err) != fault.Refused {
			t.Errorf("a wrong %s on %s gave %v", command.Kind(), place, err)
		}
	}
}

func TestAnOrderIsTheFoldOfItsEvents(t *testing.T) {
	local := time.FixedZone("", 3600)
	var o domain.Order
	for i, e := range []domain.Event{
		domain.OrderCreated{CustomerID: "ada", Currency: "EUR", Reference: "A-1", Items: []domain.Item{tea()}},
		domain.OrderItemAdded{Item: mug()}, domain.OrderConfirmed{}, domain.OrderCancelled{Reason: "Ordered twice"},
		domain.OrderNoteAdded{Text: "Ring twice"},
	} {
		if err := o.Apply(orderID, i+1, domain.Origin{At: day(i + 1).In(local), By: "ada"}, e); err != nil {
			t.Fatal(err)
		}
	}
	want := domain.Order{
		ID: orderID, Version: 5, Reference: "A-1", CustomerID: "ada", Currency: "EUR", Status: domain.Cancelled,
		Items: []domain.Item{tea(), mug()}, Total: eur(3298),
		CreatedAt: day(1), ConfirmedAt: day(3), CancelledAt: day(4), CancelReason: "Ordered twice",
		Notes: []domain.Note{{Text: "Ring twice", Who: "ada", At: day(5), Version: 5}},
	}
	if !reflect.DeepEqual(o, want) {
		t.Errorf("got  %+v\nwant %+v", o, want)
	}
}

func TestFactsAreAppliedEvenIfARuleWouldRefuseThemToday(t *testing.T) {
	o := given(t, domain.OrderCreated{Currency: "EUR"}, domain.OrderCancelled{}, domain.OrderItemAdded{Item: mug()}, domain.OrderConfirmed{})
	if o.Version != 4 || o.Status != domain.Confirmed || len(o.Items) != 1 {
		t.Errorf("%+v", o)
	}
}

func TestWhatLeavesNoMeaningfulOrderIsNotApplied(t *testing.T) {
	created := histories()["a created order"]
	for _, c := range []struct {
		rule     string
		given    []domain.Event
		version  int
		event    domain.Event
		sentence string
	}{
		{"a gap", created, 3, domain.OrderConfirmed{}, "Version 3 does not follow version 1."},
		{"the same version again", created, 1, domain.OrderConfirmed{}, "Version 1 does not follow version 1."},
		{"a first version above 1", nil, 2, created[0], "Version 2 does not follow version 0."},
		{"an event before the creation", nil, 1, domain.OrderConfirmed{}, "OrderConfirmed comes before the order is created."},
		{"a second creation", created, 2, created[0], "The order is created a second time at version 2."},
		{"an item in another currency", created, 2, domain.OrderItemAdded{Item: domain.Item{Quantity: 1, Price: usd(1)}},
			"An amount in USD cannot be added to one in EUR."},
		{"a creation in two currencies", nil, 1, domain.OrderCreated{Currency: "USD", Items: []domain.Item{tea()}},
			"An amount in EUR cannot be added to one in USD."},
		{"a line that does not fit", created, 2, domain.OrderItemAdded{Item: domain.Item{Quantity: 2, Price: eur(math.MaxInt64)}},
			"The total is too large."},
		{"a total that does not fit", created, 2, domain.OrderItemAdded{Item: domain.Item{Quantity: 1, Price: eur(math.MaxInt64)}},
			"The total is too large."},
	} {
		t.Run(c.rule, func(t *testing.T) {
			o := given(t, c.given...)
			before := o.Clone()
			err := o.Apply(orderID, c.version, on(9), c.event)
			if fault.KindOf(err) != fault.Invalid || fault.Sentence(err) != c.sentence {
				t.Errorf("gave %v; want %s", err, c.sentence)
			}
			if !reflect.DeepEqual(o, before) {
				t.Errorf("the order changed to %+v", o)
			}
		})
	}
}

// The facts of one version are applied together, and the version moves by one; none of them is, if one cannot be.
func TestAVersionOfSeveralFacts(t *testing.T) {
	created := histories()["a created order"][0]
	item := domain.OrderItemAdded{Item: mug()}
	var o domain.Order
	if err := o.Apply(orderID, 1, on(1), created, item, domain.OrderConfirmed{}); err != nil {
		t.Fatal(err)
	}
	if want := given(t, created, item); o.Version != 1 || o.Status != domain.Confirmed ||
		!o.ConfirmedAt.Equal(day(1)) || o.Total != want.Total {
		t.Errorf("the order is %+v", o)
	}
	for sentence, facts := range map[string][]domain.Event{
		"The order is created a second time at version 2.": {item, created},
		"An amount in USD cannot be added to one in EUR.":  {item, domain.OrderItemAdded{Item: domain.Item{Quantity: 1, Price: usd(1)}}},
		"The total is too large.":                          {item, domain.OrderItemAdded{Item: domain.Item{Quantity: 1, Price: eur(math.MaxInt64)}}},
	} {
		before := o.Clone()
		if err := o.Apply(orderID, 2, on(2), facts...); fault.Sentence(err) != sentence || !reflect.DeepEqual(o, before) {
			t.Errorf("%v, and not %s; the order is %+v", err, sentence, o)
		}
	}
	var none domain.Order
	err := none.Apply(orderID, 1, on(1), domain.OrderConfirmed{}, created)
	if fault.Sentence(err) != "OrderConfirmed comes before the order is created." {
		t.Error(err)
	}
	err = none.Apply(orderID, 1, on(1), created, created)
	if fault.Sentence(err) != "The order is created a second time at version 1." {
		t.Error(err)
	}
}

// An event whose type is retired moves the version and nothing else; no order begins with one.
func TestAVersionWithoutFacts(t *testing.T) {
	o := given(t, histories()["a created order"]...)
	want := o.Clone()
	want.Version++
	if err := o.Apply(orderID, 2, on(2)); err != nil || !reflect.DeepEqual(o, want) {
		t.Errorf("%v, and the order is %+v", err, o)
	}
	var none domain.Order
	if err := none.Apply(orderID, 1, on(1)); fault.Sentence(err) != "Version 1 comes before the order is created." || none.Exists() {
		t.Error(err)
	}
}

func TestCopiesOfAnOrder(t *testing.T) {
	o := given(t, histories()["a created order"]...)
	for range 3 { // leaves room behind the items, in which two copies could meet
		if err := o.Apply(orderID, o.Version+1, on(2), domain.OrderItemAdded{Item: mug()}); err != nil {
			t.Fatal(err)
		}
	}
	earlier, clone := o, o.Clone()
	if err := o.Apply(orderID, o.Version+1, on(3), domain.OrderItemAdded{Item: tea()}); err != nil {
		t.Fatal(err)
	}
	if err := clone.Apply(orderID, clone.Version+1, on(3), domain.OrderItemAdded{Item: mug()}); err != nil {
		t.Fatal(err)
	}
	if len(earlier.Items) != 4 || earlier.Version != 4 {
		t.Error("a copy did not keep its own state")
	}
	if o.Items[4] != tea() || clone.Items[4] != mug() {
		t.Error("an order and its clone share memory")
	}
}

// Notes end before an order does, so that other commands find room.
func TestNotesEnd(t *testing.T) {
	for version, want := range map[int]string{
		domain.MaxNotedEvents - 1: "", domain.MaxNotedEvents: "Notes end at 9,000 events of an order; this one has 9,000.",
		domain.MaxOrderEvents: "Notes end at 9,000 events of an order; this one has 10,000.",
	} {
		o := given(t, histories()["a confirmed order"]...)
		o.Version = version
		events, err := domain.AddNote{Text: "x"}.Decide(o)
		if want == "" && err != nil || want != "" && (fault.KindOf(err) != fault.Refused || fault.Sentence(err) != want || events != nil) {
			t.Errorf("at version %d: %v", version, err)
		}
		if got := domain.ActionsOf(o).Of("note"); got != (domain.Action{Allowed: want == "", Reason: want}) {
			t.Errorf("at version %d the button says %+v", version, got)
		}
	}
}

// Whoever decides looks at no note: with notes anywhere between the other events, every other command gives what it gave without them.
func TestANoteChangesNoDecision(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		history := drawHistory(t)
		var noted []domain.Event
		for i, e := range history {
			noted = append(noted, e)
			for range rapid.IntRange(0, 2).Draw(t, "notes") {
				noted = append(noted, domain.OrderNoteAdded{Text: rapid.String().Draw(t, "text")})
			}
			if !domain.OnlyNotes(noted[len(noted):]) || domain.OnlyNotes(noted[:i+1]) {
				t.Fatal("what are notes alone?")
			}
		}
		command := drawCommand(t)
		events, err := command.Decide(fold(t, domain.Order{}, history))
		other, otherErr := command.Decide(fold(t, domain.Order{}, noted))
		if !reflect.DeepEqual(events, other) || fault.Sentence(err) != fault.Sentence(otherErr) {
			t.Fatalf("%s gives %v, %v, and with notes %v, %v", command.Kind(), events, err, other, otherErr)
		}
	})
}

func TestDecidingSharesNoMemoryWithTheCommand(t *testing.T) {
	command := create()
	events, err := command.Decide(domain.Order{})
	if err != nil {
		t.Fatal(err)
	}
	command.Items[0].SKU = "changed"
	if events[0].(domain.OrderCreated).Items[0].SKU != "TEA" {
		t.Error("the event changed with the command")
	}
}

func TestButtonsSayWhatDecidingSays(t *testing.T) {
	for name, history := range histories() {
		o := given(t, history...)
		actions := domain.ActionsOf(o)
		for _, command := range allowable(t) {
			_, err := command.Decide(o)
			want := domain.Action{Allowed: true}
			if err != nil {
				want = domain.Action{Reason: fault.Sentence(err)}
			}
			if got := actions.Of(domain.ActionName(command)); got != want {
				t.Errorf("%s on %s: the button says %+v, deciding says %+v", command.Kind(), name, got, want)
			}
		}
	}
	for _, got := range domain.Blocked("This order is held.") {
		if got.Action != (domain.Action{Reason: "This order is held."}) {
			t.Errorf("%+v", got)
		}
	}
}

// allowable is a command of each kind on an order that exists, which is refused only by its rule.
func allowable(t interface{ Fatalf(string, ...any) }) []domain.Command {
	all := []domain.Command{
		domain.AddItem{Item: domain.Item{SKU: "A", Name: "A", Quantity: 1, Price: eur(0)}}, domain.ConfirmOrder{}, domain.CancelOrder{Reason: "gone"},
		domain.AddNote{Text: "gone"},
	}
	if got, want := kinds(all), kinds(domain.Commands()); !slices.Equal(got, want) {
		t.Fatalf("the rules of %v are tested, the commands are %v", got, want)
	}
	return all
}

func kinds(commands []domain.Command) []string {
	var all []string
	for _, c := range commands {
		all = append(all, c.Kind())
	}
	return all
}

func TestNamesOfActions(t *testing.T) {
	var names []string
	for _, a := range domain.ActionsOf(domain.Order{}) {
		names = append(names, a.Name)
	}
	if want := []string{"addItem", "confirm", "cancel", "note"}; !slices.Equal(names, want) { // JSON and pages know them by these
		t.Errorf("%v, want %v", names, want)
	}
	if (domain.ActionsOf(domain.Order{}).Of("rename") != domain.Action{}) {
		t.Error("what no command is called is allowed")
	}
}

// field changes one field of a good command; the sentence is what is said beside it, or nothing.
type field struct {
	rule     string
	command  domain.Command
	field    string
	sentence string
}

func (f field) check(t *testing.T) {
	t.Helper()
	for asked, err := range map[string]error{"Check": f.command.Check(), "Decide": decideFirst(t, f.command)} {
		if f.sentence == "" {
			if err != nil {
				t.Errorf("%s: %v", asked, err)
			}
			continue
		}
		e, ok := err.(*fault.Error)
		if !ok || e.Kind != fault.Invalid || len(e.Fields) != 1 ||
			e.Fields[0] != (fault.FieldError{Field: f.field, Message: f.sentence}) || e.Message != f.sentence {
			t.Errorf("%s: %+v; want %s: %s", asked, err, f.field, f.sentence)
		}
	}
}

// decideFirst decides on the order that the command would meet if all goes well.
func decideFirst(t *testing.T, c domain.Command) error {
	t.Helper()
	var o domain.Order
	if _, create := c.(domain.CreateOrder); !create {
		o = given(t, histories()["a created order"]...)
	}
	_, err := c.Decide(o)
	return err
}

func TestEachFieldHasItsBounds(t *testing.T) {
	createWith := func(change func(*domain.CreateOrder)) domain.Command {
		c := create()
		change(&c)
		return c
	}
	customer := func(s string) domain.Command { return createWith(func(c *domain.CreateOrder) { c.CustomerID = s }) }
	reference := func(s string) domain.Command { return createWith(func(c *domain.CreateOrder) { c.Reference = s }) }
	currency := func(s domain.Currency) domain.Command {
		return createWith(func(c *domain.CreateOrder) { c.Currency = s })
	}
	items := func(n int) domain.Command {
		return createWith(func(c *domain.CreateOrder) {
			c.Items = nil
			for range n {
				c.Items = append(c.Items, mug())
			}
		})
	}
	addWith := func(change func(*domain.Item)) domain.Command {
		item := mug()
		change(&item)
		return domain.AddItem{Item: item}
	}
	second := func(change func(*domain.Item)) domain.Command {
		return createWith(func(c *domain.CreateOrder) {
			item := mug()
			change(&item)
			c.Items = append(c.Items, item)
		})
	}
	sku := func(s string) domain.Command { return addWith(func(i *domain.Item) { i.SKU = s }) }
	name := func(s string) domain.Command { return addWith(func(i *domain.Item) { i.Name = s }) }
	quantity := func(n int64) domain.Command { return addWith(func(i *domain.Item) { i.Quantity = n }) }
	price := func(m domain.Money) domain.Command { return addWith(func(i *domain.Item) { i.Price = m }) }
	reason := func(s string) domain.Command { return domain.CancelOrder{Reason: s} }
	note := func(s string) domain.Command { return domain.AddNote{Text: s} }
	characters := func(n int) string { return strings.Repeat("ß", n) } // two bytes each

	for _, f := range []field{
		{"a customer is required", customer(""), "customerId", "The customer is required."},
		{"one character is a customer", customer("a"), "", ""},
		{"199 characters are a customer", customer(characters(199)), "", ""},
		{"200 characters are a customer", customer(characters(200)), "", ""},
		{"201 are not", customer(characters(201)), "customerId", "The customer can have at most 200 characters, not 201."},
		{"a customer is as typed: punctuation", customer("O'Brien & <Söhne> / 東京 😀"), "", ""},
		{"a customer has one line", customer("a\nb"), "customerId", "The customer must be one line of plain text."},
		{"a customer has no tab", customer("a\tb"), "customerId", "The customer must be one line of plain text."},
		{"a customer has no NUL", customer("a\x00b"), "customerId", "The customer must be one line of plain text."},
		{"a customer has no C1 control", customer("a\u0085b"), "customerId", "The customer must be one line of plain text."},
		{"a customer is valid UTF-8", customer("a\xffb"), "customerId", "The customer must be valid UTF-8."},
		{"a customer does not begin with a space", customer(" a"), "customerId", "The customer must not begin or end with a space."},
		{"a customer does not end with a wide space", customer("a\u3000"), "customerId", "The customer must not begin or end with a space."},
		{"a customer does not turn text around", customer("a\u202Eb"), "customerId", "The customer must not turn the direction of text around."},
		{"a customer can be seen", customer("\u200B"), "customerId", "The customer needs something that can be seen."},
		{"a customer is not only spaces", customer("  "), "customerId", "The customer must not begin or end with a space."},

		{"a reference may be empty", reference(""), "", ""},
		{"63 characters are a reference", reference(characters(63)), "", ""},
		{"64 characters are a reference", reference(characters(64)), "", ""},
		{"65 are not", reference(characters(65)), "reference", "The reference can have at most 64 characters, not 65."},
		{"a reference has one line", reference("a\rb"), "reference", "The reference must be one line of plain text."},

		{"a currency is required", currency(""), "currency", "A currency is required."},
		{"a currency is of ISO 4217", currency("EUX"), "currency",
			"“EUX” is not a currency of ISO 4217; write three capital letters, such as EUR."},
		{"a currency is in capital letters", currency("eur"), "currency",
			"“eur” is not a currency of ISO 4217; write three capital letters, such as EUR."},

		{"an item is required", items(0), "items", "An order needs at least one item."},
		{"one item", items(1), "", ""},
		{"499 items", items(499), "", ""},
		{"500 items", items(500), "", ""},
		{"501 items are too many", items(501), "items", "One command can carry at most 500 items, not 501."},
		{"a wrong field says in which item", second(func(i *domain.Item) { i.SKU = "" }), "items[1].sku", "The SKU is required."},
		{"every item is in the order's currency", second(func(i *domain.Item) { i.Price = usd(1) }), "items[1].price",
			"The price must be in EUR, the order's currency."},
		{"the total fits exactly", second(func(i *domain.Item) { i.Price = eur(math.MaxInt64 - 2*1299) }), "", ""},
		{"the total is one too large", second(func(i *domain.Item) { i.Price = eur(math.MaxInt64 - 2*1299 + 1) }), "items[1].price",
			"The order's total would be too large."},
		{"a line is too large", second(func(i *domain.Item) { i.Price, i.Quantity = eur(math.MaxInt64), 2 }), "items[1].price",
			"The order's total would be too large."},

		{"a SKU is required", sku(""), "sku", "The SKU is required."},
		{"63 characters are a SKU", sku(characters(63)), "", ""},
		{"64 characters are a SKU", sku(characters(64)), "", ""},
		{"65 are not", sku(characters(65)), "sku", "The SKU can have at most 64 characters, not 65."},
		{"a SKU has one line", sku("a\nb"), "sku", "The SKU must be one line of plain text."},
		{"a name is required", name(""), "name", "The name is required."},
		{"199 characters are a name", name(characters(199)), "", ""},
		{"200 characters are a name", name(characters(200)), "", ""},
		{"201 are not", name(characters(201)), "name", "The name can have at most 200 characters, not 201."},
		{"a name has one line", name("a\tb"), "name", "The name must be one line of plain text."},
		{"nothing is no quantity", quantity(0), "quantity", "The quantity must be from 1 to 1,000,000."},
		{"a negative quantity", quantity(-1), "quantity", "The quantity must be from 1 to 1,000,000."},
		{"the smallest quantity", quantity(1), "", ""},
		{"below the largest quantity", quantity(999_999), "", ""},
		{"the largest quantity", quantity(1_000_000), "", ""},
		{"above the largest quantity", quantity(1_000_001), "quantity", "The quantity must be from 1 to 1,000,000."},
		{"a gift costs nothing", price(eur(0)), "", ""},
		{"a negative price", price(eur(-1)), "price", "The price cannot be negative."},

		{"a reason is required", reason(""), "reason", "The reason is required."},
		{"one character is a reason", reason("x"), "", ""},
		{"499 characters are a reason", reason(characters(499)), "", ""},
		{"500 characters are a reason", reason(characters(500)), "", ""},
		{"501 are not", reason(characters(501)), "reason", "The reason can have at most 500 characters, not 501."},
		{"a reason may have lines and tabs", reason("two\nlines,\tone tab"), "", ""},
		{"a reason has no other control character", reason("a\x1bb"), "reason", "The reason must be plain text."},
		{"a reason is not only line breaks", reason("\n\n"), "reason", "The reason must not begin or end with a space."},
		{"a note is required", note(""), "text", "The note is required."},
		{"499 characters are a note", note(characters(499)), "", ""},
		{"500 characters are a note", note(characters(500)), "", ""},
		{"501 are too many", note(characters(501)), "text", "The note can have at most 500 characters, not 501."},
		{"a note may have lines and tabs", note("two\nlines,\tone tab"), "", ""},
		{"a note has no other control character", note("a\x1bb"), "text", "The note must be plain text."},
		{"a reason is valid UTF-8", reason("a\xc3"), "reason", "The reason must be valid UTF-8."},
	} {
		t.Run(f.command.Kind()+": "+f.rule, f.check)
	}
}

func TestWhatOnlyTheOrderCanTellAboutAnItem(t *testing.T) {
	o := given(t, histories()["a created order"]...) // its total is 25.98 EUR
	for _, c := range []struct {
		rule     string
		price    domain.Money
		sentence string
	}{
		{"another currency", usd(1), "The price must be in EUR, the order's currency."},
		{"no currency", domain.Money{Minor: 1}, "The price must be in EUR, the order's currency."},
		{"a total that just fits", eur(math.MaxInt64 - 2598), ""},
		{"a total that does not", eur(math.MaxInt64 - 2597), "The order's total would be too large."},
	} {
		item := mug()
		item.Price = c.price
		_, err := domain.AddItem{Item: item}.Decide(o)
		e, _ := err.(*fault.Error)
		switch {
		case c.sentence == "" && err != nil:
			t.Errorf("%s: %v", c.rule, err)
		case c.sentence != "" && (e == nil || e.Kind != fault.Invalid ||
			!reflect.DeepEqual(e.Fields, []fault.FieldError{{Field: "price", Message: c.sentence}})):
			t.Errorf("%s: %v; want %s", c.rule, err, c.sentence)
		}
	}
}

func TestEverythingThatIsWrongIsSaidAtOnceInTheOrderOfTheForm(t *testing.T) {
	err := domain.CreateOrder{
		CustomerID: "", Reference: " x", Currency: "EUR",
		Items: []domain.Item{tea(), {SKU: "", Name: "a\nb", Quantity: 0, Price: eur(-1)}},
	}.Check()
	e, ok := err.(*fault.Error)
	if !ok {
		t.Fatal(err)
	}
	var fields []string
	for _, f := range e.Fields {
		fields = append(fields, f.Field)
	}
	want := "customerId reference items[1].sku items[1].name items[1].quantity items[1].price"
	if got := strings.Join(fields, " "); got != want || e.Message != e.Fields[0].Message {
		t.Errorf("%s\nnot %s", got, want)
	}
}
