# Every target makes its own environment in .venv where there is none; README.md has the same lines by hand.
.PHONY: help demo test check lint format clean
.DEFAULT_GOAL := help

# The first Python of a version that we support and that can make environments; or say `make PYTHON=… test`.
SUITABLE = import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python3.12 python3.11 python3.13; do \
	$$p -c '$(SUITABLE)' 2>/dev/null && { echo $$p; break; }; done)
PIP = .venv/bin/python -m pip --disable-pip-version-check

help:
	@echo 'make demo    set up, train the quickstart recipe, print its WER, transcribe one of its files'
	@echo 'make test    set up, run every test'
	@echo 'make check   set up, run ruff, mypy, import-linter and every test'
	@echo 'make lint    the same without the tests'
	@echo 'make format  let ruff rewrite what it can'
	@echo 'make clean   remove .venv and what the tools left behind; data/ stays'

.venv/bin/python:
	@test -n '$(PYTHON)' || { echo 'Python 3.11, 3.12 or 3.13 with its venv module is needed and was not' \
		'found; install one, or name it: make PYTHON=/path/to/python' >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.demo: pyproject.toml | .venv/bin/python
	$(PIP) install -e '.[synth]'
	@touch $@

.venv/.dev: pyproject.toml | .venv/bin/python
	$(PIP) install -e '.[dev]'
	@touch .venv/.demo $@

demo: .venv/.demo
	.venv/bin/python recipes/run.py quickstart
	.venv/bin/asr transcribe "$$(find data/corpora/quickstart/test -name '*.flac' | sort | head -n 1)" \
		--model data/exp/quickstart/model

test: .venv/.dev
	.venv/bin/python -m pytest

lint: .venv/.dev
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/mypy
	.venv/bin/lint-imports

check: lint test

format: .venv/.dev
	.venv/bin/ruff format
	.venv/bin/ruff check --fix

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage htmlcov
