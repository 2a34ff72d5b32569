# Everything a contributor runs. `make help` lists it. Nothing here changes the user's own configuration: settings of the
# go and npm commands are given to the process alone.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The generators and checkers are pinned in their own modules, so none of their dependencies is one of Headway's.
TEMPL := bin/templ
LINT  := bin/golangci-lint
VULN  := bin/govulncheck

VULNDB ?= golang.org/x/vulndb@latest
# The Go that a release is built with: what is known of its library counts, not what is known of the one that happens to be here.
RELEASE_GO ?= go1.26.10

# What needs the distributed engines, and everything else. The inner loop does without the engines.
ENGINED := ./eventstore/dynamo ./projections/elastic ./e2e/engines
OTHERS   = $$(go list ./... | grep -vE '/(eventstore/dynamo|projections/elastic|e2e/engines)$$')

# Starts the engines around a command, unless they are there already.
ENGINES = $(if $(HEADWAY_TEST_DYNAMODB),,go run ./e2e/backends/run --)

# The browser tests that run on the distributed engines, too: an order's life and search, the windows, the conflict.
ERRANDS := life.spec.mjs windows.spec.mjs conflict.spec.mjs

# What writes to the log, to a row or to a socket from more than one goroutine runs under the race detector; on the distributed engines, which
# make it slow, only what is done by many at once.
RACED  = $$(go list ./domain/... ./eventstore/... ./projections/... ./live/... ./cmd/web/... | grep -vE '/(eventstore/dynamo|projections/elastic)$$')
CROWDS := TestOneOrderACommand|TestManyProcesses|TestLateEntries|TestWritersOverABadWire|TestStore/(8_writers|crowd|command_id,_at_once|feed|close)

FUZZTIME ?= 20s
TIMES    ?= 5
ORDERS   ?= 100000

.PHONY: help run generate fresh check js test go race lint e2e distributed backends e2e-distributed node_modules need need-engines bench size benchmarks fuzz \
  fitting budgets mutations soak vuln screenshots

help: ## What can be made
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1|/' | column -t -s '|'

run: ## Serve the demo on 127.0.0.1:8080
	go run ./cmd/web --demo

generate: $(TEMPL) ## Make the Go files of the pages from their .templ files, and the browser's words of stamps from the server's
	$(TEMPL) generate -log-level warn
	go test ./static -run TestWordsAreTheServers -update

check: fresh go js fitting ## The inner loop: generated files fresh, gofmt, vet, go test, node --test; under a minute when warm

fresh: $(TEMPL)
	@before=$$(find views -name '*_templ.go' -exec sha256sum {} + | sort); \
	$(TEMPL) generate -log-level warn; \
	after=$$(find views -name '*_templ.go' -exec sha256sum {} + | sort); \
	[ "$$before" = "$$after" ] || { echo 'Generated files were stale; they are made again now. Commit them.'; exit 1; }

go:
	@bad=$$(gofmt -l $$(go list -f '{{.Dir}}' ./...)); [ -z "$$bad" ] || { echo "gofmt would change:"; echo "$$bad"; exit 1; }
	go vet ./...
	go test $(OTHERS)

js:
	@files=$$(find static -name '*.test.mjs' -o -name '*.test.js' | sort); \
	[ -n "$$files" ] || { echo 'There is no test in static/.'; exit 1; }; \
	node --test $$files

fitting:
	go run -C tools ./mutations -check

test: need check lint race fuzz e2e distributed budgets ## Everything; what .ci/run calls. Installs what is missing

race: ## The packages in which goroutines meet, under the race detector
	@./tools/race $(RACED)

lint: $(LINT) ## golangci-lint with .golangci.yml
	$(LINT) run --allow-parallel-runners

e2e: need node_modules ## The browser tests; ARGS="firstend.spec.mjs --headed" goes to Playwright
	cd e2e && npx --no-install playwright test $(ARGS)

distributed: need-engines ## Everything that needs DynamoDB and Elasticsearch, with one start of both
	$(ENGINES) $(MAKE) --no-print-directory backends e2e-distributed

backends: need-engines ## The suites of the distributed engines, and the program on every mix of engines
	$(ENGINES) go test -count=1 -timeout 20m $(ENGINED)
	$(ENGINES) go test -race -timeout 20m -run '$(CROWDS)' ./eventstore/dynamo ./projections/elastic

e2e-distributed: need-engines ## The browser tests of the daily errands, on the distributed engines
	$(ENGINES) $(MAKE) --no-print-directory e2e HEADWAY_E2E_ENGINES=distributed ARGS='$(or $(ARGS),$(ERRANDS))'

node_modules: e2e/node_modules/.package-lock.json

e2e/node_modules/.package-lock.json: e2e/package.json e2e/package-lock.json
	npm ci --prefix e2e --no-audit --no-fund --ignore-scripts
	@touch $@

need: ## Install the programs the tests need and that are missing, or say which
	@./tools/need

need-engines: need
	@./tools/need engines

bench: need-engines ## A table of what the real packages do, beside bare loops of the same run; ARGS="-bench append" prints one measurement
	go build -o bin/ ./cmd/web ./cmd/bench
	$(ENGINES) bin/bench $(or $(ARGS),-table)

size: ## Every page on a store of ORDERS (100000) orders, over HTTP by eight clients, with memory, starts and the making of rows; DIR keeps the orders
	go build -o bin/ ./cmd/web ./cmd/bench
	bin/bench -bench size -orders $(ORDERS) $(if $(DIR),-dir $(DIR)) $(ARGS)

benchmarks: ## Go's own benchmarks of the packages
	go test -run '^$$' -bench . -benchmem $(OTHERS)

fuzz: ## Fuzz every target for FUZZTIME (20s); what is found is printed and left in the package's testdata/fuzz
	@./tools/fuzz $(FUZZTIME)

soak: need-engines node_modules ## Outages and pauses at their full length; then everything TIMES (5) times in a row on a busy machine
	@./tools/soak $(TIMES)

vuln: $(VULN) ## Known vulnerabilities in what is called; needs the network for the database, which the Go project also serves as a module
	GOTOOLCHAIN=$(RELEASE_GO) $(VULN) -db "file://$$(go mod download -json $(VULNDB) | sed -nE 's/.*"Dir": "(.*)".*/\1/p')/data/osv" ./...

budgets: ## What a build, a start and a page may cost, beside the ceilings of budgets.json
	go run -C tools ./budgets

mutations: need-engines ## Break the code on purpose, once in each way of tools/mutations/list.go, and want the test that is named for it to turn red
	$(ENGINES) go run -C tools ./mutations $(ARGS)

screenshots: need node_modules ## Pictures of every page and state into e2e/pictures, those of the README into docs/pictures
	cd e2e && node screenshots.mjs

$(TEMPL): tools/go.mod tools/go.sum
	go build -C tools -o ../bin/ github.com/a-h/templ/cmd/templ

$(LINT): tools/lint/go.mod tools/lint/go.sum
	go build -C tools/lint -o ../../bin/ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

$(VULN): tools/lint/go.mod tools/lint/go.sum
	go build -C tools/lint -o ../../bin/ golang.org/x/vuln/cmd/govulncheck
