# `make up` runs a stack, `make test` proves the library. What each target needs, it sets up first.

STACK    ?= local
# docker, kubernetes or render; empty: Docker if a daemon answers, else rendered manifests
PLATFORM ?=
ARGS     ?=
PYTHON   ?= python3
JOBS     ?= 2

SETUP     := $(PYTHON) toolchain/setup.py
ENV       := . .state/env.sh &&
TIERSTACK := $(ENV) tierstack
# A process that has nothing left takes over tests of another, so no core is idle while one has a row of long tests.
PARALLEL  := -n $(JOBS) --dist worksteal
# A test that hangs is named, and the others go on: none takes a tenth of it on an idle machine.
LIMIT     := --timeout=600
WHERE      = --stack $(STACK) $(if $(PLATFORM),--platform $(PLATFORM)) $(ARGS)

.DEFAULT_GOAL := help
.PHONY: help setup core local-images images up down preview render lint fmt check test test-engine coverage test-docker name-servers cluster cluster-down test-cluster bench outdated docs prepare release doctor clean

help: ## this list
	@echo "make TARGET [STACK=local|staging|prod] [PLATFORM=docker|kubernetes|render] [ARGS=...]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## engine, providers, test tools, Python environment
	@$(SETUP)

core:
	@$(SETUP) core

local-images:
	@case "$(PLATFORM)" in ""|docker) ! docker info >/dev/null 2>&1 || $(PYTHON) images/build.py ;; esac

images: core ## container images of the local stack (pulled, or built where no registry answers)
	@$(PYTHON) images/build.py

# The local stack runs images of its own; the others name released images by digest.
up: core $(if $(filter local,$(STACK)),local-images) ## bring STACK up: on Docker, on the current cluster (PLATFORM=kubernetes), or rendered to rendered/
	@$(TIERSTACK) up $(WHERE)

down: core ## take STACK down; data stays unless ARGS=--delete-data
	@$(TIERSTACK) down $(WHERE)

preview: core ## what `up` would change
	@$(TIERSTACK) preview $(WHERE)

render: core ## Kubernetes manifests of STACK into rendered/STACK/, without any cluster
	@$(TIERSTACK) render $(WHERE)

lint: setup ## formatting, lint and types; workflows and their scripts
	@$(ENV) ruff format --check .
	@$(ENV) ruff check .
	@$(ENV) pyright
	@$(ENV) actionlint .github/workflows/*.yml examples/workflows/.github/workflows/*.yml
	@$(ENV) zizmor --offline --quiet --no-progress --persona=auditor .github examples/workflows
	@$(ENV) shellcheck --external-sources --source-path=SCRIPTDIR .ci/run examples/workflows/ci/*.sh

fmt: setup ## format and fix what can be fixed
	@$(ENV) ruff format .
	@$(ENV) ruff check --fix .

# Name servers are packages of the operating system: where only root may install them and this is not root, their tests
# are no part of `make test`, and its last line says so.
HAS_SERVERS = $(SETUP) --check dns >/dev/null 2>&1

name-servers: setup
	@$(SETUP) dns || echo "The tests go on without them." >&2

check: lint ## format, lint, types, and the tests that need no engine
	@$(ENV) TIERSTACK_REQUIRE=pure,graph pytest -q $(PARALLEL) -m "pure or graph" $(ARGS)

test: lint name-servers ## lint, then the tests that need no Docker, those of the engine in their short form
	@$(ENV) TIERSTACK_REQUIRE=pure,graph,engine$$($(HAS_SERVERS) && echo ,servers,programs) \
	    pytest $(PARALLEL) $(LIMIT) -m "(pure or graph or engine or servers) and not long" $(ARGS)

test-engine: name-servers ## all tests with the real engine: also kills, other languages, wheels, the pages as they stand
	@$(ENV) TIERSTACK_REQUIRE=engine$$($(HAS_SERVERS) && echo ,programs) \
	    pytest $(PARALLEL) $(LIMIT) -m engine --durations=12 --durations-min=20 $(ARGS)

coverage: setup ## how much of the package the tests without an engine reach: at least 90 %
	@$(ENV) pytest -q $(PARALLEL) -m "pure or graph" --cov --cov-report=term $(ARGS)

test-docker: name-servers images ## tests on a real Docker daemon
	@$(ENV) TIERSTACK_REQUIRE=docker$$($(HAS_SERVERS) && echo ,programs) pytest -m docker --durations=12 --durations-min=20 $(ARGS)

cluster: setup ## a Kubernetes of three nodes with its operators (TIERSTACK_CLUSTER=existing: operators onto the current one)
	@$(SETUP) cluster images
	@$(PYTHON) images/build.py --group images --group cluster
	@$(ENV) python -m devcluster up && python -m devcluster operators

cluster-down: core ## stop and remove that cluster
	@$(ENV) python -m devcluster down

test-cluster: name-servers cluster ## tests on a real Kubernetes cluster
	@$(ENV) TIERSTACK_REQUIRE=cluster$$($(HAS_SERVERS) && echo ,programs) pytest -m cluster --durations=12 --durations-min=20 $(ARGS)

bench: core ## preview and up against a hand-written program with the same resources
	@$(ENV) python -m bench $(ARGS)

outdated: setup ## pinned versions that are behind or have known vulnerabilities (ARGS=--json, ARGS=--strict)
	@$(ENV) python -m toolchain.outdated $(ARGS)

# In an environment of its own; the set-up's Python where there is one, because the system's may be too old.
docs: ## the documentation as a static site in build/docs/, every link checked
	@$(or $(wildcard .venv/bin/python),$(PYTHON)) -m toolchain.docs

# The upgrade is judged by the record of the release before, which the last line replaces; between them the environment
# gets the new version.
prepare: setup ## VERSION=1.2.3: the commit that a release is made of: version, changelog, recorded release
	@$(ENV) pytest -q tests/test_upgrade.py
	@$(ENV) python -m toolchain.release --prepare $(VERSION)
	@$(SETUP)
	@$(ENV) python -m tests.releases

release: setup ## dist/: wheel, sdist, JSON schema, SBOM, notes and checksums of the version in pyproject.toml
	@$(ENV) python -m toolchain.release

doctor: ## what is found, what is missing and how to get it (ARGS=--json)
	@$(SETUP) --doctor $(ARGS)

clean: ## remove caches and rendered files; state, environment and passphrase stay
	rm -rf rendered dist build .pytest_cache .ruff_cache .hypothesis .coverage .coverage.*
