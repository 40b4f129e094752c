# integration-operator: `make help` lists every target.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLUSTER_NAME ?= dev
export CLUSTER_NAME
DEV := $(BIN)/python -m dev

.PHONY: help
help: ## This list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  \033[36m%-16s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.ready: requirements/dev.txt pyproject.toml
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet uv==$$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' requirements/dev.txt)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: setup
setup: $(VENV)/.ready ## Python environment with everything pinned by hash

.PHONY: lock
lock: setup ## Pin all dependencies again (requirements/*.txt)
	@$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 --universal -o requirements/runtime.txt pyproject.toml
	@$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 --universal -c requirements/runtime.txt -o requirements/dev.txt pyproject.toml requirements/dev.in

.PHONY: generate
generate: setup ## CRDs, the chart's copy of them, reference pages: all that follows from the models
	@$(DEV).generate

.PHONY: format
format: setup ## Format the sources
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

.PHONY: check
check: setup ## Format, lint, types, layers, generated files: red where anything is off
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/ruff check --quiet .
	@$(DEV).generate --check
	@$(BIN)/lint-imports > /dev/null || $(BIN)/lint-imports
	@$(BIN)/mypy

.PHONY: test-unit
test-unit: setup ## Pure decisions, golden files: seconds
	@$(DEV) test unit

.PHONY: test-api
test-api: setup ## Against a real API server
	@$(DEV) test api

.PHONY: test-e2e
test-e2e: setup ## Against a real cluster, gateway, databases
	@$(DEV) test e2e

.PHONY: test
test: check ## Everything, with all set-up: unit, API, end to end
	@$(DEV) test unit api e2e

.PHONY: cluster-up
cluster-up: setup ## A local cluster, or what is missing of it
	@$(DEV) cluster up

.PHONY: cluster-down
cluster-down: setup ## Take it down; nothing of it is left
	@$(DEV) cluster down

.PHONY: cluster-status
cluster-status: setup ## What of it runs
	@$(DEV) cluster status

.PHONY: demo
demo: setup ## A cluster, the operator, examples, real traffic
	@$(DEV) demo up

.PHONY: demo-down
demo-down: setup ## Take the demo down; nothing of it is left
	@$(DEV) demo down

.PHONY: bench
bench: setup ## 1,000 and 5,000 ApiRoutes beside a bare client
	@$(DEV) bench

.PHONY: chaos
chaos: setup ## The operator killed at 100 random moments
	@$(DEV) chaos
