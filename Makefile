# Tricks on Trial. `make` alone lists what there is.
#
# PYTHON=python3.12   the interpreter to start from (3.11 or newer)
# VENV=DIR            where to install; empty (VENV=) uses PYTHON as it is and installs nothing
# ARGS="..."          options for run and plan, such as ARGS="--only activation --seeds 5"; for bench, pytest's
PYTHON ?= python3
VENV ?= .venv
ARGS ?=
ifeq ($(strip $(VENV)),)
RUN := $(PYTHON)
READY :=
else
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready
endif

.DEFAULT_GOAL := help
.PHONY: help ablate test bench gpu-check setup report regress plan check format clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

ablate: $(READY) ## install what is needed, train what is missing, write the report
	$(RUN) -m benchmark run $(ARGS)

test: $(READY) ## run the tests
	$(RUN) -m pytest $(if $(READY),-n auto --maxprocesses 4 --dist loadfile)

bench: $(READY) ## time each trick's step, the training loop and the runner, into results/bench.json
	mkdir -p results
	$(RUN) -m pytest speed -W default --benchmark-json=results/bench.json $(ARGS)

gpu-check: $(READY) ## on a GPU, 25 minutes: what docs/first-gpu.md asks for, into results/gpu-check.json
	$(RUN) -m speed.gpu_check --out results/gpu-check.json $(ARGS)

setup: $(READY) ## install alone

report: $(READY) ## write the report again from the stored runs
	$(RUN) -m benchmark report $(ARGS)

regress: $(READY) ## compare the effects in the default store with the committed ones
	$(RUN) -m benchmark regress results/reference/cifar10-catalogue $(ARGS)

plan: $(READY) ## list the runs, how many are stored, how long the others will take
	$(RUN) -m benchmark plan $(ARGS)

check: $(READY) ## check format, lint and types; CI runs this after the tests
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy

format: $(READY) ## put the code into the project's format
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix .

clean: ## remove the installation and caches; results and data stay
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

ifneq ($(READY),)
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.exit(sys.version_info < (3, 11) and f"$(PYTHON) is Python {v}; 3.11 or newer is needed: make $(MAKECMDGOALS) PYTHON=python3.12")'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "installing into $(VENV) (once; PyTorch is large)"
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
endif
