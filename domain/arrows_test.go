package domain_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"headway/domain"
)

const module = "headway"

// arrows is the table of ARCHITECTURE.md: which of our rooms each room may import. The longest prefix of a folder counts; cmd/*
// introduces them to each other and may import all of them, but for the console, which knows no engine. A room that is not listed may
// import nothing of ours.
func arrows() map[string][]string {
	return map[string][]string{
		"fault":                {},
		"domain":               {"fault"},
		"eventstore":           {"fault"},
		"eventstore/sqlite":    {"fault", "eventstore", "internal/sqlitefile"},
		"eventstore/dynamo":    {"fault", "eventstore", "internal/waiting"},
		"eventstore/storetest": {"fault", "eventstore"},
		"orders":               {"fault", "eventstore", "domain"},
		"orders/orderstest":    {"fault", "eventstore", "eventstore/storetest", "orders", "domain"},
		"operations":           {"fault", "eventstore"},
		"projections":          {"fault", "orders", "eventstore", "domain"},
		"projections/history":  {"fault"},
		"projections/runner":   {"fault", "projections", "projections/history", "orders", "eventstore", "domain", "internal/waiting"},
		"projections/verify":   {"fault", "projections", "orders", "eventstore", "domain", "internal/waiting"},
		"projections/sqlite": {
			"fault", "projections", "projections/history", "orders", "eventstore", "domain", "internal/waiting", "internal/sqlitefile",
		},
		"projections/elastic":    {"fault", "projections", "projections/history", "orders", "eventstore", "domain", "internal/waiting"},
		"projections/readtest":   {"fault", "projections", "projections/runner", "orders", "eventstore", "domain"},
		"projections/runnertest": {"*"},
		"views":                  {"fault", "projections", "domain"},
		"live":                   {},
		"static":                 {},
		"cmd":                    {"*"},
		"cmd/web/console": {
			"fault", "views", "orders", "projections", "projections/history", "projections/runner", "projections/verify", "operations", "eventstore",
			"domain", "live", "static",
		},
		"e2e":                 {},
		"internal":            {},
		"internal/sqlitefile": {"internal/waiting"},
		"internal/waiting":    {},
	}
}

// drivers are the outside packages that belong in certain folders only; the longest prefix counts. Of Elasticsearch's library there are
// the requests and what sends them: all else of it brings the typed API, which took longer to build than the rest of the program.
//
// e2e/poison plays a broken program that writes into the file, e2e/lock one that keeps it; cmd/bench has bare loops to compare the engines
// with; internal/faultydisk is what their tests are on; the simulation has a browser's side of a socket.
func drivers() map[string][]string {
	sqlite := []string{"eventstore/sqlite", "projections/sqlite", "e2e/poison", "e2e/lock", "cmd/bench", "internal/faultydisk", "internal/sqlitefile", "projections/runnertest"}
	return map[string][]string{
		"database/sql":        sqlite,
		"modernc.org/":        sqlite,
		"github.com/aws/":     {"eventstore/dynamo", "cmd/bench"},
		"github.com/elastic/": {},
		"github.com/elastic/elastic-transport-go/v8/elastictransport": {"projections/elastic"},
		"github.com/elastic/go-elasticsearch/v8/esapi":                {"projections/elastic"},
		"github.com/gorilla/websocket":                                {"live", "cmd/web/internal/simulation"},
	}
}

// pure is all that domain may import from outside: nothing that waits, reads a clock, draws lots or touches the world.
func pure() []string {
	return []string{
		"bytes", "cmp", "encoding/json", "errors", "fmt", "maps", "math", "math/bits", "slices", "sort", "strconv", "strings",
		"time", "unicode", "unicode/utf8", "github.com/google/uuid",
		"github.com/go-json-experiment/json", "github.com/go-json-experiment/json/jsontext",
	}
}

// purely is what domain may use of packages that hold both pure and impure things.
func purely() map[string][]string {
	return map[string][]string{
		"time": {"Time", "Duration", "UTC", "Microsecond", "RFC3339"},
		"uuid": {"UUID", "Nil", "Parse", "NewSHA1"},
	}
}

// source is one Go file of the module that is not a test.
type source struct {
	folder, file string // from the module's root, with slashes
	*ast.File
}

func sources(t *testing.T) []source {
	t.Helper()
	root := os.DirFS("..")
	var all []source
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules" ||
			entry.Name() == "testdata" || exists(root, path.Join(name, "go.mod"))):
			return fs.SkipDir // not of this module
		case entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		all = append(all, source{path.Dir(name), name, file})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("only %d files were found", len(all))
	}
	return all
}

func exists(root fs.FS, name string) bool {
	_, err := fs.Stat(root, name)
	return err == nil
}

