package elastic

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"headway/domain"
	"headway/projections"
)

// The bounds of what adds up.
const (
	maxContributions = 20_000 // of one order: more than it can have events, or lines
	keysPerSum       = 100    // sums made by one request; all currencies twice for each are fewer buckets than the node allows
	maxCurrencies    = 250    // more than ISO 4217 has
	maxNotes         = 1000   // notes of sums to be made that one look finds
	notesKept        = time.Hour
	notesEvery       = time.Minute // how often notes of other processes are looked for
)

// contributing is how a projection is kept that adds up. All that an order contributes is one document, at the order's version, each
// contribution an object of its own in it; a sum is asked of the node, over all contributions of its key, and is a document of another
// index. D is a contribution as a document has it.
type contributing[C projections.Contribution, D any] struct {
	fields object // of a contribution, beside those that each has
	doc    func(of contributionDoc, c C) D
	of     func(d D) C
	ask    object // the aggregations that a sum is made of, over the contributions that count
	// sum is the document of a sum of so many contributions, by the answers to these; of none it is one that is not shown.
	sum func(key string, n int, answers json.RawMessage) (any, error)
}

// contributionDoc is what every contribution has.
type contributionDoc struct {
	Key     string         `json:"key"`
	Counts  bool           `json:"counts"`
	Order   domain.OrderID `json:"order"`
	Version int            `json:"version"` // of the order
}

// contributedDoc is a row.
type contributedDoc[D any] struct {
	ID            domain.OrderID `json:"id"`
	Version       int            `json:"version"`
	Status        domain.Status  `json:"status"`
	Lines         int            `json:"lines"`
	StoredAt      int64          `json:"storedAt"`
	Total         moneyDoc       `json:"total"`
	Contributions []D            `json:"contributions"`
}

// ofContribution begins the name of a field of one.
const ofContribution = "contributions."

// keep fills in how the orders are kept.
func (c contributing[C, D]) keep(k keeper) keeper {
	f := fieldKinds()
	each := object{"key": f.word, "counts": f.flag, "order": f.word, "version": f.number}
	maps.Copy(each, c.fields)
	k.fields[k.rows] = object{
		"id": f.kept, "version": f.keptNumber, "status": f.kept, "lines": f.keptNumber, "storedAt": f.keptNumber, "total": f.opaque,
		"contributions": object{"type": "nested", "properties": each},
	}
	k.row = read(func(d contributedDoc[D]) projections.Row { return c.row(d) })
	k.write = func(ctx context.Context, s *Store, t targets, rows []projections.Row) error {
		contributed, err := rowsOf[projections.Contributed[C]](rows)
		if err != nil {
			return err
		}
		return writing[C, D]{c, k, s, t}.write(ctx, contributed)
	}
	checkSums := k.check
	k.check = func(ctx context.Context, s *Store, differ differ) error {
		err := eachDocument(ctx, s, k.rows, func(d contributedDoc[D]) {
			differ(string(d.ID), "contributions", fmt.Sprint(c.document(c.row(d)).Contributions), fmt.Sprint(d.Contributions))
		})
		if err == nil && checkSums != nil {
			err = checkSums(ctx, s, differ)
		}
		return err
	}
	return k
}

func (c contributing[C, D]) row(d contributedDoc[D]) projections.Contributed[C] {
	r := projections.Contributed[C]{
		ID: d.ID, Version: d.Version, Status: d.Status, Lines: d.Lines, StoredAt: moment(d.StoredAt),
		Total: domain.Money{Minor: d.Total.Minor, Currency: d.Total.Currency},
	}
	for _, one := range d.Contributions {
		r.Contributions = append(r.Contributions, c.of(one))
	}
	return r
}

func (c contributing[C, D]) document(r projections.Contributed[C]) contributedDoc[D] {
	d := contributedDoc[D]{
		ID: r.ID, Version: r.Version, Status: r.Status, Lines: r.Lines, StoredAt: micros(r.StoredAt),
		Total: moneyDoc{r.Total.Currency, r.Total.Minor}, Contributions: []D{},
	}
	for _, one := range r.Contributions {
		d.Contributions = append(d.Contributions, c.doc(contributionDoc{one.Key(), one.Counts(), r.ID, r.Version}, one))
	}
	return d
}

