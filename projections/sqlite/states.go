package sqlite

import (
	"context"
	"database/sql"
	"strconv"

	"headway/domain"
	"headway/projections"
)

// States is projections.Reader's.
func (s *Store) States(ctx context.Context) (map[projections.Key]projections.State, error) {
	all, err := readAll(ctx, s, func(rows *sql.Rows) (state projections.State, err error) {
		var beat int64
		err = rows.Scan(&state.Projection, &state.Generation, &state.Part, &state.Phase, &state.Reason, &beat, &state.Rate,
			(*string)(&state.Checkpoint), &state.Holder)
		state.HeartbeatAt = moment(beat)
		return state, err
	}, `SELECT name, generation, part, phase, reason, heartbeatAt, rate, checkpoint, holder FROM projections`)
	if err != nil {
		return nil, err
	}
	states := make(map[projections.Key]projections.State, len(all))
	for _, state := range all {
		states[state.Key] = state
	}
	return states, nil
}

// Holds is projections.Reader's.
func (s *Store) Holds(ctx context.Context, projection string, ids ...domain.OrderID) ([]projections.Hold, error) {
	query, args := `SELECT projection, generation, part, id, version, reason, since FROM holds WHERE (?1 = '' OR projection = ?1)`, []any{projection}
	if len(ids) > 0 {
		query += ` AND id IN (SELECT value FROM json_each(?2))`
		args = append(args, list(ids))
	}
	return readAll(ctx, s, func(rows *sql.Rows) (h projections.Hold, err error) {
		var since int64
		err = rows.Scan(&h.Projection, &h.Generation, &h.Part, &h.OrderID, &h.Version, &h.Reason, &since)
		h.Since = moment(since)
		return h, err
	}, query+` ORDER BY since, projection, id LIMIT `+strconv.Itoa(projections.MaxHolds), args...)
}
