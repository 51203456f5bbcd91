# `make run` sets everything up and runs the main job on real media; `make test` sets up and passes every check.

PYTHON ?= python3
VENV ?= .venv
PORT ?= 8000
SERVE ?= 1
MEDIA ?=
MODEL ?=

PY := $(VENV)/bin/python
SEARCH := $(VENV)/bin/media-search
EXAMPLES := "a cat" "a cup of coffee" "a person riding a bicycle"

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev setup-bench run test test-all lock clean

help:
	@echo "make run       set up, ingest, embed, index, search, then serve http://127.0.0.1:$(PORT)"
	@echo "               MEDIA=\"~/Pictures ~/Videos\" adds your folders; PORT=9000; SERVE=0 stops before serving"
	@echo "make setup     set up without running"
	@echo "make test      set up and pass every check;  make test-all adds the slow, exhaustive ones"

setup: $(VENV)/ready
setup-dev: $(VENV)/ready-dev
setup-bench: $(VENV)/ready-bench

$(VENV)/ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; `make PYTHON=python3.12` names another")'
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/ready-dev: $(VENV)/ready requirements-dev.txt
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

run: setup
	@$(PY) scripts/fetch_samples.py
	@$(SEARCH) update $(if $(MODEL),--model $(MODEL)) $(if $(wildcard data/processed/catalog.sqlite),,--raw data/raw) $(MEDIA)
	@for query in $(EXAMPLES); do echo; echo "media-search search \"$$query\""; $(SEARCH) search -k 5 "$$query" || exit 1; done
	@if [ "$(SERVE)" != 0 ]; then echo; exec $(SEARCH) serve --port $(PORT); fi

$(VENV)/ready-bench: $(VENV)/ready-dev requirements-bench.txt
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	@touch $@

test: setup-dev
	$(PY) scripts/check.py

test-all: setup-bench
	$(PY) scripts/check.py --exhaustive

lock: setup-dev
	$(PY) -m pip install --quiet --disable-pip-version-check uv
	$(PY) scripts/lock.py

clean:
	rm -rf $(VENV) build dist artifacts .pytest_cache .mypy_cache .ruff_cache .hypothesis
