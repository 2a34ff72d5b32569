package sqlite

import (
	"context"
	"database/sql"
	"sync"
)

// mover moves pages of the write-ahead log into the file while others write and read. A commit that finds the log at its full length moves the
// rest itself, so it then has little left to do; and what fails here is tried again there.
type mover struct {
	db    *sql.DB
	wrote chan struct{} // has a token when a commit has not been looked at

	ending sync.Once
	end    chan struct{}
	ended  chan struct{}
}

func newMover(path string) (*mover, error) {
	db, err := sql.Open("sqlite", address(path, "deferred", "query_only(1)", "synchronous(normal)", "cache_size(-64)"))
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
			if pages, err := m.checkpoint("NOOP"); err == nil && pages >= movedPages {
				_, _ = m.checkpoint("PASSIVE")
			}
		}
	}
}

// checkpoint answers how many pages were in the log and not in the file.
func (m *mover) checkpoint(how string) (pages int, err error) {
	var busy, log, moved int
	err = m.db.QueryRowContext(context.Background(), `PRAGMA wal_checkpoint(`+how+`)`).Scan(&busy, &log, &moved)
	return log - moved, err
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
