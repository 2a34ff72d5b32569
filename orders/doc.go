// Package orders turns commands into events: it loads an order, asks the domain to decide, and appends what follows. It folds the streams
// of orders, and keeps the states of long ones as snapshots.
//
// # A command
//
//	load ─▶ a repeat? ─▶ does it fit? ─▶ decide ─▶ append ─▶ stored
//	 ▲                                               │
//	 └───────────── the order moved: again ──────────┘  MaxTries times at most
//
// A repeat is answered with its first result before anything is decided. A command fits an order that is at the version it expects. Notes
// are in nobody's way: it also fits if notes alone moved the order since, and a note fits everywhere. So a command that was overtaken is
// tried again; if it was overtaken by anything but notes it no longer fits, and is a Conflict with the head.
package orders
