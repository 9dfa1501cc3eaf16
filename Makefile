# The one front door. `make` prints this help from the ## comments.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
READY := $(PYTHON) tools/bootstrap.py
# Tests wait more than they work; a file's tests stay together, for they share what is slow to start.
PYTEST := $(BIN)/pytest -q -n 2 --dist loadfile

##@ Everyday
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## Install, build and start everything (PORT= URL= CERT= KEY= MEDIA_ADDRESS= TRUSTED_PROXIES= LISTEN= STATE=)
	@$(READY)
	@exec $(BIN)/python -m ops.run $(if $(PORT),--port $(PORT)) $(if $(URL),--url $(URL)) $(if $(CERT),--cert $(CERT)) \
		$(if $(KEY),--key $(KEY)) $(if $(MEDIA_ADDRESS),--media-address $(MEDIA_ADDRESS)) \
		$(if $(TRUSTED_PROXIES),--trusted-proxies $(TRUSTED_PROXIES)) $(if $(LISTEN),--listen $(LISTEN)) $(if $(STATE),--state $(STATE))

test: ## Install everything and pass all the tests
	@$(READY)
	@$(BIN)/python -m tools.debian
	@$(MAKE) --no-print-directory -j2 -Oline beside-rust all-rust
	@$(MAKE) --no-print-directory -j2 -Oline integration fuzz-meanwhile
	@$(MAKE) --no-print-directory e2e

# The compiler often has work for one core only: what needs no Rust runs on the other one meanwhile.
ONE_BY_ONE := env -u MAKEFLAGS -u MFLAGS make --no-print-directory
beside-rust:
	@$(ONE_BY_ONE) lint-sources types unit contract web-test
all-rust:
	@$(ONE_BY_ONE) lint-rust rust

# With what the integration tests leave of the machine: they mostly wait.
fuzz-meanwhile:
	@nice -n 19 $(BIN)/python -m tools.rust fuzz 30 1

##@ Parts of the tests
lint: lint-sources types limits lint-rust ## Lint and check types, layers, contracts, sizes, Rust, TypeScript and manifests

