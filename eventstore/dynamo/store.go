package dynamo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/logging"

	"headway/eventstore"
	"headway/fault"
	"headway/internal/waiting"
)

// The bounds of one store.
const (
	Shards         = 16                    // partitions of every index; a bare type or correlation id would be one hot partition
	AppendTimeout  = 10 * time.Second      // an append that is not definite by then is Unavailable
	ReadTimeout    = 10 * time.Second      // any other call, with all its pages and retries
	CountTimeout   = 10 * time.Minute      // counting all orders, with which a walk begins: 10,000,000 of them are 2 GB
	AttemptTimeout = 3 * time.Second       // one HTTP request
	MaxAttempts    = 8                     // of one request, while the retry quota of the SDK lasts
	MinBackoff     = 25 * time.Millisecond // between the first two attempts
	MaxBackoff     = time.Second           // between two attempts
	MaxConns       = 128                   // idle connections that are kept
)

// What a person reads when the store cannot do it.
const (
	unreadable     = "The event store cannot be read at the moment. Trying again is safe."
	unwritable     = "The event store cannot be written at the moment. Sending the same command again is safe."
	unknownOutcome = "It is not known whether this was stored. Sending the same command again is safe: it is stored once at most."
	storeIsClosed  = "The event store is closed."
	notReady       = "The event store is not set up: %s. `web tables create` makes what is missing."
)

// Options of a store. Only Prefix is needed.
type Options struct {
	Prefix string           // of the names of the tables: PREFIX-events, PREFIX-heads, PREFIX-snapshots
	Local  string           // URL of a DynamoDB Local, which takes any credentials; empty means AWS as the environment configures it
	Clock  func() time.Time // says when an event is stored, and when the feed looks back; nil means time.Now
	Client aws.HTTPClient   // sends the requests; nil means a client with AttemptTimeout
	Windows
}

// Windows are the times by which the feed and its checks go; zero means the default.
type Windows struct {
	// TipDelay is how far behind the clock the feed reads, so that moves of a moment are seen in their order; 200 ms. Below zero it reads
	// ahead of the clock.
	TipDelay      time.Duration
	OverlapEvery  time.Duration // how often the feed looks back, because an index shows some entries late; 10 s
	OverlapWindow time.Duration // how far it looks back; 2 min
	AuditEvery    time.Duration // how often the feed compares with the table itself, because an index may never show an entry; 1 h
	MaxSkew       time.Duration // how far this clock may be from the engine's; more refuses to start; 20 s
}

// withDefaults fills in what is zero.
func (w Windows) withDefaults() Windows {
	for _, d := range []struct {
		to    *time.Duration
		value time.Duration
	}{
		{&w.TipDelay, 200 * time.Millisecond}, {&w.OverlapEvery, 10 * time.Second}, {&w.OverlapWindow, 2 * time.Minute},
		{&w.AuditEvery, time.Hour}, {&w.MaxSkew, 20 * time.Second},
	} {
		if *d.to == 0 {
			*d.to = d.value
		}
	}
	return w
}

// Store is an eventstore.Store on three tables. StoredAt strictly grows within an order, whichever process writes.
type Store struct {
	client        *dynamodb.Client
	clock         func() time.Time
	windows       Windows
	events, heads string // the tables
	snapshots     string
	identity      uint64 // of the log, as cursors carry it
	deliveries    deliveries

	open   sync.RWMutex // held for reading while a call is carried out
	closed bool
}

var (
	_ eventstore.Store     = (*Store)(nil)
	_ eventstore.Snapshots = (*Store)(nil)
)

// Open checks that the tables are there and as they should be, and that this clock is near the engine's. It makes nothing.
func Open(ctx context.Context, options Options) (*Store, error) {
	if options.Clock == nil {
		options.Clock = time.Now
	}
	client, err := connect(ctx, options)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, ReadTimeout)
	defer cancel()
	s := &Store{
		client: client, clock: options.Clock, windows: options.withDefaults(),
		events: options.Prefix + eventsSuffix, heads: options.Prefix + headsSuffix, snapshots: options.Prefix + snapshotsSuffix,
	}
	if err := s.check(ctx, options.Prefix); err != nil {
		return nil, err
	}
	return s, nil
}

