# Two commands for a newcomer: `make demo` and `make test`. Both set up .venv first.
# Recipes quote every path: the checkout may lie under a path with spaces.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_OUTPUT ?= demo_output
PYTEST_WORKERS ?= 2
BENCH_OPTIONS ?= --floor
TRAINING_OPTIONS ?=

.PHONY: demo test test-slow check bench bench-training setup clean

setup: $(VENV)/.installed

$(VENV)/.installed: requirements.lock pyproject.toml
	"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ecgppg needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	"$(PYTHON)" -m venv "$(VENV)"
	"$(BIN)/python" -m pip install --quiet -r requirements.lock
	"$(BIN)/python" -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch "$@"

demo: setup
	"$(BIN)/python" production_pipeline.py --demo --output-dir "$(DEMO_OUTPUT)"

test: setup
	"$(BIN)/python" -m pytest -n "$(PYTEST_WORKERS)" --dist loadfile -m "not slow"

test-slow: setup
	"$(BIN)/python" -m pytest -n "$(PYTEST_WORKERS)" --dist loadfile -m slow

check: setup
	"$(BIN)/ruff" check .
	"$(BIN)/ruff" format --check .
	"$(BIN)/mypy"

bench: setup
	"$(BIN)/python" benchmarks/build.py $(BENCH_OPTIONS)

bench-training: setup
	"$(BIN)/python" benchmarks/training.py $(TRAINING_OPTIONS)

clean:
	rm -rf "$(VENV)" "$(DEMO_OUTPUT)" .pytest_cache .mypy_cache .ruff_cache
