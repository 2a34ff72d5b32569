package dynamo

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"time"

	"headway/eventstore"
	"headway/fault"
)

// cursorKind begins every cursor of one listing, with the version of its form; a cursor of one listing means nothing in another.
type cursorKind string

const (
	feedCursor        cursorKind = "df2."
	walkCursor        cursorKind = "dw2."
	typeCursor        cursorKind = "dt2."
	correlationCursor cursorKind = "dc2."

	oldFeedCursor cursorKind = "df1." // it named the tables and no event
)

// numberOf is what cursors carry of a log's identity.
func numberOf(log string) uint64 {
	sum := sha256.Sum256([]byte(log))
	return binary.BigEndian.Uint64(sum[:])
}

// seal makes a cursor: the log's identity, what it says, and a check over all of it.
func (s *Store) seal(kind cursorKind, content []byte) eventstore.Cursor {
	return sealed(s.identity, kind, content)
}

func sealed(identity uint64, kind cursorKind, content []byte) eventstore.Cursor {
	b := binary.BigEndian.AppendUint64(nil, identity)
	b = append(b, content...)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(append([]byte(kind), b...)))
	return eventstore.Cursor(string(kind) + base64.RawURLEncoding.EncodeToString(b))
}

// unseal gives what a cursor says. Malformed if it is not one that this kind of listing gave out; OtherLog if that was of another log.
func (s *Store) unseal(kind cursorKind, c eventstore.Cursor) (*content, error) {
	identity, left, err := opened(kind, c)
	switch {
	case err != nil:
		return nil, err
	case identity != s.identity:
		return nil, eventstore.OtherLog()
	}
	return &content{left: left}, nil
}

// opened gives the log's identity and what a cursor says.
func opened(kind cursorKind, c eventstore.Cursor) (identity uint64, left []byte, err error) {
	if len(c) > maxCursor || len(c) < len(kind) {
		return 0, nil, notOurs()
	}
	b, err := base64.RawURLEncoding.DecodeString(string(c[len(kind):]))
	if err != nil || len(b) < 12 {
		return 0, nil, notOurs()
	}
	identity, left = binary.BigEndian.Uint64(b), b[8:len(b)-4]
	if sealed(identity, kind, left) != c {
		return 0, nil, notOurs()
	}
	return identity, left, nil
}

// maxCursor is far above what a cursor can hold: two ids of MaxKeyBytes and a few numbers.
const maxCursor = 4096

func notOurs() error {
	return fault.MalformedField("cursor", "This place in the list is not one that this store gave out.")
}

// content reads numbers and strings in the order in which they were written.
type content struct {
	left []byte
	bad  bool
}

func putNumber(b []byte, n int64) []byte { return binary.AppendVarint(b, n) }

func putText(b []byte, s string) []byte { return append(binary.AppendUvarint(b, uint64(len(s))), s...) }

func (c *content) number() int64 {
	n, size := binary.Varint(c.left)
	if size <= 0 {
		c.bad = true
		return 0
	}
	c.left = c.left[size:]
	return n
}

func (c *content) text() string {
	n, size := binary.Uvarint(c.left)
	if size <= 0 || n > uint64(len(c.left)-size) {
		c.bad = true
		return ""
	}
	s := string(c.left[size : size+int(n)])
	c.left = c.left[size+int(n):]
	return s
}

// end is Malformed unless everything was there, and nothing else.
func (c *content) end() error {
	if c.bad || len(c.left) > 0 {
		return notOurs()
	}
	return nil
}

// walkPlace is where a walk goes on, and what it promised at its start.
type walkPlace struct {
	key   string // of the stream after which it goes on
	total int
}

func (s *Store) walkCursor(p walkPlace) eventstore.Cursor {
	return s.seal(walkCursor, putText(putNumber(nil, int64(p.total)), p.key))
}

func (s *Store) parseWalk(c eventstore.Cursor) (walkPlace, error) {
	if c == "" {
		return walkPlace{}, nil
	}
	content, err := s.unseal(walkCursor, c)
	if err != nil {
		return walkPlace{}, err
	}
	p := walkPlace{total: int(content.number()), key: content.text()}
	return p, content.end()
}

func (s *Store) listingCursor(kind cursorKind, key string) eventstore.Cursor {
	return s.seal(kind, []byte(key))
}

// parseListing is the key before which a page goes on, empty for the zero Cursor.
func (s *Store) parseListing(kind cursorKind, c eventstore.Cursor) (string, error) {
	if c == "" {
		return "", nil
	}
	content, err := s.unseal(kind, c)
	if err != nil {
		return "", err
	}
	return string(content.left), nil
}

// feedPlace is how far a follower of the feed is. Times are in microseconds of the stores' clocks.
type feedPlace struct {
	position string // the key of the newest move that was read from the index
	settled  int64  // moves before it were looked back for
	swept    string // how far a pass that looks back has come; empty if none is under way
	sweeping int64  // when that pass began

	audited  int64  // when the last audit began; 0 before the first
	auditing int64  // when an audit began; 0 if none is under way
	walked   string // how far that audit has come: the key of a stream

	last eventstore.Head // the newest move that was delivered; a log that has not this event is another one

	page uint64 // the page that ended here: what was delivered on the way is remembered by it
}

func (s *Store) feedCursor(p feedPlace) eventstore.Cursor {
	b := putText(nil, p.position)
	b = putText(putNumber(b, p.settled), p.swept)
	b = putNumber(putNumber(b, p.sweeping), p.audited)
	b = putText(putNumber(b, p.auditing), p.walked)
	b = putNumber(putText(b, p.last.Stream.Key()), int64(p.last.Version))
	b = putNumber(b, p.last.At.UnixMicro())
	return s.seal(feedCursor, binary.BigEndian.AppendUint64(b, p.page))
}

// parseFeed reads the cursor of a category's feed.
func (s *Store) parseFeed(category string, c eventstore.Cursor) (feedPlace, error) {
	content, err := s.unseal(feedCursor, c)
	if err != nil {
		return feedPlace{}, err
	}
	p := feedPlace{position: content.text(), settled: content.number(), swept: content.text(), sweeping: content.number(),
		audited: content.number(), auditing: content.number(), walked: content.text(),
		last: eventstore.Head{Stream: streamOf(category, content.text()), Version: int(content.number()),
			At: time.UnixMicro(content.number()).UTC()}}
	if content.bad || len(content.left) != 8 {
		return feedPlace{}, notOurs()
	}
	p.page = binary.BigEndian.Uint64(content.left)
	return p, nil
}
