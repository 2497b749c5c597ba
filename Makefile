# The two that a newcomer needs: `make demo`, `make test`. Everything lives in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HPT := $(VENV)/.installed-hpt
DEV := $(VENV)/.installed-dev
VERSIONS := --constraint tests/constraints.txt
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check $(VERSIONS)
NEWEST := .venv-newest
PYTEST := $(BIN)/python -m pytest --dist worksteal
CORES := $(shell getconf _NPROCESSORS_ONLN)

.PHONY: help demo test test-fast test-newest test-browser test-extras test-torch test-slurm faults \
	scripts-short check format constraints clean

help:  ## Show what there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(HPT): pyproject.toml tests/constraints.txt
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
		$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "hpt needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }; \
		echo "making $(VENV), an environment for Python: some seconds"; $(PYTHON) -m venv $(VENV); }
	@echo "installing hpt and what it needs into $(VENV), 340 MB: about a minute"
	@$(INSTALL) --editable .
	@touch $@

$(DEV): $(HPT)
	@echo "installing what tests and checks need into $(VENV): about half a minute"
	@$(INSTALL) --editable '.[dev]'
	@touch $@

demo: $(HPT)  ## Tune a real model on real data, with the live view and the results table
	@! test -e .hpt/demo || $(BIN)/hpt delete demo --yes --home .hpt
	@echo "tuning a neural network on handwritten digits: 40 jobs, less than a minute"
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/hpt run configs/digits.yaml --name demo --home .hpt
	@echo "to have the command hpt: source $(BIN)/activate"

test: $(DEV)  ## Run all tests that need only Python; most of their time is waiting
	$(PYTEST) -n $$((2 * $(CORES)))

test-fast: $(DEV)  ## Run the tests that start no hpt: what to ask while you write
	$(PYTEST) -n $(CORES) tests/unit tests/contracts

test-newest:  ## Run test-fast with the newest versions, in an environment of its own
	rm -f $(NEWEST)/.installed-*
	$(MAKE) test-fast VENV=$(NEWEST) VERSIONS='--upgrade --upgrade-strategy eager'

test-browser: $(DEV)  ## Test the report page in Chromium (Debian: chromium, chromium-driver)
	$(INSTALL) --editable '.[browser]'
	$(PYTEST) tests/browser

test-extras: $(DEV)  ## Test exports and examples with the packages they are for
	$(INSTALL) --editable '.[examples,parquet,mlflow,tensorboard]' tensorboard
	$(PYTEST) tests/extras --ignore tests/extras/test_torch.py

test-torch: $(DEV)  ## Test the guides to PyTorch, Lightning, Keras (several GB, unless pip finds a CPU build)
	$(INSTALL) --editable '.[torch]'
	$(PYTEST) tests/extras/test_torch.py

test-slurm: $(DEV)  ## Test `executor: slurm` on a real Slurm of one node (Debian: slurm-wlm, munge)
	$(PYTEST) -n 2 tests/slurm

faults: $(DEV)  ## Do hpt every kind of harm, briefly: kill -9, power loss, full disks ...
	$(BIN)/python scripts/reliability/faults.py --short
	HPT_FUZZ_FIRST=0 HPT_FUZZ_EXAMPLES=40 $(PYTEST) -n 2 \
		tests/acceptance/test_damage.py tests/acceptance/test_command_lines.py

scripts-short: $(DEV)  ## Run the benchmarks and every other script in its shortest form
	$(BIN)/python scripts/run_short.py

check: $(DEV)  ## Check format, style, types and architecture
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python scripts/docs/write_all.py --check
	$(PYTEST) tests/unit/test_architecture.py

format: $(DEV)  ## Put the code into its format, and the pages that are made from it up to date
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python scripts/docs/write_all.py

constraints: test-newest  ## Write the newest versions, but for PyTorch, into tests/constraints.txt: they have passed
	$(NEWEST)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade tensorboard \
		--editable '.[dev,browser,examples,parquet,mlflow,tensorboard,torch]' \
		$$(grep '^torch==' tests/constraints.txt)
	grep '^#' tests/constraints.txt > $(NEWEST)/constraints.txt
	$(NEWEST)/bin/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' >> $(NEWEST)/constraints.txt
	mv $(NEWEST)/constraints.txt tests/constraints.txt

clean:  ## Remove the environment and what tools left behind
	rm -rf $(VENV) $(NEWEST) build *.egg-info .mypy_cache .ruff_cache .hypothesis
