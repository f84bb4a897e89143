# The two commands: `make demo` (raw files to report, on simulated samples) and `make test`.
# Needed: Python >= 3.11 and make. Everything else is installed into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= $(shell nproc 2>/dev/null || echo 2)

.PHONY: demo test lint format schema sample-data constraints benchmark clean

demo: $(VENV)/.depthlock
	$(BIN)/depthlock run sample_data/session.yaml --cores $(CORES)

test: $(VENV)/.development
	CORES=$(CORES) sh .ci/test.sh $(BIN)

lint: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.development
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: $(VENV)/.depthlock
	$(BIN)/depthlock schema > configs/session.schema.json

constraints: $(VENV)/.development
	sh .ci/constraints.sh $(BIN)

benchmark: $(VENV)/.development
	$(BIN)/python -m benchmarks

$(VENV)/.depthlock: pyproject.toml constraints.txt
	sh .ci/environment.sh $(PYTHON) $(VENV) .
	touch $@

$(VENV)/.development: $(VENV)/.depthlock
	sh .ci/environment.sh $(PYTHON) $(VENV) ".[napari,distributed,dev]"
	touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache sample_data/results
