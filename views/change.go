package views

import (
	"fmt"
	"time"

	"headway/domain"
)

// MaxChanges bounds the list of Changes; the last entry then says how many more there are.
const MaxChanges = 100

// Changes lists, field by field, what is different between two states of one order, in the order in which the order page shows the
// fields. A field that was empty has an empty From; before may be the zero Order.
func Changes(before, after domain.Order) []Change {
	changes := []Change{}
	add := func(field, from, to string) {
		if from != to {
			changes = append(changes, Change{field, from, to})
		}
	}
	add("status", string(before.Status), string(after.Status))
	add("reference", before.Reference, after.Reference)
	add("customer", before.CustomerID, after.CustomerID)
	for i := range max(len(before.Items), len(after.Items)) {
		add(fmt.Sprintf("line %d", i+1), lineWords(before.Items, i), lineWords(after.Items, i))
	}
	add("total", totalWords(before), totalWords(after))
	add("created", timeWords(before.CreatedAt), timeWords(after.CreatedAt))
	add("confirmed", timeWords(before.ConfirmedAt), timeWords(after.ConfirmedAt))
	add("cancelled", timeWords(before.CancelledAt), timeWords(after.CancelledAt))
	add("reason", before.CancelReason, after.CancelReason)
	for _, note := range after.Notes[min(len(before.Notes), len(after.Notes)):] {
		add("note", "", note.Text)
	}
	if more := len(changes) - MaxChanges + 1; more > 1 {
		changes = append(changes[:MaxChanges-1], Change{Field: count(more, "more change")})
	}
	return changes
}

func lineWords(items []domain.Item, i int) string {
	if i >= len(items) {
		return ""
	}
	item := items[i]
	return fmt.Sprintf("%s × %s (%s) at %s", number(item.Quantity), item.Name, item.SKU, item.Price)
}

func totalWords(o domain.Order) string {
	if !o.Exists() {
		return ""
	}
	return o.Total.String()
}

func timeWords(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(shapeSecond + " MST")
}
