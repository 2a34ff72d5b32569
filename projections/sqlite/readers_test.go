package sqlite

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"headway/projections"
)

// Who comes first reads first, however many connections are in use.
func TestReadersWaitInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sized(t, filepath.Join(t.TempDir(), "read.db"), 3)
		defer s.Close()
		var all sync.WaitGroup
		busy := make(chan struct{})
		read := func(do func()) {
			all.Go(func() {
				if err := s.snapshot(t.Context(), func(reader) error { do(); return nil }); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		for range MaxReaders {
			read(func() { <-busy })
		}
		var got, want []int
		for n := range 10 * MaxReaders {
			want = append(want, n)
			read(func() {
				got = append(got, n)
				<-busy
			})
		}
		for range 11 * MaxReaders {
			busy <- struct{}{}
			synctest.Wait()
		}
		all.Wait()
		if !slices.Equal(got, want) {
			t.Errorf("they read in the order %v", got)
		}
	})
}

// So many statements stay prepared and no more, and the others are answered all the same, by however many at once.
func TestStatementsStayPrepared(t *testing.T) {
	s := sized(t, filepath.Join(t.TempDir(), "read.db"), 3)
	var all sync.WaitGroup
	for worker := range 3 * MaxReaders {
		all.Go(func() {
			for n := range KeptStatements {
				err := s.snapshot(t.Context(), func(tx reader) error {
					var got int
					err := tx.QueryRowContext(t.Context(), fmt.Sprintf(`SELECT %d`, worker*n)).Scan(&got)
					if err == nil && got != worker*n {
						err = fmt.Errorf("%d instead of %d", got, worker*n)
					}
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	prepared := 0
	for _, stmt := range s.readers.kept {
		if stmt != nil {
			prepared++
		}
	}
	if prepared < KeptStatements/2 || len(s.readers.kept) > KeptStatements {
		t.Errorf("%d of %d statements are prepared, and %d may be", prepared, len(s.readers.kept), KeptStatements)
	}
	if page, err := s.Orders(t.Context(), projections.OrderQuery{Text: "tea"}); err != nil || len(page.Rows) != 3 {
		t.Errorf("%d rows, %v", len(page.Rows), err)
	}
	if open := s.readers.Stats().OpenConnections; open > MaxReaders {
		t.Errorf("%d connections read", open)
	}
}
