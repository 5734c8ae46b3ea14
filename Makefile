# Two commands on a fresh machine: `make demo` and `make test`. Everything they need goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test test-postgres lint bench docs clean

help:
	@echo "make demo    the support agent on a small shop: 200 inquiries, kill -9 in the middle, one report"
	@echo "make test    every test"
	@echo "make test-postgres   those that reach a database once more, on a PostgreSQL that comes from a wheel"
	@echo "make lint    ruff, mypy, import rules"
	@echo "make docs    regenerate the reference pages from the code"
	@echo "make bench NAME=durable   one benchmark, one JSON line at the end"

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("airworthy needs Python 3.11 or newer; set PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@

demo: $(STAMP)
	$(BIN)/airworthy demo $(DEMO_ARGS)

test: $(STAMP)
	$(BIN)/python -m pytest $(TEST_ARGS)

test-postgres: $(STAMP)
	AIRWORTHY_TEST_ENGINE=postgresql $(BIN)/python -m pytest --databases-only $(TEST_ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(STAMP)
	$(BIN)/python docs/generate.py

bench: $(STAMP)
	@test -n "$(NAME)" || { echo "Say which: make bench NAME=durable"; exit 2; }
	$(BIN)/python -m benchmarks.$(NAME) $(BENCH_ARGS)

clean:
	rm -rf $(VENV) .venvs .mypy_cache .ruff_cache .hypothesis
