# Tricks on Trial. `make` without a target lists the commands.
#
# PYTHON=python3.12   the interpreter to start from (3.11 or newer)
# VENV=DIR            where to install; empty (VENV=) uses PYTHON as it is and installs nothing
# ONLY="..."          ablations or variants, such as ONLY="activation, whitening: ZCA 1e-1"; ONLY=all: everything
# ARGS="..."          further options, such as ARGS="--seeds 5 --minutes 60"; for bench, pytest's
# TORCH_INDEX=URL     where to take torch from, such as https://download.pytorch.org/whl/cpu, whose builds leave out
#                     CUDA's libraries: without it, an installation takes 6.2 GB
# REFERENCE=DIR       what regress compares with
PYTHON ?= python3
VENV ?= .venv
ARGS ?=
TORCH_INDEX ?=
REFERENCE ?= results/reference/cifar10-catalogue
CHOSEN = $${ONLY+--only "$$ONLY"}
ifdef only
$(error only=... is not known to this Makefile; write ONLY="$(only)")
endif
ifeq ($(strip $(VENV)),)
RUN := $(PYTHON)
READY :=
TOOLS :=
else
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready
TOOLS := $(VENV)/.tools
endif
PIP := $(RUN) -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help ablate ablate-all papers test bench gpu-check setup report regress plan check audit fuzz docs site format clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

ablate: $(READY) ## install what is needed, train the tour (or ONLY), write the report
	$(RUN) -m benchmark run $(CHOSEN) $(ARGS)

ablate-all: $(READY) ## the same with the whole catalogue: hours on 2 cores
	$(RUN) -m benchmark run --only all $(ARGS)

test: $(TOOLS) ## run the tests
	$(RUN) -m pytest $(if $(READY),-n auto --maxprocesses 4 --dist loadfile)

fuzz: $(TOOLS) ## 10,000 damaged inputs of each kind that is read, or ARGS="--hypothesis-seed=1": the same again
	FUZZ=$${FUZZ:-10000} $(RUN) -m pytest tests/test_fuzz.py --hypothesis-show-statistics $(ARGS)

papers: $(READY) ## published tables beside measured, one page; trains what results/reference lacks of them
	$(RUN) -m benchmark papers $(CHOSEN) $(ARGS)

bench: $(TOOLS) ## time each trick's step, the training loop and the runner, into results/bench.json
	mkdir -p results
	$(RUN) -m pytest speed -W default --benchmark-json=results/bench.json $(ARGS)

gpu-check: $(TOOLS) ## on a GPU, 25 minutes: what docs/first-gpu.md asks for, into results/gpu-check.json
	$(RUN) -m speed.gpu_check --out results/gpu-check.json $(ARGS)

setup: $(TOOLS) ## only install, development tools included

report: $(READY) ## write the report again from the stored runs
	$(RUN) -m benchmark report $(ARGS)

regress: $(READY) ## compare the effects in the default store with the committed ones
	$(RUN) -m benchmark regress $(REFERENCE) $(CHOSEN) $(ARGS)

plan: $(READY) ## list the runs, how many are stored, how long the others will take
	$(RUN) -m benchmark plan $(CHOSEN) $(ARGS)

check: $(TOOLS) docs audit ## check format, lint, types, workflows, documentation, dependencies; CI runs this after the tests
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	$(RUN) -m check_jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	PATH="$$($(RUN) -c 'import sysconfig; print(sysconfig.get_path("scripts"))'):$$PATH" zizmor --offline --no-progress .github/workflows

audit: $(TOOLS) ## look up known vulnerabilities of the direct dependencies, where the network allows; part of check
	$(RUN) .ci/audit.py $(ARGS)

docs: $(TOOLS) ## build the documentation, warnings are errors, into build/docs
	$(RUN) -m sphinx --fail-on-warning --keep-going -q docs build/docs

site: $(TOOLS) ## the documentation with the reports of the committed results, into build/docs
	$(RUN) -m sphinx --fail-on-warning --keep-going -q -t reports docs build/docs
	for store in results/reference/*; do $(RUN) -m benchmark report --store "$$store" --history results/history.csv --out "build/docs/reports/$${store##*/}" || exit 1; done

format: $(TOOLS) ## put the code into the project's format
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix .

clean: ## remove the installation and caches; results and data stay
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

ifneq ($(READY),)
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.exit(sys.version_info < (3, 11) and f"$(PYTHON) is Python {v}; 3.11 or newer is needed: make $(MAKECMDGOALS) PYTHON=python3.12")'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "installing into $(VENV) (once, some minutes: PyTorch is large; TORCH_INDEX names a smaller build)"
	@$(PYTHON) -m venv $(VENV)
	@$(if $(TORCH_INDEX),$(PIP) --index-url $(TORCH_INDEX) $(shell grep -oE '"torch(vision)?>[^"]*"' pyproject.toml))
	@$(PIP) --editable .
	@touch $@

$(TOOLS): $(READY)
	@echo "installing the development tools into $(VENV) (once)"
	@$(PIP) --editable '.[dev]'
	@touch $@
endif
