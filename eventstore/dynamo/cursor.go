package dynamo

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"

	"headway/domain"
	"headway/eventstore"
	"headway/fault"
)

// cursorKind begins every cursor of one listing, with the version of its form; a cursor of one listing means nothing in another.
type cursorKind string

const (
	feedCursor        cursorKind = "df1."
	walkCursor        cursorKind = "dw1."
	typeCursor        cursorKind = "dt1."
	correlationCursor cursorKind = "dc1."
)

// identityOf is what cursors remember of the tables they are for.
func identityOf(tables string) uint64 {
	sum := sha256.Sum256([]byte(tables))
	return binary.BigEndian.Uint64(sum[:])
}

// seal makes a cursor: the tables' identity, what it says, and a check over all of it.
func (s *Store) seal(kind cursorKind, content []byte) eventstore.Cursor {
	b := binary.BigEndian.AppendUint64(nil, s.identity)
	b = append(b, content...)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(append([]byte(kind), b...)))
	return eventstore.Cursor(string(kind) + base64.RawURLEncoding.EncodeToString(b))
}

// open gives what a cursor says. Malformed if it is not one that this kind of listing of these tables gave out.
func (s *Store) unseal(kind cursorKind, c eventstore.Cursor) (*content, error) {
	if len(c) > maxCursor || len(c) < len(kind) {
		return nil, notOurs()
	}
	b, err := base64.RawURLEncoding.DecodeString(string(c[len(kind):]))
	if err != nil || len(b) < 12 || s.seal(kind, b[8:len(b)-4]) != c {
		return nil, notOurs()
	}
	return &content{left: b[8 : len(b)-4]}, nil
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
	order domain.OrderID
	total int
}

func (s *Store) walkCursor(p walkPlace) eventstore.Cursor {
	return s.seal(walkCursor, putText(putNumber(nil, int64(p.total)), string(p.order)))
}

func (s *Store) parseWalk(c eventstore.Cursor) (walkPlace, error) {
	if c == "" {
		return walkPlace{}, nil
	}
	content, err := s.unseal(walkCursor, c)
	if err != nil {
		return walkPlace{}, err
	}
	p := walkPlace{total: int(content.number()), order: domain.OrderID(content.text())}
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

	audited  int64          // when the last audit began; 0 before the first
	auditing int64          // when an audit began; 0 if none is under way
	walked   domain.OrderID // how far that audit has come

	page uint64 // the page that ended here: what was delivered on the way is remembered by it
}

func (s *Store) feedCursor(p feedPlace) eventstore.Cursor {
	b := putText(nil, p.position)
	b = putText(putNumber(b, p.settled), p.swept)
	b = putNumber(putNumber(b, p.sweeping), p.audited)
	b = putText(putNumber(b, p.auditing), string(p.walked))
	return s.seal(feedCursor, binary.BigEndian.AppendUint64(b, p.page))
}

func (s *Store) parseFeed(c eventstore.Cursor) (feedPlace, error) {
	content, err := s.unseal(feedCursor, c)
	if err != nil {
		return feedPlace{}, err
	}
	p := feedPlace{position: content.text(), settled: content.number(), swept: content.text(), sweeping: content.number(),
		audited: content.number(), auditing: content.number(), walked: domain.OrderID(content.text())}
	if content.bad || len(content.left) != 8 {
		return feedPlace{}, notOurs()
	}
	p.page = binary.BigEndian.Uint64(content.left)
	return p, nil
}
