# Everything a developer types. `make help` lists it.
PYTHON ?= python3
PORT ?= 8080
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help run test faults soak check lint format types imports migrations contract bench lock clean

help: ## List the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

run: .venv/runtime ## Serve today's demo polls on http://127.0.0.1:8080, on SQLite, without Redis
	@PATH="$(CURDIR)/$(BIN):$$PATH" PORT=$(PORT) scripts/run-demo

test: .venv/development ## Run the tests on PostgreSQL and Redis, then what is portable on SQLite
	$(BIN)/python -m tests.support.servers
	$(BIN)/pytest
	$(BIN)/pytest --database=sqlite

faults: .venv/development ## Let everything fail once, and write docs/faults.md
	$(BIN)/pytest tests/faults --write-faults

elections: .venv/development ## Count elections that others published: make elections FOLDER=PATH
	ELECTIONS="$(abspath $(FOLDER))" $(BIN)/pytest tests/results/published_elections.py

soak: .venv/development ## Let faults and crashes go on for about an hour
	$(BIN)/pytest tests/faults tests/crash --soak

check: test lint types imports migrations ## All that CI checks, in its order

lint: .venv/development ## Lint, and check the format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: .venv/development ## Mend what the linter and formatter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: .venv/development ## Check the types
	$(BIN)/mypy

imports: .venv/development ## Check who imports whom
	$(BIN)/lint-imports

migrations: .venv/development ## Check that models and migrations agree, on both databases
	$(BIN)/python -m tests.support.migrations

contract: .venv/development ## Walk the wire contract on a server: make contract BASE=URL KEY=KEY
	@[ "$(BASE)" ] && [ "$(KEY)" ] || { echo "say: make contract BASE=URL KEY=KEY"; exit 2; }
	@$(BIN)/python -m tests.contract --base "$(BASE)" --key "$(KEY)" $(ARGS)

bench: .venv/development ## Measure the speed table, write docs/performance.md: make bench [ARGS=--quick]
	@$(BIN)/python -m bench $(ARGS)

lock: .venv/development ## Pin the newest allowed packages, with hashes, for Python 3.11 and later
	for set in requirements requirements-dev; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-header --upgrade $$set.txt -o $$set.lock; done

clean: ## Remove the virtual environment and the demo's data
	rm -rf .venv instance

.venv/bin/python:
	@echo "making a virtual environment in .venv"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed (PYTHON=... names another one)"; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
	  echo "Python can't make virtual environments: apt-get install python3-venv"; exit 1; }

.venv/runtime: requirements.lock | .venv/bin/python
	$(BIN)/pip install --require-hashes --requirement requirements.lock
	@touch $@

.venv/development: requirements-dev.lock | .venv/bin/python
	$(BIN)/pip install --require-hashes --requirement requirements-dev.lock
	@touch $@