func (s source) imports() []string {
	var all []string
	for _, spec := range s.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err == nil {
			all = append(all, name)
		}
	}
	return all
}

func TestImportsFollowTheArrows(t *testing.T) {
	for _, s := range sources(t) {
		for _, imported := range s.imports() {
			if complaint := forbidden(s.folder, imported); complaint != "" {
				t.Errorf("%s imports %s: %s", s.file, imported, complaint)
			}
		}
	}
}

// forbidden says why a folder may not import a package, or nothing.
func forbidden(folder, imported string) string {
	if room, ours := strings.CutPrefix(imported, module+"/"); ours {
		may := arrows()[roomOf(folder)]
		if slices.Contains(may, "*") || slices.Contains(may, room) || roomOf(room) == roomOf(folder) {
			return ""
		}
		return fmt.Sprintf("%s may import %v of ours", folder, may)
	}
	if folders, ok := drivers()[driverOf(imported)]; ok && !slices.Contains(folders, folder) {
		return fmt.Sprintf("only %v may", folders)
	}
	if folder == "domain" && !slices.Contains(pure(), imported) {
		return "the domain is pure"
	}
	return ""
}

// roomOf is the longest listed prefix of a folder.
func roomOf(folder string) string {
	for room := folder; room != "."; room = path.Dir(room) {
		if _, ok := arrows()[room]; ok {
			return room
		}
	}
	return folder
}

// driverOf is the longest listed prefix of an outside package, or nothing.
func driverOf(imported string) string {
	longest := ""
	for driver := range drivers() {
		if inside(imported, driver) && len(driver) > len(longest) {
			longest = driver
		}
	}
	return longest
}

// inside tells whether a package lies in a folder or is it.
func inside(name, folder string) bool {
	return name == folder || strings.HasPrefix(name, strings.TrimSuffix(folder, "/")+"/")
}

func TestTheTableOfArrowsForbidsWhatItShould(t *testing.T) {
	for _, c := range []struct {
		folder, imported string
		allowed          bool
	}{
		{"eventstore", "headway/domain", false},
		{"orders", "headway/eventstore", true},
		{"eventstore", "headway/orders", false},
		{"domain", "headway/eventstore", false},
		{"domain", "context", false},
		{"domain", "os", false},
		{"eventstore", "headway/projections", false},
		{"eventstore", "headway/eventstore/sqlite", false},
		{"eventstore/sqlite", "modernc.org/sqlite", true},
		{"eventstore", "modernc.org/sqlite", false},
		{"eventstore", "database/sql", false},
		{"cmd/web", "modernc.org/sqlite", false},
		{"projections/elastic", "github.com/elastic/go-elasticsearch/v8/esapi", true},
		{"projections/elastic", "github.com/elastic/elastic-transport-go/v8/elastictransport", true},
		{"projections/elastic", "github.com/elastic/go-elasticsearch/v8", false},
		{"projections/elastic", "github.com/elastic/go-elasticsearch/v8/typedapi/types", false},
		{"projections/elastic", "github.com/elastic/go-elasticsearch/v8/esutil", false},
		{"cmd/bench", "github.com/elastic/go-elasticsearch/v8/esapi", false},
		{"cmd/web", "headway/eventstore/sqlite", true},
		{"cmd/web", "headway/cmd/web/internal/importer", true},
		{"views", "headway/projections", true},
		{"views", "headway/projections/sqlite", false},
		{"views", "headway/eventstore", false},
		{"projections", "headway/eventstore", true},
		{"projections", "headway/live", false},
		{"projections", "headway/projections/runner", false},
		{"projections/sqlite", "headway/projections/runner", false},
		{"projections/sqlite", "headway/projections/history", true},
		{"projections/history", "headway/projections", false},
		{"views", "headway/projections/runner", false},
		{"live", "headway/domain", false},
		{"static", "headway/domain", false},
		{"helpers", "headway/domain", false},
	} {
		if got := forbidden(c.folder, c.imported); (got == "") != c.allowed {
			t.Errorf("%s → %s: %q", c.folder, c.imported, got)
		}
	}
}

func TestTheDomainHasNoClockAndNoChance(t *testing.T) {
	for _, s := range sources(t) {
		if s.folder != "domain" {
			continue
		}
		ast.Inspect(s.File, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := selector.X.(*ast.Ident)
			if !ok {
				return true
			}
			if may, mixed := purely()[pkg.Name]; mixed && !slices.Contains(may, selector.Sel.Name) {
				t.Errorf("%s uses %s.%s", s.file, pkg.Name, selector.Sel.Name)
			}
			return true
		})
	}
}

