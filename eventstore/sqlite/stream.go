package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"headway/eventstore"
	"headway/internal/sqlitefile"
)

const (
	selectStream = `SELECT ` + columns + ` FROM events WHERE aggregateId = ? AND version > ? AND category = ? ORDER BY version`
	askAgain     = 256 // records after which a reader asks whether somebody still waits
)

// streams reads the streams of orders, which every command and every page of an order does: by the driver itself, on connections of their
// own. database/sql costs more than SQLite there, and a context that can end costs a goroutine a statement.
type streams struct {
	db   *sql.DB
	idle chan *streamReader // StreamReaders of them, when nobody reads
}

// streamReader is a connection, made when it is needed first.
type streamReader struct {
	conn *sql.Conn
	stmt *directStatement
}

func openStreams(path string) (*streams, error) {
	db, err := sql.Open("sqlite", sqlitefile.Address(path, "", "query_only(1)"))
	if err != nil {
		return nil, err
	}
	s := &streams{db, make(chan *streamReader, StreamReaders)}
	for range StreamReaders {
		s.idle <- &streamReader{}
	}
	return s, nil
}

// close waits for those who read.
func (s *streams) close() error {
	var errs []error
	for range StreamReaders {
		errs = append(errs, (<-s.idle).disconnect())
	}
	errs = append(errs, s.db.Close())
	for range StreamReaders { // who reads from now on is told that the file is closed
		s.idle <- &streamReader{}
	}
	return errors.Join(errs...)
}

// read answers the records of an order after a version, oldest first.
func (s *streams) read(ctx context.Context, id eventstore.StreamID, after int) ([]eventstore.Record, error) {
	var r *streamReader
	select {
	case r = <-s.idle:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { s.idle <- r }()
	records, err := r.read(ctx, s.db, id, after)
	if err != nil {
		return nil, errors.Join(err, r.disconnect()) // the next one gets a new connection
	}
	return records, nil
}

func (r *streamReader) disconnect() error {
	if r.conn == nil {
		return nil
	}
	var err error
	if r.stmt != nil {
		err = r.stmt.Close() // before its connection: an open statement keeps the file open
	}
	err = errors.Join(err, r.conn.Close())
	*r = streamReader{}
	return err
}

func (r *streamReader) read(ctx context.Context, db *sql.DB, id eventstore.StreamID, after int) (records []eventstore.Record, err error) {
	if r.conn == nil {
		if r.conn, err = db.Conn(ctx); err != nil {
			return nil, err
		}
		if r.stmt, err = prepareDirectly(ctx, r.conn, selectStream); err != nil {
			r.stmt = nil
			return nil, err
		}
	}
	rows, err := r.stmt.query(context.WithoutCancel(ctx), id.Key(), int64(after), categoryOf(id))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	row := make([]driver.Value, len(rows.Columns()))
	for {
		if len(records)%askAgain == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			return records, nil
		case err != nil:
			return nil, err
		}
		if len(records) == cap(records) {
			records = slices.Grow(records, max(1, len(records))) // a long stream is copied less often than by append alone
		}
		record, err := recordOf(id, row)
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
}

// recordOf takes the columns of a record as the driver gives them. The table is STRICT: but for the data each has the type of its column.
func recordOf(id eventstore.StreamID, row []driver.Value) (eventstore.Record, error) {
	var wrong error
	text := func(i int) string {
		s, ok := row[i].(string)
		if !ok {
			wrong = fmt.Errorf("column %d is a %T, no text", i, row[i])
		}
		return s
	}
	number := func(i int) int64 {
		n, ok := row[i].(int64)
		if !ok {
			wrong = fmt.Errorf("column %d is a %T, no number", i, row[i])
		}
		return n
	}
	r := eventstore.Record{
		Stream: id, Version: int(number(0)), EventID: text(1), EventType: text(2), SchemaVersion: int(number(3)),
		StoredAt: time.UnixMicro(number(4)).UTC(), Data: bytesOf(row[12]),
		Metadata: eventstore.Metadata{
			Timestamp: time.UnixMicro(number(5)).UTC(), CausationID: text(6), CorrelationID: text(7), UserID: text(8),
			SeenVersion: int(number(9)), CommandHash: text(10), KeyID: text(11),
		},
	}
	if r.EventID == "" {
		r.EventID = eventstore.HistoricEventID(id.Key(), r.Version)
	}
	return r, wrong
}

// bytesOf is the data of an event, which a person may have written as anything.
func bytesOf(data driver.Value) []byte {
	switch d := data.(type) {
	case []byte:
		return d
	case string:
		return []byte(d)
	case int64:
		return strconv.AppendInt(nil, d, 10)
	case float64:
		return strconv.AppendFloat(nil, d, 'g', -1, 64)
	}
	return nil
}
