# One command per need. Everything is made on first use, uv included; only Python 3.11+ and make must be there.
.DEFAULT_GOAL := help
.PHONY: help setup demo test check types unit bench-check format clean

# uv of the machine, or one of our own in .uv/
UV := $(shell command -v uv || echo .uv/bin/uv)
RUN := .venv/bin

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: .venv/.complete ## the environment: .venv with everything in it

.venv/.complete: pyproject.toml uv.lock infra/kafka/topics.yml | $(UV)
	$(UV) sync --frozen
	@touch $@

.uv/bin/uv:
	@echo "uv is not installed: putting it into .uv/ (this folder only)"
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "riverrun needs Python 3.11 or newer; python3 is $$(python3 --version 2>&1). Install a newer one, or uv."; exit 1; }
	@python3 -m venv .uv || { echo "Python cannot make a virtual environment: install python3-venv (Debian, Ubuntu) or uv."; exit 1; }
	@.uv/bin/pip install --quiet --disable-pip-version-check uv

demo: setup ## the whole loop on real people's events, live
	$(RUN)/riverrun demo

test: setup ## every test, on a real Kafka (TESTS="...": what pytest is to run)
	$(RUN)/pytest $(TESTS)

check: setup ## format, lint, types, import rules, unit tests: under two minutes
	$(RUN)/ruff format --check
	$(RUN)/ruff check
	$(RUN)/lint-imports
	$(MAKE) --no-print-directory --jobs=2 types unit

types: setup
	$(RUN)/mypy

unit: setup
	$(RUN)/pytest tests/unit

bench-check: setup ## ratios to floors and peers against the recorded ones, on a quiet machine: under ten minutes
	$(UV) sync --frozen --group bench
	$(RUN)/riverrun bench check

format: setup ## put the code into its format
	$(RUN)/ruff format
	$(RUN)/ruff check --fix

clean: ## remove what was made in this folder (not the cache in ~/.cache/riverrun)
	rm -rf .venv .uv .riverrun .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
