// Package sqlite is the embedded event store: one file, one writer with group commit, and readers that never wait for it.
//
// Several processes may use the same file; each sees what the others committed. LockDir keeps a second server away.
//
// # Group commit
//
// Commands wait in a queue of bounded length. One goroutine takes as many as are there, and writes them in one transaction with one sync:
//
//	Append ─▶ queue ─▶ batch ─▶ BEGIN IMMEDIATE ─▶ each command: INSERT ─▶ COMMIT, one sync ─▶ every answer
//	  │ full: 503        │                              │
//	                     │ whose context has ended      │ refused by the table: undone to its savepoint; then the writer
//	                     └─▶ is answered, not stored    └─▶ looks why: a repeat, a Conflict with the head, full, Invalid
//
// A context is asked before its command joins a batch, and never after. Every answer waits for the commit, conflicts included, because
// they tell what other commands of the batch did. An error of the transaction is everybody's: all of the batch is Unavailable and safe
// to send again.
//
// # The writer's connection
//
//	       ┌───────────────── a transaction failed: it is closed, which undoes it ◀──┐
//	       ▼                                                                         │
//	not connected ──next batch──▶ layout: make, bring up to date, or refuse ──▶ connected ──▶ batches
//	                              then the write-ahead log is written again, byte for byte, and synced
//
// After a sync that failed, the next one proves nothing. That is why a connection that failed is not used again, and why what is found in
// the log is written again before anything is read of it.
//
// # Readers
//
// Streams are read by connections of their own, which take turns; listings by a pool. Heads that were asked for lately are remembered, and
// followed by what came after them in the log before each answer.
package sqlite
