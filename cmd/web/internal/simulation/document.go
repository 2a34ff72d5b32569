package simulation

import (
	"html"
	"strconv"
	"strings"
	"time"
)

// reading is what the scripts see in the HTML of a page, or of a fragment.
type reading struct {
	seq, build string
	counts     string
	topics     []string
	elements   []element
	lists      []List
	more       bool // there is a next page
}

// element is a live element of a document.
type element struct {
	Item
	drawn   bool   // its stamp was drawn by the script
	content string // of a table's row, without its stamp
	created *int64 // ms
}

// read finds what the scripts look for, tag by tag. It relies on the templates, whose attributes hold no unescaped bracket.
func read(page string) reading {
	var r reading
	for at := 0; ; {
		open := strings.IndexByte(page[at:], '<')
		if open < 0 {
			return r
		}
		at += open
		end := strings.IndexByte(page[at:], '>')
		if end < 0 {
			return r
		}
		tag := page[at : at+end]
		at += end + 1
		if strings.Contains(tag, ` rel="next"`) {
			r.more = true
		}
		if strings.Contains(tag, "data-") || strings.HasPrefix(tag, "<time") {
			r.tag(tag, page[at:])
		}
	}
}

func (r *reading) tag(tag, rest string) {
	var last *element
	if len(r.elements) > 0 {
		last = &r.elements[len(r.elements)-1]
	}
	switch live, isLive := attribute(tag, "data-live"); {
	case strings.HasPrefix(tag, "<body"):
		r.seq, _ = attribute(tag, "data-seq")
		r.build, _ = attribute(tag, "data-build")
		watch, _ := attribute(tag, "data-watch")
		r.topics = strings.Fields(watch)
	case isLive && live != "projection":
		id, _ := attribute(tag, "data-id")
		r.elements = append(r.elements, element{
			Item: Item{Projection: live, ID: id, Version: number(tag, "data-version"), Head: number(tag, "data-head")},
		})
		if strings.HasPrefix(tag, "<tr") {
			content, _, _ := strings.Cut(rest, "</tr>")
			content, _, _ = strings.Cut(content, `<td class="col-stamp"`)
			r.elements[len(r.elements)-1].content = content
		}
	case strings.HasPrefix(tag, "<time"):
		if last != nil && last.Projection == "order_list" && last.created == nil {
			text, _ := attribute(tag, "datetime")
			if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
				ms := t.UnixMilli()
				last.created = &ms
			}
		}
	case strings.Contains(tag, " data-new"):
		r.counts = "orders"
	case strings.Contains(tag, "data-list-stamp"), strings.Contains(tag, "data-headway="):
		name, isStamp := attribute(tag, "data-projection")
		if !isStamp {
			name, _ = attribute(tag, "data-headway")
		}
		state, _ := attribute(tag, "data-state")
		for _, list := range r.lists {
			if list.Projection == name {
				return // the list's own stamp, or the first bar, counts
			}
		}
		r.lists = append(r.lists, List{name, state})
	case strings.Contains(tag, " data-stamp") && last != nil && last.Projection == "order_list":
		last.State, _ = attribute(tag, "data-state")
	}
}

func (r *reading) has(projection, id string) bool {
	for _, e := range r.elements {
		if e.Projection == projection && e.ID == id {
			return true
		}
	}
	return false
}

func attribute(tag, name string) (string, bool) {
	_, value, found := strings.Cut(tag, " "+name+`="`)
	if !found {
		return "", false
	}
	value, _, _ = strings.Cut(value, `"`)
	return html.UnescapeString(value), true
}

func number(tag, name string) int64 {
	text, _ := attribute(tag, name)
	n, _ := strconv.ParseInt(text, 10, 64) // none is 0
	return n
}

// document is what a page shows, in the order of showing.
type document struct {
	elements []*element
}

func (d *document) find(projection, id string) *element {
	for _, e := range d.elements {
		if e.Projection == projection && e.ID == id {
			return e
		}
	}
	return nil
}

// swap puts an element in the place of the one that is shown, if there is one.
func (d *document) swap(e element) {
	if old := d.find(e.Projection, e.ID); old != nil {
		*old = e
	}
}

// frame is pageFrame of page.js.
func (d *document) frame(r reading, fresh []string) Frame {
	f := Frame{Type: "page", Build: r.build, Seq: r.seq, Lists: r.lists, Counts: r.counts, Fresh: fresh}
	for _, e := range d.elements {
		item := e.Item
		if e.drawn {
			item.State = ""
		}
		f.Items = append(f.Items, item)
		if r.more && e.created != nil && (f.Beyond == nil || *e.created < *f.Beyond) { // the list is the first page of the newest
			f.Beyond = e.created
		}
	}
	return f
}

// takeOver is takeOver of page.js: it answers the orders that only the new reading has.
func (d *document) takeOver(r reading, isOlder func(projection, id string, version int64, seq string) bool) (fresh []string) {
	for _, e := range r.elements {
		if !isOlder(e.Projection, e.ID, e.Version, r.seq) {
			d.swap(e)
		}
	}
	for _, e := range d.elements {
		e.Left = !r.has(e.Projection, e.ID)
	}
	for _, e := range r.elements {
		if e.Projection == "order_list" && d.find(e.Projection, e.ID) == nil {
			fresh = append(fresh, e.ID)
		}
	}
	return fresh
}

// redraw draws every stamp by the state.
func (d *document) redraw(s *State, now int64) {
	for _, e := range d.elements {
		if e.Projection != "order_list" { // no other element has a stamp
			continue
		}
		if state := s.StampOf(e.Projection, e.ID, now); state != e.State {
			e.State, e.drawn = state, true
		}
		item := s.items[itemKey{e.Projection, e.ID}]
		e.Head = max(item.Head, item.Version)
	}
}
