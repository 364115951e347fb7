# Two commands matter: `make demo` and `make test`. Both begin with `make setup`, which makes .venv.
SHELL := /bin/bash
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
BIN := .venv/bin
ARGS ?=

.PHONY: setup demo test lint format pins clean

setup: .venv/.made

.uv/bin/uv:
	python3 -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check uv

.venv/.made: requirements.txt pyproject.toml | $(filter .uv/bin/uv,$(UV))
	test -x $(BIN)/python || $(UV) venv --quiet --python python3 .venv
	$(UV) pip sync --quiet --python $(BIN)/python requirements.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

demo: setup
	$(BIN)/holdfast demo $(ARGS)

test: setup
	$(BIN)/python -m pytest $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/basedpyright

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

pins: | $(filter .uv/bin/uv,$(UV))  ## renew requirements.txt after a change of pyproject.toml
	$(UV) pip compile --quiet --universal --no-emit-index-url --group dev --python-version 3.11 pyproject.toml -o requirements.txt

clean:
	rm -rf .venv .uv .pytest_cache .ruff_cache .hypothesis .import_linter_cache
