package domain_test

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"headway/domain"
	"headway/fault"
)

func drawItem(t *rapid.T) domain.Item {
	return domain.Item{
		SKU:      rapid.StringMatching(`[A-Z]{1,4}-[0-9]{1,3}`).Draw(t, "sku"),
		Name:     rapid.StringMatching(`\pL{1,12}`).Draw(t, "name"),
		Quantity: rapid.Int64Range(domain.MinQuantity-1, domain.MaxQuantity+1).Draw(t, "quantity"),
		Price: domain.Money{
			Minor:    rapid.OneOf(rapid.Int64Range(-1, 100_000), rapid.Int64Min(1<<60)).Draw(t, "minor"),
			Currency: rapid.SampledFrom([]domain.Currency{"EUR", "EUR", "EUR", "KWD"}).Draw(t, "currency"),
		},
	}
}

func drawCommand(t *rapid.T) domain.Command {
	switch rapid.SampledFrom([]string{"create", "add", "add", "add", "confirm", "cancel", "note"}).Draw(t, "command") {
	case "create":
		return domain.CreateOrder{
			CustomerID: rapid.StringN(0, 5, -1).Draw(t, "customer"), Currency: "EUR",
			Reference: rapid.StringN(0, 5, -1).Draw(t, "reference"),
			Items:     rapid.SliceOfN(rapid.Custom(drawItem), 0, 3).Draw(t, "items"),
		}
	case "add":
		return domain.AddItem{Item: drawItem(t)}
	case "confirm":
		return domain.ConfirmOrder{}
	case "note":
		return domain.AddNote{Text: rapid.StringN(0, 5, -1).Draw(t, "text")}
	}
	return domain.CancelOrder{Reason: rapid.StringN(0, 5, -1).Draw(t, "reason")}
}

// drawHistory makes a history the way the world does: commands decide, and what they decide happened. It begins with an order.
func drawHistory(t *rapid.T) []domain.Event {
	history, err := create().Decide(domain.Order{})
	if err != nil {
		t.Fatal(err)
	}
	o := fold(t, domain.Order{}, history)
	for range rapid.IntRange(0, 12).Draw(t, "commands") {
		events, err := drawCommand(t).Decide(o)
		if err != nil {
			continue
		}
		o = fold(t, o, events)
		history = append(history, events...)
	}
	return history
}

func fold(t *rapid.T, o domain.Order, events []domain.Event) domain.Order {
	t.Helper()
	for _, e := range events {
		if err := o.Apply(orderID, o.Version+1, on(o.Version+1), e); err != nil {
			t.Fatalf("%#v cannot be applied at version %d: %v", e, o.Version+1, err)
		}
	}
	return o
}

func TestWhatWasDecidedCanAlwaysBeFolded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := domain.Order{}
		for range rapid.IntRange(1, 15).Draw(t, "commands") {
			command := drawCommand(t)
			before := o.Clone()
			events, err := command.Decide(o)
			switch {
			case !reflect.DeepEqual(o, before):
				t.Fatal("deciding changed the order")
			case err == nil && len(events) == 0:
				t.Fatal("nothing was decided, and nothing said")
			case err == nil && command.Check() != nil:
				t.Fatalf("decided what Check refuses: %v", command.Check())
			case err != nil && len(events) > 0:
				t.Fatal("events beside an error")
			}
			o = fold(t, o, events)
		}
	})
}

func TestFoldingDoesNotDependOnWhereItIsSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		history := drawHistory(t)
		split := rapid.IntRange(0, len(history)).Draw(t, "split")
		whole := fold(t, domain.Order{}, history)
		parts := fold(t, fold(t, domain.Order{}, history[:split]).Clone(), history[split:])
		if !reflect.DeepEqual(whole, parts) {
			t.Fatalf("whole %+v\nparts %+v", whole, parts)
		}
	})
}

func TestTheTotalIsTheSumOfQuantityTimesPrice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := fold(t, domain.Order{}, drawHistory(t))
		sum := int64(0)
		for _, item := range o.Items {
			sum += item.Quantity * item.Price.Minor
		}
		if o.Total != eur(sum) {
			t.Fatalf("%v, not %v", o.Total, eur(sum))
		}
	})
}

func TestWhatIsStoredIsReadAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var codec domain.Codec
		for i, e := range drawHistory(t) {
			eventType, schema, data, err := codec.Encode(e)
			if err != nil {
				t.Fatal(err)
			}
			raw := domain.Raw{OrderID: orderID, Version: i + 1, EventType: eventType, SchemaVersion: schema, Data: data}
			if got, err := codec.Decode(raw); err != nil || !reflect.DeepEqual(got, []domain.Event{e}) {
				t.Fatalf("%#v is stored as %s and read as %#v, %v", e, data, got, err)
			}
		}
	})
}

func TestButtonsAgreeWithDecidingInEveryHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := fold(t, domain.Order{}, drawHistory(t))
		actions := domain.ActionsOf(o)
		for _, command := range allowable(t) {
			action := actions.Of(domain.ActionName(command))
			if _, err := command.Decide(o); action.Allowed != (err == nil) || err != nil && action.Reason != fault.Sentence(err) {
				t.Fatalf("%s: the button says %+v, deciding says %v", command.Kind(), action, err)
			}
		}
	})
}
