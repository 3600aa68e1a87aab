# fleece: every target is one sentence in `make help`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
GO ?= go
BIN := bin
REPORT_DIR ?= out
SCHEDULES ?= 25
FUZZTIME ?= 10s
DIRS ?= driver,virt
GOFLAGS_BUILD := -trimpath

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)$$/  \1\t\2/' | expand -t 14

$(BIN)/fleece: FORCE
	@mkdir -p $(BIN)
	@$(GO) build $(GOFLAGS_BUILD) -o $@ ./cmd/fleece

$(BIN)/fleece-race: FORCE
	@mkdir -p $(BIN)
	@$(GO) build $(GOFLAGS_BUILD) -race -o $@ ./cmd/fleece

.PHONY: FORCE
FORCE:

.PHONY: run
run: $(BIN)/fleece ## the suites on the simulator: no QEMU, no root
	@$(BIN)/fleece run --target sim --schedules $(SCHEDULES)

.PHONY: deps
deps: ## install what the tests need (apt when root), or name what is missing
	@./.ci/deps

.PHONY: test
test: deps $(BIN)/fleece $(BIN)/fleece-race ## every test: units, house rules, the suites in three lanes, mutants
	@./.ci/test

.PHONY: lint
lint: ## go vet, golangci-lint and the house rules
	$(GO) vet ./...
	$(GO) tool -modfile=tools/go.mod golangci-lint run
	$(GO) test ./internal/lint/...

.PHONY: bench
bench: $(BIN)/fleece ## cycles per second on sim and on qemu, QMP round trips, nbdcopy and image comparison beside those of QEMU, bare choice points, cost by size
	@$(GO) run ./internal/bench -fleece $(BIN)/fleece

.PHONY: demo-pull
demo-pull: $(BIN)/fleece ## one pull backup on the simulator and on QEMU, read by nbdinfo, nbdcopy and qemu-img
	@$(GO) run ./internal/demopull -fleece $(BIN)/fleece

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME each
	@./.ci/fuzz $(FUZZTIME)

.PHONY: mutants
mutants: ## the stored mistakes, each of which a named spec must catch
	@$(GO) run ./internal/mutants

.PHONY: mirror-teeth
mirror-teeth: ## mistakes planted in the simulator, each of which random sessions beside the real QEMU must find
	@$(GO) run ./internal/mutants -mirror

.PHONY: survey
survey: ## mistakes made mechanically in DIRS, listed when no spec notices them (a question, not a gate)
	@$(GO) run ./internal/mutants --survey $(DIRS)

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BIN) $(REPORT_DIR)
