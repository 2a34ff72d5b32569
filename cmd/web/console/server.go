// Package console is the console over HTTP: pages for people, JSON for programs, and the live view. One file a noun has its handlers;
// routes.go lists them all, and errors.go alone turns errors into answers.
//
// What arrives flows one way: the projector and the log bring news, the publisher renders it once, the hub hands it to the sockets.
// Handlers read.
package console

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"headway/domain"
	"headway/eventstore"
	"headway/live"
	"headway/orders"
	"headway/projections"
	"headway/projections/history"
	"headway/projections/runner"
	"headway/static"
)

// Options are what a server stands on. All but those that say so are required.
type Options struct {
	Events    eventstore.Store
	Snapshots eventstore.Snapshots // nil means none
	Read      projections.Store
	History   history.Store // what was stored, and how the projections were; it is kept while this process runs them
	Codec     domain.Codec
	Zone      *time.Location // defines today, date filters and the text of pages
	Clock     func() time.Time
	Log       *slog.Logger
	Version   string         // of the build; pages of another one offer a reload
	Assets    *static.Assets // nil means New's own; to make them takes longer than all the rest
	Demo      bool           // people choose who they are
	Alone     bool           // no other process can run the projections
	NoNetwork bool           // pages wait for processors only, so that no more are made at once than there are
}

// Server answers requests. Handlers read rows by a Reader only; nothing but the projector writes them.
type Server struct {
	events     eventstore.Store
	commands   orders.Handler
	read       projections.Reader
	projector  *runner.Projector
	freshness  *freshness
	timeline   timeline
	history    history.Store
	recent     *recent
	references references
	hub        *live.Hub
	news       *news
	publisher  *publisher
	sequence   *rowSequence
	codec      domain.Codec
	zone       *time.Location
	clock      func() time.Time
	log        *slog.Logger
	static     *static.Assets
	build      string
	demo       bool
	leases     *leases
	pages      limiter   // of GET
	buffers    sync.Pool // of *bytes.Buffer
	list       []route
	document   func() []byte // of /openapi.json
}

// New joins everything that a request needs. It starts nothing: Begin and Run do.
func New(o Options) *Server {
	s := &Server{
		read: o.Read, history: o.History, codec: o.Codec, zone: o.Zone, clock: o.Clock, log: o.Log, static: o.Assets, demo: o.Demo,
		sequence: &rowSequence{clock: o.Clock}, leases: newLeases(o.Events, o.Clock, o.Log),
	}
	if s.static == nil {
		s.static = static.New()
	}
	if o.NoNetwork {
		s.pages = pageLimiter()
	}
	s.build = o.Version + "-" + s.static.Build()
	s.hub = live.New(live.Options{Build: s.build})
	s.news = newNews(s.hub, o.Log)
	s.projector = runner.New(o.Events, o.Read, runner.Options{Codec: o.Codec, Clock: o.Clock,
		Log: o.Log, Alone: o.Alone, History: o.History, OnMoved: s.news.movedAll, OnRows: s.news.arrived, OnHold: s.news.held,
		OnLease: s.leases.changed, OnPutBack: s.leases.putBack})
	s.events = announcing{o.Events, func(r eventstore.Record) {
		head := eventstore.Head{Stream: r.Stream, Version: r.Version, At: r.StoredAt}
		s.news.moved(head)
		s.projector.Nudge(head)
	}}
	s.commands = orders.Handler{Events: s.events, Codec: o.Codec}.WithSnapshots(o.Snapshots, orders.SnapshotPolicy{})
	s.freshness = &freshness{
		events: s.events, read: s.read, monitor: s.projector.Monitor(), zone: o.Zone, clock: o.Clock,
	}
	s.recent = &recent{events: s.events, history: o.History}
	s.timeline = timeline{codec: o.Codec, zone: o.Zone, positions: s.projector.Positions}
	s.publisher = &publisher{
		news: s.news, hub: s.hub, commands: s.commands, read: s.read, timeline: s.timeline, freshness: s.freshness, sequence: s.sequence,
		zone: o.Zone, clock: o.Clock, log: o.Log,
	}
	s.list = s.routes()
	s.document = sync.OnceValue(func() []byte { return document(s.list) })
	return s
}

// announcing is the event store of a running server: each append wakes the projector and tells the sockets that the order has moved.
type announcing struct {
	eventstore.Store
	appended func(eventstore.Record)
}

func (a announcing) Append(
	ctx context.Context, id eventstore.StreamID, expect int, m eventstore.Metadata, events ...eventstore.NewEvent,
) ([]eventstore.Record, error) {
	records, err := a.Store.Append(ctx, id, expect, m, events...)
	if err == nil && len(records) > 0 && id.Category == orders.Category {
		a.appended(records[len(records)-1])
	}
	return records, err
}

// Events is the event store of the running server: an append there wakes the projector and the sockets.
func (s *Server) Events() eventstore.Store { return s.events }

// Begin is called once, before the first page is read.
func (s *Server) Begin(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, statusWait)
	defer cancel()
	s.projector.Begin(ctx)
}

// Run keeps rows and sockets up with the log until ctx ends, and returns when nothing of it is under way.
func (s *Server) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.projector.Run(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("the projector ended", "error", err)
		}
	})
	running.Go(func() { s.leases.run(ctx) })
	running.Go(func() { s.publisher.run(ctx) })
	running.Go(func() { s.publisher.tellStates(ctx) })
	running.Wait()
}

// HTTP is a server of connections with the bounds of this one.
func (s *Server) HTTP() *http.Server {
	return &http.Server{
		Handler: s.Handler(), ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn), MaxHeaderBytes: MaxHeaderBytes,
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
	}
}

// Shutdown tells the sockets of a restart and waits until they have gone, or ctx ends.
func (s *Server) Shutdown(ctx context.Context) error { return s.hub.Shutdown(ctx) }
