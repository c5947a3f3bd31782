# Everything a developer types. `make help` lists it.
PYTHON ?= python3
PORT ?= 8080
VENV := .venv
BIN := $(VENV)/bin
IMAGE_PYTHON := $(shell sed -n 's/^FROM python:\([0-9.]*\).*/\1/p' Dockerfile)
BY_FILE := --dist loadfile --no-loadscope-reorder -n  # each file's servers start once
# Where SQL is written, and every route once; what is HTTP only is the same on both databases.
ON_SQLITE := $(addprefix tests/,admin cli database polls schedule voting \
  results/test_recount.py web/test_health.py web/test_routes.py) \
  $(addprefix --ignore=tests/,admin/test_admin_keys.py polls/test_served_charts.py \
  voting/test_turnstile.py)
UNDER_LOAD := tests/faults tests/crash
ON_TIME = $(filter-out $(addsuffix /%,$(UNDER_LOAD)),$(sort \
  $(shell grep -rl --include='*.py' 'mark\.timing' tests)))  # importing all the others takes its time
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONDONTWRITEBYTECODE :=  # else all that starts would be compiled anew

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test test-postgresql test-sqlite test-timing test-under-load test-fuzz test-on-image-python faults elections soak check rest-of-check lint format types imports migrations contract bench lock clean

help: ## List the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-21s %s\n", $$1, $$2}'

run: $(VENV)/runtime ## Serve today's demo polls on http://127.0.0.1:8080, on SQLite, without Redis
	@PATH="$(CURDIR)/$(BIN):$$PATH" PORT=$(PORT) scripts/run-demo

test: test-postgresql test-sqlite test-timing ## Run the tests on PostgreSQL and Redis, and what is SQL on SQLite

test-postgresql: $(VENV)/development ## Run the tests that measure no time
	$(BIN)/python -m tests.support.servers
	$(BIN)/pytest $(BY_FILE) 3 -m "not timing and not fuzz"

test-sqlite: $(VENV)/development ## Run on SQLite what is SQL
	$(BIN)/pytest $(BY_FILE) 2 -m "not timing" --database=sqlite $(ON_SQLITE)

test-timing: $(VENV)/development ## Run the tests that measure time, but for faults and crashes
	$(BIN)/pytest $(BY_FILE) 3 -m timing $(ON_TIME)

test-under-load: $(VENV)/development ## Run the tests of faults and crashes, which keep the app busy
	$(BIN)/pytest -n 2 --dist loadgroup -m timing $(UNDER_LOAD)

test-fuzz: $(VENV)/development ## Send every route what Schemathesis thinks of
	$(BIN)/pytest -n 2 -m fuzz tests/web

test-on-image-python: $(VENV)/development ## Run test-postgresql on the Python of the image, if it is here
	@here=$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	other=$$(scripts/find-python $(IMAGE_PYTHON)); \
	if [ "$$here" = $(IMAGE_PYTHON) ]; then echo "tests ran on Python $$here, the image's"; \
	elif [ -z "$$other" ]; then echo "tests ran on Python $$here only: no $(IMAGE_PYTHON), the image's, is here"; \
	else $(MAKE) --no-print-directory test-postgresql PYTHON="$$other" VENV=.venv-$(IMAGE_PYTHON) && \
	  echo "tests ran on Python $$here and $(IMAGE_PYTHON), the image's"; fi

faults: $(VENV)/development ## Let everything fail once, and write docs/faults.md
	$(BIN)/pytest tests/faults --write-faults

elections: $(VENV)/development ## Count elections that others published: make elections FOLDER=PATH
	ELECTIONS="$(abspath $(FOLDER))" $(BIN)/pytest tests/results/published_elections.py

soak: $(VENV)/development ## Let faults and crashes go on for about an hour
	$(BIN)/pytest $(UNDER_LOAD) --soak

check: test rest-of-check ## All that CI checks, in its order

rest-of-check: test-under-load test-fuzz test-on-image-python lint types imports migrations

lint: $(VENV)/development ## Lint, and check the format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/development ## Mend what the linter and formatter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/development ## Check the types
	$(BIN)/mypy

imports: $(VENV)/development ## Check who imports whom
	$(BIN)/lint-imports

migrations: $(VENV)/development ## Check that models and migrations agree, on both databases
	$(BIN)/python -m tests.support.migrations

contract: $(VENV)/development ## Walk the wire contract on a server: make contract BASE=URL KEY=KEY
	@[ "$(BASE)" ] && [ "$(KEY)" ] || { echo "say: make contract BASE=URL KEY=KEY"; exit 2; }
	@$(BIN)/python -m tests.contract --base "$(BASE)" --key "$(KEY)" $(ARGS)

bench: $(VENV)/development ## Measure the speed table, write docs/performance.md: make bench [ARGS=--quick]
	@$(BIN)/python -m bench $(ARGS)

lock: $(VENV)/development ## Pin the newest allowed packages, with hashes, for Python 3.11 and later
	for set in requirements requirements-dev; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-header --upgrade $$set.txt -o $$set.lock; done

clean: ## Remove the virtual environment and the demo's data
	rm -rf .venv .venv-* instance

$(VENV)/bin/python:
	@echo "making a virtual environment in $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed (PYTHON=... names another one)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "Python can't make virtual environments: apt-get install python3-venv"; exit 1; }

$(VENV)/runtime: requirements.lock | $(VENV)/bin/python
	$(BIN)/pip install --require-hashes --requirement requirements.lock
	@touch $@

$(VENV)/development: requirements-dev.lock | $(VENV)/bin/python
	$(BIN)/pip install --require-hashes --requirement requirements-dev.lock
	@touch $@
