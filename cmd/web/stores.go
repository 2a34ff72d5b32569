package main

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"headway/eventstore"
	"headway/eventstore/dynamo"
	eventsqlite "headway/eventstore/sqlite"
	"headway/fault"
	"headway/projections"
	"headway/projections/elastic"
	"headway/projections/history"
	"headway/projections/runner"
	readsqlite "headway/projections/sqlite"
)

// The engines by the names that --events and --read give them.
const (
	sqliteEngine  = "sqlite"
	dynamoEngine  = "dynamodb"
	elasticEngine = "elasticsearch"
)

// engine is what keeps a store, and where: sqlite:PATH, dynamodb:PREFIX or elasticsearch:URL.
type engine struct {
	name   string
	place  string // a path, a prefix of tables, or an address without what it is asked
	prefix string // of the indices; empty means the usual one
}

// String is the engine as it was named, but for passwords.
func (e engine) String() string {
	if e.name != elasticEngine {
		return e.name + ":" + e.place
	}
	u, err := url.Parse(e.place)
	if err != nil {
		return e.name
	}
	u.User = nil
	if e.prefix != "" {
		u.RawQuery = url.Values{"prefix": {e.prefix}}.Encode()
	}
	return e.name + ":" + u.String()
}

// engines are the two that this run is to use. Invalid if a flag names none.
func (s Settings) engines() (events, read engine, err error) {
	if events, err = s.engine("--events", s.Events, dynamoEngine, "sqlite:PATH or dynamodb:PREFIX", "events.db"); err != nil {
		return events, read, err
	}
	if read, err = s.engine("--read", s.Read, elasticEngine, "sqlite:PATH or elasticsearch:URL", "read.db"); err != nil {
		return events, read, err
	}
	if events.name == dynamoEngine && !tablePrefixes.MatchString(events.place) {
		return events, read, fault.Errorf(fault.Invalid,
			"--events: the prefix of the tables is 1 to 200 letters, digits, dots, minus signs and underscores.")
	}
	if read.name == elasticEngine {
		err = read.address()
	}
	return events, read, err
}

var tablePrefixes = regexp.MustCompile(`^[A-Za-z0-9._-]{1,200}$`)

// engine reads one flag. Unset, it is a file in the data folder.
func (s Settings) engine(flag, value, distributed, forms, usual string) (engine, error) {
	if value == "" {
		return engine{name: sqliteEngine, place: filepath.Join(s.Folder(), usual)}, nil
	}
	name, place, _ := strings.Cut(value, ":")
	if name != sqliteEngine && name != distributed { // the rest of the value may hold a password
		return engine{}, fault.Errorf(fault.Invalid, "%s: “%s” is not an engine that it can name; write %s.", flag, name, forms)
	}
	if place == "" {
		return engine{}, fault.Errorf(fault.Invalid, "%s: “%s” does not say where; write %s.", flag, name, forms)
	}
	return engine{name: name, place: place}, nil
}

// address takes what is asked apart from where: the prefix of the indices, for those who share a cluster.
func (e *engine) address() error {
	u, err := url.Parse(e.place)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fault.Errorf(fault.Invalid, "--read: the address of Elasticsearch must begin with http:// or https:// and name a host.")
	}
	for name := range u.Query() {
		if name != "prefix" {
			return fault.Errorf(fault.Invalid, "--read: the address of Elasticsearch can be asked for its “prefix”, not for “%s”.", name)
		}
	}
	e.prefix = u.Query().Get("prefix")
	u.RawQuery = ""
	e.place = u.String()
	return nil
}

// usesFolder tells whether anything is kept in files.
func (s Settings) usesFolder() (bool, error) {
	events, read, err := s.engines()
	return events.name == sqliteEngine || read.name == sqliteEngine, err
}

// usesNoNetwork tells whether everything is kept in files.
func (s Settings) usesNoNetwork() bool {
	events, read, err := s.engines()
	return err == nil && events.name == sqliteEngine && read.name == sqliteEngine
}

