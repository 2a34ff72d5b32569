package sqlite

import "headway/eventstore"

// Earlier is eventstore.Store's: the feed is one sequence, so one of the two is it.
func (s *Store) Earlier(_ string, a, b eventstore.Cursor) (eventstore.Cursor, error) {
	first, err := parseFeed(s.log, a)
	if err != nil {
		return "", err
	}
	second, err := parseFeed(s.log, b)
	if err != nil {
		return "", err
	}
	if first.seq <= second.seq {
		return a, nil
	}
	return b, nil
}
