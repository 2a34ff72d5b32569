// Package runner keeps the rows of all projections up with the log, and tells of them.
//
//	      feed ──▶ tail ──▶ ring ──▶ workers ──▶ rows, holds, checkpoints
//	                │         └────▶ monitor ──▶ how far each projection is
//	nudges ──▶ tail and workers
//	                └──▶ OnMoved, standby ──▶ rows of another process ──▶ OnRows
//
// The tail is the one reader of the feed in a process. It keeps the newest pages in a ring, each with the cursor after it, which is what a
// worker stores as its checkpoint. Nudges say at once what this process appended; they may be forgotten, the feed is the path that counts.
//
//	elector, every process:            stands by ──── lease is free, or stood still for 8.5 s ───▶ holds
//	                                       ▲                                                         │ renews every 2 s
//	                                       └──── another holds it, or a write was refused ───────────┘
//
//	worker, while its process holds:   load checkpoint, holds ──▶ read, fold, write ──▶ wait: nudge, page, 1 s
//	                                       ▲                           │     ▲               │
//	                                       └─── backoff ◀── failure ───┘     └───────────────┘
//
//	worker and ring:                   alone ──── at the end of the feed: join ───▶ with the tail
//	                                       ▲                                             │
//	                                       └───── its cursor is not in the ring ─────────┘
//
//	standby, for each moved order:     expected ──▶ read 5 times a second ──▶ told
//	                                       │ after 3 s: once a second, unless it is held
//	                                       └─ after 5 min: forgotten
//
//	recorder, while its process holds: see every 10 s ──▶ minute is over: count it and the two before from the log ──▶ put, and their hours
//	                                   (what is seen waits for its minute; a stop is counted back for 48 hours, or 200,000 events)
//
// The epoch of a term is in all that is written in it, so a process that was stopped and wakes does no harm: its checkpoints, holds and
// states are refused, and its rows can only move their orders forward. A worker never trusts a cursor further than it must: it reads an
// order's events after the version of its row, so that what comes twice, late or in another order changes nothing.
//
// A worker that is alone reads the feed by its own cursor. At the end it joins: the tail goes back to the earlier of both cursors
// (eventstore.Store.Earlier), after which nothing is missed by either, and all go on from there. A cursor that another log gave begins
// anew; page.otherLog is the one place that hears of it.
package runner
