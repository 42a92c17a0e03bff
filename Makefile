# llmitm: everything a person types. `make help` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash

# A Python >= 3.12: on PATH, else the newest under pyenv, else one that uv downloads.
PYTHON := $(shell for p in python3.14 python3.13 python3.12 python3 python \
	$$(ls -d "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.*/bin/python 2>/dev/null | sort -rV); do \
	command -v "$$p" >/dev/null 2>&1 && "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null \
	&& "$$p" -c 'import sys; print(sys.executable)' && break; done)
UV := $(or $(shell command -v uv 2>/dev/null),.uv/bin/uv)

.PHONY: help setup run test lint bench bench-store bench-policy fuzz eval train demo install uninstall docs clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.uv/bin/uv:
	@py="$(PYTHON)"; py="$${py:-$$(command -v python3)}"; \
	test -n "$$py" || { echo "No Python found. Install Python 3.12 or newer, then run make again."; exit 1; }; \
	echo "Installing uv into .uv"; "$$py" -m venv .uv && .uv/bin/pip install --quiet uv

setup: $(if $(findstring .uv,$(UV)),.uv/bin/uv) ## create .venv with everything in it
	@$(UV) sync --quiet --frozen --all-extras $(if $(PYTHON),--python "$(PYTHON)",--python 3.13)

run: setup ## start proxy, worker and dashboard (Ctrl-C stops them)
	@.venv/bin/llmitm up

demo: setup ## fill the dashboard with real SDK conversations; no API key needed
	@.venv/bin/llmitm demo

test: setup ## every test, two files at a time
	@.venv/bin/pytest -n 2 --dist loadfile

lint: setup ## ruff, mypy, import-linter, generated docs
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/lint-imports
	@.venv/bin/cog --check -I . docs/*.md

docs: setup ## write the generated parts of docs/ anew
	@.venv/bin/cog -r -I . docs/*.md

bench: setup ## measure against bare mitmdump: ratios, PASS or FAIL per row
	@.venv/bin/python -m tests.bench

bench-store: setup ## measure storage and the worker's drain: PASS or FAIL per row
	@.venv/bin/python -m tests.bench.store

bench-policy: setup ## measure a save under load, a backtest, the audit: PASS or FAIL per row
	@.venv/bin/python -m tests.bench.policy

SECONDS_EACH := $(if $(filter command line environment override,$(origin SECONDS)),$(SECONDS),120)
fuzz: $(if $(findstring .uv,$(UV)),.uv/bin/uv) ## fuzz every decoder, SECONDS=120 each; finds become test fixtures
	@$(UV) run --quiet --frozen --isolated --no-default-groups --group fuzz $(if $(PYTHON),--python "$(PYTHON)",--python 3.13) \
	python -m tests.fuzz --seconds $(SECONDS_EACH)

TRAINED := run --quiet --frozen --group train $(if $(PYTHON),--python "$(PYTHON)",--python 3.13)
eval: $(if $(findstring .uv,$(UV)),.uv/bin/uv) ## how well the detectors do, each source left out of training; needs LLMITM_DATASETS
	@$(UV) $(TRAINED) --isolated python -m tests.eval

train: $(if $(findstring .uv,$(UV)),.uv/bin/uv) ## train the injection model anew; needs LLMITM_DATASETS
	@$(UV) $(TRAINED) --isolated python -m intelligence.detect.training

install: setup ## put `llmitm` on PATH
	@$(UV) tool install --quiet --force --editable '.[demo]' $(if $(PYTHON),--python "$(PYTHON)") && $(UV) tool update-shell

uninstall: ## take `llmitm` off PATH
	@$(UV) tool uninstall llmitm

clean: ## remove what make created; recordings in data/ and the CA stay
	@rm -rf .venv .uv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
