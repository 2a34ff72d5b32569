// Package eventstore is the log: the contract of the stores that keep events for ever, in streams of any category. It keeps bytes and
// metadata, and does not know what they mean.
//
// # A stream
//
// A stream is a category and an id. It has the versions 1, 2, 3 … without a gap, and nothing in it ever changes:
//
//	at 0 ──Append(expect 0)──▶ at n ──Append(expect n)──▶ at n+k … MaxStreamEvents
//
//	Append at another version than expect ──▶ the command's first result, if the stream has it (a repeat)
//	                                      └─▶ Conflict with the head, if it has not
//	an outcome that could not be learned  ──▶ Unavailable: the same command id may be sent again, and is stored once at most
//
// A command id belongs to one stream, for ever. Ids of events follow from it.
//
// # The feed
//
// The feed of a category names streams that moved, at least once and in no promised order across streams. Who follows it reads the
// streams themselves after what it has, so what the feed repeats, reorders or leaves out between two moves of one stream changes nothing.
// A Cursor says where to look next; it carries the log's identity and the last event that was passed:
//
//	""  ──Feed──▶ cursor ──Feed──▶ cursor …   the zero Cursor begins; an empty page is the end, for now
//	                  └──▶ ErrOtherLog        another log gave it, or this one before it was put back: begin again
//
// A category's feed has Slices slices; a Part is some of them, for whoever shares the work.
//
// # Engines
//
// Engines lie in folders of their own, and the suite in storetest is what each of them promises. Snapshots are a contract beside it: they
// cost time when they are wrong, never truth.
package eventstore
