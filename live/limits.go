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

	maxBody      = 256 << 10 // bytes of one published body; a larger one reaches pages as a resync
	messageBytes = 64 << 10  // bytes of frames that are joined to one message; the rest is the next message
	ringFrames   = 8192      // recent frames kept for those who are behind and those who come back; who is further behind gets a resync
	ringBytes    = 8 << 20
	keptBatches  = 8        // joined messages kept for others at the same place
	sendBuffer   = 64 << 10 // bytes that the kernel holds for one client; a slow one would be sent old news from a larger one

	writeWait  = 10 * time.Second      // one write; then the connection is cut
	pongWait   = 60 * time.Second      // without a sign of life; then it is cut
	pingPeriod = pongWait / 2          // pings are for the connection, and a busy browser has half a minute to answer …
	beatPeriod = 5 * time.Second       // … and beats, after so much silence, for the page, which cannot see pings and calls 12 s unknown
	flushGap   = 25 * time.Millisecond // at least between two messages of news to one client; what comes meanwhile is joined
	writeShare = 25 * time.Microsecond // longer by this for each connection: all together are written 40,000 times a second at most
	slowWait   = 5 * time.Second       // falling out of the ring for so long closes with 1013
	loadWait   = 30 * time.Second      // for a page to watch after it took its sequence
	closeWait  = time.Second           // for the peer to answer a close
)
