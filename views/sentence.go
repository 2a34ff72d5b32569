package views

import (
	"fmt"
	"strings"
	"time"

	"headway/domain"
	"headway/projections"
)

// Sentence says in words what an event did and who did it: "operator confirmed the order".
func Sentence(h TimelineEntry) string {
	who := h.UserID
	if who == "" {
		who = "somebody"
	}
	switch {
	case h.Facts == nil:
		return fmt.Sprintf("%s stored %s of schema %d, which cannot be read", who, h.Type, h.Schema)
	case len(h.Facts) == 0:
		return fmt.Sprintf("%s stored %s, which means nothing any more", who, h.Type)
	}
	did := make([]string, len(h.Facts))
	for i, fact := range h.Facts {
		did[i] = deed(fact)
	}
	return who + " " + strings.Join(did, " and ")
}

// deed says in words what somebody did.
func deed(fact domain.Event) string {
	switch e := fact.(type) {
	case domain.OrderCreated:
		return fmt.Sprintf("created the order for %s with %s", e.CustomerID, count(len(e.Items), "line"))
	case domain.OrderItemAdded:
		return fmt.Sprintf("added %s × %s at %s", number(e.Item.Quantity), e.Item.Name, e.Item.Price)
	case domain.OrderConfirmed:
		return "confirmed the order"
	case domain.OrderCancelled:
		return "cancelled the order: " + e.Reason
	case domain.OrderNoteAdded:
		return "noted: " + e.Text
	}
	return "stored " + fact.Type()
}

// Evidence says that somebody decided on an older version than the head, and nothing if they saw the head or it is not known:
// "while looking at v5; the head was v7".
func Evidence(h TimelineEntry) string {
	head := h.Version - 1
	if h.Seen <= 0 || h.Seen >= head {
		return ""
	}
	return fmt.Sprintf("while looking at v%d; the head was v%d", h.Seen, head)
}

// storedLater tells whether the store wrote an event long after its business time, as an import does.
func storedLater(h TimelineEntry) bool {
	return !h.StoredAt.IsZero() && !h.BusinessAt.IsZero() && h.StoredAt.Sub(h.BusinessAt).Abs() > time.Minute
}

// Label is a projection's name for people: order_list is "Order list".
func Label(projection string) string {
	label := []byte(projection)
	for i, b := range label {
		if b == '_' {
			label[i] = ' '
		}
	}
	if len(label) > 0 && 'a' <= label[0] && label[0] <= 'z' {
		label[0] -= 'a' - 'A'
	}
	return string(label)
}

// shortLabel names a projection where a line has no room for its label.
func shortLabel(projection string) string {
	if p, err := projections.Named(projection); err == nil {
		return p.Short
	}
	return Label(projection)
}