// Open opens the stores, and the history beside the rows; what is kept in files is made when missing. Close must be called. Serving also
// takes the folder's lock; other commands may run beside a server.
func (a *App) Open() error {
	events, read, err := a.Settings.engines()
	if err != nil {
		return err
	}
	if events.name == sqliteEngine || read.name == sqliteEngine {
		if err := makeFolder(a.Settings.Folder()); err != nil {
			return err
		}
	}
	eventStore, err := a.openEvents(events)
	if err != nil {
		return err
	}
	readStore, err := a.openRead(read)
	if err != nil {
		return errors.Join(err, eventStore.Close())
	}
	kept, err := a.openHistory(read)
	if err != nil {
		return errors.Join(err, readStore.Close(), eventStore.Close())
	}
	a.Events, a.Snapshots, a.Read, a.History = eventStore, tellingOfSnapshots{eventStore, a.Log}, readStore, kept
	return nil
}

// eventEngine is all that an engine of the log keeps.
type eventEngine interface {
	eventstore.Store
	eventstore.Snapshots
}

func (a *App) openEvents(e engine) (eventEngine, error) {
	if e.name == dynamoEngine {
		return dynamo.Open(a.Context, a.tables(e))
	}
	return eventsqlite.Open(e.place, eventsqlite.Options{Clock: a.Clock})
}

// tellingOfSnapshots logs what a command's answer does not depend on: that a snapshot could not be saved.
type tellingOfSnapshots struct {
	eventstore.Snapshots
	log *slog.Logger
}

func (s tellingOfSnapshots) SaveSnapshot(ctx context.Context, snapshot eventstore.Snapshot, invalid int) error {
	if err := s.Snapshots.SaveSnapshot(ctx, snapshot, invalid); err != nil {
		s.log.Warn("snapshot not saved", "stream", snapshot.Stream, "version", snapshot.Version, "error", err)
	}
	return nil
}

func (a *App) openRead(e engine) (projections.Store, error) {
	if e.name == elasticEngine {
		return elastic.Open(a.Context, elastic.Options{URL: e.place, Prefix: e.prefix, Clock: a.Clock, Log: a.Log})
	}
	return readsqlite.Open(e.place, readsqlite.Options{Log: a.Log})
}

// openHistory opens the history that lies beside a read store.
func (a *App) openHistory(e engine) (history.Store, error) {
	if e.name == elasticEngine {
		return elastic.OpenHistory(a.Context, elastic.Options{URL: e.place, Prefix: e.prefix, Clock: a.Clock, Log: a.Log})
	}
	return readsqlite.OpenHistory(a.Context, readsqlite.HistoryPath(e.place))
}

// Close lets go of the stores.
func (a *App) Close() error {
	var errs []error
	if a.History != nil {
		errs = append(errs, a.History.Close())
	}
	if a.Read != nil {
		errs = append(errs, a.Read.Close())
	}
	if a.Events != nil {
		errs = append(errs, a.Events.Close())
	}
	return errors.Join(errs...)
}

// projector brings rows up with the log in a command that is no server, and stands by while a server does. With files, whether one does is
// told by their folder; without, a lease that was not given back has to stand still first.
func (a *App) projector() *runner.Projector {
	files, err := a.Settings.usesFolder()
	return runner.New(a.Events, a.Read, runner.Options{
		Codec: a.Codec, Clock: a.Clock, Log: a.Log, Alone: err == nil && files && !eventsqlite.DirIsLocked(a.Settings.Folder()),
	})
}

// makeFolder makes a folder that only its owner can look into. What is promised to be kept in it would be lost with it, so its name is on
// the disk when makeFolder returns.
func makeFolder(dir string) error {
	var parents []string
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		if _, err := os.Stat(at); err == nil || at == filepath.Dir(at) {
			break
		}
		parents = append(parents, filepath.Dir(at))
	}
	err := os.MkdirAll(dir, 0o700)
	for _, parent := range parents {
		if err == nil {
			err = syncFolder(parent)
		}
	}
	if err != nil {
		return fault.Unreachable(err, "The data folder %s cannot be made.", dir)
	}
	return nil
}

// syncFolder makes durable which names a folder holds.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// tables is how the event store finds its tables: endpoint, region and credentials are what the environment tells the SDK.
func (a *App) tables(e engine) dynamo.Options {
	return dynamo.Options{Prefix: e.place, Clock: a.Clock}
}
