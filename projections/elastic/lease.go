package elastic

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"sync"
	"time"

	"headway/projections"
)

const leaseKey = "lease"

// revision is which write of a document it is: a write that names it is refused if there was another since.
type revision struct {
	SeqNo       int `json:"_seq_no"`
	PrimaryTerm int `json:"_primary_term"`
}

// stateAt is a document of the states with its revision.
type stateAt struct {
	doc stateDoc
	at  *revision // nil if it is not there
}

// statesNow reads documents of the states as they are now.
func (s *Store) statesNow(ctx context.Context, t targets, keys ...string) (map[string]stateAt, error) {
	found, err := s.fetch(ctx, t[states].index, keys, true)
	if err != nil {
		return nil, err
	}
	all := map[string]stateAt{}
	for _, f := range found {
		var d stateDoc
		if err := json.Unmarshal(f.Source, &d); err != nil {
			return nil, err
		}
		all[f.ID] = stateAt{d, &f.revision}
	}
	return all, nil
}

// replace writes a document of the states unless it has changed since it was read. A request whose answer was lost is sent again, and finds
// what it wrote itself: that is no change.
func (s *Store) replace(ctx context.Context, t targets, key string, since *revision, doc stateDoc) error {
	refused := s.client.call(ctx, putRequest(t[states].index, key, since), doc, nil)
	if !hasStatus(refused, http.StatusConflict) {
		return refused
	}
	now, err := s.statesNow(ctx, t, key)
	if err == nil && !reflect.DeepEqual(now[key].doc, doc) {
		err = refused
	}
	return err
}

// look answers documents of the states as they were at some moment since it was made.
type look func() (map[string]stateAt, error)

// lookFresh is how old what was looked at may be.
const lookFresh = time.Second

// looking reads documents of the states, and the lease, when they are first asked for; what is older than a moment by the next time is read
// again.
func (s *Store) looking(ctx context.Context, t targets, keys ...string) look {
	keys = append(keys, leaseKey)
	type answer struct {
		now map[string]stateAt
		err error
	}
	began := time.Now()
	looked := sync.OnceValue(func() answer {
		now, err := s.statesNow(ctx, t, keys...)
		return answer{now, err}
	})
	return func() (map[string]stateAt, error) {
		a := looked()
		if a.err != nil || time.Since(began) > lookFresh {
			return s.statesNow(ctx, t, keys...)
		}
		return a.now, nil
	}
}

// guarded does what the holder of the lease may, and then replaces a document of the states by what it made of those it looked at, if
// anything.
//
// Between the look at the lease and the end of the write the lease may change hands. What then gets through is harmless: a document that
// the new holder has written is left as it is; a checkpoint is only written after its rows, and the new holder goes on from it; a hold of
// an order that has moved on is dropped by whoever meets it.
func (s *Store) guarded(
	ctx context.Context, t targets, epoch int64, key string, look look, do func(now map[string]stateAt) (*stateDoc, error),
) error {
	now, err := look()
	if err != nil {
		return err
	}
	if now[leaseKey].doc.Epoch > epoch {
		return projections.Stale()
	}
	doc, err := do(now)
	if err != nil || doc == nil {
		return err
	}
	if err = s.replace(ctx, t, key, now[key].at, *doc); hasStatus(err, http.StatusConflict) {
		return projections.Moved()
	}
	return err
}

func (d stateDoc) lease() projections.Lease {
	return projections.Lease{Holder: d.Holder, Epoch: d.Epoch, Renewals: d.Renewals, LogEpoch: d.LogEpoch}
}

// Lease is projections.Store's.
func (s *Store) Lease(ctx context.Context) (l projections.Lease, err error) {
	err = s.with(ctx, func(t targets) error {
		now, err := s.statesNow(ctx, t, leaseKey)
		l = now[leaseKey].doc.lease()
		return err
	})
	return l, err
}

// SwapLease is projections.Store's.
func (s *Store) SwapLease(ctx context.Context, old, lease projections.Lease) error {
	return s.with(ctx, func(t targets) error {
		now, err := s.statesNow(ctx, t, leaseKey)
		if err != nil {
			return err
		}
		if now[leaseKey].doc.lease() != old {
			return projections.Stale()
		}
		doc := stateDoc{Kind: "lease", Holder: lease.Holder, Epoch: lease.Epoch, Renewals: lease.Renewals, LogEpoch: lease.LogEpoch}
		if err = s.replace(ctx, t, leaseKey, now[leaseKey].at, doc); hasStatus(err, http.StatusConflict) {
			return projections.Stale()
		}
		return err
	})
}