// summed is what a store knows of the sums of one projection.
type summed struct {
	turn     turn      // taken while sums are made
	unsummed bool      // a note of ours is left over; guarded by turn
	lookedAt time.Time // when notes of any process were looked for; guarded by turn
}

// writing is one write of a projection that adds up.
type writing[C projections.Contribution, D any] struct {
	contributing[C, D]
	k keeper
	s *Store
	t targets
}

// write stores rows and the sums that they change.
//
// The keys whose sums change are noted first: a crash after the rows would otherwise leave sums that nobody knows to be old, because the
// rows are then as new as the log. Whoever writes next makes the sums of notes that were left.
func (w writing[C, D]) write(ctx context.Context, rows []projections.Contributed[C]) error {
	s, now := w.s, w.s.clock()
	summed := s.summed[w.k.projection]
	if err := summed.turn.take(ctx); err != nil {
		return err
	}
	defer summed.turn.give()
	if summed.unsummed || now.Sub(summed.lookedAt) >= notesEvery {
		if err := w.sumNoted(ctx); err != nil {
			return err
		}
		summed.unsummed, summed.lookedAt = false, now
	}
	if len(rows) == 0 {
		return nil
	}
	items, dirty, err := w.merge(ctx, rows)
	if err != nil {
		return err
	}
	if len(dirty) == 0 {
		return s.client.bulk(ctx, items, true)
	}
	summed.unsummed = true
	note := item{index: w.t[states].index, id: w.note(), doc: stateDoc{Kind: "note", Projection: w.k.projection, Keys: dirty, At: micros(now)}}
	if err := s.client.bulk(ctx, []item{note}, false); err != nil {
		return err
	}
	if err := s.client.bulk(ctx, items, false); err != nil {
		return err
	}
	if err := w.sumAll(ctx, dirty); err != nil {
		return err
	}
	if err := s.client.bulk(ctx, []item{{index: note.index, id: note.id}}, false); err != nil {
		return err
	}
	summed.unsummed = false
	return nil
}

func (w writing[C, D]) note() string { return "note:" + w.k.projection + ":" + w.s.id }

// merge says which rows are to be written, and the keys whose sums they may change. A row that is there already makes all its keys such:
// whoever wrote it may not have come to the sums.
func (w writing[C, D]) merge(ctx context.Context, rows []projections.Contributed[C]) (items []item, dirty []string, err error) {
	newest := map[domain.OrderID]projections.Contributed[C]{}
	var ids []domain.OrderID
	for _, r := range rows {
		old, known := newest[r.ID]
		if !known {
			ids = append(ids, r.ID)
		}
		if !known || old.Version < r.Version {
			newest[r.ID] = r
		}
	}
	found, err := w.s.fetch(ctx, w.t[w.k.rows].index, keysOf(ids), true)
	if err != nil {
		return nil, nil, err
	}
	there := map[domain.OrderID]projections.Contributed[C]{}
	for _, f := range found {
		var d contributedDoc[D]
		if err := json.Unmarshal(f.Source, &d); err != nil {
			return nil, nil, err
		}
		there[d.ID] = w.row(d)
	}
	for _, id := range ids {
		r, old := newest[id], there[id]
		if r.Version <= old.Version {
			dirty = append(append(dirty, r.Keys()...), old.Keys()...)
			continue
		}
		gone, come := old.Changes(r)
		for _, c := range append(gone, come...) {
			dirty = append(dirty, c.Key())
		}
		items = append(items, item{
			index: w.t[w.k.rows].index, id: string(id), order: id, version: external(int64(r.Version)), doc: w.document(r),
		})
	}
	return items, distinct(dirty), nil
}

