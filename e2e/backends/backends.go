// Package backends starts the distributed engines on the loopback, for tests: a DynamoDB Local and a one-node Elasticsearch, from their
// published jars, without containers. It needs Java 17 or newer, and Maven for the first time.
package backends

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	_ "embed"
)

// The versions that the project is tested with; compose.yaml runs the same ones.
const (
	DynamoDBVersion      = "2.6.0"
	ElasticsearchVersion = "8.19.0"
)

// The bounds of a start.
const (
	startTimeout = 2 * time.Minute  // until an engine answers
	fetchTimeout = 15 * time.Minute // until its jars are there
	stopTimeout  = 15 * time.Second // from the polite signal to the other one
)

// The settings by which tests are told where the engines are.
const (
	DynamoDBVariable      = "HEADWAY_TEST_DYNAMODB"
	ElasticsearchVariable = "HEADWAY_TEST_ELASTICSEARCH"
)

// Engine is what can be started.
type Engine string

// The engines.
const (
	DynamoDB      Engine = "dynamodb"
	Elasticsearch Engine = "elasticsearch"
)

// Engines are all of them.
func Engines() []Engine { return []Engine{DynamoDB, Elasticsearch} }

// Backends are the URLs of the engines that run; empty for one that was not asked for.
type Backends struct{ DynamoDB, Elasticsearch string }

// Environment is what a program's environment must hold for its tests to find the engines.
func (b Backends) Environment() []string {
	var all []string
	if b.DynamoDB != "" {
		all = append(all, DynamoDBVariable+"="+b.DynamoDB)
	}
	if b.Elasticsearch != "" {
		all = append(all, ElasticsearchVariable+"="+b.Elasticsearch)
	}
	return all
}

// Start starts engines on free ports and waits until they answer. Their data and logs are in dir; their jars are fetched once into the
// user's cache folder. stop ends what was started and waits for it; dir is the caller's to remove. The context ends the start only.
func Start(ctx context.Context, dir string, engines ...Engine) (b Backends, stop func(), err error) {
	var running []*process
	stop = func() {
		for _, p := range running {
			p.end()
		}
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return b, stop, err
	}
	if _, err := exec.LookPath("java"); err != nil {
		return b, stop, errors.New("the engines need Java 17 or newer; no java was found")
	}
	for _, engine := range engines { // all begin before any is waited for
		p, err := start(ctx, dir, engine)
		if err != nil {
			stop()
			return Backends{}, func() {}, err
		}
		running = append(running, p)
	}
	for _, p := range running {
		if err := p.wait(ctx); err != nil {
			stop()
			return Backends{}, func() {}, err
		}
		switch p.engine {
		case DynamoDB:
			b.DynamoDB = p.url
		case Elasticsearch:
			b.Elasticsearch = p.url
		}
	}
	return b, stop, nil
}

func start(ctx context.Context, dir string, engine Engine) (*process, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	port, url := strconv.Itoa(ports[0]), fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	home := filepath.Join(dir, string(engine))
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, err
	}
	switch engine {
	case DynamoDB:
		lib, err := jars(ctx, "dynamodb", DynamoDBVersion)
		if err != nil {
			return nil, err
		}
		return run(engine, home, url, url, "-Xmx512m", "-Djava.library.path="+lib, "-cp", filepath.Join(lib, "*"),
			"com.amazonaws.services.dynamodbv2.local.main.ServerRunner", "-inMemory", "-disableTelemetry", "-port", port)
	case Elasticsearch:
		lib, err := jars(ctx, "elasticsearch", ElasticsearchVersion)
		if err != nil {
			return nil, err
		}
		netty, err := jars(ctx, "netty", ElasticsearchVersion)
		if err != nil {
			return nil, err
		}
		modules, program := filepath.Join(home, "modules"), filepath.Join(home, "ElasticsearchNode.java")
		err = errors.Join(module(netty, filepath.Join(modules, "transport-netty4")), os.WriteFile(program, nodeProgram, 0o600))
		if err != nil {
			return nil, err
		}
		return run(engine, home, url, url+"/_cluster/health", "-Xms512m", "-Xmx1g", "-cp", filepath.Join(lib, "*"), program,
			modules, home, port, strconv.Itoa(ports[1]))
	}
	return nil, fmt.Errorf("there is no engine %s", engine)
}

//go:embed pom.xml
var pom []byte

