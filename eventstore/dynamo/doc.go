// Package dynamo is the distributed event store, on Amazon DynamoDB. The table of events is the truth and is only ever added to; beside the
// events it notes of each command which stream has it. The table of heads is written in the same transaction and says where each stream is.
// The table of snapshots saves time, and can be emptied at any time.
//
// Decisions are only ever made on strongly consistent reads of the tables. The indexes, which follow a moment later and in no promised
// order, serve listings and the feed.
//
// # The fate of an append
//
// One transaction writes the head, each event, and the note of the command. It is sent until its outcome is definite, at most for
// AppendTimeout:
//
//	          ┌─▶ stored
//	send ─────┼─▶ refused ──▶ look back: its note is there: its own first result, or Invalid if its content was another
//	 ▲        │               the head is elsewhere: Conflict
//	 │        ├─▶ the stream moved at a later time than ours: a later time ──▶ send, at once
//	 │        ├─▶ too much to do ───────────────────────────▶ wait ──▶ send
//	 │        ├─▶ no answer, or its token is another body's: look back; neither note nor move ──▶ wait ──▶ send
//	 └────────┘   refused for ever, or time is over: Unavailable; “not known” if an attempt may still be stored
//
// Looking back reads the head first: once that is not where the command expects, no attempt that is still under way can be stored.
//
// # The feed
//
// An index shows entries late, out of order, or never, and clocks differ. So each page of the feed does four things, as far as they are
// due, and its cursor carries how far each of them is:
//
//	first      a walk over the table of heads, where a follower begins
//	look back  every OverlapEvery the last OverlapWindow of the index again; what this follower acknowledged is dropped
//	tip        the index from the last position up to TipDelay ago
//	audit      every AuditEvery the table of heads itself, for what the index never showed
//
// By asking for the page after a cursor a follower acknowledges what came before it. What was delivered lately is remembered by the
// process alone; after a restart it is delivered again, which is harmless.
package dynamo
