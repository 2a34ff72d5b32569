package console

import (
	"fmt"
	"testing"

	"github.com/google/uuid"

	"headway/cmd/web/console/consoletest"
	"headway/cmd/web/console/wire"
)

// A note is taken by JSON and by form without a version or with an old one, is answered with a receipt, and is in the order, its events and
// its page.
func TestNotes(t *testing.T) {
	c := openConsole(t)
	order := "/orders/" + string(c.newOrder("").OrderID)
	body := fmt.Sprintf(`{"commandId":%q,"text":"Ring twice;\nthen wait"}`, uuid.NewString())
	first := c.PostJSON(order+"/notes", body)
	first.Wants(t, 200)
	if again := c.PostJSON(order+"/notes", body); again.Body != first.Body {
		t.Errorf("a repeat is answered\n%s\nand not\n%s", again.Body, first.Body)
	}
	if got := consoletest.Decoded[wire.Receipt](t, first); got.Version != 2 || len(got.Events) != 1 {
		t.Errorf("the receipt is %+v", got)
	}
	c.PostJSON(order+"/confirm", fmt.Sprintf(`{"commandId":%q,"expectedVersion":1}`, uuid.NewString())).Wants(t, 200) // which a note did not move
	c.PostJSON(order+"/notes", fmt.Sprintf(`{"commandId":%q,"expectedVersion":1,"text":"Too late"}`, uuid.NewString())).Wants(t, 200)
	if r := c.PostForm(order+"/notes", "commandId", uuid.NewString(), "expectedVersion", "2", "text", "By hand\r\n"); r.Status != 303 {
		t.Errorf("the form is answered %d %s", r.Status, r.Body)
	}
	c.PostJSON(order+"/items", fmt.Sprintf(`{"commandId":%q,"expectedVersion":1,"sku":"a","name":"b","quantity":1,"price":"1"}`, uuid.NewString())).Wants(t, 409)

	page := consoletest.Decoded[struct {
		Order  wire.Order
		Events []wire.Event
	}](t, c.GetJSON(order))
	texts := map[int]string{2: "Ring twice;\nthen wait", 4: "Too late", 5: "By hand"}
	if len(page.Order.Notes) != len(texts) || len(page.Events) != 5 {
		t.Fatalf("the order is %+v", page)
	}
	for _, n := range page.Order.Notes {
		e := page.Events[n.Version-1]
		if texts[n.Version] != n.Text || n.Who == nil || *n.Who != *e.Metadata.UserID || *n.At != *e.Metadata.Timestamp || e.EventType != "OrderNoteAdded" ||
			e.SchemaVersion != 1 || e.StoredSchemaVersion != 1 {
			t.Errorf("the note %+v is of the event %+v", n, e)
		}
	}
	c.Get(order).Wants(t, 200, `<p class="note-text">Ring twice;`, "noted: By hand", `data-action="note"`)
	c.GetJSON(order+"?at=1").Wants(t, 200, `"notes": []`)
	c.GetJSON(order+"?at=2").Wants(t, 200, `"field": "note"`)
	for name, body := range map[string]string{"no text": `{"commandId":%q}`, "an empty text": `{"commandId":%q,"text":"  "}`} {
		if r := c.PostJSON(order+"/notes", fmt.Sprintf(body, uuid.NewString())); r.Status != 422 {
			t.Errorf("%s: %d %s", name, r.Status, r.Body)
		}
	}
	c.PostJSON("/orders/"+uuid.NewString()+"/notes", fmt.Sprintf(`{"commandId":%q,"text":"x"}`, uuid.NewString())).Wants(t, 404)
}
