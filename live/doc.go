// Package live brings the news: a hub that never blocks whoever publishes, and the websocket on top of it. It knows topics, keys
// and JSON objects, and nothing of orders.
//
// # The ring
//
// Every frame gets the next number of the hub's sequence and goes into one ring, the only queue there is. A socket has a place in the ring:
// the first frame that it has not been sent. Whoever stands at the same place and watches the same topics is sent the same message, made
// once: the newest frame of each key, joined up to a bound.
//
//	Publish ─▶ … │ 41 │ 42 │ 43 │ 44 │      a socket at 43 is owed 43 and 44
//	             ▲ the oldest is forgotten   one at 40 has lost some: it is owed a resync
//
// # The life of a socket
//
// One goroutine reads; another writes, and runs only while there is something to write.
//
//	handshake ─▶ hello ─▶ idle ──news, a beat or a ping is owed──▶ writing ──▶ idle
//	    │                  ▲                                           │
//	    │                  └──── news wait for the gap after news ◀────┤
//	    │                                                              ├─ the ring has passed its place ─▶ resync, then idle
//	    ▼                                                              ├─ and again, for slowWait ─▶ closed 1013
//	403 another origin                                                 ├─ one write takes writeWait ─▶ cut
//	503 no place, or stopping                                          └─ no answer to pings for pongWait ─▶ cut
//
// A page says which topics it watches, and the sequence it has seen. It is then owed what it missed, or a resync if the ring or the hub is
// another, and at last a beat: from there on the page may be sure. After 5 s of silence another beat says that the hub is there.
// Shutdown closes every socket with 1012; a broken rule of the page with 1003, 1007, 1008 or 1009.
//
// What pages make of frames is told in static/CONTRACT.md.
package live