//go:embed ElasticsearchNode.java
var nodeProgram []byte

// jars is the folder that holds the jars of a profile of pom.xml. It is filled beside and then renamed, so it is whole if it is there.
func jars(ctx context.Context, profile, version string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(cache, "headway", "backends", profile+"-"+version)
	if _, err := os.Stat(folder); err == nil {
		return folder, nil
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		return "", errors.New("fetching the engines needs Maven; no mvn was found")
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o700); err != nil {
		return "", err
	}
	part, err := os.MkdirTemp(filepath.Dir(folder), profile+"-part-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(part) }() // what is left of it is in nobody's way
	project := filepath.Join(part, "pom.xml")
	if err := os.WriteFile(project, pom, 0o600); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	fetch := exec.CommandContext(ctx, "mvn", //nolint:gosec // its arguments are this file's
		"-q", "-B", "-f", project, "-P", profile, "-Ddynamodb.version="+DynamoDBVersion,
		"-Delasticsearch.version="+ElasticsearchVersion, "dependency:copy-dependencies", "-DoutputDirectory="+filepath.Join(part, "jars"))
	if out, err := fetch.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the jars of %s %s could not be fetched: %w\n%s", profile, version, err, out)
	}
	err = os.Rename(filepath.Join(part, "jars"), folder)
	if _, there := os.Stat(folder); there == nil { // also if another start was quicker
		return folder, nil
	}
	return "", err
}

// module makes the folder of a module of Elasticsearch: links to its jars, and what describes it.
func module(jars, folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(jars)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.Symlink(filepath.Join(jars, e.Name()), filepath.Join(folder, e.Name())); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	description := "name=transport-netty4\ndescription=HTTP and transport over Netty\nversion=" + ElasticsearchVersion +
		"\nelasticsearch.version=" + ElasticsearchVersion +
		"\njava.version=17\nclassname=org.elasticsearch.transport.netty4.Netty4Plugin\nextended.plugins=\nhas.native.controller=false\n"
	return os.WriteFile(filepath.Join(folder, "plugin-descriptor.properties"), []byte(description), 0o600)
}

// freePorts finds ports that nothing listens on. Another program could take one before it is used; then the start fails and says so.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it listens on nothing that could wait
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }() // all are kept until all are found, so that they differ
		address, ok := l.Addr().(*net.TCPAddr)
		if !ok {
			return nil, fmt.Errorf("%s is no port", l.Addr())
		}
		ports = append(ports, address.Port)
	}
	return ports, nil
}

// process is an engine that was started.
type process struct {
	engine     Engine
	url, ready string // ready answers as soon as the engine can be used
	log        string
	cmd        *exec.Cmd
	ended      chan struct{} // closed when the process has ended
}

// run starts java. Its life is not the context's: it is ended by end.
func run(engine Engine, home, url, ready string, args ...string) (*process, error) {
	p := &process{engine: engine, url: url, ready: ready, log: filepath.Join(home, "log.txt"), ended: make(chan struct{})}
	out, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p.cmd = exec.Command("java", args...) //nolint:noctx,gosec // see above; its arguments are this file's
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = home, out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the terminal's signals are for who started it
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // that it ended is what is asked
	}()
	return p, nil
}

// wait waits until the engine answers.
func (p *process) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	client := &http.Client{Timeout: 2 * time.Second}
	for {
		if p.answers(ctx, client) {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended while it was starting; see %s\n%s", p.engine, p.log, lastOf(p.log))
		case <-ctx.Done():
			return fmt.Errorf("%s did not answer in time; see %s\n%s", p.engine, p.log, lastOf(p.log))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// answers tells whether there is any answer that is not a complaint of the engine's own.
func (p *process) answers(ctx context.Context, client *http.Client) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.ready, http.NoBody)
	if err != nil {
		return false
	}
	res, err := client.Do(req)
	if err != nil {
		return false
	}
	return res.Body.Close() == nil && res.StatusCode < http.StatusInternalServerError
}

func lastOf(log string) []byte {
	text, err := os.ReadFile(log)
	if err != nil {
		return nil
	}
	return text[max(0, len(text)-2000):]
}

// end asks the process to end, then makes it, and waits.
func (p *process) end() {
	_ = p.cmd.Process.Signal(os.Interrupt) // a process that has ended already needs none
	select {
	case <-p.ended:
	case <-time.After(stopTimeout):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}
