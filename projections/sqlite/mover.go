package sqlite

import (
	"context"
	"database/sql"
	"sync"

	"headway/internal/sqlitefile"
)

// mover moves pages of the write-ahead log into the file while others write and read. A commit that finds the log at its full length moves
// the rest itself, and only that lets the log begin again when it is written all the time: so it has little left to do, and what fails here
// is tried again there.
type mover struct {
	db    *sql.DB
	wrote chan struct{} // has a token when a commit has not been looked at

	ending sync.Once
	end    chan struct{}
	ended  chan struct{}
}

func newMover(path string) (*mover, error) {
	db, err := sql.Open("sqlite", sqlitefile.Address(path, "deferred", "query_only(1)", "synchronous(normal)", "cache_size(-64)"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	m := &mover{db: db, wrote: make(chan struct{}, 1), end: make(chan struct{}), ended: make(chan struct{})}
	go m.run()
	return m, nil
}

func (m *mover) run() {
	defer close(m.ended)
	for {
		select {
		case <-m.end:
			return
		case <-m.wrote:
			if log, moved, err := m.checkpoint("NOOP"); err == nil && due(log, moved) {
				_, _, _ = m.checkpoint("PASSIVE")
			}
		}
	}
}

// due tells whether pages are to be moved beside the commits. A log of its full length is left to the next commit, which could not move it
// meanwhile; so it is as long as whoever writes can wait, and no longer.
func due(log, moved int) bool { return log-moved >= movedPages && log < logPages }

// checkpoint answers how many pages are in the log, and how many of them are in the file, too.
func (m *mover) checkpoint(how string) (log, moved int, err error) {
	var busy int
	err = m.db.QueryRowContext(context.Background(), `PRAGMA wal_checkpoint(`+how+`)`).Scan(&busy, &log, &moved)
	return log, moved, err
}

// committed says that there may be something to move. It never waits.
func (m *mover) committed() {
	select {
	case m.wrote <- struct{}{}:
	default:
	}
}

// close waits for what is under way. Closing twice is allowed.
func (m *mover) close() error {
	m.ending.Do(func() { close(m.end) })
	<-m.ended
	return m.db.Close()
}
