package operations

import (
	"context"
	"slices"
	"time"

	"headway/eventstore"
)

// The bounds of one page of the record.
const (
	PageSize = 50
	maxRead  = 2000 // operations that one page of a filter looks at; the next page goes on
)

// Filter is what is asked of the record. The zero Filter is everything.
type Filter struct {
	Who      string // exactly
	What     What
	Outcome  Outcome
	From, To time.Time // of At; From inclusive, To exclusive; zero means open
}

func (f Filter) has(o Operation) bool {
	return (f.Who == "" || f.Who == o.Who) && (f.What == "" || f.What == o.What) && (f.Outcome == "" || f.Outcome == o.Outcome) &&
		(f.From.IsZero() || !o.At.Before(f.From)) && (f.To.IsZero() || o.At.Before(f.To))
}

// List is a page of the record, newest first, at most limit operations; 0 means PageSize. next is empty at the end. A page may be short, or
// empty, and have a next all the same: a filter that finds little looks at maxRead operations a page. A cursor that is not ours is
// Malformed.
func List(
	ctx context.Context, log eventstore.Store, f Filter, before eventstore.Cursor, limit int,
) (page []Operation, next eventstore.Cursor, err error) {
	if limit <= 0 {
		limit = PageSize
	}
	for read := 0; read < maxRead; {
		began, after, err := log.ByType(ctx, Category, typeAsked, before, limit-len(page))
		if err != nil {
			return nil, "", err
		}
		found, err := whole(ctx, log, began)
		if err != nil {
			return nil, "", err
		}
		for _, o := range found {
			if f.has(o) {
				page = append(page, o)
			}
		}
		read += len(began)
		before = after
		older := len(found) > 0 && found[len(found)-1].At.Before(f.From)
		if before == "" || older {
			return page, "", nil
		}
		if len(page) >= limit {
			break
		}
	}
	return page, before, nil
}

// Get is one operation; false if there is none of that id.
func Get(ctx context.Context, log eventstore.Store, id string) (o Operation, found bool, err error) {
	records, err := log.Read(ctx, eventstore.StreamID{Category: Category, ID: id}, 0)
	if err != nil {
		return Operation{}, false, err
	}
	o, found = fold(records)
	return o, found, nil
}

// whole reads the operations that these events began, in their order.
func whole(ctx context.Context, log eventstore.Store, began []eventstore.Record) ([]Operation, error) {
	heads := make([]eventstore.Head, len(began))
	for i, r := range began {
		heads[i].Stream = r.Stream
	}
	var found []Operation
	for len(heads) > 0 {
		records, err := log.ReadMany(ctx, heads, eventstore.MaxPage)
		if err != nil || len(records) == 0 {
			return found, err
		}
		cutOff := len(records) >= eventstore.MaxPage
		for len(records) > 0 {
			n := slices.IndexFunc(records, func(r eventstore.Record) bool { return r.Stream != records[0].Stream })
			if n < 0 && cutOff {
				break // the last one's may not be all
			} else if n < 0 {
				n = len(records)
			}
			if o, ok := fold(records[:n]); ok {
				found = append(found, o)
			}
			at := slices.IndexFunc(heads, func(h eventstore.Head) bool { return h.Stream == records[0].Stream })
			heads, records = heads[at+1:], records[n:]
		}
		if !cutOff {
			return found, nil
		}
	}
	return found, nil
}
