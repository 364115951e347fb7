# Two commands matter: `make demo` and `make test`. Both begin with `make setup`, which makes .venv.
SHELL := /bin/bash
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
BIN := .venv/bin
ARGS ?=

.PHONY: setup demo test test-foreign test-models lint format pins browser peers screenshots clean

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

browser:  ## Debian's Chromium and a CJK font, for the tests that look at pages; without them those tests say that they skip
	@command -v chromium-headless-shell >/dev/null && fc-list :lang=zh | grep -q . && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium-headless-shell fontconfig fonts-noto-cjk >/dev/null; \
	else echo "no Chromium or no CJK font here, and no right to install them: apt install chromium-headless-shell fonts-noto-cjk"; fi

peers:  ## Debian's packages for the servers that are not our code; without them the tests that talk to those say that they skip
	@missing=; \
	for pair in gcc:gcc g++:g++ mosquitto:mosquitto node:nodejs npm:npm; do \
	  PATH="$$PATH:/usr/sbin" command -v "$${pair%%:*}" >/dev/null || missing="$$missing $${pair##*:}"; done; \
	test -e /usr/include/modbus/modbus.h || missing="$$missing libmodbus-dev"; \
	command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing="$$missing postgresql"; \
	test -z "$$missing" && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	else echo "not here, and no right to install them: apt install$$missing"; fi

screenshots: setup browser  ## the pictures in docs/
	HOLDFAST_PICTURES=docs/pictures $(BIN)/python -m pytest tests/console/test_console_pictures.py

test: setup
	$(BIN)/python -m pytest -n 3 --dist loadfile $(ARGS)

.venv-foreign/.made: tests/mcp_door/qwen/requirements.txt | $(filter .uv/bin/uv,$(UV))
	test -x .venv-foreign/bin/python || $(UV) venv --quiet --python python3 .venv-foreign
	$(UV) pip sync --quiet --python .venv-foreign/bin/python tests/mcp_door/qwen/requirements.txt
	touch $@

test-foreign: setup .venv-foreign/.made  ## agents of other makers through the MCP door; Qwen-Agent in a Python of its own
	HOLDFAST_QWEN=$$PWD/.venv-foreign/bin/python $(BIN)/python -m pytest tests/mcp_door/test_qwen_agent.py $(ARGS)

test-models: setup  ## engines against real servers of a small random-weight model; a Python of its own, with torch from its CPU wheel
	test -x .venv-models/bin/python || $(UV) venv --quiet --python python3 .venv-models
	$(UV) pip install --quiet --python .venv-models/bin/python --editable '.[agent]' 'llama-cpp-python[server]>=0.3.36' 'torch==2.13.0' \
	  'transformers>=4.57,<5' gguf safetensors pytest pytest-asyncio pytest-timeout hypothesis
	.venv-models/bin/python -m pytest tests/models_real $(ARGS)

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
	$(UV) pip compile --quiet --universal --no-emit-index-url --python-version 3.11 tests/mcp_door/qwen/requirements.in -o tests/mcp_door/qwen/requirements.txt

clean:
	rm -rf .venv .venv-foreign .venv-models .uv .pytest_cache .ruff_cache .hypothesis .import_linter_cache
