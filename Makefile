# Each command brings up what it needs on private ports and takes it down
# again; two may run at the same time.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help dev test check test-browser test-faults test-proof test-fuzz test-models test-mutants loadtest build clean

# What `make test` tries of the mutants; `make test-mutants` tries them all.
SMOKE_MUTANTS := cap-raised unit-sold-twice

# huma.Register is a function of 460 lines, made anew for each of 300 routes: with all that can be put
# into it the compiler takes two minutes for them, and without eight seconds. What is measured is
# built so, too: pages/s of bench-catalogue were 0.83 and 0.89 of their reference, and 0.79 and 0.86 before.
export GOFLAGS := $(strip $(GOFLAGS) -gcflags=github.com/ropeline/ropeline/booking/api=-l)

benches := $(notdir $(wildcard scripts/bench/*))

help: ## list these commands
	@grep -hE '^[a-zA-Z%-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ sub(/%/, "NAME", $$1); printf "  make %-14s %s\n", $$1, $$2 }'
	@echo "  variables of dev: FANS=500 lets simulated fans join, RESET=1 starts afresh, ARGS='--listen 127.0.0.1:9000' adds flags"

dev: ## run everything on this machine, with a demo sale; Ctrl-C stops it
	@scripts/need dev
	@scripts/pages
	@echo "dev: building the programs"
	@go build -o bin/ ./cmd/...
	@exec bin/ropeline dev $(if $(FANS),--fans $(FANS)) $(if $(filter-out 0,$(RESET)),--reset) $(ARGS)

test: ## run every test there is
	@SMOKE_MUTANTS="$(SMOKE_MUTANTS)" scripts/test

check: ## look at format, vet, lint, imports between packages and types
	@scripts/pages --packages
	@unformatted=$$(git ls-files -co --exclude-standard '*.go' | xargs gofmt -l); \
		[ -z "$$unformatted" ] || { echo "not gofmt-ed:"; echo "$$unformatted"; exit 1; }
	go vet ./...
	go tool staticcheck ./...
	go test .
	npm --prefix web run --silent check

test-browser: build ## walk the pages in a real browser, and take pictures into out/screens; JOURNEY=name picks one, JOURNEY=name,name some
	@scripts/need test
	@JOURNEY=$(JOURNEY) npm --prefix web run --silent journeys

test-faults: ## kill a booking core at each step, a row for each; stop parts for 30 s in each phase of a sale; STOP=10s is shorter, OPERATION=cancel takes those of that name
	@scripts/need test
	@scripts/pages
	@ROPELINE_TEST_FAULTS='$(or $(OPERATION),.)' go test -count=1 -parallel 4 -timeout 60m -v -run NoStepOfABooking ./cmd/ropeline
	@$(if $(OPERATION),,ROPELINE_TEST_STOP=$(or $(STOP),30s) go test -race -count=1 -timeout 60m -v -run StoppedProcesses ./cmd/ropeline)

test-fuzz: ## feed what reads bytes from outside, guided by which code they reach; TIME=60s is how long each
	@scripts/fuzz $(or $(TIME),20s)

test-models: ## compare the line with its models for long; CHECKS=500 is how often each
	@scripts/need test
	@go test -race -count=1 -timeout 2h -v -run 'Model|InAgain' ./queue -rapid.checks=$(or $(CHECKS),500)

test-proof: ## sell out through cut connections, and judge what is left; SEED=n repeats one, MUTANTS=1 shows that it notices broken builds
	@scripts/need test
	@scripts/pages
	@ROPELINE_TEST_PROOF=full ROPELINE_TEST_SEED=$(SEED) go test -count=1 -timeout 20m -v -run TestASellOutThroughCutConnections ./cmd/ropeline
	@ROPELINE_TEST_PROOF=full go test -count=1 -timeout 20m -v -run TestHistoriesAreLinearizable ./booking/hold
	@ROPELINE_TEST_WORDS=all go test -count=1 -timeout 20m -v -run TestNoTextOfARequestDoesHarm ./booking/api
	@$(if $(MUTANTS),go run ./loadtest/mutants proof)

test-mutants: build ## show that the load test notices broken builds; MUTANTS="a b" picks some
	@go run ./loadtest/mutants $(MUTANTS)

loadtest: build ## put simulated fans on a private stack and check the invariants; PROFILE=name picks the load
	@bin/ropeline-loadtest $(if $(PROFILE),--profile $(PROFILE))

bench-%: build ## measure one thing, into out/bench/NAME.json
	@[ -x scripts/bench/$* ] || { echo "there is no bench $*; there are: $(or $(benches),none yet)" >&2; exit 2; }
	@mkdir -p out/bench
	@scripts/bench/$*

build: ## build the pages and the programs, into bin/
	@scripts/need dev
	@scripts/pages
	@go build -o bin/ ./cmd/...

clean: ## remove what was built; the data of dev stays (see RESET)
	@rm -rf bin out web/node_modules
	@find web/dist -mindepth 1 ! -name .keep -delete
