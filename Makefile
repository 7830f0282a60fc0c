# `make` alone lists the targets.

DEMO_CLAIMS ?= 2000
IMAGE ?= claims-pipeline:local
ARGS ?=
WORKERS ?= auto

VENV := .venv
BIN := $(VENV)/bin
LOCKS := requirements.txt requirements-dev.txt
# Prefer the Python version of the worker image, then any other that works.
PYTHON = $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)
UV_VERSION = $(shell sed -n 's/^ *"\(uv==[^"]*\)".*/\1/p' pyproject.toml)
COMPILE = $(BIN)/uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 \
	--generate-hashes --no-emit-index-url --custom-compile-command "make lock" \
	$(if $(UPGRADE),--upgrade)

.DEFAULT_GOAL := help
.PHONY: help setup demo test bench detect image test-image engines sbom licences lint lock pin clean chaos soak fuzz graph

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup ## run claims through Pub/Sub, Beam and BigQuery on this machine (DEMO_CLAIMS=2000)
	@$(BIN)/claims demo --claims $(DEMO_CLAIMS)

test: setup ## run the tests (ARGS="-k name" passes options to pytest)
	@$(BIN)/pytest --numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder $(ARGS)

bench: setup ## measure CPU per claim in 10 minutes (QUICK=1: 2 minutes; AGAINST=another checkout)
	@$(BIN)/python -m workshop.benchmarks $(if $(QUICK),--quick) $(if $(AGAINST),--against $(AGAINST))

detect: setup ## measure what rules and signals detect (CLAIMS=file LABELS=file for your own data)
	@$(BIN)/python -m workshop.benchmarks.detection $(if $(CLAIMS),--claims $(CLAIMS)) \
		$(if $(LABELS),--labels $(LABELS)) $(if $(MAP),--map $(MAP)) $(ARGS)

image: ## build the container image for launcher and workers (IMAGE=name)
	@tests/whole/image/build.sh $(IMAGE)

test-image: setup ## run only the image tests (ARGS as in make test)
	@$(BIN)/pytest tests/whole/image $(ARGS)

sbom: setup image ## write a CycloneDX list of the image's packages to build/sbom.cdx.json
	@tests/whole/image/sbom.sh $(IMAGE)

engines: setup ## kill one of two workers during a million claims, and measure Prism (ENGINES_CLAIMS=1000000)
	@ENGINES_CLAIMS=$(or $(ENGINES_CLAIMS),1000000) $(BIN)/pytest \
		tests/whole/image/test_two_workers.py -s $(ARGS)
	@prism=$$(tests/whole/image/beam.sh prism) && $(BIN)/python -m workshop.benchmarks.on_prism "$$prism"

chaos: setup ## inject faults while claims stream: 20 seeds, 1 hour (CHAOS_SEEDS=20)
	@CHAOS_SEEDS=$(or $(CHAOS_SEEDS),20) CHAOS_MESSAGES=1000 CHAOS_FAULTS=8 CHAOS_ROWS=20000 \
		$(BIN)/pytest tests/whole/faults tests/sinks/bigquery/test_write_chaos.py --timeout=0 -s $(ARGS)

soak: setup ## record a streaming job's memory and threads in docs/reference/soak.md (MINUTES=30)
	@$(BIN)/python -m workshop.benchmarks.soak --minutes $(or $(MINUTES),30)

fuzz: setup ## search for messages that break something and add them to the corpus (MINUTES=10)
	@$(BIN)/python -m tests.support.fuzz.fuzz --keep --seconds $$(( 60 * $(or $(MINUTES),10) ))

licences: setup ## update the list of package licences, docs/reference/licences.md
	@$(BIN)/python -m workshop.licences

lint: setup ## check style, types, scripts and generated files
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/shellcheck $(wildcard .ci/* *.sh tests/whole/*/*.sh)
	@$(BIN)/claims sync --check
	@$(BIN)/uv pip check --quiet --python $(BIN)/python

graph: setup ## record the pipeline's steps so that running jobs can be updated (DRAIN=1)
	@$(BIN)/python -m workshop.graph_record.record $(if $(DRAIN),--drain)

setup: $(VENV)/.installed ## install the locked packages into .venv (other targets do this when a lock changes)

# Runs only when a lock or the package's own metadata is newer.
$(VENV)/.installed: $(LOCKS) pyproject.toml claims_ops/entry_points.txt | $(BIN)/uv
	@echo "Installing the locked packages into $(VENV) ..."
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes $(LOCKS)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@command -v java >/dev/null || echo "Java is missing; the Pub/Sub emulator used by \`make demo\` and some tests needs it:" \
		"sudo apt-get install default-jre-headless, or brew install openjdk"
	@touch $@

$(BIN)/uv:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is missing:" \
		"sudo apt-get install python3 python3-venv, or brew install python@3.11" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { echo "Python cannot create a virtual environment:" \
		"sudo apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install -qq --disable-pip-version-check $(UV_VERSION)

lock: | $(BIN)/uv ## regenerate the lock files from pyproject.toml (UPGRADE=1 for the newest versions)
	@$(COMPILE) pyproject.toml --output-file requirements.txt
	@$(COMPILE) --group dev --constraint requirements.txt --output-file requirements-dev.txt
	@$(COMPILE) --group build --constraint requirements-dev.txt --output-file requirements-build.txt

pin: setup ## pin base images by digest in workshop/images.env (needs the image registries)
	@$(BIN)/python -m workshop.pin

clean: ## remove everything that was installed or generated
	rm -rf $(VENV) build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
