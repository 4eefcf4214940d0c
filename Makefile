# make demo    JupyterLab with the example and its pipeline, on http://localhost:8888 (PORT=… for another)
# make test    all tests: Python, server, and the browser's where there is a Chromium
# make test-exports  every export target on its real engine, in environments that are kept (ENGINES=folder)
# make truth   tens of thousands of random notebooks against Restart & Run All (SEEDS=first:last for others)
# make reuse   random edits of random notebooks against a model of what each step reads (SEEDS=first:last)
# make kill    some hundred runs of which a process is killed at random moments (KILLS=1000 for more)
# make kernels 2,000 step kernels in a row out of one process, which must have nothing of them afterwards
# make bench   the benchmarks, side by side with other tools (SIZE=200MB for less memory)
# make lint    ruff, mypy, the import contracts
# make build   sdist and wheel into dist/

PYTHON ?= python3
VENV ?= .venv
PORT ?= 8888
SEEDS ?= 1000:4000
KILLS ?= 300
KERNELS ?= 2000
SIZE ?= 1GB
PEERS ?= .venv-peers
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := pyproject.toml hatch_build.py package.json package-lock.json install.json \
	$(shell find labextension jupyter-config -type f)

.PHONY: demo test test-exports truth reuse kill kernels bench lint format frontend build clean

demo: $(VENV)/.demo
	$(BIN)/jupyter lab --config=demo/jupyter_lab_config.py --ServerApp.port=$(PORT)

test: $(VENV)/.test
	$(BIN)/python -m pytest

test-exports: $(VENV)/.test
	$(if $(ENGINES),JUPYTER_PIPELINES_ENGINES=$(abspath $(ENGINES))) $(BIN)/python -m pytest -m "" tests/export/test_engines.py

truth: $(VENV)/.test
	$(BIN)/python -W ignore -m tests.truth --kernels-every 250 --seeds $(SEEDS)

reuse: $(VENV)/.test
	$(BIN)/python -W ignore -m tests.reuse --seeds $(SEEDS)

kill: $(VENV)/.test
	$(BIN)/python -W ignore -m tests.execution.test_endings $(KILLS)

kernels: $(VENV)/.test
	$(BIN)/python -W ignore -m tests.execution.test_pool $(KERNELS)

bench: $(VENV)/.test $(PEERS)/.installed
	$(BIN)/python -W ignore benchmarks/change_check.py --size $(SIZE)
	$(BIN)/python -W ignore benchmarks/tracing.py --size $(SIZE)
	$(BIN)/python -W ignore benchmarks/plan.py
	$(BIN)/python -W ignore benchmarks/hand_over.py --size $(SIZE)
	$(BIN)/python -W ignore benchmarks/side_by_side.py --peers $(PEERS)/bin/python --json benchmarks/side_by_side.json
	$(BIN)/python -W ignore benchmarks/side_by_side.py --peers $(PEERS)/bin/python --light --json benchmarks/side_by_side_light.json
	$(BIN)/python -W ignore benchmarks/panel.py --json benchmarks/panel.json

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Types, formatting and unit tests of the front end; needs Node.js, which nothing above does.
frontend:
	npm ci
	npm run check
	npm test

build: $(BIN)/python
	$(PIP) install -q build
	$(BIN)/python -m build

clean:
	rm -rf $(VENV) node_modules dist jupyterlab_pipelines/labextension

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# An editable install copies the front end: it is made again when a source of it has changed.
$(VENV)/.demo: $(BIN)/python $(SOURCES)
	$(PIP) install -q -e ".[demo]"
	touch $@

# What the benchmarks compare with; what cannot be installed is left out there.
$(PEERS)/.installed: benchmarks/peers.txt
	$(PYTHON) -m venv $(PEERS)
	for package in $$(grep -v '^#' benchmarks/peers.txt); do $(PEERS)/bin/pip install -q $$package || true; done
	touch $@

$(VENV)/.test: $(VENV)/.demo
	$(PIP) install -q -e ".[demo,test]"
	touch $@
