# The two that a newcomer needs: `make demo`, `make test`. Everything lives in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help demo faults scripts-short test test-browser test-extras test-slurm check format clean

help:  ## Show what there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(INSTALLED): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

demo: $(INSTALLED)  ## Tune a real model on real data, with the live view and the results table
	rm -rf .hpt/digits
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/hpt run configs/digits.yaml

test: $(INSTALLED)  ## Run all tests that need only Python
	$(BIN)/python -m pytest -n auto --dist worksteal

test-browser: $(INSTALLED)  ## Test the report page in Chromium (Debian: chromium, chromium-driver)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[browser]'
	$(BIN)/python -m pytest tests/browser

test-extras: $(INSTALLED)  ## Test exports and examples with the packages they are for
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[examples,parquet,mlflow,tensorboard]' tensorboard
	$(BIN)/python -m pytest tests/extras

test-slurm: $(INSTALLED)  ## Test `executor: slurm` on a real Slurm of one node (Debian: slurm-wlm, munge)
	$(BIN)/python -m pytest -n 2 tests/slurm

faults: $(INSTALLED)  ## Do hpt every kind of harm, briefly: kill -9, power loss, full disks ...
	$(BIN)/python scripts/reliability/faults.py --short

scripts-short: $(INSTALLED)  ## Run the benchmarks and every other script in its shortest form
	$(BIN)/python scripts/run_short.py

check: $(INSTALLED)  ## Check format, style, types and architecture
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python scripts/docs/write_all.py --check
	$(BIN)/python -m pytest tests/unit/test_architecture.py

format: $(INSTALLED)  ## Put the code into its format, and the pages that are made from it up to date
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python scripts/docs/write_all.py

clean:  ## Remove the environment and what tools left behind
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .hypothesis
