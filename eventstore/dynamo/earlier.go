package dynamo

import (
	"math/rand/v2"

	"headway/eventstore"
)

// Earlier is eventstore.Store's. What one follower acknowledged the other need not have, so nothing is known of what was delivered lately:
// it is read again. An audit that is under way begins again, and a follower that has not walked yet makes it the beginning.
func (s *Store) Earlier(category string, a, b eventstore.Cursor) (eventstore.Cursor, error) {
	if a == "" || b == "" || a == b {
		return min(a, b), nil
	}
	p, err := s.parseFeed(category, a)
	if err != nil {
		return "", err
	}
	q, err := s.parseFeed(category, b)
	if err != nil {
		return "", err
	}
	if p.audited == 0 || q.audited == 0 {
		return "", nil
	}
	if q.last.Version > 0 && (p.last.Version == 0 || q.last.At.Before(p.last.At)) {
		p.last = q.last // the log has both
	}
	return s.feedCursor(feedPlace{
		position: min(p.position, q.position), settled: min(p.settled, q.settled), audited: min(p.audited, q.audited), last: p.last,
		page: rand.Uint64(), //nolint:gosec // a name for a page is no secret
	}), nil
}