lint-sources:
	@$(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/python -m tools.lint_protos
	$(BIN)/python -m tools.lint_manifests
	$(BIN)/python -m tools.node npm run --silent lint

lint-rust:
	@$(READY)
	$(BIN)/python -m tools.rust clippy

types: ## Check the types of Python and TypeScript
	@$(READY)
	$(BIN)/mypy services ops tools tests sdk/python examples
	$(BIN)/python -m tools.node npm run --silent check

limits:
	@$(READY)
	$(BIN)/pytest -q tests/contract/test_limits.py

unit: ## Python tests that need no I/O
	@$(READY)
	$(PYTEST) tests/unit

contract: ## Contracts against code: policies, subjects, reasons, limits, documents
	@$(READY)
	$(PYTEST) tests/contract

integration: ## One adapter at a time on real NATS, SQLite, PostgreSQL and the real packet core
	@$(READY) python gen core sdk
	$(PYTEST) tests/integration

e2e: ## The whole system: real processes, a real browser, real voices
	@$(READY) python gen core web sdk
	@$(BIN)/python -m tools.rust build-load
	$(PYTEST) -m "not alone" tests/e2e
	$(BIN)/pytest -q -m alone tests/e2e

rust: ## Tests of the packet core
	@$(READY)
	$(BIN)/python -m tools.rust test

web-test: ## Tests of the web client and the TypeScript SDK
	@$(READY) python gen web sdk
	$(BIN)/python -m tools.node npm test --silent

##@ Longer
bench: ## Measure; ROWS=name,name runs some; rows go to var/bench/latest.json
	@$(READY)
	$(BIN)/python -m tools.rust build-load
	$(BIN)/python -m tests.load.bench $(if $(ROWS),--rows $(ROWS))

chaos: ## Kill, freeze and restart parts at random while listeners verify sound (SEEDS="1 2", SECONDS=, LISTENERS=, ROOMS=; ROWS=drained,…)
	@$(READY) python gen core web sdk
	$(BIN)/python -m tools.rust build-load
	$(if $(ROWS),$(BIN)/python -m tests.load.relay_rows --rows $(ROWS) $(if $(LISTENERS),--listeners $(LISTENERS)),$(BIN)/python -m tests.load.chaos $(if $(SEEDS),--seeds "$(SEEDS)") --seconds $(or $(SECONDS),120) $(if $(LISTENERS),--listeners $(LISTENERS)) $(if $(ROOMS),--rooms $(ROOMS)))

outages: ## Take away databases, bus, time or gateway for as long as it takes to be sure, on real processes (OUTAGE_SECONDS=, default 30)
	@$(READY) python gen core sdk
	@$(BIN)/python -m tools.rust build-load
	OUTAGE_SECONDS=$(or $(OUTAGE_SECONDS),30) $(BIN)/pytest -q tests/e2e/test_outages.py tests/e2e/test_copies.py tests/e2e/test_bus_away.py tests/e2e/test_start_order.py tests/e2e/test_gateway_back.py

crowd: ## 20,000 people within 10 s before a full room while another room talks (ARRIVALS=, SHORT=1)
	@$(READY)
	@$(BIN)/python -m tools.rust build-load
	$(BIN)/python -m tests.load.rush $(if $(SHORT),--short) $(if $(ARRIVALS),--arrivals $(ARRIVALS))

soak: ## 20 different people a second come, hear and go for MINUTES (default 30), and nothing grows (SHORT=1; ROWS=rungs: 300 by every way, blocked at random for 10; SEED=, PEOPLE=)
	@$(READY)
	@$(BIN)/python -m tools.rust build-load
	$(if $(filter rungs,$(ROWS)),$(BIN)/python -m tests.load.rungs $(if $(SEED),--seed $(SEED)) $(if $(PEOPLE),--people $(PEOPLE)),$(BIN)/python -m tests.load.churn) $(if $(SHORT),--short) $(if $(MINUTES),--minutes $(MINUTES))

simulate: ## Simulate a large fleet under the product's own rules (RELAYS= ARRIVALS= SEED= BUDGET=)
	@$(READY)
	$(BIN)/python -m tests.load.simulate $(if $(RELAYS),--relays $(RELAYS)) $(if $(ARRIVALS),--arrivals $(ARRIVALS)) \
		$(if $(SEED),--seed $(SEED)) $(if $(BUDGET),--budget $(BUDGET))

doors: ## A tree of invitations that grows as fast as it may, against a fleet that grows from 1 to 4 relays (SHORT=1)
	@$(READY)
	@$(BIN)/python -m tools.rust build-load
	$(BIN)/python -m tests.load.tree $(if $(SHORT),--short)

fuzz: ## Fuzz every parser for SECONDS each (default 600)
	@$(READY)
	$(BIN)/python -m tools.rust fuzz $(or $(SECONDS),600)

images: ## Build the five images with docker, podman or buildah
	@$(READY) python gen
	$(BIN)/python -m tools.images build

images-try: ## Start the images with docker or podman: read-only, without rights, beside a bus
	@$(READY) python gen
	$(BIN)/python -m tools.images try

control-plane: ## Apply the manifests to a real control plane, built once from its releases (needs Go)
	@$(READY)
	$(BIN)/python -m tools.crd_schemas check
	$(BIN)/python -m tools.cluster

##@ Upkeep
gen: ## Generate code from protos/
	@$(READY) python gen

format: ## Format Python, Rust and TypeScript
	@$(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python -m tools.rust fmt
	$(BIN)/python -m tools.node npm run --silent format

lock: ## Write the Python lock files from pyproject.toml (RISE="name name": these may rise to newer versions)
	@$(READY)
	$(BIN)/python -m tools.lock $(RISE)

clean: ## Remove everything that was built or generated (not var/, which holds your data)
	rm -rf .venv .toolchain gen {web,sdk/typescript}/{dist,node_modules,src/gen} tests/e2e/node_client/node_modules services/media_relay/packetcore/target

.PHONY: help run test lint lint-sources limits lint-rust beside-rust all-rust fuzz-meanwhile types unit contract integration e2e rust web-test bench chaos outages simulate fuzz images images-try control-plane gen format lock clean crowd soak doors
