package live

import "time"

// Every bound of the live view.
const (
	MaxConnections = 5000 // at once; more are answered 503

	readLimit  = 4 << 10  // bytes of one message from a client; more closes with 1009
	maxDrain   = 64 << 10 // bytes read of a message that is too large, so that the close arrives
	maxTopics  = 64       // in one watch
	maxTopic   = 256      // bytes of one topic
	maxWatches = 1000     // watch messages in the life of a connection (a search as you type makes one each); more closes with 1008

	maxBody     = 256 << 10 // bytes of one published body; a larger one reaches pages as a resync
	queueFrames = 256       // waiting for one client; more become one resync
	queueBytes  = 1 << 20
	ringFrames  = 1024 // recent frames kept for those who come back
	ringBytes   = 8 << 20

	writeWait  = 10 * time.Second       // one write; then the connection is cut
	pongWait   = 60 * time.Second       // without a sign of life; then it is cut
	pingPeriod = pongWait * 9 / 10      // pings are for the connection …
	beatPeriod = 5 * time.Second        // … and beats for the page, which cannot see pings and calls 12 s of silence unknown
	flushGap   = 100 * time.Millisecond // between two writes to one client; what comes meanwhile is joined
	slowWait   = 5 * time.Second        // a queue overflowing for so long closes with 1013
	loadWait   = 30 * time.Second       // for a page to watch after it took its sequence
	closeWait  = time.Second            // for the peer to answer a close
)
