// Package operations is the record of what staff, programs and the system did that is no order's event: an import, a verification, a lease
// that changed hands, a log that was put back. Each operation is a stream of its own in the category "operation" of the same log, so it is
// as durable as an order, and nothing edits it.
//
// An operation is asked before its effect, and ends after it:
//
//	asked ──▶ done
//	   └────▶ failed
//
// One that was asked and has no end is shown as that: its process may have died on the way.
package operations