// connect makes a client from what the environment tells the SDK; it asks nothing of the engine.
func connect(ctx context.Context, options Options) (*dynamodb.Client, error) {
	if options.Prefix == "" {
		return nil, fault.Errorf(fault.Invalid, "The tables of the event store need a prefix.")
	}
	client := awshttp.NewBuildableClient().WithTimeout(AttemptTimeout).WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConns, t.MaxIdleConnsPerHost = MaxConns, MaxConns
	})
	load := []func(*config.LoadOptions) error{
		config.WithHTTPClient(client), config.WithLogger(logging.Nop{}), // an error is returned, and logged by who gets it
		config.WithRetryer(func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts = MaxAttempts
				o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) { return backoff(attempt), nil })
				o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(onlyCrowded)}, o.Retryables...)
			})
		}),
	}
	if options.Local != "" {
		load = append(load, config.WithRegion("us-east-1"), config.WithBaseEndpoint(options.Local),
			config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("headway", "headway", "")))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fault.Unreachable(err, "The settings of AWS cannot be read.")
	}
	if cfg.Region == "" {
		return nil, fault.Errorf(fault.Invalid, "DynamoDB needs a region: set AWS_REGION, or a profile that names one.")
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return nil, fault.Unreachable(err, "DynamoDB needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role.")
	}
	return dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) {
		// This version of the SDK warns of every checksum, because it decodes a body past the reader that computes it. TLS guards the bytes.
		o.DisableValidateResponseChecksum = true
		if options.Client != nil {
			o.HTTPClient = options.Client
		}
	}), nil
}

// backoff is how long to wait after an attempt, counted from 0.
func backoff(attempt int) time.Duration {
	return waiting.Backoff{First: MinBackoff, Most: MaxBackoff}.FullJitter(attempt+1, rand.Float64()) //nolint:gosec // a jitter is no secret
}

// check refuses tables that are missing or different, and a clock that is not the engine's.
func (s *Store) check(ctx context.Context, prefix string) error {
	for _, want := range Tables(prefix) {
		sent := time.Now()
		out, err := s.client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: aws.String(want.Name)})
		if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
			return &fault.Error{Kind: fault.Unavailable, Message: fmt.Sprintf(notReady, "the table "+want.Name+" is missing"), Cause: err}
		}
		if err != nil {
			return readFailed(ctx, err)
		}
		if differences := want.compare(out.Table); len(differences) > 0 {
			return fault.Errorf(fault.Unavailable, notReady, differences[0])
		}
		if there, ok := middleware.GetServerTime(out.ResultMetadata); ok {
			// The engine's clock is told in whole seconds, at some moment between the request and now.
			off := max(sent.Sub(there)-time.Second, time.Until(there), 0)
			if off > s.windows.MaxSkew {
				return fault.Errorf(fault.Unavailable, "This machine's clock is %s away from the event store's; at most %s is allowed.",
					off.Round(time.Second), s.windows.MaxSkew)
			}
		}
	}
	log, err := s.readLog(ctx)
	s.identity = numberOf(log.id)
	return err
}

// Close waits for the calls that were accepted; the rest is Unavailable. Closing twice is harmless.
func (s *Store) Close() error {
	s.open.Lock()
	defer s.open.Unlock()
	s.closed = true
	return nil
}

// enter begins a call; leave ends it.
func (s *Store) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.open.RLock()
	if s.closed {
		s.open.RUnlock()
		return nil, fault.Errorf(fault.Unavailable, storeIsClosed)
	}
	return s.open.RUnlock, nil
}

// reading begins a call that reads, with the time it may take.
func (s *Store) reading(ctx context.Context) (context.Context, func(), error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return ctx, nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, ReadTimeout)
	return bounded, func() { cancel(); leave() }, nil
}

// readFailed is the context's error if the caller's context ended, else Unavailable.
func readFailed(caller context.Context, err error) error {
	if ended := caller.Err(); ended != nil {
		return ended
	}
	if _, ours := errors.AsType[*fault.Error](err); ours {
		return err
	}
	return fault.Unreachable(err, unreadable)
}

func pageSize(limit int) int {
	if limit <= 0 {
		return eventstore.MaxPage
	}
	return min(limit, eventstore.MaxPage)
}
