// Package elastic is the distributed read store: rows, search, holds, checkpoints and states in Elasticsearch 8, by features of its core
// alone.
//
// A row carries its version as the external version of its document, so that rows never move backwards whoever writes. There are no
// transactions: a batch is written in an order in which a crash between any two steps loses nothing, because the checkpoint comes last,
// and because the customers that a batch changes are noted before it changes them.
package elastic

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"headway/fault"
	"headway/projections"
)

// DefaultPrefix is what the names of indices begin with.
const DefaultPrefix = "headway"

// Options of a store. Only the URL must be given.
type Options struct {
	URL        string       // of a node, or of what balances several; may hold a user and a password
	Prefix     string       // of all indices, templates and aliases: small letters, digits and minus; empty means DefaultPrefix
	HTTPClient *http.Client // nil means one of our own, with bounded connections
	Clock      func() time.Time
	Log        *slog.Logger // told when indices are made and when the store is away; nil means nobody is
}

// Store is a projections.Store on Elasticsearch. Several processes may use the same indices.
type Store struct {
	client *client
	names  names
	clock  func() time.Time
	log    *slog.Logger
	id     string // of this instance, for the note of what it is writing

	targets   atomic.Pointer[targets] // nil until the indices are known, and again after one was lost
	preparing turn

	summed map[string]*summed // by projection
}

var (
	_ projections.Store       = (*Store)(nil)
	_ projections.SelfChecker = (*Store)(nil)
)

// Open makes the indices that are missing. A node that is away is no error: every method is Unavailable until it is back, and then the
// indices are made. Refused if the options are not usable, or if the indices are not ours.
func Open(ctx context.Context, o Options) (*Store, error) {
	if err := unkept(); err != nil {
		return nil, err
	}
	c, o, err := connect(o)
	if err != nil {
		return nil, err
	}
	s := &Store{client: c, names: names{o.Prefix}, clock: o.Clock, log: o.Log, id: uuid.NewString()}
	s.preparing, s.summed = make(turn, 1), map[string]*summed{}
	for _, k := range keepers() {
		s.summed[k.projection] = &summed{turn: make(turn, 1)}
	}
	if _, err := s.ready(ctx); fault.KindOf(err) == fault.Unavailable {
		o.Log.Warn("the read store cannot be reached; it is tried again", "error", err)
	} else if err != nil {
		return nil, err
	}
	return s, nil
}

// connect makes a client, and the options whole. It sends nothing yet.
func connect(o Options) (*client, Options, error) {
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if !prefixes.MatchString(o.Prefix) {
		return nil, o, fault.Errorf(fault.Refused, "The prefix of the read store is small letters, digits and minus, at most %d.", maxPrefix)
	}
	address, err := url.Parse(strings.TrimSuffix(o.URL, "/"))
	if err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https" {
		return nil, o, fault.Errorf(fault.Refused, "The address of the read store must begin with http:// or https:// and name a host.")
	}
	c, err := newClient(address.String(), o)
	if err != nil {
		return nil, o, &fault.Error{Kind: fault.Refused, Message: "The address of the read store cannot be used.", Cause: err}
	}
	return c, o, nil
}

const maxPrefix = 60

var prefixes = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,59}$`)

// Close lets go of the connections; afterwards every method is Unavailable. Closing twice is allowed.
func (s *Store) Close() error {
	s.client.close()
	return nil
}

// ready knows the indices that are written, and makes them if need be.
func (s *Store) ready(ctx context.Context) (targets, error) {
	if t := s.targets.Load(); t != nil {
		return *t, nil
	}
	if err := s.preparing.take(ctx); err != nil {
		return nil, err
	}
	defer s.preparing.give()
	if t := s.targets.Load(); t != nil { // made meanwhile
		return *t, nil
	}
	t, err := s.prepare(ctx)
	if err != nil {
		return nil, s.failed(ctx, err)
	}
	s.targets.Store(&t)
	return t, nil
}

// forget has the indices looked up again: one of them was lost.
func (s *Store) forget() { s.targets.Store(nil) }

// turn is a lock that is waited for no longer than a context lasts. It is a channel with room for one.
type turn chan struct{}

func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) give() { <-t }

// with runs something that needs the indices, and says of its error what a caller may know.
func (s *Store) with(ctx context.Context, do func(t targets) error) error {
	t, err := s.ready(ctx)
	if err != nil {
		return err
	}
	return s.failed(ctx, do(t))
}

// ask is with for what a page asks, which does not wait for long.
func (s *Store) ask(ctx context.Context, do func(ctx context.Context, t targets) error) error {
	short, cancel := context.WithTimeout(ctx, AskTimeout)
	defer cancel()
	t, err := s.ready(short)
	if err == nil {
		err = do(short, t)
	}
	return s.failed(ctx, err)
}
