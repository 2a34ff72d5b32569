package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

// appends measures the embedded event store beside a plain table: one transaction each, which is the least for one writer, and a group
// commit that checks nothing, which is the least for many.
func (b *bench) appends(ctx context.Context) (err error) {
	dir, err := b.folder("append")
	if err != nil {
		return err
	}
	s, err := openEvents(dir) //nolint:contextcheck // a store outlives what opens it
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	bare, err := openTable(ctx, filepath.Join(dir, "bare.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bare.Close()) }()
	grouped, err := openTable(ctx, filepath.Join(dir, "grouped.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, grouped.Close()) }()
	stop := grouped.group(ctx)
	defer stop()
	for _, workers := range []int{1, 16} {
		loop := side{"raw/sqlite-each", nil}
		table, add := bare, bare.insertAll
		if workers > 1 {
			loop.who, table, add = "raw/sqlite-group", grouped, grouped.join
		}
		loop.do = table.singly(ctx, workers, add)
		if err := b.race(fmt.Sprint("append1_w", workers), workers, side{own, singly(ctx, s, workers)}, loop); err != nil {
			return err
		}
		loop.do = table.wholly(ctx, add)
		if err := b.race(fmt.Sprint("append4_w", workers), workers, side{own, wholly(ctx, s)}, loop); err != nil {
			return err
		}
	}
	return nil
}
