package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"testing"

	"headway/fault"
)

// Streams are read by so many connections and no more: who finds none idle waits, as long as their context does. One that broke is made
// anew.
func TestStreamReaders(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "events.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := metadata()
	if _, err := s.Append(t.Context(), stream("a"), 0, m, confirmed()); err != nil {
		t.Fatal(err)
	}
	read := func(ctx context.Context) error {
		records, err := s.Read(ctx, stream("a"), 0)
		if err == nil && len(records) != 1 {
			err = errors.New("the event is not there")
		}
		return err
	}
	var all []*streamReader
	for range StreamReaders {
		if err := read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for range StreamReaders {
		all = append(all, <-s.streams.idle)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if err := read(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("with no connection idle and nobody waiting: %v", err)
	}
	waiting := make(chan error)
	go func() { waiting <- read(t.Context()) }()
	broken := all[0]
	if broken.conn == nil {
		t.Fatal("the first reader has no connection")
	}
	broken.stmt.querier = brokenStatement{}
	s.streams.idle <- broken
	if err := <-waiting; fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a connection that broke answered %v", err)
	}
	if err := read(t.Context()); err != nil {
		t.Errorf("after a connection broke: %v", err)
	}
	for _, r := range all[1:] {
		s.streams.idle <- r
	}
	if n := s.streams.db.Stats().OpenConnections; n > StreamReaders {
		t.Errorf("%d connections are open", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := read(t.Context()); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a closed store answered %v", err)
	}
}

// Whoever waited for a connection while the store closed finds the file closed: a connection made then would keep it open for ever.
func TestAClosedStoreOpensNoConnection(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "events.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var all []*streamReader
	for range StreamReaders {
		all = append(all, <-s.streams.idle)
	}
	handed, closed := make(chan *streamReader), make(chan error)
	kept := s.streams.idle
	s.streams.idle = handed // unbuffered, so that close waits for whoever takes one
	go func() { closed <- s.streams.close() }()
	for _, r := range all {
		handed <- r
	}
	for range StreamReaders {
		kept <- <-handed
		if err := s.streams.db.PingContext(t.Context()); err == nil {
			t.Error("a connection can be made")
		}
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	s.streams.idle = kept
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

type brokenStatement struct{}

func (brokenStatement) QueryContext(context.Context, []driver.NamedValue) (driver.Rows, error) {
	return nil, errors.New("disk I/O error")
}
