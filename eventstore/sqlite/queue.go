package sqlite

import (
	"sync"

	"headway/eventstore"
	"headway/fault"
)

// command is one append on its way to the writer.
type command struct {
	ended    func() error // the context's Err: asked before the command joins a transaction, never after
	stream   eventstore.StreamID
	expect   int
	metadata eventstore.Metadata
	records  []eventstore.Record // complete but for StoredAt
	bytes    int                 // of the records' data
	answered chan answer         // holds one answer

	snapshot *eventstore.Snapshot // what there is to keep instead of events; else nil
	invalid  int                  // the version of a newer snapshot that it may replace
}

type answer struct {
	records []eventstore.Record
	err     error
}

// queue holds the commands that wait for the writer, in the order of their arrival. It never makes a caller wait.
type queue struct {
	mu      sync.Mutex
	arrived sync.Cond
	waiting []*command
	bytes   int
	closed  bool
}

func newQueue() *queue {
	q := &queue{}
	q.arrived.L = &q.mu
	return q
}

// put is Unavailable if the queue is full or closed.
func (q *queue) put(c *command) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return fault.Errorf(fault.Unavailable, storeIsClosed)
	case len(q.waiting) >= MaxQueue || q.bytes+c.bytes > MaxQueueBytes:
		return fault.Errorf(fault.Unavailable, queueIsFull)
	}
	q.waiting, q.bytes = append(q.waiting, c), q.bytes+c.bytes
	q.arrived.Signal()
	return nil
}

// take waits for commands and gives the next batch; none once the queue is closed and empty.
func (q *queue) take() []*command {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 && !q.closed {
		q.arrived.Wait()
	}
	n, bytes := 0, 0
	for n < min(len(q.waiting), MaxBatch) && bytes < MaxBatchBytes {
		bytes += q.waiting[n].bytes
		n++
	}
	batch := q.waiting[:n:n]
	q.waiting, q.bytes = q.waiting[n:], q.bytes-bytes
	return batch
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.arrived.Signal()
}
