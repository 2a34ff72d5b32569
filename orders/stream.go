package orders

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
)

// Stream is an order as its events tell it.
type Stream struct {
	Order   domain.Order        // the state after the last event that could be applied
	Records []eventstore.Record // all of them, oldest first, those behind a hold included
	Hold    *Hold               // not nil if an event cannot be decoded, upcast or applied; it refuses further commands
}

// Hold names the first event of a stream that cannot be applied.
type Hold struct {
	Version int
	Reason  string // a sentence for a person
}

// Head is the newest stored version, 0 if there is none.
func (s Stream) Head() int {
	if len(s.Records) == 0 {
		return 0
	}
	return s.Records[len(s.Records)-1].Version
}

// Fold builds a stream from all records of one order, oldest first. It never fails: what cannot be applied is the Hold.
func Fold(codec domain.Codec, records []eventstore.Record) Stream {
	s := Stream{Records: records}
	s.Hold = foldOn(codec, &s.Order, records)
	return s
}

// decodeTogether is how many records of a long stream are decoded at once, by all processors: decoding is most of a fold, and is pure.
const decodeTogether = 1000

// foldOn adds the records that follow to an order, up to the one that cannot be applied.
func foldOn(codec domain.Codec, o *domain.Order, records []eventstore.Record) *Hold {
	for len(records) > decodeTogether/2 {
		n := min(len(records), decodeTogether)
		if hold := applyAll(o, records[:n], decodeAll(codec.Decode, records[:n])); hold != nil {
			return hold
		}
		records = records[n:]
	}
	for _, r := range records {
		if err := ApplyRecord(codec, o, r); err != nil {
			return holdAt(r, err)
		}
	}
	return nil
}

func holdAt(r eventstore.Record, err error) *Hold {
	return &Hold{Version: r.Version, Reason: fault.Sentence(err)}
}

// decoded is what a record says, or why it cannot be read.
type decoded struct {
	facts []domain.Event
	err   error
}

// decodeAll decodes records by all processors. A panic is the caller's, who may know how to go on.
func decodeAll(decode func(domain.Raw) ([]domain.Event, error), records []eventstore.Record) []decoded {
	all := make([]decoded, len(records))
	share := len(records)/runtime.GOMAXPROCS(0) + 1
	var working sync.WaitGroup
	var panicked atomic.Pointer[any]
	for from := 0; from < len(records); from += share {
		working.Go(func() {
			defer func() {
				if cause := recover(); cause != nil {
					panicked.Store(&cause)
				}
			}()
			for i := from; i < min(from+share, len(records)); i++ {
				all[i].facts, all[i].err = decode(RawOf(records[i]))
			}
		})
	}
	working.Wait()
	if cause := panicked.Load(); cause != nil {
		panic(*cause)
	}
	return all
}

func applyAll(o *domain.Order, records []eventstore.Record, all []decoded) *Hold {
	for i, r := range records {
		err := all[i].err
		if err == nil {
			err = apply(o, r, all[i].facts)
		}
		if err != nil {
			return holdAt(r, err)
		}
	}
	return nil
}

// ApplyRecord decodes one record and adds it to the order; on an error the order is unchanged.
func ApplyRecord(codec domain.Codec, o *domain.Order, r eventstore.Record) error {
	facts, err := codec.Decode(RawOf(r))
	if err != nil {
		return err
	}
	return apply(o, r, facts)
}

func apply(o *domain.Order, r eventstore.Record, facts []domain.Event) error {
	return o.Apply(IDOf(r.Stream), r.Version, domain.Origin{At: r.Metadata.Timestamp, By: r.Metadata.UserID}, facts...)
}

// Load reads and folds one order. NotFound if it does not exist.
func (h Handler) Load(ctx context.Context, id domain.OrderID) (Stream, error) {
	records, err := h.Events.Read(ctx, StreamOf(id), 0)
	if err != nil {
		return Stream{}, err
	}
	if len(records) == 0 {
		return Stream{}, fault.Errorf(fault.NotFound, "There is no order %s.", id)
	}
	return Fold(h.Codec, records), nil
}

// RawOf is the part of a record that the codec reads.
func RawOf(r eventstore.Record) domain.Raw {
	return domain.Raw{OrderID: IDOf(r.Stream), Version: r.Version, EventType: r.EventType, SchemaVersion: r.SchemaVersion, Data: r.Data}
}
