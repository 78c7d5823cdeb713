# Every target makes its own environment in .venv; nothing needs to be done before.
VENV ?= .venv
PYTHON ?= python3
# Extra arguments for pytest, or for the benchmark: make test ARGS="-k shear -x"
ARGS ?=

BIN := $(VENV)/bin
PY := $(BIN)/python
DEMO := $(VENV)/.have-demo
DEV := $(VENV)/.have-dev
DOCS := $(VENV)/.have-docs
BROWSER := $(VENV)/.have-browser
CONSTRAINTS := constraints.txt
UNFINISHED := $(VENV)/.unfinished

# The variables carry the pins into pip's build environments: pip < 25.3 reads the first, newer ones the second.
export PIP_CONSTRAINT := $(CONSTRAINTS)
export PIP_BUILD_CONSTRAINT := $(CONSTRAINTS)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# One thread per worker: the workers fill the cores. More than four only cost memory.
PYTEST = MPLBACKEND=Agg OMP_NUM_THREADS=1 $(PY) -m pytest -n auto --maxprocesses 4 --dist worksteal

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# make -j: two pip calls must not write into one environment at once.
.NOTPARALLEL:
.PHONY: help demo test test-all test-browser test-interop lint format bench docs wheel-test clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | awk -F'|' '{ printf "  make %-12s %s\n", $$1, $$2 }'

demo: $(DEMO) ## views of real motion, in pictures in out/demo, and a minute of pretraining
	$(BIN)/skelaug demo

test: $(DEV) ## the daily tier (at most 10 minutes)
	HYPOTHESIS_PROFILE=daily $(PYTEST) -m "not slow and not browser" $(ARGS)

test-all: $(DEV) ## every test, many examples, planted faults, the wheel (at most an hour)
	HYPOTHESIS_PROFILE=thorough $(PYTEST) -m "not browser" $(ARGS)
	$(PY) tools/planted_faults.py
	$(PY) tools/wheel_smoke.py

test-browser: $(BROWSER) ## the preview page in a headless Chromium, where there is one (Debian: apt install chromium)
	$(PY) -m pytest -m browser tests/browser $(ARGS)

test-interop: $(VENV)/.have-venv ## inside mmaction2, Lightning, …, in environments of their own (ARGS="--pyskl FOLDER": PYSKL too)
	$(PY) tools/interop.py $(ARGS)

lint: $(DEV) ## formatting, lint, types
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy

format: $(DEV) ## format, and mend what ruff can mend
	$(PY) -m ruff check --fix-only .
	$(PY) -m ruff format .

bench: $(DEV) ## the benchmark, some minutes: transforms, policies, loss, training step; in out/bench (ARGS="--full")
	$(PY) -m benchmarks run $(ARGS)

docs: $(DOCS) ## the documentation, in out/docs: warnings are errors, and the pages are checked
	MPLBACKEND=Agg $(PY) -m sphinx -q -W --keep-going -j auto -b html -d out/doctrees docs out/docs
	$(PY) tools/check_site.py out/docs

wheel-test: $(DEV) ## build the wheel and try it in an empty environment
	$(PY) tools/wheel_smoke.py

clean: ## remove caches and build products (not out/ nor .venv)
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path './.*' -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# --- environments ---------------------------------------------------------------------------------------------------
# An install that was cut short left its mark: forget what was there, so that the environment is made again.
ifneq ($(wildcard $(UNFINISHED)),)
$(shell rm -f $(VENV)/.have-*)
endif

$(DEMO): EXTRAS := cli,viz
$(DEV): EXTRAS := cli,viz,train,dev
$(DOCS): EXTRAS := cli,viz,train,docs
$(BROWSER): EXTRAS := cli,viz,train,dev,browser

# After a plain failure (no network, say) the environment is as it was; after a signal it is not, and the mark stays.
$(DEMO) $(DEV) $(DOCS) $(BROWSER): pyproject.toml $(CONSTRAINTS) | $(VENV)/.have-venv
	@echo "Installing skelaug[$(EXTRAS)] into $(VENV) (with PyTorch: some minutes the first time)"
	@trap 'exit 130' HUP INT TERM; touch $(UNFINISHED); status=0; \
	$(PY) -m pip install -qq -c $(CONSTRAINTS) -e ".[$(EXTRAS)]" || status=$$?; \
	rm -f $(UNFINISHED); [ $$status -eq 0 ] && touch $@

$(VENV)/.have-venv:
	@stop() { echo "$$1" >&2; exit 1; }; \
	command -v $(PYTHON) >/dev/null || \
	    stop "$(PYTHON) not found: install Python 3.11 or newer (Debian: apt install python3 python3-venv), or name one: make PYTHON=path"; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    stop "$$($(PYTHON) --version 2>&1) is too old: install Python 3.11 or newer and name it: make PYTHON=python3.11"; \
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    stop "$(PYTHON) has no venv module: install it (Debian: apt install python3-venv)"; \
	[ ! -e $(VENV) ] || [ -e $(VENV)/pyvenv.cfg ] || stop "$(VENV) exists and is no virtual environment: remove it"; \
	if [ -e $(UNFINISHED) ] || ! $(PY) -m pip --version >/dev/null 2>&1; then \
	    $(PYTHON) -m venv --clear --without-pip $(VENV) && touch $(UNFINISHED) && \
	    $(PY) -m ensurepip --default-pip >/dev/null && rm -f $(UNFINISHED) || exit 1; \
	fi; \
	touch $@
