SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

GO       ?= go
FUZZTIME ?= 30s
ROUNDS   ?= 20
FAULT    ?= .
SCALE    ?= 1
COUNT    ?= 10
BENCH    ?= .
BASE     ?=

TOOL     := $(GO) tool -modfile=$(CURDIR)/tools/go.mod
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -s -w -X main.version=$(VERSION)
ORACLE   := test/oracle
JS       := $(ORACLE)/js
JS_READY := $(JS)/node_modules/.package-lock.json

# What a developer's own tree holds besides the repository must not be formatted.
GO_DIRS  := cmd deploy internal test

.PHONY: help
help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the static binary bin/tidings
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/tidings ./cmd/tidings

.PHONY: demo
demo: build ## Place a simulated call and show its events
	bin/tidings demo

.PHONY: run
run: build ## Serve on loopback with the defaults, data in tidings-data/
	bin/tidings serve

.PHONY: deps
deps: ## Install the speech engine where it is missing (Debian)
	@if command -v espeak-ng >/dev/null; then echo "espeak-ng is installed"; \
	elif ! command -v apt-get >/dev/null; then echo "install espeak-ng with this system's package manager; without it calls are silent and their length is estimated"; \
	elif [ "$$(id -u)" = 0 ]; then apt-get update -q && apt-get install -qy --no-install-recommends espeak-ng; \
	elif command -v sudo >/dev/null; then sudo apt-get update -q && sudo apt-get install -qy --no-install-recommends espeak-ng; \
	else echo "ask root to run: apt-get install espeak-ng"; exit 1; fi

# The tests start a Postfix of their own; the system's must not begin to take mail.
.PHONY: peers
peers: ## Install the SIP and mail programs that the interoperability tests call (Debian, root)
	apt-get update -q && apt-get install -qy --no-install-recommends sip-tester baresip-core kamailio kamailio-tls-modules
	echo postfix postfix/main_mailer_type select No configuration | debconf-set-selections
	DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends postfix sasl2-bin libsasl2-modules python3-dkim

.PHONY: promtool
promtool: bin/promtool ## Get promtool, which checks the alert rules (Debian)

# Out of the package, because installing it would start a Prometheus.
bin/promtool:
	@mkdir -p bin/prometheus && cd bin/prometheus && rm -f *.deb && apt-get download -q prometheus
	dpkg-deb --fsys-tarfile bin/prometheus/*.deb | tar -xO ./usr/bin/promtool >bin/promtool.part
	chmod +x bin/promtool.part && mv bin/promtool.part bin/promtool && rm -r bin/prometheus

# Calls have deadlines of milliseconds, so those with foreign programs run when nothing else does.
ALONE    := ./test/interop
TOGETHER  = $(shell $(GO) list ./... | grep -v /test/interop)

.PHONY: test
test: ## Run the tests
	$(GO) test -shuffle=on $(TOGETHER)
	$(GO) test -shuffle=on $(ALONE)

.PHONY: race
race: ## Run the tests with the race detector, past the cache
	$(GO) test -race -shuffle=on -count=1 $(TOGETHER)
	$(GO) test -shuffle=on -count=1 ./internal/siptrunk # what the race detector cannot run
	$(GO) test -race -shuffle=on -count=1 $(ALONE)

.PHONY: law
law: ## Check which room imports which
	$(GO) test ./internal/deps

.PHONY: script
script: ## Drive the built binary from outside
	$(GO) test -count=1 ./cmd/...

.PHONY: oracle
oracle: js ## Run AWS's own clients against the binary
	cd $(ORACLE) && $(GO) test -count=1 -timeout=15m ./...

.PHONY: crash
crash: ## Kill the server ROUNDS times under load and count what was lost
	cd $(ORACLE) && TIDINGS_CRASH_ROUNDS=$(ROUNDS) $(GO) test -count=1 -v -timeout=60m -run '^TestCrash$$' ./...

.PHONY: faults
faults: ## Run the faults at full length and count; FAULT=NAME one of them, SCALE=0.1 a tenth
	TIDINGS_FAULTS_SCALE=$(SCALE) $(GO) test -count=1 -v -parallel=1 -timeout=3h -run='$(FAULT)' ./test/faults

.PHONY: js
js: ## Install the JavaScript client that the oracle tests drive
	@if command -v npm >/dev/null; then $(MAKE) $(JS_READY); \
	else echo "npm is not installed: the JavaScript oracle test will be skipped"; fi

$(JS_READY): $(JS)/package-lock.json
	cd $(JS) && npm ci --no-audit --no-fund
	touch $@

.PHONY: fmt
fmt: ## Format all Go files
	$(TOOL) gofumpt -w $(wildcard $(GO_DIRS))

.PHONY: fmt-check
fmt-check:
	@diff=$$($(TOOL) gofumpt -d $(wildcard $(GO_DIRS))); \
	if [ -n "$$diff" ]; then printf '%s\n' "$$diff"; echo "not formatted: run make fmt"; exit 1; fi

.PHONY: lint
lint: ## Run the linters of .golangci.yaml
	$(TOOL) golangci-lint config verify
	$(TOOL) golangci-lint run ./...
	cd $(ORACLE) && $(TOOL) golangci-lint run -c ../../.golangci.yaml ./...

.PHONY: vet
vet:
	$(GO) vet ./...
	cd $(ORACLE) && $(GO) vet ./...

.PHONY: tidy-check
tidy-check:
	$(GO) mod tidy -diff
	cd tools && $(GO) mod tidy -diff
	cd $(ORACLE) && $(GO) mod tidy -diff

# In a developer's tree work in progress is no fault; in CI nothing may have changed.
.PHONY: clean-check
clean-check:
	@if [ "$${CI:-}" = true ]; then git diff --exit-code; fi

.PHONY: check
check: ## Everything that CI runs
	$(MAKE) fmt-check
	$(MAKE) build
	$(MAKE) vet
	$(MAKE) lint
	$(MAKE) law
	$(MAKE) tidy-check
	$(MAKE) race
	$(MAKE) oracle
	$(MAKE) clean-check

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME each
	@grep -rlE '^func Fuzz[A-Za-z0-9_]+\(' --include='*_test.go' internal | sort | while read -r file; do \
		grep -oE '^func Fuzz[A-Za-z0-9_]+' "$$file" | awk '{ print $$2 }' | while read -r target; do \
			echo "== $$target in $$(dirname "$$file")"; \
			$(GO) test -run='^$$' -fuzz="^$$target$$" -fuzztime=$(FUZZTIME) "./$$(dirname "$$file")" </dev/null; \
		done; \
	done

.PHONY: golden
golden: ## Write the golden files anew and show what changed
	@dirs=$$({ grep -rlE 'flag\.Bool\("update"' --include='*_test.go' internal cmd 2>/dev/null || true; } | xargs -r -n1 dirname | sort -u | sed 's,^,./,'); \
	if [ -n "$$dirs" ]; then $(GO) test -count=1 $$dirs -update; else echo "no package has golden files"; fi
	git diff --stat

.PHONY: bench
bench: ## Run the benchmarks COUNT times; BASE=FILE compares with an earlier bin/bench.txt
	@mkdir -p bin
	$(GO) test -run='^$$' -bench='$(BENCH)' -benchmem -count=$(COUNT) ./internal/... | tee bin/bench.txt
	$(TOOL) benchstat $(BASE) bin/bench.txt

.PHONY: vuln
vuln: ## Look for known vulnerabilities (needs the network)
	$(GO) run golang.org/x/vuln/cmd/govulncheck@v1.8.0 ./...