// The log is written by the handler of commands and by the record of operations. The others here pass on what those append: the console
// tells of it, the simulation loses its answers.
func TestOnlyCommandsAndTheRecordAppend(t *testing.T) {
	may := []string{"orders/execute.go", "operations/recorder.go", "cmd/web/console/server.go", "cmd/web/internal/simulation/faults.go"}
	measures := []string{"eventstore/storetest", "orders/orderstest", "cmd/bench"} // tests, and what measures an engine
	for _, s := range sources(t) {
		if slices.Contains(measures, s.folder) {
			continue
		}
		ast.Inspect(s.File, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 5 {
				return true
			}
			if to, ok := call.Fun.(*ast.SelectorExpr); ok && to.Sel.Name == "Append" && !slices.Contains(may, s.file) {
				t.Errorf("%s appends to the log", s.file)
			}
			return true
		})
	}
}

// Nothing happens because a package was imported, and nothing is shared behind the back of the code that uses it.
func TestNoInitAndNoStateOfAPackage(t *testing.T) {
	for _, s := range sources(t) {
		if ast.IsGenerated(s.File) {
			continue
		}
		for _, decl := range s.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					t.Errorf("%s has an init function", s.file)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if v, ok := spec.(*ast.ValueSpec); ok && d.Tok == token.VAR && holdsState(v) {
						t.Errorf("%s keeps state in the package's variable %s", s.file, v.Names[0].Name)
					}
				}
			}
		}
	}
}

// holdsState tells whether a variable is one that anybody may change: a map, a channel, a lock, an atomic, or one without a value.
// Tables are arrays, functions or maps by fault.Kind; errors, embedded files and assertions of interfaces are no state.
func holdsState(v *ast.ValueSpec) bool {
	if v.Names[0].Name == "_" {
		return false
	}
	if mutable(v.Type) {
		return true
	}
	for _, value := range v.Values {
		switch e := value.(type) {
		case *ast.CompositeLit:
			if mutable(e.Type) {
				return true
			}
		case *ast.UnaryExpr:
			if literal, ok := e.X.(*ast.CompositeLit); ok && mutable(literal.Type) {
				return true
			}
		case *ast.CallExpr:
			if made, ok := e.Fun.(*ast.Ident); ok && (made.Name == "make" || made.Name == "new") {
				return true
			}
		}
	}
	return false
}

func mutable(typ ast.Expr) bool {
	switch e := typ.(type) {
	case *ast.MapType:
		key, ok := e.Key.(*ast.SelectorExpr)
		return !ok || key.Sel.Name != "Kind" // the one table from kinds of errors to statuses
	case *ast.ChanType:
		return true
	case *ast.IndexExpr: // atomic.Pointer[T]
		return mutable(e.X)
	case *ast.SelectorExpr:
		pkg, ok := e.X.(*ast.Ident)
		return ok && (pkg.Name == "sync" || pkg.Name == "atomic")
	}
	return false
}

func TestWhatCountsAsStateOfAPackage(t *testing.T) {
	for declaration, state := range map[string]bool{
		`var m = map[string]int{}`:              true,
		`var m map[string]int`:                  true,
		`var m = make(map[string]int)`:          true,
		`var c chan int`:                        true,
		`var mu sync.Mutex`:                     true,
		`var once = sync.Once{}`:                true,
		`var p atomic.Pointer[int]`:             true,
		`var statuses = map[fault.Kind]int{}`:   false,
		`var names = [...]string{"a"}`:          false,
		`var errGone = errors.New("gone")`:      false,
		`var files embed.FS`:                    false,
		`var _ I = (*T)(nil)`:                   false,
		`var pattern = regexp.MustCompile("x")`: false,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+declaration, 0)
		if err != nil {
			t.Fatal(err)
		}
		spec, ok := file.Decls[0].(*ast.GenDecl).Specs[0].(*ast.ValueSpec)
		if !ok || holdsState(spec) != state {
			t.Errorf("%s: state is %v", declaration, !state)
		}
	}
}

// Whatever decides is a command of an order, and Commands lists it; a create alone begins one.
func TestEveryCommandIsListed(t *testing.T) {
	listed := []string{"CreateOrder"}
	for _, c := range domain.Commands() {
		listed = append(listed, strings.TrimPrefix(fmt.Sprintf("%T", c), "domain."))
	}
	for _, s := range sources(t) {
		for _, d := range s.Decls {
			f, ok := d.(*ast.FuncDecl)
			if s.folder != "domain" || !ok || f.Name.Name != "Decide" || f.Recv == nil {
				continue
			}
			if of, ok := f.Recv.List[0].Type.(*ast.Ident); !ok || !slices.Contains(listed, of.Name) {
				t.Errorf("%s: %v is a command that Commands does not list", s.file, f.Recv.List[0].Type)
			}
		}
	}
}
