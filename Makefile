# `make help` lists the targets. Nothing here is needed to use the library; .ci/run is what must pass.

GO       ?= go
FUZZTIME ?= 10s

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: test
test: ## Run the tests
	$(GO) test ./...

.PHONY: race
race: ## Run the tests in random order under the race detector
	$(GO) test -race -shuffle=on ./...

.PHONY: fleet
fleet: ## Run the tests of the store over Redis, those over a cluster and sentinels too
	SPILLWAY_CLUSTER=1 $(GO) test -race -count=1 ./store/redis

.PHONY: replicas
replicas: ## Measure real replicas over a real Redis for ten minutes; as root it installs Debian's
	@command -v redis-server >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
		apt-get update -q && apt-get install -qy --no-install-recommends redis-server; } || true
	$(GO) -C bench run ./fleet

.PHONY: siege
siege: ## Measure what hostile clients cost the others of a sidecar, for ten minutes
	$(GO) -C bench run ./siege

.PHONY: lint
lint: ## Run go vet and the linter pinned in tools/go.mod
	$(GO) vet ./...
	$(GO) tool -modfile=tools/go.mod golangci-lint run ./...

.PHONY: house
house: ## Count fields, methods, lines and exports, and name what is too large
	$(GO) -C tools/house run .

.PHONY: bench
bench: ## Run every benchmark, those of the bench module too
	$(GO) test -run '^$$' -bench . -benchmem ./...
	$(GO) -C bench test -run '^$$' -bench . -benchmem ./...

.PHONY: examples
examples: ## Run the failover and fleet examples and build the others
	$(GO) run ./examples/failover
	$(GO) run ./examples/fleet
	$(GO) build -o /dev/null ./examples/...

.PHONY: fuzz
fuzz: ## Run each fuzz test for FUZZTIME (10s)
	@set -e; for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "$$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package; \
		done; \
	done

.PHONY: ci
ci: ## Run everything that must pass before a merge
	.ci/run
