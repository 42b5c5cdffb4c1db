# make demo and make test set everything up themselves: they need git, make and Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TYPES := build/types

.PHONY: demo test soak lint format types lock docs clean help

help:
	@echo "make demo   the whole path on the sample sites, in ./fanwen-demo"
	@echo "make test   lint, types and every test (at most 15 minutes)"
	@echo "make soak   the same tests at full size (at most 75 minutes)"
	@echo "make lint   ruff and mypy alone;  make format  let ruff write"
	@echo "make docs   DATA_FORMAT.md, in both languages, and docs/commands.md from the code"
	@echo "make lock   pin the dependencies anew, with hashes"

demo: $(READY)
	$(BIN)/fanwen demo

test: lint
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

soak: lint
	FANWEN_SOAK=1 $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(READY) types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Checked as installed: from a checkout mypy would see every module under two names.
types: $(READY)
	rm -rf $(TYPES) build/lib build/bdist.*
	$(BIN)/python -m pip install -qq --no-deps --no-build-isolation --target $(TYPES) .
	cd $(TYPES) && MYPYPATH=. ../../$(BIN)/mypy --config-file ../../pyproject.toml --cache-dir ../../.mypy_cache -p fanwen

docs: $(READY)
	$(BIN)/python docs/generate.py

lock: $(READY)
	$(BIN)/python -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install -qq uv
	$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate --extra dev --output-file requirements.lock pyproject.toml
	$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate --output-file requirements-build.lock requirements-build.in

$(READY): requirements.lock requirements-build.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "fanwen needs Python 3.11 or newer: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -qq --require-hashes -r requirements-build.lock
	$(BIN)/python -m pip install -qq --require-hashes --no-build-isolation -r requirements.lock
	$(BIN)/python -m pip install -qq --no-deps --no-build-isolation --editable .
	touch $@

clean:
	rm -rf $(VENV) $(VENV)-lock build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
