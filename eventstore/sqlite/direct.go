package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

// directStatement is a statement of the driver itself. It belongs to one connection and one goroutine.
type directStatement struct {
	execer  driver.StmtExecContext
	querier driver.StmtQueryContext
	args    []driver.NamedValue // of the last call, to be used again

	Close func() error
}

func prepareDirectly(ctx context.Context, conn *sql.Conn, query string) (*directStatement, error) {
	var s directStatement
	err := conn.Raw(func(c any) error {
		preparer, ok := c.(driver.ConnPrepareContext)
		if !ok {
			return fmt.Errorf("a %T prepares nothing", c)
		}
		stmt, err := preparer.PrepareContext(ctx, query)
		if err != nil {
			return err
		}
		s.Close = stmt.Close
		var execs, queries bool
		s.execer, execs = stmt.(driver.StmtExecContext)
		if s.querier, queries = stmt.(driver.StmtQueryContext); !execs || !queries {
			return errors.Join(fmt.Errorf("a %T does nothing", stmt), stmt.Close())
		}
		return nil
	})
	return &s, err
}

func (s *directStatement) exec(ctx context.Context, args ...driver.Value) error {
	_, err := s.execer.ExecContext(ctx, s.named(args))
	return err
}

func (s *directStatement) query(ctx context.Context, args ...driver.Value) (driver.Rows, error) {
	return s.querier.QueryContext(ctx, s.named(args))
}

func (s *directStatement) named(args []driver.Value) []driver.NamedValue {
	if s.args == nil {
		s.args = make([]driver.NamedValue, len(args))
	}
	for i, value := range args {
		s.args[i] = driver.NamedValue{Ordinal: i + 1, Value: value}
	}
	return s.args
}

// number is the one number that the statement asks for.
func (s *directStatement) number(ctx context.Context) (int64, error) {
	rows, err := s.querier.QueryContext(ctx, nil)
	if err != nil {
		return 0, err
	}
	row := []driver.Value{nil}
	err = errors.Join(rows.Next(row), rows.Close())
	n, ok := row[0].(int64)
	if err == nil && !ok {
		err = fmt.Errorf("a %T is no number", row[0])
	}
	return n, err
}