// sumNoted makes the sums of all notes. A note of another process is kept for a while: that process may be between its note and its rows.
func (w writing[C, D]) sumNoted(ctx context.Context) error {
	s := w.s
	if err := s.refresh(ctx, w.t[states].index); err != nil {
		return err
	}
	answer, err := s.search(ctx, w.t[states].index, object{"size": maxNotes, "query": object{"bool": object{"filter": []object{
		{"term": object{"kind": "note"}}, {"term": object{"projection": w.k.projection}},
	}}}})
	if err != nil {
		return err
	}
	var done []item
	for _, h := range answer.Hits.Hits {
		var note stateDoc
		if err := json.Unmarshal(h.Source, &note); err != nil {
			return err
		}
		if err := w.sumAll(ctx, note.Keys); err != nil {
			return err
		}
		if h.ID == w.note() || s.clock().Sub(moment(note.At)) > notesKept {
			done = append(done, item{index: w.t[states].index, id: h.ID})
		}
	}
	return s.client.bulk(ctx, done, false)
}

// sumAll writes sums as their contributions are now. The version of a sum is that of the orders of all contributions that ever counted,
// added up, which grows with every change: an older sum never replaces a newer one.
func (w writing[C, D]) sumAll(ctx context.Context, keys []string) error {
	keys = slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return len(key) > maxTerm }) // none has a contribution: it was refused
	if len(keys) == 0 {
		return nil
	}
	if err := w.s.refresh(ctx, w.t[w.k.rows].index); err != nil {
		return err
	}
	var items []item
	for chunk := range slices.Chunk(keys, keysPerSum) {
		some, err := w.sums(ctx, chunk)
		if err != nil {
			return err
		}
		items = append(items, some...)
	}
	return w.s.client.bulk(ctx, items, true)
}

// sums asks for some sums.
func (w writing[C, D]) sums(ctx context.Context, keys []string) (items []item, err error) {
	const key = ofContribution + "key"
	answer, err := w.s.search(ctx, w.t[w.k.rows].index, object{
		"size": 0, "track_total_hits": false, "query": object{"nested": object{"path": "contributions",
			"query": object{"terms": object{key: keys}}}},
		"aggs": object{"contributions": object{"nested": object{"path": "contributions"}, "aggs": object{
			"keys": object{"terms": object{"field": key, "include": keys, "size": len(keys)}, "aggs": object{
				"version": object{"sum": object{"field": ofContribution + "version"}},
				"counted": object{"filter": object{"term": object{ofContribution + "counts": true}}, "aggs": w.ask},
			}},
		}}},
	})
	if err != nil {
		return nil, err
	}
	var told struct {
		Contributions struct {
			Keys struct {
				Buckets []struct {
					Key     string `json:"key"`
					Version struct {
						Value float64 `json:"value"`
					} `json:"version"`
					Counted json.RawMessage `json:"counted"`
				} `json:"buckets"`
			} `json:"keys"`
		} `json:"contributions"`
	}
	if err := json.Unmarshal(answer.Aggregations, &told); err != nil {
		return nil, err
	}
	for _, b := range told.Contributions.Keys.Buckets {
		var n struct {
			DocCount int `json:"doc_count"`
		}
		if err := json.Unmarshal(b.Counted, &n); err != nil {
			return nil, err
		}
		doc, err := w.sum(b.Key, n.DocCount, b.Counted)
		if err != nil {
			return nil, err
		}
		items = append(items, item{index: w.t[w.k.sums].index, id: sumKey(b.Key), version: external(int64(b.Version.Value)), doc: doc})
	}
	return items, nil
}

// refresh has searches of an index find what was written to it.
func (s *Store) refresh(ctx context.Context, index string) error {
	var told struct {
		Shards struct {
			Failed int `json:"failed"`
		} `json:"_shards"`
	}
	err := s.client.call(ctx, refreshRequest(index), nil, &told)
	if err == nil && told.Shards.Failed > 0 {
		err = fmt.Errorf("%d shards of %s were not refreshed", told.Shards.Failed, index)
	}
	return err
}
